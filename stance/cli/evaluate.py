"""`stance evaluate`: labelled data and a model or its predictions in, scores and a report out."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stance.cli import display
from stance.errors import UsageError, listing
from stance.predictions import Prediction

if TYPE_CHECKING:
    from rich.table import Table as RichTable

    from stance.evaluation import Report
    from stance.evaluation.inputs import Job, Model, Watch
    from stance.evaluation.layout import Table

# Wide enough for the widest table where no terminal says how wide it is.
_FILE_WIDTH = 140
# Names longer than this are broken before intervals are left out.
_NAME_WIDTH = 30
# Between two columns: padding of both, and the line of the box.
_GAP = 3


class Format(StrEnum):
    """How the scores are written to standard output."""

    text = "text"
    json = "json"


def evaluate(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA",
            help="Labelled data: a folder, files (.jsonl, .csv, .tsv, .parquet), or hf:NAME.",
        ),
    ],
    split: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Only the texts of this split, e.g. test."),
    ] = None,
    splits: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The splits; splits.json with the data if not given."),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Topics and stances of the labels; schema.json or schema.toml beside the data, "
            "or else the model's.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(metavar="FOLDER|NAME", help="The model; the released one if not given."),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Predictions made earlier, instead of a model: "
            "stance predict --in DATA --out FILE.jsonl --full",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Write report.json, report.md and report.html there."),
    ] = None,
    resamples: Annotated[
        int, typer.Option(min=0, help="Bootstrap samples for the 95 % intervals; 0 for none.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of the bootstrap samples.")] = 0,
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="FIELD",
            help="Score apart by this field of the records too; may be given several times.",
        ),
    ] = None,
    errors: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="How many of the most confident errors to report."),
    ] = 50,
    training_data: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|FILE",
            help="What the model was trained on, to warn of texts that stand in both; with "
            "--split, the split train if not given.",
        ),
    ] = None,
    near_duplicates: Annotated[
        bool | None,
        typer.Option(
            "--near-duplicates/--no-near-duplicates",
            help="Look for texts that are almost the same; if not given, for up to 50,000 texts.",
        ),
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Go on without records that have faults.")
    ] = False,
    output_format: Annotated[
        Format, typer.Option("--format", help="How to write to standard output.")
    ] = Format.text,
) -> None:
    """Score a model on labelled data: topics, stance, both together, evidence, with intervals."""
    if model is not None and predictions is not None:
        raise UsageError("--model and --predictions: expected one of them, found both")
    if splits is not None and split is None:
        raise UsageError("--splits: name the split to evaluate, e.g. --split test")
    # Late, so that --help does not wait for them.
    from stance.evaluation import inputs, write_report

    measure: Callable[..., Report]
    if predictions is None:
        classifier = load_classifier(model)
        name = model or "default"
        measure = partial(inputs.evaluate_model, classifier=classifier, name=name)
        fallback = classifier.schema
    else:
        measure, fallback = partial(inputs.evaluate_file, path=predictions), None
    job = inputs.load_job(
        data,
        schema,
        split=split,
        splits_file=splits,
        fallback=fallback,
        skip_invalid=skip_invalid,
        training_data=training_data,
    )
    _tell_faults(job)
    watch = _progress(len(job.records))
    result = measure(
        job,
        resamples=resamples,
        seed=seed,
        slices=slices or (),
        errors=errors,
        near_duplicates=near_duplicates,
        watch=watch,
    )
    if output_format is Format.json:
        for message in result.faults.warnings():
            display.note(f"warning: {display.plain(message)}")
        sys.stdout.write(json.dumps(result.to_dict(), ensure_ascii=False, indent=2) + "\n")
    else:
        print_report(result)
    for message in result.notes:
        display.note(f"note: {display.plain(message)}")
    if report is not None:
        written = write_report(result, report)
        display.note(f"written to {listing(map(str, written.files))}")
        if written.left_out:
            display.note(f"report.html is not written: {written.left_out}")


def load_classifier(model: str | None) -> Model:
    """Load a model; None for the released one.

    Raises:
        ModelError: If it cannot be used.
    """
    # Loaded here, so that --help and mistakes in the arguments do not wait for the engine.
    from stance.classifier import Classifier

    return Classifier.from_pretrained(model)


def _tell_faults(job: Job) -> None:
    faults = job.dataset.faults
    for fault in faults:
        display.note(display.plain(str(fault)))
    if faults:
        display.note(f"faults: {len(faults):,}; went on with {len(job.dataset.records):,} records")


def _progress(total: int) -> Watch:
    """Passes predictions on, with a bar on a terminal."""

    def watch(answers: Iterator[Prediction]) -> Iterator[Prediction]:
        if not sys.stderr.isatty():
            yield from answers
            return
        from rich.progress import Progress

        with Progress(console=display.console(stderr=True), transient=True) as progress:
            yield from progress.track(answers, total=total, description="reading")

    return watch


def print_report(report: Report) -> None:
    """Print what was evaluated and the main tables."""
    from rich.text import Text

    from stance.evaluation.markdown import report_tables

    out = display.console()
    if not out.is_terminal:
        out.width = _FILE_WIDTH
    for message in report.faults.warnings():
        out.print(Text(f"warning: {display.plain(message)}", style="bold"), soft_wrap=True)
    for key in ("data", "split", "model", "predictions"):
        if key in report.about:
            out.print(Text(f"{key}: {display.plain(str(report.about[key]))}"), soft_wrap=True)
    out.print(Text(display.plain(report.signature)), soft_wrap=True)
    out.print()
    tables = [table for table in report_tables(report) if not table.detail]
    narrow = [table for table in tables if _needed_width(table) > out.width]
    for table in tables:
        out.print(_drawn(table, intervals=table not in narrow))
    if report.resamples:
        words = f"95 % intervals, {report.resamples:,} bootstrap samples of the texts"
        out.print(f"in parentheses: {words}")
        if narrow:
            titles = ", ".join(display.plain(table.title) for table in narrow)
            out.print(f"no room for intervals in: {titles}; a wider window or --report shows them")


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
        title=Text(display.plain(table.title), style="bold"),
        title_justify="left",
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
