from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_values, predictions, schemas

from stance.errors import Fault
from stance.predictions import FaultyInput, Prediction


@given(st.data())
def test_a_prediction_survives_json(data: st.DataObject) -> None:
    prediction = data.draw(schemas().flatmap(predictions))
    again = Prediction.from_dict(json.loads(json.dumps(prediction.to_dict(full=True))))
    assert again == prediction


@given(st.data())
def test_the_short_form_leaves_out_what_was_not_found(data: st.DataObject) -> None:
    prediction = data.draw(schemas().flatmap(predictions))
    short = prediction.to_dict()
    assert "below" not in short
    again = Prediction.from_dict(short)
    assert isinstance(again, Prediction)
    assert (again.topics, again.scores, again.below) == (prediction.topics, prediction.scores, ())


def test_carried_fields_never_hide_the_answer() -> None:
    extra = {"id": "other", "scores": 1, "url": "u"}
    data = Prediction(id="a", topics=(), scores={"x": 0.5}, extra=extra).to_dict()
    assert data == {"url": "u", "id": "a", "topics": [], "scores": {"x": 0.5}}


@given(json_values | st.dictionaries(st.sampled_from(["id", "topics", "scores"]), json_values))
def test_anything_else_is_a_prediction_or_a_fault(data: object) -> None:
    parsed = Prediction.from_dict(data, file="p.jsonl", line=2)
    assert isinstance(parsed, Prediction) or (parsed.file, parsed.line) == ("p.jsonl", 2)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ([], "not an object"),
        ({"id": "a", "error": "broken"}, "KeyError"),
        ({"id": "a", "topics": [{}], "scores": {}}, "'topic'"),
        ({"id": "a", "topics": [], "scores": {"x": "high"}}, "high"),
    ],
)
def test_faults_say_what_is_wrong(data: object, words: str) -> None:
    fault = Prediction.from_dict(data)
    assert isinstance(fault, Fault)
    assert words in fault.found


def test_findings_are_looked_up_whether_found_or_not() -> None:
    made = Prediction.from_dict(
        {
            "id": None,
            "topics": [
                {
                    "topic": "harbour",
                    "probability": 0.9,
                    "stance": "positive",
                    "stance_probabilities": {"negative": 0.25, "positive": 0.75},
                    "uncertain": False,
                    "evidence": [],
                }
            ],
            "below": [],
            "scores": {"harbour": 0.9, "weather": 0.1},
        }
    )
    assert isinstance(made, Prediction)
    assert made.finding("harbour") is made.topics[0]
    assert made.finding("weather") is None


def test_a_faulty_input_is_told_as_an_object() -> None:
    fault = FaultyInput(id=None, line=3, error="broken JSON")
    assert fault.to_dict() == {"id": None, "line": 3, "error": "broken JSON"}
