"""From held-out logits to probabilities that mean what they say, thresholds and "uncertain"."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import expit, log_softmax
from scipy.stats import beta

from stance.artifact import TopicCalibration, Uncertainty
from stance.decoding import stance_probabilities
from stance.schema import Schema
from training.labels import ABSENT
from training.scoring import Logits

CURVE_POINTS = 60
FLAT = 0.005
"""Thresholds whose F1 is this near to the best are taken as equally good: about one text."""

LEAST_PAIRS = 30
"""Fewer held-out stance pairs than this cannot carry a promise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Per topic what turns logits into answers, and when a stance is uncertain."""

    topics: dict[str, TopicCalibration]
    uncertainty: Uncertainty


def calibrate(
    logits: Logits,
    stance: NDArray[np.int64],
    schema: Schema,
    *,
    negative_share: float | None,
    uncertain_error: float,
) -> Calibration:
    """Fit calibration on held-out texts.

    Args:
        logits: Of the held-out texts.
        stance: Shape (texts, topics); column of the stance, `ABSENT` where there is no topic,
            another negative number where the stance is not predicted.
        schema: Names the columns.
        negative_share: Share of texts without any topic in the stream that probabilities and
            thresholds are meant for, in (0, 1); the held-out texts are weighted to it. None
            takes their own share.
        uncertain_error: Bound on the error of stances that are not uncertain.
    """
    gold = stance != ABSENT
    weights = stream_weights(gold, negative_share)
    temperatures = np.array(
        [_temperature(logits.stance[:, k], stance[:, k]) for k in range(len(schema.topics))]
    )
    topics = {}
    for column, name in enumerate(schema.topic_names):
        slope, offset = _platt(logits.presence[:, column], gold[:, column], weights)
        probability = expit(slope * logits.presence[:, column] + offset)
        threshold, curve = _threshold(probability, gold[:, column], weights)
        topics[name] = TopicCalibration(
            slope=slope,
            offset=offset,
            temperature=float(temperatures[column]),
            threshold=threshold,
            curve=curve,
        )
    probabilities = stance_probabilities(logits.stance, temperatures[:, None])
    labelled = stance >= 0
    return Calibration(
        topics=topics,
        uncertainty=choose_uncertainty(
            probabilities.max(axis=2)[labelled],
            probabilities.argmax(axis=2)[labelled] == stance[labelled],
            error_bound=uncertain_error,
        ),
    )


def stream_weights(gold: NDArray[np.bool_], negative_share: float | None) -> NDArray[np.float64]:
    """Weight per text, 1 on average, that gives texts without any topic the wanted share."""
    empty = ~gold.any(axis=1)
    own = empty.mean()
    if negative_share is None or own in (0.0, 1.0):
        return np.ones(len(gold))
    return np.asarray(np.where(empty, negative_share / own, (1 - negative_share) / (1 - own)))


def choose_uncertainty(
    confidence: NDArray[np.float64],
    right: NDArray[np.bool_],
    *,
    error_bound: float,
    level: float = 0.95,
) -> Uncertainty:
    """The lowest confidence above which stances err at most as often as the bound says.

    The upper Clopper-Pearson limit (Clopper and Pearson 1934) of the error is tested at falling
    confidence levels and the search stops at the first that fails: a fixed order of tests keeps
    the level without a correction (Angelopoulos et al. 2021, "Learn then Test").

    Args:
        confidence: Shape (pairs,); probability of the chosen stance.
        right: Shape (pairs,); whether it was right.
        error_bound: In (0, 0.5).
        level: Of the limit.
    """
    order = np.argsort(-confidence, kind="stable")
    wrong = np.cumsum(~right[order])
    chosen: Uncertainty | None = None
    # From 30 % of the pairs to all: enough choice, and each step large enough to mean something.
    first = max(LEAST_PAIRS, int(0.3 * len(order)))
    steps = np.unique(np.linspace(first, len(order), 29).astype(int))
    ranked = confidence[order]
    for step in steps if len(order) >= first else steps[:0]:
        # Equal confidences cannot be told apart: all of them are in, or none.
        n = int(np.searchsorted(-ranked, -ranked[step - 1], side="right"))
        errors = int(wrong[n - 1])
        upper = 1.0 if errors == n else float(beta.ppf(level, errors + 1, n - errors))
        if upper > error_bound:
            break
        chosen = Uncertainty(
            # Rounded down, so that the least confident answer that still counts stays certain.
            confidence=_floor(ranked[n - 1]),
            error_bound=error_bound,
            level=level,
            coverage=round(n / len(order), 4),
            observed_error=round(errors / n, 4),
            n=n,
            promised=True,
        )
    return chosen or Uncertainty(
        confidence=1.01, error_bound=error_bound, level=level, coverage=0.0, n=len(order)
    )


def _platt(
    logit: NDArray[np.float64], gold: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope and offset of a logistic fit (Platt 1999), drawn lightly to the identity."""
    if gold.all() or not gold.any():
        return 1.0, 0.0
    # Platt's smoothed targets: perfectly separated held-out texts must not give certainty.
    positives, negatives = gold.sum(), (~gold).sum()
    target = np.where(gold, (positives + 1) / (positives + 2), 1 / (negatives + 2))

    def loss(parameters: NDArray[np.float64]) -> float:
        log_slope, offset = parameters
        z = np.exp(log_slope) * logit + offset
        losses = np.logaddexp(0, z) - target * z
        return float((weights * losses).mean() + 1e-3 * (log_slope**2 + offset**2))

    log_slope, offset = minimize(loss, np.zeros(2), method="L-BFGS-B").x
    return float(np.exp(log_slope)), float(offset)


