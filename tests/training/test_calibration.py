"""Calibration equals independent fits, and promises only what held-out texts bear."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import binom
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from stance.artifact import TopicCalibration, Uncertainty
from stance.decoding import stance_probabilities
from stance.schema import Schema, Stance, Topic
from training.calibration import (
    LEAST_PAIRS,
    Calibration,
    calibrate,
    choose_uncertainty,
    stream_weights,
)
from training.labels import ABSENT
from training.scoring import Logits

pytestmark = pytest.mark.training

Array = NDArray[np.float64]
ONE = Schema(
    topics=(Topic(name="harbour"),), stances=(Stance(name="negative"), Stance(name="positive"))
)


def calibration_of(
    presence: Array,
    gold: NDArray[np.bool_],
    *,
    negative_share: float | None = None,
    stance_logits: Array | None = None,
    stance: NDArray[np.int64] | None = None,
) -> Calibration:
    """Calibrate one topic."""
    columns = np.where(gold, 0, ABSENT) if stance is None else stance
    logits = np.zeros((len(gold), 1)) if stance_logits is None else stance_logits
    return calibrate(
        Logits(presence=presence[:, None], stance=logits.reshape(len(gold), 1, -1)),
        columns[:, None],
        ONE if logits.shape[-1] == 1 else tiny.THREE,
        negative_share=negative_share,
        uncertain_error=0.1,
    )


def topic_of(presence: Array, gold: NDArray[np.bool_], **options: Any) -> TopicCalibration:
    return calibration_of(presence, gold, **options).topics["harbour"]


def noisy(n: int, seed: int, *, slope: float = 0.6, offset: float = -0.8) -> tuple[Array, Any]:
    """Logits, and gold that follows sigmoid(slope * logit + offset)."""
    rng = np.random.default_rng(seed)
    logit = 3 * rng.normal(size=n)
    return logit, rng.random(n) < expit(slope * logit + offset)


@pytest.mark.parametrize("share", [None, 0.9])
def test_presence_is_fitted_as_by_logistic_regression(share: float | None) -> None:
    logit, gold = noisy(3_000, seed=1)
    found = topic_of(logit, gold, negative_share=share)
    weight = np.ones(len(gold)) if share is None else stream_weights(gold[:, None], share)
    fit = LogisticRegression(C=np.inf).fit(logit[:, None], gold, sample_weight=weight)
    # Ours is drawn lightly to slope 1 and offset 0.
    assert found.slope == pytest.approx(fit.coef_[0, 0], rel=0.04)
    assert found.offset == pytest.approx(fit.intercept_[0], abs=0.12)
    if share is None:
        assert found.slope == pytest.approx(0.6, abs=0.06)
        assert found.offset == pytest.approx(-0.8, abs=0.15)


def test_texts_that_are_told_apart_without_fault_give_no_certainty() -> None:
    gold = np.arange(60) % 2 == 0
    found = topic_of(np.where(gold, 8.0, -8.0), gold)
    probability = expit(found.slope * 8.0 + found.offset)
    assert 0.9 < probability < 0.99
    assert expit(-8.0 * found.slope + found.offset) > 0.01


@pytest.mark.parametrize("all_gold", [False, True])
def test_a_topic_that_all_texts_carry_or_none_is_left_as_it_is(all_gold: bool) -> None:
    found = topic_of(np.linspace(-2, 2, 20), np.full(20, all_gold))
    assert (found.slope, found.offset) == (1.0, 0.0)
    if not all_gold:
        assert (found.threshold, found.curve) == (0.5, [])


@given(
    empty=st.integers(1, 30),
    full=st.integers(1, 30),
    share=st.floats(0.05, 0.95),
)
def test_weights_give_texts_without_topics_their_share(empty: int, full: int, share: float) -> None:
    gold = np.zeros((empty + full, 2), dtype=bool)
    gold[empty:, 1] = True
    weight = stream_weights(gold, share)
    assert weight[:empty].sum() / weight.sum() == pytest.approx(share)
    assert weight.mean() == pytest.approx(1)
    assert np.unique(weight.round(9)).size <= 2
    assert (stream_weights(gold, None) == 1).all()
    assert (stream_weights(gold[empty:], share) == 1).all()


def stances(n: int, columns: int, seed: int) -> tuple[Array, NDArray[np.int64]]:
    """Stance logits that are 2.5 times too sure, and the stances."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, columns))
    probability = stance_probabilities(logits, 1.0)
    drawn = (rng.random(n)[:, None] > probability.cumsum(axis=1)).sum(axis=1)
    return 2.5 * logits, drawn.astype(np.int64)


