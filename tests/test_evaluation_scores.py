"""Every score against scikit-learn, or against a count by hand where it has none."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from evaluation_support import STANCES, TOPICS, Cell, Row, outcomes_of, right, rows
from hypothesis import example, given
from hypothesis import strategies as st

from stance.evaluation import Scorecard, score_texts
from stance.evaluation.calibration import BINS, reliability

metrics = pytest.importorskip("sklearn.metrics")
calibration = pytest.importorskip("sklearn.calibration")
pytestmark = pytest.mark.training

VIEWS = ("sure", "all")


def card_of(table: Sequence[Row], **fields: Sequence[str | None]) -> Scorecard:
    return score_texts(outcomes_of(table, **fields), both_views=True, resamples=0, seed=0)


def agrees(value: float | None, expected: float) -> bool:
    if value is None or math.isnan(expected):
        return value is None and math.isnan(expected)
    return value == pytest.approx(expected, abs=1e-12)


def mean(values: Sequence[float]) -> float:
    defined = [value for value in values if not math.isnan(value)]
    return sum(defined) / len(defined) if defined else math.nan


def reference(gold: Sequence[bool], found: Sequence[bool]) -> dict[str, float]:
    if not len(gold):
        return dict.fromkeys(("precision", "recall", "f1"), math.nan)
    names = ("precision", "recall", "f1")
    return {
        name: getattr(metrics, f"{name}_score")(gold, found, zero_division=math.nan)
        for name in names
    }


def scored(cell: Cell, view: str) -> bool:
    return cell.has_predicted_stance and (cell.sure or view == "all")


def ignored(cell: Cell, view: str) -> bool:
    return cell.gold is not None and not scored(cell, view)


def stance_pairs(table: Sequence[Row], view: str) -> list[tuple[str, Cell]]:
    return [
        (topic, cell)
        for row in table
        for topic, cell in zip(TOPICS, row, strict=True)
        if scored(cell, view) and cell.says_stance
    ]


@given(rows)
def test_topics(table: list[Row]) -> None:
    card = card_of(table)
    each: dict[str, list[float]] = {}
    for column, topic in enumerate(TOPICS):
        cells = [row[column] for row in table]
        gold = [cell.gold is not None for cell in cells]
        expected = reference(gold, [cell.found for cell in cells])
        expected["average_precision"] = (
            metrics.average_precision_score(gold, [cell.probability for cell in cells])
            if any(gold)
            else math.nan
        )
        for name, value in expected.items():
            assert agrees(card.value("topics", "each", topic, name), value), name
            each.setdefault(name, []).append(value)
        assert card.counts["topics", "each", topic, "gold"] == sum(gold)
    for name, values in each.items():
        assert agrees(card.value("topics", "macro", name), mean(values))
    flat = [cell for row in table for cell in row]
    micro = reference([cell.gold is not None for cell in flat], [cell.found for cell in flat])
    for name, value in micro.items():
        assert agrees(card.value("topics", "micro", name), value)


@given(rows)
def test_whole_texts(table: list[Row]) -> None:
    card = card_of(table)
    gold = [[cell.gold is not None for cell in row] for row in table]
    found = [[cell.found for cell in row] for row in table]
    expected = metrics.accuracy_score(np.array(gold), np.array(found)) if table else math.nan
    assert agrees(card.value("topics", "exact_match"), expected)
    empty = [not any(has) for own, has in zip(gold, found, strict=True) if not any(own)]
    assert agrees(card.value("topics", "nothing_found"), mean([float(item) for item in empty]))
    assert card.counts["topics", "texts_without_topic"] == len(empty)


@given(rows, st.sampled_from(VIEWS))
def test_stance(table: list[Row], view: str) -> None:
    card = card_of(table)
    pairs = stance_pairs(table, view)
    for topic in (None, *TOPICS):
        cells = [cell for name, cell in pairs if topic in (None, name)]
        gold, found = [cell.gold for cell in cells], [cell.predicted for cell in cells]
        accuracy = metrics.accuracy_score(gold, found) if cells else math.nan
        numbers = [[math.nan] * len(STANCES)] * 3
        if cells:
            numbers = metrics.precision_recall_fscore_support(
                gold, found, labels=STANCES, zero_division=math.nan
            )[:3]
        place = ("stance",) if topic is None else ("stance", "topics", topic)
        assert agrees(card.value(view, *place, "accuracy"), accuracy)
        assert agrees(card.value(view, *place, "macro_f1"), mean(list(numbers[2])))
        if topic is not None:
            assert card.counts[view, *place, "pairs"] == len(cells)
            continue
        assert card.counts[view, "stance", "pairs"] == len(cells)
        for score, values in zip(("precision", "recall", "f1"), numbers, strict=True):
            for name, value in zip(STANCES, values, strict=True):
                assert agrees(card.value(view, "stance", "each", name, score), value)


@given(rows, st.sampled_from(VIEWS))
def test_labels_of_unknown_stance_are_counted(table: list[Row], view: str) -> None:
    cells = [cell for row in table for cell in row if scored(cell, view)]
    unknown = sum(not cell.says_stance for cell in cells)
    assert card_of(table).counts[view, "stance", "unknown"] == unknown


@given(rows)
def test_confusion(table: list[Row]) -> None:
    names = [*STANCES, "neutral"]
    cells = [cell for row in table for cell in row if cell.gold is not None and cell.says_stance]
    expected = np.zeros((4, 4))
    if cells:
        expected = metrics.confusion_matrix(
            [cell.gold for cell in cells], [cell.predicted for cell in cells], labels=names
        )
    found = card_of(table).details["all", "stance", "confusion"]
    assert [[found[gold][name] for name in STANCES] for gold in names] == expected[:, :3].tolist()


@given(rows, st.sampled_from(VIEWS))
def test_joint(table: list[Row], view: str) -> None:
    gold, found, comparable = [], [], []
    for row in table:
        gold.append([scored(cell, view) and cell.gold == name for cell in row for name in STANCES])
        found.append(
            [
                cell.found and not ignored(cell, view) and cell.predicted == name
                for cell in row
                for name in STANCES
            ]
        )
        comparable.append(not any(ignored(cell, view) for cell in row))
    card = card_of(table)
    for name, value in reference(np.ravel(gold), np.ravel(found)).items():
        assert agrees(card.value(view, "joint", name), value), name
    kept = np.array(comparable, dtype=bool)
    exact = math.nan
    if kept.any():
        exact = metrics.accuracy_score(np.array(gold)[kept], np.array(found)[kept])
    assert agrees(card.value(view, "joint", "exact_match"), exact)
    assert card.counts[view, "joint", "comparable_texts"] == kept.sum()


@given(rows, st.sampled_from(VIEWS))
def test_certainty(table: list[Row], view: str) -> None:
    cells = [cell for _, cell in stance_pairs(table, view)]
    certain = [cell for cell in cells if not cell.uncertain]
    card = card_of(table)
    coverage = mean([float(not cell.uncertain) for cell in cells])
    assert agrees(card.value(view, "stance", "coverage"), coverage)
    error = mean([float(cell.predicted != cell.gold) for cell in certain])
    assert agrees(card.value(view, "stance", "certain_error"), error)


@given(rows, st.sampled_from(VIEWS))
def test_confidence_against_unpredicted_stances(table: list[Row], view: str) -> None:
    labelled = [cell for _, cell in stance_pairs(table, view)]
    neutral = [cell for row in table for cell in row if cell.gold == "neutral" and cell.says_stance]
    expected = math.nan
    if labelled and neutral:
        truth = [True] * len(labelled) + [False] * len(neutral)
        expected = metrics.roc_auc_score(truth, [max(cell.stances) for cell in labelled + neutral])
    card = card_of(table)
    assert agrees(card.value(view, "unpredicted", "auroc"), expected)
    assert card.counts[view, "unpredicted", "labels"] == len(neutral)


@given(
    st.lists(st.tuples(st.integers(0, 999), st.booleans()), max_size=60),
)
@example([(999, True)])
def test_calibration_error(items: list[tuple[int, bool]]) -> None:
    # Shifted off the edges of the bins, since libraries differ on which side an edge belongs to.
    probability = np.array([(number + 0.37) / 1000 for number, _ in items])
    true = np.array([came for _, came in items], dtype=bool)
    found = reliability(probability, true)
    if not items:
        assert found.ece is None
        return
    observed, predicted = calibration.calibration_curve(true, probability, n_bins=BINS)
    assert found.observed == pytest.approx(observed)
    assert found.predicted == pytest.approx(predicted)
    total = 0.0
    for number in range(BINS):
        inside = [
            index
            for index, value in enumerate(probability)
            if number / BINS <= value < (number + 1) / BINS
        ]
        if inside:
            gap = np.mean(probability[inside]) - np.mean(true[inside])
            total += abs(gap) * len(inside) / len(items)
    assert found.ece == pytest.approx(total)
    assert sum(found.count) == len(items)


def test_the_ends_of_the_scale_fall_in_bins() -> None:
    found = reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert (found.ece, found.count) == (0.0, (1, 1))
    assert found.to_dict()[1]["to"] == 1.0


@given(rows)
def test_calibration_is_of_every_topic_and_of_known_stances(table: list[Row]) -> None:
    card = card_of(table)
    flat = [cell for row in table for cell in row]
    presence = reliability(
        np.array([cell.probability for cell in flat]),
        np.array([cell.gold is not None for cell in flat], dtype=bool),
    )
    assert card.value("topics", "ece") == presence.ece
    cells = [cell for _, cell in stance_pairs(table, "sure")]
    stances = reliability(
        np.array([max(cell.stances) for cell in cells]),
        np.array([cell.predicted == cell.gold for cell in cells], dtype=bool),
    )
    assert card.value("sure", "stance", "ece") == stances.ece
    assert card.scores["sure", "stance", "ece"].low is None


@given(st.lists(st.booleans(), max_size=8), st.data())
def test_counterfactual_pairs(paired: list[bool], data: st.DataObject) -> None:
    table: list[Row] = []
    names: list[str | None] = []
    for number, joined in enumerate(paired):
        table += [data.draw(st.tuples(*[_paired_cells] * 3)) for _ in range(2)]
        names += [f"p{number}" if joined else None] * 2
    # One member alone is no pair.
    table.append(data.draw(st.tuples(*[_paired_cells] * 3)))
    names.append("alone")
    card = card_of(table, pairs=names)
    members: dict[str, list[Row]] = {}
    for row, name in zip(table, names, strict=True):
        if name is not None:
            members.setdefault(name, []).append(row)
    for view in VIEWS:
        differing, whole = [], []
        for first, second in (group for group in members.values() if len(group) == 2):
            cells = list(zip(first, second, strict=True))
            differ = [pair for pair in cells if pair[0].gold != pair[1].gold]
            if differ and not any(ignored(cell, view) for pair in differ for cell in pair):
                differing.append(all(good(cell) for pair in differ for cell in pair))
            if not any(ignored(cell, view) for pair in cells for cell in pair):
                whole.append(all(good(cell) for pair in cells for cell in pair))
        place = (view, "counterfactual")
        assert card.counts[*place, "pairs"] == len(differing)
        assert card.counts[*place, "exact_pairs"] == len(whole)
        assert agrees(card.value(*place, "both_right"), mean([float(it) for it in differing]))
        assert agrees(card.value(*place, "both_exact"), mean([float(it) for it in whole]))


def good(cell: Cell) -> bool:
    if cell.gold is None:
        return not cell.found
    return cell.found and cell.predicted == cell.gold


_paired_cells = st.one_of(
    st.sampled_from(["negative", "positive", "neutral", None]).map(right),
    st.builds(Cell, gold=st.sampled_from(["negative", None]), sure=st.booleans()),
)


def test_a_pair_of_equal_labels_has_no_difference_to_be_right_on() -> None:
    table = [(right("negative"), Cell(), Cell())] * 2
    card = card_of(table, pairs=["p", "p"])
    assert card.value("sure", "counterfactual", "both_right") is None
    assert card.value("sure", "counterfactual", "both_exact") == 1


@given(rows)
def test_sure_labels_are_all_labels_where_none_is_disputable(table: list[Row]) -> None:
    card = card_of([tuple(replace(cell, sure=True) for cell in row) for row in table])
    for (view, *path), score in card.scores.items():
        if view == "sure":
            assert card.scores["all", *path] == score


@pytest.mark.parametrize(
    "table",
    [
        [],
        [(Cell(), Cell(), Cell())] * 3,
        [(Cell(gold="neutral", sure=False), Cell(gold="neutral"), Cell(gold="neutral"))] * 3,
        [(right("positive", uncertain=True),) * 3] * 3,
        [(right("positive"),) * 3] * 3,
        [(Cell(found=True), Cell(found=True), Cell(found=True))] * 3,
    ],
    ids=["no texts", "no topics", "all neutral", "all uncertain", "one class", "only false finds"],
)
def test_edges_give_numbers_or_none_without_a_warning(table: list[Row]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        card = score_texts(
            outcomes_of(table, pairs=["p"] * len(table)), both_views=True, resamples=20, seed=1
        )
    for path, score in card.scores.items():
        assert score.value is None or 0 <= score.value <= 1, path
        assert (score.low is None) == (score.high is None)
        assert score.value is not None or score.low is None


def test_known_values_at_the_edges() -> None:
    nothing = card_of([])
    assert {score.value for score in nothing.scores.values()} == {None}
    empty = card_of([(Cell(), Cell(), Cell())] * 2)
    assert empty.value("topics", "nothing_found") == 1
    assert empty.value("topics", "micro", "f1") is None
    assert empty.value("topics", "macro", "f1") is None
    assert empty.value("sure", "joint", "f1") is None
    assert empty.value("sure", "joint", "exact_match") == 1
    neutral = card_of([(Cell(gold="neutral", found=True), Cell(), Cell())] * 2)
    assert neutral.value("topics", "each", "harbour", "f1") == 1
    assert neutral.value("sure", "joint", "f1") is None
    assert neutral.value("sure", "joint", "exact_match") is None
    uncertain = card_of([(right("positive", uncertain=True), Cell(), Cell())] * 2)
    assert uncertain.value("sure", "stance", "coverage") == 0
    assert uncertain.value("sure", "stance", "certain_error") is None
    assert uncertain.value("sure", "stance", "accuracy") == 1
    false = card_of([(Cell(found=True), Cell(), Cell())])
    assert false.value("topics", "each", "harbour", "precision") == 0
    assert false.value("topics", "each", "harbour", "recall") is None
    assert false.value("topics", "each", "harbour", "f1") == 0
    assert false.value("topics", "each", "weather", "f1") is None
    assert false.value("topics", "macro", "f1") == 0
