"""A report as one HTML page: its sections, its figures, and its errors with marked evidence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from stance.evaluation import plots
from stance.evaluation.figures import draw_svg
from stance.evaluation.layout import Table, card_tables, slice_table, weakest_table
from stance.evaluation.markdown import facts, interval_words
from stance.evaluation.mistakes import passages
from stance.evaluation.pages import render_page
from stance.evaluation.report import Report
from stance.evaluation.resampling import Path
from stance.evaluation.scorecard import MAIN, Score

if TYPE_CHECKING:
    from markupsafe import Markup

# Figures that every topic has one of are drawn for so many topics.
MAX_TOPICS = 12
# Ids of one warning that are shown; `report.json` has them all.
MAX_IDS = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A figure and the words under it."""

    svg: Markup
    caption: str


def render_html(report: Report) -> str:
    """The report as one HTML document that fetches nothing.

    Raises:
        MissingExtraError: If jinja2 or matplotlib is not installed.
    """
    sections: dict[str, list[Table]] = {}
    for table in card_tables(report.overall, report.schema):
        sections.setdefault(table.section, []).append(table)
    figures = _figures(report)
    return render_page(
        "report.html",
        title="Evaluation",
        report=report,
        name=_name(report),
        head=_head(report),
        warnings=_warnings(report),
        facts=facts(report.about),
        interval_words=interval_words(report),
        sections=sections,
        figures=figures,
        weakest=weakest_table(report.weakest),
        slices=[slice_table(name, cards) for name, cards in report.slices.items() if cards],
        mistakes=[(item, passages(item)) for item in report.mistakes],
    )


def _name(report: Report) -> str:
    about = report.about
    return str(about.get("model") or about.get("predictions") or "")


def _head(report: Report) -> list[tuple[str, Score]]:
    """The figures that a reader looks for first."""
    main: list[tuple[str, Path]] = [
        ("Topics, macro F1", ("topics", "macro", "f1")),
        ("Stance, macro F1", (MAIN, "stance", "macro_f1")),
        ("Topic and stance, joint F1", (MAIN, "joint", "f1")),
        ("All topics and stances right", (MAIN, "joint", "exact_match")),
    ]
    return [(name, report.overall.scores[path]) for name, path in main]


def _warnings(report: Report) -> list[tuple[str, list[str], int]]:
    """Each warning with the ids that it is about, and how many of these are not shown."""
    faults = report.faults
    leaks = [f"{leak.id} = {', '.join(leak.training_ids)}" for leak in faults.leaks]
    groups = [
        [
            " = ".join(item.ids) + ("" if item.same_labels else " (different labels)")
            for item in faults.duplicates
            if item.exact is exact
        ]
        for exact in (True, False)
    ]
    lists = [ids for ids in (leaks, *groups) if ids]
    return [
        (words, ids[:MAX_IDS], max(0, len(ids) - MAX_IDS))
        for words, ids in zip(faults.summaries(), lists, strict=True)
    ]


def _figures(report: Report) -> dict[str, list[Figure]]:
    """The figures by section."""
    card, curves = report.overall, report.curves
    topics = report.schema.topic_names[:MAX_TOPICS]
    thresholds = report.about.get("thresholds", {})
    found: dict[str, list[Figure]] = {}

    def add(section: str, name: str, caption: str, draw: Callable[[Any], None]) -> None:
        svg = draw_svg(draw, name=name, words=caption)
        found.setdefault(section, []).append(Figure(svg=svg, caption=caption))

    chosen = {
        topic: (
            card.value("topics", "each", topic, "precision"),
            card.value("topics", "each", topic, "recall"),
        )
        for topic in topics
    }
    lines = {topic: curves["precision_recall"][topic] for topic in topics}
    if any(lines.values()):
        add(
            "topics",
            "precision-recall",
            "Precision against recall as the threshold falls. The dot is the model's threshold.",
            partial(plots.precision_recall, curves=lines, chosen=chosen),
        )
    for place, topic in enumerate(topics):
        gold, taken, right = (
            card.counts["topics", "each", topic, name] for name in ("gold", "found", "right")
        )
        texts = card.counts["texts",]
        counts = [[right, gold - right], [taken - right, texts - gold - taken + right]]
        add(
            "topics",
            f"topic-{place}",
            f"{topic}: texts by label and by answer; shares are of the row.",
            partial(
                plots.confusion,
                counts=counts,
                rows=("carries it", "does not"),
                columns=("found", "not found"),
            ),
        )
    for place, topic in enumerate(topics):
        add(
            "topics",
            f"scores-{place}",
            f"{topic}: how its probabilities are spread. Counts grow tenfold from line to line.",
            partial(
                plots.histogram, counts=curves["scores"][topic], threshold=thresholds.get(topic)
            ),
        )
    matrix = card.details[MAIN, "stance", "confusion"]
    rows = [name for name in matrix if any(matrix[name].values())]
    if rows:
        add(
            "stance",
            "stance",
            "Labelled against predicted stance; shares are of the row. Stances that no model "
            "predicts have a row only.",
            partial(
                plots.confusion,
                counts=[list(matrix[name].values()) for name in rows],
                rows=rows,
                columns=report.schema.predicted_stances,
            ),
        )
    calibration: list[tuple[str, Path]] = [
        ("presence", ("topics",)),
        ("stance", (MAIN, "stance")),
    ]
    for name, place_of in calibration:
        bins, error = card.details[*place_of, "bins"], card.value(*place_of, "ece")
        if error is not None:
            add(
                "calibration",
                f"reliability-{name}",
                f"Probabilities of {name}: calibration error (ECE) {error:.3f}.",
                partial(plots.reliability, bins=bins),
            )
    if curves["risk_coverage"]:
        reached = (
            card.value(MAIN, "stance", "coverage"),
            card.value(MAIN, "stance", "certain_error"),
        )
        promise = report.promise or {}
        promised = promise.get("error_bound") if promise.get("promised") else None
        add(
            "calibration",
            "risk-coverage",
            _risk_words(reached, promised, known=report.promise is not None),
            partial(
                plots.risk_coverage,
                points=curves["risk_coverage"],
                reached=reached,
                promised=promised,
            ),
        )
    if len(report.history) > 1:
        add(
            "learning",
            "learning",
            "Scores on the validation texts after each epoch of training.",
            partial(plots.learning_curve, history=report.history),
        )
    return found


def _risk_words(
    reached: tuple[float | None, float | None], promised: float | None, *, known: bool
) -> str:
    coverage, error = reached
    words = "Stances, the most confident first: error against coverage."
    if coverage is not None and error is not None:
        words += f" Not marked uncertain: {coverage:.1%} of them, with an error of {error:.1%}"
        if promised is not None:
            words += f"; the model promised at most {promised:.1%}"
        words += "."
    elif known:
        words += " All are marked uncertain."
    # Not parted from its number at the end of a line.
    return words.replace("%", "\u00a0%")
