"""How far predicted probabilities are from observed shares: reliability bins and their ECE."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Reliability:
    """Predictions gathered in bins of equal width.

    Attributes:
        ece: Expected calibration error in [0, 1]: over the bins, the mean distance between the
            mean probability and the share that came true, weighted by size. None without items.
        low: Lower end of each bin that holds something.
        count: Its number of items.
        predicted: Its mean probability.
        observed: Its share of items that came true.
    """

    ece: float | None
    low: tuple[float, ...]
    count: tuple[int, ...]
    predicted: tuple[float, ...]
    observed: tuple[float, ...]

    def to_dict(self) -> list[dict[str, Any]]:
        """The bins as JSON objects."""
        return [
            {
                "from": round(low, 4),
                "to": round(low + 1 / BINS, 4),
                "count": count,
                "predicted": round(predicted, 6),
                "observed": round(observed, 6),
            }
            for low, count, predicted, observed in zip(
                self.low, self.count, self.predicted, self.observed, strict=True
            )
        ]


def reliability(probability: NDArray[np.float64], true: NDArray[np.bool_]) -> Reliability:
    """Gather predictions in 15 bins of equal width over [0, 1] (Guo et al. 2017).

    Args:
        probability: `(items,)` in [0, 1]; an item on an edge falls in the upper bin, 1 in the last.
        true: `(items,)`, whether it came true.
    """
    place = np.minimum((probability * BINS).astype(np.intp), BINS - 1)
    count = np.bincount(place, minlength=BINS)
    held = count > 0
    size = count[held]
    predicted = np.bincount(place, weights=probability, minlength=BINS)[held] / size
    observed = np.bincount(place, weights=true.astype(float), minlength=BINS)[held] / size
    ece = float((np.abs(predicted - observed) * size).sum() / len(place)) if len(place) else None
    return Reliability(
        ece=ece,
        low=tuple((np.flatnonzero(held) / BINS).tolist()),
        count=tuple(size.tolist()),
        predicted=tuple(predicted.tolist()),
        observed=tuple(observed.tolist()),
    )
