"""`stance compare`: models or predictions on the same labelled data, held against the first."""

from __future__ import annotations

import sys
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
from stance.errors import UsageError, listing

if TYPE_CHECKING:
    from stance.evaluation.comparison import Comparison
    from stance.evaluation.inputs import Model


def compare(
    contenders: Annotated[
        list[str],
        typer.Argument(
            metavar="A B [C...]",
            help="Models (folders or names) or files of predictions (.jsonl) for the same texts; "
            "the others are held against the first.",
        ),
    ],
    data: Annotated[
        list[str],
        typer.Option(
            "--data",
            metavar="DATA",
            help="The labelled data: a folder, a file, or hf:NAME; may be given several times.",
        ),
    ],
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the texts of this split, e.g. test.")
    ] = None,
    splits: SplitsFile = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Topics and stances of the labels; schema.json or schema.toml beside the data, "
            "or else those of the first model.",
        ),
    ] = None,
    report: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="Write compare.json, compare.md and compare.html there."
        ),
    ] = None,
    resamples: Annotated[
        int,
        typer.Option(
            min=0,
            help="Bootstrap samples for the 95 % intervals, and permutations for the tests; 0 for "
            "neither.",
        ),
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of both.")] = 0,
    slices: Annotated[
        list[str] | None,
        typer.Option(
            "--slice",
            metavar="FIELD",
            help="Compare apart by this field of the records too; may be given several times.",
        ),
    ] = None,
    texts: Annotated[
        int,
        typer.Option(
            min=0, metavar="N", help="How many of the texts that not all are right on to list."
        ),
    ] = 100,
    skip_invalid: SkipInvalid = False,
    output_format: OutputFormat = Format.text,
) -> None:
    """Say which of several models is better, on what, and whether chance alone could say so."""
    if len(contenders) < 2:
        raise UsageError(f"expected two models or files of predictions or more, found {contenders}")
    if splits is not None and split is None:
        raise UsageError("--splits: name the split to compare on, e.g. --split test")
    # Late, so that --help does not wait for them.
    from stance.evaluation import compare as measure
    from stance.evaluation import inputs, write_comparison
    from stance.evaluation.comparison import Contender

    names = display_names(contenders)
    models: dict[str, Model] = {
        item: load_classifier(item)
        for item in contenders
        if not item.lower().endswith(inputs.PREDICTION_ENDINGS)
    }
    job = inputs.load_job(
        data,
        schema,
        split=split,
        splits_file=splits,
        fallback=next((model.schema for model in models.values()), None),
        skip_invalid=skip_invalid,
    )
    tell_faults(job)
    watch = progress_bar(len(job.records))
    entrants = []
    for item, name in zip(contenders, names, strict=True):
        if item in models:
            model = models[item]
            inputs.check_fit(job.dataset.schema, model.schema)
            about = {"model": item, "model_digest": model.digest}
            answers = watch(inputs.model_predictions(job, model))
        else:
            about = inputs.file_about(Path(item))
            answers = watch(inputs.PredictionFile(Path(item), job).read())
        entrants.append(Contender(name=name, about=about, predictions=answers))
    result = measure(
        job.records,
        entrants,
        job.dataset.schema,
        resamples=resamples,
        seed=seed,
        about={**job.about, **inputs.run_facts()},
        slices=slices or (),
    )
    if output_format is Format.json:
        sys.stdout.write(display.json_text(result.to_dict(), indent=2) + "\n")
    else:
        print_comparison(result)
    for message in result.notes:
        display.note(f"note: {display.plain(message)}")
    if report is not None:
        tell_written(write_comparison(result, report, texts=texts), page="compare.html")


def display_names(contenders: list[str]) -> list[str]:
    """The last part of each path, or the whole where two would have one name.

    Raises:
        UsageError: If one is named twice.
    """
    if len(set(contenders)) < len(contenders):
        raise UsageError(f"expected different models or files, found {listing(contenders)}")
    short = [Path(item).name or item for item in contenders]
    return short if len(set(short)) == len(short) else contenders


def print_comparison(comparison: Comparison) -> None:
    """Print the tested scores and the slices."""
    from rich.text import Text

    from stance.evaluation.comparison_words import comparison_tables, method_words, verdicts

    out = table_console()
    for key in ("data", "split"):
        if key in comparison.about:
            line = f"{key}: {display.plain(str(comparison.about[key]))}"
            out.print(Text(line), soft_wrap=True)
    out.print(Text(display.plain(comparison.signature)), soft_wrap=True)
    out.print()
    for words in verdicts(comparison):
        out.print(Text(display.plain(words), style="bold"), soft_wrap=True)
    out.print()
    tables = [table for table in comparison_tables(comparison, texts=0) if not table.detail]
    narrow = print_tables(out, tables)
    out.print(
        f"the answers differ on {comparison.differing:,} of {comparison.texts:,} texts; on "
        f"{len(comparison.splits):,} of them not all are right or all wrong"
    )
    out.print(Text(method_words(comparison)), soft_wrap=True)
    if narrow:
        out.print(no_room_words(narrow))
