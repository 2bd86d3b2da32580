"""Sums over texts: counts kept sparse, ranks kept sorted, so that any weights add up quickly.

A weight says how often a text is in a sample. All ones give the score itself, the draws of a
bootstrap give its interval; both take the same road.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Index = NDArray[np.intp]
# 64 MiB of numbers.
_DENSE_LIMIT = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Cells:
    """The entries of an array `(texts, *shape)` that are not 0.

    Attributes:
        text: `(entries,)`, row of each entry.
        column: `(entries,)`, its place in `shape`, flattened.
        value: `(entries,)`, its value.
        shape: Shape of one row.
    """

    text: Index
    column: Index
    value: Floats
    shape: tuple[int, ...]

    @classmethod
    def dense(cls, array: NDArray[Any]) -> Cells:
        """Take the entries of an array `(texts, *shape)`."""
        shape = array.shape[1:]
        flat = array.reshape(len(array), int(np.prod(shape)))
        text, column = np.nonzero(flat)
        value = flat[text, column].astype(np.float64)
        return cls(text=text, column=column, value=value, shape=shape)

    @classmethod
    def at(cls, text: Index, places: tuple[NDArray[Any], ...], shape: tuple[int, ...]) -> Cells:
        """One count for each entry of `text`, at `places`, one array per axis of `shape`."""
        column = np.ravel_multi_index(places, shape).astype(np.intp)
        return cls(text=text, column=column, value=np.ones(len(text)), shape=shape)


class Tally:
    """Named counts per text that add up to named sums."""

    def __init__(
        self, parts: Mapping[str, Cells], *, units: int, dense_limit: int = _DENSE_LIMIT
    ) -> None:
        """Join the parts; their texts are numbered alike.

        Args:
            parts: Counts by name.
            units: Number of texts.
            dense_limit: Up to so many numbers the counts are laid out as a table, since a matrix
                product is several times faster than gathering; beyond it they stay sparse.
        """
        self._places: dict[str, tuple[int, int, tuple[int, ...]]] = {}
        columns, width = [], 0
        for name, part in parts.items():
            size = int(np.prod(part.shape))
            self._places[name] = (width, width + size, part.shape)
            columns.append(part.column + width)
            width += size
        self.width = width
        self._column = np.concatenate(columns)
        self._text = np.concatenate([part.text for part in parts.values()])
        self._value = np.concatenate([part.value for part in parts.values()])
        self._table: Floats | None = None
        if units * width <= dense_limit:
            self._table = np.zeros((units, width))
            self._table[self._text, self._column] = self._value

    def sums(self, weights: Floats) -> dict[str, Floats]:
        """Add the counts up.

        Args:
            weights: `(samples, texts)`, how often each text is in each sample.

        Returns:
            For each name the sums `(samples, *shape)`.
        """
        if self._table is not None:
            summed = weights @ self._table
        else:
            summed = np.empty((len(weights), self.width))
            for row, sample in zip(summed, weights, strict=True):
                counts = sample[self._text] * self._value
                row[:] = np.bincount(self._column, weights=counts, minlength=self.width)
        return {
            name: summed[:, start:end].reshape(len(weights), *shape)
            for name, (start, end, shape) in self._places.items()
        }


class Ranking:
    """Items sorted by score, ties kept together, for scores that depend on the order alone."""

    def __init__(self, score: Floats, positive: NDArray[np.bool_], text: Index) -> None:
        """Sort once, highest score first.

        Args:
            score: `(items,)`, without NaN.
            positive: `(items,)`, the items that should rank high.
            text: `(items,)`, the text of each item, whose weight it takes.
        """
        order = np.argsort(-score, kind="stable")
        ranked, held = score[order], positive[order]
        self._text = text[order]
        self._positive = np.flatnonzero(held)
        self._mixed = bool(held.any() and not held.all())
        # For each positive item: the end of its group of equal scores among all items, and among
        # the positive ones; and where that group begins.
        own = -ranked[self._positive]
        self._end = np.searchsorted(-ranked, own, side="right")
        self._start = np.searchsorted(-ranked, own, side="left")
        self._right_end = np.searchsorted(own, own, side="right")
        self._right_start = np.searchsorted(own, own, side="left")

    def average_precision(self, weights: Floats) -> Floats:
        """Sum over thresholds of the gain in recall times the precision there.

        Args:
            weights: `(samples, texts)`.

        Returns:
            `(samples,)` in [0, 1]; NaN where a sample has no positive item.
        """
        values = np.full(len(weights), np.nan)
        if not len(self._positive):
            return values
        for index, sample in enumerate(weights):
            gain, taken, right = self._sums(sample)
            if right[-1] > 0:
                # An item that is not in the sample adds nothing, whatever its precision.
                precision = ratio(right[self._right_end], taken[self._end])
                values[index] = (gain * np.where(gain > 0, precision, 0)).sum() / right[-1]
        return values

    def auroc(self, weights: Floats) -> Floats:
        """Chance that a positive item outranks another one, ties counted half.

        Args:
            weights: `(samples, texts)`.

        Returns:
            `(samples,)` in [0, 1]; NaN where a sample has no positive or no other item.
        """
        values = np.full(len(weights), np.nan)
        if not self._mixed:
            return values
        for index, sample in enumerate(weights):
            gain, taken, right = self._sums(sample)
            above_or_tied = taken[self._end] - right[self._right_end]
            above = taken[self._start] - right[self._right_start]
            others = taken[-1] - right[-1]
            if right[-1] > 0 and others > 0:
                outranked = others - (above_or_tied + above) / 2
                values[index] = (gain * outranked).sum() / (right[-1] * others)
        return values

    def _sums(self, sample: Floats) -> tuple[Floats, Floats, Floats]:
        """Weight of each positive item; running sums, from 0, over all items and over these."""
        weight = sample[self._text]
        gain = weight[self._positive]
        return gain, np.r_[0.0, weight.cumsum()], np.r_[0.0, gain.cumsum()]


def ratio(part: Floats, whole: Floats) -> Floats:
    """Divide; NaN where the divisor is 0."""
    result = np.full(np.broadcast_shapes(part.shape, whole.shape), np.nan)
    np.divide(part, whole, out=result, where=whole != 0)
    return result


def mean_defined(values: Floats) -> Floats:
    """Mean over the last axis of what is not NaN; NaN where nothing is left."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1).astype(float))


def f1(right: Floats, gold: Floats, found: Floats) -> Floats:
    """2 right / (gold + found), which is the harmonic mean of precision and recall.

    NaN where there is neither a gold item nor a found one.
    """
    return ratio(2 * right, gold + found)
