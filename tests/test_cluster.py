"""Reading on a cluster gives the rows that one machine gives, whatever is lost on the way."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import tiny
from cli_support import run
from hypothesis import given, settings
from hypothesis import strategies as st

from stance import batching, cluster
from stance.answers import Answer, answers
from stance.cli import cluster as verb
from stance.errors import UsageError
from stance.predictions import FaultyInput, Prediction
from stance.records import Article

ITEMS = st.lists(st.booleans(), max_size=60)


# Blocks


class Company:
    """Says of each article which others it was read with."""

    schema = tiny.SCHEMA

    def __init__(self, chunk: int) -> None:
        self._chunk = chunk

    def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
        stream = iter(articles)
        while chunk := list(islice(stream, self._chunk)):
            mates = [article.id for article in chunk]
            for article in chunk:
                yield Prediction(id=article.id, topics=(), scores={}, extra={"mates": mates})


@settings(max_examples=400)
@given(kinds=ITEMS, chunk=st.integers(1, 5), most=st.integers(1, 3))
def test_every_article_is_read_in_the_company_it_has_on_one_machine(
    kinds: list[bool], chunk: int, most: int
) -> None:
    items = [
        Article(id=str(index), text="x")
        if good
        else FaultyInput(id=str(index), line=index, error="no text")
        for index, good in enumerate(kinds)
    ]
    company = Company(chunk)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "CHUNK_ARTICLES", chunk)
        lengths = list(cluster.cut_blocks(items, most=most))
        alone = list(answers(company, items, keep=False))
        stream, apart = iter(items), []
        for length in lengths:
            assert length <= most * chunk
            apart += answers(company, islice(stream, length), keep=False)
    assert sum(lengths) == len(items)
    assert lengths == [0] if not items else 0 not in lengths
    assert apart == alone


# Which files are written


def test_files_are_written_as_they_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("out")
    names = ["news/a.jsonl.gz", "news/2020/b.parquet", str(tmp_path / "news" / "c.d.csv")]
    assert verb.output_files(names, out, ".jsonl") == {
        names[0]: out / "a.jsonl",
        names[1]: out / "2020" / "b.jsonl",
        names[2]: out / "c.d.jsonl",
    }
    assert verb.output_files(names[1:2], out, ".parquet") == {names[1]: out / "b.parquet"}


def test_two_files_are_not_written_to_one(tmp_path: Path) -> None:
    names = [str(tmp_path / "a.csv"), str(tmp_path / "a.jsonl")]
    with pytest.raises(UsageError, match=r"a\.csv and .*a\.jsonl would both be written to"):
        verb.output_files(names, tmp_path / "out", ".jsonl")


def test_no_file_is_written_that_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").touch()
    names = [str(tmp_path / "a.jsonl")]
    with pytest.raises(UsageError, match="is also read"):
        verb.output_files(names, tmp_path / "x" / "..", ".jsonl")
    assert verb.output_files(names, tmp_path, ".parquet")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("{}/a.jsonl", "--engine", "ray"), "--engine ray: expected --out FOLDER"),
        (("{}/a.jsonl", "--engine", "ray", "--out", "{}/a.jsonl"), "expected a folder"),
        (("some text", "--engine", "ray", "--out", "{}/out"), "found the text 'some text'"),
        (("-", "--engine", "ray", "--out", "{}/out"), "found standard input"),
        (("some text", "--workers", "2"), "--workers 2: works with --engine ray only"),
        (("some text", "--format", "parquet"), "--format parquet: works with --engine ray only"),
        (("--in", "{}/*.csv"), "expected a file, a folder or a pattern that fits some"),
    ],
)
def test_what_cannot_work_is_refused(
    arguments: tuple[str, ...], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
    result = run(capsys, "predict", *(item.format(tmp_path) for item in arguments))
    assert result.status == 2
    assert words in result.err
    assert not (tmp_path / "out").exists()


def test_the_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    (tmp_path / "a.jsonl").write_text('{"text": "x"}\n', encoding="utf-8")
    out = tmp_path / "out"
    result = run(
        capsys, "predict", "--in", str(tmp_path / "*.jsonl"), "--engine", "ray", "--out", str(out)
    )
    assert result.status == 2
    assert '--engine ray needs the extra "ray" (ray is not installed)' in result.err
    assert not out.exists()


@pytest.mark.parametrize("address", ["", "auto"])
def test_ray_reports_nothing_and_is_sought_only_where_it_is_said_to_be(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, Any] = {}

    def init(place: str, **options: Any) -> None:
        seen.update(options, place=place, reports=os.environ["RAY_USAGE_STATS_ENABLED"])

    data = ModuleType("ray.data")
    vars(data)["DataContext"] = SimpleNamespace(get_current=SimpleNamespace)
    fake = ModuleType("ray")
    vars(fake).update(
        data=data,
        init=init,
        is_initialized=lambda: False,
        shutdown=lambda: seen.update(ended=True),
        exceptions=SimpleNamespace(RayError=OSError),
    )
    monkeypatch.setitem(sys.modules, "ray", fake)
    monkeypatch.setitem(sys.modules, "ray.data", data)
    monkeypatch.setenv("RAY_ADDRESS", address)
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "1")
    monkeypatch.setenv("RAY_BACKEND_LOG_LEVEL", "error")
    with cluster._cluster():
        assert "ended" not in seen
    assert seen["place"] == (address or "local")
    assert (seen["reports"], seen["include_dashboard"], seen["ended"]) == ("0", False, True)
    with pytest.raises(cluster.StanceError, match="the Ray cluster gave up: lost"):
        with cluster._cluster():
            raise OSError("lost\nand more")


# A worker, in this process


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write_model(tmp_path_factory.mktemp("model"))


def reading(model: Path) -> cluster.Reading:
    digest = cluster.Classifier.from_pretrained(model).digest
    return cluster.Reading(model=str(model), digest=digest)


def block(file: Path, part: Path, **changes: Any) -> dict[str, Any]:
    return {
        "number": 0,
        "name": "the file",
        "file": str(file),
        "here": True,
        "first": 0,
        "rows": 2,
        "part": str(part),
        **changes,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.jsonl"
    rows = [{"id": str(number), "text": "The quay rots."} for number in range(4)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_a_worker_writes_its_rows(model: Path, file: Path, tmp_path: Path) -> None:
    worker = cluster.Worker(reading(model))
    done = worker(block(file, tmp_path / "part.jsonl", first=1))
    assert done == {"number": 0, "inputs": 2, "faults": 0, "failed": ""}
    lines = (tmp_path / "part.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == ["1", "2"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"digest": "0" * 64}, "has another model: expected the digest 000000000000, found"),
        ({"model": "/none/such"}, "cannot start: /none/such"),
    ],
)
def test_a_worker_with_another_model_refuses(
    model: Path, file: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    worker = cluster.Worker(replace(reading(model), **changes))
    assert words in worker(block(file, tmp_path / "part.jsonl"))["failed"]
    assert not (tmp_path / "part.jsonl").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rows": 5}, "the file: has become shorter while it was read"),
        ({"file": "/none/a.jsonl"}, "the file: cannot be opened on .* under the same paths"),
        ({"part": "/none/part.jsonl"}, "part.jsonl: cannot be written: .* the folder of --out"),
    ],
)
def test_a_worker_says_what_is_wrong_on_its_machine(
    model: Path, file: Path, tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    task = {**block(file, tmp_path / "part.jsonl"), **changes}
    failed = cluster.Worker(reading(model))(task)
    with pytest.raises(cluster.StanceError, match=words):
        cluster._refuse(failed["failed"])


def test_a_file_that_nobody_can_open_is_a_fault_and_no_failure(model: Path, tmp_path: Path) -> None:
    gone = block(tmp_path / "none.jsonl", tmp_path / "part.jsonl", here=False, rows=1)
    assert cluster.Worker(reading(model))(gone)["faults"] == 1
    assert "the file: cannot be opened" in (tmp_path / "part.jsonl").read_text(encoding="utf-8")


def test_a_block_that_takes_every_worker_with_it_ends_the_run(
    model: Path, file: Path, tmp_path: Path
) -> None:
    worker, task = cluster.Worker(reading(model)), block(file, tmp_path / "part.jsonl", first=1)
    for _ in range(cluster._TRIES):
        assert worker(task)["failed"] == ""
    words = r"the file: 5 workers were lost .* at the 2 inputs after the first 1"
    with pytest.raises(cluster.StanceError, match=words):
        cluster._refuse(worker(task)["failed"])


# The whole, with Ray

# Ray warns of what it does itself.
on_ray = pytest.mark.filterwarnings("ignore::DeprecationWarning:ray")

ENDINGS = {"jsonl": ".jsonl", "parquet": ".parquet"}
# What is read under which name, and which file is written.
FILES = {
    "a.jsonl": "a",
    "old/b.parquet": "old/b",
    "c.csv": "c",
    "d.txt": "d",
    "e.jsonl": "e",
    "gone": "gone/f",
}


@pytest.fixture(scope="module")
def ray() -> Iterator[ModuleType]:
    """A cluster of this machine that all tests share."""
    if find_spec("ray") is None:
        pytest.skip("the extra ray is not installed")
    with cluster._cluster() as connected:
        yield connected


@pytest.fixture(scope="module")
def news(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder `news` of files of every kind: with faults, empty, and one that is gone."""
    top = tmp_path_factory.mktemp("cluster")
    folder = top / "news"
    for name in ("old", "gone"):
        (folder / name).mkdir(parents=True)
    rows = [
        {"id": record.id, "text": record.article.text, "source": f"agency {index}"}
        for index, record in enumerate(tiny.records(420))
    ]
    lines = [json.dumps(row) for row in rows[:300]]
    lines[200:200], lines[100:100], lines[10:10] = ["", "[1]"], ['{"id": "n"}', "5"], ["{broken"]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    pq.write_table(pa.Table.from_pylist(rows[300:400]), folder / "old" / "b.parquet")
    text = "id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows[400:])
    (folder / "c.csv").write_text(f"{text}odd\n", encoding="utf-8")
    (folder / "d.txt").write_text(rows[0]["text"], encoding="utf-8")
    (folder / "e.jsonl").touch()
    (folder / "gone" / "f.jsonl").symlink_to(top / "nowhere")
    return top