def _temperature(logits: NDArray[np.float64], stance: NDArray[np.int64]) -> float:
    """Temperature that fits the held-out stances best (Guo et al. 2017), in [0.25, 10]."""
    labelled = stance >= 0
    if labelled.sum() < LEAST_PAIRS:
        return 1.0
    known, gold = logits[labelled], stance[labelled]
    if known.shape[1] == 1:
        known = np.concatenate([np.zeros_like(known), known], axis=1)

    def loss(log_temperature: float) -> float:
        scores = log_softmax(known / np.exp(log_temperature), axis=1)
        return float(-scores[np.arange(len(gold)), gold].mean())

    found = minimize_scalar(loss, bounds=(np.log(0.25), np.log(10.0)), method="bounded")
    return float(np.exp(found.x))


def _threshold(
    probability: NDArray[np.float64], gold: NDArray[np.bool_], weights: NDArray[np.float64]
) -> tuple[float, list[tuple[float, float, float]]]:
    """Threshold of the best F1 and the curve of (threshold, precision, recall)."""
    if not gold.any():
        return 0.5, []
    order = np.argsort(-probability, kind="stable")
    ranked, hit, weight = probability[order], gold[order], weights[order]
    true = np.cumsum(weight * hit)
    found = np.cumsum(weight)
    last = np.append(ranked[1:] != ranked[:-1], True)  # ties are found together
    precision, recall = true / found, true / true[-1]
    f1 = np.where(last, 2 * precision * recall / (precision + recall + 1e-12), -1.0)
    threshold = _floor(_nearest_to_half(ranked, np.flatnonzero(f1 >= f1.max() - FLAT)))
    found_there = ranked >= threshold
    chosen = int(found_there.sum()) - 1
    ends = np.flatnonzero(last)
    points = np.linspace(0, np.flatnonzero(hit).max(), CURVE_POINTS).round()
    points = np.unique(ends[np.searchsorted(ends, points)])
    curve = [
        (_floor(ranked[i]), round(float(precision[i]), 6), round(float(recall[i]), 6))
        for i in points
    ]
    if chosen >= 0:
        # The row of the model's own threshold, so that what it gives can be looked up.
        curve.append(
            (threshold, round(float(precision[chosen]), 6), round(float(recall[chosen]), 6))
        )
    return threshold, sorted(set(curve))


def _nearest_to_half(ranked: NDArray[np.float64], top: NDArray[np.int64]) -> float:
    """The threshold nearest to 0.5 that finds just the first i + 1 texts, for any i of `top`.

    F1 has a flat top on held-out texts, and which of its thresholds is highest is chance. A
    calibrated probability has its natural threshold at one half (Lipton et al. 2014: the best
    threshold for F1 is half of the best F1), so the one nearest to it travels best.
    """
    below = np.append(ranked[1:], 0.0)[top]
    inside = (below < 0.5) & (ranked[top] >= 0.5)
    if inside.any():
        return 0.5
    middles = (below + ranked[top]) / 2
    return float(middles[np.abs(middles - 0.5).argmin()])


def _floor(probability: float) -> float:
    """Six places, rounded down: what has this probability must stay at or above the number."""
    return math.floor(float(probability) * 1e6) / 1e6
