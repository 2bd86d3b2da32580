"""Processes killed at moments that nobody chose: nothing is lost, doubled or half."""

from __future__ import annotations

import json
import random
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import tiny

from stance.cli.main import main

ROOT = Path(__file__).parent.parent
# Enough for several groups that are predicted together, and for more than one row group.
TEXTS = 1_100


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def texts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("texts") / "texts.jsonl"
    rows = [
        {"id": record.id, "text" if number % 9 else "txt": record.article.text, "n": number}
        for number, record in enumerate(tiny.records(TEXTS))
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def start(*arguments: str | Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "stance.cli.main", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )


def kill_when(process: subprocess.Popen[bytes], ready: Callable[[], bool]) -> bool:
    """Kill a process as soon as something is so; False if it ended before."""
    while process.poll() is None:
        if ready():
            process.kill()
            break
    return was_killed(process)


def kill_after(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Kill a process after a while; False if it ended before."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
    return was_killed(process)


def was_killed(process: subprocess.Popen[bytes]) -> bool:
    """Wait for a process that was killed, or that ended well."""
    _, err = process.communicate()
    assert process.returncode in {-signal.SIGKILL, 0, 1}, err.decode()
    assert b"Traceback" not in err
    return process.returncode == -signal.SIGKILL


class Prediction:
    """A run of `stance predict` that is killed and resumed until it is done, again and again."""

    def __init__(self, folder: Path, ending: str, model: Path, texts: Path) -> None:
        self.command = ("predict", "--in", texts, "--model", model, "--keep", "--full", "--out")
        self.lines, self.output = (self._whole(folder, item) for item in (".jsonl", ending))
        self.folder, self.out = folder, folder / f"out{ending}"
        self.part = folder / f"out{ending}.part"
        self.phases: Counter[str] = Counter()
        self.done = 0
        self._kept = 0

    def _whole(self, folder: Path, ending: str) -> bytes:
        """What a run writes that nobody kills."""
        path = folder / f"whole{ending}"
        assert main([*map(str, self.command), str(path)]) == 1
        content = path.read_bytes()
        path.unlink()
        return content

    def _size(self) -> int:
        try:
            return self.part.stat().st_size
        except FileNotFoundError:
            return 0

    def _place(self) -> int | None:
        """Tells an output from the one before it."""
        return self.out.stat().st_ino if self.out.exists() else None

    def _aside(self) -> set[Path]:
        return set(self.folder.glob(f".{self.out.name}.*"))

    def kill(self, chance: random.Random) -> None:
        """Start or resume the run, kill it, and look at what is left."""
        resume = ["--resume"] if self._kept or chance.random() < 0.5 else []
        size, place, aside = self._size(), self._place(), self._aside()
        moments = ["written", "there"]
        if size < len(self.lines):
            moments += ["time", "growth", "growth", "growth", "full"]
        process = start(*self.command, self.out, *resume)
        match chance.choice(moments):
            case "time":
                killed = kill_after(process, chance.uniform(0, 2))
            case "growth":
                wanted = chance.randint(size + 1, len(self.lines))
                killed = kill_when(process, lambda: self._size() >= wanted)
            case "full":
                killed = kill_when(process, lambda: self._size() == len(self.lines))
            case "written":
                killed = kill_when(
                    process, lambda: bool(self._aside() - aside) or self._place() != place
                )
            case _:
                killed = kill_when(process, lambda: self._place() != place)
        self._look(killed, new=self._place() != place)

    def finish(self) -> None:
        """Resume the run and let it end."""
        assert not was_killed(start(*self.command, self.out, "--resume"))
        self._look(killed=False, new=True)

    def _look(self, killed: bool, *, new: bool) -> None:
        written = self.part.read_bytes() if self.part.exists() else b""
        # Whole lines in the right order, the last one perhaps cut: nothing is there twice.
        assert self.lines.startswith(written)
        kept = written.count(b"\n")
        if self.out.exists():
            assert self.out.read_bytes() == self.output
        assert new or kept >= self._kept
        self._kept = kept
        if killed:
            self.phases[self._phase(kept, written, new=new)] += 1
        else:
            assert [path.name for path in self.folder.iterdir()] == [self.out.name]
            self.out.unlink()
            self.done += 1

    def _phase(self, kept: int, written: bytes, *, new: bool) -> str:
        if new:
            return "output and journal" if self.part.exists() else "output alone"
        if not kept:
            return "before the first answer"
        if len(written) < len(self.lines):
            return "between answers" if written.endswith(b"\n") else "within an answer"
        return "output half written" if self._aside() else "all answers"


@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".parquet"])
@pytest.mark.parametrize(
    "kills", [2, pytest.param(67, marks=pytest.mark.slow)], ids=["few", "many"]
)
def test_a_killed_prediction_loses_nothing_and_doubles_nothing(
    tmp_path: Path,
    model: Path,
    texts: Path,
    ending: str,
    kills: int,
    record_property: Callable[[str, object], None],
) -> None:
    run = Prediction(tmp_path, ending, model, texts)
    chance = random.Random()
    while run.phases.total() < kills:
        run.kill(chance)
    run.finish()
    record_property("kills", dict(run.phases))
    record_property("runs that ended", run.done)


