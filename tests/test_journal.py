"""The journal of answers: what any cut leaves, who may write it, and what it says of itself."""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from crash_support import at_every_step
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_text, predictions, schemas

from stance import journal
from stance.errors import StanceError, UsageError
from stance.journal import Input, Journal, Run, is_complete, open_journal, takes_journal
from stance.predictions import FaultyInput
from stance.schema import Schema, Stance, Topic
from stance.writers import WRITE_ENDINGS, open_writer

SCHEMA = Schema(
    topics=(Topic(name="rivers"),), stances=(Stance(name="negative"), Stance(name="positive"))
)
RUN = Run(
    model="a" * 64,
    options={"keep": False, "full": False, "precision": None},
    inputs=(
        Input(kind="file", name="a.jsonl", size=10, modified=20),
        Input(kind="text", name="b" * 64),
    ),
)
ROWS = [
    {"id": "a", "topics": [], "scores": {"rivers": 0.1}},
    {"id": None, "line": 2, "error": "expected text,\n found '\u2028\x85'"},
    {"id": "=b", "topics": [], "scores": {"rivers": 1.0}, "below": [], "n": [{"ж": 0.1 + 0.2}]},
    {"id": "c", "topics": [], "scores": {"rivers": 1e-7}},
]


@contextmanager
def begun(path: Path, run: Run = RUN, *, resume: bool = False) -> Iterator[Journal]:
    with open_journal(path, resume=resume) as made:
        made.begin(run)
        yield made


def stop_after(path: Path, rows: list[dict[str, Any]], run: Run = RUN) -> None:
    """Leave what a process leaves that was killed behind these answers."""
    with begun(path, run) as made:
        for row in rows:
            made.write(row)


def go_on(path: Path, rows: list[dict[str, Any]], schema: Schema = SCHEMA) -> int:
    """Resume and complete; gives how many answers were there."""
    with begun(path, resume=True) as made:
        kept = made.kept
        for row in rows[kept:]:
            made.write(row)
        made.complete(schema=schema)
    return kept


