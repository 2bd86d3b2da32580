"""Answers kept as they come, so that a run that was killed goes on where it stopped.

While `out.csv` is being made, its answers stand in `out.csv.part`, one JSON object a line in the
order of the input, and `out.csv.part.json` says which run they are of. At the end they become
`out.csv`, and both files are gone. Whatever moment a process dies at, one of three things is there:
the journal, the whole output, or both.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import IO, Any, Literal

from stance._version import __version__
from stance.errors import UsageError, shorten
from stance.files import put_in_place, reason, worded
from stance.locks import lock
from stance.schema import Schema
from stance.writers import ending_to_write, json_line, open_writer

FORMAT_VERSION = 1
# Every answer is handed to the system at once, which keeps it when the process is killed; the disk
# is waited for this rarely, so a loss of power costs at most the answers of so many seconds.
_SYNC_SECONDS = 5.0
# These endings hold the journal's own lines; it is renamed, not written again.
_SAME_LINES = frozenset({".jsonl", ".ndjson"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One thing that a run reads, known again by what can be seen of it without reading it.

    Attributes:
        kind: Where it comes from.
        name: The path as the user gave it; of a text its SHA-256; `-` for standard input.
        size: Bytes, of a file that is there.
        modified: When it was last changed, in nanoseconds; of a file that is there.
    """

    kind: Literal["file", "text", "stdin"]
    name: str
    size: int | None = None
    modified: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What the answers of a run depend on.

    Attributes:
        model: The model's digest.
        options: The options that change answers, by their names on the command line.
        inputs: What is read, in order.
    """

    model: str
    options: Mapping[str, bool | float | None]
    inputs: tuple[Input, ...]

    @property
    def resumable(self) -> bool:
        """Whether the inputs can be read again from their start."""
        return all(item.kind != "stdin" for item in self.inputs)

    def to_dict(self) -> dict[str, Any]:
        """The run as it stands beside a journal."""
        return {
            "format": FORMAT_VERSION,
            "stance": __version__,
            "model": self.model,
            "options": dict(self.options),
            "inputs": [[item.kind, item.name, item.size, item.modified] for item in self.inputs],
        }


class Journal:
    """The answers of a run under way; made by `open_journal`.

    Attributes:
        part: The file that they stand in.
        kept: How many there are.
        faults: How many of them say that an input could not be read.
    """

    def __init__(self, target: Path, part: Path, stream: IO[bytes], before: Any) -> None:
        self.part = part
        self.kept = 0
        self.faults = 0
        self._target, self._stream, self._before = target, stream, before
        self._begun = self._done = self._resumable = False
        self._synced = time.monotonic()

    def begin(self, run: Run) -> None:
        """Say which run this is, and take up the answers that an earlier process of it kept.

        What does not end in a whole line, or is no JSON object, is cut off with all behind it.

        Raises:
            UsageError: If the answers are those of another run.
            StanceError: If a file cannot be read or written.
        """
        now = run.to_dict()
        if self._before is None:
            with worded(self.part):
                self._stream.truncate(0)
            about = _about(self.part)
            # Before the first answer, so that no answer is ever without it. Not written aside: a
            # process that dies here leaves a journal without answers, which counts as none.
            with worded(about), about.open("wb") as stream:
                # Escaped, since a path may hold bytes that are no text.
                stream.write(json.dumps(now).encode("ascii"))
                stream.flush()
                os.fsync(stream.fileno())
        else:
            if what := _difference(self._before, now):
                raise UsageError(
                    f"{self.part}: cannot be gone on with, since {what}; give the command as it "
                    f"was, or delete {self.part} to begin anew"
                )
            with worded(self.part):
                self._take_up()
        self._resumable = run.resumable
        self._begun = True

    def _take_up(self) -> None:
        end = 0
        self._stream.seek(0)
        for line in self._stream:
            row = _row(line)
            if row is None:
                break
            self._count(row)
            end += len(line)
        self._stream.truncate(end)
        self._stream.seek(0, os.SEEK_END)

    def _count(self, row: Mapping[str, Any]) -> None:
        self.kept += 1
        self.faults += "topics" not in row

    def write(self, row: Mapping[str, Any]) -> None:
        """Keep one answer: a prediction, or a `FaultyInput`, as a JSON object.

        Raises:
            StanceError: If it cannot be written.
        """
        with worded(self.part):
            self._stream.write(json_line(row))
            self._stream.flush()
            if time.monotonic() - self._synced >= _SYNC_SECONDS:
                os.fsync(self._stream.fileno())
                self._synced = time.monotonic()
        self._count(row)

    def complete(self, *, schema: Schema, extra_columns: Sequence[str] = ()) -> None:
        """Turn the answers into the output, as `stance.writers.open_writer` would have written it.

        Args:
            schema: As for `open_writer`.
            extra_columns: As for `open_writer`.

        Raises:
            StanceError: If the output cannot be written; the answers stay.
        """
        with worded(self.part):
            os.fsync(self._stream.fileno())
            if ending_to_write(self._target) in _SAME_LINES:
                self._let_go()
                put_in_place(self.part, self._target)
            else:
                with open_writer(
                    self._target, schema=schema, extra_columns=extra_columns
                ) as writer:
                    for row in self._rows():
                        writer.write(row)
                self._let_go()
                self.part.unlink()
        self._done = True
        with suppress(OSError):
            _about(self.part).unlink()

    def _rows(self) -> Iterator[dict[str, Any]]:
        self._stream.seek(0)
        for line in self._stream:
            yield json.loads(line)

    def _let_go(self) -> None:
        # Elsewhere the lock is held until the journal is no longer there under its name.
        if sys.platform == "win32":
            self._stream.close()

    def _give_up(self, error: BaseException) -> None:
        """Leave what another process can go on with, and tell of it; else leave nothing."""
        if self._done or (self._before is not None and not self._begun):
            return
        if self.kept:
            answers = "1 answer is" if self.kept == 1 else f"{self.kept:,} answers are"
            words = f"{answers} kept in {self.part}"
            if self._resumable:
                words += ", and the same command with --resume goes on from there"
            error.add_note(words)
            return
        self._let_go()
        for file in (_about(self.part), self.part):
            with suppress(OSError):
                file.unlink()


def takes_journal(path: str | Path) -> bool:
    """Whether a run into `path` is kept; a device or a pipe is written directly instead.

    Raises:
        UsageError: If it is a folder.
    """
    target = Path(os.path.realpath(path))
    if target.is_dir():
        raise UsageError(f"{path}: expected a file to write, found a folder")
    return target.is_file() or not target.exists()


def is_complete(path: str | Path) -> bool:
    """Whether the output is there and no journal is, so that there is nothing to go on with."""
    target, part = _places(path)
    if part.exists() or not target.is_file():
        return False
    # Left by a process that died after the journal had become the output.
    with suppress(OSError):
        _about(part).unlink()
    return True


@contextmanager
def open_journal(path: str | Path, *, resume: bool = False) -> Iterator[Journal]:
    """Open the journal of an output and hold it against other processes.

    The block calls `begin`, then `write` per answer, then `complete`. After an error the journal
    stays if it holds an answer, and a note on the error says so; else nothing is left.

    Args:
        path: The output, see `stance.writers.open_writer`; a symbolic link is followed.
        resume: Whether to go on with a journal that is there.

    Raises:
        UsageError: If another process holds the journal, if there is one and `resume` was not
            asked for, or if nothing says which run it is of.
        StanceError: If it cannot be opened.
    """
    target, part = _places(path)
    with worded(part):
        stream = _locked(part)
    try:
        with worded(part):
            journal = Journal(target, part, stream, _run_of(part, stream, resume=resume))
        try:
            yield journal
        except BaseException as error:
            journal._give_up(error)
            raise
    finally:
        # After a failed write the stream tries it again on closing, and fails again.
        with suppress(OSError):
            stream.close()


def _places(path: str | Path) -> tuple[Path, Path]:
    # Beside the file itself: renaming works within one file system only.
    target = Path(path)
    if target.is_symlink():
        target = Path(os.path.realpath(path))
    return target, target.with_name(f"{target.name}.part")


def _about(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _locked(part: Path) -> IO[bytes]:
    while True:
        # Opened for appending, since nothing may be lost before the lock is held.
        stream = part.open("a+b")
        try:
            lock(stream.fileno())
            # Between opening and locking another process may have completed its run.
            if part.exists() and os.path.samestat(os.fstat(stream.fileno()), part.stat()):
                return stream
        except BlockingIOError:
            stream.close()
            raise UsageError(
                f"{part}: another process is writing it; wait until it is done, or write to "
                "another file"
            ) from None
        except BaseException:
            stream.close()
            raise
        stream.close()


def _run_of(part: Path, stream: IO[bytes], *, resume: bool) -> Any:
    """The run whose answers a journal holds; None if it holds none.

    Raises:
        UsageError: If it may not be gone on with.
    """
    if os.fstat(stream.fileno()).st_size == 0:
        return None
    try:
        about = json.loads(_about(part).read_bytes())
        if not isinstance(about, dict):
            raise ValueError(f"expected an object, found {shorten(about)}")
    except (OSError, ValueError, RecursionError) as error:
        found = reason(error) if isinstance(error, OSError) else str(error)
        raise UsageError(
            f"{part}: holds answers, and {_about(part).name}, which says of which run, cannot be "
            f"read ({found}); delete {part} to begin anew"
        ) from None
    stream.seek(0)
    if _row(stream.readline()) is None:
        return None
    if not resume:
        raise UsageError(
            f"{part}: holds the answers of a run that did not end; go on with it by --resume, or "
            f"delete {part} to begin anew"
        )
    return about


def _row(line: bytes) -> dict[str, Any] | None:
    """The answer that a line holds; None if it is no whole line of JSON."""
    if not line.endswith(b"\n"):
        return None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return row if isinstance(row, dict) else None


def _difference(before: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """What of a run is other than it was, in words; None if nothing is."""
    for key, what in (("format", "journal format"), ("stance", "stance"), ("model", "the model")):
        if before.get(key) != now[key]:
            # Of a digest the beginning is enough to tell two apart.
            then, today = str(before.get(key))[:12], str(now[key])[:12]
            return f"it was begun with {what} {then} and this is {today}"
    options = before.get("options")
    for name, value in now["options"].items():
        was = options.get(name) if isinstance(options, dict) else None
        if was != value:
            return f"it was begun {_given(name, was)} and this is {_given(name, value)}"
    inputs = before.get("inputs")
    return _other_input(inputs if isinstance(inputs, list) else [], now["inputs"])


def _given(name: str, value: object) -> str:
    if value is None or value is False:
        return f"without --{name}"
    return f"with --{name}" if value is True else f"with --{name} {value}"


def _other_input(before: Sequence[Any], now: Sequence[Any]) -> str | None:
    for number, (was, item) in enumerate(zip_longest(before, now), start=1):
        if was == item:
            continue
        first, second = _named(was), _named(item)
        if first == second:
            return f"{first} was changed in the meantime"
        return f"input {number} was {first} and is now {second}"
    return None


def _named(item: Any) -> str:
    match item:
        case None:
            return "none"
        case ["stdin", *_]:
            return "standard input"
        case ["text", str(digest), *_]:
            return f"the text with SHA-256 {digest[:12]}"
        case [_, str(name), *_]:
            return name
    return shorten(item)
