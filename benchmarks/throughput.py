"""Speed, load time and memory of a model on whole articles.

    python -m benchmarks.throughput [--model M] [--data FILE|FOLDER] [--threads 2] [--runs 3]

Without --data the articles are put together from the texts of seeds/, about 500 tokens each. Run it
on an idle machine, one model at a time: peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from benchmarks.measuring import peak_megabytes, positive, time_runs


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What was measured.

    Attributes:
        import_seconds: Importing the library.
        load_seconds: Reading, checking and compiling the model.
        run_seconds: Of each run over all articles, warm-up left out.
        articles: Number of articles.
        tokens: Of all articles, special tokens not counted; None for a model without a tokenizer.
        peak_megabytes: Largest resident memory of the process (10^6 bytes); None where the system
            does not tell.
    """

    import_seconds: float
    load_seconds: float
    run_seconds: tuple[float, ...]
    articles: int
    tokens: int | None
    peak_megabytes: float | None

    def lines(self) -> list[tuple[str, str]]:
        """Name and value of each figure."""
        seconds = statistics.median(self.run_seconds)
        found = [
            ("articles", f"{self.articles:,}"),
            ("articles/s", f"{self.articles / seconds:.1f}"),
        ]
        if self.tokens is not None:
            found.insert(1, ("tokens an article", f"{self.tokens / self.articles:.0f}"))
            found.append(("tokens/s", f"{self.tokens / seconds:,.0f}"))
        found += [
            ("seconds of each run", ", ".join(f"{run:.2f}" for run in self.run_seconds)),
            ("import, s", f"{self.import_seconds:.2f}"),
            ("load, s", f"{self.load_seconds:.2f}"),
        ]
        if self.peak_megabytes is not None:
            found.append(("peak memory, MB", f"{self.peak_megabytes:.0f}"))
        return found


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    # Read once by the tokenizers library, when it starts its threads.
    os.environ["RAYON_NUM_THREADS"] = str(options.threads)
    started = time.perf_counter()
    from stance.classifier import Classifier
    from stance.errors import StanceError

    imported = time.perf_counter()
    from benchmarks.texts import SEEDS, count_tokens, joined_articles, read_articles

    try:
        loading = time.perf_counter()
        classifier = Classifier.from_pretrained(options.model, threads=options.threads)
        loaded = time.perf_counter()
        if options.data is None:
            articles = joined_articles(SEEDS, options.articles)
        else:
            articles = list(islice(read_articles(options.data), options.articles))
        batch_tokens = options.batch_tokens
        seconds = tuple(
            time_runs(
                lambda: sum(
                    1 for _ in classifier.predict_many(articles, batch_tokens=batch_tokens)
                ),
                options.runs,
            )
        )
    except StanceError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    peak = peak_megabytes()
    window_tokens = classifier.manifest.window_tokens
    tokens = (
        None if window_tokens is None else count_tokens(classifier.path, window_tokens, articles)
    )
    measurement = Measurement(
        import_seconds=imported - started,
        load_seconds=loaded - loading,
        run_seconds=seconds,
        articles=len(articles),
        peak_megabytes=peak,
        tokens=tokens,
    )
    print(f"{classifier.path}, {options.threads} threads")
    print()
    for name, value in (("figure", "value"), ("---", "---:"), *measurement.lines()):
        print(f"| {name} | {value} |")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description="Speed, load time and memory of a model on whole articles.",
    )
    parser.add_argument("--model", metavar="FOLDER", help="default: the released model")
    parser.add_argument(
        "--data", metavar="FILE|FOLDER", help="articles, as for `stance predict`; default: seeds/"
    )
    for name, default, words in (
        ("articles", 200, "most articles that are read"),
        ("threads", 2, "most threads"),
        ("runs", 3, "timed runs over all articles, after one that is not"),
        ("batch-tokens", 2_048, "as for Classifier.predict_many"),
    ):
        parser.add_argument(
            f"--{name}", type=positive, default=default, help=f"{words}; default: %(default)s"
        )
    return parser


if __name__ == "__main__":
    sys.exit(main())
