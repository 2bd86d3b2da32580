"""What is read together: a stream of articles in pieces, their windows in batches of few shapes.

The engine makes code for every shape of a batch, and keeps it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Generic, Protocol, TypeVar

WIDTH_STEP = 16
"""Widths are rounded up to a multiple of this. A smaller step pads less and makes more shapes."""

CHUNK_ARTICLES = 512
CHUNK_CHARACTERS = 200_000
"""Articles whose windows are sorted together, until one of the two is reached: more of them save
padding and cost memory, and the first answer waits for all of them (about two seconds)."""

Piece = TypeVar("Piece")


def cut_stream(items: Iterable[Piece], length_of: Callable[[Piece], int]) -> Iterator[list[Piece]]:
    """Cut a stream into pieces that are read together; the same stream is cut at the same places.

    Args:
        items: Any number; one piece of them is held at a time.
        length_of: Characters of an item.
    """
    piece: list[Piece] = []
    characters = 0
    for item in items:
        piece.append(item)
        characters += length_of(item)
        if len(piece) == CHUNK_ARTICLES or characters >= CHUNK_CHARACTERS:
            yield piece
            piece, characters = [], 0
    if piece:
        yield piece


class Sized(Protocol):
    """Anything with a width in tokens, special tokens included."""

    @property
    def width(self) -> int:
        """At least 1."""


Item = TypeVar("Item", bound=Sized)


@dataclass(frozen=True, slots=True)
class Batch(Generic[Item]):
    """Items that are read together.

    Attributes:
        items: At most `rows`, each at most `width` wide.
        rows: Rows of the arrays; those behind the items are padding.
        width: Columns of the arrays.
    """

    items: tuple[Item, ...]
    rows: int
    width: int


def plan_batches(
    items: Iterable[Item], *, batch_tokens: int, longest: int
) -> Iterator[Batch[Item]]:
    """Put items of like width together.

    Every batch of one width has the same number of rows, as many as the budget holds; what is left
    of a width goes on to the next one, or into a batch whose rows are a power of two where that
    pads less. So a stream of any texts needs a few dozen shapes, whatever their lengths.

    Args:
        items: In any order.
        batch_tokens: Most tokens of a batch, padding included; a wider item stands alone.
        longest: Widest item that there can be; widths are not rounded up beyond it.
    """
    by_width = sorted(items, key=lambda item: item.width)
    groups = [
        (width, list(group))
        for width, group in groupby(by_width, key=lambda item: _rounded(item.width, longest))
    ]
    waiting: list[Item] = []
    for place, (width, group) in enumerate(groups):
        waiting += group
        rows = max(1, batch_tokens // width)
        while len(waiting) >= rows:
            yield Batch(tuple(waiting[:rows]), rows, width)
            del waiting[:rows]
        # The next power of two.
        alone = min(rows, 1 << (len(waiting) - 1).bit_length()) if waiting else 0
        last = place + 1 == len(groups)
        if waiting and (last or alone * width <= len(waiting) * groups[place + 1][0]):
            yield Batch(tuple(waiting), alone, width)
            waiting = []


def _rounded(width: int, longest: int) -> int:
    return max(width, min(longest, -(-width // WIDTH_STEP) * WIDTH_STEP))
