"""Sums over weighted texts and the bootstrap over them, against scikit-learn and scipy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from evaluation_support import TOPICS, Row, outcomes_of, right, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from stance.evaluation import Outcomes, score_texts
from stance.evaluation.resampling import draw_weights, interval, resample
from stance.evaluation.scores import TopicScorer, ViewScorer
from stance.evaluation.tallies import Cells, Ranking, Tally, mean_defined, ratio

metrics = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")
pytestmark = pytest.mark.training

Floats = NDArray[np.float64]
weights_of = st.lists(st.integers(0, 3), min_size=1, max_size=30)


@settings(max_examples=25)
@given(rows, rows)
def test_counts_of_a_union_are_the_sum_of_counts(one: list[Row], other: list[Row]) -> None:
    whole = outcomes_of([*one, *other])
    parts = [whole.select(range(len(one))), whole.select(range(len(one), len(whole)))]
    for scorer in (
        TopicScorer,
        lambda part: ViewScorer(part, "sure", sure_only=True),
        lambda part: ViewScorer(part, "all", sure_only=False),
    ):
        total, first, second = (scorer(part).counts() for part in (whole, *parts))
        assert total == {path: first[path] + second[path] for path in total}


@settings(max_examples=25)
@given(rows.filter(bool), st.data())
def test_weights_are_repetitions(table: list[Row], data: st.DataObject) -> None:
    """A text of weight 2 counts as the same text twice, for every score."""
    weights = data.draw(st.lists(st.integers(0, 3), min_size=len(table), max_size=len(table)))
    repeated = [row for row, weight in zip(table, weights, strict=True) for _ in range(weight)]
    for make in (TopicScorer, lambda part: ViewScorer(part, "all", sure_only=False)):
        weighted = make(outcomes_of(table)).values(np.array([weights], dtype=float))
        plain = make(outcomes_of(repeated)).values(np.ones((1, len(repeated))))
        for path, value in weighted.items():
            assert value == pytest.approx(plain[path], nan_ok=True), path


@given(weights_of, st.integers(1, 3), st.data())
def test_sparse_and_dense_sums_agree(weights: list[int], columns: int, data: st.DataObject) -> None:
    size = len(weights)
    counts = np.array(
        data.draw(st.lists(st.integers(0, 4), min_size=size * columns, max_size=size * columns))
    ).reshape(size, columns)
    ones = np.flatnonzero(counts[:, 0] > 1)
    parts = {
        "dense": Cells.dense(counts),
        "flat": Cells.dense(counts[:, 0]),
        "at": Cells.at(ones, (np.zeros(len(ones), int), counts[ones, 0] - 1), (2, 4)),
    }
    samples = np.array([weights, [1] * size], dtype=float)
    expected = {
        "dense": samples @ counts,
        "flat": samples @ counts[:, 0],
        "at": np.stack(
            [np.zeros((2, 4)), samples @ (counts[:, [0]] == np.arange(1, 5)) * [0, 1, 1, 1]], axis=1
        )[:, ::-1],
    }
    for limit in (0, 10**6):
        sums = Tally(parts, units=size, dense_limit=limit).sums(samples)
        assert {name: array.tolist() for name, array in sums.items()} == {
            name: array.tolist() for name, array in expected.items()
        }


@given(weights_of, st.data())
def test_weighted_ranks(weights: list[int], data: st.DataObject) -> None:
    size = len(weights)
    score = np.array(data.draw(st.lists(st.integers(0, 5), min_size=size, max_size=size))) / 5
    positive = np.array(data.draw(st.lists(st.booleans(), min_size=size, max_size=size)))
    weight = np.array(weights, dtype=float)
    ranking = Ranking(score, positive, np.arange(size))
    taken = weight > 0
    precision, auroc = math.nan, math.nan
    if positive[taken].any():
        precision = metrics.average_precision_score(positive, score, sample_weight=weight)
    if len(set(positive[taken])) == 2:
        auroc = metrics.roc_auc_score(positive[taken], score[taken], sample_weight=weight[taken])
    samples = weight[np.newaxis]
    assert ranking.average_precision(samples)[0] == pytest.approx(precision, nan_ok=True)
    assert ranking.auroc(samples)[0] == pytest.approx(auroc, nan_ok=True)


def test_several_items_of_one_text_share_its_weight() -> None:
    ranking = Ranking(np.array([0.9, 0.5, 0.1]), np.array([True, False, True]), np.array([0, 0, 1]))
    assert ranking.average_precision(np.array([[1.0, 1.0], [1.0, 0.0]])).tolist() == [
        pytest.approx((1 + 2 / 3) / 2),
        1.0,
    ]


def test_a_ratio_with_nothing_below_is_undefined() -> None:
    assert ratio(np.array([1.0, 0.0]), np.array([2.0, 0.0])).tolist() == [
        0.5,
        pytest.approx(math.nan, nan_ok=True),
    ]
    assert mean_defined(np.array([[1.0, math.nan], [math.nan, math.nan]])).tolist() == [
        1.0,
        pytest.approx(math.nan, nan_ok=True),
    ]


def test_each_sample_has_as_many_units_as_there_are() -> None:
    weights = draw_weights(50, 40, np.random.default_rng(3))
    assert weights.shape == (40, 50)
    assert (weights.sum(axis=1) == 50).all()
    # Each unit is drawn once on average, with the variance of a multinomial draw.
    many = draw_weights(20, 20_000, np.random.default_rng(4))
    assert many.mean(axis=0) == pytest.approx(np.ones(20), abs=0.05)
    assert many.var(axis=0) == pytest.approx(np.full(20, 1 - 1 / 20), abs=0.05)


def test_the_same_seed_gives_the_same_samples_in_any_chunks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    values = np.random.default_rng(0).random(30)

    def mean(weights: Floats) -> dict[tuple[str, ...], Floats]:
        return {("mean",): weights @ values / 30}

    whole = resample(mean, 30, resamples=100, seed=5)["mean",]
    assert len(whole) == 100
    monkeypatch.setattr("stance.evaluation.resampling._CHUNK_VALUES", 7 * 30)
    # A product over other chunks may add up in another order.
    assert resample(mean, 30, resamples=100, seed=5)["mean",] == pytest.approx(whole, rel=1e-12)
    assert not np.allclose(resample(mean, 30, resamples=100, seed=6)["mean",], whole)
    assert resample(mean, 30, resamples=0, seed=5) == {}
    assert resample(mean, 0, resamples=9, seed=5) == {}


def test_an_interval_needs_a_score_that_is_mostly_defined() -> None:
    values = np.arange(1000.0)
    assert interval(values) == (pytest.approx(24.975), pytest.approx(974.025))
    assert interval(np.array([])) is None
    values[:101] = math.nan
    assert interval(values) is None
    values[100] = 100.0
    assert interval(values) is not None


def drawn(texts: int, seed: int) -> Outcomes:
    """Texts with wrong answers of every sort, every second one of a pair."""
    draw = np.random.default_rng(seed)
    table: list[Row] = []
    for _ in range(texts):
        cells = []
        for _ in TOPICS:
            cell = right(draw.choice(["negative", "positive"]) if draw.random() < 0.4 else None)
            noise: dict[str, object] = {
                "probability": float((draw.random() * 2 + (cell.gold is not None)) / 3)
            }
            if draw.random() < 0.2:
                noise |= {"found": not cell.found}
            if draw.random() < 0.2:
                # Negative for positive and the other way round.
                noise |= {"stances": (cell.stances[1], cell.stances[0], cell.stances[2])}
            cells.append(replace(cell, **noise))  # type: ignore[arg-type]
        table.append(tuple(cells))
    return outcomes_of(table, pairs=[f"p{number // 2}" for number in range(texts)])


@pytest.fixture(scope="module")
def sample() -> Outcomes:
    return drawn(150, 11)


def _f1(gold: NDArray[np.bool_], found: NDArray[np.bool_]) -> float:
    return float(2 * (gold & found).sum() / (gold.sum() + found.sum()))


def _topics_macro_f1(part: Outcomes, rows: NDArray[np.intp]) -> float:
    gold, found = part.gold[rows], part.found[rows]
    return float(np.mean([_f1(gold[:, column], found[:, column]) for column in range(3)]))


def _average_precision(part: Outcomes, rows: NDArray[np.intp]) -> float:
    gold, probability = part.gold[rows, 0], part.probability[rows, 0]
    return float(metrics.average_precision_score(gold, probability))


def _stance_macro_f1(part: Outcomes, rows: NDArray[np.intp]) -> float:
    kept = part.gold[rows]
    gold, found = part.gold_stance[rows][kept], part.predicted_stance[rows][kept]
    classes = set(gold.tolist()) | set(found.tolist())
    return float(np.mean([_f1(gold == number, found == number) for number in classes]))


def _joint_f1(part: Outcomes, rows: NDArray[np.intp]) -> float:
    gold, found = part.gold[rows], part.found[rows]
    same = gold & found & (part.gold_stance == part.predicted_stance)[rows]
    return float(2 * same.sum() / (gold.sum() + found.sum()))


@pytest.mark.parametrize(
    ("path", "statistic"),
    [
        (("topics", "macro", "f1"), _topics_macro_f1),
        (("topics", "each", "harbour", "average_precision"), _average_precision),
        (("sure", "stance", "macro_f1"), _stance_macro_f1),
        (("sure", "joint", "f1"), _joint_f1),
    ],
)
def test_intervals_agree_with_scipy(
    sample: Outcomes,
    path: tuple[str, ...],
    statistic: Callable[[Outcomes, NDArray[np.intp]], float],
) -> None:
    draws = 1_000
    ours = score_texts(sample, both_views=False, resamples=4_000, seed=1).scores[path]
    theirs = stats.bootstrap(
        (np.arange(len(sample)),),
        lambda rows: statistic(sample, rows),
        n_resamples=draws,
        method="percentile",
        vectorized=False,
        rng=np.random.default_rng(2),
    )
    assert ours.value == pytest.approx(statistic(sample, np.arange(len(sample))))
    assert ours.low is not None
    assert ours.high is not None
    # Four standard errors of the 2.5 % quantile of a normal score: 0.0584 is its density there.
    error = math.sqrt(0.025 * 0.975 / draws) / 0.0584 * theirs.standard_error
    assert error > 0
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=4 * error)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=4 * error)


TEXTS, SETS = 500, 1_000
COVERED = (
    ("topics", "macro", "f1"),
    ("topics", "each", "harbour", "recall"),
    ("topics", "each", "harbour", "average_precision"),
    ("topics", "exact_match"),
    ("sure", "stance", "macro_f1"),
    ("sure", "stance", "accuracy"),
    ("sure", "joint", "f1"),
    ("sure", "joint", "exact_match"),
)


@pytest.mark.slow
def test_95_percent_intervals_hold_the_true_value_in_95_percent_of_all_sets() -> None:
    """Sets drawn from a population whose scores are known, since it is wholly there."""
    population = drawn(40_000, 21)
    # A pair is drawn whole or not at all; texts that are drawn one by one have none.
    population = replace(population, pairs=(None,) * len(population))
    whole = score_texts(population, both_views=False, resamples=0, seed=0)
    truth = {path: whole.scores[path].value for path in COVERED}
    draw = np.random.default_rng(22)
    held = dict.fromkeys(COVERED, 0)
    for number in range(SETS):
        rows = draw.integers(len(population), size=TEXTS)
        card = score_texts(population.select(rows), both_views=False, resamples=1_000, seed=number)
        for path in COVERED:
            score = card.scores[path]
            held[path] += score.low <= truth[path] <= score.high  # type: ignore[operator]
    shares = {path: count / SETS for path, count in held.items()}
    print(shares)  # noqa: T201
    assert {path: share for path, share in shares.items() if not 0.93 <= share <= 0.97} == {}
