"""What is wrong with the data behind the scores: texts that occur twice, or were trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from stance.dataset import labelling, text_conflicts, text_key
from stance.duplicates import near_duplicates, near_matches
from stance.errors import MissingExtraError, listing
from stance.records import Record

NEAR_LIMIT = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """What a model learnt from, as far as the one who evaluates it names it.

    Attributes:
        source: What it is, in words.
        records: The texts; their labels do not matter.
    """

    source: str
    records: Sequence[Record]


@dataclass(frozen=True, slots=True, kw_only=True)
class Duplicate:
    """Evaluated texts that are the same or almost.

    Attributes:
        ids: Of the texts; two where they are almost the same.
        exact: Whether they are the same letter for letter.
        same_labels: False if they disagree on a topic or a stance.
    """

    ids: tuple[str, ...]
    exact: bool
    same_labels: bool

    def to_dict(self) -> dict[str, Any]:
        """The texts as a JSON object."""
        return {"ids": list(self.ids), "exact": self.exact, "same_labels": self.same_labels}


@dataclass(frozen=True, slots=True, kw_only=True)
class Leak:
    """An evaluated text that is also a training text, or almost.

    Attributes:
        id: Of the evaluated text.
        training_ids: Of the training texts that are like it.
        exact: Whether one of them is the same letter for letter.
    """

    id: str
    training_ids: tuple[str, ...]
    exact: bool

    def to_dict(self) -> dict[str, Any]:
        """The text as a JSON object."""
        return {"id": self.id, "training_ids": list(self.training_ids), "exact": self.exact}


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFaults:
    """The faults of the evaluated texts.

    Attributes:
        duplicates: Texts that occur more than once among them.
        leaks: Texts that the training data have too.
        training: What was taken for the training data; None if nothing was.
        training_texts: How many texts that is.
        near_left_out: Why texts that are almost the same were not looked for; empty if they were.
    """

    duplicates: tuple[Duplicate, ...] = ()
    leaks: tuple[Leak, ...] = ()
    training: str | None = None
    training_texts: int | None = None
    near_left_out: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The faults as one JSON object."""
        return {
            "training": self.training,
            "training_texts": self.training_texts,
            "near_searched": not self.near_left_out,
            "duplicates": [item.to_dict() for item in self.duplicates],
            "leaks": [item.to_dict() for item in self.leaks],
        }

    def warnings(self) -> list[str]:
        """The faults in sentences with the first ids; none if there is nothing to warn of."""
        lists = [
            [leak.id for leak in self.leaks],
            [" = ".join(item.ids) for item in self.duplicates if item.exact],
            [" = ".join(item.ids) for item in self.duplicates if not item.exact],
        ]
        named = [f"Ids: {listing(ids)}." for ids in lists if ids]
        return [" ".join(both) for both in zip(self.summaries(), named, strict=True)]

    def summaries(self) -> list[str]:
        """The faults in sentences without ids: leaks, then exact and near duplicates."""
        words = []
        if self.leaks:
            exact = sum(leak.exact for leak in self.leaks)
            words.append(
                "Evaluated texts that the training data have too, or almost "
                f"({self.training}): {len(self.leaks):,}, letter for letter {exact:,}. The "
                "scores are kinder than they would be without them."
            )
        sorts = ((True, "Groups", "the same"), (False, "Pairs", "almost the same"))
        for exact, several, what in sorts:
            found = [item for item in self.duplicates if item.exact is exact]
            if found:
                apart = sum(not item.same_labels for item in found)
                words.append(
                    f"{several} of evaluated texts that are {what}: {len(found):,}, with different "
                    f"labels {apart:,}. Each counts as a text of its own, so intervals are "
                    "somewhat too narrow."
                )
        return words

    def remarks(self) -> list[str]:
        """What was not looked for, in sentences."""
        words = []
        if self.training is None:
            words.append(
                "Whether the texts were trained on was not looked for, since no training data "
                "are named (--training-data)."
            )
        if self.near_left_out:
            words.append(
                f"Texts that are almost the same were not looked for: {self.near_left_out}. "
                "Those that are the same were."
            )
        return words


def find_faults(
    records: Sequence[Record], training: Training | None = None, *, near: bool | None = None
) -> DataFaults:
    """Look for evaluated texts that occur twice, or among the training texts.

    The same is what has the same title and text but for space around them; almost the same is
    what `stance.duplicates` finds. Texts of one pair are meant to be alike and are no fault.

    Args:
        records: The evaluated texts.
        training: What the model was trained on, if it is known.
        near: Whether to look for texts that are almost the same, which takes about a second for
            1,000 short texts; None for up to `NEAR_LIMIT` texts.
    """
    duplicates = [
        Duplicate(ids=item.ids, exact=True, same_labels=item.same_labels)
        for item in text_conflicts(records)
    ]
    leaks: dict[str, dict[str, bool]] = {}
    known = () if training is None else training.records
    texts: dict[tuple[str, str], list[str]] = {}
    for record in records:
        texts.setdefault(text_key(record), []).append(record.id)
    for record in known:
        for name in texts.get(text_key(record), ()):
            leaks.setdefault(name, {})[record.id] = True
    left_out = ""
    if near or (near is None and len(records) + len(known) <= NEAR_LIMIT):
        try:
            duplicates += _near_duplicates(records)
            for one, other in near_matches(records, known) if known else ():
                leaks.setdefault(records[one].id, {}).setdefault(known[other].id, False)
        except MissingExtraError as error:
            left_out = str(error)
    elif near is None:
        left_out = f"more than {NEAR_LIMIT:,} texts; --near-duplicates does it all the same"
    else:
        left_out = "not wanted"
    return DataFaults(
        duplicates=tuple(duplicates),
        leaks=tuple(
            Leak(id=record.id, training_ids=tuple(found), exact=any(found.values()))
            for record in records
            if (found := leaks.get(record.id))
        ),
        training=None if training is None else training.source,
        training_texts=None if training is None else len(known),
        near_left_out=left_out,
    )


def _near_duplicates(records: Sequence[Record]) -> Iterator[Duplicate]:
    for one, other in near_duplicates(records):
        first, second = records[one], records[other]
        paired = first.pair is not None and first.pair == second.pair
        if not paired and text_key(first) != text_key(second):
            same = labelling(first) == labelling(second)
            yield Duplicate(ids=(first.id, second.id), exact=False, same_labels=same)
