from __future__ import annotations

import pytest

from stance.errors import (
    DataError,
    Fault,
    MissingExtraError,
    ModelError,
    SchemaError,
    StanceError,
    UsageError,
    listing,
    shorten,
)


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ({}, "expected A, found B"),
        ({"file": "f"}, "f: expected A, found B"),
        ({"file": "f", "line": 3}, "f:3: expected A, found B"),
        ({"line": 3}, "line 3: expected A, found B"),
        (
            {"file": "f", "line": 3, "record": "r", "field": "text", "advice": "do C"},
            'f:3: record "r": text: expected A, found B; do C',
        ),
    ],
)
def test_a_fault_names_what_is_known_of_its_place(place: dict[str, object], words: str) -> None:
    assert str(Fault(expected="A", found="B", **place)) == words  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "status"),
    [(StanceError, 2), (UsageError, 2), (SchemaError, 2), (ModelError, 3)],
)
def test_exit_statuses(kind: type[StanceError], status: int) -> None:
    assert kind("x").exit_status == status


def test_a_data_error_keeps_all_faults_and_shows_the_first() -> None:
    faults = [Fault(expected="A", found=str(number)) for number in range(25)]
    error = DataError(faults, advice="mend them")
    lines = str(error).splitlines()
    assert error.exit_status == 1
    assert list(error.faults) == faults
    assert lines[:20] == [str(fault) for fault in faults[:20]]
    assert lines[20:] == ["... and 5 more faults", "mend them"]


def test_a_missing_extra_is_named_with_its_command() -> None:
    words = str(MissingExtraError("Training", "train", "torch"))
    assert "torch is not installed" in words
    assert 'pip install ".[train]"' in words


def test_found_values_are_shortened() -> None:
    assert shorten("abc") == "'abc'"
    assert len(shorten("x" * 1_000)) == 60
    assert listing(["a", "b"]) == "a, b"
    assert listing("abc", limit=2) == "a, b and 1 more"
