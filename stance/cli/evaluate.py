"""`stance evaluate`: labelled data and a model or its predictions in, scores and a report out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stance.cli import display
from stance.cli.options import Format, OutputFormat, SkipInvalid, SplitsFile
from stance.cli.scoring import (
    load_classifier,
    no_room_words,
    print_tables,
    progress_bar,
    table_console,
    tell_faults,
    tell_written,
)
from stance.errors import UsageError

if TYPE_CHECKING:
    from stance.evaluation import Report


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
    splits: SplitsFile = None,
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
    skip_invalid: SkipInvalid = False,
    output_format: OutputFormat = Format.text,
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
    tell_faults(job)
    watch = progress_bar(len(job.records))
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
        sys.stdout.write(display.json_text(result.to_dict(), indent=2) + "\n")
    else:
        print_report(result)
    for message in result.notes:
        display.note(f"note: {display.plain(message)}")
    if report is not None:
        tell_written(write_report(result, report), page="report.html")


def print_report(report: Report) -> None:
    """Print what was evaluated and the main tables."""
    from rich.text import Text

    from stance.evaluation.markdown import report_tables

    out = table_console()
    for message in report.faults.warnings():
        out.print(Text(f"warning: {display.plain(message)}", style="bold"), soft_wrap=True)
    for key in ("data", "split", "model", "predictions"):
        if key in report.about:
            out.print(Text(f"{key}: {display.plain(str(report.about[key]))}"), soft_wrap=True)
    out.print(Text(display.plain(report.signature)), soft_wrap=True)
    out.print()
    narrow = print_tables(out, [table for table in report_tables(report) if not table.detail])
    if report.resamples:
        words = f"95 % intervals, {report.resamples:,} bootstrap samples of the texts"
        out.print(f"in parentheses: {words}")
        if narrow:
            out.print(no_room_words(narrow))
