from __future__ import annotations

import gzip
import io
import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_text, json_values, words

from stance import rows
from stance.errors import UsageError
from stance.formats import (
    ENDINGS,
    Row,
    column_names,
    ending_of,
    iter_articles,
    parse_json,
    read_jsonl,
    read_rows,
    read_text,
)
from stance.predictions import FaultyInput
from stance.records import Article


def jsonl(raw: bytes) -> list[Row]:
    return list(read_jsonl(io.BytesIO(raw), "f.jsonl"))


def line(data: object) -> bytes:
    return json.dumps(data, ensure_ascii=False).encode() + b"\n"


@given(st.lists(st.dictionaries(any_text, json_values, max_size=4), max_size=5))
def test_json_lines_come_back(items: list[dict[str, Any]]) -> None:
    read = jsonl(b"".join(line(item) for item in items))
    assert [row.data for row in read] == items
    assert [row.line for row in read] == list(range(1, len(items) + 1))


def test_a_byte_order_mark_blank_lines_and_crlf_are_no_matter() -> None:
    raw = b"\xef\xbb\xbf" + line({"a": 1}).replace(b"\n", b"\r\n") + b"\r\n  \n" + b'{"b": 2}'
    assert [(row.line, row.data) for row in jsonl(raw)] == [(1, {"a": 1}), (4, {"b": 2})]


BAD_LINES = [
    (b"{", "a JSON object", "broken JSON at character 2"),
    (b'{"text": "a" "b"}', "a JSON object", "broken JSON at character 14"),
    (b"[1]", "a JSON object", "[1]"),
    (b'"text"', "a JSON object", "'text'"),
    (b"null", "a JSON object", "None"),
    (b'{"a": NaN}', "a JSON object", "NaN, which is not JSON"),
    (b'{"a": -Infinity}', "a JSON object", "-Infinity, which is not JSON"),
    (b'{"a": 1e999}', "a JSON object", "'1e999', which is too large"),
    (b'{"a": ' + b"9" * 5_000 + b"}", "a JSON object", "limit"),
    (b'{"a": 1, "b": 2, "a": 3}', "a JSON object", "the key 'a' twice in one object"),
    (b'{"x": {"a": 1, "a": 3}}', "a JSON object", "the key 'a' twice in one object"),
    (b"[" * 200_000, "a JSON object", "nested too deeply"),
    (rb'{"a": "\ud83d"}', "a JSON object", r"half of a surrogate pair (\ud83d)"),
    (rb'{"\udc00": 1}', "a JSON object", r"half of a surrogate pair (\udc00)"),
    (b'{"text": "caf\xe9"}', "UTF-8", "byte 0xE9 at byte 14 of the line"),
    (b'{"text": "\xed\xa0\x80"}', "UTF-8", "byte 0xED at byte 11 of the line"),
]


@pytest.mark.parametrize(("bad", "expected", "found"), BAD_LINES)
def test_a_bad_line_is_a_fault_and_costs_no_other(bad: bytes, expected: str, found: str) -> None:
    good = line({"text": "x"})
    first, fault, last = jsonl(good + bad + b"\n" + good)
    assert first.data == last.data == {"text": "x"}
    assert (fault.line, last.line) == (2, 3)
    assert fault.data is None
    assert fault.fault is not None
    assert (fault.fault.file, fault.fault.line) == ("f.jsonl", 2)
    assert fault.fault.expected == expected
    assert found in fault.fault.found


def test_whole_surrogate_pairs_are_characters() -> None:
    assert jsonl(rb'{"a": "\ud83d\ude00"}')[0].data == {"a": "\U0001f600"}


def test_a_list_over_many_lines_is_answered_with_a_remedy() -> None:
    first = jsonl(b'[\n{"text": "x"},\n{"text": "y"}\n]\n')[0]
    assert first.fault is not None
    assert "one whole object a line" in first.fault.advice


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ('{"text": "x"}\n'.encode("utf-16"), "UTF-16"),
        (b"\xfe\xff" + '{"text": "x"}\n'.encode("utf-16-be"), "UTF-16"),
        ('{"text": "x"}\n'.encode("utf-16-le"), "UTF-16"),
        ('{"text": "x"}\n'.encode("utf-32"), "UTF-32"),
    ],
)
@pytest.mark.parametrize("ending", [".jsonl", ".csv", ".txt"])
def test_other_unicode_files_are_refused_once(
    tmp_path: Path, raw: bytes, name: str, ending: str
) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(raw * 3)
    (row,) = read_rows(path)
    assert row.fault is not None
    assert name in row.fault.found
    assert f"iconv -f {name} -t UTF-8" in row.fault.advice


def test_an_endless_line_is_a_fault_and_the_next_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE", 30)
    good = line({"text": "x"})
    for size in (22, 52, 83, 84, 500):
        read = jsonl(good + line({"text": "y" * size}) + good)
        assert [row.line for row in read] == [1, 2, 3], size
        assert read[1].fault is not None
        assert [read[0].data, read[2].data] == [{"text": "x"}] * 2


