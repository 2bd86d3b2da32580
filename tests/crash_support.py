"""Runs something in a process that dies at a chosen step, as if it were killed there."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import warnings
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import FrameType
from typing import Any

import stance

_WATCHED = (str(Path(stance.__file__).parent), shutil.__file__)


def killed_at(step: int, act: Callable[[], object]) -> bool:
    """Run `act` in a process of its own that is killed before its nth line of our code.

    Returns:
        False if it has fewer lines and ended by itself.
    """
    with warnings.catch_warnings():
        # Some releases of Python warn of other threads; the child starts none and soon ends.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        try:
            sys.settrace(_killer(step))
            act()
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "it failed by itself"
    return os.WIFSIGNALED(status)


def at_every_step(act: Callable[[], object], check: Callable[[], object]) -> int:
    """Kill `act` before its first line, its second and so on, and look at what is left each time.

    Returns:
        How many steps it has.
    """
    for step in count(1):
        if not killed_at(step, act):
            return step - 1
        check()
    raise AssertionError


def _killer(step: int) -> Callable[[FrameType, str, Any], Any]:
    left = step

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(_WATCHED):
            return None
        if event == "line":
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace
