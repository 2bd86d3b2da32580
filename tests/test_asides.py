"""What is written aside: a killed process leaves the old or the new, and the next one tidies up."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from crash_support import at_every_step

from stance import asides
from stance.asides import aside, is_aside
from stance.files import replacing, replacing_folder

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
LEFT = ".out.0123abcd.part"


def leave(path: Path, *, folder: bool) -> Path:
    if folder:
        path.mkdir()
        (path / "x").write_text("x", encoding="utf-8")
    else:
        path.write_text("x", encoding="utf-8")
    return path


def hidden(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("."))


@pytest.mark.parametrize("folder", [False, True])
@pytest.mark.parametrize("left_folder", [False, True])
def test_what_a_killed_process_left_is_removed(
    tmp_path: Path, folder: bool, left_folder: bool
) -> None:
    leave(tmp_path / LEFT, folder=left_folder)
    with aside(tmp_path / "out", folder=folder) as made:
        assert hidden(tmp_path) == [made.name]
        assert made.is_dir() == folder
    assert hidden(tmp_path) == []


@pytest.mark.parametrize("folder", [False, True])
def test_what_a_living_process_writes_is_left_alone(tmp_path: Path, folder: bool) -> None:
    with aside(tmp_path / "out", folder=folder) as first:
        with aside(tmp_path / "out", folder=folder) as second:
            assert hidden(tmp_path) == sorted([first.name, second.name])
        assert hidden(tmp_path) == [first.name]
    code = (
        "import sys; from pathlib import Path; from stance.asides import aside\n"
        f"with aside(Path(sys.argv[1]), folder={folder}) as made:\n"
        "    print(made.name, flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "out")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parent.parent,
    ) as other:
        assert other.stdout is not None
        name = other.stdout.readline().strip()
        with aside(tmp_path / "out", folder=folder) as made:
            assert hidden(tmp_path) == sorted([name, made.name])
        other.kill()
    assert hidden(tmp_path) == [name]
    with aside(tmp_path / "out", folder=folder):
        pass
    assert hidden(tmp_path) == []


@pytest.mark.parametrize(
    "name",
    [
        ".out.part",
        ".out.0123abc.part",
        ".out.0123abcg.part",
        ".out.0123abcd.party",
        ".other.0123abcd.part",
        "out.0123abcd.part",
        ".Xout.0123abcd.part",
        ".out.part.0123abcd.txt",
    ],
)
def test_nothing_else_is_removed(tmp_path: Path, name: str) -> None:
    leave(tmp_path / name, folder=False)
    with aside(tmp_path / "out") as made:
        assert {path.name for path in tmp_path.iterdir()} == {name, made.name}
        assert not is_aside(tmp_path / name, tmp_path / "out")


def test_a_name_with_signs_of_a_pattern_is_a_name(tmp_path: Path) -> None:
    leave(tmp_path / ".oxt.0123abcd.part", folder=False)
    leave(tmp_path / ".o.t.0123abcd.part", folder=False)
    with aside(tmp_path / "o.t"):
        pass
    assert hidden(tmp_path) == [".oxt.0123abcd.part"]


def test_an_old_folder_is_removed_once_a_new_one_is_there(tmp_path: Path) -> None:
    old = leave(tmp_path / ".out.0123abcd.old", folder=True)
    with aside(tmp_path / "out", folder=True):
        assert old.exists()
    (tmp_path / "out").mkdir()
    with aside(tmp_path / "out", folder=True):
        assert not old.exists()


def test_what_is_taken_away_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold = asides._hold
    taken = []

    def taking(made: Path) -> int | None:
        if len(taken) < 2:
            taken.append(made)
            made.unlink()
            if len(taken) == 2:
                raise BlockingIOError
        return hold(made)

    monkeypatch.setattr(asides, "_hold", taking)
    with aside(tmp_path / "out") as made:
        assert made.exists()
    assert len(taken) == 2
    assert made not in taken


def test_where_there_are_no_locks_nothing_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(asides, "lock", lambda _: False)
    leave(tmp_path / LEFT, folder=False)
    with replacing(tmp_path / "out") as stream:
        stream.write("new")
    assert hidden(tmp_path) == [LEFT]
    assert (tmp_path / "out").read_text(encoding="utf-8") == "new"


# A kill at every step


@pytest.fixture
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    # A killed process loses nothing that the system has, on the disk or not.
    monkeypatch.setattr("os.fsync", lambda _: None)


@needs_fork
@pytest.mark.usefixtures("_no_waiting")
def test_a_file_is_old_or_new_whatever_step_a_process_dies_at(tmp_path: Path) -> None:
    target = tmp_path / "out"
    target.write_bytes(b"old")
    seen = []

    def act() -> None:
        with replacing(target, "wb") as stream:
            stream.write(b"new")
            stream.flush()
            stream.write(b"er")

    def check() -> None:
        seen.append(target.read_bytes())
        assert len(hidden(tmp_path)) <= 1
        target.write_bytes(b"old")

    at_every_step(act, check)
    assert set(seen) == {b"old", b"newer"}
    assert target.read_bytes() == b"newer"
    assert hidden(tmp_path) == []


def fill(folder: Path, word: str) -> None:
    for name in ("manifest.json", "a", "b"):
        (folder / name).write_text(word, encoding="utf-8")


def words(folder: Path) -> list[str]:
    return [path.read_text(encoding="utf-8") for path in sorted(folder.iterdir())]


@needs_fork
@pytest.mark.usefixtures("_no_waiting")
@pytest.mark.parametrize("exchange", [True, False])
def test_a_folder_is_old_or_new_whatever_step_a_process_dies_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, exchange: bool
) -> None:
    target = tmp_path / "out"
    seen = []
    if not exchange:
        monkeypatch.setattr(asides, "_exchange", lambda *_: False)

    def act() -> None:
        with replacing_folder(target) as folder:
            fill(folder, "new")

    def begin() -> None:
        with replacing_folder(target) as folder:
            fill(folder, "old")

    def check() -> None:
        if target.exists():
            seen.append(words(target))
        else:
            # Where two names cannot be exchanged there is one moment between two steps; both
            # folders are there then, whole, under their hidden names.
            assert not exchange
            seen.extend(words(tmp_path / name) for name in hidden(tmp_path))
            begin()
        begin()
        assert hidden(tmp_path) == []

    begin()
    at_every_step(act, check)
    assert sorted({tuple(item) for item in seen}) == [("new",) * 3, ("old",) * 3]
    assert words(target) == ["new"] * 3
    assert hidden(tmp_path) == []
