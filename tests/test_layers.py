"""Imports run one way: the table below is the order, and the source is read to hold it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# A module may import from rows above its own, and from earlier in its own row.
ORDER = (
    ("stance._version", "stance.errors"),
    ("stance.schema", "stance.sentences", "stance.locks", "stance.asides", "stance.files"),
    ("stance.records", "stance.predictions", "stance.rows"),
    ("stance.tables", "stance.writers", "stance.formats", "stance.journal", "stance.hub"),
    ("stance.dataset", "stance.duplicates", "stance.splits", "stance.statistics"),
    ("stance.encoding", "stance.artifact", "stance.batching"),
    (
        "stance.evaluation.calibration",
        "stance.evaluation.evidence",
        "stance.evaluation.slicing",
        "stance.evaluation.mistakes",
        "stance.evaluation.faults",
        "stance.evaluation.tallies",
        "stance.evaluation.resampling",
        "stance.evaluation.significance",
        "stance.evaluation.counts",
        "stance.evaluation.curves",
        "stance.evaluation.scores",
        "stance.evaluation.scorecard",
        "stance.evaluation.layout",
        "stance.evaluation.figures",
        "stance.evaluation.plots",
        "stance.evaluation.pages",
        "stance.evaluation.report",
        "stance.evaluation.markdown",
        "stance.evaluation.html",
        "stance.evaluation.randomisation",
        "stance.evaluation.comparison",
        "stance.evaluation.comparison_words",
        "stance.evaluation.comparison_html",
        "stance.evaluation.outputs",
        "stance.evaluation.inputs",
        "stance.evaluation",
    ),
    (
        "stance.session",
        "stance.pooling",
        "stance.arrays",
        "stance.wide",
        "stance.decoding",
        "stance.door",
    ),
    (
        "stance.audit.suspects",
        "stance.audit.cues",
        "stance.audit.balance",
        "stance.audit.report",
        "stance.audit.exchange",
        "stance.audit.outputs",
        "stance.audit",
    ),
    ("stance.classifier", "stance.answers", "stance.cluster"),
    ("stance",),
    (
        "stance.cli",
        "stance.cli.display",
        "stance.cli.sources",
        "stance.cli.cluster",
        "stance.cli.options",
        "stance.cli.scoring",
    ),
    ("stance.cli.audit",),
    (
        "stance.cli.predict",
        "stance.cli.train",
        "stance.cli.evaluate",
        "stance.cli.compare",
        "stance.cli.data",
        "stance.cli.describe",
        "stance.cli.export",
    ),
    ("stance.cli.main",),
)
# Who may know a library; a library that is not here may be imported by nobody in stance/.
LIBRARIES = {
    "numpy": ("stance.evaluation", "stance.audit", "stance.encoding", "stance.pooling",
              "stance.decoding", "stance.arrays", "stance.wide", "stance.session",
              "stance.classifier", "stance.cli.evaluate"),
    "openvino": ("stance.session",),
    "tokenizers": ("stance.encoding",),
    "pydantic": ("stance.artifact",),
    "pyarrow": ("stance.tables", "stance.writers"),
    "huggingface_hub": ("stance.artifact",),
    "sentencex": ("stance.sentences",),
    "typer": ("stance.cli",),
    "rich": ("stance.cli",),
    "datasets": ("stance.hub",),
    "datasketch": ("stance.duplicates",),
    "jinja2": ("stance.evaluation.pages",),
    "markupsafe": ("stance.evaluation.pages", "stance.evaluation.figures"),
    "matplotlib": ("stance.evaluation.figures",),
    "ray": ("stance.cluster",),
}  # fmt: skip
# Of the extras: only within a function, which names the extra where it is missing.
OPTIONAL = {"datasets", "datasketch", "jinja2", "markupsafe", "matplotlib", "ray"}
PLACE = {
    name: (row, column) for row, names in enumerate(ORDER) for column, name in enumerate(names)
}


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement: who, what, and whether it is done when the module is loaded."""

    importer: str
    imported: str
    at_load: bool


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted((ROOT / "stance").rglob("*.py"))}


def imports_of(name: str) -> Iterator[Import]:
    """The imports of a module, those for type checkers alone left out."""
    yield from _walk(ast.parse(SOURCES[name].read_text(encoding="utf-8")), name, at_load=True)


def _walk(node: ast.AST, name: str, *, at_load: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test):
            continue
        if isinstance(child, ast.Import):
            for alias in child.names:
                yield Import(name, alias.name, at_load)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{name}: imports are written out in full"
            assert child.module is not None
            for alias in child.names:
                whole = f"{child.module}.{alias.name}"
                yield Import(name, whole if whole in SOURCES else child.module, at_load)
        else:
            inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            yield from _walk(child, name, at_load=at_load and not inside)


def test_every_module_has_its_place_and_every_place_a_module() -> None:
    assert sorted(PLACE) == sorted(SOURCES)


@pytest.mark.parametrize("name", SOURCES)
def test_imports_run_one_way(name: str) -> None:
    wrong = [
        item.imported
        for item in imports_of(name)
        if item.imported in SOURCES
        # The package's own __init__ comes with any module of it; what counts is the module.
        and item.imported != "stance.cli"
        and not PLACE[item.imported] < PLACE[name]
    ]
    assert not wrong, f"{name} imports {wrong}, which stand at or below it"


@pytest.mark.parametrize("name", SOURCES)
def test_only_those_named_know_a_library(name: str) -> None:
    for item in imports_of(name):
        library = item.imported.partition(".")[0]
        if library == "stance" or library in sys.stdlib_module_names:
            continue
        assert library in LIBRARIES, f"{name} imports {library}"
        allowed = LIBRARIES[library]
        assert any(name == place or name.startswith(f"{place}.") for place in allowed), (
            f"{name} imports {library}, which only {allowed} may"
        )
        assert not (library in OPTIONAL and item.at_load), f"{name} loads {library} on import"


def test_verbs_do_not_import_each_other() -> None:
    verbs = set(ORDER[-2])
    for verb in verbs:
        assert not {item.imported for item in imports_of(verb)} & (verbs - {verb})


# `python -m training` is the command line itself under another name.
TRAINING = sorted(set((ROOT / "training").rglob("*.py")) - {ROOT / "training" / "__main__.py"})


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_training_does_not_reach_into_the_command_line(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        assert not any(name.startswith("stance.cli") for name in names)
