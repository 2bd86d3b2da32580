"""Records and predictions side by side, as one row of numbers per text.

Everything behind this module works on these rows: scores are sums over them, and a bootstrap adds
them up again with other weights and never reads a text twice.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance.errors import DataError, Fault, listing, shorten
from stance.evaluation.evidence import Span, count_misplaced, match_evidence, sentence_spans
from stance.predictions import Finding, Prediction
from stance.records import Label, Record
from stance.schema import Schema

Bools = NDArray[np.bool_]
Ints = NDArray[np.int32]
Floats = NDArray[np.float64]

NO_STANCE = -1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Outcomes:
    """What was labelled and what was predicted, as read-only arrays.

    Stance numbers count the predicted stances first (`stances`), then the others
    (`unpredicted`), so a gold stance of `len(stances)` or more is one that no model predicts.

    Attributes:
        topics: Topic names, in the order of axis 1.
        stances: Names of the predicted stances.
        unpredicted: Names of the stances that occur in labels only, such as neutral.
        ids: Id of each text, in the order of axis 0.
        kinds: Kind of each text; None where it has none.
        pairs: Pair id of each text; None where it has none.
        gold: `(texts, topics)`, true where the text carries the topic.
        gold_stance: `(texts, topics)`, number of the labelled stance; -1 without a label.
        sure: `(texts, topics)`, true where there is a label that is not marked as disputable.
        found: `(texts, topics)`, true where the prediction has the topic.
        probability: `(texts, topics)`, predicted probability of the topic in [0, 1].
        predicted_stance: `(texts, topics)`, number of the predicted stance; -1 where the
            prediction says nothing of it (a topic not found, in a file without `below`).
        stance_probability: `(texts, topics, stances)` in [0, 1]; NaN where nothing is said.
        uncertain: `(texts, topics)`, true where the predicted stance is marked uncertain.
        annotated: `(texts, topics)`, annotated evidence sentences of topics that were rightly
            found and show evidence; 0 elsewhere. So are the next eight.
        covered: How many of the annotated sentences overlap a shown one.
        shown: How many sentences the finding shows.
        shown_right: How many of the shown sentences overlap an annotated one.
        top_right: 1 where the strongest shown sentence overlaps an annotated one.
        first_covered: `covered`, if as many sentences were shown from the beginning on.
        first_right: 1 where the first sentence overlaps an annotated one.
        random_covered: `covered` on average, if as many sentences were drawn at random.
        random_right: Chance that a sentence drawn at random overlaps an annotated one.
        misplaced: `(texts,)`, shown sentences that do not stand in the text where they claim to.
    """

    topics: tuple[str, ...]
    stances: tuple[str, ...]
    unpredicted: tuple[str, ...]
    ids: tuple[str, ...]
    kinds: tuple[str | None, ...]
    pairs: tuple[str | None, ...]
    gold: Bools
    gold_stance: Ints
    sure: Bools
    found: Bools
    probability: Floats
    predicted_stance: Ints
    stance_probability: Floats
    uncertain: Bools
    annotated: Ints
    covered: Ints
    shown: Ints
    shown_right: Ints
    top_right: Ints
    first_covered: Ints
    first_right: Ints
    random_covered: Floats
    random_right: Floats
    misplaced: Ints

    def __post_init__(self) -> None:
        """Check shapes and make the arrays read-only.

        Raises:
            ValueError: If an array has another shape than its field says.
        """
        texts, topics = len(self.ids), len(self.topics)
        for name in ("kinds", "pairs"):
            if len(getattr(self, name)) != texts:
                raise ValueError(f"{name}: expected {texts}, found {len(getattr(self, name))}")
        for name, array in self._arrays().items():
            shape: tuple[int, ...] = (texts, topics)
            if name == "stance_probability":
                shape = (texts, topics, len(self.stances))
            elif name == "misplaced":
                shape = (texts,)
            if array.shape != shape:
                raise ValueError(f"{name}: expected the shape {shape}, found {array.shape}")
            array.flags.writeable = False

    def __len__(self) -> int:
        """Number of texts."""
        return len(self.ids)

    @property
    def known(self) -> Bools:
        """`(texts, topics)`, true where the prediction says a stance."""
        return self.predicted_stance >= 0

    @property
    def confidence(self) -> Floats:
        """`(texts, topics)`, largest stance probability; NaN where nothing is said."""
        return np.asarray(self.stance_probability.max(axis=2), dtype=np.float64)

    @property
    def disputable(self) -> Bools:
        """`(texts, topics)`, true where a label is marked `sure: false`."""
        return self.gold & ~self.sure

    def scored(self, *, sure_only: bool) -> Bools:
        """`(texts, topics)`, labels that stance and joint scores look at.

        These are the labels with a predicted stance; of them, those marked sure if `sure_only`.
        """
        mask: Bools = self.gold & (self.gold_stance < len(self.stances))
        return mask & self.sure if sure_only else mask

    def select(self, rows: NDArray[Any] | Sequence[int]) -> Outcomes:
        """The outcomes of some texts: a boolean mask `(texts,)` or row numbers, in that order."""
        index = np.asarray(rows)
        if index.dtype == np.bool_:
            index = np.flatnonzero(index)
        index = index.astype(np.intp)
        chosen = index.tolist()
        return Outcomes(
            topics=self.topics,
            stances=self.stances,
            unpredicted=self.unpredicted,
            ids=tuple(self.ids[row] for row in chosen),
            kinds=tuple(self.kinds[row] for row in chosen),
            pairs=tuple(self.pairs[row] for row in chosen),
            **{name: array[index] for name, array in self._arrays().items()},
        )

    def _arrays(self) -> dict[str, NDArray[Any]]:
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return {name: value for name, value in values.items() if isinstance(value, np.ndarray)}


def count_outcomes(
    records: Sequence[Record], predictions: Iterable[Prediction], schema: Schema
) -> Outcomes:
    """Lay predictions beside the records with the same ids.

    Predictions are taken one at a time and need not be in the order of the records; topics that
    the schema does not have are passed over.

    Args:
        records: The labelled texts; their ids are unique.
        predictions: One per record.
        schema: Topics and stances of the labels. Its predicted stances are those of the model.

    Raises:
        DataError: If an id is missing, unknown or repeated, or if a prediction does not fit the
            schema; all such faults at once.
    """
    builder = _Builder(records, schema)
    for prediction in predictions:
        builder.add(prediction)
    return builder.finish()


class _Builder:
    """Fills the arrays of `Outcomes` and collects what does not fit."""

    def __init__(self, records: Sequence[Record], schema: Schema) -> None:
        self.records = records
        self.topics = schema.topic_names
        self.columns = {name: column for column, name in enumerate(self.topics)}
        self.predicted = schema.predicted_stances
        others = [name for name in schema.stance_names if name not in self.predicted]
        self.unpredicted = tuple(others)
        self.numbers = {name: index for index, name in enumerate((*self.predicted, *others))}
        self.faults: list[Fault] = []
        self.rows: dict[str, int] = {}
        shape = (len(records), len(self.topics))
        self.seen = np.zeros(len(records), np.bool_)
        self.bools = {name: np.zeros(shape, np.bool_) for name in _BOOLS}
        self.ints = {name: np.zeros(shape, np.int32) for name in _INTS}
        self.ints["gold_stance"].fill(NO_STANCE)
        self.ints["predicted_stance"].fill(NO_STANCE)
        self.floats = {name: np.zeros(shape, np.float64) for name in _FLOATS}
        # Sentences of the text that was looked at last; its findings come one after the other.
        self.sentences: tuple[int, list[Span]] = (-1, [])
        self.misplaced = np.zeros(len(records), np.int32)
        self.probability = np.zeros(shape, np.float64)
        self.stance_probability = np.full((*shape, len(self.predicted)), math.nan)
        for row, record in enumerate(records):
            if record.id in self.rows:
                self._fault(record.id, "id", "each record once", "the id again")
            self.rows[record.id] = row
            for label in record.labels:
                self._label(row, record, label)

    def _fault(
        self, record: str | None, field: str | None, expected: str, found: str, advice: str = ""
    ) -> None:
        self.faults.append(
            Fault(record=record, field=field, expected=expected, found=found, advice=advice)
        )

    def _label(self, row: int, record: Record, label: Label) -> None:
        column, number = self.columns.get(label.topic), self.numbers.get(label.stance)
        if column is None:
            expected = f"one of {listing(self.topics)}"
            self._fault(record.id, "labels.topic", expected, shorten(label.topic))
        elif number is None:
            expected = f"one of {listing(self.numbers)}"
            self._fault(record.id, "labels.stance", expected, shorten(label.stance))
        else:
            self.bools["gold"][row, column] = True
            self.bools["sure"][row, column] = label.sure
            self.ints["gold_stance"][row, column] = number

    def add(self, prediction: Prediction) -> None:
        name = prediction.id
        if name is None:
            self._fault(None, "id", "a prediction with an id", "no id")
            return
        row = self.rows.get(name)
        if row is None:
            self._fault(
                name,
                None,
                "a record of the data",
                "a prediction for none",
                "evaluate on the data that was predicted, or on all of it",
            )
            return
        if self.seen[row]:
            self._fault(name, None, "one prediction for each record", "another one")
            return
        self.seen[row] = True
        for column, topic in enumerate(self.topics):
            value = prediction.scores.get(topic)
            if value is None:
                self._fault(
                    name,
                    "scores",
                    f"a score for {topic}",
                    f"scores for {listing(prediction.scores) or 'no topic'}",
                    "the model must know every topic of the data's schema",
                )
            elif not 0 <= value <= 1:
                self._fault(name, f"scores.{topic}", "a probability from 0 to 1", shorten(value))
            else:
                self.probability[row, column] = value
        for finding in prediction.below:
            self._finding(row, name, finding, found=False)
        for finding in prediction.topics:
            self._finding(row, name, finding, found=True)

    def _finding(self, row: int, name: str, finding: Finding, *, found: bool) -> None:
        column = self.columns.get(finding.topic)
        if column is None:
            return
        place = f"{'topics' if found else 'below'}.{finding.topic}"
        if self.ints["predicted_stance"][row, column] >= 0:
            self._fault(name, place, "each topic once, in topics or in below", "it again")
            return
        values = [finding.stance_probabilities.get(item) for item in self.predicted]
        if finding.stance not in self.predicted:
            expected = f"one of {listing(self.predicted)}"
            self._fault(name, f"{place}.stance", expected, shorten(finding.stance))
            return
        if not all(value is not None and 0 <= value <= 1 for value in values):
            self._fault(
                name,
                f"{place}.stance_probabilities",
                f"a probability from 0 to 1 for each of {listing(self.predicted)}",
                shorten(dict(finding.stance_probabilities)),
            )
            return
        self.bools["found"][row, column] = found
        self.bools["uncertain"][row, column] = finding.uncertain
        self.ints["predicted_stance"][row, column] = self.numbers[finding.stance]
        self.stance_probability[row, column] = values
        if found:
            self._evidence(row, column, finding)

    def _evidence(self, row: int, column: int, finding: Finding) -> None:
        record = self.records[row]
        label = record.label(finding.topic)
        if not finding.evidence:
            return
        if label is None or not label.evidence:
            self.misplaced[row] += count_misplaced(record.article, finding.evidence)
            return
        if self.sentences[0] != row:
            self.sentences = (row, sentence_spans(record.article))
        match = match_evidence(record.article, label.evidence, finding.evidence, self.sentences[1])
        for name in _EVIDENCE:
            self.ints[name][row, column] = getattr(match, name)
        for name in _FLOATS:
            self.floats[name][row, column] = getattr(match, name)
        self.misplaced[row] += match.misplaced

    def finish(self) -> Outcomes:
        for row in np.flatnonzero(~self.seen).tolist():
            # A repeated record id has one prediction only; it is named as repeated already.
            if self.rows[self.records[row].id] == row:
                self._fault(
                    self.records[row].id,
                    None,
                    "one prediction for each record",
                    "none",
                    "predict the whole data, or name the split that was predicted",
                )
        if self.faults:
            raise DataError(self.faults)
        arrays: dict[str, NDArray[Any]] = {**self.bools, **self.ints, **self.floats}
        return Outcomes(
            topics=self.topics,
            stances=self.predicted,
            unpredicted=self.unpredicted,
            ids=tuple(record.id for record in self.records),
            kinds=tuple(record.kind for record in self.records),
            pairs=tuple(record.pair for record in self.records),
            probability=self.probability,
            stance_probability=self.stance_probability,
            misplaced=self.misplaced,
            **arrays,
        )


_BOOLS = ("gold", "sure", "found", "uncertain")
_EVIDENCE = (
    "annotated",
    "covered",
    "shown",
    "shown_right",
    "top_right",
    "first_covered",
    "first_right",
)
_INTS = ("gold_stance", "predicted_stance", *_EVIDENCE)
_FLOATS = ("random_covered", "random_right")
