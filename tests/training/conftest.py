"""Models that are made once for all tests of the training half."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import pytest
import tiny

# Without the extra `train` these modules cannot even be imported.
collect_ignore_glob = [] if find_spec("torch") else ["test_*.py"]


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    """Tiny products lose more by waiting for other threads than they win."""
    tiny.use_one_thread()


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An encoder with weights by chance, as transformers writes it."""
    return tiny.encoder_folder(tmp_path_factory)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder as `train` writes it, for `tiny.SCHEMA`."""
    return tiny.trained_model(tmp_path_factory)
