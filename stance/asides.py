"""Hidden files and folders that outputs are written in, beside their place, until they are whole.

Each is locked while its process lives, so that the next one knows what a killed one left behind.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stance.locks import lock

_HERE = -100  # AT_FDCWD
_EXCHANGE = 2  # RENAME_EXCHANGE


@contextmanager
def aside(target: Path, *, folder: bool = False) -> Iterator[Path]:
    """Make an empty hidden file or folder beside `target`, and remove it in the end.

    What killed processes left beside `target` is removed first.

    Raises:
        OSError: If it cannot be made.
    """
    _sweep(target)
    while True:
        made = target.with_name(_name(target, "part"))
        if folder:
            made.mkdir()
        else:
            made.touch(exist_ok=False)
        # Between making and locking another process may have taken it for a dead one's.
        with suppress(BlockingIOError, FileNotFoundError):
            handle = _hold(made)
            break
    try:
        yield made
    finally:
        _remove(made)
        if handle is not None:
            os.close(handle)


def swap_in(made: Path, target: Path) -> None:
    """Let a folder that is whole take the place of another, which is removed.

    In one step where the system can exchange two names. Elsewhere a process that is killed between
    two steps leaves the old folder under its hidden name, which ends in `.old`.

    Raises:
        OSError: If that cannot be done; then the old folder stays.
    """
    if not target.exists():
        os.rename(made, target)
        return
    old = target.with_name(_name(target, "old"))
    if not _exchange(made, target):
        os.rename(target, old)
        try:
            os.rename(made, target)
        except OSError:
            os.rename(old, target)
            raise
        _remove(old)


def is_aside(path: Path, target: Path) -> bool:
    """Whether a path is of something that is written aside for `target`, or within it."""
    return any(
        place.parent == target.parent and _names(target).fullmatch(place.name)
        for place in (path, *path.parents)
    )


def _name(target: Path, ending: str) -> str:
    return f".{target.name[:100]}.{secrets.token_hex(4)}.{ending}"


def _names(target: Path) -> re.Pattern[str]:
    return re.compile(rf"\.{re.escape(target.name[:100])}\.[0-9a-f]{{8}}\.(part|old)")


def _exchange(one: Path, other: Path) -> bool:
    if sys.platform != "linux":
        return False
    # Python has no name for it; some C libraries and file systems have not either.
    rename = getattr(ctypes.CDLL(None), "renameat2", None)
    names = _HERE, os.fsencode(one), _HERE, os.fsencode(other)
    return rename is not None and rename(*names, _EXCHANGE) == 0


def _hold(made: Path) -> int | None:
    """Lock a file or folder that is there; None where that is not possible.

    Raises:
        BlockingIOError: If another process has locked it.
        FileNotFoundError: If it is gone.
    """
    if sys.platform == "win32":
        # An open file cannot be renamed there, and a folder cannot be opened.
        return None
    handle = os.open(made, os.O_RDONLY)
    try:
        if lock(handle) and os.path.samestat(os.fstat(handle), made.stat()):
            return handle
    except BaseException:
        os.close(handle)
        raise
    os.close(handle)
    return None


def _sweep(target: Path) -> None:
    """Remove what processes left that were killed while they wrote `target`."""
    names = _names(target)
    with suppress(OSError):
        for left in [path for path in target.parent.iterdir() if names.fullmatch(path.name)]:
            # Without its new folder an old one may be all that there is.
            if left.suffix == ".part" or target.exists():
                _remove_dead(left)


def _remove_dead(left: Path) -> None:
    with suppress(OSError):
        handle = _hold(left)
        if handle is not None:
            try:
                _remove(left)
            finally:
                os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()
