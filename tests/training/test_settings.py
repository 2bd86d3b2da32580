"""Recipes are read whole or refused with the key at fault."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from stance.errors import UsageError
from training.settings import RECIPES, TrainingSettings, load_recipe

pytestmark = pytest.mark.training

NAMES = sorted(path.stem for path in RECIPES.glob("*.toml"))


def recipe(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.toml"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_there_are_recipes() -> None:
    assert {"default", "quick"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_loads_by_name_and_by_path(name: str) -> None:
    assert load_recipe(name) == load_recipe(RECIPES / f"{name}.toml")


def test_the_recipe_named_default_is_the_default() -> None:
    assert load_recipe() == load_recipe("default")


def test_a_file_changes_what_it_names_alone(tmp_path: Path) -> None:
    found = load_recipe(recipe(tmp_path, "epochs = 7\nbase = 'here'\nnegative_share = 0.25\n"))
    expected = {"epochs": 7, "base": "here", "negative_share": 0.25}
    assert found == TrainingSettings(**expected)
    assert found.head_rate == TrainingSettings().head_rate


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("epoch = 7\n", "epoch: Extra inputs"),
        ("epochs = 0\n", "epochs: .*greater than or equal to 1"),
        ("epochs = 1.5\n", "epochs: .*integer"),
        ("encoder_rate = nan\n", "encoder_rate: "),
        ("dropout = 1.0\n", "dropout: .*less than 1"),
        ("kind = 'forest'\n", "kind: .*'lens' or 'baseline'"),
        ("epochs = \n", "expected TOML, found a fault"),
        (b"\xff\xfe\x00", "expected TOML, found a fault"),
    ],
)
def test_a_wrong_recipe_is_refused_by_file_and_key(
    tmp_path: Path, text: str | bytes, words: str
) -> None:
    path = recipe(tmp_path, text)
    with pytest.raises(UsageError, match=rf"mine\.toml: {words}"):
        load_recipe(path)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_recipe(recipe(tmp_path, "epoch = 7\nseed = -1\n"))
    assert len(str(caught.value).splitlines()) == 2


def test_an_unknown_recipe_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(UsageError, match=r"--recipe: expected one of .*default.*, found nothing_"):
        load_recipe("nothing_like_it")


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainingSettings().epochs = 5  # type: ignore[misc]
