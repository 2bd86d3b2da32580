"""`stance predict`: articles in, predictions out, one at a time and in order."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from stance.answers import Answer, Predictor, answers
from stance.cli import cluster, display, sources
from stance.errors import UsageError
from stance.formats import carried_columns
from stance.journal import Journal, Run, is_complete, open_journal, takes_journal
from stance.predictions import FaultyInput
from stance.schema import Schema
from stance.writers import ending_to_write, open_writer

if TYPE_CHECKING:
    from stance.cli.display import Counter
    from stance.cli.sources import Source

Sink = Callable[[Answer], None]


class Format(StrEnum):
    """How predictions are written to standard output, or to many files."""

    table = "table"
    jsonl = "jsonl"
    parquet = "parquet"


class Engine(StrEnum):
    """Where articles are read."""

    local = "local"
    ray = "ray"


class SchemaPredictor(Predictor, Protocol):
    """What this verb needs of a classifier."""

    @property
    def schema(self) -> Schema:
        """The topics and stances of its answers."""

    @property
    def digest(self) -> str:
        """Identifies its answers."""


def predict(
    inputs: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="TEXT|FILE|FOLDER|-",
            help="What to read: a text in quotes; a file (.txt one article; .jsonl, .csv, .tsv, "
            ".parquet many); a folder, all its files; - for standard input (one text, or JSON "
            "Lines if it begins with a brace).",
        ),
    ] = None,
    in_file: Annotated[
        Path | None,
        typer.Option(
            "--in",
            metavar="FILES",
            help="Articles to read: a file, a folder, or a pattern in quotes ('news/*.parquet').",
        ),
    ] = None,
    out_file: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="FILE|FOLDER",
            help="Write the predictions to this file; its ending (.jsonl, .csv, .tsv, .parquet) "
            "says how. Until all are there, they are kept in FILE.part. With --engine ray: to this "
            "folder, a file for each that is read.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on with a run into the same --out FILE that was stopped. With --engine ray: "
            "read the files whose predictions are not yet there.",
        ),
    ] = False,
    model: Annotated[
        str | None,
        typer.Option(metavar="FOLDER|NAME", help="The model; the released one if not given."),
    ] = None,
    output_format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="How to write to standard output, table or jsonl; with --engine ray how to write "
            "files, jsonl (if not given) or parquet.",
        ),
    ] = Format.table,
    keep: Annotated[
        bool, typer.Option("--keep", help="Carry the other fields of the input through.")
    ] = False,
    full: Annotated[
        bool,
        typer.Option("--full", help="Add what the stance would be on topics that were not found."),
    ] = False,
    precision: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            help="Find topics with at least this precision on held-out data, instead of with the "
            "best balance.",
        ),
    ] = None,
    threads: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processor threads; all if not given. With --engine ray: of each worker, 1 if "
            "not given.",
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            help="Where to read: in this process, or with workers of a Ray cluster (extra ray)."
        ),
    ] = Engine.local,
    workers: Annotated[
        int | None,
        typer.Option(
            min=1, help="With --engine ray: how many workers; as many as there is room for."
        ),
    ] = None,
) -> None:
    """Say which topics articles carry, how each is presented, and which sentences show it."""
    wanted = sources.find_sources(inputs or (), in_file)
    if engine is Engine.ray:
        _tell_what_is_left(wanted)
        counter = cluster.predict_files(
            wanted,
            out_file,
            model=model,
            precision=precision,
            threads=threads or 1,
            keep=keep,
            full=full,
            parquet=output_format is Format.parquet,
            workers=workers,
            resume=resume,
        )
        _tell_the_end(counter, out_file)
        return
    if workers is not None:
        raise UsageError(f"--workers {workers}: works with --engine ray only; see --threads")
    if output_format is Format.parquet:
        raise UsageError("--format parquet: works with --engine ray only; see --out FILE.parquet")
    journaled = _check_output(wanted, out_file, resume=resume)
    if out_file is not None and resume and is_complete(out_file):
        display.note(f"{out_file}: is complete, and there is nothing to go on with")
        return
    _tell_what_is_left(wanted)
    held: AbstractContextManager[Journal | None] = nullcontext()
    if out_file is not None and journaled:
        held = open_journal(out_file, resume=resume)
    with held as journal:
        classifier = load_classifier(model, precision=precision, threads=threads)
        done = faults = 0
        if journal is not None:
            options = {"keep": keep, "full": full, "precision": precision}
            journal.begin(
                Run(model=classifier.digest, options=options, inputs=sources.inputs_of(wanted))
            )
            done, faults = journal.kept, journal.faults
        if done:
            display.note(f"{out_file}: going on after the answers that are kept ({done:,})")
        files = (file for source in wanted for file in source.files)
        columns = carried_columns(files) if keep else ()
        shown = out_file is not None or not sys.stdout.isatty()
        with (
            _open_sink(
                out_file, output_format, classifier.schema, columns, full=full, journal=journal
            ) as sink,
            display.counting(shown=shown, done=done, faults=faults) as counter,
        ):
            items = sources.read_sources(wanted)
            for answer in answers(classifier, items, keep=keep, done=done):
                sink(answer)
                counter.add(fault=isinstance(answer, FaultyInput))
    _tell_the_end(counter, out_file)


def _tell_the_end(counter: Counter, out_file: Path | None) -> None:
    if out_file is not None:
        display.note(f"{counter.words()}; written to {out_file}")
    elif not counter.done:
        display.note("there is no article in the input")
    if counter.faults:
        if counter.done > 1:
            display.note(f"{counter.faults:,} of {counter.done:,} inputs could not be read")
        raise typer.Exit(1)


def load_classifier(
    model: str | None, *, precision: float | None, threads: int | None
) -> SchemaPredictor:
    """Load a model; None for the released one.

    Raises:
        ModelError: If it cannot be used.
    """
    # Loaded here, so that --help and mistakes in the arguments do not wait for the engine.
    from stance.classifier import Classifier

    return Classifier.from_pretrained(model, precision=precision, threads=threads)


def _check_output(wanted: Iterable[Source], out_file: Path | None, *, resume: bool) -> bool:
    """Refuse an output that cannot be written; say whether its answers are kept in a journal."""
    if out_file is None:
        if resume:
            raise UsageError("--resume: expected --out FILE, the file whose run is to go on")
        return False
    if not out_file.absolute().parent.is_dir():
        raise UsageError(f"--out {out_file}: the folder {out_file.parent} does not exist")
    ending_to_write(out_file)
    journaled = takes_journal(out_file)
    if resume and not journaled:
        raise UsageError(f"--resume: {out_file} is a device or a pipe, of which nothing is kept")
    if resume and any(source.kind == "stdin" for source in wanted):
        raise UsageError("--resume: standard input cannot be read again; name files to read")
    for name in (name for source in wanted for name in source.files):
        if out_file.exists() and Path(name).exists() and out_file.samefile(name):
            raise UsageError(f"--out {out_file}: is also read; write to another file")
    return journaled


def _tell_what_is_left(wanted: Iterable[Source]) -> None:
    for source in wanted:
        if source.left:
            one = len(source.left) == 1
            what = "file with another ending is" if one else "files with other endings are"
            more = "" if one else " and others"
            display.note(
                f"{source.name}: {len(source.left):,} {what} left alone: {source.left[0]}{more}"
            )


@contextmanager
def _open_sink(
    out_file: Path | None,
    output_format: Format,
    schema: Schema,
    columns: tuple[str, ...],
    *,
    full: bool,
    journal: Journal | None,
) -> Iterator[Sink]:
    def row(answer: Answer) -> dict[str, Any]:
        return answer.to_dict() if isinstance(answer, FaultyInput) else answer.to_dict(full=full)

    if journal is not None:
        yield lambda answer: journal.write(row(answer))
        journal.complete(schema=schema, extra_columns=columns)
    elif out_file is not None:
        with open_writer(out_file, schema=schema, extra_columns=columns) as writer:
            yield lambda answer: writer.write(row(answer))
    elif output_format is Format.jsonl:
        yield lambda answer: _write_line(row(answer))
    else:
        out = display.console()
        numbers = count(1)
        yield lambda answer: display.print_answer(out, answer, number=next(numbers), full=full)


def _write_line(row: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