@pytest.mark.parametrize("columns", [1, 3])
def test_the_temperature_is_the_one_of_least_loss(columns: int) -> None:
    logits, gold = stances(1_500, columns, seed=2)
    stance = np.where(np.arange(1_500) % 5 == 0, ABSENT, gold)
    schema = ONE if columns == 1 else tiny.THREE
    k = len(schema.topics)
    found = calibrate(
        Logits(
            presence=np.zeros((1_500, k)),
            stance=np.repeat(logits[:, None], k, axis=1),
        ),
        np.repeat(stance[:, None], k, axis=1),
        schema,
        negative_share=None,
        uncertain_error=0.1,
    ).topics["harbour"]
    kept = stance != ABSENT
    grid = np.exp(np.linspace(np.log(0.25), np.log(10), 150))
    losses = [
        log_loss(gold[kept], stance_probabilities(logits[kept], temperature))
        for temperature in grid
    ]
    assert found.temperature == pytest.approx(grid[int(np.argmin(losses))], rel=0.03)
    assert found.temperature == pytest.approx(2.5, rel=0.2)


def test_few_stances_leave_the_temperature_alone() -> None:
    logits, gold = stances(LEAST_PAIRS - 1, 1, seed=3)
    found = calibration_of(
        np.zeros(len(gold)), np.ones(len(gold), dtype=bool), stance_logits=logits, stance=gold
    )
    assert found.topics["harbour"].temperature == 1.0


def test_stances_that_are_not_predicted_teach_presence_alone() -> None:
    logit, gold = noisy(400, seed=4)
    unpredicted = topic_of(logit, gold, stance=np.where(gold, -2, ABSENT))
    assert unpredicted.temperature == 1.0
    plain = topic_of(logit, gold)
    assert (unpredicted.slope, unpredicted.threshold) == (plain.slope, plain.threshold)


def scores_at(
    threshold: float, probability: Array, gold: NDArray[np.bool_], weight: Array
) -> tuple[float, float, float]:
    """Precision, recall and F1 of what is found at or above a threshold."""
    found = probability >= threshold
    hits = weight[found & gold].sum()
    precision = hits / weight[found].sum() if found.any() else 0.0
    recall = hits / weight[gold].sum()
    return precision, recall, 2 * hits / (weight[found].sum() + weight[gold].sum())


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), n=st.integers(20, 300), share=st.none() | st.floats(0.3, 0.9))
def test_the_curve_tells_what_each_threshold_gives(seed: int, n: int, share: float | None) -> None:
    logit, gold = noisy(n, seed)
    # Few values, so that many texts stand at the same probability.
    logit = logit.round(seed % 2)
    if gold.all() or not gold.any():
        return
    found = topic_of(logit, gold, negative_share=share)
    probability = expit(found.slope * logit + found.offset)
    weight = stream_weights(gold[:, None], share)
    assert found.curve == sorted(found.curve)
    for threshold, precision, recall in found.curve:
        expected = scores_at(threshold, probability, gold, weight)
        assert (precision, recall) == pytest.approx(expected[:2], abs=1e-5)
    at = {threshold: (precision, recall) for threshold, precision, recall in found.curve}
    if (probability >= found.threshold).any():
        assert found.threshold in at
    assert max(recall for _, _, recall in found.curve) == 1.0


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("share", [None, 0.8])
def test_the_threshold_is_near_the_best_f1(seed: int, share: float | None) -> None:
    logit, gold = noisy(4_000, seed, slope=1.5)
    found = topic_of(logit, gold, negative_share=share)
    probability = expit(found.slope * logit + found.offset)
    weight = stream_weights(gold[:, None], share)
    best = max(scores_at(t, probability, gold, weight)[2] for t in probability[::10])
    assert scores_at(found.threshold, probability, gold, weight)[2] >= best - 0.01


def test_a_gap_between_topic_and_rest_is_cut_within() -> None:
    gold = np.arange(40) >= 30
    logit = np.where(gold, 4.0, -4.0) + np.linspace(-0.5, 0.5, 40)
    found = topic_of(logit, gold)
    probability = expit(found.slope * logit + found.offset)
    assert probability[~gold].max() < found.threshold <= probability[gold].min()


def promise_of(confidence: list[float], right: list[bool], bound: float = 0.1) -> Uncertainty:
    return choose_uncertainty(np.array(confidence), np.array(right, dtype=bool), error_bound=bound)


