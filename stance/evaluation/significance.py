"""Tests of differences: exact where counts allow, and corrected where there are several."""

from __future__ import annotations

import math
from collections.abc import Sequence

LEVEL = 0.05


def mcnemar_exact(only_first: int, only_second: int) -> float:
    """Exact test of McNemar (1947) on the items that just one of two is right on.

    Args:
        only_first: Items that the first alone is right on, 0 or more.
        only_second: Items that the second alone is right on.

    Returns:
        Two-sided p: how often chance alone, each such item a fair coin, splits them as unevenly.
    """
    items = only_first + only_second
    ways, term = 0, 1
    # Whole numbers, so that the test is exact at any size.
    for taken in range(min(only_first, only_second) + 1):
        ways += term
        term = term * (items - taken) // (taken + 1)
    return min(1.0, 2 * ways / (1 << items))


def two_proportions(hits: int, texts: int, other_hits: int, other_texts: int) -> float:
    """Test whether two shares differ, by the normal approximation with a pooled share.

    Args:
        hits: Of the first sample.
        texts: Its size, above 0.
        other_hits: Of the second.
        other_texts: Its size, above 0.

    Returns:
        Two-sided p; 1 if both shares are 0 or both are 1.
    """
    pooled = (hits + other_hits) / (texts + other_texts)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / texts + 1 / other_texts))
    if spread == 0:
        return 1.0
    return math.erfc(abs(hits / texts - other_hits / other_texts) / spread / math.sqrt(2))


def holm(values: Sequence[float]) -> list[float]:
    """Correct p values of several tests (Holm 1979); they stay in their order.

    Holds the chance of any false finding at the level, whatever ties the tests together.
    """
    corrected = [0.0] * len(values)
    largest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        largest = max(largest, min(1.0, (len(values) - rank) * values[place]))
        corrected[place] = largest
    return corrected
