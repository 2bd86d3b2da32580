"""Records and predictions side by side: the rows, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from evaluation_support import (
    SCHEMA,
    STANCES,
    TOPICS,
    Cell,
    Row,
    outcomes_of,
    predictions_of,
    records_of,
    right,
    rows,
)
from hypothesis import given
from hypothesis import strategies as st

from stance.errors import DataError
from stance.evaluation import Outcomes, count_outcomes
from stance.predictions import Prediction
from stance.records import Label

TABLE: list[Row] = [
    (right("negative"), Cell(), Cell()),
    (Cell(gold="neutral", sure=False, found=True), Cell(known=False), right("mixed")),
]


def refusal(predictions: list[Prediction]) -> str:
    with pytest.raises(DataError) as caught:
        count_outcomes(records_of(TABLE), predictions, SCHEMA)
    return str(caught.value)


@given(rows)
def test_every_cell_is_where_it_belongs(table: list[Row]) -> None:
    outcomes = outcomes_of(table)
    names = (*outcomes.stances, *outcomes.unpredicted)
    assert outcomes.stances == STANCES
    assert outcomes.unpredicted == ("neutral",)
    for row, cells in enumerate(table):
        for column, cell in enumerate(cells):
            at = (row, column)
            gold = int(outcomes.gold_stance[at])
            assert outcomes.gold[at] == (cell.gold is not None)
            assert (None if gold < 0 else names[gold]) == cell.gold
            assert outcomes.sure[at] == (cell.gold is not None and cell.sure)
            assert outcomes.found[at] == cell.found
            assert outcomes.probability[at] == cell.probability
            assert outcomes.known[at] == cell.says_stance
            if cell.says_stance:
                assert names[outcomes.predicted_stance[at]] == cell.predicted
                assert outcomes.stance_probability[at].tolist() == list(cell.stances)
                assert outcomes.confidence[at] == max(cell.stances)
                assert outcomes.uncertain[at] == cell.uncertain
            else:
                assert np.isnan(outcomes.stance_probability[at]).all()
            assert outcomes.scored(sure_only=False)[at] == cell.has_predicted_stance
            assert outcomes.scored(sure_only=True)[at] == (cell.has_predicted_stance and cell.sure)
            assert outcomes.disputable[at] == (cell.gold is not None and not cell.sure)


@given(rows, st.randoms())
def test_the_order_of_predictions_does_not_matter(table: list[Row], random: object) -> None:
    records, predictions = records_of(table), predictions_of(table)
    before = count_outcomes(records, predictions, SCHEMA)
    random.shuffle(predictions)  # type: ignore[attr-defined]
    after = count_outcomes(records, iter(predictions), SCHEMA)
    assert same(before, after)


def same(one: Outcomes, other: Outcomes) -> bool:
    return one.ids == other.ids and all(
        np.array_equal(array, other._arrays()[name], equal_nan=array.dtype.kind == "f")
        for name, array in one._arrays().items()
    )


def test_a_selection_is_what_the_selected_texts_give() -> None:
    outcomes = outcomes_of(TABLE, kinds=["brief", None], pairs=[None, "p"])
    assert same(outcomes.select([0, 1]), outcomes)
    chosen = outcomes.select(np.array([False, True]))
    assert (chosen.ids, chosen.kinds, chosen.pairs) == (("t1",), (None,), ("p",))
    assert chosen.found.tolist() == [[True, False, True]]
    assert len(outcomes.select([])) == 0


def test_arrays_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        outcomes_of(TABLE).found[0, 0] = False


def test_an_array_of_another_shape_is_refused() -> None:
    outcomes = outcomes_of(TABLE)
    with pytest.raises(ValueError, match=r"found: expected the shape \(2, 3\), found \(1, 3\)"):
        replace(outcomes, found=np.zeros((1, 3), np.bool_))
    with pytest.raises(ValueError, match="kinds: expected 2, found 1"):
        replace(outcomes, kinds=("brief",))


def test_missing_unknown_and_repeated_ids_are_all_named() -> None:
    first, second = predictions_of(TABLE)
    words = refusal([replace(first, id="x9"), second, second, replace(first, id=None)])
    assert 'record "t0": expected one prediction for each record, found none' in words
    assert 'record "x9": expected a record of the data' in words
    assert 'record "t1": expected one prediction for each record, found another one' in words
    assert "id: expected a prediction with an id" in words


def test_a_repeated_record_is_refused() -> None:
    records = records_of(TABLE)
    with pytest.raises(DataError, match="each record once") as caught:
        count_outcomes([*records, records[0]], predictions_of(TABLE), SCHEMA)
    assert len(caught.value.faults) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scores": {"harbour": 0.5}}, "a score for weather"),
        ({"scores": dict.fromkeys(TOPICS, 1.5)}, "a probability from 0 to 1, found 1.5"),
        ({"scores": dict.fromkeys(TOPICS, float("nan"))}, "a probability from 0 to 1, found nan"),
    ],
)
def test_scores_that_do_not_fit_are_refused(change: dict[str, object], words: str) -> None:
    first, second = predictions_of(TABLE)
    assert words in refusal([replace(first, **change), second])  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"stance": "neutral"}, "topics.harbour.stance: expected one of negative, positive, mixed"),
        ({"stance_probabilities": {"negative": 1.0}}, "a probability from 0 to 1 for each of"),
        (
            {"stance_probabilities": {"negative": 2.0, "positive": 0.0, "mixed": 0.0}},
            "a probability from 0 to 1 for each of",
        ),
    ],
)
def test_findings_that_do_not_fit_are_refused(change: dict[str, object], words: str) -> None:
    first, second = predictions_of(TABLE)
    finding = replace(first.topics[0], **change)  # type: ignore[arg-type]
    assert words in refusal([replace(first, topics=(finding,)), second])


def test_a_topic_twice_in_one_prediction_is_refused() -> None:
    first, second = predictions_of(TABLE)
    words = refusal([replace(first, below=(*first.below, first.topics[0])), second])
    assert "topics.harbour: expected each topic once" in words


def test_topics_that_the_schema_lacks_are_passed_over() -> None:
    first, second = predictions_of(TABLE)
    more = replace(
        first,
        topics=(*first.topics, replace(first.topics[0], topic="space")),
        scores={**first.scores, "space": 0.9},
    )
    assert same(count_outcomes(records_of(TABLE), [more, second], SCHEMA), outcomes_of(TABLE))


@pytest.mark.parametrize(
    ("label", "words"),
    [
        (Label(topic="space", stance="negative"), "labels.topic: expected one of harbour"),
        (Label(topic="harbour", stance="glad"), "labels.stance: expected one of negative"),
    ],
)
def test_labels_that_the_schema_lacks_are_refused(label: Label, words: str) -> None:
    first, second = records_of(TABLE)
    with pytest.raises(DataError, match=words):
        count_outcomes([replace(first, labels=(label,)), second], predictions_of(TABLE), SCHEMA)
