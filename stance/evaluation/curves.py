"""Scores as functions of a threshold, and how probabilities spread: numbers behind plots."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance.evaluation.counts import Outcomes

Floats = NDArray[np.float64]
# A curve of more points looks the same.
MAX_POINTS = 200
HISTOGRAM_BINS = 20


def curves(outcomes: Outcomes, *, sure_only: bool) -> dict[str, Any]:
    """Every curve of a set of texts, as JSON values.

    Args:
        outcomes: The texts.
        sure_only: Leave out stances whose labels are marked as disputable.

    Returns:
        `precision_recall`: by topic, points of threshold, precision and recall, threshold
        falling. `scores`: by topic, counts of probabilities in 20 bins of equal width over
        [0, 1], of texts that carry the topic and of those that do not. `risk_coverage`: points
        of confidence, coverage and error, confidence falling: of the stances at least so
        confident, their share of all and the share of them that is wrong.
    """
    seen = outcomes.scored(sure_only=sure_only) & outcomes.known
    same = outcomes.predicted_stance == outcomes.gold_stance
    return {
        "precision_recall": {
            topic: _precision_recall(outcomes.probability[:, column], outcomes.gold[:, column])
            for column, topic in enumerate(outcomes.topics)
        },
        "scores": {
            topic: {
                name: _histogram(outcomes.probability[own, column])
                for name, own in (
                    ("with", outcomes.gold[:, column]),
                    ("without", ~outcomes.gold[:, column]),
                )
            }
            for column, topic in enumerate(outcomes.topics)
        },
        "risk_coverage": _risk_coverage(outcomes.confidence[seen], same[seen]),
    }


def _precision_recall(probability: Floats, gold: NDArray[np.bool_]) -> list[dict[str, float]]:
    if not gold.any():
        return []
    threshold, taken, right = _running(probability, gold)
    return [
        {
            "threshold": round(float(threshold[at]), 6),
            "precision": round(float(right[at] / taken[at]), 6),
            "recall": round(float(right[at] / gold.sum()), 6),
        }
        for at in _thinned(len(threshold))
    ]


def _risk_coverage(confidence: Floats, same: NDArray[np.bool_]) -> list[dict[str, float]]:
    if not len(confidence):
        return []
    threshold, taken, right = _running(confidence, same)
    return [
        {
            "confidence": round(float(threshold[at]), 6),
            "coverage": round(float(taken[at] / len(confidence)), 6),
            "error": round(float(1 - right[at] / taken[at]), 6),
        }
        for at in _thinned(len(threshold))
    ]


def _running(score: Floats, right: NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Each different score, falling; how many items reach it, and how many of these are right."""
    order = np.argsort(-score, kind="stable")
    ranked = score[order]
    # Equal scores cannot be told apart, so a point stands behind the last of them.
    last = np.flatnonzero(np.r_[ranked[1:] != ranked[:-1], True])
    taken = (last + 1).astype(np.float64)
    return ranked[last], taken, right[order].cumsum()[last].astype(np.float64)


def _thinned(points: int) -> list[int]:
    """At most `MAX_POINTS` of so many places, evenly, the first and the last among them."""
    return sorted(set(np.linspace(0, points - 1, min(points, MAX_POINTS)).round().astype(int)))


def _histogram(probability: Floats) -> list[int]:
    counts, _ = np.histogram(probability, bins=HISTOGRAM_BINS, range=(0, 1))
    return [int(count) for count in counts]
