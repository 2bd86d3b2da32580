"""Pooling equals its formula, splits exactly by sentence, and does not care how texts were cut."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stance.pooling import (
    DocumentScores,
    PoolingParameters,
    SegmentSums,
    merge_segments,
    n_stance_columns,
    output_columns,
    pool_document,
    segment_sums,
)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A document's token outputs by sentence, and where each sentence is cut."""

    sentences: tuple[Array, ...]
    cuts: tuple[tuple[int, ...], ...]
    parameters: PoolingParameters
    n_topics: int
    rng: np.random.Generator

    @property
    def columns(self) -> int:
        return int(self.sentences[0].shape[1]) // self.n_topics - 3


@st.composite
def cases(draw: st.DrawFn, *, cut: bool = True) -> Case:
    k, columns = draw(st.integers(1, 3)), draw(st.sampled_from([1, 3]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    scale = draw(st.sampled_from([0.1, 1.0, 5.0]))
    lengths = draw(st.lists(st.integers(1, 7), min_size=1, max_size=6))
    cuts = [
        draw(st.sets(st.integers(1, length - 1))) if cut and length > 1 else ()
        for length in lengths
    ]
    return Case(
        sentences=tuple(scale * rng.normal(size=(n, (3 + columns) * k)) for n in lengths),
        cuts=tuple(tuple(sorted(places)) for places in cuts),
        parameters=PoolingParameters(
            bias=rng.normal(size=k),
            sharpness=3 * rng.random(k),
            gate=2 * rng.random(k),
            decay=rng.normal(size=k),
        ),
        n_topics=k,
        rng=rng,
    )


def softmax(logits: Array) -> Array:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def formula(case: Case) -> tuple[Array, Array, Array, Array]:
    """Logits and shares as the text at the head of the module says, token by token."""
    k, columns, numbers = case.n_topics, case.columns, case.parameters
    n = len(case.sentences)
    presence, stance = np.zeros(k), np.zeros((k, columns))
    presence_shares, stance_shares = np.zeros((n, k)), np.zeros((n, k, columns))
    for topic in range(k):
        x = np.array([softmax(s[:, topic]) @ s[:, k + topic] for s in case.sentences])
        presence_shares[:, topic] = softmax(numbers.sharpness[topic] * x) * x
        presence[topic] = numbers.bias[topic] + presence_shares[:, topic].sum()
        logits = [
            tokens[:, 2 * k + topic]
            + numbers.gate[topic] * x[place]
            - numbers.decay[topic] * np.log(1 + place)
            for place, tokens in enumerate(case.sentences)
        ]
        weights = np.split(softmax(np.concatenate(logits)), np.cumsum([*map(len, logits)])[:-1])
        first = 3 * k + topic * columns
        for place, tokens in enumerate(case.sentences):
            stance_shares[place, topic] = weights[place] @ tokens[:, first : first + columns]
        stance[topic] = stance_shares[:, topic].sum(axis=0)
    return presence, stance, presence_shares, stance_shares


def pieces_of(case: Case) -> list[tuple[int, Array]]:
    return [
        (number, piece)
        for number, (tokens, cuts) in enumerate(zip(case.sentences, case.cuts, strict=True))
        for piece in np.split(tokens, cuts)
    ]


def pooled(case: Case, *, shuffled: bool = False) -> DocumentScores:
    """The document by way of its pieces; each gathered group of pieces is a window."""
    pieces = pieces_of(case)
    if shuffled:
        pieces = [pieces[index] for index in case.rng.permutation(len(pieces))]
    starts = np.cumsum([0, *(len(tokens) for _, tokens in pieces)])[:-1]
    sums = segment_sums(np.concatenate([tokens for _, tokens in pieces]), starts, case.n_topics)
    owner = np.array([number for number, _ in pieces])
    return pool_document(merge_segments(sums, owner, len(case.sentences)), case.parameters)


def assert_same(scores: DocumentScores, expected: tuple[Array, Array, Array, Array]) -> None:
    found = (scores.presence, scores.stance, scores.presence_shares, scores.stance_shares)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)


@given(case=cases(cut=False))
def test_whole_sentences_give_the_formula(case: Case) -> None:
    assert_same(pooled(case), formula(case))


@given(case=cases())
def test_sentences_in_pieces_give_the_formula_in_any_order(case: Case) -> None:
    assert_same(pooled(case, shuffled=True), formula(case))


@given(case=cases())
def test_shares_and_bias_add_up_to_the_logits(case: Case) -> None:
    scores = pooled(case)
    np.testing.assert_allclose(
        scores.presence_shares.sum(axis=0) + case.parameters.bias, scores.presence, atol=1e-9
    )
    np.testing.assert_allclose(scores.stance_shares.sum(axis=0), scores.stance, atol=1e-9)


@given(case=cases(), place=st.integers(0, 6))
def test_a_sentence_without_tokens_changes_nothing(case: Case, place: int) -> None:
    place = min(place, len(case.sentences))
    plain = pooled(case)
    pieces = pieces_of(case)
    starts = np.cumsum([0, *(len(tokens) for _, tokens in pieces)])[:-1]
    sums = segment_sums(np.concatenate([tokens for _, tokens in pieces]), starts, case.n_topics)
    owner = np.array([number + (number >= place) for number, _ in pieces])
    merged = merge_segments(sums, owner, len(case.sentences) + 1)
    scores = pool_document(merged, case.parameters)
    assert not scores.presence_shares[place].any()
    assert not scores.stance_shares[place].any()
    without = DocumentScores(
        presence=scores.presence,
        stance=scores.stance,
        presence_shares=np.delete(scores.presence_shares, place, axis=0),
        stance_shares=np.delete(scores.stance_shares, place, axis=0),
    )
    assert_same(without, (plain.presence, plain.stance, plain.presence_shares, plain.stance_shares))


@given(case=cases())
def test_the_order_of_sentences_matters_only_through_decay(case: Case) -> None:
    flat = replace(
        case, parameters=replace(case.parameters, decay=np.zeros_like(case.parameters.decay))
    )
    order = case.rng.permutation(len(case.sentences))
    turned = replace(
        flat,
        sentences=tuple(flat.sentences[index] for index in order),
        cuts=tuple(flat.cuts[index] for index in order),
    )
    before, after = pooled(flat), pooled(turned)
    assert_same(
        after,
        (
            before.presence,
            before.stance,
            before.presence_shares[order],
            before.stance_shares[order],
        ),
    )


def sentence_sums(presence: Array) -> SegmentSums:
    """Sentences with these presences, shape (sentences, topics), and one token each."""
    n, k = presence.shape
    return SegmentSums(
        presence=presence,
        presence_log_mass=np.zeros((n, k)),
        stance=np.zeros((n, k, 1)),
        stance_log_mass=np.zeros((n, k)),
    )


def parameters(sharpness: float, *, gate: float = 0.0, decay: float = 0.0) -> PoolingParameters:
    one = np.ones(1)
    return PoolingParameters(
        bias=0 * one, sharpness=sharpness * one, gate=gate * one, decay=decay * one
    )


def test_one_sentence_among_a_thousand_is_found() -> None:
    presence = np.full((1_001, 1), -5.0)
    presence[617] = 5.0
    stance = np.full((1_001, 1, 1), -1.0)
    stance[617] = 3.0
    sums = replace(sentence_sums(presence), stance=stance)
    scores = pool_document(sums, parameters(1.5, gate=1.5))
    assert scores.presence[0] > 4.5
    assert scores.stance[0, 0] > 2.5
    # What a mean would say of it.
    assert pool_document(sums, parameters(0.0)).presence[0] < -4.5


@given(
    presence=st.lists(st.floats(-20, 20), min_size=1, max_size=30),
    sharpness=st.floats(0.05, 20),
)
def test_presence_is_a_soft_maximum(presence: list[float], sharpness: float) -> None:
    values = np.array(presence)[:, None]
    found = pool_document(sentence_sums(values), parameters(sharpness)).presence[0]
    # The entropy of the weights is at most log n.
    assert max(presence) - np.log(len(presence)) / sharpness - 1e-9 <= found
    assert found <= max(presence) + 1e-9
    mean = pool_document(sentence_sums(values), parameters(0.0)).presence[0]
    assert found >= mean - 1e-9
    assert mean == pytest.approx(np.mean(presence), abs=1e-9)


def test_later_sentences_weigh_less_where_decay_says_so() -> None:
    stance = np.array([1.0, -1.0])[:, None, None]
    sums = replace(sentence_sums(np.zeros((2, 1))), stance=stance)
    # The second sentence's weight is 1 / (1 + position) ** decay of the first one's.
    scores = pool_document(sums, parameters(1.0, decay=1.0))
    assert scores.stance[0, 0] == pytest.approx((1 - 0.5) / 1.5)


def test_large_outputs_do_not_overflow() -> None:
    rng = np.random.default_rng(0)
    outputs = (1e4 * rng.normal(size=(12, 8))).astype(np.float32)
    sums = segment_sums(outputs, np.array([0, 5, 6]), 2)
    merged = merge_segments(sums, np.array([1, 0, 1]), 2)
    numbers = PoolingParameters(
        bias=np.zeros(2), sharpness=np.ones(2), gate=np.ones(2), decay=np.ones(2)
    )
    scores = pool_document(merged, numbers)
    for array in (
        scores.presence,
        scores.stance,
        scores.presence_shares,
        scores.stance_shares,
    ):
        assert np.isfinite(array).all()
    np.testing.assert_allclose(scores.presence_shares.sum(axis=0), scores.presence, rtol=1e-9)


@given(k=st.integers(1, 9), n_stances=st.integers(2, 6))
def test_columns_lie_side_by_side(k: int, n_stances: int) -> None:
    columns = n_stance_columns(n_stances)
    assert columns == (1 if n_stances == 2 else n_stances)
    parts = output_columns(k, columns)
    covered = [place for part in parts for place in range(part.start, part.stop)]
    assert covered == list(range((3 + columns) * k))
    assert [part.stop - part.start for part in parts] == [k, k, k, k * columns]
