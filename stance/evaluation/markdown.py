"""A report as Markdown, and the tables that the terminal and the page show too."""

from __future__ import annotations

import re
from collections.abc import Mapping

from stance.evaluation.layout import (
    Cell,
    Table,
    card_tables,
    cell_words,
    slice_table,
    weakest_table,
)
from stance.evaluation.report import Report
from stance.evaluation.resampling import LEVEL


def report_tables(report: Report) -> list[Table]:
    """The tables of the whole set, then one line for each slice, then the mistakes."""
    tables = card_tables(report.overall, report.schema)
    if report.weakest:
        tables.append(weakest_table(report.weakest))
    tables += [slice_table(name, cards) for name, cards in report.slices.items() if cards]
    if report.mistakes:
        tables.append(_mistakes(report))
    return tables


def render_markdown(report: Report) -> str:
    """The report as Markdown: warnings, what was evaluated, notes, tables."""
    lines = ["# Evaluation", ""]
    warnings = report.faults.warnings()
    if warnings:
        lines += ["**Warning: the data have faults.**", ""]
        lines += [*(f"- {markdown_cell(words)}" for words in warnings), ""]
    lines += [f"`{report.signature}`", ""]
    lines += [
        f"- {markdown_cell(key)}: {markdown_cell(words)}" for key, words in facts(report.about)
    ]
    lines += ["", interval_words(report), ""] if report.about else [interval_words(report), ""]
    if report.notes:
        lines += ["## Notes", "", *(f"- {markdown_cell(note)}" for note in report.notes), ""]
    for table in report_tables(report):
        lines += markdown_table(table)
    return "\n".join(lines)


def facts(about: Mapping[str, object]) -> list[tuple[str, str]]:
    """What was evaluated, in words."""
    return [(key.replace("_", " "), _long(value)) for key, value in about.items()]


def _mistakes(report: Report) -> Table:
    rows: list[tuple[Cell, ...]] = [
        (
            item.id,
            item.topic,
            item.sort,
            item.labelled or "",
            item.predicted or "",
            f"{item.confidence:.3f}",
            " / ".join(evidence.sentence for evidence in item.shown),
        )
        for item in report.mistakes
    ]
    columns = ("id", "topic", "error", "labelled", "predicted", "confidence", "evidence shown")
    title = f"Errors: the {len(rows):,} most confident of {report.mistakes_total:,}"
    return Table(title=title, columns=columns, rows=tuple(rows), detail=True)


def interval_words(report: Report) -> str:
    """What the intervals are."""
    if not report.resamples:
        return "No intervals were computed."
    return (
        f"In parentheses {LEVEL:.0%} intervals".replace("%", " %")
        + f": percentiles over {report.resamples:,} bootstrap samples of the texts."
    )


def _long(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def markdown_table(table: Table, *, level: int = 2) -> list[str]:
    """The lines of a table under its title, with an empty one behind."""
    lines = [f"{'#' * level} {markdown_cell(table.title)}", ""]
    align = ["---", *(["---:"] * (len(table.columns) - 1))]
    for cells in (table.columns, align, *(map(cell_words, row) for row in table.rows)):
        lines.append("| " + " | ".join(map(markdown_cell, cells)) + " |")
    return [*lines, ""]


def markdown_cell(text: str) -> str:
    """Text that Markdown neither breaks a table at nor reads as a tag, a link or a picture."""
    words = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;")
    return re.sub(r"([\\|`\[\]])", r"\\\1", words)
