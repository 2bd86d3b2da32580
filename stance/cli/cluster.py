"""`stance predict --engine ray`: which files are read and written, and what has to hold of them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stance import __version__
from stance.cli import display
from stance.errors import UsageError, shorten
from stance.files import write_texts
from stance.formats import ending_of

if TYPE_CHECKING:
    from stance.cli.sources import Source
    from stance.cluster import Reading

# Both are hidden, so that whoever reads the folder passes them by.
_RUN = ".stance-run.json"
_PARTS = ".stance-parts"


def predict_files(
    wanted: Iterable[Source],
    out: Path | None,
    *,
    model: str | None,
    precision: float | None,
    threads: int,
    keep: bool,
    full: bool,
    parquet: bool,
    workers: int | None,
    resume: bool,
) -> display.Counter:
    """Read files on a cluster and write one file for each into a folder.

    Args:
        wanted: What to read; files and folders.
        out: The folder to write to; made if need be.
        model: A model folder or name; None for the released one.
        precision: Wanted precision of the topics found.
        threads: Processor threads of each worker.
        keep: Whether other fields of the input stay with the predictions.
        full: Whether topics that were not found are written too.
        parquet: Write Parquet instead of JSON Lines.
        workers: How many; None for as many as there is room for.
        resume: Leave alone what an earlier run with the same options has written.

    Raises:
        MissingExtraError: If Ray is not installed.
        ModelError: If the model cannot be used.
        UsageError: If the files cannot be read or written so.
        StanceError: If the cluster cannot do the work.
    """
    if out is None:
        raise UsageError(
            "--engine ray: expected --out FOLDER, where a file is written for each that is read"
        )
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: expected a folder with --engine ray, found a file")
    files = output_files(_files(wanted), out, ".parquet" if parquet else ".jsonl")
    # Late, since the engine takes longer to load than mistakes in the arguments to find.
    from stance import cluster

    reading = cluster.prepare(model, precision=precision, threads=threads, keep=keep, full=full)
    left = _left(files, out, _run(reading, parquet=parquet), resume=resume)
    with display.counting(shown=True) as counter:
        if left:
            for path in left.values():
                path.parent.mkdir(parents=True, exist_ok=True)
            for done in cluster.predict_files(left, reading, aside=out / _PARTS, workers=workers):
                counter.add_many(done.inputs, faults=done.faults)
    if len(left) < len(files):
        display.note(f"{len(files) - len(left):,} of {len(files):,} files were there already")
    return counter


def output_files(files: Sequence[str], out: Path, ending: str) -> dict[str, Path]:
    """The file to write for each file to read: named like it, below `out` as it lies below others.

    Raises:
        UsageError: If two would be written to the same, or one would be written that is read.
    """
    top = os.path.commonpath([Path(name).absolute().parent for name in files])
    targets: dict[Path, str] = {}
    for name in files:
        place = Path(os.path.relpath(Path(name).absolute(), top))
        target = out / place.with_name(place.name[: -len(ending_of(name) or "")] + ending)
        if target in targets:
            raise UsageError(
                f"{targets[target]} and {name} would both be written to {target}; "
                "read them in two runs, with two folders for --out"
            )
        targets[target] = name
    read = {os.path.realpath(name) for name in files}
    for target in targets:
        if os.path.realpath(target) in read:
            raise UsageError(f"--out {out}: {target} is also read; write to another folder")
    return {name: target for target, name in targets.items()}


def _files(wanted: Iterable[Source]) -> list[str]:
    found: list[str] = []
    for source in wanted:
        if not source.files:
            named = (
                "standard input" if source.kind == "stdin" else f"the text {shorten(source.name)}"
            )
            raise UsageError(f"--engine ray: expected files and folders to read, found {named}")
        found += source.files
    return found


def _run(reading: Reading, *, parquet: bool) -> dict[str, Any]:
    """What decides on the rows that are written."""
    settings = {
        key: value for key, value in asdict(reading).items() if key not in {"model", "threads"}
    }
    return {"stance": __version__, "parquet": parquet, **settings}


def _left(
    files: dict[str, Path], out: Path, run: dict[str, Any], *, resume: bool
) -> dict[str, Path]:
    """What is left to read; notes the run, so that another one can go on from it."""
    note = out / _RUN
    if not resume:
        write_texts({note: json.dumps(run) + "\n"})
        return files
    try:
        earlier = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise UsageError(
            f"--resume: {out} holds no run of --engine ray to go on from; leave --resume out"
        ) from None
    other = sorted(key for key in run if earlier.get(key) != run[key])
    if other:
        raise UsageError(
            f"--resume: {out} was begun with another {other[0]} ({shorten(earlier.get(other[0]))}, "
            f"now {shorten(run[other[0]])}); write to another folder, or leave --resume out"
        )
    return {name: path for name, path in files.items() if not path.is_file()}
