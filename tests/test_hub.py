from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from stance.dataset import load_records
from stance.errors import DataError, MissingExtraError, UsageError
from stance.hub import read_hub
from stance.schema import Schema


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtraError, match=r"\[train\]"):
        list(read_hub("hf:name"))


def save(folder: Path, columns: dict[str, Any], *, classes: bool = False) -> Any:
    datasets = pytest.importorskip("datasets")
    features = None
    if classes:
        names = datasets.ClassLabel(names=["negative", "positive"])
        text = datasets.Value("string")
        features = datasets.Features(id=text, text=text, harbour=names, weather=names)
    made = datasets.Dataset.from_dict(columns, features=features)
    made.save_to_disk(str(folder))
    return made


@pytest.mark.training
def test_a_saved_data_set_with_numbered_classes(tmp_path: Path, schema: Schema) -> None:
    columns = {
        "id": ["a", "b"],
        "text": ["The port opened.", "Rain fell."],
        "harbour": [1, -1],
        "weather": [None, 0],
    }
    save(tmp_path / "saved", columns, classes=True)
    first, second = load_records(tmp_path / "saved", schema).records
    assert [(label.topic, label.stance) for label in first.labels] == [("harbour", "positive")]
    assert [(label.topic, label.stance) for label in second.labels] == [("weather", "negative")]


@pytest.mark.training
def test_a_saved_data_set_with_lists_of_labels(tmp_path: Path, schema: Schema) -> None:
    label = {"topic": "harbour", "stance": "negative", "evidence": ["A storm."], "sure": None}
    columns = {"id": [1, 2], "text": ["A storm.", "Calm."], "labels": [[label], []]}
    save(tmp_path / "saved", columns)
    (tmp_path / "saved" / "schema.json").write_text(json.dumps(schema.to_dict()), encoding="utf-8")
    first, second = load_records(tmp_path / "saved").records
    assert first.labels[0].evidence == ("A storm.",)
    assert second.labels == ()


@pytest.mark.training
def test_all_splits_are_read_and_faults_name_split_and_row(tmp_path: Path, schema: Schema) -> None:
    datasets = pytest.importorskip("datasets")
    empty: list[Any] = [None, None]
    parts = {
        name: datasets.Dataset.from_dict(
            {
                "id": [f"{name}1", f"{name}2"],
                "text": ["Rain.", "" if name == "dev" else "Hail."],
                "harbour": empty,
                "weather": ["negative", None],
            }
        )
        for name in ("train", "dev")
    }
    datasets.DatasetDict(parts).save_to_disk(str(tmp_path / "saved"))
    with pytest.raises(DataError) as caught:
        load_records(tmp_path / "saved", schema)
    (fault,) = caught.value.faults
    assert (fault.file, fault.line, fault.field) == (f"{tmp_path / 'saved'}:dev", 2, "text")
    dataset = load_records(tmp_path / "saved", schema, skip_invalid=True)
    assert [item.id for item in dataset.records] == ["train1", "train2", "dev1"]


@pytest.mark.training
def test_a_named_data_set_and_split(
    tmp_path: Path, schema: Schema, monkeypatch: pytest.MonkeyPatch
) -> None:
    datasets = pytest.importorskip("datasets")
    made = save(tmp_path / "saved", {"id": [1], "text": ["Calm."], "labels": [[]]})
    asked = []

    def load_dataset(name: str, split: str | None) -> Any:
        asked.append((name, split))
        return made

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    load_records("hf:owner/name:test", schema)
    load_records("hf:owner/name", schema)
    assert asked == [("owner/name", "test"), ("owner/name", None)]


@pytest.mark.training
def test_what_cannot_be_loaded_is_said(tmp_path: Path, schema: Schema) -> None:
    pytest.importorskip("datasets")
    save(tmp_path / "saved", {"text": ["Calm."]})
    for path in (tmp_path / "saved").glob("*.arrow"):
        path.unlink()
    with pytest.raises(UsageError, match="saved: the data set cannot be loaded"):
        load_records(tmp_path / "saved", schema)