@given(
    seed=st.integers(0, 10_000),
    n=st.integers(1, 400),
    bound=st.sampled_from([0.05, 0.1, 0.2]),
    places=st.sampled_from([2, 6]),
)
def test_a_promise_holds_on_the_pairs_that_it_was_made_from(
    seed: int, n: int, bound: float, places: int
) -> None:
    rng = np.random.default_rng(seed)
    # With two places many pairs are equally confident.
    confidence = (0.5 + 0.5 * rng.random(n) ** rng.choice([0.2, 1.0])).round(places)
    right = rng.random(n) < confidence
    found = choose_uncertainty(confidence, right, error_bound=bound)
    certain = confidence >= found.confidence
    if not found.promised:
        assert not certain.any()
        assert (found.n, found.coverage, found.observed_error) == (n, 0.0, None)
        return
    assert found.n == certain.sum() >= LEAST_PAIRS
    assert found.coverage == pytest.approx(certain.mean(), abs=1e-4)
    errors = int((~right[certain]).sum())
    assert found.observed_error == pytest.approx(errors / found.n, abs=1e-4)
    # Clopper and Pearson's limit in its own words: were the error as high as the bound, so few
    # wrong ones would be seen in at most one of twenty samples.
    assert binom.cdf(errors, found.n, bound) <= 0.05 + 1e-9


def test_few_pairs_promise_nothing() -> None:
    assert not promise_of([0.99] * (LEAST_PAIRS - 1), [True] * (LEAST_PAIRS - 1)).promised
    assert promise_of([0.99] * LEAST_PAIRS, [True] * LEAST_PAIRS).promised
    assert not promise_of([], []).promised
    assert not promise_of([0.99] * 28, [True] * 28, bound=0.05).promised


def test_stances_by_chance_promise_nothing() -> None:
    right = [index % 2 == 0 for index in range(300)]
    found = promise_of([0.9 - index / 1e4 for index in range(300)], right)
    assert not found.promised
    assert found.confidence > 1


def test_stances_without_fault_are_all_certain() -> None:
    found = promise_of([0.6 + index / 1e3 for index in range(200)], [True] * 200)
    assert found.promised
    assert (found.coverage, found.n, found.observed_error) == (1.0, 200, 0.0)
    assert found.confidence <= 0.6


def test_the_search_stops_at_the_first_level_that_fails() -> None:
    # The surest answers are often wrong: what comes after them cannot make up for it.
    right = [index % 3 != 0 for index in range(60)] + [True] * 940
    assert not promise_of([1 - index / 2e3 for index in range(200)], right[:200]).promised


def test_the_promise_is_kept_on_new_texts() -> None:
    rng = np.random.default_rng(5)

    def sample(n: int) -> tuple[Array, NDArray[np.bool_]]:
        confidence = 0.5 + 0.5 * rng.random(n)
        return confidence, rng.random(n) < confidence

    many, right = sample(200_000)
    broken = promised = 0
    for _ in range(300):
        found = choose_uncertainty(*sample(500), error_bound=0.1)
        if found.promised:
            promised += 1
            broken += bool((~right[many >= found.confidence]).mean() > 0.1)
    assert promised > 50
    # At most one in twenty of all runs, and 4 standard errors for chance.
    assert broken <= 0.05 * 300 + 4 * np.sqrt(300 * 0.05 * 0.95)


def test_calibration_covers_every_topic_and_bounds_by_certain_pairs() -> None:
    rng = np.random.default_rng(6)
    gold = rng.random((600, 2)) < 0.4
    presence = np.where(gold, 2.0, -2.0) + rng.normal(size=gold.shape)
    logits, _ = stances(1_200, 1, seed=7)
    stance_logits = logits.reshape(600, 2, 1)
    right = rng.random(gold.shape) < 0.9
    stance = np.where((stance_logits[:, :, 0] > 0) == right, 1, 0)
    stance = np.where(gold, stance, ABSENT)
    found = calibrate(
        Logits(presence=presence, stance=stance_logits),
        stance,
        tiny.SCHEMA,
        negative_share=0.6,
        uncertain_error=0.2,
    )
    assert tuple(found.topics) == tiny.SCHEMA.topic_names
    assert found.uncertainty.error_bound == 0.2
    assert found.uncertainty.promised
    temperature = np.array([found.topics[name].temperature for name in tiny.SCHEMA.topic_names])
    probability = stance_probabilities(stance_logits, temperature[:, None])
    certain = (probability.max(axis=2) >= found.uncertainty.confidence) & gold
    assert certain.sum() == found.uncertainty.n
    wrong = (probability.argmax(axis=2) != stance) & certain
    assert found.uncertainty.observed_error == pytest.approx(wrong.sum() / certain.sum(), abs=1e-4)
