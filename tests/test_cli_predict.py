"""`stance predict`: what it reads, what it writes, in which order, and what it refuses."""

from __future__ import annotations

import csv
import json
import os
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from cli_support import FakeClassifier, run, use_fake
from hypothesis import given
from hypothesis import strategies as st

from stance import batching
from stance.cli import display, predict, sources
from stance.errors import UsageError
from stance.predictions import FaultyInput, Prediction
from stance.records import Article

ITEMS = st.lists(st.booleans(), max_size=60)


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    use_fake(monkeypatch)
    monkeypatch.setenv("COLUMNS", "100")


def write(path: Path, *rows: object) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


# Order and memory


def items_of(kinds: list[bool]) -> list[Article | FaultyInput]:
    return [
        Article(id=str(index), text="rivers", extra={"n": index})
        if good
        else FaultyInput(id=str(index), line=index, error="no text")
        for index, good in enumerate(kinds)
    ]


@given(kinds=ITEMS, ahead=st.integers(1, 7), chunk=st.integers(1, 9), keep=st.booleans())
def test_answers_stand_in_the_order_of_the_input(
    kinds: list[bool], ahead: int, chunk: int, keep: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "CHUNK_ARTICLES", chunk)
        got = list(predict.answers(FakeClassifier(ahead), items_of(kinds), keep=keep))
    assert [item.id for item in got] == [str(index) for index in range(len(kinds))]
    assert [isinstance(item, Prediction) for item in got] == kinds
    for index, item in enumerate(got):
        if isinstance(item, Prediction):
            assert dict(item.extra) == ({"n": index} if keep else {})


@given(kinds=ITEMS, ahead=st.integers(1, 7), chunk=st.integers(1, 9))
def test_no_more_is_read_than_is_predicted_together(
    kinds: list[bool], ahead: int, chunk: int
) -> None:
    read = 0

    def reading() -> Iterator[Article | FaultyInput]:
        nonlocal read
        for item in items_of(kinds):
            read += 1
            yield item

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "CHUNK_ARTICLES", chunk)
        for done, _ in enumerate(predict.answers(FakeClassifier(ahead), reading(), keep=False)):
            assert read - done <= chunk


class Together(FakeClassifier):
    """Answers with the ids of the texts that it was given together, whose company may count."""

    def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
        company = [article.id for article in articles]
        self.read += len(company)
        for name in company:
            yield Prediction(id=name, topics=(), scores={}, extra={"company": company})


@given(kinds=ITEMS, chunk=st.integers(1, 9), data=st.data())
def test_known_answers_are_left_out_and_the_others_are_the_same(
    kinds: list[bool], chunk: int, data: st.DataObject
) -> None:
    done = data.draw(st.integers(0, len(kinds)))
    fake = Together()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "CHUNK_ARTICLES", chunk)
        whole = list(predict.answers(Together(), items_of(kinds), keep=True))
        rest = list(predict.answers(fake, items_of(kinds), keep=True, done=done))
        with pytest.raises(UsageError, match="whose answers are kept"):
            list(predict.answers(fake, items_of(kinds), keep=True, done=len(kinds) + 1))
    assert rest == whole[done:]


def test_known_answers_are_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "CHUNK_ARTICLES", 64)
    fake = Together()
    list(predict.answers(fake, items_of([True] * 200), keep=False, done=130))
    assert fake.read == 200 - 128


def test_a_classifier_that_loses_an_article_is_found_out() -> None:
    class Loses(FakeClassifier):
        def predict_many(self, articles: object) -> Iterator[Prediction]:
            return iter(list(super().predict_many(articles))[1:])  # type: ignore[arg-type]

    with pytest.raises(RuntimeError, match="fewer predictions"):
        list(predict.answers(Loses(), items_of([True, True]), keep=False))


# What an argument is


@pytest.mark.parametrize(
    "text",
    [
        "Rivers rose.",
        "rivers",
        "They met and/or wrote.",
        "x" * 100_000,
        "zero \x00 byte",
        "one line\nand a path/of/sorts",
        "A dash - in a text",
    ],
)
def test_what_is_no_path_is_a_text(text: str) -> None:
    assert [source.kind for source in sources.find_sources([text])] == ["text"]


