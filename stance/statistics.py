"""What a labelled data set holds, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stance.records import Record
from stance.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class Lengths:
    """Words per text, title included; words are what spaces part.

    Attributes:
        minimum: Of the shortest text.
        median: The lower of the two middle values where the count is even.
        high: 95 % of the texts have at most so many.
        maximum: Of the longest text.
        total: Of all texts.
    """

    minimum: int
    median: int
    high: int
    maximum: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    """Counts over records.

    Attributes:
        texts: Number of records.
        kinds: Records per kind, most frequent first; records without a kind count under "".
        words: Lengths of all texts.
        words_by_kind: Lengths per kind.
        labels: Records per topic and stance, all of the schema's, in its order.
        topics_per_text: Records that carry so many topics.
        unsure: Labels marked `sure: false`.
        with_evidence: Labels per topic that have evidence.
        pairs: Pair ids that exactly two records share.
        odd_pairs: Pair ids with another number of records, sorted.
    """

    texts: int
    kinds: dict[str, int]
    words: Lengths
    words_by_kind: dict[str, Lengths]
    labels: dict[str, dict[str, int]]
    topics_per_text: dict[int, int]
    unsure: int
    with_evidence: dict[str, int]
    pairs: int
    odd_pairs: tuple[str, ...]

    @property
    def without_topic(self) -> int:
        """Records without any topic."""
        return self.topics_per_text.get(0, 0)

    @property
    def multi_topic(self) -> int:
        """Records with two topics or more."""
        return sum(count for topics, count in self.topics_per_text.items() if topics > 1)

    def to_dict(self) -> dict[str, Any]:
        """The counts as a JSON object."""
        return {
            "texts": self.texts,
            "without_topic": self.without_topic,
            "multi_topic": self.multi_topic,
            "topics_per_text": {str(key): value for key, value in self.topics_per_text.items()},
            "kinds": self.kinds,
            "words": _lengths_to_dict(self.words),
            "words_by_kind": {
                kind: _lengths_to_dict(lengths) for kind, lengths in self.words_by_kind.items()
            },
            "labels": self.labels,
            "unsure": self.unsure,
            "with_evidence": self.with_evidence,
            "pairs": self.pairs,
            "odd_pairs": list(self.odd_pairs),
        }


def describe_records(records: Sequence[Record], schema: Schema) -> Statistics:
    """Count what the records hold.

    Raises:
        ValueError: If there is no record.
    """
    if not records:
        raise ValueError("records: expected at least one")
    by_kind: dict[str, list[int]] = {}
    labels = {topic: dict.fromkeys(schema.stance_names, 0) for topic in schema.topic_names}
    with_evidence = dict.fromkeys(schema.topic_names, 0)
    unsure = 0
    for record in records:
        words = count_words(record)
        by_kind.setdefault(record.kind or "", []).append(words)
        for label in record.labels:
            labels[label.topic][label.stance] += 1
            with_evidence[label.topic] += bool(label.evidence)
            unsure += not label.sure
    kinds = sorted(by_kind, key=lambda kind: (-len(by_kind[kind]), kind))
    topics = Counter(len(record.labels) for record in records)
    pairs = Counter(record.pair for record in records if record.pair is not None)
    return Statistics(
        texts=len(records),
        kinds={kind: len(by_kind[kind]) for kind in kinds},
        words=_lengths([words for counts in by_kind.values() for words in counts]),
        words_by_kind={kind: _lengths(by_kind[kind]) for kind in kinds},
        labels=labels,
        topics_per_text=dict(sorted(topics.items())),
        unsure=unsure,
        with_evidence=with_evidence,
        pairs=sum(count == 2 for count in pairs.values()),
        odd_pairs=tuple(sorted(name for name, count in pairs.items() if count != 2)),
    )


def count_words(record: Record) -> int:
    """Words of title and text; words are what spaces part."""
    return len(f"{record.article.title or ''} {record.article.text}".split())


def _lengths(counts: list[int]) -> Lengths:
    ordered = sorted(counts)
    return Lengths(
        minimum=ordered[0],
        median=ordered[(len(ordered) - 1) // 2],
        # Nearest rank: the smallest value that 95 % of the texts do not exceed.
        high=ordered[-(-95 * len(ordered) // 100) - 1],
        maximum=ordered[-1],
        total=sum(ordered),
    )


def _lengths_to_dict(lengths: Lengths) -> dict[str, int]:
    return {
        "min": lengths.minimum,
        "median": lengths.median,
        "p95": lengths.high,
        "max": lengths.maximum,
        "total": lengths.total,
    }
