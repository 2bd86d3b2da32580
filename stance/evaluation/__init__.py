"""Scores for predictions against labels; needs no model, no training library and no network."""

from stance.evaluation.counts import Outcomes, count_outcomes
from stance.evaluation.report import Report, evaluate, render_markdown, write_report
from stance.evaluation.scorecard import Score, Scorecard, score_texts

__all__ = [
    "Outcomes",
    "Report",
    "Score",
    "Scorecard",
    "count_outcomes",
    "evaluate",
    "render_markdown",
    "score_texts",
    "write_report",
]
