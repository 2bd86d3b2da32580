"""What `stance predict` was asked to read: texts, files, folders and standard input, in order."""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Literal, cast

from stance.errors import UsageError, listing
from stance.formats import (
    ENDINGS,
    Row,
    ending_of,
    iter_articles,
    read_articles,
    read_jsonl,
    read_text,
)
from stance.journal import Input
from stance.predictions import FaultyInput
from stance.records import Article

Kind = Literal["text", "file", "folder", "stdin"]
_JSON_SPACE = b" \t\r\n\xef\xbb\xbf"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One input as the user named it.

    Attributes:
        kind: What it is.
        name: The argument: the text itself, or a path, or `-`.
        files: The files to read, of a file or a folder.
        left: The files of a folder that are left alone because of their ending.
    """

    kind: Kind
    name: str
    files: tuple[str, ...] = ()
    left: tuple[str, ...] = ()


def find_sources(arguments: Iterable[str], in_file: Path | None = None) -> tuple[Source, ...]:
    """Decide what each argument is.

    What exists is a path; `-` is standard input; all else is a text, unless it looks like the path
    of a file that is not there.

    Args:
        arguments: What stands on the command line.
        in_file: Files named as such, read after them: one, a folder, or a pattern such as
            `news/*.parquet`.

    Raises:
        UsageError: If there is nothing to read, or an argument cannot be read.
    """
    sources = [_source(argument) for argument in arguments]
    if in_file is not None:
        sources += _named(str(in_file))
    if not sources:
        raise UsageError(
            "nothing to read: name a text, a file, a folder, - for standard input, or --in FILES"
        )
    if sum(source.kind == "stdin" for source in sources) > 1:
        raise UsageError("- (standard input) can be read once, found it twice")
    return tuple(sources)


def _source(argument: str) -> Source:
    if argument == "-":
        return Source(kind="stdin", name=argument)
    if not argument.strip():
        # Path("") is the current folder, which nobody meant.
        return Source(kind="text", name=argument)
    try:
        path = Path(argument)
        if path.is_dir():
            return _folder(argument)
        exists = path.exists()
    except (OSError, ValueError):
        # Too long for a path, or with a zero byte: a text.
        exists = False
    if exists:
        return _file(argument)
    if _looks_like_a_path(argument):
        raise UsageError(
            f"{argument}: no such file or folder; "
            "if this is a text to be read, give it through standard input: stance predict -"
        )
    return Source(kind="text", name=argument)


def _named(name: str) -> list[Source]:
    # What is there under just this name is no pattern, whatever characters it has.
    found = [name] if os.path.exists(name) else sorted(glob(name, recursive=True))
    if not found:
        raise UsageError(
            f"--in {name}: expected a file, a folder or a pattern that fits some, found none"
        )
    return [_folder(item) if os.path.isdir(item) else _file(item) for item in found]


def _file(name: str) -> Source:
    if ending_of(name) is None:
        raise UsageError(
            f"{name}: expected a file that ends in {listing(ENDINGS)}; "
            "for a text in another file: stance predict - < FILE"
        )
    return Source(kind="file", name=name, files=(name,))


def _looks_like_a_path(argument: str) -> bool:
    one_word = not any(character.isspace() for character in argument.strip())
    separators = {os.sep, os.altsep or os.sep}
    return ending_of(argument) is not None or (
        one_word and any(separator in argument for separator in separators)
    )


def _folder(folder: str) -> Source:
    taken: list[str] = []
    left: list[str] = []
    for place, folders, names in os.walk(folder):
        # Names that begin with a dot are hidden: a version control's files, a system's notes.
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                path = os.path.join(place, name)
                (taken if ending_of(path) else left).append(path)
    if not taken:
        raise UsageError(
            f"{folder}: expected a folder with files that end in {listing(ENDINGS)}, found none"
        )
    return Source(kind="folder", name=folder, files=tuple(sorted(taken)), left=tuple(sorted(left)))


def inputs_of(sources: Iterable[Source]) -> tuple[Input, ...]:
    """What `read_sources` will read, so that another process can tell whether it is the same."""
    made: list[Input] = []
    for source in sources:
        if source.kind == "text":
            digest = hashlib.sha256(os.fsencode(source.name)).hexdigest()
            made.append(Input(kind="text", name=digest))
        elif source.kind == "stdin":
            made.append(Input(kind="stdin", name=source.name))
        for name in source.files:
            size = modified = None
            # A file that cannot be opened is told in its place among the answers.
            with suppress(OSError):
                found = os.stat(name)
                size, modified = found.st_size, found.st_mtime_ns
            made.append(Input(kind="file", name=name, size=size, modified=modified))
    return tuple(made)


def read_sources(sources: Iterable[Source]) -> Iterator[Article | FaultyInput]:
    """Read the articles one at a time; what cannot be read keeps its place as a `FaultyInput`."""
    for source in sources:
        if source.kind == "text":
            row = Row(file="the command line", line=None, data={"text": source.name})
            yield from iter_articles([row])
        elif source.kind == "stdin":
            yield from iter_articles(_stdin_rows())
        else:
            for name in source.files:
                yield from read_articles(name)


def _stdin_rows() -> Iterator[Row]:
    stream = cast(io.BufferedIOBase, sys.stdin.buffer)
    # JSON Lines are recognised by the first character that is no space, without reading on: the
    # sender may keep the line open.
    head = b""
    while (byte := stream.read(1)) and byte in _JSON_SPACE:
        head += byte
    rest = _Joined(head + byte, stream)
    if byte == b"{":
        yield from read_jsonl(io.BufferedReader(rest), "standard input")
        return
    for row in read_text(io.BufferedReader(rest), "standard input"):
        data = None if row.data is None else {k: v for k, v in row.data.items() if k != "id"}
        yield Row(file=row.file, line=row.line, data=data, fault=row.fault)


class _Joined(io.RawIOBase):
    """Bytes already read, followed by the rest of their stream."""

    def __init__(self, head: bytes, rest: io.BufferedIOBase) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        if self._head:
            chunk, self._head = self._head[: len(buffer)], self._head[len(buffer) :]
        else:
            chunk = self._rest.read1(len(buffer))
        buffer[: len(chunk)] = chunk
        return len(chunk)
