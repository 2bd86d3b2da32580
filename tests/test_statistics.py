from __future__ import annotations

import json
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import records, schemas

from stance.records import Article, Label, Record
from stance.schema import Schema
from stance.statistics import describe_records


@given(st.data())
def test_the_counts_add_up(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    made = data.draw(st.lists(records(schema), min_size=1, max_size=6))
    counts = describe_records(made, schema)
    assert counts.texts == len(made) == sum(counts.kinds.values())
    assert sum(counts.topics_per_text.values()) == len(made)
    assert counts.without_topic == sum(not item.labels for item in made)
    assert counts.multi_topic == sum(len(item.labels) > 1 for item in made)
    labels = [label for item in made for label in item.labels]
    assert sum(sum(by.values()) for by in counts.labels.values()) == len(labels)
    assert sum(counts.with_evidence.values()) == sum(bool(label.evidence) for label in labels)
    assert counts.unsure == sum(not label.sure for label in labels)
    assert counts.words.total == sum(words.total for words in counts.words_by_kind.values())
    assert json.loads(json.dumps(counts.to_dict())) == counts.to_dict()


@given(st.lists(st.integers(1, 400), min_size=1, max_size=60))
def test_lengths_agree_with_the_standard_library(lengths: list[int]) -> None:
    schema = Schema.from_dict(
        {"topics": [{"name": "a"}], "stances": [{"name": "b"}, {"name": "c"}]}
    )
    made = [
        Record(
            id=str(place),
            article=Article(text="x " * (length - 1), title="one"),
            labels=(),
        )
        for place, length in enumerate(lengths)
    ]
    words = describe_records(made, schema).words
    assert (words.minimum, words.maximum) == (min(lengths), max(lengths))
    assert words.median == statistics.median_low(lengths)
    below = sum(length <= words.high for length in lengths)
    assert below >= 0.95 * len(lengths)
    assert sum(length < words.high for length in lengths) < 0.95 * len(lengths)


def test_an_example(schema: Schema) -> None:
    def record(
        name: str, *labels: Label, kind: str | None = None, pair: str | None = None
    ) -> Record:
        return Record(id=name, article=Article(text="one two"), labels=labels, kind=kind, pair=pair)

    made = [
        record("1", Label(topic="harbour", stance="positive", evidence=("one",)), kind="brief"),
        record("2", pair="p", kind="brief"),
        record("3", pair="p"),
        record("4", pair="lonely"),
        record(
            "5",
            Label(topic="harbour", stance="neutral", sure=False),
            Label(topic="weather", stance="negative"),
        ),
    ]
    counts = describe_records(made, schema)
    assert counts.kinds == {"": 3, "brief": 2}
    assert counts.labels == {
        "harbour": {"negative": 0, "positive": 1, "neutral": 1},
        "weather": {"negative": 1, "positive": 0, "neutral": 0},
    }
    assert counts.with_evidence == {"harbour": 1, "weather": 0}
    assert counts.topics_per_text == {0: 3, 1: 1, 2: 1}
    assert (counts.pairs, counts.odd_pairs, counts.unsure) == (1, ("lonely",), 1)


def test_no_record_is_an_error(schema: Schema) -> None:
    with pytest.raises(ValueError, match="at least one"):
        describe_records([], schema)
