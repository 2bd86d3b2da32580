"""Files read by workers of a Ray cluster: the only module that knows Ray.

A file is cut into blocks of rows. A worker reads the rows of a block itself, with the readers of
`stance.formats`, and writes its predictions to a part of its own; the parts of a file are joined
when the last is there. So no text passes through this process, memory stays flat, and a block that
is lost with its worker is written again by another.
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stance.answers import Answer, answers, cut_items
from stance.batching import CHUNK_CHARACTERS
from stance.classifier import Classifier
from stance.errors import MissingExtraError, StanceError, UsageError
from stance.files import reason
from stance.formats import carried_columns, read_articles
from stance.predictions import FaultyInput
from stance.records import Article
from stance.writers import join_files, open_writer

if TYPE_CHECKING:
    from types import ModuleType

MOST_PIECES = 32
"""Pieces of a stream in a block: some minutes of a core's work, which a lost worker costs."""

_BLOCKS_A_WORKER = 4
_TRIES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How every worker reads.

    Attributes:
        model: A model folder that every machine sees, or a name; None for the released model.
        digest: Of that model, as `Classifier.digest` gives it; a worker with another one refuses.
        precision: As for `Classifier.from_pretrained`.
        threads: Processor threads of a worker.
        keep: Whether other fields of the input stay with the predictions.
        full: Whether topics that were not found are written too.
    """

    model: str | None
    digest: str
    precision: float | None = None
    threads: int = 1
    keep: bool = False
    full: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A block that was read: how many inputs it had, and how many of them had faults."""

    inputs: int
    faults: int


def prepare(
    model: str | None, *, precision: float | None, threads: int, keep: bool, full: bool
) -> Reading:
    """Load the model here, so that what is wrong with it is told before workers are started.

    Raises:
        MissingExtraError: If Ray is not installed.
        ModelError: If the model cannot be used.
        UsageError: If `precision` cannot be had.
    """
    _import_ray()
    classifier = Classifier.from_pretrained(model, precision=precision, threads=threads)
    if model is not None and Path(model).exists():
        # Workers stand in folders of their own.
        model = str(Path(model).absolute())
    return Reading(
        model=model,
        digest=classifier.digest,
        precision=precision,
        threads=threads,
        keep=keep,
        full=full,
    )


def predict_files(
    files: Mapping[str, Path], reading: Reading, *, aside: Path, workers: int | None = None
) -> Iterator[Done]:
    """Read files of articles; write for each what this machine alone would have written.

    Args:
        files: The file to write for each file to read; all endings to write are alike, `.jsonl`
            or `.parquet`, and the folders exist. All machines see them under the same paths.
        reading: How to read.
        aside: A folder for parts of files, which every machine sees; made, and removed at the end.
        workers: How many workers; None for as many as the cluster has room for.

    Yields:
        Each block when it is read. A file is there as soon as its last block is.

    Raises:
        MissingExtraError: If Ray is not installed.
        UsageError: If no machine has so many threads.
        StanceError: If a worker cannot do its work, or the cluster is lost.
    """
    targets = [path.absolute() for path in files.values()]
    shutil.rmtree(aside, ignore_errors=True)
    aside.mkdir(parents=True)
    try:
        with _cluster() as ray:
            room = _room(ray, reading.threads)
            blocks = _plan(ray, files, aside.absolute(), workers=workers or room)
            parts: list[list[Path]] = [[] for _ in targets]
            for block in blocks:
                parts[block["number"]].append(Path(block["part"]))
            missing = [len(names) for names in parts]
            size = min(workers or room, len(blocks))
            for row in _read(ray, blocks, reading, workers=size):
                number = int(row["number"])
                missing[number] -= 1
                if not missing[number]:
                    _join(parts[number], targets[number])
                yield Done(inputs=int(row["inputs"]), faults=int(row["faults"]))
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def cut_blocks(items: Iterable[Article | FaultyInput], *, most: int) -> Iterator[int]:
    """Cut a file into blocks that can be read apart and give the same numbers as together.

    Args:
        items: What the file holds.
        most: Most pieces (see `stance.answers.cut_items`) in a block, which ends where one ends.

    Yields:
        How many rows each block has; one block without rows for an empty file.
    """
    rows = pieces = total = 0
    for piece in cut_items(items):
        rows, pieces = rows + len(piece), pieces + 1
        if pieces == most:
            yield rows
            total, rows, pieces = total + rows, 0, 0
    if rows or not total:
        yield rows


