"""Scores become findings: thresholds, probabilities, and the fewest sentences that carry them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from stance.artifact import Manifest, TopicCalibration
from stance.decoding import (
    ScoredArticle,
    decode,
    rank_evidence,
    sigmoid,
    stance_direction,
    stance_probabilities,
    threshold_for_precision,
)
from stance.errors import UsageError
from stance.pooling import DocumentScores
from stance.predictions import Prediction
from stance.records import Article
from stance.schema import Schema
from stance.sentences import split_sentences

Array = NDArray[np.float64]
TITLE = "A title."
TEXTS = ("First sentence.", "Second one here.", "A third.", "And the fourth of them.", "Fifth.")
logits = st.floats(-30, 30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A scored article, and the model's numbers."""

    schema: Schema
    article: Article
    scored: ScoredArticle
    manifest: Manifest

    def decode(self, thresholds: dict[str, float] | None = None) -> Prediction:
        own = {name: item.threshold for name, item in self.manifest.calibration.items()}
        return decode(
            self.article, self.scored, self.schema, self.manifest, {**own, **(thresholds or {})}
        )


def case_of(
    schema: Schema,
    presence_shares: Array,
    stance_shares: Array,
    *,
    bias: Array | None = None,
    confidence: float = 0.7,
    **calibration: Any,
) -> Case:
    """An article of a title and one sentence fewer than there are rows of shares."""
    n, k = presence_shares.shape
    article = Article(id="a", title=TITLE, text=" ".join(TEXTS[: n - 1]), extra={"source": "x"})
    scores = DocumentScores(
        presence=presence_shares.sum(axis=0) + (np.zeros(k) if bias is None else bias),
        stance=stance_shares.sum(axis=0),
        presence_shares=presence_shares,
        stance_shares=stance_shares,
    )
    return Case(
        schema=schema,
        article=article,
        scored=ScoredArticle(
            sentences=(*split_sentences(TITLE, "title"), *split_sentences(article.text)),
            scores=scores,
        ),
        manifest=Manifest.model_validate(
            tiny.manifest(
                schema,
                calibration={name: calibration for name in schema.topic_names},
                uncertainty={"confidence": confidence},
            )
        ),
    )


@st.composite
def cases(draw: st.DrawFn) -> Case:
    schema = draw(st.sampled_from([tiny.SCHEMA, tiny.THREE]))
    n, k = draw(st.integers(1, 5)), len(schema.topics)
    columns = 1 if schema is tiny.SCHEMA else 3
    numbers = st.floats(-8, 8).map(lambda value: round(value, 3))
    drawn = draw(st.lists(numbers, min_size=n * k * (1 + columns), max_size=n * k * (1 + columns)))
    values = np.array(drawn)
    return case_of(
        schema,
        values[: n * k].reshape(n, k),
        values[n * k :].reshape(n, k, columns),
        bias=np.array([draw(numbers) for _ in range(k)]),
        confidence=draw(st.floats(0, 1)),
        slope=draw(st.floats(0.1, 3)),
        offset=draw(st.floats(-3, 3)),
        temperature=draw(st.floats(0.25, 5)),
        threshold=draw(st.floats(0, 1)),
    )


def logistic(value: float) -> float:
    return 1 / (1 + math.exp(-value)) if value > 0 else math.exp(value) / (1 + math.exp(value))


@given(case=cases())
def test_every_topic_is_scored_and_stands_once(case: Case) -> None:
    prediction = case.decode()
    assert tuple(prediction.scores) == case.schema.topic_names
    for column, topic in enumerate(case.schema.topic_names):
        numbers = case.manifest.calibration[topic]
        logit = case.scored.scores.presence[column]
        expected = logistic(numbers.slope * logit + numbers.offset)
        assert prediction.scores[topic] == pytest.approx(expected, abs=1e-12)
    every = [*prediction.topics, *prediction.below]
    assert sorted(item.topic for item in every) == sorted(case.schema.topic_names)
    assert all(item.probability == prediction.scores[item.topic] for item in every)
    for group in (prediction.topics, prediction.below):
        falling = [item.probability for item in group]
        assert falling == sorted(falling, reverse=True)
    assert prediction.id == "a"
    assert prediction.extra == {"source": "x"}


