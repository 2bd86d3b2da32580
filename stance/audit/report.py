"""One audit as a value: suspects, lacks, shortcuts, long texts; with its JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from stance.audit.balance import (
    LongText,
    Skew,
    Thin,
    find_long,
    find_skews,
    find_thin,
)
from stance.audit.cues import Cue, CueReach, find_cues
from stance.audit.suspects import Answers, Suspect, by_text, find_suspects
from stance.evaluation.faults import Training
from stance.records import Record
from stance.schema import Schema
from stance.statistics import count_words

FORMAT_VERSION = 1
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """Everything that one audit found.

    Attributes:
        schema: Topics and stances of the labels.
        about: What was audited, as the caller named it.
        answers: The probabilities that labels were held against.
        records: The texts, in the order of the answers.
        suspects: Labels that may be wrong, the most doubtful first.
        thin: What there is too little of.
        skews: Kinds and lengths that give a label away.
        cues: Words that give a stance away.
        reaches: How far the words reach, per topic.
        long: Texts that are longer than any training text, the longest first.
        longest: Words of the longest training text; None if no training texts are known.
        notes: What a reader must know before the list, in sentences.
    """

    schema: Schema
    about: Mapping[str, Any]
    answers: Answers = field(repr=False)
    records: Sequence[Record] = field(repr=False)
    suspects: tuple[Suspect, ...]
    thin: tuple[Thin, ...]
    skews: tuple[Skew, ...]
    cues: tuple[Cue, ...]
    reaches: tuple[CueReach, ...]
    long: tuple[LongText, ...]
    longest: int | None
    notes: tuple[str, ...]

    @property
    def labels(self) -> int:
        """Number of labels."""
        return sum(len(record.labels) for record in self.records)

    def to_dict(self) -> dict[str, Any]:
        """The audit as one JSON object; `docs/data.md` describes its keys."""
        return {
            "format": FORMAT_VERSION,
            "about": dict(self.about),
            "probabilities": self.answers.source,
            "texts": len(self.records),
            "labels": self.labels,
            "notes": list(self.notes),
            "suspect_texts": len(by_text(self.suspects)),
            "suspects": [item.to_dict() for item in self.suspects],
            "thin": [item.to_dict() for item in self.thin],
            "skews": [item.to_dict() for item in self.skews],
            "cues": [item.to_dict() for item in self.cues],
            "cue_reach": [item.to_dict() for item in self.reaches],
            "longest_training_text": self.longest,
            "longer_texts": [item.to_dict() for item in self.long],
        }


def audit_records(
    records: Sequence[Record],
    schema: Schema,
    answers: Answers,
    *,
    training: Training | None = None,
    about: Mapping[str, Any] = _NOTHING,
    notes: Sequence[str] = (),
) -> Audit:
    """Look for what may be wrong, thin or misleading in labelled data.

    Args:
        records: Labelled texts with unique ids.
        schema: Topics and stances.
        answers: Probabilities for these texts in this order, from a model that did not see them.
        training: The texts that a model learns from, to say which of the others are longer.
        about: What is audited, for the head of the list: JSON values.
        notes: Sentences to put before the audit's own notes.

    Raises:
        MissingExtraError: If a library of the extra `audit` is not installed.
    """
    cues, reaches = find_cues(records, schema)
    learnt = () if training is None else training.records
    return Audit(
        schema=schema,
        about=about,
        answers=answers,
        records=records,
        suspects=find_suspects(records, schema, answers),
        thin=find_thin(records, schema),
        skews=find_skews(records, schema),
        cues=cues,
        reaches=reaches,
        long=find_long(records, learnt) if learnt else (),
        longest=max(map(count_words, learnt)) if learnt else None,
        notes=(*notes, *_notes(records, schema, answers, training)),
    )


def _notes(
    records: Sequence[Record], schema: Schema, answers: Answers, training: Training | None
) -> list[str]:
    notes = []
    unpredicted = unknown = 0
    silent = np.asarray(np.isnan(answers.stance).any(axis=2))
    for row, record in enumerate(records):
        for label in record.labels:
            predicted = label.stance in schema.predicted_stances
            unpredicted += not predicted
            unknown += predicted and bool(silent[row, schema.topic_index(label.topic)])
    if unpredicted:
        notes.append(
            f"Labels whose stance no model predicts: {unpredicted:,}. Only their topics are "
            "looked at."
        )
    if unknown:
        notes.append(
            f"Labels whose stance is not looked at: {unknown:,}, because the predictions say no "
            "stance for topics that were not found. Predictions written with --full say it."
        )
    if training is None:
        notes.append(
            "Which texts are longer than those that a model learns from was not looked for, since "
            "there are no splits and no training data are named (--training-data)."
        )
    return notes