def test_compressed_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    packed = gzip.compress(line({"text": "x"}) * 2_000)
    path.write_bytes(packed)
    assert len(list(read_rows(path))) == 2_000
    path.write_bytes(packed[:-12])
    *good, last = read_rows(path)
    assert all(row.data for row in good)
    assert last.fault is not None
    assert "read to its end" in last.fault.expected
    path.write_bytes(b"plain")
    (only,) = read_rows(path)
    assert only.fault is not None
    assert "after line 0" in only.fault.found


@pytest.mark.parametrize(
    ("raw", "title", "text"),
    [
        ("Port opens\n\nRain fell.", "Port opens", "Rain fell."),
        ("Port opens\r\n\r\nRain fell.\r\nIt rained.", "Port opens", "Rain fell.\nIt rained."),
        ("\ufeffPort opens\n \n\nRain fell.\n\n", "Port opens", "Rain fell."),
        ("Will it open?\n\nRain fell.", "Will it open?", "Rain fell."),
        ("Port opens.\n\nRain fell.", None, "Port opens.\n\nRain fell."),
        ("Port opens\nRain fell.", None, "Port opens\nRain fell."),
        ("Port opens\n\n", None, "Port opens"),
        ("x" * 200 + "\n\nRain.", "x" * 200, "Rain."),
        ("x" * 201 + "\n\nRain.", None, "x" * 201 + "\n\nRain."),
        ("", None, ""),
    ],
)
def test_the_title_of_a_plain_text(tmp_path: Path, raw: str, title: str | None, text: str) -> None:
    path = tmp_path / "story.v2.txt"
    path.write_bytes(raw.encode())
    (row,) = read_rows(path)
    assert row.data is not None
    assert row.data["id"] == "story.v2"
    assert row.data.get("title") == title
    assert row.data["text"] == text


@given(words.filter(lambda text: "\0" not in text))
def test_no_word_of_a_plain_text_is_lost(text: str) -> None:
    (row,) = read_text(io.BytesIO(text.encode()), "a.txt")
    assert row.data is not None
    read = f"{row.data.get('title', '')}\n{row.data['text']}"
    assert read.split() == text.removeprefix("\ufeff").split()


def test_broken_plain_text_names_line_and_byte(tmp_path: Path) -> None:
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "a.txt").write_bytes(mark + b"one\ntwo caf\xe9\n")
        (row,) = read_rows(tmp_path / "a.txt")
        assert row.fault is not None
        assert row.fault.line == 2
        assert "byte 0xE9 at byte 8 of the line" in row.fault.found
        assert "iconv" in row.fault.advice


def test_a_huge_plain_text_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE", 30)
    (tmp_path / "a.txt").write_bytes(b"word " * 7)
    (row,) = read_rows(tmp_path / "a.txt")
    assert row.fault is not None


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("a.jsonl", ".jsonl"),
        ("A.JSONL", ".jsonl"),
        ("a.b.ndjson.gz", ".ndjson.gz"),
        ("a.csv", ".csv"),
        ("a.json", None),
        ("a.gz", None),
        ("jsonl", None),
    ],
)
def test_the_ending_names_the_format(name: str, ending: str | None) -> None:
    assert ending_of(name) == ending


def test_what_cannot_be_read_is_said_before_the_first_row(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be opened: No such file"):
        read_rows(tmp_path / "none.jsonl")
    (tmp_path / "d.csv").mkdir()
    with pytest.raises(UsageError, match="cannot be opened: Is a directory"):
        read_rows(tmp_path / "d.csv")
    with pytest.raises(UsageError, match=r"expected a file that ends in \.jsonl"):
        read_rows(tmp_path / "a.docx")
    with pytest.raises(UsageError, match="cannot be opened"):
        column_names(tmp_path / "none.csv")
    assert column_names(tmp_path / "none.jsonl") == ()


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_file_is_no_crash(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"")
    for item in iter_articles(read_rows(path)):
        assert isinstance(item, FaultyInput)


def test_rows_are_read_one_at_a_time() -> None:
    class Source(io.BytesIO):
        taken = 0

        def readline(self, size: int | None = -1, /) -> bytes:
            Source.taken += 1
            return super().readline(size)

    stream = read_jsonl(Source(line({"text": "x"}) * 1_000), "f")
    next(stream)
    next(stream)
    assert Source.taken == 2


def test_faulty_rows_keep_their_place_among_articles() -> None:
    raw = (
        line({"id": 1, "text": "x", "url": "u"})
        + b"{\n"
        + line({"id": 2, "text": ""})
        + line({"title": "t"})
        + line({"text": "y"})
    )
    first, broken, empty, missing, last = iter_articles(jsonl(raw))
    assert first == Article(text="x", id="1")
    assert isinstance(first, Article)
    assert dict(first.extra) == {"url": "u"}
    assert isinstance(broken, FaultyInput)
    assert (broken.id, broken.line) == (None, 2)
    assert isinstance(empty, FaultyInput)
    assert (empty.id, empty.line) == ("2", 3)
    assert "f.jsonl:3" in empty.error
    assert isinstance(missing, FaultyInput)
    assert "no such field" in missing.error
    assert last == Article(text="y")


@given(json_values)
def test_strict_json_reads_what_json_reads(value: object) -> None:
    read = parse_json(json.dumps(value))
    assert read == value
    if isinstance(value, float):
        assert math.copysign(1, read) == math.copysign(1, value)
