from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_text, json_values, records, schemas

from stance.errors import Fault
from stance.records import Article, Record, parse_article, parse_record
from stance.schema import Schema


@given(st.data())
def test_a_record_survives_json(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    record = data.draw(records(schema))
    again = parse_record(json.loads(json.dumps(record.to_dict())), schema)
    assert isinstance(again, Record), [str(fault) for fault in again]
    assert again == record
    assert again.article.extra == record.article.extra


@given(
    st.one_of(
        json_values,
        st.dictionaries(
            st.sampled_from(["id", "text", "title", "labels", "kind", "pair"]), json_values
        ),
    )
)
def test_anything_else_is_a_record_or_faults_but_no_crash(schema: Schema, data: object) -> None:
    for parsed in (parse_record(data, schema), parse_article(data)):
        assert isinstance(parsed, Record | Article) or (
            parsed and all(isinstance(fault, Fault) and str(fault) for fault in parsed)
        )


def record(**change: Any) -> dict[str, Any]:
    data = {
        "id": "r1",
        "title": "Port opens",
        "text": "The port opened on Monday. Rain fell.",
        "labels": [{"topic": "harbour", "stance": "positive", "evidence": ["Rain fell."]}],
    }
    return {key: value for key, value in {**data, **change}.items() if value is not ...}


def label(**change: Any) -> list[dict[str, Any]]:
    data = {"topic": "harbour", "stance": "positive"}
    return [{key: value for key, value in {**data, **change}.items() if value is not ...}]


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        (7, None, "expected a JSON object, found 7"),
        (record(id=...), "id", "found nothing"),
        (record(id=""), "id", "found ''"),
        (record(id=True), "id", "expected text or a whole number, found True"),
        (record(id=1.5), "id", "found 1.5"),
        (record(text=...), "text", "found no such field"),
        (record(text=None), "text", "found None"),
        (record(text=" \n", title=...), "text", "at least one word in text or title"),
        (record(title=3), "title", "expected text, found 3"),
        (record(kind=3), "kind", "expected text, found 3"),
        (record(pair=3), "pair", "expected text, found 3"),
        (record(labels=...), "labels", "found no such field"),
        (record(labels={}), "labels", "expected a list"),
        (record(labels=["harbour"]), "labels[0]", "an object with topic and stance"),
        (record(labels=label(topic="visa")), "labels[0].topic", "one of harbour, weather"),
        (record(labels=label(topic=...)), "labels[0].topic", "found no such field"),
        (record(labels=label(stance="good")), "labels[0].stance", "negative, positive, neutral"),
        (record(labels=label() + label()), "labels[1].topic", "each topic at most once"),
        (record(labels=label(sure="no")), "labels[0].sure", "true or false"),
        (record(labels=label(evidence="Rain fell.")), "labels[0].evidence", "a list"),
        (record(labels=label(evidence=[" "])), "labels[0].evidence[0]", "a sentence"),
        (record(labels=label(evidence=["Rain  fell."])), "labels[0].evidence[0]", "to the letter"),
    ],
)
def test_each_fault_names_its_field(
    schema: Schema, data: object, field: str | None, words: str
) -> None:
    faults = parse_record(data, schema, file="f.jsonl", line=4)
    assert isinstance(faults, list)
    assert [fault.field for fault in faults] == [field]
    assert (faults[0].file, faults[0].line) == ("f.jsonl", 4)
    assert words in str(faults[0])


def test_all_faults_of_a_record_come_at_once(schema: Schema) -> None:
    bad = record(title=3, labels=[*label(topic="x", stance="y"), *label(sure=0)], kind=1)
    faults = parse_record(bad, schema)
    assert isinstance(faults, list)
    assert {fault.field for fault in faults} == {
        "title",
        "kind",
        "labels[0].topic",
        "labels[0].stance",
        "labels[1].sure",
    }
    assert {fault.record for fault in faults} == {"r1"}


def test_numbers_are_ids_too(schema: Schema) -> None:
    parsed = parse_record(record(id=17), schema)
    assert isinstance(parsed, Record)
    assert parsed.id == parsed.article.id == "17"


def test_a_title_alone_is_a_text(schema: Schema) -> None:
    assert isinstance(parse_record(record(text="", labels=[]), schema), Record)


def test_labels_are_found_by_topic(schema: Schema) -> None:
    parsed = parse_record(record(), schema)
    assert isinstance(parsed, Record)
    found = parsed.label("harbour")
    assert found is not None
    assert found.stance == "positive"
    assert parsed.label("weather") is None


@given(any_text.filter(str.strip), st.dictionaries(any_text, json_values))
def test_an_article_carries_other_fields_through(text: str, more: dict[str, Any]) -> None:
    more = {key: value for key, value in more.items() if key not in {"id", "title", "text"}}
    parsed = parse_article({**more, "text": text})
    assert isinstance(parsed, Article)
    assert parsed.text == text
    assert dict(parsed.extra) == more