@given(case=cases())
def test_a_topic_is_found_if_and_only_if_it_reaches_its_threshold(case: Case) -> None:
    prediction = case.decode()
    for topic, probability in prediction.scores.items():
        found = topic in {item.topic for item in prediction.topics}
        assert found == (probability >= case.manifest.calibration[topic].threshold)
    at = case.decode(dict(prediction.scores))
    assert not at.below
    above = case.decode({name: math.nextafter(p, 2) for name, p in prediction.scores.items()})
    assert not above.topics


@given(case=cases(), low=st.floats(0, 1), high=st.floats(0, 1))
def test_a_higher_threshold_never_adds_a_finding(case: Case, low: float, high: float) -> None:
    low, high = sorted([low, high])
    names = case.schema.topic_names
    lenient, strict = (case.decode(dict.fromkeys(names, value)) for value in (low, high))
    assert all(finding in lenient.topics for finding in strict.topics)
    assert all(finding in strict.below for finding in lenient.below)
    assert lenient.scores == strict.scores


@given(case=cases())
def test_stance_probabilities_are_the_calibrated_softmax(case: Case) -> None:
    prediction = case.decode()
    for column, topic in enumerate(case.schema.topic_names):
        finding = prediction.finding(topic)
        assert finding is not None
        logit = case.scored.scores.stance[column] / case.manifest.calibration[topic].temperature
        full = [0.0, logit[0]] if len(logit) == 1 else list(logit)
        weights = [math.exp(value - max(full)) for value in full]
        expected = dict(
            zip(case.schema.predicted_stances, np.array(weights) / sum(weights), strict=True)
        )
        assert finding.stance_probabilities == pytest.approx(expected, abs=1e-12)
        assert sum(finding.stance_probabilities.values()) == pytest.approx(1, abs=1e-12)
        best = max(finding.stance_probabilities.values())
        assert finding.stance_probabilities[finding.stance] == best
        assert finding.uncertain == (best < case.manifest.uncertainty.confidence)


@given(
    values=st.lists(st.lists(logits, min_size=3, max_size=3), min_size=1, max_size=4),
    temperature=st.floats(0.25, 10),
)
def test_two_stances_are_a_softmax_of_zero_and_the_logit(
    values: list[list[float]], temperature: float
) -> None:
    array = np.array(values)
    three = stance_probabilities(array, temperature)
    assert three.shape == array.shape
    np.testing.assert_allclose(three.sum(axis=-1), 1, atol=1e-12)
    two = stance_probabilities(array[:, :1], temperature)
    as_two = stance_probabilities(np.insert(array[:, :1], 0, 0.0, axis=1), temperature)
    np.testing.assert_allclose(two, as_two, atol=1e-12)


@given(value=st.floats(-700, 700))
def test_sigmoid(value: float) -> None:
    assert float(sigmoid(value)) == pytest.approx(logistic(value), rel=1e-9, abs=1e-15)


def test_sigmoid_of_large_numbers() -> None:
    assert sigmoid(np.array([-1e9, 0.0, 1e9])).tolist() == [0.0, 0.5, 1.0]


def weight_of(presence: Array, toward: Array) -> Array:
    """A sentence's share of what speaks for the topic and for the stance, half and half."""
    parts = [np.clip(values, 0, None) for values in (presence, toward)]
    parts = [values / values.sum() for values in parts if values.sum() > 0]
    return np.asarray(sum(parts) / len(parts)) if parts else np.zeros(len(presence))


@given(case=cases())
def test_evidence_is_the_fewest_sentences_with_more_than_half(case: Case) -> None:
    prediction = case.decode()
    for column, topic in enumerate(case.schema.topic_names):
        finding = prediction.finding(topic)
        assert finding is not None
        shares = case.scored.scores.stance_shares[:, column]
        best = case.schema.predicted_stances.index(finding.stance)
        if case.schema is tiny.SCHEMA:
            toward = shares[:, 0] * (1 if best == 1 else -1)
        else:
            toward = shares[:, best] - shares.mean(axis=1)
        weight = weight_of(case.scored.scores.presence_shares[:, column], toward)
        if not weight.any():
            assert len(finding.evidence) == 1
            continue
        sums = {
            chosen: weight[list(chosen)].sum()
            for size in range(len(weight) + 1)
            for chosen in combinations(range(len(weight)), size)
        }
        assume(all(abs(total - 0.5) > 1e-9 for total in sums.values()))
        places = [
            (index, item)
            for index, item in enumerate(case.scored.sentences)
            if any((e.part, e.start) == (item.part, item.start) for e in finding.evidence)
        ]
        assert sums[tuple(index for index, _ in places)] > 0.5
        assert len(places) == min(len(c) for c, total in sums.items() if total > 0.5)