@pytest.mark.parametrize("argument", ["article.txt", "my article.txt", "a/b", "./x", "n.jsonl.gz"])
def test_the_path_of_a_missing_file_is_refused(argument: str) -> None:
    with pytest.raises(UsageError, match="no such file or folder"):
        sources.find_sources([argument])


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.pdf").write_bytes(b"%PDF")
    with pytest.raises(UsageError, match=r"ends in \.jsonl.*\.txt"):
        sources.find_sources([str(tmp_path / "a.pdf")])


def test_a_folder_is_all_its_files_in_sorted_order(tmp_path: Path) -> None:
    (tmp_path / "b" / ".git").mkdir(parents=True)
    for name in ("c.txt", "b/z.txt", "b/a.jsonl", "a.csv", ".hidden.txt", "b/.git/x.txt", "d.png"):
        (tmp_path / name).write_text("", encoding="utf-8")
    (source,) = sources.find_sources([str(tmp_path)])
    found = [os.path.relpath(name, tmp_path) for name in source.files]
    assert found == ["a.csv", os.path.join("b", "a.jsonl"), os.path.join("b", "z.txt"), "c.txt"]
    assert [os.path.relpath(name, tmp_path) for name in source.left] == ["d.png"]


def test_a_folder_without_articles_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="found none"):
        sources.find_sources([str(tmp_path)])


def test_nothing_to_read_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing to read"):
        sources.find_sources([])


def test_standard_input_is_read_once() -> None:
    with pytest.raises(UsageError, match="found it twice"):
        sources.find_sources(["-", "-"])


# Reading


def test_text_file_folder_and_standard_input_in_one_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one = tmp_path / "one.txt"
    one.write_text("Headline\n\nThe rivers fell.", encoding="utf-8")
    folder = tmp_path / "more"
    folder.mkdir()
    write(folder / "x.jsonl", {"id": "x1", "text": "bridges"}, {"id": 2, "text": "nothing"})
    (folder / "y.csv").write_text("id,text\ny1,rivers\n", encoding="utf-8")
    result = run(
        capsys,
        "predict",
        "A text on bridges",
        str(one),
        str(folder),
        "-",
        "--format",
        "jsonl",
        stdin=b"rivers and bridges",
    )
    assert result.status == 0
    assert [(row["id"], [item["topic"] for item in row["topics"]]) for row in result.rows] == [
        (None, ["bridges"]),
        ("one", ["rivers"]),
        ("x1", ["bridges"]),
        ("2", []),
        ("y1", ["rivers"]),
        (None, ["rivers", "bridges"]),
    ]


@pytest.mark.parametrize("head", [b"", b"\n \n", b"\xef\xbb\xbf"])
def test_standard_input_that_begins_with_a_brace_is_json_lines(
    head: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = head + b'{"id": "a", "text": "rivers"}\n\n{"id": "b", "text": "bridges"}\n'
    result = run(capsys, "predict", "-", "--format", "jsonl", stdin=lines)
    assert [row["id"] for row in result.rows] == ["a", "b"]


@pytest.mark.parametrize("data", [b"", b"  \n"])
def test_empty_standard_input_is_a_fault(data: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "predict", "-", "--format", "jsonl", stdin=data)
    assert result.status == 1
    assert "standard input" in result.rows[0]["error"]


def test_a_faulty_line_keeps_its_place_and_costs_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b'{"id": "a", "text": "rivers"}\n'
        b'{"id": "b", "txt": "rivers"}\n'
        b"{broken\n"
        b'{"id": "c", "text": "caf\xe9"}\n'
        b'{"id": "d", "text": "bridges"}\n'
    )
    result = run(capsys, "predict", "--in", str(path), "--format", "jsonl")
    assert result.status == 1
    assert "3 of 5 inputs could not be read" in result.err
    assert [row.get("line") for row in result.rows] == [None, 2, 3, 4, None]
    assert [row["id"] for row in result.rows] == ["a", "b", None, None, "d"]
    for row in result.rows[1:4]:
        assert set(row) == {"id", "line", "error"}
        assert str(path) in row["error"]


