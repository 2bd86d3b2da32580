"""The scores themselves, each a formula over sums of counts.

A scorer prepares its counts once and then gives every score for any number of weightings of the
texts at a time: `(samples, texts)` in, `(samples,)` per score out, in [0, 1], NaN where a score
is undefined (no gold item, nothing found). `docs/evaluation.md` defines each score in words.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance.evaluation.calibration import Reliability, reliability
from stance.evaluation.counts import Bools, Outcomes
from stance.evaluation.resampling import Path
from stance.evaluation.tallies import Cells, Floats, Ranking, Tally, f1, mean_defined, ratio

Values = dict[Path, Floats]


class TopicScorer:
    """Which topics were found: scores over all labels, disputable ones included."""

    def __init__(self, outcomes: Outcomes, *, ranked: bool = True) -> None:
        """Count gold, found and right topics per text, and sort the probabilities.

        Args:
            outcomes: The texts.
            ranked: Whether the average precision is wanted too, which costs more than all else.
        """
        self.units = len(outcomes)
        self._topics = outcomes.topics
        gold, found = outcomes.gold, outcomes.found
        empty: Bools = gold.sum(axis=1) == 0
        nothing: Bools = found.sum(axis=1) == 0
        exact: Bools = (gold ^ found).sum(axis=1) == 0
        rows = np.arange(self.units)
        self._tally = Tally(
            {
                "texts": Cells.dense(np.ones(self.units)),
                "gold": Cells.dense(gold),
                "found": Cells.dense(found),
                "right": Cells.dense(gold & found),
                "exact": Cells.dense(exact),
                "empty": Cells.dense(empty),
                "empty_right": Cells.dense(empty & nothing),
            },
            units=self.units,
        )
        self.width = self._tally.width
        self._rankings = [
            Ranking(outcomes.probability[:, column], gold[:, column], rows)
            for column in range(len(self._topics) if ranked else 0)
        ]
        self.reliability: dict[Path, Reliability] = {
            ("topics",): reliability(outcomes.probability.ravel(), gold.ravel())
        }
        self.details: dict[Path, Any] = {}

    def values(self, weights: Floats) -> Values:
        """Every score for every weighting."""
        sums = self._tally.sums(weights)
        gold, found, right = sums["gold"], sums["found"], sums["right"]
        each = {
            "precision": ratio(right, found),
            "recall": ratio(right, gold),
            "f1": f1(right, gold, found),
        }
        if self._rankings:
            each["average_precision"] = np.stack(
                [ranking.average_precision(weights) for ranking in self._rankings], axis=-1
            )
        values: Values = {
            ("topics", "each", topic, name): array[:, column]
            for column, topic in enumerate(self._topics)
            for name, array in each.items()
        }
        total = {name: sums[name].sum(axis=-1) for name in ("gold", "found", "right")}
        values |= {("topics", "macro", name): mean_defined(array) for name, array in each.items()}
        return values | {
            ("topics", "micro", "precision"): ratio(total["right"], total["found"]),
            ("topics", "micro", "recall"): ratio(total["right"], total["gold"]),
            ("topics", "micro", "f1"): f1(total["right"], total["gold"], total["found"]),
            ("topics", "exact_match"): ratio(sums["exact"], sums["texts"]),
            ("topics", "nothing_found"): ratio(sums["empty_right"], sums["empty"]),
        }

    def counts(self) -> dict[Path, int]:
        """The numbers of texts and labels behind the scores."""
        sums = self._tally.sums(np.ones((1, self.units)))
        counts: dict[Path, int] = {("texts",): self.units}
        counts["topics", "texts_without_topic"] = int(sums["empty"][0])
        for column, topic in enumerate(self._topics):
            for name in ("gold", "found", "right"):
                counts["topics", "each", topic, name] = int(sums[name][0, column])
        return counts


class ViewScorer:
    """Stance, joint, evidence and confidence scores over all labels or over the sure ones."""

    def __init__(self, outcomes: Outcomes, view: str, *, sure_only: bool) -> None:
        """Count what was right per text.

        Args:
            outcomes: The texts.
            view: First part of the names of the scores.
            sure_only: Leave out labels that are marked as disputable.
        """
        self.units = len(outcomes)
        self._view = view
        self._topics, self._stances = outcomes.topics, outcomes.stances
        scored = outcomes.scored(sure_only=sure_only)
        seen: Bools = scored & outcomes.known
        same: Bools = outcomes.predicted_stance == outcomes.gold_stance
        certain: Bools = seen & ~outcomes.uncertain
        text, topic = np.nonzero(seen)
        places = (topic, outcomes.gold_stance[seen], outcomes.predicted_stance[seen])
        shape = (len(self._topics), len(self._stances), len(self._stances))
        labelled = outcomes.gold & outcomes.sure if sure_only else outcomes.gold
        parts = {
            "confusion": Cells.at(text, places, shape),
            "certain": Cells.dense(certain.sum(axis=1)),
            "certain_wrong": Cells.dense((certain & ~same).sum(axis=1)),
            **{name: Cells.dense(part) for name, part in joint_counts(outcomes, scored).items()},
            **_evidence_parts(outcomes, labelled),
        }
        self._tally = Tally(parts, units=self.units)
        self.width = self._tally.width
        confidence = outcomes.confidence
        self.reliability: dict[Path, Reliability] = {
            (view, "stance"): reliability(confidence[seen], same[seen])
        }
        # A stance that no model predicts is disputable by nature, so its labels count as the other
        # side in both views, whether marked sure or not.
        other: Bools = outcomes.gold & outcomes.known & (outcomes.gold_stance >= len(self._stances))
        compared = seen | other
        self._ranking = Ranking(confidence[compared], seen[compared], np.nonzero(compared)[0])
        confusion = _confusion(outcomes, compared)
        self.details: dict[Path, Any] = {(view, "stance", "confusion"): confusion}
        self._extra_counts = {
            (view, "stance", "unknown"): int((scored & ~outcomes.known).sum()),
            (view, "unpredicted", "labels"): int(other.sum()),
        }

    def values(self, weights: Floats) -> Values:
        """Every score for every weighting."""
        sums = self._tally.sums(weights)
        confusion = sums["confusion"]
        each = _class_scores(confusion.sum(axis=1))
        by_topic = _class_scores(confusion)
        pairs = confusion.sum(axis=(1, 2, 3))
        values: Values = {
            ("stance", "accuracy"): _accuracy(confusion.sum(axis=1)),
            ("stance", "macro_f1"): mean_defined(each["f1"]),
            ("stance", "coverage"): ratio(sums["certain"], pairs),
            ("stance", "certain_error"): ratio(sums["certain_wrong"], sums["certain"]),
            ("joint", "precision"): ratio(sums["right"], sums["found"]),
            ("joint", "recall"): ratio(sums["right"], sums["gold"]),
            ("joint", "f1"): f1(sums["right"], sums["gold"], sums["found"]),
            ("joint", "exact_match"): ratio(sums["exact"], sums["comparable"]),
            ("unpredicted", "auroc"): self._ranking.auroc(weights),
            ("evidence", "top_hit"): ratio(sums["top_right"], sums["pairs"]),
            ("evidence", "coverage"): ratio(sums["covered"], sums["annotated"]),
            ("evidence", "precision"): ratio(sums["shown_right"], sums["shown"]),
        }
        for other in ("first", "random"):
            values["evidence", other, "top_hit"] = ratio(sums[f"{other}_right"], sums["pairs"])
            covered = sums[f"{other}_covered"]
            values["evidence", other, "coverage"] = ratio(covered, sums["annotated"])
        for column, name in enumerate(self._stances):
            for score, array in each.items():
                values["stance", "each", name, score] = array[:, column]
        accuracy, macro = _accuracy(confusion), mean_defined(by_topic["f1"])
        for column, topic in enumerate(self._topics):
            values["stance", "topics", topic, "accuracy"] = accuracy[:, column]
            values["stance", "topics", topic, "macro_f1"] = macro[:, column]
        return {(self._view, *path): array for path, array in values.items()}

    def counts(self) -> dict[Path, int]:
        """The numbers of labels behind the scores."""
        sums = self._tally.sums(np.ones((1, self.units)))
        confusion = sums["confusion"][0]
        counts: dict[Path, float] = {
            ("stance", "pairs"): confusion.sum(),
            ("stance", "certain"): sums["certain"][0],
            ("joint", "gold"): sums["gold"][0],
            ("joint", "found"): sums["found"][0],
            ("joint", "right"): sums["right"][0],
            ("joint", "comparable_texts"): sums["comparable"][0],
            ("evidence", "pairs"): sums["pairs"][0],
            ("evidence", "annotated_sentences"): sums["annotated"][0],
            ("evidence", "shown_sentences"): sums["shown"][0],
        }
        for column, name in enumerate(self._stances):
            counts["stance", "each", name, "gold"] = confusion.sum(axis=(0, 2))[column]
        for column, topic in enumerate(self._topics):
            counts["stance", "topics", topic, "pairs"] = confusion.sum(axis=(1, 2))[column]
        named = {(self._view, *path): int(count) for path, count in counts.items()}
        return named | self._extra_counts


class PairScorer:
    """Counterfactual pairs; here the unit that is counted and drawn is the pair."""

    def __init__(self, outcomes: Outcomes, view: str, *, sure_only: bool) -> None:
        """Count pairs of which every member is right.

        Args:
            outcomes: The texts; a pair with one member among them is left out.
            view: First part of the names of the scores.
            sure_only: Leave out pairs that hang on a label marked as disputable.
        """
        self._view = view
        scored = outcomes.scored(sure_only=sure_only)
        ignored = outcomes.gold & ~scored
        same = outcomes.predicted_stance == outcomes.gold_stance
        right: Bools = np.where(outcomes.gold, outcomes.found & same, ~outcomes.found)
        members: dict[str, list[int]] = {}
        for row, name in enumerate(outcomes.pairs):
            if name is not None:
                members.setdefault(name, []).append(row)
        groups = [rows for rows in members.values() if len(rows) > 1]
        self.units = len(groups)
        counted = np.zeros((self.units, 4))
        for line, rows in zip(counted, groups, strict=True):
            labels = outcomes.gold_stance[rows]
            differ = (labels != labels[0]).any(axis=0)
            comparable = bool(differ.any()) and not ignored[rows][:, differ].any()
            whole = not ignored[rows].any()
            line[:] = (
                comparable,
                comparable and right[rows][:, differ].all(),
                whole,
                whole and right[rows].all(),
            )
        names = ("comparable", "right", "whole", "exact")
        parts = {name: Cells.dense(counted[:, at]) for at, name in enumerate(names)}
        self._tally = Tally(parts, units=self.units)
        self.width = self._tally.width
        self.reliability: dict[Path, Reliability] = {}
        self.details: dict[Path, Any] = {}

    def values(self, weights: Floats) -> Values:
        """Both scores for every weighting; the weights are of pairs, `(samples, units)`."""
        sums = self._tally.sums(weights)
        place = (self._view, "counterfactual")
        return {
            (*place, "both_right"): ratio(sums["right"], sums["comparable"]),
            (*place, "both_exact"): ratio(sums["exact"], sums["whole"]),
        }

    def counts(self) -> dict[Path, int]:
        """The number of pairs behind each score."""
        sums = self._tally.sums(np.ones((1, self.units)))
        place = (self._view, "counterfactual")
        return {
            (*place, "pairs"): int(sums["comparable"][0]),
            (*place, "exact_pairs"): int(sums["whole"][0]),
        }


Scorer = TopicScorer | ViewScorer | PairScorer


def joint_counts(outcomes: Outcomes, scored: Bools) -> dict[str, NDArray[np.intp]]:
    """What is right of each text, topic and stance together, each `(texts,)`.

    Args:
        outcomes: The texts.
        scored: `(texts, topics)`, the labels that count, see `Outcomes.scored`.

    Returns:
        `right`, `gold` and `found` pairs; `comparable` for texts of which no label is left out,
        `exact` for those of them where everything is right.
    """
    same = outcomes.predicted_stance == outcomes.gold_stance
    # A found topic whose label is left out brings neither gain nor penalty.
    ignored = outcomes.gold & ~scored
    right = (outcomes.found & scored & same).sum(axis=1)
    gold = scored.sum(axis=1)
    found = (outcomes.found & ~ignored).sum(axis=1)
    comparable = ~ignored.any(axis=1)
    exact = comparable & (right == gold) & (right == found)
    parts = {"right": right, "gold": gold, "found": found, "comparable": comparable, "exact": exact}
    return {name: array.astype(np.intp) for name, array in parts.items()}


def _evidence_parts(outcomes: Outcomes, labelled: Bools) -> dict[str, Cells]:
    names = ["annotated", "covered", "shown", "shown_right", "top_right"]
    names += [f"{who}_{what}" for who in ("first", "random") for what in ("covered", "right")]
    parts = {
        name: Cells.dense(np.where(labelled, getattr(outcomes, name), 0).sum(axis=1))
        for name in names
    }
    return parts | {"pairs": Cells.dense((labelled & (outcomes.annotated > 0)).sum(axis=1))}


def _class_scores(confusion: Floats) -> dict[str, Floats]:
    """Scores per class from `(..., gold class, predicted class)`, each `(..., classes)`."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    gold, found = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return {
        "precision": ratio(right, found),
        "recall": ratio(right, gold),
        "f1": f1(right, gold, found),
    }


def _accuracy(confusion: Floats) -> Floats:
    right = np.diagonal(confusion, axis1=-2, axis2=-1).sum(axis=-1)
    return ratio(right, confusion.sum(axis=(-2, -1)))


def _confusion(outcomes: Outcomes, compared: NDArray[np.bool_]) -> dict[str, dict[str, int]]:
    """How often each labelled stance, unpredicted ones included, got each predicted one."""
    rows = (*outcomes.stances, *outcomes.unpredicted)
    counts = np.zeros((len(rows), len(outcomes.stances)), np.intp)
    np.add.at(counts, (outcomes.gold_stance[compared], outcomes.predicted_stance[compared]), 1)
    return {
        gold: dict(zip(outcomes.stances, line.tolist(), strict=True))
        for gold, line in zip(rows, counts, strict=True)
    }
