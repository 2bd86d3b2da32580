from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stance.cli.data import check_data, parse_fractions
from stance.cli.main import main
from stance.errors import UsageError
from stance.schema import Schema
from stance.splits import Splits

PORT = "The port opened on Monday and {} ships came in."


def write(path: Path, *items: dict[str, Any] | str) -> str:
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(path)


def record(name: str, text: str = PORT, **change: Any) -> dict[str, Any]:
    labels = [{"topic": "harbour", "stance": "positive"}]
    return {"id": name, "kind": "brief", "text": text.format(name), "labels": labels, **change}


@pytest.fixture
def folder(tmp_path: Path, schema: Schema) -> Path:
    (tmp_path / "data").mkdir()
    write(tmp_path / "data" / "schema.json", schema.to_dict())
    write(tmp_path / "data" / "a.jsonl", record("a"), record("b", labels=[]))
    return tmp_path / "data"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["data", *map(str, arguments)])
    out, err = capsys.readouterr()
    return status, out, err


def test_clean_data_are_said_to_be_clean(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    status, out, err = run(capsys, "check", folder)
    assert (status, err) == (0, "")
    assert out == "2 records without fault in 1 file, 0 faults\n"


def test_each_fault_is_a_line_on_stderr(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    bad = write(folder / "b.jsonl", "{", record("a"), record("c\n\x1b", text=" "))
    status, out, err = run(capsys, "check", folder)
    assert status == 1
    assert out == "2 records without fault in 2 files, 3 faults\n"
    lines = err.splitlines()
    assert [line.startswith(f"{bad}:{number}: ") for number, line in enumerate(lines, 1)] == [
        True
    ] * 3
    assert "\x1b" not in err


def test_faults_alone_are_no_crash(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    path = write(folder / "only.jsonl", "{")
    status, out, err = run(capsys, "check", path)
    assert status == 1
    assert out.startswith("0 records without fault in 1 file, 2 faults")
    assert "expected at least one record" in err


def test_what_is_odd_is_a_note_and_no_fault(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    write(
        folder / "b.jsonl",
        record("c", "Same."),
        record("d", "Same.", labels=[]),
        record("e", "Twin.", pair="p"),
        record("f", "Twin."),
        record("g", "Twin."),
    )
    write(folder / "old.xlsx", "x")
    status, _, err = run(capsys, "check", folder)
    assert status == 0
    assert err.splitlines() == [
        "note: the same text twice, with different labels: c, d",
        "note: the same text 3 times, with the same labels: e, f, g",
        "note: pair ids that not exactly two records share: p",
        f"note: not read, since the ending names no data: {folder / 'old.xlsx'}",
    ]


def test_check_as_json(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    bad = write(folder / "b.jsonl", record("z", labels=[{"topic": "x", "stance": "positive"}]))
    status, out, err = run(capsys, "check", folder, "--format", "json")
    assert (status, err) == (1, "")
    data = json.loads(out)
    assert data["records"] == 2
    assert data["faults"] == [
        {
            "file": bad,
            "line": 1,
            "record": "z",
            "field": "labels[0].topic",
            "expected": "one of harbour, weather",
            "found": "'x'",
            "advice": "",
        }
    ]
    assert data == check_data([str(folder)]).to_dict()


def test_the_schema_can_be_named(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jsonl", record("a"))
    status, _, err = run(capsys, "check", path)
    assert status == 2
    assert "--schema FILE" in err
    status, _, _ = run(capsys, "check", path, "--schema", folder / "schema.json")
    assert status == 0


@pytest.mark.parametrize("verb", ["check", "stats"])
def test_a_missing_file_is_a_usage_error(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, verb: str
) -> None:
    status, out, err = run(capsys, verb, tmp_path / "none.jsonl")
    assert (status, out) == (2, "")
    assert "none.jsonl: cannot be opened: No such file" in err


def test_stats_for_a_person(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    write(folder / "b.jsonl", record("c", kind=None, pair="lonely"))
    status, out, err = run(capsys, "stats", folder)
    assert (status, err) == (0, "")
    rows = [line.split() for line in out.splitlines()]
    assert ["brief", "2", "10", "10", "10", "10"] in rows
    assert ["(no", "kind)", "1", "10", "10", "10", "10"] in rows
    assert ["harbour", "0", "2", "0", "2", "0"] in rows
    assert "3 texts, 30 words; 1 (33%) without any topic, 0 with two or more; 0 pairs" in out
    assert "share: lonely" in out


def test_stats_as_json(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    status, out, _ = run(capsys, "stats", folder, "--format", "json")
    data = json.loads(out)
    assert status == 0
    assert data["texts"] == 2
    assert data["labels"]["harbour"] == {"negative": 0, "positive": 1, "neutral": 0}
    assert data["files"] == [str(folder / "a.jsonl")]
    assert len(data["digest"]) == 64


def test_faulty_data_are_refused_or_left_out_aloud(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    bad = write(folder / "b.jsonl", "{")
    status, out, err = run(capsys, "stats", folder, "--format", "json")
    assert (status, out) == (1, "")
    assert f"{bad}:1: expected a JSON object" in err
    status, out, err = run(capsys, "stats", folder, "--format", "json", "--skip-invalid")
    assert status == 0
    assert json.loads(out)["texts"] == 2
    assert f"{bad}:1: expected a JSON object" in err
    assert "1 fault; went on with 2 records" in err


@pytest.mark.training
def test_split_writes_the_file(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path
) -> None:
    pytest.importorskip("datasketch")
    words = [f"{number} barges {number * 7919}" for number in range(30)]
    write(folder / "a.jsonl", *(record(f"r{n}", text) for n, text in enumerate(words)))
    place = tmp_path / "splits.json"
    status, out, err = run(
        capsys, "split", folder, "--out", place, "--fractions", "a=0.5, b=0.5", "--seed", "3"
    )
    assert (status, err) == (0, f"written to {place}\n")
    rows = [line.split() for line in out.splitlines()]
    assert ["texts", "15", "15"] in rows
    assert ["harbour,", "positive", "15", "15"] in rows
    splits = Splits.load(place)
    assert splits.seed == 3
    status, out, _ = run(capsys, "split", folder, "--out", place, "--format", "json")
    assert status == 0
    assert json.loads(out) == {"seed": 0, "splits": {"train": 24, "validation": 3, "test": 3}}


def test_fractions_are_read() -> None:
    assert parse_fractions("train=0.9, dev = .1") == {"train": 0.9, "dev": 0.1}


@pytest.mark.parametrize("words", ["", "train", "train=", "a=x", "a=-1", "a=nan", "a=.5,a=.5"])
def test_unsound_fractions_are_usage_errors(
    capsys: pytest.CaptureFixture[str], folder: Path, tmp_path: Path, words: str
) -> None:
    with pytest.raises(UsageError, match="--fractions: expected NAME=SHARE"):
        parse_fractions(words)
    status, _, err = run(capsys, "split", folder, "--out", tmp_path / "s", "--fractions", words)
    assert status == 2
    assert "--fractions" in err
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("verb", ["check", "stats", "split"])
def test_help(capsys: pytest.CaptureFixture[str], verb: str) -> None:
    status, out, _ = run(capsys, verb, "--help")
    assert status == 0
    assert f"stance data {verb}" in out
