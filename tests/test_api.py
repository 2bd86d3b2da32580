"""The public names, and what loading them costs."""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import stance

ROOT = Path(__file__).parent.parent
PUBLIC = """
    Article Classifier DataError Dataset Evidence Fault FaultyInput Finding Label
    MissingExtraError ModelError Prediction Record Schema SchemaError Splits Stance StanceError
    Topic UsageError __version__ evaluate load_records train
""".split()
HEAVY = {"torch", "transformers", "datasets", "sklearn", "accelerate", "nncf", "onnx", "training"}


def loaded_by(code: str, tmp_path: Path) -> set[str]:
    """Top-level names of the modules that a fresh interpreter has loaded after some code."""
    ending = (
        "\nimport sys, json"
        "\nnames = {name.partition('.')[0] for name, module in sys.modules.items() if module}"
        "\nprint(json.dumps(sorted(names)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code + ending],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_the_public_names_are_these() -> None:
    assert sorted(stance.__all__) == sorted(PUBLIC)
    assert set(PUBLIC) <= set(dir(stance))


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_is_there_and_told(name: str) -> None:
    value = getattr(stance, name)
    assert name == "__version__" or (value.__doc__ or "").strip()
    assert getattr(stance, name) is value


def test_other_names_are_not_there() -> None:
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = stance.no_such_name  # type: ignore[attr-defined]


def test_the_version_is_that_of_the_package() -> None:
    try:
        installed = importlib.metadata.version("stance")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("the package is not installed")
    if Path(stance.__file__).is_relative_to(ROOT):
        assert installed == stance.__version__


def test_the_package_is_typed() -> None:
    assert Path(stance.__file__).with_name("py.typed").is_file()


def test_import_is_light(tmp_path: Path) -> None:
    loaded = loaded_by("import stance", tmp_path)
    assert not loaded & (HEAVY | {"numpy", "openvino", "pyarrow", "rich", "typer", "pydantic"})


def test_all_public_names_together_load_no_training_library(tmp_path: Path) -> None:
    loaded = loaded_by("from stance import *", tmp_path)
    assert not loaded & (HEAVY | {"openvino", "pyarrow", "rich", "typer"})


def test_the_engine_comes_without_its_telemetry(tmp_path: Path) -> None:
    code = """
from stance.errors import ModelError
from stance.session import Session
try:
    Session(b"no graph", b"", n_columns=1)
except ModelError:
    pass
else:
    raise SystemExit("a broken graph was accepted")
"""
    loaded = loaded_by(code, tmp_path)
    assert "openvino" in loaded
    assert "openvino_telemetry" not in loaded
    assert not loaded & HEAVY
    assert list(tmp_path.iterdir()) == []


@pytest.mark.model
def test_predicting_from_the_command_line_loads_no_training_library(tmp_path: Path) -> None:
    if not (ROOT / "models" / "default" / "manifest.json").is_file():
        pytest.skip("models/default is not there")
    code = """
from stance.cli.main import main
status = main(["predict", "Moscow and Washington resumed arms control talks."])
if status:
    raise SystemExit(status)
"""
    loaded = loaded_by(code, tmp_path)
    assert "openvino" in loaded
    assert not loaded & (HEAVY | {"openvino_telemetry", "pyarrow", "huggingface_hub"})
    assert list(tmp_path.iterdir()) == []
