from __future__ import annotations

import csv
import datetime
import decimal
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import any_text

from stance import rows
from stance.formats import column_names, read_rows
from stance.rows import Row
from stance.tables import read_csv

HEADER = "id,text,note\n"


def table(raw: str | bytes, delimiter: str = ",") -> list[Row]:
    raw = raw.encode() if isinstance(raw, str) else raw
    return list(read_csv(io.BytesIO(raw), "f.csv", delimiter=delimiter))


tables = st.lists(any_text, max_size=3, unique=True).flatmap(
    lambda names: st.tuples(
        st.just([*[name for name in names if name != "text"], "text"]),
        st.lists(st.lists(any_text, min_size=len(names) + 1, max_size=len(names) + 1), max_size=4),
    )
)


@given(tables, st.sampled_from(",\t"), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_any_table_of_texts_comes_back(
    made: tuple[list[str], list[list[str]]], delimiter: str, end: str, mark: bool
) -> None:
    header, lines = made
    out = io.StringIO(newline="")
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerows([header, *(cells[: len(header)] for cells in lines)])
    raw = out.getvalue().encode("utf-8-sig" if mark else "utf-8")
    read = table(raw, delimiter)
    expected = [
        {
            name: cell or (cell if name == "text" else None)
            for name, cell in zip(header, cells, strict=False)
        }
        for cells in lines
    ]
    assert [row.data for row in read] == expected


def test_the_line_is_where_the_row_begins() -> None:
    read = table(HEADER + 'a,"one\ntwo\nthree",\n\nb,four,x\n')
    assert [(row.line, row.data and row.data["id"]) for row in read] == [(2, "a"), (6, "b")]


@pytest.mark.parametrize(
    ("bad", "field", "words"),
    [
        (b"x,short\n", None, "expected 3 cells as in the header, found 2"),
        (b"x,a,b,c\n", None, "expected 3 cells as in the header, found 4"),
        (b"x,caf\xe9,n\n", "text", "byte 0xE9 at character 4"),
        (b'x,"open,n\n', None, "quotation marks"),
        (b'x,"a" b,n\n', None, "one out of place"),
    ],
)
def test_a_bad_row_is_a_fault_and_costs_no_other(bad: bytes, field: str | None, words: str) -> None:
    good = b'a,"one, two",n\n'
    for rest in (good * 3, b"a,one,n\n" * 3):
        first, fault, *others = table(HEADER.encode() + good + bad + rest)
        assert first.data == {"id": "a", "text": "one, two", "note": "n"}
        assert fault.fault is not None
        assert (fault.fault.line, fault.fault.field) == (3, field)
        assert words in str(fault.fault)
        assert [row.line for row in others] == [4, 5, 6]
        assert all(row.data for row in others)


def test_an_unclosed_mark_at_the_end(tmp_path: Path) -> None:
    read = table(HEADER + 'a,"one\nb,two,n\nc,three,n')
    assert read[0].fault is not None
    assert "never closed (read up to line 4)" in read[0].fault.found
    assert [row.line for row in read[1:]] == [3, 4]


def test_an_endless_row_is_a_fault_and_the_rest_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rows, "MAX_LINE", 50)
    for bad in ("a," + "x" * 200 + ",n\n", 'a,"' + "x" * 20 + "\n" + "y" * 200 + '",n\n'):
        read = table(HEADER + "a,one,n\n" + bad + "b,two,n\n")
        assert [row.line for row in read if row.fault] == [3]
        assert [row.data["id"] for row in read if row.data] == ["a", "b"]
    read = table(HEADER + 'x,"open,n\n' + "a,one,n\n" * 30)
    assert [row.line for row in read if row.fault] == [2]
    assert [row.line for row in read if row.data] == list(range(3, 33))


def test_long_cells_are_read_whole() -> None:
    text = "word " * 100_000
    assert table(HEADER + f"a,{text},n\n")[0].data == {"id": "a", "text": text, "note": "n"}


