"""Curves against scikit-learn and against counts by hand."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_support import TOPICS, Cell, Row, outcomes_of, right, rows
from hypothesis import given

from stance.evaluation.curves import MAX_POINTS, curves

metrics = pytest.importorskip("sklearn.metrics")
pytestmark = pytest.mark.training


@given(rows)
def test_precision_against_recall(table: list[Row]) -> None:
    found = curves(outcomes_of(table), sure_only=False)["precision_recall"]
    for column, topic in enumerate(TOPICS):
        gold = [row[column].gold is not None for row in table]
        if not any(gold):
            assert found[topic] == []
            continue
        precision, recall, thresholds = metrics.precision_recall_curve(
            gold, [row[column].probability for row in table]
        )
        points = [(item["threshold"], item["precision"], item["recall"]) for item in found[topic]]
        expected = list(zip(thresholds, precision, recall, strict=False))[::-1]
        assert points == [pytest.approx(point, abs=1e-6) for point in expected]


@given(rows)
def test_scores_are_spread_over_bins(table: list[Row]) -> None:
    found = curves(outcomes_of(table), sure_only=False)["scores"]
    for column, topic in enumerate(TOPICS):
        for name, has in (("with", True), ("without", False)):
            values = [
                row[column].probability for row in table if (row[column].gold is not None) == has
            ]
            counts = [0] * 20
            for probability in values:
                counts[min(19, int(probability * 20))] += 1
            assert found[topic][name] == counts


@given(rows)
def test_risk_against_coverage(table: list[Row]) -> None:
    for sure_only in (True, False):
        cells = [
            cell
            for row in table
            for cell in row
            if cell.has_predicted_stance and cell.says_stance and (cell.sure or not sure_only)
        ]
        points = curves(outcomes_of(table), sure_only=sure_only)["risk_coverage"]
        levels = sorted({max(cell.stances) for cell in cells}, reverse=True)
        assert len(points) == len(levels)
        for point, level in zip(points, levels, strict=True):
            kept = [cell for cell in cells if max(cell.stances) >= level]
            wrong = sum(cell.predicted != cell.gold for cell in kept)
            assert point["confidence"] == pytest.approx(level, abs=1e-6)
            assert point["coverage"] == pytest.approx(len(kept) / len(cells), abs=1e-6)
            assert point["error"] == pytest.approx(wrong / len(kept), abs=1e-6)


def test_a_long_curve_is_thinned_and_keeps_its_ends() -> None:
    draw = np.random.default_rng(0)
    table = [
        (right("mixed", probability=float(value)), Cell(), Cell()) for value in draw.random(1000)
    ]
    points = curves(outcomes_of(table), sure_only=False)["precision_recall"]["harbour"]
    assert len(points) == MAX_POINTS
    assert points[0]["recall"] == 0.001
    assert points[-1]["recall"] == 1
