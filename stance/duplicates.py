"""Texts that are almost the same: found, and grouped with the pairs that belong together."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator, Sequence

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
    try:
        from datasketch import MinHash, MinHashLSH
    except ImportError:
        raise MissingExtraError("Finding near-duplicates", "train", "datasketch") from None
    # The index is set lower than the wanted overlap, since it loses some of what lies at its edge.
    index = MinHashLSH(threshold=max(0.1, similarity - 0.15), num_perm=_PERMUTATIONS)
    texts = [_normal(record) for record in records]
    for place, text in enumerate(texts):
        own = _shingles(text)
        sketch = MinHash(num_perm=_PERMUTATIONS, seed=1, hashfunc=zlib.crc32)
        sketch.update_batch([piece.encode("utf-8") for piece in sorted(own)])
        for other in sorted(index.query(sketch)):
            theirs = _shingles(texts[other])
            if len(own & theirs) >= similarity * len(own | theirs):
                yield other, place
        index.insert(place, sketch)


def _normal(record: Record) -> str:
    text = f"{record.article.title or ''} {record.article.text}"
    return _SPACES.sub(" ", text.lower()).strip()


def _shingles(text: str) -> set[str]:
    return {text[at : at + _SHINGLE] for at in range(max(1, len(text) - _SHINGLE + 1))}