class Desk:
    """Runs the command beside the folder `news`, with and without a cluster."""

    def __init__(self, capsys: pytest.CaptureFixture[str], model: Path, kind: str) -> None:
        self._capsys, self._kind = capsys, kind
        self._options = ("--model", str(model), "--keep", "--full")

    def alone(self, out: Path) -> None:
        """Write what this machine gives for each file."""
        for name, stem in FILES.items():
            target = out / f"{stem}{ENDINGS[self._kind]}"
            target.parent.mkdir(parents=True, exist_ok=True)
            run(self._capsys, "predict", f"news/{name}", "--out", str(target), *self._options)

    def together(self, out: Path, workers: int) -> None:
        """Write what a cluster gives for the folder."""
        result = run(
            self._capsys,
            *("predict", "--in", "news", "--engine", "ray", "--workers", str(workers)),
            *("--out", str(out), "--format", self._kind, *self._options),
        )
        assert "427 articles, 6 with faults" in result.err
        assert "6 of 427 inputs could not be read" in result.err
        assert result.status == 1

    def assert_same(self, ours: Path, theirs: Path) -> None:
        ending = ENDINGS[self._kind]
        found = [path.relative_to(ours).as_posix() for path in ours.rglob("*") if path.is_file()]
        assert sorted(found) == sorted([verb._RUN, *(f"{stem}{ending}" for stem in FILES.values())])
        for stem in FILES.values():
            mine, other = (folder / f"{stem}{ending}" for folder in (ours, theirs))
            if ending == ".parquet":
                assert pq.read_table(mine).equals(pq.read_table(other)), stem
            else:
                assert mine.read_bytes() == other.read_bytes(), stem


