"""Time and memory of one process.

Imports the standard library alone, so that every contender's environment can run it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

_STATUS = Path("/proc/self/status")


def positive(word: str) -> int:
    """A whole number above 0, for `argparse`."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {word!r}")
    return int(word)


def time_runs(
    run: Callable[[], object], runs: int, *, warm_up: Callable[[], object] | None = None
) -> Iterator[float]:
    """Seconds of each run.

    Args:
        run: What is timed.
        runs: How often.
        warm_up: What goes before, not timed; one run if None.
    """
    (warm_up or run)()
    for _ in range(runs):
        started = time.perf_counter()
        run()
        yield time.perf_counter() - started


def peak_megabytes() -> float | None:
    """Largest resident memory of this process so far, in 10^6 bytes; None if nobody tells."""
    # What getrusage tells on Linux is no less than what the starting process held at that time.
    if _STATUS.exists():
        for line in _STATUS.read_text(encoding="ascii", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name == "VmHWM":
                return int(value.split()[0]) * 1024 / 1e6
    try:
        import resource
    except ImportError:
        return None
    return rusage_megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def rusage_megabytes(peak: int) -> float:
    """A `ru_maxrss` in 10^6 bytes."""
    # Linux counts in kibibytes, macOS in bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


def installed_versions() -> dict[str, str]:
    """Version of every distribution in this environment, by its name in lower case."""
    found = {
        item.metadata["Name"].lower(): item.version for item in importlib.metadata.distributions()
    }
    return dict(sorted(found.items()))
