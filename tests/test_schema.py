from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from strategies import schemas

from stance.errors import SchemaError
from stance.schema import Schema, Stance, Topic

GOOD: dict[str, Any] = {
    "version": 1,
    "topics": [{"name": "harbour", "description": "ships"}, {"name": "weather"}],
    "stances": [{"name": "against"}, {"name": "favor"}, {"name": "none", "predicted": False}],
}


@given(schemas())
def test_a_schema_survives_json(schema: Schema) -> None:
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == schema
    assert again.digest == schema.digest


def test_json_and_toml_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "schema.json").write_text(json.dumps(GOOD), encoding="utf-8")
    (tmp_path / "schema.toml").write_text(
        'version = 1\n[[topics]]\nname = "harbour"\ndescription = "ships"\n'
        '[[topics]]\nname = "weather"\n[[stances]]\nname = "against"\n'
        '[[stances]]\nname = "favor"\n[[stances]]\nname = "none"\npredicted = false\n',
        encoding="utf-8",
    )
    schema = Schema.load(tmp_path / "schema.json")
    assert schema == Schema.load(tmp_path / "schema.toml")
    assert schema.topic_names == ("harbour", "weather")
    assert schema.predicted_stances == ("against", "favor")
    assert schema.stance_names == ("against", "favor", "none")
    assert schema.topic_index("weather") == 1


def test_the_digest_follows_names_and_order_and_nothing_else() -> None:
    schema = Schema.from_dict(GOOD)
    described = {
        **GOOD,
        "topics": [{"name": "harbour"}, {"name": "weather", "description": "rain"}],
    }
    turned = {**GOOD, "topics": GOOD["topics"][::-1]}
    renamed = {**GOOD, "stances": [{"name": "con"}, *GOOD["stances"][1:]]}
    predicted = {**GOOD, "stances": [*GOOD["stances"][:2], {"name": "none"}]}
    assert Schema.from_dict(described).digest == schema.digest
    for other in (turned, renamed, predicted):
        assert Schema.from_dict(other).digest != schema.digest


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version: expected 1, found 2"),
        ({"topics": []}, "topics: expected 1 to 1,000, found 0"),
        ({"topics": None}, "topics: expected a list, found None"),
        ({"topics": ["harbour"]}, "topics[0]: expected an object with a name"),
        ({"topics": [{"name": 3}]}, "topics[0].name: expected str, found 3"),
        ({"topics": [{"name": ""}]}, "topics[0].name: expected a name of letters"),
        ({"topics": [{"name": "a b\n"}]}, "topics[0].name: expected a name of letters"),
        ({"topics": [{"name": "a", "colour": 1}]}, "topics[0]: unknown key colour"),
        ({"topics": [{"name": "a"}, {"name": "a"}]}, "each name once, found twice: a"),
        ({"stances": [{"name": "against"}]}, "at least two that are predicted, found 1"),
        ({"stances": [{"name": "a", "predicted": 1}]}, "predicted: expected bool, found 1"),
        ({"labels": []}, "unknown key labels; known are stances, topics, version"),
    ],
)
def test_a_bad_schema_is_refused_with_its_place(change: dict[str, Any], words: str) -> None:
    with pytest.raises(SchemaError) as caught:
        Schema.from_dict({**GOOD, **change}, source="s.json")
    assert str(caught.value).startswith("s.json: ")
    assert words in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("s.json", b"{", "expected JSON, found a fault"),
        ("s.json", b"[" * 100_000, "expected JSON, found a fault"),
        ("s.toml", b"topics", "expected TOML, found a fault"),
        ("s.json", b"\xff\xfe{", "cannot read the schema"),
        ("s.json", b"[]", "expected an object, found []"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SchemaError) as caught:
        Schema.load(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SchemaError, match=r"none\.json: cannot read"):
        Schema.load(tmp_path / "none.json")


def test_an_unknown_topic_is_answered_with_the_known_ones() -> None:
    schema = Schema(topics=(Topic(name="harbour"),), stances=(Stance(name="a"), Stance(name="b")))
    with pytest.raises(SchemaError, match="expected one of harbour, found 'weather'"):
        schema.topic_index("weather")
