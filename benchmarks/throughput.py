"""Speed, load time and memory of a model on whole articles.

    python -m benchmarks.throughput [--model M] [--data FILE|FOLDER] [--threads 2] [--runs 3]

Without --data the articles are put together from the texts of seeds/, about 500 tokens each. Run it
on an idle machine, one model at a time: peak memory is that of the whole process.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stance.classifier import Classifier
    from stance.records import Article

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
WORDS = 400
"""Words of an article put together from seeds/: about 500 tokens."""


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
    try:
        classifier = Classifier.from_pretrained(options.model, threads=options.threads)
        loaded = time.perf_counter()
        if options.data is None:
            articles = joined_articles(SEEDS, options.articles)
        else:
            articles = list(islice(read_articles(options.data), options.articles))
        seconds = tuple(time_runs(classifier, articles, options.runs, options.batch_tokens))
    except StanceError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    measurement = Measurement(
        import_seconds=imported - started,
        load_seconds=loaded - imported,
        run_seconds=seconds,
        articles=len(articles),
        peak_megabytes=peak_megabytes(),
        tokens=count_tokens(classifier, articles),
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


def positive(word: str) -> int:
    """A count that a user gave, as argparse wants it."""
    if not word.isdecimal() or int(word) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, found {word!r}")
    return int(word)


def joined_articles(folder: Path, n_articles: int) -> list[Article]:
    """Articles of about 500 tokens, put together from labelled texts; always the same ones.

    Args:
        folder: Holds files of labelled texts (`.jsonl`).
        n_articles: How many; texts are used again where there are too few.

    Raises:
        UsageError: If the folder holds none.
    """
    from stance.errors import UsageError
    from stance.formats import read_rows
    from stance.records import Article

    # Bare texts, not records: what the benchmark itself holds counts in the peak memory.
    files = sorted(folder.glob("*.jsonl"))
    texts = [row.data["text"] for file in files for row in read_rows(file) if row.data]
    if not texts:
        raise UsageError(f"{folder}: expected labelled texts (.jsonl), found none; name --data")
    random.Random(0).shuffle(texts)
    place = 0
    articles = []
    for number in range(n_articles):
        parts: list[str] = []
        words = 0
        while words < WORDS:
            parts.append(texts[place % len(texts)])
            words += len(parts[-1].split())
            place += 1
        articles.append(Article(id=str(number), text="\n\n".join(parts)))
    return articles


def read_articles(source: str) -> Iterator[Article]:
    """Articles of a file or a folder.

    Raises:
        UsageError: If there are none, or a file cannot be opened.
        DataError: If one cannot be read.
    """
    from stance.cli.sources import find_sources, read_sources
    from stance.errors import DataError, Fault, UsageError
    from stance.records import Article

    count = 0
    for item in read_sources(find_sources([source])):
        if not isinstance(item, Article):
            fault = Fault(file=source, line=item.line, expected="an article", found=item.error)
            raise DataError([fault])
        count += 1
        yield item
    if not count:
        raise UsageError(f"--data {source}: expected articles, found none")


def time_runs(
    classifier: Classifier, articles: Sequence[Article], runs: int, batch_tokens: int
) -> Iterator[float]:
    """Seconds of each run over all articles; a first one, which warms up, is not counted."""
    for number in range(runs + 1):
        started = time.perf_counter()
        _exhaust(classifier.predict_many(articles, batch_tokens=batch_tokens))
        if number:
            yield time.perf_counter() - started


def _exhaust(items: Iterable[object]) -> None:
    for _ in items:
        pass


def count_tokens(classifier: Classifier, articles: Sequence[Article]) -> int | None:
    """Tokens of all articles as the model's tokenizer cuts them; None if it has none."""
    from tokenizers import Tokenizer

    from stance.classifier import TOKENIZER
    from stance.encoding import ArticleEncoder

    window_tokens = classifier.manifest.window_tokens
    if window_tokens is None:
        return None
    tokenizer = Tokenizer.from_file(str(classifier.path / TOKENIZER))
    encoder = ArticleEncoder(tokenizer, window_tokens=window_tokens)
    return sum(article.n_tokens for article in encoder.encode(articles))


def peak_megabytes() -> float | None:
    """Largest resident memory of this process so far, in 10^6 bytes; None if nobody tells."""
    try:
        import resource
    except ImportError:
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # Linux counts in kibibytes, macOS in bytes.
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


if __name__ == "__main__":
    sys.exit(main())
