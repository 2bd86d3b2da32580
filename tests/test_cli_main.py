"""The command itself: verbs, help, version, exit statuses, messages."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from cli_support import run

from stance import __version__
from stance.cli import main as main_module
from stance.cli import predict as predict_verb
from stance.cli.main import VERBS
from stance.errors import DataError, Fault, MissingExtraError, ModelError, UsageError

ROOT = Path(__file__).parent.parent


def stance(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stance.cli.main", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        **options,  # type: ignore[call-overload]
    )


def test_version_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "--version")
    assert (result.status, result.out, result.err) == (0, f"stance {__version__}\n", "")


def test_help_names_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "--help")
    assert result.status == 0
    for verb in VERBS:
        assert re.search(rf"│ {verb} ", result.out), verb


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, verb, "--help")
    assert result.status == 0
    assert f"Usage: stance {verb}" in result.out
    assert "--install-completion" not in result.out
    assert "Args:" not in result.out


def test_no_verb_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys).status == 2


def test_a_mistyped_verb_is_answered_with_the_right_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    result = run(capsys, "pridict")
    assert result.status == 2
    assert "Did you mean 'predict'?" in result.err


def test_an_unknown_option_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "predict", "a text", "--no-such-option")
    assert result.status == 2
    assert "--no-such-option" in result.err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UsageError("two words"), 2, "stance: two words\n"),
        (DataError([Fault(expected="a", found="b")]), 1, "stance: expected a, found b\n"),
        (ModelError("damaged"), 3, "stance: damaged\n"),
        (MissingExtraError("x", "train", "torch"), 2, 'needs the extra "train"'),
        (
            PermissionError(13, "Permission denied", "a.txt"),
            1,
            "stance: a.txt: Permission denied\n",
        ),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_are_one_message_and_a_status(
    error: BaseException,
    status: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(predict_verb, "load_classifier", fail)
    result = run(capsys, "predict", "a text")
    assert result.status == status
    assert result.out == ""
    assert words in result.err
    assert "Traceback" not in result.err


def test_a_bug_is_not_hidden(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(predict_verb, "load_classifier", fail)
    with pytest.raises(ZeroDivisionError):
        run(capsys, "predict", "a text")


def test_messages_carry_no_commands_for_the_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UsageError("red \x1b[31m and\tback\nsecond line \u202e")

    monkeypatch.setattr(predict_verb, "load_classifier", fail)
    err = run(capsys, "predict", "a text").err
    assert err == "stance: red \ufffd[31m and\tback\nsecond line \ufffd\n"


def test_a_reader_that_went_away_is_no_error(tmp_path: Path) -> None:
    code = (
        "import sys; sys.path.insert(0, 'tests');"
        "import cli_support as c; from stance.cli import predict, main;"
        "predict.load_classifier = lambda *a, **k: c.FakeClassifier();"
        "sys.exit(main.main())"
    )
    articles = tmp_path / "a.jsonl"
    articles.write_text('{"text": "rivers"}\n' * 5_000, encoding="utf-8")
    for form in ("jsonl", "table"):
        arguments = [sys.executable, "-c", code, "predict", str(articles), "--format", form]
        with subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
        ) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.readline()
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait() == main_module.PIPE_CLOSED


def test_output_is_utf8_on_any_system() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"}
    result = stance("predict", "/ĳ/ŝ", env=environment, encoding="utf-8")
    assert result.returncode == 2
    assert "/ĳ/ŝ: no such file" in result.stderr


def test_a_verb_loads_no_library_of_another() -> None:
    code = (
        "import sys; from stance.cli.main import main\n"
        "main(['predict', '--help'])\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(sorted(loaded & {'numpy', 'openvino', 'pyarrow', 'torch', 'training'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.splitlines()[-1] == "[]"
