"""Tests of differences against statsmodels and scipy, on tables drawn at random."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.evaluation.significance import holm, mcnemar_exact, two_proportions

tables = pytest.importorskip("statsmodels.stats.contingency_tables")
multiple = pytest.importorskip("statsmodels.stats.multitest")
proportion = pytest.importorskip("statsmodels.stats.proportion")
counts = st.integers(0, 400)


@given(counts, counts, counts, counts)
def test_mcnemar_is_that_of_statsmodels(both: int, first: int, second: int, none: int) -> None:
    ours = mcnemar_exact(first, second)
    theirs = tables.mcnemar([[both, first], [second, none]], exact=True).pvalue
    assert ours == pytest.approx(min(1.0, theirs), rel=1e-9)
    assert ours == mcnemar_exact(second, first)


def test_mcnemar_of_nothing_and_of_very_much() -> None:
    assert mcnemar_exact(0, 0) == 1
    assert mcnemar_exact(1, 0) == 1
    assert mcnemar_exact(0, 6) == 2 / 2**6
    assert mcnemar_exact(0, 5_000) == 0
    exact = pytest.importorskip("scipy.stats").binomtest(29_700, 60_000).pvalue
    assert mcnemar_exact(29_700, 30_300) == pytest.approx(exact, rel=1e-6)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_that_of_statsmodels(values: list[float]) -> None:
    theirs = multiple.multipletests(values, method="holm")[1]
    assert holm(values) == pytest.approx(theirs.tolist())


def test_holm_of_no_test() -> None:
    assert holm([]) == []


@given(st.integers(1, 300), st.integers(1, 300), st.data())
def test_two_proportions_is_that_of_statsmodels(
    texts: int, others: int, data: st.DataObject
) -> None:
    hits, other_hits = data.draw(st.integers(0, texts)), data.draw(st.integers(0, others))
    ours = two_proportions(hits, texts, other_hits, others)
    if hits + other_hits in (0, texts + others):
        assert ours == 1
        return
    _, theirs = proportion.proportions_ztest([hits, other_hits], [texts, others])
    assert ours == pytest.approx(float(theirs), rel=1e-9, abs=1e-300)


def test_mcnemar_keeps_its_level() -> None:
    """Of tables without a difference at most 5 % are called different."""
    draws = np.random.default_rng(0).binomial(40, 0.5, size=4_000)
    wrong = np.mean([mcnemar_exact(int(drawn), 40 - int(drawn)) < 0.05 for drawn in draws])
    assert wrong <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / len(draws))
