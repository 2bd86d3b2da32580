"""All scores of one set of texts, each with its interval, under names that never change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stance.evaluation.counts import Outcomes
from stance.evaluation.resampling import Path, interval, resample
from stance.evaluation.scores import PairScorer, Scorer, TopicScorer, Values, ViewScorer
from stance.evaluation.tallies import Floats

MAIN, ALL = "sure", "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One number.

    Attributes:
        value: In [0, 1]; None where it is undefined.
        low: Lower end of its 95 % interval; None where there is none.
        high: Upper end.
    """

    value: float | None
    low: float | None = None
    high: float | None = None

    def to_dict(self) -> dict[str, float | None]:
        """The score as a JSON object, to 6 places."""
        parts = {"value": self.value, "low": self.low, "high": self.high}
        return {key: None if part is None else round(part, 6) for key, part in parts.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scorecard:
    """The scores of one set of texts.

    A name is a path such as `("sure", "stance", "macro_f1")`; `docs/evaluation.md` lists them.

    Attributes:
        scores: Score by path.
        counts: The numbers behind them, by path.
        details: Tables behind them (reliability bins, confusion), by path.
    """

    scores: Mapping[Path, Score]
    counts: Mapping[Path, int]
    details: Mapping[Path, Any]

    def value(self, *path: str) -> float | None:
        """The value of a score.

        Raises:
            KeyError: If there is no score of that name.
        """
        return self.scores[path].value

    def to_dict(self) -> dict[str, Any]:
        """Everything, nested by path."""
        tree: dict[str, Any] = {}
        for path, count in self.counts.items():
            _put(tree, path, count)
        for path, score in self.scores.items():
            _put(tree, path, score.to_dict())
        for path, detail in self.details.items():
            _put(tree, path, detail)
        tree.setdefault(ALL, None)
        return tree


def _put(tree: dict[str, Any], path: Path, leaf: object) -> None:
    *branches, last = path
    for branch in branches:
        tree = tree.setdefault(branch, {})
    tree[last] = leaf


def score_texts(outcomes: Outcomes, *, both_views: bool, resamples: int, seed: int) -> Scorecard:
    """Compute every score of a set of texts with its bootstrap interval.

    Args:
        outcomes: The texts; may be none.
        both_views: Give stance and joint scores over all labels too, beside the sure ones.
        resamples: Number of bootstrap samples; 0 for no intervals.
        seed: Of the samples.
    """
    scores: dict[Path, Score] = {}
    counts: dict[Path, int] = {}
    details: dict[Path, Any] = {}
    for group in scorer_groups(outcomes, both_views=both_views):
        for path, value, draws in draw_scores(group, resamples=resamples, seed=seed):
            scores[path] = with_interval(value, draws)
        for scorer in group:
            counts |= scorer.counts()
            details |= scorer.details
            for place, bins in scorer.reliability.items():
                # The calibration error of a resample is biased upwards, so a percentile interval
                # would often lie above the value; none is honest.
                scores[*place, "ece"] = Score(value=bins.ece)
                details[*place, "bins"] = bins.to_dict()
    return Scorecard(scores=scores, counts=counts, details=details)


def scorer_groups(outcomes: Outcomes, *, both_views: bool) -> tuple[list[Scorer], list[Scorer]]:
    """The scorers over texts, and those over counterfactual pairs.

    Args:
        outcomes: The texts; may be none.
        both_views: Give stance and joint scores over all labels too, beside the sure ones.
    """
    views = {MAIN: True} | ({ALL: False} if both_views else {})
    over_texts: list[Scorer] = [TopicScorer(outcomes)]
    over_pairs: list[Scorer] = []
    for view, sure_only in views.items():
        over_texts.append(ViewScorer(outcomes, view, sure_only=sure_only))
        over_pairs.append(PairScorer(outcomes, view, sure_only=sure_only))
    return over_texts, over_pairs


def draw_scores(
    scorers: Sequence[Scorer], *, resamples: int, seed: int
) -> Iterator[tuple[Path, float, Floats]]:
    """Every score of scorers over the same units, and its values on bootstrap samples.

    Two sets of outcomes of the same texts in the same order see the same samples.

    Yields:
        Name, value (NaN where it is undefined) and values `(resamples,)`.
    """
    units = scorers[0].units

    def statistic(weights: Floats) -> Values:
        values: Values = {}
        for scorer in scorers:
            values |= scorer.values(weights)
        return values

    width = max(scorer.width for scorer in scorers)
    samples = resample(statistic, units, resamples=resamples, seed=seed, width=width)
    for path, value in statistic(np.ones((1, units))).items():
        yield path, float(value[0]), samples.get(path, np.empty(0))


def with_interval(value: float, draws: Floats) -> Score:
    """A score, or a difference of two, with the percentile interval of its draws."""
    bounds = interval(draws)
    point = None if np.isnan(value) else value
    if point is None or bounds is None:
        return Score(value=point)
    return Score(value=point, low=bounds.low, high=bounds.high)