class Worker:
    """Loads the model once and reads block after block; each runs in a process of its own.

    What goes wrong comes back as words, since an error would be raised elsewhere, wrapped.

    Args:
        reading: How to read.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading, self._failed = reading, ""
        try:
            self._classifier = Classifier.from_pretrained(
                reading.model, precision=reading.precision, threads=reading.threads
            )
        except StanceError as error:
            self._failed = f"a worker on {socket.gethostname()} cannot start: {error}"
            return
        if self._classifier.digest != reading.digest:
            self._failed = (
                f"a worker on {socket.gethostname()} has another model: expected the digest "
                f"{reading.digest[:12]}, found {self._classifier.digest[:12]}; install the same "
                "release on every machine, or name a model folder that all of them see"
            )

    def __call__(self, block: dict[str, Any]) -> dict[str, Any]:
        """Read a block and write its part."""
        faults, failed = 0, self._failed
        if not failed:
            try:
                faults = self._write(block)
            except StanceError as error:
                failed = f"a worker on {socket.gethostname()} failed: {error}"
        return {
            "number": block["number"],
            "inputs": block["rows"],
            "faults": faults,
            "failed": failed,
        }

    def _write(self, block: dict[str, Any]) -> int:
        self._count_try(block)
        first, last = int(block["first"]), int(block["first"]) + int(block["rows"])
        items = list(islice(_articles(block), first, last))
        if len(items) < last - first:
            raise StanceError(f"{block['name']}: has become shorter while it was read")
        faults = 0
        columns = carried_columns([block["file"]]) if self._reading.keep else ()
        with open_writer(
            block["part"], schema=self._classifier.schema, extra_columns=columns
        ) as writer:
            for answer in self._answers(items):
                if isinstance(answer, FaultyInput):
                    faults += 1
                    writer.write(answer.to_dict())
                else:
                    writer.write(answer.to_dict(full=self._reading.full))
        return faults

    def _answers(self, items: Sequence[Article | FaultyInput]) -> Iterator[Answer]:
        return answers(self._classifier, items, keep=self._reading.keep)

    def _count_try(self, block: dict[str, Any]) -> None:
        # Counted on the disk: what takes a worker with it, takes its memory too.
        try:
            with Path(f"{block['part']}.tries").open("ab") as stream:
                stream.write(b".")
                tries = stream.tell()
        except OSError as error:
            raise StanceError(
                f"{block['part']}: cannot be written: {reason(error)}; "
                "every machine of the cluster must see the folder of --out under the same path"
            ) from None
        if tries > _TRIES:
            raise StanceError(
                f"{block['name']}: {_TRIES} workers were lost one after the other at the "
                f"{int(block['rows']):,} inputs after the first {int(block['first']):,}; "
                "their machine may have too little memory"
            )


def _import_ray() -> ModuleType:
    # Ray reports on its use to its makers unless told otherwise before it starts.
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Its core writes a warning for each pool of workers, about a case that is not ours.
    os.environ.setdefault("RAY_BACKEND_LOG_LEVEL", "fatal")
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        missing = (error.name or "ray").partition(".")[0]
        raise MissingExtraError("--engine ray", "ray", missing) from None
    return ray  # type: ignore[no-any-return]


@contextmanager
def _cluster() -> Iterator[ModuleType]:
    """Ray, connected to the cluster that `RAY_ADDRESS` names or to one of this machine alone."""
    ray = _import_ray()
    ours = not ray.is_initialized()
    if ours:
        try:
            # Left to itself Ray waits for minutes for a cluster that was here once.
            ray.init(
                os.environ.get("RAY_ADDRESS") or "local",
                include_dashboard=False,
                log_to_driver=False,
                logging_level=logging.ERROR,
            )
        except ConnectionError as error:
            raise StanceError(f"no Ray cluster answers: {_first_line(error)}") from None
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    for handler in logging.getLogger("ray.data").handlers:
        handler.setLevel(logging.ERROR)
    try:
        yield ray
    except ray.exceptions.RayError as error:
        raise StanceError(f"the Ray cluster gave up: {_first_line(error)}") from error
    finally:
        if ours:
            ray.shutdown()


def _room(ray: ModuleType, threads: int) -> int:
    """How many workers the cluster has room for.

    Raises:
        UsageError: If it has no room for a single one, which would wait for ever.
    """
    processors = [
        int(node["Resources"].get("CPU", 0)) for node in ray.nodes() if node.get("Alive", False)
    ]
    if max(processors, default=0) < threads:
        raise UsageError(
            f"--threads {threads}: expected at most {max(processors, default=0)}, the processors "
            "of the largest machine of the cluster"
        )
    return sum(count // threads for count in processors)


def _plan(
    ray: ModuleType, files: Mapping[str, Path], aside: Path, *, workers: int
) -> list[dict[str, Any]]:
    """The blocks of all files, in order, found by reading the files once on the cluster."""
    sizes = {name: _size(name) for name in files}
    # Where there is little to read, smaller blocks keep all workers busy to the end.
    bytes_a_block = sum(size or 0 for size in sizes.values()) // (_BLOCKS_A_WORKER * workers)
    most = min(MOST_PIECES, max(1, bytes_a_block // CHUNK_CHARACTERS))
    items = [
        {
            "number": number,
            "name": name,
            "file": str(Path(name).absolute()),
            "here": sizes[name] is not None,
            "most": most,
        }
        for number, name in enumerate(files)
    ]
    found = ray.data.from_items(items).flat_map(_blocks).take_all()
    blocks = []
    for row in sorted(found, key=lambda row: (row["number"], row["first"])):
        _refuse(row["failed"])
        item = items[row["number"]]
        part = aside / f"{row['number']}-{row['first']}{files[item['name']].suffix}"
        blocks.append(
            {
                **{key: item[key] for key in ("number", "name", "file", "here")},
                "first": int(row["first"]),
                "rows": int(row["rows"]),
                "part": str(part),
            }
        )
    return blocks


def _blocks(item: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The blocks of a file, on a machine of the cluster."""
    first = 0
    try:
        for rows in cut_blocks(_articles(item), most=int(item["most"])):
            yield {"number": item["number"], "first": first, "rows": rows, "failed": ""}
            first += rows
    except StanceError as error:
        yield {"number": item["number"], "first": first, "rows": 0, "failed": str(error)}


