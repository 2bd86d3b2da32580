"""The texts that speed is measured on: whole articles, headlines, texts of a given length."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer

from stance.classifier import TOKENIZER
from stance.cli.sources import find_sources, read_sources
from stance.encoding import ArticleEncoder
from stance.errors import DataError, Fault, UsageError
from stance.formats import read_rows
from stance.records import Article

SEEDS = Path(__file__).resolve().parent.parent / "seeds"
WORDS = 400
"""Words of an article put together from seeds/: about 500 tokens."""
_PIECE = re.compile(r"\S+\s*")


def labelled_rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The rows of all files of labelled texts (`.jsonl`) in a folder, in the order of their names.

    Raises:
        UsageError: If the folder holds none.
    """
    none = True
    for file in sorted(folder.glob("*.jsonl")):
        for row in read_rows(file):
            if row.data:
                none = False
                yield row.data
    if none:
        raise UsageError(f"{folder}: expected labelled texts (.jsonl), found none; name --data")


def joined_articles(folder: Path, n_articles: int) -> list[Article]:
    """Articles of about 500 tokens, put together from labelled texts; always the same ones.

    Args:
        folder: Holds files of labelled texts (`.jsonl`).
        n_articles: How many; texts are used again where there are too few.

    Raises:
        UsageError: If the folder holds none.
    """
    # Bare texts, not records: what the benchmark itself holds counts in the peak memory.
    texts = cycle(_shuffled(row["text"] for row in labelled_rows(folder)))
    articles = []
    for number in range(n_articles):
        parts: list[str] = []
        words = 0
        while words < WORDS:
            parts.append(next(texts))
            words += len(parts[-1].split())
        articles.append(Article(id=str(number), text="\n\n".join(parts)))
    return articles


def headlines(rows: Iterable[dict[str, Any]], n_headlines: int) -> Iterator[str]:
    """Headlines among labelled rows, used again where there are too few.

    Raises:
        UsageError: If there are none.
    """
    texts = _shuffled(row["text"] for row in rows if row.get("kind") == "headline")
    if not texts:
        raise UsageError("expected labelled texts of the kind headline, found none")
    return islice(cycle(texts), n_headlines)


def texts_of_length(texts: Sequence[str], n_words: int, total_words: int) -> list[str]:
    """Texts of exactly `n_words` words, laid out as what they are cut from.

    Args:
        texts: What they are put together from, in this order, again from the start if need be.
        n_words: Words of each.
        total_words: Words of all of them, about; one text at least.
    """
    pieces = (piece for text in cycle(texts) for piece in _PIECE.findall(f"{text}\n\n"))
    return [
        "".join(islice(pieces, n_words)).rstrip() for _ in range(max(1, total_words // n_words))
    ]


def read_articles(source: str) -> Iterator[Article]:
    """Articles of a file or a folder.

    Raises:
        UsageError: If there are none, or a file cannot be opened.
        DataError: If one cannot be read.
    """
    count = 0
    for item in read_sources(find_sources([source])):
        if not isinstance(item, Article):
            fault = Fault(file=source, line=item.line, expected="an article", found=item.error)
            raise DataError([fault])
        count += 1
        yield item
    if not count:
        raise UsageError(f"--data {source}: expected articles, found none")


def count_tokens(model: Path, window_tokens: int, articles: Sequence[Article]) -> int:
    """Tokens of all articles as a model's tokenizer cuts them, special tokens not counted.

    Args:
        model: The model's folder.
        window_tokens: As its manifest has it.
        articles: Read whole, titles too.
    """
    tokenizer = Tokenizer.from_file(str(model / TOKENIZER))
    encoder = ArticleEncoder(tokenizer, window_tokens=window_tokens)
    return sum(article.n_tokens for article in encoder.encode(articles))


def _shuffled(texts: Iterable[str]) -> list[str]:
    found = list(texts)
    random.Random(0).shuffle(found)
    return found