@given(case=cases())
def test_evidence_stands_in_text_order_with_its_place_and_its_shares(case: Case) -> None:
    prediction = case.decode()
    parts = {"title": case.article.title or "", "text": case.article.text}
    starts = [(sentence.part, sentence.start) for sentence in case.scored.sentences]
    for finding in (*prediction.topics, *prediction.below):
        column = case.schema.topic_index(finding.topic)
        rows = [starts.index((item.part, item.start)) for item in finding.evidence]
        assert rows
        assert rows == sorted(set(rows))
        best = case.schema.predicted_stances.index(finding.stance)
        for row, item in zip(rows, finding.evidence, strict=True):
            assert parts[item.part][item.start : item.end] == item.sentence
            scores = case.scored.scores
            assert item.presence == scores.presence_shares[row, column]
            shares = scores.stance_shares[row, column]
            expected = shares[0] if len(shares) == 1 else shares[best] - shares.mean()
            assert item.stance == pytest.approx(expected, abs=1e-12)


def test_evidence_by_hand() -> None:
    # The second stance is predicted; sentence 0 speaks for the topic, 2 for the stance, 1 against.
    case = case_of(
        tiny.SCHEMA,
        np.array([[3.0, 0.0], [-1.0, 0.0], [2.0, 0.0]]),
        np.array([[0.0, 0.0], [-2.0, 0.0], [4.0, 0.0]])[:, :, None],
    )
    found = case.decode().finding("harbour")
    assert found is not None
    assert found.stance == "positive"
    assert [(item.part, item.sentence) for item in found.evidence] == [
        ("text", "Second one here."),
    ]
    assert found.evidence[0].stance == 4.0


def test_two_equal_sentences_are_both_needed() -> None:
    case = case_of(tiny.SCHEMA, np.ones((2, 2)), np.ones((2, 2, 1)))
    found = case.decode().finding("harbour")
    assert found is not None
    assert len(found.evidence) == 2


def test_where_nothing_speaks_for_it_the_sentence_least_against_it_stands() -> None:
    presence = np.array([-3.0, -1.0, -2.0])
    assert rank_evidence(presence, np.array([-1.0, -1.0, 0.0])).tolist() == [0.0, 1.0, 0.0]
    assert rank_evidence(presence, np.array([1.0, -1.0, 3.0])).tolist() == [0.25, 0.0, 0.75]


@given(case=cases())
def test_directions_add_up_to_the_logit_that_they_explain(case: Case) -> None:
    for column in range(len(case.schema.topics)):
        logit = case.scored.scores.stance[column]
        for best in range(len(case.schema.predicted_stances)):
            shares = stance_direction(case.scored.scores.stance_shares[:, column], best)
            whole = logit[0] if len(logit) == 1 else logit[best] - logit.mean()
            assert shares.sum() == pytest.approx(whole, abs=1e-9)


curves = st.lists(
    st.tuples(*[st.integers(0, 100).map(lambda n: n / 100)] * 3), min_size=1, max_size=12
)


@given(curve=curves, wanted=st.integers(1, 100).map(lambda n: n / 100))
def test_a_wanted_precision_takes_the_lowest_threshold_that_had_it(
    curve: list[tuple[float, float, float]], wanted: float
) -> None:
    chosen = threshold_for_precision(TopicCalibration(curve=curve), wanted)
    enough = [threshold for threshold, precision, _ in curve if precision >= wanted]
    assert chosen == (min(enough) if enough else max(threshold for threshold, _, _ in curve))


@pytest.mark.parametrize("wanted", [0.0, -0.1, 1.01, math.nan])
def test_a_precision_out_of_range_is_refused(wanted: float) -> None:
    with pytest.raises(UsageError, match="above 0 and at most 1"):
        threshold_for_precision(TopicCalibration(curve=[(0.5, 0.9, 0.8)]), wanted)


def test_a_model_without_a_curve_says_so() -> None:
    with pytest.raises(UsageError, match="no precision curve"):
        threshold_for_precision(TopicCalibration(), 0.9)
