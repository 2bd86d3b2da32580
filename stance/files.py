"""Files written whole or not at all, and their digests.

Whoever reads a file of ours while it is being written, or after a crash, sees the old content or
the new, never a part.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from stance.asides import aside, is_aside, swap_in
from stance.errors import StanceError, UsageError

_DISK = {errno.ENOSPC, errno.EFBIG, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EPIPE}


def reason(error: OSError) -> str:
    """Word an OSError without its number and path: `No such file or directory`."""
    return error.strerror or str(error) or type(error).__name__


def sha256_file(path: str | Path) -> str:
    """SHA-256 of a file's bytes as 64 hexadecimal digits, read in blocks.

    Raises:
        StanceError: If the file cannot be read.
    """
    try:
        with Path(path).open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise StanceError(f"{path}: cannot read the file: {reason(error)}") from None


@contextmanager
def replacing(
    path: str | Path,
    mode: str = "w",
    *,
    encoding: str | None = None,
    newline: str | None = None,
) -> Iterator[IO[Any]]:
    """Open a new file that takes the place of `path` when the block ends without an error.

    It is written beside `path` under a hidden name, brought to the disk and renamed. After an
    error the old file stays and the new one is removed. A device or a pipe (`/dev/stdout`) is
    written directly, since nothing can take its place.

    Args:
        path: The file to replace; a symbolic link is followed.
        mode: `w` (UTF-8 unless `encoding` says otherwise) or `wb`.
        encoding: As for `open`.
        newline: As for `open`; lines end in a line feed on every system unless given.

    Raises:
        StanceError: If the file cannot be written.
    """
    if mode not in {"w", "wb"}:
        raise ValueError(f"mode: expected 'w' or 'wb', found {mode!r}")
    text: dict[str, Any] = {}
    if mode == "w":
        text = {"encoding": encoding or "utf-8", "newline": "\n" if newline is None else newline}
    target = Path(os.path.realpath(path))
    with worded(path):
        if target.is_dir():
            raise UsageError(f"{path}: expected a file to write, found a folder")
        if target.exists() and not target.is_file():
            with target.open(mode, **text) as stream:
                yield stream
            return
    with worded(path), aside(target) as made:
        with made.open(mode, **text) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        put_in_place(made, target)


def put_in_place(aside: Path, target: Path) -> None:
    """Let a file that is whole and on the disk take the place, and the mode, of another.

    Raises:
        OSError: If that cannot be done; then the old file stays.
    """
    if target.exists():
        shutil.copymode(target, aside)
    os.replace(aside, target)
    _sync_folder(target.parent)


def write_texts(files: Mapping[Path, str]) -> None:
    """Write text files as UTF-8, each whole or not at all, and make their folders if need be.

    Half a surrogate pair in somebody's text is replaced: it must not cost the file.

    Raises:
        StanceError: If a folder cannot be made or a file cannot be written.
    """
    for path, text in files.items():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StanceError(f"{path.parent}: cannot make the folder: {reason(error)}") from None
        with replacing(path, "wb") as stream:
            stream.write(text.encode("utf-8", errors="replace"))


@contextmanager
def replacing_folder(path: str | Path, *, marker: str | None = "manifest.json") -> Iterator[Path]:
    """Give a new folder that takes the place of `path` when the block ends without an error.

    The block fills a hidden folder beside `path`; at the end the two are swapped and the old one
    is removed. After an error the old folder stays and the new one is removed.

    Args:
        path: The folder to replace; its parent is made if need be.
        marker: A folder that is not empty is replaced only if it holds a file of this name, so
            that a mistyped path does not cost somebody's documents. None replaces any folder.

    Raises:
        UsageError: If `path` is a file, or a folder with other content.
        StanceError: If the folder cannot be written.
    """
    target = Path(os.path.realpath(path))
    with worded(path):
        if target.exists() and not target.is_dir():
            raise UsageError(f"{path}: expected a folder to write, found a file")
        if (
            marker is not None
            and target.is_dir()
            and any(target.iterdir())
            and not (target / marker).is_file()
        ):
            raise UsageError(
                f"{path}: expected a new or empty folder, or one with {marker} that may be "
                "replaced, found other files; name another folder"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
    with worded(path), aside(target, folder=True) as made:
        yield made
        _sync_tree(made)
        swap_in(made, target)
        _sync_folder(target.parent)


@contextmanager
def worded(path: str | Path) -> Iterator[None]:
    """Turn the OSErrors of a file that the block writes into a sentence.

    Raises:
        StanceError: For an OSError of `path`, or of what is written aside for it; those of other
            files pass through.
    """
    try:
        yield
    except OSError as error:
        # A failed write carries no file name, only its cause; so does a lost connection.
        ours = error.errno in _DISK
        if error.filename is not None:
            named, target = Path(os.fsdecode(error.filename)), Path(os.path.realpath(path))
            ours = named in {Path(path), target} or is_aside(named, target)
        if not ours:
            raise
        raise StanceError(f"{path}: cannot be written: {reason(error)}") from error


def _sync_tree(folder: Path) -> None:
    for place, _, names in os.walk(folder):
        for name in names:
            with Path(place, name).open("r+b") as stream:
                os.fsync(stream.fileno())
        _sync_folder(Path(place))


def _sync_folder(folder: Path) -> None:
    # A rename lasts only once its folder is on the disk; not every system can be asked to.
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
