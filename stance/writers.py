"""Rows written to files, by ending: JSON Lines as they are, CSV and Parquet one column a value."""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Protocol

from stance.errors import UsageError, listing
from stance.files import replacing
from stance.schema import Schema

WRITE_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".csv", ".tsv", ".parquet")
_BATCH = 1_000
# Spreadsheets run a cell that begins so as a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_KINDS = (
    ("probability", "number"),
    ("stance", "text"),
    ("stance_probability", "number"),
    ("uncertain", "flag"),
    ("evidence", "text"),
)


class RowWriter(Protocol):
    """Takes predictions (or `FaultyInput`s) as JSON objects, one at a time."""

    def write(self, row: Mapping[str, Any]) -> None:
        """Write one object."""


def ending_to_write(path: str | Path) -> str:
    """The one of `WRITE_ENDINGS` that says how a file is written.

    Raises:
        UsageError: If the ending is none of them.
    """
    name = Path(path).name.lower()
    ending = next((item for item in WRITE_ENDINGS if name.endswith(item)), None)
    if ending is None:
        raise UsageError(f"{path}: expected a file that ends in {listing(WRITE_ENDINGS)}")
    return ending


def json_line(row: Mapping[str, Any]) -> bytes:
    """One object as a line of JSON Lines, its line feed included."""
    return json.dumps(row, ensure_ascii=False, allow_nan=False).encode("utf-8") + b"\n"


@contextmanager
def open_writer(
    path: str | Path, *, schema: Schema | None = None, extra_columns: Sequence[str] = ()
) -> Iterator[RowWriter]:
    """Open a file for predictions; it appears under its name when the block ends without error.

    Args:
        path: `.jsonl`, `.ndjson` (also `.gz`), `.csv`, `.tsv` or `.parquet`.
        schema: Whose topics become columns; needed for tables, unused for JSON Lines.
        extra_columns: For tables: carried keys that get columns of their own. Other carried keys
            go into the column `extra` as one JSON object.

    Raises:
        UsageError: If the ending is unknown, or if a table is asked for without a schema.
        StanceError: If the file cannot be written.
    """
    ending = ending_to_write(path)
    if ending in {".csv", ".tsv", ".parquet"} and schema is None:
        raise UsageError(f"{path}: a table needs a schema, whose topics become columns")
    with replacing(path, "wb") as stream:
        if schema is not None and ending in {".csv", ".tsv", ".parquet"}:
            table = _Columns(schema, extra_columns)
            if ending == ".parquet":
                with _ParquetWriter(stream, table) as writer:
                    yield writer
            else:
                yield _CsvWriter(stream, table, "\t" if ending == ".tsv" else ",")
        elif ending.endswith(".gz"):
            # Without name and time the same rows give the same bytes.
            with gzip.GzipFile(filename="", fileobj=stream, mode="wb", mtime=0) as packed:
                yield _JsonWriter(packed)
        else:
            yield _JsonWriter(stream)


def join_files(parts: Sequence[Path], path: str | Path) -> None:
    """Write files of predictions, one after the other, as one file, and remove them.

    Args:
        parts: JSON Lines or Parquet tables of the same columns, all with the ending of `path`.
        path: The file to write; it appears under its name when all is in it.

    Raises:
        StanceError: If the file cannot be written.
    """
    if len(parts) == 1:
        parts[0].replace(path)
        return
    with replacing(path, "wb") as stream:
        if Path(path).suffix == ".parquet":
            _join_tables(parts, stream)
        else:
            for part in parts:
                with part.open("rb") as source:
                    shutil.copyfileobj(source, stream)
    for part in parts:
        part.unlink()


def _join_tables(parts: Sequence[Path], stream: IO[bytes]) -> None:
    import pyarrow.parquet

    tables = [pyarrow.parquet.ParquetFile(part) for part in parts]
    with pyarrow.parquet.ParquetWriter(stream, tables[0].schema_arrow) as writer:
        for table in tables:
            for group in range(table.num_row_groups):
                writer.write_table(table.read_row_group(group))


