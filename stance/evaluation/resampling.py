"""Bootstrap intervals: a score again and again on texts drawn with replacement, from one seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Path = tuple[str, ...]
Statistic = Callable[[Floats], Mapping[Path, Floats]]

LEVEL = 0.95
# An interval over the few draws in which a score happens to be defined would be about other texts
# than the score itself. With 3 gold items 95 % of the draws hold one, with 1 only 63 %.
MIN_DEFINED = 0.9
_CHUNK_VALUES = 4_000_000


class Interval(NamedTuple):
    """The percentile interval of a score."""

    low: float
    high: float


def draw_weights(units: int, samples: int, generator: np.random.Generator) -> Floats:
    """Draw samples of as many units as there are, with replacement.

    Returns:
        `(samples, units)`, how often each unit was drawn; each row adds up to `units` and is
        multinomial. One row costs one run over the units, whatever the number of rows at once,
        so the same generator gives the same rows in any chunks.
    """
    weights = np.empty((samples, units))
    for row in weights:
        row[:] = np.bincount(generator.integers(units, size=units), minlength=units)
    return weights


def resample(
    statistic: Statistic, units: int, *, resamples: int, seed: int, width: int = 1
) -> dict[Path, Floats]:
    """Compute every score on each of `resamples` bootstrap samples.

    Two statistics over the same units with the same seed see the same samples, so their
    differences are paired.

    Args:
        statistic: Takes weights `(samples, units)`, gives values `(samples,)` by name.
        units: Number of texts (or of pairs, where those are drawn).
        resamples: Number of samples, 0 or more.
        seed: Of numpy's default generator.
        width: Numbers that the statistic holds per sample; bounds how many are done at once.

    Returns:
        For each name `(resamples,)`, NaN where a sample leaves the score undefined.
    """
    generator = np.random.default_rng(seed)
    chunk = max(1, _CHUNK_VALUES // max(units, width, 1))
    parts: list[Mapping[Path, Floats]] = []
    for start in range(0, resamples if units else 0, chunk):
        count = min(chunk, resamples - start)
        parts.append(statistic(draw_weights(units, count, generator)))
    if not parts:
        return {}
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def interval(values: Floats) -> Interval | None:
    """The central 95 % of resampled values.

    Returns:
        The 2.5th and 97.5th percentile, or None if the score is undefined in more than a tenth of
        the samples or there are none.
    """
    defined = values[~np.isnan(values)]
    if not len(values) or len(defined) < MIN_DEFINED * len(values):
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))
