"""Scores for predictions against labels; needs no model, no training library and no network."""

from stance.evaluation.comparison import Comparison, Contender, compare
from stance.evaluation.counts import Outcomes, count_outcomes
from stance.evaluation.faults import Training
from stance.evaluation.html import render_html
from stance.evaluation.markdown import render_markdown
from stance.evaluation.outputs import write_comparison, write_report
from stance.evaluation.report import Report, evaluate
from stance.evaluation.scorecard import Score, Scorecard, score_texts

__all__ = [
    "Comparison",
    "Contender",
    "Outcomes",
    "Report",
    "Score",
    "Scorecard",
    "Training",
    "compare",
    "count_outcomes",
    "evaluate",
    "render_html",
    "render_markdown",
    "score_texts",
    "write_comparison",
    "write_report",
]
