"""`stance train` and `stance export`: options reach the training half, or its absence is told."""

from __future__ import annotations

import importlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from cli_support import SCHEMA, run, write_model
from pydantic import BaseModel, Field

from stance import door
from stance.errors import MissingExtraError


class Settings(BaseModel):
    """Stands in for the recipe's settings."""

    epochs: int = Field(4, ge=1)
    seed: int = 0
    freeze_encoder: bool = False


@dataclass(frozen=True, slots=True)
class Report:
    words: str = "the report"

    def __str__(self) -> str:
        return self.words


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Replace the training half; gives what it was called with."""
    seen: list[dict[str, Any]] = []

    def train(*arguments: Any, **options: Any) -> Report:
        names = ("dataset", "splits", "settings", "out")
        seen.append({**dict(zip(names, arguments, strict=True)), **options})
        return Report()

    def load_recipe(name: str) -> Settings:
        seen.append({"recipe": name})
        return Settings()

    def export_onnx(model: Path, out: Path) -> Report:
        seen.append({"model": model, "out": out})
        return Report("exported")

    halves = {
        "training.api": SimpleNamespace(train=train),
        "training.settings": SimpleNamespace(load_recipe=load_recipe),
        "training.onnx_export": SimpleNamespace(export_onnx=export_onnx),
    }
    monkeypatch.setattr(door, "open_training", lambda module, *, task: halves[module])
    return seen


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "schema.json").write_text(json.dumps(SCHEMA.to_dict()), encoding="utf-8")
    rows = [
        {"id": "a", "text": "Rivers fell.", "labels": [{"topic": "rivers", "stance": "positive"}]},
        {"id": "b", "text": "Nothing.", "labels": []},
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "a.jsonl").write_text(lines, encoding="utf-8")
    return folder


def test_the_defaults_are_the_recipe(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "train", str(data), "--out", str(tmp_path / "m"))
    assert (result.status, result.out) == (0, "the report\n")
    recipe, call = calls
    assert recipe == {"recipe": "default"}
    assert [record.id for record in call["dataset"].records] == ["a", "b"]
    assert call["settings"] == Settings()
    assert call["out"] == tmp_path / "m"
    assert (call["splits"], call["base"], call["resume"], call["progress"]) == (
        None,
        None,
        False,
        True,
    )


def test_every_option_reaches_the_training(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    options = (
        "--recipe", "quick", "--seed", "7", "--epochs", "2", "--resume", "--freeze-encoder",
        "--device", "cpu", "--base", "models/default",
    )  # fmt: skip
    run(capsys, "train", str(data), "--out", str(tmp_path / "m"), *options)
    recipe, call = calls
    assert recipe == {"recipe": "quick"}
    assert call["settings"] == Settings(epochs=2, seed=7, freeze_encoder=True)
    assert (call["base"], call["resume"], call["device"]) == ("models/default", True, "cpu")


@pytest.mark.parametrize("named", [False, True])
def test_splits_are_found_or_named(
    named: bool,
    data: Path,
    tmp_path: Path,
    calls: list[dict[str, Any]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "other.json" if named else data / "splits.json"
    splits = {"version": 1, "seed": 0, "splits": {"train": ["a"], "test": ["b"]}}
    place.write_text(json.dumps(splits), encoding="utf-8")
    option = ("--splits", str(place)) if named else ()
    run(capsys, "train", str(data), "--out", str(tmp_path / "m"), *option)
    assert dict(calls[-1]["splits"].splits) == {"train": ("a",), "test": ("b",)}


def test_faulty_data_are_refused_unless_they_may_be_left_out(
    data: Path, tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    with (data / "a.jsonl").open("a", encoding="utf-8") as stream:
        stream.write('{"id": "c", "text": "", "labels": []}\n')
    arguments = ("train", str(data), "--out", str(tmp_path / "m"))
    result = run(capsys, *arguments)
    assert result.status == 1
    assert "a.jsonl:3" in result.err
    assert "--skip-invalid" in result.err
    result = run(capsys, *arguments, "--skip-invalid")
    assert result.status == 0
    assert "a.jsonl:3" in result.err
    assert len(calls[-1]["dataset"].records) == 2


def test_missing_libraries_are_told_before_the_data_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def absent(module: str, *, task: str) -> ModuleType:
        if module == "training.settings":
            return importlib.import_module(module)
        raise MissingExtraError(task, "train", "torch")

    monkeypatch.setattr(door, "open_training", absent)
    arguments = ("train", str(tmp_path / "no-such-data"), "--out", str(tmp_path / "m"))
    result = run(capsys, *arguments, "--recipe", "no-such-recipe")
    assert result.status == 2
    assert 'stance train needs the extra "train" (torch is not installed)' in result.err


def test_export_finds_the_model_and_says_what_it_wrote(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    model = write_model(tmp_path / "m")
    result = run(capsys, "export", str(model), "--onnx", str(tmp_path / "onnx"))
    assert (result.status, result.out) == (0, "exported\n")
    assert calls == [{"model": model, "out": tmp_path / "onnx"}]


def test_export_of_no_model_is_refused(
    tmp_path: Path, calls: list[dict[str, Any]], capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "export", str(tmp_path / "none"), "--onnx", str(tmp_path / "onnx"))
    assert result.status == 3
    assert calls == []


# The door itself


def test_the_door_names_the_library_that_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heavy_half.py").write_text("import no_such_library.part", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(MissingExtraError, match=r"no_such_library is not installed.*\[train\]"):
        door.open_training("heavy_half", task="x")


def test_the_door_does_not_blame_the_extra_for_a_hole_in_our_own_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "heavy_half_2.py").write_text("import stance.no_such_module", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module"):
        door.open_training("heavy_half_2", task="x")


def test_the_door_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "heavy_half_3.py").write_text("answer = 42", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    assert door.open_training("heavy_half_3", task="x").answer == 42
    del sys.modules["heavy_half_3"]


def test_the_python_door_takes_the_default_recipe(
    tmp_path: Path, calls: list[dict[str, Any]]
) -> None:
    dataset: Any = object()
    report = door.train(dataset, tmp_path / "m")
    assert str(report) == "the report"
    assert calls[0] == {"recipe": "default"}
    assert calls[1]["dataset"] is dataset
    assert calls[1]["progress"] is False
