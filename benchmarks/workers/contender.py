"""The command line that all contenders share: make a model, measure it, predict one text.

Run by each contender's own environment, so nothing outside the standard library is imported here.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from benchmarks.measuring import peak_megabytes, positive, time_runs

WARM_TEXTS, WARM_CHARACTERS = 16, 3_000
"""What is predicted before the clock runs: the first texts, cut."""


class Contender(Protocol):
    """A tool with its model, loaded."""

    def predict(self, texts: Sequence[str]) -> int:
        """Predict texts as a user of the tool would; the number of answers."""

    def tokens_read(self, texts: Sequence[str]) -> int | None:
        """Tokens of the texts that are not cut off, special ones not counted; None for all."""


Load = Callable[[Path | None, int], Contender]
"""From the model's folder (None if the tool brings its own) and the most threads."""
Make = Callable[[Path, Sequence[tuple[str, list[int]]], Path], None]
"""From an encoder's folder, labelled texts and the folder to write.

A label is 0 or 1 per column; every text has the same columns.
"""


def main(load: Load, make: Make | None = None, arguments: Sequence[str] | None = None) -> int:
    """Run a worker; `measure` prints one JSON object as its last line."""
    options = _parser(can_make=make is not None).parse_args(arguments)
    if options.verb == "make" and make is not None:
        make(options.encoder, _read(options.train, "label"), options.model)
        return 0
    started = time.perf_counter()
    contender = load(options.model, options.threads)
    loaded = time.perf_counter()
    if options.verb == "once":
        _predict(contender, [options.text])
        return 0
    texts = [text for text, _ in _read(options.texts)]
    measured = measure(contender, texts, options.runs)
    measured["load_seconds"] = loaded - started
    print(json.dumps(measured))
    return 0


def measure(contender: Contender, texts: Sequence[str], runs: int) -> dict[str, Any]:
    """Time runs over all texts, then count what was read."""
    warm = [text[:WARM_CHARACTERS] for text in texts[:WARM_TEXTS]]
    seconds = list(
        time_runs(
            lambda: _predict(contender, texts), runs, warm_up=lambda: _predict(contender, warm)
        )
    )
    # Taken before the tokens are counted: counting is no part of predicting.
    peak = peak_megabytes()
    return {
        "texts": len(texts),
        "run_seconds": seconds,
        "peak_megabytes": peak,
        "tokens_read": contender.tokens_read(texts),
    }


def _predict(contender: Contender, texts: Sequence[str]) -> None:
    found = contender.predict(texts)
    if found != len(texts):
        raise RuntimeError(f"expected {len(texts)} answers, found {found}")


def _read(path: Path, label: str | None = None) -> list[tuple[str, list[int]]]:
    with path.open(encoding="utf-8") as stream:
        rows = [json.loads(line) for line in stream]
    return [(row["text"], row[label] if label else []) for row in rows]


def _parser(*, can_make: bool) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    shared = argparse.ArgumentParser(add_help=False)
    shared.add_argument("--model", type=Path, metavar="FOLDER")
    shared.add_argument("--threads", type=positive, default=2)
    if can_make:
        making = verbs.add_parser("make", help="write a model")
        making.add_argument("--encoder", type=Path, required=True, metavar="FOLDER")
        making.add_argument("--train", type=Path, required=True, metavar="FILE")
        making.add_argument("--model", type=Path, required=True, metavar="FOLDER")
    measuring = verbs.add_parser("measure", parents=[shared], help="time predictions")
    measuring.add_argument("--texts", type=Path, required=True, metavar="FILE")
    measuring.add_argument("--runs", type=positive, default=3)
    once = verbs.add_parser("once", parents=[shared], help="load, predict one text, end")
    once.add_argument("text")
    return parser
