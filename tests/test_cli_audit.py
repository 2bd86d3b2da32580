"""`stance data audit`: what is printed and written, and what is refused."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from audit_support import SCHEMA, corpus
from cli_support import run

from stance.cli import audit as audit_verb
from stance.predictions import Finding, Prediction
from stance.records import Article, Record

pytest.importorskip("sklearn")
pytest.importorskip("cleanlab")


def write(path: Path, *items: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Texts of which the first says "negative" and is labelled positive."""
    write(tmp_path / "schema.json", SCHEMA.to_dict())
    records = [item.to_dict() for item in corpus(90)]
    records[0]["labels"][0]["stance"] = "positive"
    return write(tmp_path / "data.jsonl", *records)


def answer(record: Record) -> Prediction:
    """What the text says, with its true labels."""
    findings = []
    for topic in SCHEMA.topic_names:
        label = record.label(topic)
        negative = 0.97 if label is not None and label.stance == "negative" else 0.03
        findings.append(
            Finding(
                topic=topic,
                probability=0.98 if label else 0.02,
                stance="negative" if negative > 0.5 else "positive",
                stance_probabilities={"negative": negative, "positive": 1 - negative},
                uncertain=False,
            )
        )
    return Prediction(
        id=record.id,
        topics=tuple(item for item in findings if item.probability > 0.5),
        below=tuple(item for item in findings if item.probability < 0.5),
        scores={item.topic: item.probability for item in findings},
    )


class Teacher:
    """A model that reads ids and knows."""

    schema = SCHEMA
    digest = "f" * 64
    thresholds: dict[str, float] = {}  # noqa: RUF012

    class manifest:  # noqa: N801
        data: dict[str, str] = {}  # noqa: RUF012

    def predict_many(self, articles: Any) -> Any:
        known = {item.id: item for item in corpus(90)}
        for article in articles:
            assert isinstance(article, Article)
            yield answer(known[str(article.id)])


def test_the_planted_fault_stands_first(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    result = run(capsys, "data", "audit", str(data), "--folds", "3", "--out", str(out))
    assert result.status == 0, result.err
    lines = result.out.splitlines()
    assert lines[:2] == [
        "90 texts, 90 labels",
        "held against: TF-IDF baselines, cross-validated in 3 folds",
    ]
    first = next(line for line in lines if line.startswith("1. "))
    assert first.startswith("1. t0: harbour: labelled positive; the model says negative (doubt 0.")
    assert "Too few to learn from" in result.out
    assert "note: Which texts are longer than those that a model learns from" in result.err
    saved = json.loads((out / "audit.json").read_text(encoding="utf-8"))
    assert saved["suspects"][0]["id"] == "t0"
    assert saved["about"]["folds"] == 3
    assert (out / "argilla" / "records.json").exists()


def test_predictions_take_the_place_of_folds(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    answers = [answer(item).to_dict(full=True) for item in corpus(90)]
    path = write(tmp_path / "answers.jsonl", *answers)
    command = ["data", "audit", str(data), "--predictions", str(path), "--format", "json"]
    result = run(capsys, *command)
    report = json.loads(result.out)
    assert report["probabilities"] == "the predictions answers.jsonl"
    assert [(item["id"], item["doubt"]) for item in report["suspects"]] == [("t0", 0.97)]


def test_a_model_that_learnt_from_the_data_is_no_judge_of_them(
    capsys: pytest.CaptureFixture[str],
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(audit_verb, "load_classifier", lambda _: Teacher())
    command = ["data", "audit", str(data), "--model", "m", "--format", "json"]
    result = run(capsys, *command)
    report = json.loads(result.out)
    assert [item["id"] for item in report["suspects"]] == ["t0"]
    assert "learnt" not in result.err
    monkeypatch.setattr(Teacher.manifest, "data", {"digest": report["about"]["data_digest"]})
    assert "It has learnt its training texts with their faults" in run(capsys, *command).err
    ids = [item.id for item in corpus(90)]
    splits = {"version": 1, "splits": {"train": ids[45:], "test": ids[:45]}}
    (tmp_path / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    assert "learnt" not in run(capsys, *command, "--split", "test").err
    assert "learnt" in run(capsys, *command, "--split", "train").err


def test_longer_texts_are_named_where_splits_are_there(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    records = [json.loads(line) for line in data.read_text(encoding="utf-8").splitlines()]
    records[7]["text"] += " and so on" * 40
    write(data, *records)
    ids = [item["id"] for item in records]
    splits = {"version": 1, "splits": {"train": ids[10:], "test": ids[:10]}}
    (tmp_path / "splits.json").write_text(json.dumps(splits), encoding="utf-8")
    result = run(capsys, "data", "audit", str(data), "--folds", "2", "--show", "0")
    assert "Longer than any training text" in result.out
    assert "t7" in result.out
    assert "\n1. " not in result.out


def test_misuse_is_said(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    result = run(capsys, "data", "audit", str(data), "--model", "m", "--predictions", "p.jsonl")
    assert (result.status, result.out) == (2, "")
    assert "expected one of them, found both" in result.err


def test_the_missing_extra_is_named_before_anything_is_read(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    monkeypatch.delitem(sys.modules, "training.label_issues", raising=False)
    result = run(capsys, "data", "audit", "nowhere")
    assert result.status == 2
    assert 'stance data audit needs the extra "audit" (cleanlab is not installed)' in result.err
    assert '".[audit]"' in result.err