@on_ray
@pytest.mark.slow
@pytest.mark.parametrize(("workers", "kind"), [(1, "jsonl"), (2, "jsonl"), (2, "parquet")])
def test_a_cluster_writes_what_one_machine_writes(
    ray: ModuleType,
    news: Path,
    model: Path,
    workers: int,
    kind: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(news)
    desk = Desk(capsys, model, kind)
    desk.alone(tmp_path / "alone")
    desk.together(tmp_path / "out", workers)
    desk.assert_same(tmp_path / "out", tmp_path / "alone")


@on_ray
@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_a_worker_that_is_killed_costs_no_row(
    ray: ModuleType,
    news: Path,
    model: Path,
    workers: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    killed = str(tmp_path / "killed")

    class Mortal(cluster.Worker):
        """Is killed once, in the middle of a block of the first file."""

        def _answers(self, items: Any) -> Iterator[Answer]:
            for index, answer in enumerate(super()._answers(items)):
                if index == 40 and not os.path.exists(killed):
                    with open(killed, "w") as stream:
                        stream.write(str(os.getpid()))
                    os.kill(os.getpid(), signal.SIGKILL)
                yield answer

    monkeypatch.chdir(news)
    monkeypatch.setattr(cluster, "Worker", Mortal)
    desk = Desk(capsys, model, "jsonl")
    desk.alone(tmp_path / "alone")
    desk.together(tmp_path / "out", workers)
    assert int(Path(killed).read_text()) != os.getpid()
    desk.assert_same(tmp_path / "out", tmp_path / "alone")


@on_ray
@pytest.mark.slow
def test_a_run_goes_on_with_the_files_that_are_missing(
    ray: ModuleType,
    news: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(news)
    out = tmp_path / "out"

    def read(*more: str) -> str:
        arguments = ("--engine", "ray", "--out", str(out), "--model", str(model), *more)
        return run(capsys, "predict", "news", *arguments).err

    assert "holds no run of --engine ray to go on from" in read("--resume")
    assert "427 articles, 6 with faults" in read()
    written = {path: path.stat().st_ino for path in out.rglob("*.jsonl")}
    lost = out / "c.jsonl"
    before = lost.read_bytes()
    lost.unlink()
    said = read("--resume")
    assert "5 of 6 files were there already" in said
    assert "21 articles, 1 with faults" in said
    assert lost.read_bytes() == before
    now = {path: path.stat().st_ino for path in written if path != lost}
    assert now.items() <= written.items()
    assert "6 of 6 files were there already" in read("--resume")
    assert "begun with another full (False, now True)" in read("--resume", "--full")


@on_ray
@pytest.mark.slow
def test_more_threads_than_any_machine_has_are_refused(
    ray: ModuleType,
    news: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(news)
    arguments = ("--engine", "ray", "--out", str(tmp_path / "out"), "--model", str(model))
    result = run(capsys, "predict", "news", *arguments, "--threads", "100000")
    assert result.status == 2
    assert "--threads 100000: expected at most" in result.err


@on_ray
@pytest.mark.slow
def test_what_a_worker_says_ends_the_run(
    ray: ModuleType,
    news: Path,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Poor(cluster.Worker):
        """Has no room to write."""

        def _write(self, block: dict[str, Any]) -> int:
            raise cluster.StanceError("no space left")

    monkeypatch.chdir(news)
    monkeypatch.setattr(cluster, "Worker", Poor)
    arguments = ("--engine", "ray", "--out", str(tmp_path / "out"), "--model", str(model))
    result = run(capsys, "predict", "news", *arguments)
    assert result.status == 2
    assert "failed: no space left" in result.err
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == [verb._RUN]
