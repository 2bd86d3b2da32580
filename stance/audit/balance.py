"""What the data hold too little of, and what a label can be guessed from without reading."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stance.evaluation.significance import LEVEL, holm, two_proportions
from stance.evaluation.slicing import KIND, LENGTH, slice_values
from stance.records import Record
from stance.schema import Schema
from stance.statistics import count_words

THIN = 50
"""Fewer labels than this leave fewer than 5 in a tenth, too few to choose a threshold by."""

LEAST_TEXTS = 30
"""A part of fewer texts says nothing of how shares differ."""

LEAST_DIFFERENCE = 0.15
"""Smaller differences of shares are no shortcut worth a look, however sure they are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Thin:
    """Something that there is too little of.

    Attributes:
        what: In words.
        texts: How many texts there are.
    """

    what: str
    texts: int

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"what": self.what, "texts": self.texts}


@dataclass(frozen=True, slots=True, kw_only=True)
class Skew:
    """A part of the texts in which a label is much more or less frequent than in the rest.

    Attributes:
        field: `kind` or `length`.
        value: Which part.
        what: Which label, in words.
        texts: Texts of the part that the share is of.
        share: Of the label in the part, in [0, 1].
        rest: Of the label in the rest.
        p: Of the test that both are alike, corrected for the number of tests.
    """

    field: str
    value: str
    what: str
    texts: int
    share: float
    rest: float
    p: float

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "field": self.field,
            "value": self.value,
            "what": self.what,
            "texts": self.texts,
            "share": round(self.share, 4),
            "rest": round(self.rest, 4),
            "p": float(f"{self.p:.3g}"),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LongText:
    """A text that is longer than any training text.

    Attributes:
        id: Its id.
        words: Its length.
    """

    id: str
    words: int

    def to_dict(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"id": self.id, "words": self.words}


def find_thin(records: Sequence[Record], schema: Schema) -> tuple[Thin, ...]:
    """Topics, stances, kinds and texts without a topic that there are fewer than `THIN` of."""
    counts: dict[str, int] = {}
    for topic in schema.topic_names:
        stances = [label.stance for record in records if (label := record.label(topic))]
        counts[f"topic {topic}"] = len(stances)
        for stance in schema.predicted_stances:
            counts[f"topic {topic}, {stance}"] = stances.count(stance)
    counts["texts without any topic"] = sum(not record.labels for record in records)
    kinds = Counter(record.kind for record in records if record.kind)
    counts |= {f"kind {kind}": count for kind, count in sorted(kinds.items())}
    return tuple(Thin(what=what, texts=count) for what, count in counts.items() if count < THIN)


def find_skews(records: Sequence[Record], schema: Schema) -> tuple[Skew, ...]:
    """Kinds and lengths that give a label away, the strongest first.

    Shares of each topic (and of no topic) are over all texts of a part, shares of a stance over
    its labels of the topic.
    """
    places = {name: slice_values(records)[name] for name in (KIND, LENGTH)}
    tests: list[tuple[str, str, str, int, int, int, int]] = []
    for what, held in _questions(records, schema).items():
        for field, values in places.items():
            # Without values, all texts are of one part.
            parts = Counter(values[row] for row in held) if values else Counter[str]()
            for value, texts in parts.items():
                others = len(held) - texts
                if texts < LEAST_TEXTS or others < LEAST_TEXTS:
                    continue
                hits = sum(held[row] for row in held if values[row] == value)
                rest = sum(held.values()) - hits
                tests.append((field, value, what, texts, hits, others, rest))
    corrected = holm([two_proportions(t[4], t[3], t[6], t[5]) for t in tests])
    found = [
        Skew(
            field=field,
            value=value,
            what=what,
            texts=texts,
            share=hits / texts,
            rest=rest / others,
            p=p,
        )
        for (field, value, what, texts, hits, others, rest), p in zip(tests, corrected, strict=True)
        if p < LEVEL and abs(hits / texts - rest / others) >= LEAST_DIFFERENCE
    ]
    return tuple(
        sorted(found, key=lambda item: (-abs(item.share - item.rest), item.field, item.value))
    )


def _questions(records: Sequence[Record], schema: Schema) -> dict[str, dict[int, bool]]:
    """For each label that may be guessed: the rows that it is asked of, and whether they have it.

    Of two stances, the second is the first turned round and is not asked for.
    """
    asked: dict[str, dict[int, bool]] = {
        "no topic": {row: not record.labels for row, record in enumerate(records)}
    }
    stances = schema.predicted_stances
    for topic in schema.topic_names:
        labels = {row: record.label(topic) for row, record in enumerate(records)}
        asked[topic] = {row: label is not None for row, label in labels.items()}
        for stance in stances[:1] if len(stances) == 2 else stances:
            asked[f"{topic}: {stance}"] = {
                row: label.stance == stance
                for row, label in labels.items()
                if label is not None and label.stance in stances
            }
    return asked


def find_long(records: Sequence[Record], training: Sequence[Record]) -> tuple[LongText, ...]:
    """Texts that are longer than the longest of `training`, the longest first."""
    limit = max((count_words(record) for record in training), default=0)
    found = [LongText(id=record.id, words=count_words(record)) for record in records]
    longer = [item for item in found if item.words > limit]
    return tuple(sorted(longer, key=lambda item: (-item.words, item.id)))
