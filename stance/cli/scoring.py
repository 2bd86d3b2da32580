"""What the verbs that score share: loading, a progress bar, tables of scores."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from stance.cli import display
from stance.errors import listing
from stance.predictions import Prediction

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

    from stance.evaluation.inputs import Job, Model, Watch
    from stance.evaluation.layout import Table
    from stance.evaluation.outputs import Written

# Wide enough for the widest table where no terminal says how wide it is.
_FILE_WIDTH = 140
# Names longer than this are broken before intervals are left out.
_NAME_WIDTH = 30
# Between two columns: padding of both, and the line of the box.
_GAP = 3


def load_classifier(model: str | None) -> Model:
    """Load a model; None for the released one.

    Raises:
        ModelError: If it cannot be used.
    """
    # Loaded here, so that --help and mistakes in the arguments do not wait for the engine.
    from stance.classifier import Classifier

    return Classifier.from_pretrained(model)


def tell_faults(job: Job) -> None:
    """Say which records are left out, and why."""
    faults = job.dataset.faults
    for fault in faults:
        display.note(display.plain(str(fault)))
    if faults:
        display.note(f"faults: {len(faults):,}; went on with {len(job.dataset.records):,} records")


def tell_written(written: Written, *, page: str) -> None:
    """Say where the files are, and why there is no page.

    Args:
        written: The files.
        page: What the page is called.
    """
    display.note(f"written to {listing(map(str, written.files))}")
    if written.left_out:
        display.note(f"{page} is not written: {written.left_out}")


def no_room_words(titles: Sequence[str]) -> str:
    """What to do about tables without their intervals, see `print_tables`."""
    names = ", ".join(display.plain(title) for title in titles)
    return f"no room for intervals in: {names}; a wider window or --report shows them"


def progress_bar(total: int) -> Watch:
    """Passes predictions on, with a bar on a terminal."""

    def watch(answers: Iterator[Prediction]) -> Iterator[Prediction]:
        if not sys.stderr.isatty():
            yield from answers
            return
        from rich.progress import Progress

        with Progress(console=display.console(stderr=True), transient=True) as progress:
            yield from progress.track(answers, total=total, description="reading")

    return watch


def table_console() -> Console:
    """Standard output, wide enough for the tables where no terminal says how wide it is."""
    out = display.console()
    if not out.is_terminal:
        out.width = _FILE_WIDTH
    return out


def print_tables(out: Console, tables: Sequence[Table]) -> list[str]:
    """Print tables one below the other.

    Returns:
        Titles of those that have no room for intervals and are printed without.
    """
    from rich.text import Text

    narrow = [table for table in tables if _needed_width(table) > out.width]
    for table in tables:
        # Not the table's own title, which is broken to the width of a narrow table.
        out.print(Text(display.plain(table.title), style="bold"), soft_wrap=True)
        out.print(_drawn(table, intervals=table not in narrow))
    return [table.title for table in narrow]


def _needed_width(table: Table) -> int:
    """Width at which no number is broken; names and heads may be."""
    from stance.evaluation.layout import cell_words

    columns = zip(*([cell_words(cell) for cell in row] for row in table.rows), strict=True)
    widths = [max(map(len, column)) for column in columns]
    return min(widths[0], _NAME_WIDTH) + sum(widths[1:]) + _GAP * len(widths)


def _drawn(table: Table, *, intervals: bool) -> RichTable:
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    from stance.evaluation.layout import cell_words

    drawn = RichTable(
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        padding=(0, 1),
    )
    for place, name in enumerate(table.columns):
        drawn.add_column(
            Text(display.plain(name)), justify="right" if place else "left", overflow="fold"
        )
    for row in table.rows:
        cells = (cell_words(cell, intervals=intervals) for cell in row)
        drawn.add_row(*(Text(display.plain(cell)) for cell in cells))
    return drawn
