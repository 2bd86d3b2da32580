"""Approximate randomisation (Noreen 1989): how often chance alone makes scores differ as much."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import fields, replace
from typing import Any

import numpy as np

from stance.evaluation.counts import Outcomes
from stance.evaluation.resampling import Path
from stance.evaluation.scorecard import MAIN
from stance.evaluation.scores import TopicScorer, Values, ViewScorer, joint_counts
from stance.evaluation.tallies import Floats, f1

# Two differences that are equal but for rounding are equal.
_TIE = 1e-12
_CHUNK_VALUES = 4_000_000


def randomised(
    first: Outcomes, other: Outcomes, tested: Collection[Path], *, permutations: int, seed: int
) -> dict[Path, float]:
    """P of the differences of scores between two sets of answers to the same texts.

    If the two were alike, it would not matter which of them gave which answer. So answers are
    swapped text by text at random, and p is the share of such swaps, the observed one included,
    after which the scores differ at least as much.

    Args:
        first: The answers of one.
        other: Of the other, to the same texts in the same order.
        tested: Names of the scores, over topics or over the main view of the labels.
        permutations: Random swaps, above 0.
        seed: Of the swaps.

    Returns:
        By name, two-sided, in (0, 1].
    """
    both = _joined(first, other)
    scorers = (TopicScorer(both, ranked=False), ViewScorer(both, MAIN, sure_only=True))
    units = len(first)

    def differences(swapped: Floats) -> Values:
        one, two = (
            {
                path: value
                for scorer in scorers
                for path, value in scorer.values(np.concatenate(weights, axis=1)).items()
                if path in tested
            }
            for weights in ((1 - swapped, swapped), (swapped, 1 - swapped))
        )
        return {path: np.abs(two[path] - one[path]) for path in tested}

    observed = differences(np.zeros((1, units)))
    hits = dict.fromkeys(tested, 0)
    for swapped in _swaps(units, permutations, seed):
        for path, drawn in differences(swapped).items():
            # A swap that leaves a score undefined speaks for no difference.
            hits[path] += int((~(drawn < observed[path] - _TIE)).sum())
    return {path: (1 + count) / (1 + permutations) for path, count in hits.items()}


def _swaps(units: int, permutations: int, seed: int) -> Iterable[Floats]:
    """`(some, texts)` at a time, 1 where the answers are swapped."""
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_VALUES // max(2 * units, 1))
    for start in range(0, permutations, chunk):
        count = min(chunk, permutations - start)
        yield generator.integers(2, size=(count, units)).astype(np.float64)


def _joined(first: Outcomes, other: Outcomes) -> Outcomes:
    """The texts of the first, then the same texts with the other's answers."""
    changes: dict[str, Any] = {
        item.name: np.concatenate([getattr(first, item.name), getattr(other, item.name)])
        for item in fields(Outcomes)
        if isinstance(getattr(first, item.name), np.ndarray)
    }
    return replace(
        first,
        ids=first.ids + other.ids,
        kinds=first.kinds + other.kinds,
        pairs=first.pairs + other.pairs,
        **changes,
    )


def joint_sums(outcomes: Outcomes) -> Floats:
    """`(texts, 3)`, right, gold and found pairs of topic and stance, on the main labels."""
    counts = joint_counts(outcomes, outcomes.scored(sure_only=True))
    return np.stack([counts[name] for name in ("right", "gold", "found")], axis=1).astype(float)


def joint_f1(sums: Floats) -> Floats:
    """Joint F1 of summed counts `(..., 3)`, as `joint_sums` has them."""
    return f1(sums[..., 0], sums[..., 1], sums[..., 2])


def joint_chance(first: Floats, other: Floats, *, permutations: int, seed: int) -> float:
    """P of the difference of joint F1 alone, from counts `(texts, 3)`; see `randomised`."""
    gain = other - first
    observed = abs(joint_f1(other.sum(axis=0)) - joint_f1(first.sum(axis=0)))
    hits = 0
    for swapped in _swaps(len(first), permutations, seed):
        moved = swapped @ gain
        drawn = np.abs(joint_f1(other.sum(axis=0) - moved) - joint_f1(first.sum(axis=0) + moved))
        hits += int((~(drawn < observed - _TIE)).sum())
    return (1 + hits) / (1 + permutations)
