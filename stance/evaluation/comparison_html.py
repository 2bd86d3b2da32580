"""A comparison as one HTML page."""

from __future__ import annotations

from collections.abc import Iterable

from stance.evaluation.comparison import TESTED, Comparison, Row
from stance.evaluation.comparison_words import (
    heading,
    method_words,
    p_words,
    score_name,
    slice_verdict,
    test_words,
    verdicts,
    winner,
)
from stance.evaluation.markdown import facts
from stance.evaluation.pages import render_page


def render_comparison_html(comparison: Comparison, *, texts: int) -> str:
    """The comparison as one HTML document that fetches nothing.

    Args:
        comparison: What to show.
        texts: How many of the texts that not all are right on are listed.

    Raises:
        MissingExtraError: If jinja2 is not installed.
    """
    return render_page(
        "compare.html",
        title=heading(comparison),
        comparison=comparison,
        facts=facts(comparison.about),
        contenders=[(name, facts(comparison.contenders[name])) for name in comparison.names],
        verdicts=verdicts(comparison),
        method_words=method_words(comparison, where="Under each number"),
        tested=TESTED,
        reach=_reach(comparison.rows),
        slice_reach=_reach(item.row for item in comparison.slices),
        detail_reach=_reach(comparison.details),
        details=[
            row
            for row in comparison.details
            if any(score.value is not None for score in row.scores)
        ],
        splits=comparison.splits[:texts],
        winner=winner,
        p_words=p_words,
        test_words=test_words,
        score_name=score_name,
        slice_verdict=slice_verdict,
    )


def _reach(rows: Iterable[Row]) -> float:
    """A scale from minus to plus this holds all differences of a table and their intervals."""
    ends = [
        abs(end)
        for row in rows
        for score in row.differences
        for end in (score.value, score.low, score.high)
        if end is not None
    ]
    # Rounded up to a twentieth, so that like tables have like scales.
    return max(0.05, -(-max(ends, default=0.0) * 20 // 1) / 20)
