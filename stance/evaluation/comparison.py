"""Two or more sets of answers to the same texts, held against the first: values and tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance._version import __version__
from stance.errors import DataError, Fault, UsageError, listing
from stance.evaluation.counts import Outcomes, count_outcomes
from stance.evaluation.layout import SMALL_SLICE
from stance.evaluation.randomisation import joint_chance, joint_f1, joint_sums, randomised
from stance.evaluation.report import label_notes, setting_word
from stance.evaluation.resampling import LEVEL, Path, resample
from stance.evaluation.scorecard import (
    ALL,
    MAIN,
    Score,
    draw_scores,
    scorer_groups,
    with_interval,
)
from stance.evaluation.scores import Values, joint_counts
from stance.evaluation.significance import LEVEL as RISK
from stance.evaluation.significance import holm, mcnemar_exact
from stance.evaluation.slicing import MAX_SLICES, rows_by_value, slice_values
from stance.evaluation.tallies import Floats
from stance.predictions import Prediction
from stance.records import Record
from stance.schema import Schema

FORMAT_VERSION = 1
MCNEMAR, RANDOMISATION = "McNemar, exact", "approximate randomisation"
TESTED: Mapping[Path, str] = MappingProxyType(
    {
        ("topics", "macro", "f1"): "topics, macro F1",
        ("topics", "micro", "f1"): "topics, micro F1",
        ("topics", "exact_match"): "all topics right",
        (MAIN, "stance", "macro_f1"): "stance, macro F1",
        (MAIN, "stance", "accuracy"): "stance, accuracy",
        (MAIN, "joint", "f1"): "topic and stance, joint F1",
        (MAIN, "joint", "exact_match"): "all topics and stances right",
    }
)
"""The scores that are tested, in the order of the tables. Few, since each test has its price."""

_YES_NO = {("topics", "exact_match"), (MAIN, "joint", "exact_match")}
_JOINT: Path = (MAIN, "joint", "f1")
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """One model, or one file of predictions.

    Attributes:
        name: What the comparison calls it.
        about: What it is (model or predictions, digests, ...).
        predictions: Its answers, in any order; taken one at a time.
    """

    name: str
    about: Mapping[str, Any]
    predictions: Iterable[Prediction]


@dataclass(frozen=True, slots=True, kw_only=True)
class Test:
    """A test of the difference between two contenders.

    Attributes:
        name: Which test.
        p: Two-sided, in (0, 1].
        corrected: After Holm's correction for all tests of the table.
        only_first: For McNemar, texts that the first alone is right on; else None.
        only_other: For McNemar, texts that the other alone is right on; else None.
    """

    name: str
    p: float
    corrected: float
    only_first: int | None = None
    only_other: int | None = None

    @property
    def sure(self) -> bool:
        """Whether the corrected p is below 0.05."""
        return self.corrected < RISK

    def to_dict(self) -> dict[str, Any]:
        """The test as a JSON object."""
        return {
            "name": self.name,
            "p": float(f"{self.p:.6g}"),
            "corrected": float(f"{self.corrected:.6g}"),
            "only_first": self.only_first,
            "only_other": self.only_other,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One score of all contenders.

    Attributes:
        path: Name of the score, as in `report.json`.
        scores: One per contender.
        differences: Of each contender but the first, less the first; in [-1, 1].
        tests: Of these differences; empty where none is done.
    """

    path: Path
    scores: tuple[Score, ...]
    differences: tuple[Score, ...]
    tests: tuple[Test, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The row as a JSON object."""
        return {
            "score": ".".join(self.path),
            "scores": [score.to_dict() for score in self.scores],
            "differences": [score.to_dict() for score in self.differences],
            "tests": [test.to_dict() for test in self.tests],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceRow:
    """Joint F1 of all contenders on one part of the texts.

    Attributes:
        field: What is sliced by.
        value: Which part.
        texts: How many texts it has.
        row: The scores; tested by randomisation unless the part is small.
    """

    field: str
    value: str
    texts: int
    row: Row

    def to_dict(self) -> dict[str, Any]:
        """The slice as a JSON object."""
        return {
            "slice": self.field,
            "value": self.value,
            "texts": self.texts,
            **self.row.to_dict(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """A text that some contenders are right on and others are not.

    Attributes:
        id: Its id.
        kind: Its kind.
        labelled: Its labels in words.
        answers: Each contender's answer in words.
        right: Whether each contender is right on all topics and stances.
        text: Title and text.
    """

    id: str
    kind: str | None
    labelled: str
    answers: tuple[str, ...]
    right: tuple[bool, ...]
    text: str

    def to_dict(self) -> dict[str, Any]:
        """The text as a JSON object, without its words."""
        return {
            "id": self.id,
            "kind": self.kind,
            "labelled": self.labelled,
            "answers": list(self.answers),
            "right": list(self.right),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Everything that one comparison found.

    Attributes:
        schema: Topics and stances of the labels.
        about: What the contenders were compared on.
        names: The contenders; the others are held against the first.
        contenders: What each of them is, by name.
        texts: How many texts.
        labels: Which labels the main figures are over: `sure`, or `all` if none is disputable.
        resamples: Bootstrap samples behind each interval, and permutations behind each test.
        seed: Of both.
        notes: What a reader must know before the numbers, in sentences.
        rows: The tested scores.
        details: All other scores, with differences and without tests.
        slices: Joint F1 of parts of the texts; parts without a label are left out.
        splits: Texts on which not all contenders are right or not all wrong.
        differing: How many texts have different answers, right or wrong.
    """

    schema: Schema
    about: Mapping[str, Any]
    names: tuple[str, ...]
    contenders: Mapping[str, Mapping[str, Any]]
    texts: int
    labels: str
    resamples: int
    seed: int
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    details: tuple[Row, ...]
    slices: tuple[SliceRow, ...]
    splits: tuple[Split, ...]
    differing: int

    @property
    def signature(self) -> str:
        """One line that names every setting behind the figures."""
        settings: dict[str, Any] = {
            "texts": self.texts,
            "topics": len(self.schema.topics),
            "stances": len(self.schema.predicted_stances),
            "labels": self.labels,
            "resamples": self.resamples,
            "permutations": self.resamples,
            "seed": self.seed,
            "interval": f"paired-percentile-{LEVEL:.0%}".rstrip("%"),
            "tests": "mcnemar-exact,approximate-randomisation",
            "correction": "holm",
            "version": __version__,
            "schema": self.schema.digest,
            "data": self.about.get("data_digest", ""),
            "split": self.about.get("split", ""),
        }
        for number, name in enumerate(self.names, 1):
            own = self.contenders[name]
            digest = own.get("model_digest") or own.get("predictions_digest") or name
            settings[f"contender-{number}"] = digest
        return "|".join(
            f"{setting_word(key)}:{setting_word(value)}"
            for key, value in settings.items()
            if value != ""
        )

    def to_dict(self) -> dict[str, Any]:
        """The comparison as one JSON object; `docs/evaluation.md` describes its keys."""
        return {
            "format": FORMAT_VERSION,
            "signature": self.signature,
            "about": dict(self.about),
            "contenders": [{"name": name, **dict(self.contenders[name])} for name in self.names],
            "texts": self.texts,
            "labels": self.labels,
            "settings": {
                "resamples": self.resamples,
                "permutations": self.resamples,
                "seed": self.seed,
                "level": LEVEL,
                "correction": "holm",
                "version": __version__,
            },
            "schema": self.schema.to_dict(),
            "notes": list(self.notes),
            "tested": [row.to_dict() for row in self.rows],
            "scores": [row.to_dict() for row in self.details],
            "slices": [row.to_dict() for row in self.slices],
            "differing_texts": self.differing,
            "split_texts": [item.to_dict() for item in self.splits],
        }


def compare(
    records: Sequence[Record],
    contenders: Sequence[Contender],
    schema: Schema,
    *,
    resamples: int = 1000,
    seed: int = 0,
    about: Mapping[str, Any] = _NOTHING,
    notes: Sequence[str] = (),
    slices: Sequence[str] = (),
) -> Comparison:
    """Hold contenders against the first of them, on the same texts.

    Args:
        records: Labelled texts with unique ids.
        contenders: Two or more, with different names; each has an answer for every text.
        schema: Topics and stances of the labels.
        resamples: Bootstrap samples for the intervals, and permutations for the tests; 0 for
            neither.
        seed: Of both.
        about: What they are compared on, for the head: JSON values.
        notes: Sentences to put before the comparison's own notes.
        slices: Fields of the records to compare apart by, beside kind, length and evidence.

    Raises:
        DataError: If the ids of a contender do not match the records'; it names them, and whose
            they are.
        UsageError: If there are fewer than two contenders, two have one name, a number is below
            0, or a field is in no record.
    """
    names = tuple(contender.name for contender in contenders)
    if len(names) < 2:
        raise UsageError(f"expected two contenders or more to compare, found {len(names)}")
    if len(set(names)) < len(names):
        raise UsageError(f"expected contenders with different names, found {listing(names)}")
    for word, number in (("resamples", resamples), ("seed", seed)):
        if number < 0:
            raise UsageError(f"{word}: expected 0 or more, found {number}")
    values = slice_values(records, slices)
    sets = _count(records, contenders, schema)
    both = bool(sets[0].disputable.any())
    found = _score(sets, both_views=both, resamples=resamples, seed=seed)
    unknown = [
        name
        for name, own in zip(names, sets, strict=True)
        if (own.scored(sure_only=False) & ~own.known).any()
    ]
    if unknown:
        # Each would be scored on the labels whose topic it found: other labels, other scores.
        found = {path: row for path, row in found.items() if path[1] != "stance"}
    rows = [found[path] for path in TESTED if path in found]
    if resamples:
        rows = _tested(rows, sets, resamples=resamples, seed=seed)
    splits, differing = _splits(records, sets)
    return Comparison(
        schema=schema,
        about=about,
        names=names,
        contenders={contender.name: contender.about for contender in contenders},
        texts=len(records),
        labels=MAIN if both else ALL,
        resamples=resamples,
        seed=seed,
        notes=(*notes, *_notes(sets, unknown, values)),
        rows=tuple(rows),
        details=tuple(row for path, row in found.items() if path not in TESTED),
        slices=_sliced(sets, values, resamples=resamples, seed=seed),
        splits=splits,
        differing=differing,
    )


def _count(
    records: Sequence[Record], contenders: Sequence[Contender], schema: Schema
) -> list[Outcomes]:
    """The outcomes of each contender; what does not match, of all of them at once."""
    sets: list[Outcomes] = []
    faults: list[Fault] = []
    for contender in contenders:
        try:
            sets.append(count_outcomes(records, contender.predictions, schema))
        except DataError as error:
            faults += [
                fault if fault.file else replace(fault, file=contender.name)
                for fault in error.faults
            ]
    if faults:
        raise DataError(faults, advice="compared are answers to the same texts, all of them")
    return sets


def _score(
    sets: Sequence[Outcomes], *, both_views: bool, resamples: int, seed: int
) -> dict[Path, Row]:
    """Every score of every contender, and its difference on the same bootstrap samples."""
    groups = [scorer_groups(own, both_views=both_views) for own in sets]
    found: dict[Path, Row] = {}
    for place in range(2):
        drawn = (draw_scores(group[place], resamples=resamples, seed=seed) for group in groups)
        for of_all in zip(*drawn, strict=True):
            path, first, first_draws = of_all[0]
            found[path] = Row(
                path=path,
                scores=tuple(with_interval(value, draws) for _, value, draws in of_all),
                differences=tuple(
                    with_interval(value - first, draws - first_draws)
                    for _, value, draws in of_all[1:]
                ),
            )
    return found


def _tested(
    rows: Sequence[Row], sets: Sequence[Outcomes], *, resamples: int, seed: int
) -> list[Row]:
    """The rows with the test of each difference, corrected for all of them together."""
    tests: list[list[Test]] = [[] for _ in rows]
    exact = [_exact(own) for own in sets]
    for place, other in enumerate(sets[1:], 1):
        chance = randomised(sets[0], other, TESTED, permutations=resamples, seed=seed)
        for row, found in zip(rows, tests, strict=True):
            if row.path in _YES_NO:
                first, second = exact[0][row.path], exact[place][row.path]
                counts = int((first & ~second).sum()), int((second & ~first).sum())
                p = mcnemar_exact(*counts)
                found.append(
                    Test(name=MCNEMAR, p=p, corrected=p, only_first=counts[0], only_other=counts[1])
                )
            else:
                p = chance[row.path]
                found.append(Test(name=RANDOMISATION, p=p, corrected=p))
    return _corrected(rows, tests)


def _corrected(rows: Sequence[Row], tests: Sequence[Sequence[Test]]) -> list[Row]:
    corrected = iter(holm([test.p for found in tests for test in found]))
    return [
        replace(row, tests=tuple(replace(test, corrected=next(corrected)) for test in found))
        for row, found in zip(rows, tests, strict=True)
    ]


def _exact(outcomes: Outcomes) -> dict[Path, NDArray[np.bool_]]:
    """`(texts,)`, whether all topics, and whether all topics and stances are right."""
    joint = joint_counts(outcomes, outcomes.scored(sure_only=True))
    return {
        ("topics", "exact_match"): (outcomes.gold == outcomes.found).all(axis=1).astype(np.bool_),
        # A text of which a label is left out is right for nobody.
        (MAIN, "joint", "exact_match"): joint["exact"] > 0,
    }


def _sliced(
    sets: Sequence[Outcomes],
    values: Mapping[str, Sequence[str]],
    *,
    resamples: int,
    seed: int,
) -> tuple[SliceRow, ...]:
    """Joint F1 on each part of the texts, tested where the part is not small."""
    counts = [joint_sums(own) for own in sets]
    found: list[SliceRow] = []
    tests: list[list[Test]] = []
    for field, of_texts in values.items():
        for value, chosen in rows_by_value(of_texts)[0].items():
            own = [count[chosen] for count in counts]
            if not own[0][:, 1].any():
                # Without a label there is nothing to be right on, and F1 is 0 or undefined.
                continue
            scored = _joint_row(own, resamples=resamples, seed=seed)
            found.append(SliceRow(field=field, value=value, texts=len(chosen), row=scored))
            tests.append([])
            if resamples and len(chosen) >= SMALL_SLICE:
                for other in own[1:]:
                    p = joint_chance(own[0], other, permutations=resamples, seed=seed)
                    tests[-1].append(Test(name=RANDOMISATION, p=p, corrected=p))
    rows = _corrected([item.row for item in found], tests)
    return tuple(replace(item, row=row) for item, row in zip(found, rows, strict=True))


def _joint_row(counts: Sequence[Floats], *, resamples: int, seed: int) -> Row:
    both = np.concatenate(counts, axis=1)

    def statistic(weights: Floats) -> Values:
        sums = (weights @ both).reshape(len(weights), len(counts), 3)
        return {(str(place),): joint_f1(sums[:, place]) for place in range(len(counts))}

    units = len(both)
    draws = resample(statistic, units, resamples=resamples, seed=seed, width=both.shape[1])
    points = [float(value[0]) for value in statistic(np.ones((1, units))).values()]
    own = list(draws.values()) or [np.empty(0)] * len(counts)
    return Row(
        path=_JOINT,
        scores=tuple(map(with_interval, points, own)),
        differences=tuple(
            with_interval(point - points[0], drawn - own[0])
            for point, drawn in zip(points[1:], own[1:], strict=True)
        ),
    )


def _splits(records: Sequence[Record], sets: Sequence[Outcomes]) -> tuple[tuple[Split, ...], int]:
    right = np.stack([_exact(own)[MAIN, "joint", "exact_match"] for own in sets], axis=1)
    comparable = joint_counts(sets[0], sets[0].scored(sure_only=True))["comparable"] > 0
    answers = [[_answer(own, row) for own in sets] for row in range(len(records))]
    chosen = comparable & right.any(axis=1) & ~right.all(axis=1)
    found = [
        Split(
            id=records[row].id,
            kind=records[row].kind,
            labelled=_words((label.topic, label.stance) for label in records[row].labels),
            answers=tuple(answers[row]),
            right=tuple(map(bool, right[row])),
            text=f"{records[row].article.title or ''}\n{records[row].article.text}".strip(),
        )
        for row in np.flatnonzero(chosen).tolist()
    ]
    differing = sum(len(set(of_text)) > 1 for of_text in answers)
    # Texts that the first gets wrong and another one right come before those it alone gets right.
    return tuple(sorted(found, key=lambda item: (item.right, item.id))), differing


def _answer(outcomes: Outcomes, row: int) -> str:
    return _words(
        (outcomes.topics[column], outcomes.stances[outcomes.predicted_stance[row, column]])
        for column in np.flatnonzero(outcomes.found[row]).tolist()
    )


def _words(pairs: Iterable[tuple[str, str]]) -> str:
    return "; ".join(sorted(f"{topic}: {stance}" for topic, stance in pairs)) or "no topic"


def _notes(
    sets: Sequence[Outcomes], unknown: Sequence[str], values: Mapping[str, Sequence[str]]
) -> list[str]:
    first = sets[0]
    notes = label_notes(first, disputable="Stance and joint scores of the tables leave them out.")
    if unknown:
        notes.append(
            "Stance scores are not compared, since predictions say no stance for topics that were "
            f"not found ({listing(unknown)}), and so would be scored on other labels. Predictions "
            "written with --full say it."
        )
    for name, of_texts in values.items():
        left = rows_by_value(of_texts)[1]
        if left:
            notes.append(
                f"{name}: only the {MAX_SLICES} most frequent values are compared; not "
                f"compared: {left:,}."
            )
    if len(first) < SMALL_SLICE:
        notes.append(
            f"With fewer than {SMALL_SLICE} texts, intervals are rough and often too narrow."
        )
    return notes
