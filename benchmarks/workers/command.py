"""Time and peak memory of a whole command, from its start to its end.

    python -m benchmarks.workers.command [--runs N] [--warm] -- COMMAND...

A process between the benchmark and the command, because a system may count what the starting
process held as the memory of the one that it starts; this one holds next to nothing.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
from collections.abc import Sequence

from benchmarks.measuring import positive, rusage_megabytes, time_runs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and print one JSON object."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=positive, default=3)
    parser.add_argument("--warm", action="store_true", help="run it once before the clock does")
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)

    def run() -> None:
        # Its output is not wanted; what it complains of goes to our own standard error.
        subprocess.run(options.command, stdout=subprocess.DEVNULL, check=True)

    warm_up = run if options.warm else lambda: None
    seconds = list(time_runs(run, options.runs, warm_up=warm_up))
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps({"run_seconds": seconds, "peak_megabytes": rusage_megabytes(peak)}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
