"""Texts that are almost the same: found, and grouped with the pairs that belong together."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from stance.errors import MissingExtraError
from stance.records import Record

# docs/data.md says how these were chosen.
SIMILARITY = 0.7
_SHINGLE = 5
_PERMUTATIONS = 128
_SPACES = re.compile(r"[\W_]+")


def group_alike(records: Sequence[Record]) -> list[list[Record]]:
    """Group records that must stay together: pairs and near-duplicates, and chains of these.

    Raises:
        MissingExtraError: If `datasketch` is not installed.
    """
    parents = list(range(len(records)))

    def root(item: int) -> int:
        while parents[item] != item:
            parents[item] = parents[parents[item]]
            item = parents[item]
        return item

    firsts: dict[str, int] = {}
    for index, record in enumerate(records):
        if record.pair is not None:
            parents[root(index)] = root(firsts.setdefault(record.pair, index))
    for left, right in near_duplicates(records):
        parents[root(right)] = root(left)
    groups: dict[int, list[Record]] = {}
    for index, record in enumerate(records):
        groups.setdefault(root(index), []).append(record)
    return list(groups.values())


def near_duplicates(
    records: Sequence[Record], similarity: float = SIMILARITY
) -> Iterator[tuple[int, int]]:
    """Index pairs of texts whose sets of character 5-grams overlap by `similarity` (Jaccard).

    Candidates come from MinHash; each is then compared exactly. Case, punctuation and spacing do
    not count.

    Raises:
        MissingExtraError: If `datasketch` is not installed.
    """
    index = _Index(similarity)
    for place, record in enumerate(records):
        for other in index.like(record, add=True):
            yield other, place


def near_matches(
    records: Sequence[Record], others: Iterable[Record], similarity: float = SIMILARITY
) -> Iterator[tuple[int, int]]:
    """Like `near_duplicates`, between two sets: places in `records` and in `others`.

    Only `records` are held in memory, so they should be the smaller set.

    Raises:
        MissingExtraError: If `datasketch` is not installed.
    """
    index = _Index(similarity)
    for record in records:
        index.add(record)
    for place, record in enumerate(others):
        for mine in index.like(record):
            yield mine, place


class _Index:
    """Texts that can be asked which of them are like another one."""

    def __init__(self, similarity: float) -> None:
        try:
            from datasketch import MinHash, MinHashLSH
        except ImportError:
            raise MissingExtraError("Finding near-duplicates", "report", "datasketch") from None
        self._similarity = similarity
        # Set lower than the wanted overlap, since it loses some of what lies at its edge.
        threshold = max(0.1, similarity - 0.15)
        self._index = MinHashLSH(threshold=threshold, num_perm=_PERMUTATIONS)
        # To be copied: making one anew costs more than filling it.
        self._empty = MinHash(num_perm=_PERMUTATIONS, seed=1, hashfunc=zlib.crc32)
        self._texts: list[str] = []

    def add(self, record: Record) -> None:
        text = _normal(record)
        self._insert(text, self._sketch(_shingles(text)))

    def like(self, record: Record, *, add: bool = False) -> list[int]:
        """Places of the texts that are like this one, in order; then add it, if wanted."""
        text = _normal(record)
        own = _shingles(text)
        sketch = self._sketch(own)
        found = []
        for place in sorted(self._index.query(sketch)):
            theirs = _shingles(self._texts[place])
            if len(own & theirs) >= self._similarity * len(own | theirs):
                found.append(place)
        if add:
            self._insert(text, sketch)
        return found

    def _sketch(self, shingles: set[str]) -> Any:
        sketch = self._empty.copy()
        sketch.update_batch([piece.encode("utf-8") for piece in sorted(shingles)])
        return sketch

    def _insert(self, text: str, sketch: Any) -> None:
        self._index.insert(len(self._texts), sketch)
        self._texts.append(text)


def _normal(record: Record) -> str:
    text = f"{record.article.title or ''} {record.article.text}"
    return _SPACES.sub(" ", text.lower()).strip()


def _shingles(text: str) -> set[str]:
    return {text[at : at + _SHINGLE] for at in range(max(1, len(text) - _SHINGLE + 1))}
