"""`python -m training ...`: the same as `stance train ...`, and what `torchrun` starts."""

from __future__ import annotations

import io
import os
import sys
from contextlib import redirect_stderr, redirect_stdout

from stance.cli.main import main


def run(arguments: list[str]) -> int:
    """Train; of several processes the first speaks, and of the others who fails."""
    place = os.environ.get("RANK", "0")
    if place == "0":
        return main(["train", *arguments])
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()) as said:
        status = main(["train", *arguments])
    if status:
        sys.stderr.write(f"process {place}: {said.getvalue()}")
    return status


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
