"""Articles and faulty inputs to answers in order, in pieces that are the same in every run.

The last digit of a probability may depend on the company in which a text is read. So whoever reads
a part of a stream, because the rest is known already or read elsewhere, must cut it as the whole is
cut.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Protocol

from stance.batching import cut_stream
from stance.errors import UsageError
from stance.predictions import FaultyInput, Prediction
from stance.records import Article

Answer = Prediction | FaultyInput


class Predictor(Protocol):
    """What is needed of a classifier."""

    def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
        """One prediction per article, in order."""


def cut_items(items: Iterable[Article | FaultyInput]) -> Iterator[list[Article | FaultyInput]]:
    """Cut a stream into the pieces that `answers` reads together."""
    return cut_stream(items, _characters)


def answers(
    classifier: Predictor, items: Iterable[Article | FaultyInput], *, keep: bool, done: int = 0
) -> Iterator[Answer]:
    """Predict articles; faulty inputs keep their place among them.

    Memory holds one piece, see `stance.batching.cut_stream`.

    Args:
        classifier: Reads the articles.
        items: Articles and faulty inputs, from the beginning of a piece on.
        keep: Whether other fields of the input stay with the predictions.
        done: The answers to so many items are known already and left out.

    Raises:
        UsageError: If there are fewer items than known answers.
    """
    passed = 0
    for piece in cut_items(items):
        if passed + len(piece) <= done:
            passed += len(piece)
            continue
        predictions = classifier.predict_many(
            item if keep else replace(item, extra={}) for item in piece if isinstance(item, Article)
        )
        for item in piece:
            answer = item if isinstance(item, FaultyInput) else next(predictions, None)
            if answer is None:
                raise RuntimeError("the classifier gave fewer predictions than it read articles")
            passed += 1
            if passed > done:
                yield answer
    if passed < done:
        raise UsageError(
            f"expected {done:,} inputs or more, whose answers are kept, found {passed:,}"
        )


def _characters(item: Article | FaultyInput) -> int:
    return item.characters if isinstance(item, Article) else 0
