from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import records, schemas

from stance.dataset import data_files, digest_of, find_schema, load_records, text_conflicts
from stance.errors import DataError, Fault, SchemaError, UsageError
from stance.records import Record
from stance.schema import Schema

SEEDS = Path(__file__).parents[1] / "seeds"


def record(name: str, **change: Any) -> dict[str, Any]:
    labels = [{"topic": "harbour", "stance": "positive", "evidence": ["The port opened."]}]
    return {"id": name, "text": "The port opened.", "labels": labels, **change}


def write(path: Path, *items: dict[str, Any] | str) -> Path:
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def write_schema(folder: Path, schema: Schema) -> None:
    (folder / "schema.json").write_text(json.dumps(schema.to_dict()), encoding="utf-8")


@given(st.data())
def test_records_come_back_from_json_lines(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    schema = data.draw(schemas())
    made = data.draw(
        st.lists(records(schema), min_size=1, max_size=4, unique_by=lambda item: item.id)
    )
    path = tmp_path_factory.getbasetemp() / "back.jsonl"
    path.write_text(
        "".join(json.dumps(item.to_dict(), ensure_ascii=False) + "\n" for item in made),
        encoding="utf-8",
        newline="",
    )
    dataset = load_records(path, schema)
    assert list(dataset.records) == made
    assert dataset.digest == digest_of(made)
    assert dataset.files == (str(path),)
    assert dataset.faults == ()


def test_a_folder_is_read_in_order_of_names(tmp_path: Path, schema: Schema) -> None:
    write_schema(tmp_path, schema)
    write(tmp_path / "b.jsonl", record("b1"), record("b2"))
    write(tmp_path / "a.csv", "id,text,harbour,weather", "a1,Rain fell.,,negative")
    write(tmp_path / "splits.json", "{}")
    write(tmp_path / "README.md", "read me")
    write(tmp_path / "notes.docx", "x")
    write(tmp_path / ".hidden.jsonl", "x")
    (tmp_path / "deep.jsonl").mkdir()
    dataset = load_records(tmp_path)
    assert [item.id for item in dataset.records] == ["a1", "b1", "b2"]
    assert dataset.files == (str(tmp_path / "a.csv"), str(tmp_path / "b.jsonl"))
    assert dataset.schema == schema
    assert data_files(tmp_path)[1] == [tmp_path / "notes.docx"]


def test_the_digest_follows_the_records_and_not_the_files(tmp_path: Path, schema: Schema) -> None:
    one = write(tmp_path / "one.jsonl", record("a"), record("b", kind="brief"))
    two = [write(tmp_path / "2.jsonl", record("b", kind="brief")), tmp_path / "3.jsonl"]
    write(two[1], record("a"))
    other = write(tmp_path / "other.jsonl", record("a"), record("b", kind="article"))
    digest = load_records(one, schema).digest
    assert load_records(two, schema).digest == digest
    assert load_records(other, schema).digest != digest


def label_table(path: Path, labels: object) -> Path:
    cells = labels if path.suffix == ".parquet" else json.dumps(labels)
    if path.suffix == ".parquet":
        pq.write_table(pa.table({"id": [1], "text": ["Rain fell."], "labels": [cells]}), path)
    else:
        quoted = str(cells).replace('"', '""')
        write(path, "id,text,labels", f'1,Rain fell.,"{quoted}"')
    return path


@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_tables_with_a_column_of_labels(tmp_path: Path, schema: Schema, ending: str) -> None:
    labels: list[dict[str, Any]] = [
        {"topic": "weather", "stance": "negative", "evidence": ["Rain fell."], "sure": None},
        {"topic": "harbour", "stance": "neutral", "evidence": None, "sure": False},
    ]
    if ending == ".csv":
        labels = [{k: v for k, v in label.items() if v is not None} for label in labels]
    (made,) = load_records(label_table(tmp_path / f"a{ending}", labels), schema).records
    native = write(
        tmp_path / "n.jsonl",
        {
            "id": "1",
            "text": "Rain fell.",
            "labels": [{k: v for k, v in label.items() if v is not None} for label in labels],
        },
    )
    assert load_records(native, schema).records == (made,)


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_tables_with_a_column_per_topic(tmp_path: Path, schema: Schema, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    columns = {
        "id": ["1", "2"],
        "kind": ["brief", None],
        "title": [None, "Rain"],
        "text": ["The port opened.", "Rain fell."],
        "weather": [None, " negative "],
        "harbour": ["positive", "neutral"],
        "url": ["u", None],
    }
    if ending == ".parquet":
        pq.write_table(pa.table(columns), path)
    else:
        mark = "\t" if ending == ".tsv" else ","
        cells = zip(*columns.values(), strict=True)
        write(path, mark.join(columns), *(mark.join(cell or "" for cell in row) for row in cells))
    first, second = load_records(path, schema).records
    assert (first.id, first.kind, first.article.title) == ("1", "brief", None)
    assert [(label.topic, label.stance) for label in first.labels] == [("harbour", "positive")]
    assert [(label.topic, label.stance) for label in second.labels] == [
        ("harbour", "neutral"),
        ("weather", "negative"),
    ]
    assert (second.kind, second.article.title) == (None, "Rain")
    assert dict(first.article.extra) == {"url": "u"}


def test_native_records_may_use_the_form_of_tables(tmp_path: Path, schema: Schema) -> None:
    path = write(tmp_path / "a.jsonl", {"id": 1, "text": "Rain.", "weather": "negative"})
    (made,) = load_records(path, schema).records
    assert [(label.topic, label.stance) for label in made.labels] == [("weather", "negative")]


FAULTY = [
    ("a.jsonl", ["{"], [(1, None)]),
    ("a.jsonl", [{"id": "a", "text": "x"}], [(1, "labels")]),
    ("a.jsonl", [record("a", labels="no list")], [(1, "labels")]),
    ("a.jsonl", [record("a", text="")], [(1, "text")]),
    ("a.jsonl", [record("a"), record("b"), record("a")], [(3, "id")]),
    ("a.jsonl", [{"id": "a", "text": "x", "harbour": "good"}], [(1, "harbour")]),
    ("a.jsonl", [{"id": "a", "text": "x", "harbour": True}], [(1, "harbour")]),
    ("a.csv", ["id,text,harbour,weather", "1,x,good,"], [(2, "harbour")]),
    ("a.csv", ["id,text,harbour,weather", "1,x,", "2,y,,bad"], [(2, None), (3, "weather")]),
    ("a.csv", ["id,text,harbour", "1,x,positive", "2,x,"], [(1, "weather")]),
    ("a.csv", ["id,text", "1,x", "2,y"], [(1, "harbour")]),
    ("a.csv", ["id,labels", "1,[]"], [(1, "text")]),
    (
        "a.csv",
        ["id,text,labels", "1,x,[", "2,x,", "3,x,{}"],
        [(2, "labels"), (3, "labels"), (4, "labels")],
    ),
    ("a.csv", ["text,labels", "x,[]"], [(2, "id")]),
]


@pytest.mark.parametrize(("name", "lines", "places"), FAULTY)
def test_each_fault_names_line_and_field(
    tmp_path: Path,
    schema: Schema,
    name: str,
    lines: list[Any],
    places: list[tuple[int, str | None]],
) -> None:
    path = write(tmp_path / name, *lines)
    with pytest.raises(DataError) as caught:
        load_records(path, schema)
    assert [(fault.line, fault.field) for fault in caught.value.faults] == places
    assert {fault.file for fault in caught.value.faults} == {str(path)}
    assert "--skip-invalid" in str(caught.value)


def test_faults_of_all_files_come_at_once_and_the_good_can_be_kept(
    tmp_path: Path, schema: Schema
) -> None:
    one = write(tmp_path / "1.jsonl", record("a"), "{", record("b", text=""))
    two = write(tmp_path / "2.csv", "id,text,harbour,weather", "a,Again.,,", "c,Rain.,,negative")
    with pytest.raises(DataError) as caught:
        load_records([one, two], schema)
    seen: list[Fault] = []
    dataset = load_records([one, two], schema, skip_invalid=True, on_fault=seen.append)
    assert [item.id for item in dataset.records] == ["a", "c"]
    assert dataset.faults == caught.value.faults == tuple(seen)
    places = [(fault.file, fault.line) for fault in dataset.faults]
    assert places == [(str(one), 2), (str(one), 3), (str(two), 2)]
    assert f"it first at {one}:1" in dataset.faults[2].found
    assert dataset.digest == digest_of(dataset.records)


def test_nothing_left_is_an_error_even_where_faults_are_skipped(
    tmp_path: Path, schema: Schema
) -> None:
    with pytest.raises(DataError, match="expected at least one record, found none"):
        load_records(write(tmp_path / "a.jsonl", "{"), schema, skip_invalid=True)
    with pytest.raises(DataError, match="expected at least one record, found none"):
        load_records(write(tmp_path / "b.jsonl"), schema)


def test_what_cannot_be_read_is_said_before_the_schema_is_missed(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be opened"):
        load_records(tmp_path / "none.jsonl")
    with pytest.raises(UsageError, match="expected files that end in"):
        load_records(tmp_path)
    with pytest.raises(UsageError, match="no data given"):
        load_records([])


def test_the_schema_is_found_beside_the_data(tmp_path: Path, schema: Schema) -> None:
    path = write(tmp_path / "a.jsonl", record("a"))
    with pytest.raises(SchemaError, match="neither; name one with --schema"):
        load_records(path)
    write_schema(tmp_path, schema)
    assert find_schema(path) == find_schema(tmp_path) == schema
    (tmp_path / "schema.toml").write_text("", encoding="utf-8")
    with pytest.raises(SchemaError, match="both; name one with --schema"):
        find_schema(path)
    with pytest.raises(SchemaError, match="--schema FILE"):
        find_schema("hf:name")


def test_texts_that_stand_twice_are_found(tmp_path: Path, schema: Schema) -> None:
    path = write(
        tmp_path / "a.jsonl",
        record("a"),
        record("b", text="Other.", labels=[]),
        record("c", labels=[{"topic": "harbour", "stance": "positive"}]),
        record("d", text="Other. ", labels=[{"topic": "weather", "stance": "neutral"}]),
        record("e", title="Port"),
    )
    found = text_conflicts(load_records(path, schema).records)
    assert [(item.ids, item.same_labels) for item in found] == [
        (("a", "c"), True),
        (("b", "d"), False),
    ]


@pytest.fixture(scope="module")
def seeds() -> tuple[Record, ...]:
    dataset = load_records(SEEDS)
    assert dataset.faults == ()
    return dataset.records


def test_all_seeds_load(seeds: tuple[Record, ...]) -> None:
    assert len(seeds) == 12_868
    assert text_conflicts(seeds) == []
    # Texts of neutral stance stand in a slice of their own.
    neutral = {item.id[:2] for item in seeds for label in item.labels if label.stance == "neutral"}
    assert neutral == {"eu"}
    assert all(label.evidence for item in seeds for label in item.labels)


def test_the_digest_does_not_follow_the_order(seeds: tuple[Record, ...]) -> None:
    few = list(seeds[:50])
    digest = digest_of(few)
    random.Random(3).shuffle(few)
    assert digest_of(few) == digest
