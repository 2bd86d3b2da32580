from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.errors import StanceError, UsageError
from stance.files import replacing, replacing_folder, sha256_file


def content(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


@given(st.binary(max_size=200))
def test_digest_is_that_of_the_bytes(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "digest.bin"
    path.write_bytes(raw)
    assert sha256_file(path) == hashlib.sha256(raw).hexdigest()


def test_digest_of_a_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(StanceError, match=r"none: cannot read the file: No such file"):
        sha256_file(tmp_path / "none")


def test_a_file_is_written_whole(tmp_path: Path) -> None:
    with replacing(tmp_path / "a.txt") as stream:
        stream.write("é\n")
        assert not (tmp_path / "a.txt").exists()
    with replacing(tmp_path / "b.bin", "wb") as stream:
        stream.write(b"\r\n")
    assert content(tmp_path) == {"a.txt": "é\n".encode(), "b.bin": b"\r\n"}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, StanceError])
def test_an_error_midway_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")

    def stop_midway() -> None:
        with replacing(tmp_path / "a.txt") as stream:
            stream.write("new" * 10_000)
            raise error

    with pytest.raises(error):
        stop_midway()
    assert content(tmp_path) == {"a.txt": b"old"}


def test_a_full_disk_is_worded_and_leaves_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"old")
    with (
        pytest.raises(StanceError, match=r"a\.txt: cannot be written: No space left"),
        replacing(tmp_path / "a.txt"),
    ):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert content(tmp_path) == {"a.txt": b"old"}


@pytest.mark.parametrize(
    "error", [ConnectionResetError(errno.ECONNRESET, "reset"), FileNotFoundError(2, "no", "x.csv")]
)
def test_errors_of_other_files_are_not_blamed_on_ours(tmp_path: Path, error: OSError) -> None:
    with pytest.raises(type(error)), replacing(tmp_path / "a.txt"):
        raise error
    assert content(tmp_path) == {}


def test_a_missing_folder_is_worded(tmp_path: Path) -> None:
    place = tmp_path / "none" / "a.txt"
    with pytest.raises(StanceError, match="cannot be written: No such file"), replacing(place):
        pass


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="expected a file"), replacing(tmp_path):
        pass


def test_mode_and_link_stay(tmp_path: Path) -> None:
    (tmp_path / "real.txt").write_bytes(b"old")
    (tmp_path / "real.txt").chmod(0o640)
    (tmp_path / "link.txt").symlink_to("real.txt")
    with replacing(tmp_path / "link.txt") as stream:
        stream.write("new")
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").read_bytes() == b"new"
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_written_directly(tmp_path: Path) -> None:
    # A pipe of our own stands for every file that nothing can take the place of: were a real
    # device used here, a fault in the code would replace it for the whole machine.
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        with replacing(pipe) as stream:
            stream.write("x")
        assert os.read(reader, 10) == b"x"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.iterdir()) == [pipe]


def test_only_writing_modes_are_taken(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mode"), replacing(tmp_path / "a", "a"):
        pass


def fill(folder: Path) -> None:
    (folder / "manifest.json").write_text("new", encoding="utf-8")
    (folder / "deep").mkdir()
    (folder / "deep" / "x").write_text("y", encoding="utf-8")


FILLED = {"manifest.json": b"new", os.path.join("deep", "x"): b"y"}


@pytest.fixture(params=["exchanged", "renamed twice"])
def _swap(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "renamed twice":
        monkeypatch.setattr("stance.asides._exchange", lambda *_: False)


@pytest.mark.usefixtures("_swap")
@pytest.mark.parametrize("before", ["absent", "empty", "marked"])
def test_a_folder_is_swapped_whole(tmp_path: Path, before: str) -> None:
    target = tmp_path / "made" / "model"
    if before != "absent":
        target.mkdir(parents=True)
    if before == "marked":
        (target / "manifest.json").write_text("old", encoding="utf-8")
        (target / "stale").write_text("old", encoding="utf-8")
    with replacing_folder(target) as folder:
        fill(folder)
        assert not (target / "deep").exists()
    assert content(target) == FILLED
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_an_error_midway_leaves_the_old_folder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    with replacing_folder(target) as folder:
        fill(folder)

    def stop_midway() -> None:
        with replacing_folder(target) as folder:
            (folder / "manifest.json").write_text("newer", encoding="utf-8")
            raise ValueError("midway")

    with pytest.raises(ValueError, match="midway"):
        stop_midway()
    assert content(target) == FILLED
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_failed_swap_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model"
    with replacing_folder(target) as folder:
        fill(folder)
    rename = os.rename

    def broken(old: Path, new: Path) -> None:
        if ".part" in Path(old).name:
            raise PermissionError(errno.EACCES, "denied", str(old))
        rename(old, new)

    monkeypatch.setattr("os.rename", broken)
    monkeypatch.setattr("stance.asides._exchange", lambda *_: False)
    with (
        pytest.raises(StanceError, match="model: cannot be written: denied"),
        replacing_folder(target) as folder,
    ):
        fill(folder)
    assert content(target) == FILLED
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: path.write_text("x"), "expected a folder to write, found a file"),
        (lambda path: (path.mkdir(), (path / "letter.txt").write_text("x")), "other files"),
    ],
)
def test_what_is_no_output_folder_is_not_replaced(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    make(tmp_path / "out")
    before = content(tmp_path)
    with pytest.raises(UsageError, match=words), replacing_folder(tmp_path / "out"):
        pass
    assert content(tmp_path) == before


def test_the_marker_can_be_another_file_or_none(tmp_path: Path) -> None:
    for marker in ("report.json", None):
        (tmp_path / "out").mkdir(exist_ok=True)
        (tmp_path / "out" / "report.json").write_text("old", encoding="utf-8")
        with replacing_folder(tmp_path / "out", marker=marker) as folder:
            fill(folder)
        assert content(tmp_path / "out") == FILLED
