"""`python -m training ...`: the same as `stance train ...`."""

from __future__ import annotations

import sys

from stance.cli.main import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
