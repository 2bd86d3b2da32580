"""One evaluation as a value: what was measured, how, and on what; with its JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from stance._version import __version__
from stance.errors import UsageError, listing
from stance.evaluation.calibration import BINS
from stance.evaluation.counts import Outcomes, count_outcomes
from stance.evaluation.curves import curves
from stance.evaluation.faults import DataFaults, Training, find_faults
from stance.evaluation.layout import SMALL_SLICE, WeakSlice, weakest_slices
from stance.evaluation.mistakes import Mistake, MistakeWatch
from stance.evaluation.resampling import LEVEL
from stance.evaluation.scorecard import ALL, MAIN, Scorecard, score_texts
from stance.evaluation.slicing import MAX_SLICES, rows_by_value, slice_values
from stance.predictions import Prediction
from stance.records import Record
from stance.schema import Schema

FORMAT_VERSION = 1
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Says when, not how: two runs with the same settings have the same signature.
_NO_SETTINGS = frozenset({"date", "version", "versions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one evaluation found.

    Attributes:
        schema: Topics and stances of the labels.
        about: What was evaluated (data, split, model, digests, ...), as the caller named it.
        resamples: Bootstrap samples behind each interval.
        seed: Of these samples.
        notes: What a reader must know before the numbers, in sentences.
        overall: Scores of all texts.
        slices: Scores of some texts: by what they are sliced by, then by its value, the most
            frequent first.
        faults: Duplicates among the texts, and texts that were trained on.
        mistakes: The most confident wrong answers.
        mistakes_total: How many wrong answers there are.
        curves: See `stance.evaluation.curves`.
        history: Validation scores of each epoch of the model's training; empty if unknown.
        promise: What the model promises of its stances (`stance.artifact.Uncertainty`); None if
            unknown.
        outcomes: The rows behind the scores, for plots, comparisons and lists of errors.
    """

    schema: Schema
    about: Mapping[str, Any]
    resamples: int
    seed: int
    notes: tuple[str, ...]
    overall: Scorecard
    slices: Mapping[str, Mapping[str, Scorecard]]
    faults: DataFaults
    mistakes: tuple[Mistake, ...]
    mistakes_total: int
    curves: Mapping[str, Any]
    history: tuple[Mapping[str, float], ...] = ()
    promise: Mapping[str, Any] | None = None
    outcomes: Outcomes = field(repr=False, compare=False)

    @property
    def labels(self) -> str:
        """Which labels the main figures are over: `sure`, or `all` if none is disputable."""
        return MAIN if (ALL, "joint", "f1") in self.overall.scores else ALL

    @property
    def weakest(self) -> list[WeakSlice]:
        """The slices with the lowest joint F1 of those that are large enough to say so."""
        return weakest_slices(self.slices, self.overall)

    @property
    def signature(self) -> str:
        """One line that names every setting behind the main figures."""
        return self.signature_of(self.overall, self.labels)

    def signature_of(self, card: Scorecard, labels: str, **where: str) -> str:
        """The signature of a slice, or of the other view of the labels."""
        settings: dict[str, Any] = {
            "texts": card.counts["texts",],
            **where,
            "topics": len(self.schema.topics),
            "stances": len(self.schema.predicted_stances),
            "labels": labels,
            "resamples": self.resamples,
            "seed": self.seed,
            "interval": f"percentile-{LEVEL:.0%}".rstrip("%"),
            "ece": f"{BINS}-equal-width",
            "version": self.about.get("version", __version__),
            "schema": self.schema.digest,
        }
        for key, value in self.about.items():
            # A digest names a thing better than its path, which differs between machines.
            base = key.removesuffix("_digest")
            if key not in _NO_SETTINGS and f"{key}_digest" not in self.about:
                settings[base if base in self.about else key] = value
        return "|".join(
            f"{setting_word(key)}:{setting_word(value)}" for key, value in settings.items()
        )

    def to_dict(self) -> dict[str, Any]:
        """The report as one JSON object; `docs/evaluation.md` describes its keys."""
        return {
            "format": FORMAT_VERSION,
            "signature": self.signature,
            "about": dict(self.about),
            "settings": {
                "resamples": self.resamples,
                "seed": self.seed,
                "level": LEVEL,
                "ece_bins": BINS,
                "version": self.about.get("version", __version__),
            },
            "schema": self.schema.to_dict(),
            "labels": self.labels,
            "notes": list(self.notes),
            "faults": {**self.faults.to_dict(), "warnings": self.faults.warnings()},
            "overall": self._card_to_dict(self.overall),
            "slices": {
                name: {
                    value: self._card_to_dict(card, **{name: value})
                    for value, card in cards.items()
                }
                for name, cards in self.slices.items()
            },
            "weakest": [item.to_dict() for item in self.weakest],
            "errors": {
                "total": self.mistakes_total,
                "shown": [item.to_dict() for item in self.mistakes],
            },
            "curves": dict(self.curves),
            "promise": None if self.promise is None else dict(self.promise),
            "learning_curve": [dict(row) for row in self.history],
        }

    def _card_to_dict(self, card: Scorecard, **where: str) -> dict[str, Any]:
        data = card.to_dict()
        data = {"signature": self.signature_of(card, self.labels, **where), **data}
        for view in (MAIN, ALL):
            if data[view] is not None:
                labels = self.labels if view == MAIN else ALL
                signature = self.signature_of(card, labels, **where)
                data[view] = {"signature": signature, **data[view]}
        return data