# Outputs that are written aside


_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


class Outputs:
    """Two commands that write the same folder; one or the other is killed, again and again."""

    def __init__(self, folder: Path, commands: Sequence[Sequence[str | Path]]) -> None:
        self.folder, self.commands = folder, commands
        self.known = [self._end(command) for command in commands]
        self.killed: Counter[str] = Counter()

    def _end(self, command: Sequence[str | Path]) -> dict[str, bytes]:
        assert not was_killed(start(*command))
        assert self._hidden() == set()
        return self.content()

    def content(self) -> dict[str, bytes]:
        """The files, but for the time at which a report was made."""
        return {path.name: _TIME.sub(b"", path.read_bytes()) for path in self.folder.glob("[!.]*")}

    def _hidden(self) -> set[Path]:
        """What is written aside: for the folder's files within it, for itself beside it."""
        return {*self.folder.glob(".*"), *self.folder.parent.glob(f".{self.folder.name}.*")}

    def kill(self, chance: random.Random, *, seconds: float) -> None:
        """Run one of the commands and kill it, more often than not while it writes."""
        process, before = start(*chance.choice(self.commands)), self._hidden()
        if chance.random() < 0.3:
            killed = kill_after(process, chance.uniform(0, seconds))
        else:
            wanted = chance.randint(1, 3)
            seen: set[Path] = set()

            def written() -> bool:
                seen.update(self._hidden() - before)
                return len(seen) >= wanted

            killed = kill_when(process, written)
        left = "something aside" if self._hidden() else "nothing aside"
        self.killed[f"left {left}" if killed else "ended"] += 1

    def finish(self) -> None:
        """Let each command end: what the killed ones left is gone then."""
        for command, known in zip(self.commands, self.known, strict=True):
            assert self._end(command) == known


@pytest.mark.slow
def test_a_killed_evaluation_leaves_each_file_old_or_new(
    tmp_path: Path, model: Path, record_property: Callable[[str, object], None]
) -> None:
    pytest.importorskip("matplotlib")
    data, schema = tmp_path / "data.jsonl", tmp_path / "schema.json"
    schema.write_text(json.dumps(tiny.SCHEMA.to_dict()), encoding="utf-8")
    rows = [record.to_dict() for record in tiny.records(40)]
    data.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    common = ("evaluate", data, "--model", model, "--report", tmp_path / "report", "--resamples")
    run = Outputs(tmp_path / "report", [(*common, "20"), (*common, "30")])
    chance = random.Random()
    while run.killed.total() < 20:
        run.kill(chance, seconds=3)
        found = run.content()
        assert found.keys() == run.known[0].keys()
        for name, text in found.items():
            assert text in [known[name] for known in run.known], name
    run.finish()
    record_property("kills", dict(run.killed))


@pytest.mark.slow
@pytest.mark.training
def test_a_killed_export_leaves_the_old_folder_or_the_new(
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    record_property: Callable[[str, object], None],
) -> None:
    pytest.importorskip("torch")
    model, other = tiny.trained_model(tmp_path_factory), tmp_path / "other"
    shutil.copytree(model, other)
    manifest = json.loads((model / "manifest.json").read_bytes())
    manifest["uncertainty"]["confidence"] = 0.123
    (other / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    out = tmp_path / "onnx"
    run = Outputs(out, [("export", item, "--onnx", out) for item in (model, other)])
    assert run.known[0] != run.known[1]
    chance = random.Random()
    while run.killed.total() < 10:
        run.kill(chance, seconds=10)
        assert run.content() in run.known
    run.finish()
    record_property("kills", dict(run.killed))
