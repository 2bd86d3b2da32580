from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import json_values, predictions, schemas

from stance import writers
from stance.errors import UsageError
from stance.formats import read_rows
from stance.predictions import FaultyInput
from stance.schema import Schema
from stance.writers import join_files, open_writer

TABLES = [".csv", ".tsv", ".parquet"]
LINES = [".jsonl", ".ndjson", ".jsonl.gz"]


def finding(**change: Any) -> dict[str, Any]:
    return {
        "topic": "weather",
        "probability": 0.9,
        "stance": "negative",
        "stance_probabilities": {"negative": 0.8, "positive": 0.2},
        "uncertain": False,
        "evidence": [{"sentence": "Rain fell."}, {"sentence": "=Hail, too."}],
        **change,
    }


def prediction(**change: Any) -> dict[str, Any]:
    return {
        "id": "a",
        "topics": [finding()],
        "scores": {"harbour": 0.1, "weather": 0.9},
        **change,
    }


def write(path: Path, rows: list[dict[str, Any]], **options: Any) -> None:
    with open_writer(path, **options) as writer:
        for row in rows:
            writer.write(row)


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t" if path.suffix == ".tsv" else ","))


@given(rows=st.lists(st.dictionaries(st.text(max_size=9), json_values, max_size=3), max_size=4))
@pytest.mark.parametrize("ending", LINES)
def test_json_lines_come_back(
    tmp_path_factory: pytest.TempPathFactory, ending: str, rows: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / f"back{ending}"
    write(path, rows)
    assert [row.data for row in read_rows(path)] == rows


@given(st.data())
def test_parquet_holds_every_prediction_to_the_letter(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    schema = data.draw(schemas())
    made = data.draw(st.lists(predictions(schema), max_size=4))
    path = tmp_path_factory.getbasetemp() / "all.parquet"
    write(path, [item.to_dict() for item in made], schema=schema)
    table = pq.read_table(path).to_pylist()
    assert len(table) == len(made)
    for item, row in zip(made, table, strict=True):
        assert row["id"] == item.id
        for topic, score in item.scores.items():
            assert row[f"{topic}_probability"] == score
        found = {entry.topic: entry for entry in item.topics}
        for topic in schema.topic_names:
            entry = found.get(topic)
            assert row[f"{topic}_stance"] == (entry and entry.stance)
            assert row[f"{topic}_uncertain"] == (entry and entry.uncertain)
            if entry:
                sentences = [piece.sentence for piece in entry.evidence]
                assert row[f"{topic}_evidence"] == "\n".join(sentences)
                assert (
                    row[f"{topic}_stance_probability"] == (entry.stance_probabilities[entry.stance])
                )
        assert (json.loads(row["extra"]) if row["extra"] else {}) == item.extra


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_the_columns_of_a_table(tmp_path: Path, schema: Schema, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    faulty = FaultyInput(id=None, line=7, error="broken").to_dict()
    kept = prediction(url="u", size=[1], note=None, error="carried", visits=3)
    write(path, [kept, faulty], schema=schema, extra_columns=["url", "size", "note", "error", "id"])
    first, second = read_csv(path)
    assert first == {
        "id": "a",
        "harbour_probability": "0.1",
        "harbour_stance": "",
        "harbour_stance_probability": "",
        "harbour_uncertain": "",
        "harbour_evidence": "",
        "weather_probability": "0.9",
        "weather_stance": "negative",
        "weather_stance_probability": "0.8",
        "weather_uncertain": "false",
        "weather_evidence": "Rain fell.\n=Hail, too.",
        "error": "",
        "line": "",
        "url": "u",
        "size": "[1]",
        "note": "",
        "extra": '{"error": "carried", "visits": 3}',
    }
    assert {key: value for key, value in second.items() if value} == {
        "error": "broken",
        "line": "7",
    }


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", "\t", "\r"])
def test_cells_are_safe_in_a_spreadsheet(tmp_path: Path, schema: Schema, begin: str) -> None:
    row = prediction(
        id=begin + "1",
        url=begin + "cmd()",
        topics=[
            finding(evidence=[{"sentence": begin + "x"}], stance_probabilities={"negative": 1})
        ],
    )
    write(tmp_path / "a.csv", [row], schema=schema, extra_columns=["url", begin + "name"])
    (read,) = read_csv(tmp_path / "a.csv")
    assert read["id"] == f"'{begin}1"
    assert read["url"] == f"'{begin}cmd()"
    assert read["weather_evidence"] == f"'{begin}x"
    assert read["weather_stance_probability"] == "1"
    assert f"'{begin}name" in read
    write(tmp_path / "a.parquet", [row], schema=schema, extra_columns=["url"])
    (whole,) = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert whole["url"] == begin + "cmd()"


@pytest.mark.parametrize("ending", TABLES + LINES)
def test_an_error_midway_leaves_the_old_file(
    tmp_path: Path, schema: Schema, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    monkeypatch.setattr(writers, "_BATCH", 2)
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"old")

    def stop_midway() -> None:
        with open_writer(path, schema=schema) as writer:
            for _ in range(5):
                writer.write(prediction())
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        stop_midway()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("ending", TABLES + LINES)
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_every_row_arrives(
    tmp_path: Path, schema: Schema, monkeypatch: pytest.MonkeyPatch, ending: str, count: int
) -> None:
    monkeypatch.setattr(writers, "_BATCH", 2)
    path = tmp_path / f"a{ending}"
    write(path, [prediction(id=str(number)) for number in range(count)], schema=schema)
    if ending == ".parquet":
        ids = pq.read_table(path).column("id").to_pylist()
    elif ending in TABLES:
        ids = [row["id"] for row in read_csv(path)]
    else:
        ids = [row.data["id"] for row in read_rows(path) if row.data]
    assert ids == [str(number) for number in range(count)]


def test_compressed_lines_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.jsonl.gz", "b.jsonl.gz"):
        write(tmp_path / name, [prediction()] * 3)
    raw = (tmp_path / "a.jsonl.gz").read_bytes()
    assert raw == (tmp_path / "b.jsonl.gz").read_bytes()
    assert raw[4:8] == bytes(4)
    assert gzip.decompress(raw).count(b"\n") == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.txt", "expected a file that ends in"), ("a.csv", "a table needs a schema")],
)
def test_what_cannot_be_written_is_said_before_the_first_row(
    tmp_path: Path, name: str, words: str
) -> None:
    with pytest.raises(UsageError, match=words), open_writer(tmp_path / name):
        pass
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("counts", [(2,), (2, 0, 3), (0, 0)])
def test_joined_files_are_one_file_with_all_rows(
    ending: str, counts: tuple[int, ...], schema: Schema, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr(writers, "_BATCH", 2)
    rows = [prediction(id=str(number)) for number in range(sum(counts))]
    parts, first = [], 0
    for place, count in enumerate(counts):
        parts.append(tmp_path / f"part-{place}{ending}")
        write(parts[-1], rows[first : first + count], schema=schema)
        first += count
    write(tmp_path / f"whole{ending}", rows, schema=schema)
    join_files(parts, tmp_path / f"joined{ending}")
    joined, whole = (tmp_path / f"{name}{ending}" for name in ("joined", "whole"))
    if ending == ".parquet":
        assert pq.read_table(joined).equals(pq.read_table(whole))
    else:
        assert joined.read_bytes() == whole.read_bytes()
    assert sorted(tmp_path.iterdir()) == [joined, whole]
