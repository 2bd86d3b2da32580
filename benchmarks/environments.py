"""Environments of the tools that stance is measured against: one each, with pinned versions."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stance.errors import StanceError, UsageError
from stance.files import replacing

ROOT = Path(__file__).resolve().parent.parent
PINS = ROOT / "constraints.txt"
STAMP = "made-from.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What is installed together.

    Attributes:
        name: Its folder's name.
        requirements: As pip takes them; versions that they leave open are those of
            `constraints.txt`.
        runtime: Whether it also gets what stance needs to predict.
    """

    name: str
    requirements: tuple[str, ...]
    runtime: bool = False

    def wanted(self) -> tuple[str, ...]:
        """All that is asked of pip."""
        # Its dependencies and not stance itself: the code is always that of this checkout.
        return (*(runtime_requirements() if self.runtime else ()), *self.requirements)

    def stamp(self) -> str:
        """What the environment is made from, as text: another text asks for a new one."""
        lines = [f"Python {sys.version.split()[0]}", *self.wanted(), PINS.read_text("utf-8")]
        return "\n".join(lines)


def runtime_requirements(pyproject: Path = ROOT / "pyproject.toml") -> tuple[str, ...]:
    """What stance needs to predict."""
    with pyproject.open("rb") as stream:
        return tuple(tomllib.load(stream)["project"]["dependencies"])


def python_of(folder: Path) -> Path:
    """The interpreter of an environment."""
    return folder / "bin" / "python"


def is_ready(environment: Environment, folder: Path) -> bool:
    """Whether a folder holds this environment, whole and made from the same requirements."""
    stamp = folder / STAMP
    return (
        python_of(folder).exists()
        and stamp.is_file()
        and stamp.read_text(encoding="utf-8") == environment.stamp()
    )


def ensure(environment: Environment, folders: Path, note: Callable[[str], None]) -> Path:
    """Make an environment unless it is there; its interpreter.

    Args:
        environment: What is wanted.
        folders: Where the environments lie, each in a folder of its name.
        note: Tells a person what takes so long.

    Raises:
        UsageError: If its folder holds something else.
        StanceError: If it cannot be made.
    """
    folder = folders / environment.name
    if is_ready(environment, folder):
        return python_of(folder).absolute()
    if folder.exists():
        if not (folder / "pyvenv.cfg").is_file():
            raise UsageError(
                f"{folder}: expected a virtual environment or nothing, found other files; "
                "name another folder with --envs"
            )
        shutil.rmtree(folder)
    note(f"making the environment {folder}")
    _run([sys.executable, "-m", "venv", str(folder)], environment)
    pip = [str(python_of(folder)), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
    _run([*pip, "--constraint", str(PINS), *environment.wanted()], environment)
    # Written last: a folder without it was not finished.
    with replacing(folder / STAMP) as stream:
        stream.write(environment.stamp())
    return python_of(folder).absolute()


def _run(command: list[str], environment: Environment) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StanceError(
            f"environment {environment.name}: cannot be made: {last_line(done.stderr)}"
        )


def last_line(text: str) -> str:
    """The last line that is not empty, or the last that names an error."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if "error" in line.lower()]
    return (errors or lines or ["no message"])[-1]