@pytest.mark.parametrize("ending", ["txt", "csv", "parquet"])
def test_a_file_that_cannot_be_opened_costs_no_other(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, target = tmp_path / "news", tmp_path / "out.csv"
    folder.mkdir()
    (folder / f"a.{ending}").symlink_to(tmp_path / "gone")
    (folder / "b.txt").write_text("rivers", encoding="utf-8")
    target.write_text("old", encoding="utf-8")
    result = run(capsys, "predict", str(folder), "--keep", "--out", str(target))
    assert result.status == 1
    with target.open(encoding="utf-8", newline="") as stream:
        first, second = csv.DictReader(stream)
    assert f"a.{ending}" in first["error"]
    assert second["id"] == "b"


def test_files_left_alone_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.txt").write_text("rivers", encoding="utf-8")
    (tmp_path / "b.png").write_bytes(b"")
    result = run(capsys, "predict", str(tmp_path))
    assert result.status == 0
    assert "1 file with another ending is left alone" in result.err
    assert "b.png" in result.err


def test_an_empty_text_is_a_fault_not_a_crash(capsys: pytest.CaptureFixture[str]) -> None:
    result = run(capsys, "predict", "")
    assert result.status == 1
    assert "not read: the command line: text: " in result.out


# Writing


ROWS = (
    {"id": "a", "text": "bad rivers", "source": "agency", "n": 3},
    {"id": "b", "text": "nothing"},
    {"id": "c", "txt": "?"},
)


@pytest.mark.parametrize("ending", ["jsonl", "jsonl.gz", "csv", "tsv", "parquet"])
def test_every_output_has_every_input_in_order(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = write(tmp_path / "in.jsonl", *ROWS), tmp_path / f"out.{ending}"
    result = run(capsys, "predict", "--in", str(source), "--out", str(target))
    assert result.status == 1
    assert result.out == ""
    assert "3 articles, 1 with faults" in result.err
    assert ids_in(target) == ["a", "b", "c"]


def ids_in(path: Path) -> list[str]:
    if path.suffix == ".parquet":
        return list(pq.read_table(path)["id"].to_pylist())
    if path.suffix in {".csv", ".tsv"}:
        delimiter = "\t" if path.suffix == ".tsv" else ","
        with path.open(encoding="utf-8", newline="") as stream:
            return [row["id"] for row in csv.DictReader(stream, delimiter=delimiter)]
    import gzip

    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    return [json.loads(line)["id"] for line in raw.splitlines()]


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet"])
def test_tables_are_read(ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"in.{ending}"
    columns = {"id": ["a", "b"], "text": ["bad rivers", "bridges"], "source": ["x", "y"]}
    if ending == "parquet":
        pq.write_table(pa.table(columns), path)
    else:
        with path.open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream, delimiter="\t" if ending == "tsv" else ",")
            writer.writerows([list(columns), *zip(*columns.values(), strict=True)])
    result = run(capsys, "predict", str(path), "--format", "jsonl", "--keep")
    assert [(row["id"], row["source"]) for row in result.rows] == [("a", "x"), ("b", "y")]
    target = tmp_path / "out.csv"
    run(capsys, "predict", str(path), "--out", str(target), "--keep")
    with target.open(encoding="utf-8", newline="") as stream:
        assert [row["source"] for row in csv.DictReader(stream)] == ["x", "y"]


def test_other_fields_are_carried_through_on_demand_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "in.jsonl", *ROWS)
    (first, *_) = run(capsys, "predict", str(path), "--format", "jsonl", "--keep").rows
    assert (first["source"], first["n"]) == ("agency", 3)
    (first, *_) = run(capsys, "predict", str(path), "--format", "jsonl").rows
    assert set(first) == {"id", "topics", "scores"}


def test_full_adds_what_was_not_found(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("predict", "rivers", "--format", "jsonl")
    assert "below" not in run(capsys, *arguments).rows[0]
    assert [item["topic"] for item in run(capsys, *arguments, "--full").rows[0]["below"]] == [
        "bridges"
    ]


def test_the_input_is_not_overwritten(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "a.jsonl", *ROWS)
    before = path.read_bytes()
    other_name = tmp_path / "." / "a.jsonl"
    result = run(capsys, "predict", "--in", str(path), "--out", str(other_name))
    assert result.status == 2
    assert "is also read" in result.err
    assert path.read_bytes() == before


@pytest.mark.parametrize("out", ["missing/out.jsonl", "out.xlsx"])
def test_an_output_that_cannot_be_written_is_refused(
    out: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = run(capsys, "predict", "rivers", "--out", str(tmp_path / out))
    assert result.status == 2
    assert out in result.err
    assert list(tmp_path.iterdir()) == []


def test_empty_input_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("", encoding="utf-8")
    result = run(capsys, "predict", str(path))
    assert (result.status, result.out) == (0, "")
    assert "no article" in result.err


# The table for a person


def test_the_table_says_topic_stance_and_evidence(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "predict", "perhaps bad rivers").out
    assert "rivers" in out
    assert "97 %" in out
    assert "negative 90 %" in out
    assert "not sure" in out
    assert "> perhaps bad rivers" in out


def test_a_sure_stance_is_not_called_unsure(capsys: pytest.CaptureFixture[str]) -> None:
    assert "not sure" not in run(capsys, "predict", "bad rivers").out


def test_nothing_found_says_so_with_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    out = run(capsys, "predict", "Rain fell.").out
    assert "no topic found; closest: rivers 3 %, bridges 3 %" in out


def test_markup_in_a_text_is_text(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        "[bold]rivers[/nosuch] :smile:"
        in run(capsys, "predict", "[bold]rivers[/nosuch] :smile:").out
    )


@given(text=st.text(st.characters()))
def test_shown_text_holds_nothing_that_a_terminal_obeys(text: str) -> None:
    shown = display.plain(text)
    assert not any(
        unicodedata.category(character) in {"Cc", "Cs", "Zl", "Zp"} for character in shown
    )
    assert not any(
        unicodedata.bidirectional(character) in {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI"}
        for character in shown
    )
    assert display.plain(shown) == shown


@given(text=st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_harmless_text_is_shown_as_it_is(text: str) -> None:
    assert display.plain(text) == text


@given(share=st.floats(0, 1))
def test_only_certainty_is_shown_as_certain(share: float) -> None:
    words = display.percent(share)
    assert (words == "100 %") == (share == 1)
    assert (words == "0 %") == (share == 0)


def test_the_speed_is_that_of_what_was_done_now(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [10.0]
    monkeypatch.setattr("stance.cli.display.time.perf_counter", lambda: clock[0])
    counter = display.Counter(None, done=1_000, faults=2)
    counter.add(fault=True)
    clock[0] = 12.0
    assert counter.words() == "1,001 articles, 3 with faults, 0.5 a second"


def test_terminal_commands_in_an_article_do_not_reach_the_terminal(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = write(tmp_path / "a.jsonl", {"id": "i\x1b]0;x\x07", "text": "rivers \x1b[2J \u009b1m"})
    out = run(capsys, "predict", str(path)).out
    assert not any(unicodedata.category(item) == "Cc" for item in out.replace("\n", ""))


def test_options_reach_the_model(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[object] = []

    def load(model: str | None, **options: object) -> FakeClassifier:
        seen.extend([model, options])
        return FakeClassifier()

    monkeypatch.setattr(predict, "load_classifier", load)
    run(capsys, "predict", "rivers", "--model", "m", "--precision", "0.9", "--threads", "2")
    assert seen == ["m", {"precision": 0.9, "threads": 2}]


@pytest.mark.parametrize(
    "option", [("--precision", "1.5"), ("--threads", "0"), ("--format", "xml")]
)
def test_impossible_options_are_refused(
    option: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(capsys, "predict", "rivers", *option).status == 2


def test_the_fake_keeps_its_word() -> None:
    article = Article(text="rivers", id="a")
    (one,) = FakeClassifier().predict_many([article])
    (_, two) = FakeClassifier().predict_many([replace(article, text="x"), article])
    assert one == two