class _JsonWriter:
    def __init__(self, stream: IO[bytes] | gzip.GzipFile) -> None:
        self._stream = stream

    def write(self, row: Mapping[str, Any]) -> None:
        self._stream.write(json_line(row))


class _Columns:
    """Which columns a table of predictions has, and how a prediction falls into them."""

    def __init__(self, schema: Schema, extra_columns: Sequence[str]) -> None:
        self._topics = schema.topic_names
        self.kinds: dict[str, str] = {"id": "text"}
        for topic in self._topics:
            self.kinds |= {f"{topic}_{name}": kind for name, kind in _KINDS}
        self.kinds |= {"error": "text", "line": "count"}
        self._extra = tuple(
            name for name in dict.fromkeys(extra_columns) if name not in {*self.kinds, "extra"}
        )
        self.kinds |= dict.fromkeys((*self._extra, "extra"), "text")

    def cells(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A prediction object as one cell per column; None for an empty cell."""
        cells: dict[str, Any] = dict.fromkeys(self.kinds)
        cells["id"] = row.get("id")
        if "topics" not in row:
            cells |= {"error": row.get("error"), "line": row.get("line")}
            return cells
        for topic, value in row["scores"].items():
            cells[f"{topic}_probability"] = value
        for finding in row["topics"]:
            place = finding["topic"]
            cells[f"{place}_stance"] = finding["stance"]
            cells[f"{place}_stance_probability"] = finding["stance_probabilities"][
                finding["stance"]
            ]
            cells[f"{place}_uncertain"] = finding["uncertain"]
            cells[f"{place}_evidence"] = "\n".join(item["sentence"] for item in finding["evidence"])
        known = {"id", "topics", "scores", "below"}
        carried = {key: value for key, value in row.items() if key not in known}
        for name in self._extra:
            value = carried.pop(name, None)
            cells[name] = value if value is None or isinstance(value, str) else _json(value)
        cells["extra"] = _json(carried) if carried else None
        return cells


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


class _CsvWriter:
    def __init__(self, stream: IO[bytes], table: _Columns, delimiter: str) -> None:
        self._stream, self._table = stream, table
        self._rows = csv.writer(self, delimiter=delimiter, lineterminator="\r\n")
        self._line = ""
        self._put([_safe(name) for name in table.kinds])

    def write(self, row: Any) -> None:
        if isinstance(row, str):
            # csv.writer hands its finished line back to us.
            self._line = row
            return
        self._put([_cell(value) for value in self._table.cells(row).values()])

    def _put(self, cells: list[Any]) -> None:
        self._rows.writerow(cells)
        self._stream.write(self._line.encode("utf-8"))


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _safe(value) if isinstance(value, str) else value


def _safe(text: str) -> str:
    return "'" + text if text.startswith(_FORMULA) else text


class _ParquetWriter:
    def __init__(self, stream: IO[bytes], table: _Columns) -> None:
        # Late, since it takes longer to import than a short text takes to read.
        import pyarrow
        import pyarrow.parquet

        types = {
            "text": pyarrow.string(),
            "number": pyarrow.float64(),
            "flag": pyarrow.bool_(),
            "count": pyarrow.int64(),
        }
        self._pyarrow, self._table = pyarrow, table
        self._schema = pyarrow.schema([(name, types[kind]) for name, kind in table.kinds.items()])
        self._writer = pyarrow.parquet.ParquetWriter(stream, self._schema)
        self._rows: list[dict[str, Any]] = []

    def __enter__(self) -> _ParquetWriter:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self._flush()
        self._writer.close()

    def write(self, row: Mapping[str, Any]) -> None:
        self._rows.append(self._table.cells(row))
        if len(self._rows) >= _BATCH:
            self._flush()

    def _flush(self) -> None:
        if self._rows:
            table = self._pyarrow.Table.from_pylist(self._rows, schema=self._schema)
            self._writer.write_table(table)
            self._rows = []
