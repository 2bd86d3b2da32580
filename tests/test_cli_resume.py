"""`stance predict --out`, stopped and gone on with: what is kept, and every sentence about it."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_support import FakeClassifier, Result, run, use_fake

from stance.cli.main import INTERRUPTED
from stance.predictions import Prediction
from stance.records import Article
from stance.writers import WRITE_ENDINGS

ROOT = Path(__file__).parent.parent
# More than two times as many as are predicted together, and every seventh with a fault.
ITEMS = [
    {"id": f"n{n}", "text" if n % 7 else "txt": f"bad rivers {n}", "source": f"s{n}"}
    for n in range(150)
]


@pytest.fixture
def articles(tmp_path: Path) -> Path:
    path = tmp_path / "in.jsonl"
    path.write_text("".join(json.dumps(item) + "\n" for item in ITEMS), encoding="utf-8")
    return path


class Stops(FakeClassifier):
    """Fails at its nth article."""

    def __init__(self, after: int, error: BaseException) -> None:
        super().__init__(ahead=1)
        self.after, self.error = after, error

    def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
        for prediction in super().predict_many(articles):
            if self.read > self.after:
                raise self.error
            yield prediction


@pytest.fixture
def predict(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], articles: Path
) -> Callable[..., Result]:
    """Runs `stance predict`; `stop` articles are read before a Ctrl-C if it is given."""

    def call(
        out: Path,
        *options: str,
        stop: int | None = None,
        error: BaseException | None = None,
        source: str | None = None,
        stdin: bytes | None = None,
    ) -> Result:
        fake = FakeClassifier()
        if stop is not None:
            fake = Stops(stop, error or KeyboardInterrupt())
        use_fake(monkeypatch, fake)
        arguments = ("predict", source or str(articles), "--out", str(out), *options)
        return run(capsys, *arguments, stdin=stdin)

    return call


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} - {"in.jsonl"}


Predict = Callable[..., Any]


@pytest.mark.parametrize("ending", WRITE_ENDINGS)
@pytest.mark.parametrize("options", [(), ("--keep", "--full", "--precision", "0.9")])
def test_a_run_stopped_twice_ends_in_the_bytes_of_one_that_was_not(
    predict: Predict, tmp_path: Path, ending: str, options: tuple[str, ...]
) -> None:
    whole, out = tmp_path / f"whole{ending}", tmp_path / f"out{ending}"
    assert predict(whole, *options).status == 1
    first = predict(out, *options, stop=70)
    assert first.status == INTERRUPTED
    assert first.err == (
        f"stance: interrupted; 82 answers are kept in {out}.part, "
        "and the same command with --resume goes on from there\n"
    )
    assert not out.exists()
    second = predict(out, *options, "--resume", stop=20)
    assert second.status == INTERRUPTED
    assert f"{out}: going on after the answers that are kept (82)" in second.err
    last = predict(out, *options, "--resume")
    assert last.status == 1
    assert "150 articles, 22 with faults" in last.err
    assert "22 of 150 inputs could not be read" in last.err
    assert names(tmp_path) == {whole.name, out.name}
    assert out.read_bytes() == whole.read_bytes()


def test_faults_before_the_stop_count_in_the_exit_status(predict: Predict, tmp_path: Path) -> None:
    source = tmp_path / "two.jsonl"
    source.write_text('{"txt": "?"}\n{"text": "a"}\n{"text": "b"}\n', encoding="utf-8")
    out = tmp_path / "out.jsonl"
    predict(out, source=str(source), stop=1)
    assert predict(out, "--resume", source=str(source)).status == 1


def test_resuming_what_was_never_begun_begins_it(predict: Predict, tmp_path: Path) -> None:
    assert predict(tmp_path / "whole.jsonl").status == 1
    result = predict(tmp_path / "out.jsonl", "--resume")
    assert result.status == 1
    assert "going on" not in result.err
    assert (tmp_path / "out.jsonl").read_bytes() == (tmp_path / "whole.jsonl").read_bytes()


def test_what_is_complete_is_not_touched(predict: Predict, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_bytes(b"old")
    before = out.stat()
    result = predict(out, "--resume", stop=0)
    assert result.status == 0
    assert result.err == f"{out}: is complete, and there is nothing to go on with\n"
    assert out.stat().st_mtime_ns == before.st_mtime_ns
    assert names(tmp_path) == {"out.csv"}


def test_a_journal_is_named_with_both_ways_out(predict: Predict, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    predict(out, stop=70)
    before = Path(f"{out}.part").read_bytes()
    result = predict(out)
    assert result.status == 2
    assert result.err == (
        f"stance: {out}.part: holds the answers of a run that did not end; "
        f"go on with it by --resume, or delete {out}.part to begin anew\n"
    )
    assert Path(f"{out}.part").read_bytes() == before
    Path(f"{out}.part").unlink()
    assert predict(out).status == 1
    assert names(tmp_path) == {"out.jsonl"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--keep",), "begun with --keep and this is without --keep"),
        (("--full",), "begun with --full and this is without --full"),
        (("--precision", "0.9"), "begun with --precision 0.9 and this is without --precision"),
        (("a text",), "input 2 was the text with SHA-256"),
    ],
)
def test_another_command_is_refused(
    predict: Predict, tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    out = tmp_path / "out.jsonl"
    predict(out, *options, stop=70)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    result = predict(out, "--resume")
    assert result.status == 2
    assert words in result.err
    assert "goes on" not in result.err
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_threads_may_be_others(predict: Predict, tmp_path: Path) -> None:
    predict(tmp_path / "out.jsonl", stop=70)
    assert predict(tmp_path / "out.jsonl", "--resume", "--threads", "1").status == 1


def test_another_model_is_refused(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out.jsonl"
    predict(out, stop=70)
    monkeypatch.setattr(FakeClassifier, "digest", "e" * 64)
    result = predict(out, "--resume")
    assert result.status == 2
    assert "begun with the model ffffffffffff and this is eeeeeeeeeeee" in result.err


def test_a_changed_input_is_refused(predict: Predict, tmp_path: Path, articles: Path) -> None:
    out = tmp_path / "out.jsonl"
    predict(out, stop=70)
    with articles.open("a", encoding="utf-8") as stream:
        stream.write('{"text": "more"}\n')
    result = predict(out, "--resume")
    assert result.status == 2
    assert f"since {articles} was changed in the meantime" in result.err


def test_a_folder_is_known_again_by_its_files(predict: Predict, tmp_path: Path) -> None:
    folder = tmp_path / "news"
    folder.mkdir()
    for name in "abc":
        (folder / f"{name}.txt").write_text(f"rivers {name}", encoding="utf-8")
    (folder / "gone.txt").symlink_to(tmp_path / "nowhere")
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    predict(whole, source=str(folder))
    predict(out, source=str(folder), stop=2)
    assert predict(out, "--resume", source=str(folder)).status == 1
    assert out.read_bytes() == whole.read_bytes()
    predict(tmp_path / "other.jsonl", source=str(folder), stop=2)
    (folder / "aa.txt").write_text("rivers", encoding="utf-8")
    result = predict(tmp_path / "other.jsonl", "--resume", source=str(folder))
    assert "input 2 was" in result.err


def test_a_path_that_is_no_text_is_known_again(predict: Predict, tmp_path: Path) -> None:
    folder = tmp_path / "news"
    folder.mkdir()
    lines = '{"id": "a", "text": "rivers"}\n{"id": "b", "text": "rivers"}\n'
    try:
        (folder / os.fsdecode(b"caf\xe9.jsonl")).write_text(lines, encoding="utf-8")
    except OSError:
        pytest.skip("the file system takes no such name")
    out = tmp_path / "out.jsonl"
    assert predict(out, source=str(folder), stop=1).status == INTERRUPTED
    assert predict(out, "--resume", source=str(folder)).status == 0


def test_standard_input_is_kept_and_cannot_be_resumed(predict: Predict, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    lines = b'{"id": "a", "text": "rivers"}\n' * 5
    result = predict(out, source="-", stdin=lines, stop=3)
    assert result.status == INTERRUPTED
    assert result.err == f"stance: interrupted; 3 answers are kept in {out}.part\n"
    result = predict(out, "--resume", source="-", stdin=lines)
    assert result.status == 2
    assert "standard input cannot be read again" in result.err


def test_there_is_nothing_to_resume_without_a_file(
    predict: Predict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "predict", "rivers", "--resume")
    assert (result.status, "expected --out FILE" in result.err) == (2, True)
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        result = predict(pipe, "--resume", stop=5)
    finally:
        os.close(reader)
    assert (result.status, "is a device or a pipe" in result.err) == (2, True)


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_an_empty_input_gives_an_empty_output(
    predict: Predict, tmp_path: Path, ending: str
) -> None:
    (tmp_path / "none.jsonl").touch()
    out = tmp_path / f"out.{ending}"
    assert predict(out, source=str(tmp_path / "none.jsonl")).status == 0
    assert names(tmp_path) == {"none.jsonl", out.name}


def test_an_error_before_the_first_answer_leaves_nothing(predict: Predict, tmp_path: Path) -> None:
    result = predict(tmp_path / "out.csv", source="rivers", stop=0)
    assert (result.status, result.err) == (INTERRUPTED, "")
    assert names(tmp_path) == set()


def test_a_bug_says_what_is_kept_too(predict: Predict, tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError) as caught:
        predict(tmp_path / "out.csv", stop=70, error=ZeroDivisionError())
    assert "82 answers are kept" in caught.value.__notes__[0]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_takes_no_file_is_one_sentence(
    predict: Predict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    usual = Path.open

    def refuse(path: Path, mode: str = "r", *rest: Any, **named: Any) -> Any:
        if path.name.startswith("out.csv"):
            raise OSError(number, os.strerror(number), str(path))
        return usual(path, mode, *rest, **named)

    monkeypatch.setattr(Path, "open", refuse)
    result = predict(tmp_path / "out.csv")
    assert result.status == 2
    assert result.err == (
        f"stance: {tmp_path / 'out.csv.part'}: cannot be written: {os.strerror(number)}\n"
    )
    assert names(tmp_path) == set()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_whose_reader_went_away_is_one_sentence(
    tmp_path: Path,
    articles: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    class Leaves(FakeClassifier):
        def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
            if self.read == 0:
                os.close(reader)
            return super().predict_many(articles)

    use_fake(monkeypatch, Leaves())
    result = run(capsys, "predict", str(articles), "--out", str(pipe))
    assert result.status == 2
    assert result.err == f"stance: {pipe}: cannot be written: Broken pipe\n"
    assert names(tmp_path) == {"pipe.jsonl"}


# In a process of its own

FAKE = (
    "import sys; sys.path.insert(0, 'tests');"
    "import cli_support as c; from stance.cli import predict, main;"
    "from stance import batching; batching.CHUNK_ARTICLES = 64;"
    "predict.load_classifier = lambda *a, **k: {fake};"
    "{first}"
    "sys.exit(main.main())"
)


def start(*arguments: str, fake: str = "c.FakeClassifier()", first: str = "") -> Any:
    code = FAKE.format(fake=fake, first=first)
    return subprocess.Popen(
        [sys.executable, "-c", code, "predict", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=ROOT,
    )


# Says so when it comes to the second part of its articles, and waits there.
WAITS = (
    "type('Waits', (c.FakeClassifier,), {'predict_many': lambda self, articles: "
    "(print('ready', flush=True), sys.stdin.read()) if self.read "
    "else c.FakeClassifier.predict_many(self, articles)})()"
)


def test_a_second_process_is_refused_while_the_first_lives(
    predict: Predict, tmp_path: Path, articles: Path
) -> None:
    whole, out = tmp_path / "whole.jsonl", tmp_path / "out.jsonl"
    predict(whole)
    with start(str(articles), "--out", str(out), fake=WAITS) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            before = Path(f"{out}.part").read_bytes()
            assert before.count(b"\n") == 64
            for options in ((), ("--resume",)):
                result = predict(out, *options)
                assert result.status == 2
                assert result.err == (
                    f"stance: {out}.part: another process is writing it; "
                    "wait until it is done, or write to another file\n"
                )
            assert Path(f"{out}.part").read_bytes() == before
        finally:
            process.kill()
    # The lock died with its process.
    assert predict(out, "--resume").status == 1
    assert out.read_bytes() == whole.read_bytes()


def test_control_c_is_one_sentence(predict: Predict, tmp_path: Path, articles: Path) -> None:
    out = tmp_path / "out.csv"
    # What runs in the background of a shell may have been told to ignore it, and so its children.
    heeds = "import signal as s; s.signal(s.SIGINT, s.default_int_handler);"
    with start(str(articles), "--out", str(out), fake=WAITS, first=heeds) as process:
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().decode() == (
            f"stance: interrupted; 64 answers are kept in {out}.part, "
            "and the same command with --resume goes on from there\n"
        )
    assert process.returncode == INTERRUPTED
    assert predict(out, "--resume").status == 1


@pytest.mark.parametrize("ending", ["jsonl", "csv"])
def test_a_disk_that_fills_up_costs_no_answer(
    predict: Predict, tmp_path: Path, articles: Path, ending: str
) -> None:
    pytest.importorskip("resource")
    whole, out = tmp_path / f"whole.{ending}", tmp_path / f"out.{ending}"
    predict(whole)
    # The system itself refuses to let a file grow beyond this, in the middle of a line.
    limit = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (20_000, r.RLIM_INFINITY));"
    with start(str(articles), "--out", str(out), first=limit) as process:
        _, err = process.communicate()
    assert process.returncode == 2
    part = Path(f"{out}.part").read_bytes()
    assert len(part) == 20_000
    kept = part.count(b"\n")
    assert err.decode() == (
        f"stance: {out}.part: cannot be written: File too large; {kept} answers are kept in "
        f"{out}.part, and the same command with --resume goes on from there\n"
    )
    assert predict(out, "--resume").status == 1
    assert out.read_bytes() == whole.read_bytes()
    assert names(tmp_path) == {whole.name, out.name}