def content(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def part_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part")


def note_of(path: Path) -> Path:
    return path.with_name(f"{path.name}.part.json")


# Any cut


FAULTS = st.builds(
    FaultyInput, id=st.none() | any_text, line=st.none() | st.integers(1, 99), error=any_text
).map(FaultyInput.to_dict)
TAILS = st.sampled_from([b"", b"\0" * 9, b"\n", b'{"id": "x', b"[1]\n", b"\xff\n{}\n"])


def whole_bytes(ending: str, rows: list[dict[str, Any]], schema: Schema) -> bytes:
    """What a run writes that is not stopped and knows of no journal."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"whole{ending}")
        with open_writer(path, schema=schema) as writer:
            for row in rows:
                writer.write(row)
        return path.read_bytes()


@given(data=st.data())
@pytest.mark.parametrize("ending", WRITE_ENDINGS)
def test_any_cut_of_the_journal_ends_in_the_bytes_of_a_run_that_was_not_stopped(
    ending: str, data: st.DataObject
) -> None:
    expected = whole_bytes(ending, ROWS, SCHEMA)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"out{ending}")
        stop_after(path, ROWS)
        written = part_of(path).read_bytes()
        left = written[: data.draw(st.integers(0, len(written)))]
        kept = left.count(b"\n")
        if not left or left.endswith(b"\n"):
            # Where a whole line ends, so that it does not make a whole line of half a one.
            left += data.draw(TAILS)
        part_of(path).write_bytes(left)
        assert go_on(path, ROWS) == kept
        assert content(Path(folder)) == {path.name: expected}


@given(data=st.data())
def test_whatever_is_answered_comes_through_the_journal(data: st.DataObject) -> None:
    schema = data.draw(schemas())
    found = predictions(schema).map(lambda made: made.to_dict(full=True))
    rows = data.draw(st.lists(found | FAULTS, max_size=4))
    ending = data.draw(st.sampled_from(WRITE_ENDINGS))
    stop = data.draw(st.integers(0, len(rows)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"out{ending}")
        stop_after(path, rows[:stop])
        assert go_on(path, rows, schema) == stop
        assert content(Path(folder)) == {path.name: whole_bytes(ending, rows, schema)}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork")
@pytest.mark.parametrize("ending", [".jsonl", ".csv"])
def test_whatever_step_a_process_dies_at_the_next_one_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    path = tmp_path / f"out{ending}"
    rows = ROWS[:2]
    lines, output = whole_bytes(".jsonl", rows, SCHEMA), whole_bytes(ending, rows, SCHEMA)
    monkeypatch.setattr("os.fsync", lambda _: None)
    seen: set[tuple[int, bool]] = set()

    def act() -> None:
        if not is_complete(path):
            go_on(path, rows)

    def check() -> None:
        left = part_of(path).read_bytes() if part_of(path).exists() else b""
        assert lines.startswith(left)
        if path.exists():
            assert path.read_bytes() == output
        seen.add((left.count(b"\n"), path.exists()))
        act()
        assert content(tmp_path) == {path.name: output}
        path.unlink()

    at_every_step(act, check)
    assert content(tmp_path) == {path.name: output}
    # A renamed journal is never there beside the output.
    both = {(len(rows), True)} if ending == ".csv" else set()
    assert seen == {(0, True), *((count, False) for count in range(len(rows) + 1))} | both


def test_a_line_that_is_no_json_is_cut_off_with_all_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    stop_after(path, ROWS)
    lines = part_of(path).read_bytes().splitlines(keepends=True)
    part_of(path).write_bytes(b"".join([*lines[:2], b"{half\n", *lines[3:]]))
    assert go_on(path, ROWS) == 2
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == ROWS


def test_faults_among_the_kept_answers_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    fault = FaultyInput(id=None, line=3, error="?").to_dict()
    stop_after(path, [ROWS[0], fault, ROWS[2], fault])
    with begun(path, resume=True) as made:
        assert (made.kept, made.faults) == (4, 2)
        made.write(fault)
        assert (made.kept, made.faults) == (5, 3)


# What is there meanwhile


def test_every_answer_is_in_the_file_before_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    with begun(path) as made:
        for number, row in enumerate(ROWS, start=1):
            made.write(row)
            lines = part_of(path).read_bytes().splitlines()
            assert [json.loads(line) for line in lines] == ROWS[:number]
        assert not path.exists()


def test_an_old_output_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    for path in (tmp_path / "out.jsonl", tmp_path / "out.csv"):
        path.write_bytes(b"old")
        path.chmod(0o640)
        with begun(path) as made:
            made.write(ROWS[0])
            assert path.read_bytes() == b"old"
            made.complete(schema=SCHEMA)
        assert path.read_bytes() != b"old"
        assert path.stat().st_mode & 0o777 == 0o640
    assert set(content(tmp_path)) == {"out.jsonl", "out.csv"}


def test_the_journal_of_a_link_lies_beside_the_file_that_it_names(tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "out.jsonl").symlink_to(tmp_path / "far" / "real.jsonl")
    with begun(tmp_path / "out.jsonl") as made:
        made.write(ROWS[0])
        assert set(content(tmp_path / "far")) == {"real.jsonl.part", "real.jsonl.part.json"}
        made.complete(schema=SCHEMA)
    assert (tmp_path / "out.jsonl").is_symlink()
    assert set(content(tmp_path / "far")) == {"real.jsonl"}


def test_the_disk_is_waited_for_now_and_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, synced = [0.0], []
    monkeypatch.setattr("stance.journal.time.monotonic", lambda: clock[0])
    monkeypatch.setattr("stance.journal.os.fsync", synced.append)
    with begun(tmp_path / "out.jsonl") as made:
        synced.clear()
        for seconds, times in ((0.0, 0), (4.9, 0), (5.0, 1), (5.1, 1), (9.9, 1), (10.0, 2)):
            clock[0] = seconds
            made.write(ROWS[0])
            assert len(synced) == times


# Who may write it


def test_a_journal_is_not_begun_anew_unasked(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    stop_after(path, ROWS)
    before = content(tmp_path)
    with (
        pytest.raises(UsageError, match=r"by --resume, or delete .*out\.jsonl\.part to begin anew"),
        begun(path),
    ):
        pass
    assert content(tmp_path) == before


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("left", ["nothing", "half a line"])
def test_a_journal_without_an_answer_counts_as_none(
    tmp_path: Path, resume: bool, left: str
) -> None:
    path = tmp_path / "out.jsonl"
    if left == "nothing":
        part_of(path).touch()
    else:
        stop_after(path, ROWS[:1], replace(RUN, model="other"))
        part_of(path).write_bytes(part_of(path).read_bytes()[:-1])
    with begun(path, resume=resume) as made:
        assert made.kept == 0
        made.write(ROWS[1])
        made.complete(schema=SCHEMA)
    assert [json.loads(line) for line in path.read_bytes().splitlines()] == ROWS[1:2]


@pytest.mark.parametrize("about", [None, b"", b"[]", b"{", b"\xff", b"[" * 100_000])
def test_a_journal_of_which_nothing_is_known_is_not_touched(
    tmp_path: Path, about: bytes | None
) -> None:
    path = tmp_path / "out.jsonl"
    part_of(path).write_bytes(b"somebody's download")
    if about is not None:
        note_of(path).write_bytes(about)
    before = content(tmp_path)
    for resume in (False, True):
        with (
            pytest.raises(UsageError, match=r"cannot be read .*; delete .*out\.jsonl\.part"),
            begun(path, resume=resume),
        ):
            pass
    assert content(tmp_path) == before


@pytest.mark.parametrize("resume", [False, True])
def test_one_journal_has_one_writer(tmp_path: Path, resume: bool) -> None:
    path = tmp_path / "out.jsonl"
    with begun(path) as made:
        made.write(ROWS[0])
        before = content(tmp_path)
        with pytest.raises(UsageError, match="another process is writing it"):
            open_journal(path, resume=resume).__enter__()
        assert content(tmp_path) == before
        for row in ROWS[1:]:
            made.write(row)
        made.complete(schema=SCHEMA)
    assert len(path.read_bytes().splitlines()) == len(ROWS)


@pytest.mark.parametrize("end", ["renamed", "removed"])
def test_a_journal_that_became_the_output_meanwhile_is_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    path = tmp_path / "out.jsonl"
    stop_after(path, ROWS)
    lock = journal.lock

    def slow(handle: int) -> bool:
        # The other process ends between our opening and our locking.
        monkeypatch.setattr(journal, "lock", lock)
        if end == "renamed":
            os.replace(part_of(path), path)
        else:
            part_of(path).unlink()
            path.write_bytes(b"whole")
        note_of(path).unlink()
        return lock(handle)

    monkeypatch.setattr(journal, "lock", slow)
    with begun(path, resume=True) as made:
        before = path.read_bytes()
        made.write(ROWS[0])
        assert path.read_bytes() == before
        assert part_of(path).read_bytes().count(b"\n") == 1


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_costs_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("stance.locks.fcntl.flock", refuse)
    stop_after(tmp_path / "out.jsonl", ROWS)
    assert go_on(tmp_path / "out.jsonl", ROWS) == len(ROWS)


# Which run it is of


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"model": "c" * 64}, "begun with the model aaaaaaaaaaaa and this is cccccccccccc"),
        (
            {"options": {**RUN.options, "keep": True}},
            "begun without --keep and this is with --keep;",
        ),
        (
            {"options": {**RUN.options, "precision": 0.9}},
            r"without --precision and this is with --precision 0\.9",
        ),
        (
            {"inputs": (replace(RUN.inputs[0], size=11), RUN.inputs[1])},
            r"since a\.jsonl was changed in the meantime",
        ),
        (
            {"inputs": (replace(RUN.inputs[0], modified=21), RUN.inputs[1])},
            r"since a\.jsonl was changed in the meantime",
        ),
        (
            {"inputs": (replace(RUN.inputs[0], name="b.jsonl"), RUN.inputs[1])},
            r"input 1 was a\.jsonl and is now b\.jsonl",
        ),
        (
            {"inputs": RUN.inputs[:1]},
            "input 2 was the text with SHA-256 bbbbbbbbbbbb and is now none",
        ),
        (
            {"inputs": (*RUN.inputs, Input(kind="stdin", name="-"))},
            "input 3 was none and is now standard input",
        ),
    ],
)
def test_another_run_is_refused_by_what_differs(
    tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    path = tmp_path / "out.jsonl"
    stop_after(path, ROWS)
    before = content(tmp_path)
    with pytest.raises(UsageError, match=words), begun(path, replace(RUN, **change), resume=True):
        pass
    assert content(tmp_path) == before


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("format", 2, "begun with journal format 2 and this is 1"),
        ("stance", "0.0.7", r"begun with stance 0\.0\.7 and this is"),
        ("options", None, "--keep|inputs|input"),
        ("inputs", {"a": 1}, r"input 1 was none and is now a\.jsonl"),
        ("inputs", ["x"], r"input 1 was 'x' and is now a\.jsonl"),
    ],
)
def test_a_journal_of_another_release_is_refused(
    tmp_path: Path, key: str, value: object, words: str
) -> None:
    path = tmp_path / "out.jsonl"
    stop_after(path, ROWS)
    about = {**json.loads(note_of(path).read_bytes()), key: value}
    note_of(path).write_text(json.dumps(about), encoding="utf-8")
    before = content(tmp_path)
    if key == "options":
        changed = replace(RUN, options={**RUN.options, "keep": True})
    else:
        changed = RUN
    with pytest.raises(UsageError, match=words), begun(path, changed, resume=True):
        pass
    assert content(tmp_path) == before


def test_what_is_written_beside_it_says_the_run(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    stop_after(path, ROWS)
    assert json.loads(note_of(path).read_bytes()) == RUN.to_dict()


# How it ends


def test_it_is_complete_when_the_output_is_there_and_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    assert not is_complete(path)
    stop_after(path, ROWS)
    assert not is_complete(path)
    shutil.copy(part_of(path), path)
    assert not is_complete(path)
    part_of(path).unlink()
    assert is_complete(path)
    # What a process left that died behind the renaming is gone as well.
    assert set(content(tmp_path)) == {path.name}


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, StanceError])
def test_an_error_leaves_the_answers_and_says_so(
    tmp_path: Path, error: type[BaseException]
) -> None:
    path = tmp_path / "out.jsonl"

    def stop(run: Run, count: int) -> None:
        with begun(path, run) as made:
            for row in ROWS[:count]:
                made.write(row)
            raise error("midway")

    stdin = replace(RUN, inputs=(Input(kind="stdin", name="-"),))
    for run, count, words in (
        (RUN, 2, f"2 answers are kept in {part_of(path)}, and the same command with --resume"),
        (RUN, 1, f"1 answer is kept in {part_of(path)}, and the same"),
        (stdin, 3, f"3 answers are kept in {part_of(path)}"),
    ):
        with pytest.raises(error, match="midway") as caught:
            stop(run, count)
        (note,) = caught.value.__notes__
        assert note.startswith(words)
        assert ("--resume" in note) == run.resumable
        assert part_of(path).read_bytes().count(b"\n") == count
        part_of(path).unlink()


def test_an_error_before_the_first_answer_leaves_nothing(tmp_path: Path) -> None:
    def stop(*, begin: bool) -> None:
        with open_journal(tmp_path / "out.jsonl") as made:
            if begin:
                made.begin(RUN)
            raise ValueError("early")

    for begin in (False, True):
        with pytest.raises(ValueError, match="early") as caught:
            stop(begin=begin)
        assert not hasattr(caught.value, "__notes__")
        assert content(tmp_path) == {}


def test_an_output_that_fails_leaves_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    stop_after(path, ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stance.files.put_in_place", full)
        with pytest.raises(StanceError, match=r"out\.csv: cannot be written: No space") as caught:
            go_on(path, ROWS)
    assert "4 answers are kept" in caught.value.__notes__[0]
    assert set(content(tmp_path)) == {"out.csv", "out.csv.part", "out.csv.part.json"}
    assert path.read_bytes() == b"old"
    assert go_on(path, ROWS) == len(ROWS)
    assert set(content(tmp_path)) == {"out.csv"}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_takes_no_journal_and_a_folder_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jsonl")
    assert not takes_journal(tmp_path / "pipe.jsonl")
    assert takes_journal(tmp_path / "new.jsonl")
    (tmp_path / "old.jsonl").touch()
    assert takes_journal(tmp_path / "old.jsonl")
    with pytest.raises(UsageError, match="found a folder"):
        takes_journal(tmp_path)
