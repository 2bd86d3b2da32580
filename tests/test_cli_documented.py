"""What the documents show exists: every command line parses, every record and import is real."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

import stance
from stance.cli.main import app
from stance.predictions import Prediction

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[|(]\s*|`)(stance [a-z][^`|\n]*)")


def blocks(path: Path, *languages: str) -> Iterator[str]:
    for language, text in BLOCK.findall(path.read_text(encoding="utf-8")):
        if language in languages:
            yield text


def commands() -> list[tuple[str, str]]:
    found = []
    for path in DOCUMENTS:
        for text in blocks(path, "", "sh", "bash", "console"):
            for line in text.replace("\\\n", " ").splitlines():
                found += [(path.name, item) for item in COMMAND.findall(line.lstrip("$ "))]
    return found


@pytest.mark.parametrize(("document", "line"), commands())
def test_every_documented_command_parses(document: str, line: str) -> None:
    command: Any = get_command(app)
    arguments = shlex.split(line, comments=True)[1:]
    arguments = arguments[: next((i for i, a in enumerate(arguments) if a in {">", "<"}), None)]
    while hasattr(command, "get_command"):
        name, *arguments = arguments
        command = command.get_command(None, name)
        assert command is not None, f"{document}: {line}: there is no {name}"
    # Parses and checks the arguments, and runs nothing.
    command.make_context(command.name, arguments)


def test_the_readme_shows_every_verb() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for verb in ("predict", "train", "evaluate", "data check", "data split", "describe", "export"):
        assert f"stance {verb}" in readme


def test_the_record_in_the_readme_is_a_prediction() -> None:
    (record,) = (json.loads(text) for text in blocks(ROOT / "README.md", "json"))
    prediction = Prediction.from_dict(record)
    assert isinstance(prediction, Prediction)
    assert prediction.to_dict() == record
    for finding in prediction.topics:
        assert prediction.scores[finding.topic] == finding.probability
        for item in finding.evidence:
            assert item.end - item.start == len(item.sentence)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_imports_in_documents_are_public(path: Path) -> None:
    for text in blocks(path, "python"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.ImportFrom) and node.module == "stance":
                assert {alias.name for alias in node.names} <= set(stance.__all__)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_documents_and_code_name_no_machine() -> None:
    files = [*DOCUMENTS, ROOT / "Makefile", ROOT / "constraints.txt", ROOT / "pyproject.toml"]
    for path in files:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(?<![\w.$])/(work|root|home|tmp|opt)/", text), path
