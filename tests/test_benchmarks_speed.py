"""What the benchmark of speed makes, counts and reports; the speeds themselves are not tested."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("benchmarks", reason="the benchmarks lie in the checkout alone")

from benchmarks import environments, measuring, speed, speed_report, texts
from benchmarks.environments import Environment
from benchmarks.speed_report import Product, Results, Row, Start
from benchmarks.workers import command, contender
from stance.errors import StanceError, UsageError

WORDS = st.text("ab.\u00e9", min_size=1, max_size=4)
# Words with blanks between them, never at the ends, as texts have them.
TEXTS = st.lists(WORDS, min_size=1, max_size=9).flatmap(
    lambda words: st.lists(
        st.sampled_from([" ", "\n", "\n\n", "  "]), min_size=len(words), max_size=len(words)
    ).map(lambda blanks: "".join(a + b for a, b in zip(words, blanks, strict=True)).strip())
)
LABELS = st.lists(
    st.tuples(st.sampled_from("tu"), st.sampled_from(["negative", "positive", "neutral"])),
    max_size=2,
    unique_by=lambda pair: pair[0],
)


def row(**changes: Any) -> Row:
    values: dict[str, Any] = {
        "contender": "stance",
        "texts": 10,
        "tokens": 5_000,
        "tokens_read": 5_000,
        "run_seconds": (2.0, 1.0, 9.0),
        "load_seconds": 0.5,
        "peak_megabytes": 321.4,
    }
    return Row(**{**values, **changes})


PRODUCT = Product(size=(2, 3, 4), kernel="amx_i8", operations_per_second=4e12)
RESULTS = Results(
    machine={"date": "2026-01-02", "processor": "Abacus 9"},
    load_average=0.0,
    articles=(row(), row(contender="SetFit", tokens_read=2_540, run_seconds=(5.0,))),
    headlines=(row(tokens=170, tokens_read=170),),
    starts=(Start(contender="stance predict", run_seconds=(0.9, 0.8), peak_megabytes=None),),
    lengths={100: row(), 10: row(run_seconds=(0.01,))},
    memory=(row(texts=1_000), row(texts=50_000)),
    products=(PRODUCT,),
    operations_per_token=20_000_000,
    versions={"stance": {"openvino": "1.2", "other": "3"}},
    named={"stance": ("openvino", "missing")},
)


def labelled(folder: Path, **kinds: int) -> Path:
    lines = [
        json.dumps({"id": f"{kind}-{n}", "kind": kind, "text": f"{kind} {n}.", "labels": []})
        for kind, count in kinds.items()
        for n in range(count)
    ]
    (folder / "made.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


# --- texts


@given(st.lists(TEXTS, min_size=1, max_size=4), st.integers(1, 30), st.integers(1, 60))
def test_texts_of_a_length_are_cut_one_after_the_other(
    sources: list[str], n_words: int, total: int
) -> None:
    found = texts.texts_of_length(sources, n_words, total)
    assert len(found) == max(1, total // n_words)
    assert all(len(text.split()) == n_words for text in found)
    assert all(text == text.strip() for text in found)
    words = [word for text in found for word in text.split()]
    given_words = [word for text in sources for word in text.split()]
    assert words == [given_words[n % len(given_words)] for n in range(len(words))]


def test_the_layout_stays() -> None:
    assert texts.texts_of_length(["A b.\nC d.", "E"], 5, 5) == ["A b.\nC d.\n\nE"]


def test_articles_are_whole_texts_of_enough_words_and_always_the_same(tmp_path: Path) -> None:
    folder = labelled(tmp_path, brief=50)
    first, second = texts.joined_articles(folder, 2)
    assert texts.joined_articles(folder, 2) == [first, second]
    parts = first.text.split("\n\n")
    assert set(parts) <= {f"brief {n}." for n in range(50)}
    assert 2 * (len(parts) - 1) < texts.WORDS <= 2 * len(parts)
    assert (first.id, second.id) == ("0", "1")


def test_headlines_are_used_again_where_there_are_too_few(tmp_path: Path) -> None:
    rows = list(texts.labelled_rows(labelled(tmp_path, headline=2, article=3)))
    found = list(texts.headlines(rows, 5))
    assert sorted(set(found)) == ["headline 0.", "headline 1."]
    assert found[:2] == found[2:4]
    assert len(found) == 5


def test_folders_without_texts_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none; name --data"):
        texts.joined_articles(tmp_path, 1)
    rows = list(texts.labelled_rows(labelled(tmp_path, article=1)))
    with pytest.raises(UsageError, match="kind headline"):
        list(texts.headlines(rows, 1))


@given(st.lists(LABELS, min_size=1, max_size=30), st.integers(1, 30))
def test_labels_become_columns(labels: list[list[tuple[str, str]]], n_texts: int) -> None:
    rows = [
        {"text": str(number), "labels": [{"topic": t, "stance": s} for t, s in pairs]}
        for number, pairs in enumerate(labels)
    ]
    found = list(speed.label_rows(rows, n_texts))
    assert found == list(speed.label_rows(rows, n_texts))
    assert len(found) == min(n_texts, len(rows))
    assert len({item["text"] for item in found}) == len(found)
    columns = sorted({pair for pairs in labels for pair in pairs if pair[1] != "neutral"})
    for item in found:
        own = labels[int(item["text"])]
        assert item["label"] == [int(column in own) for column in columns]
    # Every kind of labelling comes before any comes a second time.
    kinds = {tuple(column in pairs for column in columns) for pairs in labels}
    assert len({tuple(item["label"]) for item in found}) == min(n_texts, len(kinds))


# --- processes


def test_processes_get_their_threads_no_network_and_no_foreign_modules() -> None:
    found = speed.limited({"PATH": "/bin", "PYTHONPATH": "/x", "OMP_NUM_THREADS": "64"}, 3)
    assert found["PATH"] == "/bin"
    assert "PYTHONPATH" not in found
    assert {found[f"{name}_NUM_THREADS"] for name in ("OMP", "MKL", "OPENBLAS", "RAYON")} == {"3"}
    assert found["HF_HUB_OFFLINE"] == "1"


@pytest.mark.parametrize(
    ("printed", "found"),
    [
        ('a bar: 100%\n{"a": 1}\n', {"a": 1}),
        ('{"a": 1}\nbye\n', {}),
        ("", {}),
    ],
)
def test_the_last_line_is_what_counts(printed: str, found: dict[str, int]) -> None:
    assert speed.last_object(printed) == found


class Counting:
    """A contender that remembers what it was asked."""

    def __init__(self, model: Path | None, threads: int) -> None:
        self.model, self.threads = model, threads
        self.asked: list[list[str]] = []

    def predict(self, asked: Sequence[str]) -> int:
        self.asked.append(list(asked))
        return len(asked)

    def tokens_read(self, asked: Sequence[str]) -> int:
        return sum(map(len, asked))


def test_a_worker_warms_up_on_little_and_times_each_run() -> None:
    asked = ["x" * 5_000, *"abcdefghijklmnopqrst"]
    counting = Counting(None, 2)
    found = contender.measure(counting, asked, 2)
    warm, *runs = counting.asked
    assert warm == [text[: contender.WARM_CHARACTERS] for text in asked[: contender.WARM_TEXTS]]
    assert runs == [asked, asked]
    assert len(found["run_seconds"]) == 2
    assert found["tokens_read"] == 5_020


def test_a_worker_prints_one_object(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "texts.jsonl"
    speed.write_jsonl(file, [{"text": "caf\u00e9"}, {"text": "b"}])
    made: list[Counting] = []

    def load(model: Path | None, threads: int) -> Counting:
        made.append(Counting(model, threads))
        return made[0]

    arguments = ["measure", "--texts", str(file), "--threads", "3", "--runs", "1"]
    assert contender.main(load, arguments=[*arguments, "--model", "here"]) == 0
    assert (made[0].model, made[0].threads) == (Path("here"), 3)
    assert made[0].asked[-1] == ["caf\u00e9", "b"]
    found = speed.row_of("it", speed.last_object(capsys.readouterr().out), 9)
    assert (found.texts, found.tokens, found.tokens_read) == (2, 9, 5)
    assert found.load_seconds is not None


def test_a_missing_answer_is_no_speed() -> None:
    counting = Counting(None, 2)
    counting.predict = lambda asked: len(asked) - 1  # type: ignore[method-assign]
    with pytest.raises(RuntimeError, match="expected 1 answers, found 0"):
        contender.measure(counting, ["a"], 1)


def test_a_worker_without_tokens_reads_all() -> None:
    found = {"texts": 2, "tokens_read": None, "run_seconds": [1.0], "peak_megabytes": None}
    assert speed.row_of("it", found, 70).tokens_read == 70


def test_the_memory_of_a_command_is_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    code = "x = b'1' * 200_000_000"
    assert command.main(["--runs", "1", "--", sys.executable, "-c", code]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["peak_megabytes"] > 200
    assert len(found["run_seconds"]) == 1
    with pytest.raises(subprocess.CalledProcessError):
        command.main(["--runs", "1", "--", sys.executable, "-c", "raise SystemExit(3)"])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="others do not tell")
def test_the_memory_of_a_worker_does_not_count_its_starter() -> None:
    ballast = b"1" * 400_000_000
    code = "from benchmarks.measuring import peak_megabytes; print(peak_megabytes())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=environments.ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(ballast) / 1e6 > float(done.stdout) > 5


@pytest.mark.parametrize("word", ["0", "-1", "x", "1.5", ""])
def test_counts_are_whole_numbers_above_0(word: str) -> None:
    with pytest.raises(Exception, match="expected a whole number above 0"):
        measuring.positive(word)


def test_versions_are_those_of_the_environment() -> None:
    assert measuring.installed_versions()["pytest"] == pytest.__version__


# --- environments


def test_environments_pin_every_version_that_they_name() -> None:
    pinned = {line.partition("==")[0] for line in environments.PINS.read_text("utf-8").splitlines()}
    for environment in speed.ENVIRONMENTS.values():
        for requirement in environment.requirements:
            assert "==" in requirement or requirement in pinned
    assert {item.environment for item in speed.CONTENDERS.values()} <= set(speed.ENVIRONMENTS)
    assert set(speed.NAMED) == set(speed.ENVIRONMENTS)


def test_an_environment_is_ready_only_if_it_was_finished_from_the_same(tmp_path: Path) -> None:
    wanted = Environment(name="a", requirements=("b",))
    python = environments.python_of(tmp_path)
    python.parent.mkdir()
    python.touch()
    assert not environments.is_ready(wanted, tmp_path)
    (tmp_path / environments.STAMP).write_text(wanted.stamp(), encoding="utf-8")
    assert environments.is_ready(wanted, tmp_path)
    for other in (
        Environment(name="a", requirements=("b", "c")),
        Environment(name="a", requirements=("b",), runtime=True),
    ):
        assert not environments.is_ready(other, tmp_path)


def test_somebodys_folder_is_no_environment(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "letter.txt").touch()
    with pytest.raises(UsageError, match="--envs"):
        environments.ensure(Environment(name="a", requirements=()), tmp_path, print)
    assert (tmp_path / "a" / "letter.txt").exists()


def test_a_failure_is_told_by_the_line_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environments.sys, "executable", "/bin/false")
    with pytest.raises(StanceError, match="environment a: cannot be made: no message"):
        environments.ensure(Environment(name="a", requirements=()), tmp_path, print)
    assert environments.last_line("ERROR: no such thing\n\nhint\n") == "ERROR: no such thing"
    assert environments.last_line("first\nlast\n") == "last"


# --- figures


def test_rates_are_of_the_median_run_and_of_what_was_read() -> None:
    cut = row(tokens_read=2_000)
    assert cut.seconds == 2.0
    assert cut.texts_per_second == 5.0
    assert cut.tokens_per_second == 1_000.0
    assert cut.microseconds_per_token == 1_000.0


def test_operations_of_the_encoder_are_those_of_its_matrices() -> None:
    hidden, inner, layers = 4, 10, 3
    config = {"hidden_size": hidden, "intermediate_size": inner, "num_hidden_layers": layers}
    shapes = [(hidden, hidden)] * 4 + [(hidden, inner), (inner, hidden)]
    assert speed_report.operations_per_token(config) == 2 * layers * sum(a * b for a, b in shapes)


def test_the_share_is_of_the_fastest_product() -> None:
    slow = Product(size=(1, 1, 1), kernel="x", operations_per_second=1.0)
    assert speed_report.peak_share(1e4, 20_000_000, [slow, PRODUCT]) == pytest.approx(0.05)


def test_the_report_holds_every_figure() -> None:
    text = speed_report.report(RESULTS)
    assert "- processor: Abacus 9" in text
    assert "| stance | 500 | 5.0 | 2,500 | 2.00, 1.00, 9.00 | 0.50 | 321 |" in text
    assert "| SetFit | 254 | 2.0 | 508 | 5.00 | 0.50 | 321 |" in text
    assert "| stance predict | 0.85 | 0.900, 0.800 | - |" in text
    assert text.index("| 10 | 10 | 5,000 | 2.0 | 500,000 |") < text.index("| 100 | 10 | 5,000 |")
    assert "| 50,000 | 321 | 2.0 |" in text
    assert "| 2 x 3 x 4 | amx_i8 | 4.00 |" in text
    assert "1 % of the fastest" in text
    assert "- stance: openvino 1.2\n" in text
    assert "Other programs ran beside this" not in text


def test_what_was_not_measured_is_not_reported() -> None:
    text = speed_report.report(Results(machine={"date": "today"}, load_average=2.5))
    assert "##" not in text
    assert "load average 2.5" in text


def test_columns_of_every_table_match_their_heads() -> None:
    tables = [line for line in speed_report.report(RESULTS).splitlines() if line.startswith("|")]
    assert len(tables) > 15
    width = 0
    for line, following in zip(tables, [*tables[1:], ""], strict=True):
        if following.startswith("| ---"):
            width = line.count("|")
        assert line.count("|") == width


@pytest.mark.parametrize("left_out", ["articles", "lengths", None])
def test_the_picture_is_drawn(left_out: str | None, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    from dataclasses import replace

    results = RESULTS if left_out is None else replace(RESULTS, **{left_out: ()})
    speed_report.draw(results, [tmp_path / "a.svg", tmp_path / "a.png"])
    assert (tmp_path / "a.png").stat().st_size > 5_000
    assert "<svg" in (tmp_path / "a.svg").read_text("utf-8")


def test_the_processor_is_named_with_what_it_has_for_int8(tmp_path: Path) -> None:
    file = tmp_path / "cpuinfo"
    file.write_text(
        "processor\t: 0\nmodel name\t: Abacus 9\ncpu family\t: 6\nmodel\t\t: 7\nstepping\t: 8\n"
        "flags\t\t: fpu amx_int8 avx512_vnni avx_vnni_int8\n",
        encoding="utf-8",
    )
    assert (
        speed.processor(file) == "Abacus 9 (family 6, model 7, stepping 8; avx512_vnni, amx_int8)"
    )
    assert speed.processor(tmp_path / "none")


# --- workers that the development environment can run


def _run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.workers.{module}", *arguments],
        cwd=environments.ROOT,
        env=speed.limited(os.environ, 1),
        capture_output=True,
        text=True,
        check=True,
    )
    return speed.last_object(done.stdout)


@pytest.mark.model
def test_the_worker_of_stance_reads_texts_whole(tmp_path: Path) -> None:
    file = tmp_path / "texts.jsonl"
    speed.write_jsonl(file, [{"text": speed.SENTENCE}] * 3)
    found = _run("stance", "measure", "--texts", str(file), "--runs", "1", "--threads", "1")
    assert (found["texts"], found["tokens_read"]) == (3, None)
    assert found["peak_megabytes"] > 100


@pytest.mark.training
def test_the_worker_of_tf_idf_makes_its_model_and_answers(tmp_path: Path) -> None:
    file, model = tmp_path / "train.jsonl", tmp_path / "model"
    rows = [{"text": f"{word} {word} again", "label": [n, 1 - n]} for n in (0, 1) for word in "ab"]
    speed.write_jsonl(file, rows * 3)
    making = ("--encoder", "none", "--train", str(file), "--model", str(model))
    assert _run("tf_idf", "make", *making) == {}
    found = _run("tf_idf", "measure", "--texts", str(file), "--model", str(model), "--runs", "2")
    assert found["texts"] == 12
    assert len(found["run_seconds"]) == 2