def setting_word(value: object) -> str:
    """A setting as a signature writes it: digests cut short, no bar, no space at the ends."""
    if isinstance(value, Mapping):
        return ",".join(f"{setting_word(key)}={setting_word(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(setting_word, value))
    words = " ".join(str(value).replace("|", "/").split())
    return f"sha256-{words[:12]}" if _DIGEST.fullmatch(words) else words


def evaluate(
    records: Sequence[Record],
    predictions: Iterable[Prediction],
    schema: Schema,
    *,
    resamples: int = 1000,
    seed: int = 0,
    about: Mapping[str, Any] = _NOTHING,
    notes: Sequence[str] = (),
    slices: Sequence[str] = (),
    errors: int = 50,
    training: Training | None = None,
    near_duplicates: bool | None = None,
) -> Report:
    """Score predictions against labels.

    Args:
        records: Labelled texts with unique ids; may be none, then every score is undefined.
        predictions: One per record, in any order; taken one at a time.
        schema: Topics and stances of the labels.
        resamples: Bootstrap samples for the 95 % intervals; 0 for none.
        seed: Of these samples.
        about: What is evaluated, for the head of the report and its signature: JSON values.
        notes: Sentences to put before the report's own notes.
        slices: Fields of the records to score apart by, beside kind, length and evidence.
        errors: How many of the most confident wrong answers are kept.
        training: What the model learnt from, to be compared with the texts.
        near_duplicates: Whether to look for texts that are almost the same; None for up to 50,000.

    Raises:
        DataError: If ids do not match or a prediction does not fit the schema.
        UsageError: If a number is below 0, or a field is in no record.
    """
    for name, number in (("resamples", resamples), ("seed", seed), ("errors", errors)):
        if number < 0:
            raise UsageError(f"{name}: expected 0 or more, found {number}")
    values = slice_values(records, slices)
    passed_over: Counter[str] = Counter()
    mistakes = MistakeWatch(records, schema, most=errors)
    stream = mistakes.watch(_watched(predictions, schema, passed_over))
    outcomes = count_outcomes(records, stream, schema)
    both = bool(outcomes.disputable.any())

    def card(part: Outcomes) -> Scorecard:
        return score_texts(part, both_views=both, resamples=resamples, seed=seed)

    overall = card(outcomes)
    cards: dict[str, dict[str, Scorecard]] = {}
    left: dict[str, int] = {}
    for name, of_texts in values.items():
        parts, left[name] = rows_by_value(of_texts)
        cards[name] = {value: card(outcomes.select(rows)) for value, rows in parts.items()}
    faults = find_faults(records, training, near=near_duplicates)
    return Report(
        schema=schema,
        about=about,
        resamples=resamples,
        seed=seed,
        notes=(
            *notes,
            *_notes(outcomes, overall, passed_over, left, resamples),
            *faults.remarks(),
        ),
        overall=overall,
        slices=cards,
        faults=faults,
        mistakes=mistakes.most_confident(),
        mistakes_total=mistakes.total,
        curves=curves(outcomes, sure_only=both),
        outcomes=outcomes,
    )


def _watched(
    predictions: Iterable[Prediction], schema: Schema, passed_over: Counter[str]
) -> Iterable[Prediction]:
    """Pass predictions on; count the topics among them that the schema does not have."""
    topics = set(schema.topic_names)
    for prediction in predictions:
        if not topics.issuperset(prediction.scores):
            passed_over.update(set(prediction.scores) - topics)
        yield prediction


def label_notes(outcomes: Outcomes, *, disputable: str) -> list[str]:
    """Which labels count less than others, in sentences.

    Args:
        outcomes: The texts.
        disputable: What becomes of labels that are marked as disputable.
    """
    notes = []
    unsure = int(outcomes.disputable.sum())
    if unsure:
        notes.append(
            f"Labels marked as disputable: {unsure:,} of {int(outcomes.gold.sum()):,}. {disputable}"
        )
    others = int((outcomes.gold_stance >= len(outcomes.stances)).sum())
    if others:
        notes.append(
            f"Labels with a stance that no model predicts ({listing(outcomes.unpredicted)}): "
            f"{others:,}. Stance and joint scores leave them out."
        )
    return notes


def _notes(
    outcomes: Outcomes,
    overall: Scorecard,
    passed_over: Counter[str],
    left: Mapping[str, int],
    resamples: int,
) -> list[str]:
    notes = []
    if not len(outcomes):
        notes.append("There are no texts, so every score is undefined.")
    notes += label_notes(
        outcomes,
        disputable="The main stance and joint scores leave them out; those over all labels stand "
        "beside them.",
    )
    unsure = outcomes.disputable.any()
    unknown = overall.counts[ALL if unsure else MAIN, "stance", "unknown"]
    if unknown:
        notes.append(
            f"Labels left out of the stance scores: {unknown:,}, because the predictions say no "
            "stance for topics that were not found. The rest may be the easier ones. Predictions "
            "written with --full say it."
        )
    misplaced = int(outcomes.misplaced.sum())
    if misplaced:
        names = [outcomes.ids[row] for row in np.flatnonzero(outcomes.misplaced)]
        notes.append(
            f"Evidence sentences that do not stand in their texts where the predictions say: "
            f"{misplaced:,}. Were these made from other texts? Ids: {listing(names)}."
        )
    if passed_over:
        notes.append(
            "The predictions have topics that the labels' schema does not have; they are not "
            f"scored: {listing(sorted(passed_over))}."
        )
    notes += [
        f"{name}: only the {MAX_SLICES} most frequent values are shown; not shown: {count:,}."
        for name, count in left.items()
        if count
    ]
    if resamples and 0 < len(outcomes) < SMALL_SLICE:
        notes.append(
            f"With fewer than {SMALL_SLICE} texts, intervals are rough and often too narrow."
        )
    return notes