@pytest.mark.parametrize(
    ("header", "words"),
    [
        ("id,body\n", "expected a column of this name, found the columns 'id', 'body'"),
        ("id;text\n", "the separator seems to be ';'"),
        ("text,text\n", "each column once"),
        ('"text\n', "never closed"),
    ],
)
def test_a_table_without_a_sound_header_is_refused_once(header: str, words: str) -> None:
    (row,) = table(header + "a,b\n" * 5)
    assert row.fault is not None
    assert words in str(row.fault)


def test_columns_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("\ufeffid,text\n", encoding="utf-8")
    (tmp_path / "b.tsv").write_text("text\tid\n1\t2\n", encoding="utf-8")
    pq.write_table(pa.table({"text": ["a"], "x": [1]}), tmp_path / "c.parquet")
    (tmp_path / "d.parquet").write_bytes(b"PAR1")
    assert column_names(tmp_path / "a.csv") == ("id", "text")
    assert column_names(tmp_path / "b.tsv") == ("text", "id")
    assert column_names(tmp_path / "c.parquet") == ("text", "x")
    assert column_names(tmp_path / "d.parquet") == ()


@given(
    st.lists(st.fixed_dictionaries({"text": any_text, "n": st.none() | st.integers(-9, 9)})),
)
def test_parquet_comes_back(
    tmp_path_factory: pytest.TempPathFactory, items: list[dict[str, Any]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "back.parquet"
    columns = pa.schema([("text", pa.string()), ("n", pa.int64())])
    pq.write_table(pa.Table.from_pylist(items, schema=columns), path, row_group_size=2)
    read = list(read_rows(path))
    assert [row.data for row in read] == items
    assert [row.line for row in read] == list(range(1, len(items) + 1))


def test_parquet_values_become_what_json_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    made = {
        "text": [b"caf\xc3\xa9"],
        "day": [datetime.date(2024, 5, 1)],
        "at": [datetime.datetime(2024, 5, 1, 12, 0)],
        "price": [decimal.Decimal("1.50")],
        "gap": [float("nan")],
        "labels": [[{"topic": "harbour", "evidence": None}]],
    }
    pq.write_table(pa.table(made), path)
    (row,) = read_rows(path)
    assert row.data == {
        "text": "café",
        "day": "2024-05-01",
        "at": "2024-05-01T12:00:00",
        "price": "1.50",
        "gap": None,
        "labels": [{"topic": "harbour", "evidence": None}],
    }


def test_a_broken_parquet_cell_costs_no_other(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    column = pa.array([b"one", b"caf\xe9", b"three"]).view(pa.string())
    pq.write_table(pa.table({"text": column}), path)
    first, fault, last = read_rows(path)
    assert (first.data, last.data) == ({"text": "one"}, {"text": "three"})
    assert fault.fault is not None
    assert (fault.fault.line, fault.fault.field) == (2, "text")
    assert "byte 0xE9 at byte 4" in fault.fault.found


def test_a_damaged_parquet_file_keeps_what_was_read(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    whole = pa.table({"text": [f"text {number} " * 50 for number in range(900)]})
    pq.write_table(whole, path, row_group_size=300, compression="gzip", use_dictionary=False)
    raw = bytearray(path.read_bytes())
    second = pq.ParquetFile(path).metadata.row_group(1).column(0)
    for place in range(second.data_page_offset, second.data_page_offset + 200):
        raw[place] ^= 0xFF
    path.write_bytes(raw)
    *good, last = read_rows(path)
    assert len(good) >= 200
    assert all(row.data for row in good)
    assert last.fault is not None
    assert f"after row {len(good)}" in last.fault.found


@pytest.mark.parametrize("raw", [b"", b"PAR1", b"text\nabc\n"])
def test_what_is_no_parquet_is_a_fault(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "a.parquet").write_bytes(raw)
    (row,) = read_rows(tmp_path / "a.parquet")
    assert row.fault is not None
    assert row.fault.expected == "a Parquet file"


def test_parquet_without_text_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"body": ["a"]}), tmp_path / "a.parquet")
    (row,) = read_rows(tmp_path / "a.parquet")
    assert row.fault is not None
    assert row.fault.field == "text"
