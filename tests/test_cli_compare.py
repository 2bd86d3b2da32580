"""`stance compare`: predictions and a fake model, compared on small files."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from cli_support import SCHEMA, FakeClassifier, run

from stance.cli import compare as compare_verb
from stance.evaluation import pages
from stance.records import Article

TEXTS = {
    f"r{number}": ("rivers are bad" if number % 3 else "bridges are fine") for number in range(36)
}


class FakeModel(FakeClassifier):
    digest = "f" * 64


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compare_verb, "load_classifier", lambda _: FakeModel())


def write(path: Path, *items: dict[str, Any]) -> Path:
    lines = [json.dumps(item) + "\n" for item in items]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    write(tmp_path / "schema.json", SCHEMA.to_dict())
    records = []
    for name, text in TEXTS.items():
        rivers = {"topic": "rivers", "stance": "negative"}
        bridges = {"topic": "bridges", "stance": "positive"}
        labels = [rivers] if "rivers" in text else [bridges]
        records.append({"id": name, "kind": "headline", "text": text, "labels": labels})
    return write(tmp_path / "data.jsonl", *records)


def answers(path: Path, changed: int = 0, names: list[str] | None = None) -> Path:
    """Predictions of the fake; for the first `changed` texts, of another text."""
    articles = [
        Article(id=name, text="bridges are bad" if place < changed else TEXTS.get(name, "x"))
        for place, name in enumerate(names or list(TEXTS))
    ]
    found = FakeClassifier().predict_many(articles)
    return write(path, *(item.to_dict(full=True) for item in found))


def test_two_files_and_a_model(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    one = answers(tmp_path / "worse.jsonl", changed=20)
    two = answers(tmp_path / "same.jsonl")
    out = tmp_path / "out"
    result = run(
        capsys, "compare", str(one), str(two), "models/x", "--data", str(data), "--report", str(out)
    )
    assert result.status == 0, result.err
    assert "same.jsonl against worse.jsonl: better on " in result.out
    assert "x against worse.jsonl: better on " in result.out
    assert "the answers differ on 20 of 36 texts; on 20 of them" in result.out
    assert sorted(path.name for path in out.iterdir()) == [
        "compare.html",
        "compare.json",
        "compare.md",
    ]
    saved = json.loads((out / "compare.json").read_text(encoding="utf-8"))
    assert [item["name"] for item in saved["contenders"]] == ["worse.jsonl", "same.jsonl", "x"]
    assert saved["contenders"][2]["model_digest"] == "f" * 64
    assert "contender-3:sha256-ffffffffffff" in saved["signature"]


def test_json_on_standard_output(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    one = answers(tmp_path / "a.jsonl", changed=2)
    two = answers(tmp_path / "b.jsonl")
    command = ["compare", str(one), str(two), "--data", str(data), "--format", "json"]
    result = run(capsys, *command, "--resamples", "20")
    assert json.loads(result.out)["differing_texts"] == 2


def test_sets_that_do_not_match_are_refused(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    one = answers(tmp_path / "a.jsonl", names=list(TEXTS)[:-1])
    two = answers(tmp_path / "b.jsonl", names=[*TEXTS, "stray"])
    result = run(capsys, "compare", str(one), str(two), "--data", str(data))
    assert (result.status, result.out) == (1, "")
    assert 'a.jsonl: record "r35": expected one prediction for each record, found none' in (
        result.err
    )
    assert 'b.jsonl: record "stray": expected a record of the data' in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["a.jsonl"], "expected two models or files of predictions or more"),
        (["a.jsonl", "a.jsonl"], "expected different models or files"),
        (["a.jsonl", "b.jsonl", "--splits", "s.json"], "--splits: name the split"),
        (["a.jsonl", "none.jsonl"], "none.jsonl"),
    ],
)
def test_misuse_is_said(
    capsys: pytest.CaptureFixture[str],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    answers(tmp_path / "a.jsonl")
    answers(tmp_path / "b.jsonl")
    result = run(capsys, "compare", *arguments, "--data", str(data))
    assert result.status == 2
    assert words in result.err
    assert "Traceback" not in result.err


def test_files_of_one_name_keep_their_folders() -> None:
    assert compare_verb.display_names(["a/p.jsonl", "b/q.jsonl"]) == ["p.jsonl", "q.jsonl"]
    assert compare_verb.display_names(["a/p.jsonl", "b/p.jsonl"]) == ["a/p.jsonl", "b/p.jsonl"]


def test_without_jinja_the_rest_is_written(
    capsys: pytest.CaptureFixture[str],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    pages._environment.cache_clear()
    one, two = answers(tmp_path / "a.jsonl"), answers(tmp_path / "b.jsonl", changed=1)
    command = ["compare", str(one), str(two), "--data", str(data), "--resamples", "10"]
    result = run(capsys, *command, "--report", str(tmp_path / "out"))
    pages._environment.cache_clear()
    assert result.status == 0
    assert "compare.html is not written: " in result.err
    assert not (tmp_path / "out" / "compare.html").exists()
    assert (tmp_path / "out" / "compare.md").exists()
