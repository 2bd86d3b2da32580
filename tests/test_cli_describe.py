"""`stance describe`: everything that the manifest says is told, and a damaged model is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from cli_support import SCHEMA, run, write_model
from hypothesis import given
from hypothesis import strategies as st

from stance.artifact import load_artifact
from stance.cli.describe import flatten, limits

UNCERTAINTY = {
    "confidence": 0.7,
    "error_bound": 0.1,
    "coverage": 0.75,
    "n": 1200,
    "promised": True,
}
PARITY = {
    "pairs": 300,
    "presence_changed": 2,
    "stance_pairs": 100,
    "stance_changed": 1,
    "largest_presence_difference": 0.4,
    "limit": 0.01,
}
FULL: dict[str, Any] = {
    "uncertainty": UNCERTAINTY,
    "parity": PARITY,
    "training": {"epochs": 4, "freeze_encoder": False, "bf16": None},
    "data": {"digest": "abc", "counts": {"train": 12_000}},
    "versions": {"torch": "9.9"},
    "history": [{"epoch": 1, "topic_f1": 0.5}, {"epoch": 2, "stance_f1": 0.25}],
    "scores": {
        "validation": {"signature": "texts:7|seed:1", "topic macro F1": 0.75},
        "test": {"signature": "texts:9|seed:1", "topic macro F1": 0.91234567, "joint F1": None},
        "note": "drawn once",
    },
}


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def test_the_description_tells_what_the_manifest_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_model(tmp_path / "m", **FULL)
    result = run(capsys, "describe", str(folder))
    assert (result.status, result.err) == (0, "")
    for words in (
        "tiny (baseline, made 2026-01-02)",
        str(folder),
        load_artifact(folder).digest,
        "rivers: what flows",
        "negative",
        "epochs: 4",
        "freeze_encoder: no",
        "bf16: not set",
        "digest: abc",
        "counts, train: 12,000",
        "torch: 9.9",
        "note: drawn once",
        "test: texts:9|seed:1",
        "3 of 400 held-out decisions",
        "at most 10 % are wrong",
        "1,200 stances, 75 % of all",
        "schema.json",
    ):
        assert words in result.out, words
    rows = [line.split() for line in result.out.splitlines()]
    assert ["rivers", "0.50", "0.81", "0.69"] in rows
    assert ["topic", "macro", "F1", "0.75", "0.9123"] in rows
    assert ["joint", "F1", "not", "set"] in rows


def test_json_is_the_whole_manifest(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_model(tmp_path / "m", **FULL)
    data = json.loads(run(capsys, "describe", str(folder), "--format", "json").out)
    assert data["schema"] == SCHEMA.to_dict()
    assert data["manifest"]["scores"] == FULL["scores"]
    assert data["manifest"]["parity"] == PARITY
    assert data["digest"] == load_artifact(folder).digest


def test_a_file_that_this_copy_lacks_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_model(tmp_path / "m")
    assert "not in this copy" not in run(capsys, "describe", str(folder)).out
    (folder / "weights.safetensors").unlink()
    assert (
        "weights.safetensors  0 bytes, not in this copy" in run(capsys, "describe", str(folder)).out
    )


def test_a_model_that_promises_nothing_says_so(tmp_path: Path) -> None:
    artifact = load_artifact(write_model(tmp_path / "m"))
    assert any('calls every stance "not sure"' in sentence for sentence in limits(artifact))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("schema.json", "{}", "not the file that the manifest lists"),
        ("manifest.json", '{"format_version": 99}', "upgrade stance"),
        ("manifest.json", "{", "expected JSON"),
    ],
)
def test_a_damaged_model_is_refused_with_status_3(
    name: str, content: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_model(tmp_path / "m")
    (folder / name).write_text(content, encoding="utf-8")
    result = run(capsys, "describe", str(folder))
    assert (result.status, result.out) == (3, "")
    assert words in result.err


def test_a_folder_that_is_no_model_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "describe", str(tmp_path))
    assert result.status == 3
    assert "manifest.json" in result.err


VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
TREES = st.recursive(
    VALUES | st.lists(VALUES, max_size=20),
    lambda inner: st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def leaves(tree: Any) -> int:
    return sum(map(leaves, tree.values())) if isinstance(tree, dict) else 1


@given(tree=st.dictionaries(st.text(), TREES, max_size=4))
def test_every_leaf_is_one_line(tree: dict[str, Any]) -> None:
    assert len(list(flatten(tree))) == leaves(tree)