def _read(
    ray: ModuleType, blocks: Sequence[dict[str, Any]], reading: Reading, *, workers: int
) -> Iterator[dict[str, Any]]:
    """Let workers read all blocks; each comes back when it is done, in any order."""
    dataset = ray.data.from_items(list(blocks), override_num_blocks=len(blocks)).map(
        Worker,
        fn_constructor_args=(reading,),
        # One block under way and one that waits: more would wait for a slow worker at the end.
        compute=ray.data.ActorPoolStrategy(size=workers, max_tasks_in_flight_per_actor=2),
        # Workers that are lost are started again, and their blocks read again, without end.
        num_cpus=reading.threads,
    )
    for row in dataset.iter_rows():
        _refuse(row["failed"])
        yield row


def _articles(item: Mapping[str, Any]) -> Iterator[Article | FaultyInput]:
    """Read a file on a machine of the cluster; `here` says whether the first machine sees it."""
    if item["here"] and _size(item["file"]) is None:
        raise StanceError(
            f"{item['name']}: cannot be opened on {socket.gethostname()}; "
            "every machine of the cluster must see the files under the same paths"
        )
    return read_articles(item["file"], name=item["name"])


def _size(name: str) -> int | None:
    """Bytes of a file; None if it cannot be opened."""
    try:
        with Path(name).open("rb") as stream:
            return os.fstat(stream.fileno()).st_size
    except OSError:
        return None


def _join(parts: Sequence[Path], target: Path) -> None:
    lost = next((part for part in parts if not part.is_file()), None)
    if lost is not None:
        raise StanceError(
            f"{lost}: a worker wrote this part, but it is not there; "
            "every machine of the cluster must see the folder of --out under the same path"
        )
    join_files(parts, target)


def _refuse(failed: str) -> None:
    if failed:
        raise StanceError(failed)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
