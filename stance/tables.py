"""Rows of CSV, TSV and Parquet tables, with the place of every row that cannot be read."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import IO, Any

from stance import rows
from stance.errors import listing, shorten
from stance.rows import Row, bad_row, foreign_encoding, too_long

_BATCH = 256
_BROKEN = re.compile("[\udc80-\udcff]")


def read_csv(stream: IO[bytes], file: str, *, delimiter: str = ",") -> Iterator[Row]:
    """Read a table with a header line; quoting after RFC 4180, an empty cell is null.

    The line of a row is the file's line at which it begins. A quotation mark that is never
    closed costs its own row: reading goes on with the line after it.
    """
    lines = _Lines(stream, file)
    if lines.foreign:
        yield lines.foreign
        return
    header: list[str] | None = None
    for line, cells in lines.rows(delimiter):
        if isinstance(cells, Row):
            yield cells
            if header is None:
                return
        elif header is None:
            header = cells
            if fault := _header_fault(header, file, line, delimiter):
                yield fault
                return
        else:
            yield _csv_row(header, cells, file, line)


def _csv_row(header: list[str], cells: list[str], file: str, line: int) -> Row:
    if len(cells) != len(header):
        return bad_row(
            file,
            line,
            expected=f"{len(header)} cells as in the header",
            found=f"{len(cells)}",
            advice="put quotation marks around a cell that holds the separator or a line end",
        )
    for name, cell in zip(header, cells, strict=True):
        if broken := _BROKEN.search(cell):
            return bad_row(
                file,
                line,
                field=name,
                expected="UTF-8",
                found=f"byte 0x{ord(broken[0]) - 0xDC00:02X} at character {broken.start() + 1}",
                advice="if the whole file is in another encoding, "
                "convert the file, for example: iconv -f LATIN1 -t UTF-8 OLD > NEW",
            )
    data: dict[str, Any] = {
        # An empty text is a fault of its own; any other empty cell says nothing.
        name: cell if cell or name == "text" else None
        for name, cell in zip(header, cells, strict=True)
    }
    return Row(file=file, line=line, data=data)


class _Lines:
    """Physical lines of a file, grouped into rows; a row that fails gives back all but its first.

    Args:
        stream: The file's bytes.
        file: Its name in messages.
    """

    def __init__(self, stream: IO[bytes], file: str) -> None:
        self.file = file
        start = stream.read(4)
        self.foreign = foreign_encoding(start, file)
        start = start.removeprefix(codecs.BOM_UTF8)
        # Broken bytes travel as lone surrogates until the cell that holds them is known.
        self._text = io.TextIOWrapper(
            io.BufferedReader(_Chained(start, stream)),
            encoding="utf-8",
            errors="surrogateescape",
            newline="",
        )
        self._number = 0
        self._waiting: list[tuple[int, str]] = []
        self._taken: list[tuple[int, str]] = []
        self._size = 0

    def rows(self, delimiter: str) -> Iterator[tuple[int, list[str] | Row]]:
        """Line number and cells of each row, or a fault in place of the cells."""
        if csv.field_size_limit() < rows.MAX_LINE:
            csv.field_size_limit(rows.MAX_LINE)
        reader = csv.reader(self, delimiter=delimiter, strict=True)
        while True:
            self._taken, self._size = [], 0
            try:
                cells = next(reader)
            except StopIteration:
                return
            except _TooLongError as error:
                yield error.line, too_long(self.file, error.line)
                self._waiting = self._taken[1:] + self._waiting
                reader = csv.reader(self, delimiter=delimiter, strict=True)
            except csv.Error as error:
                line = self._taken[0][0]
                yield line, self._broken(line, error)
                self._waiting = self._taken[1:] + self._waiting
                reader = csv.reader(self, delimiter=delimiter, strict=True)
            else:
                if cells:
                    yield self._taken[0][0], cells

    def _broken(self, line: int, error: csv.Error) -> Row:
        unclosed = "unexpected end" in str(error)
        found = "one that is never closed" if unclosed else "one out of place"
        return bad_row(
            self.file,
            line,
            expected="cells with paired quotation marks",
            found=f"{found} (read up to line {self._taken[-1][0]})",
            advice="double a quotation mark within a quoted cell",
        )

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        if self._waiting:
            number, line = self._waiting.pop(0)
        else:
            line = self._text.readline(rows.MAX_LINE + 1)
            if not line:
                raise StopIteration
            self._number += 1
            number = self._number
        self._taken.append((number, line))
        self._size += len(line)
        if len(line) > rows.MAX_LINE:
            while line and not line.endswith(("\n", "\r")):
                line = self._text.readline(rows.MAX_LINE)
            self._taken[-1] = (number, "")
        if self._size > rows.MAX_LINE:
            raise _TooLongError(self._taken[0][0])
        return line


class _TooLongError(Exception):
    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


class _Chained(io.RawIOBase):
    """A few bytes that were read already, then the rest of the stream."""

    def __init__(self, start: bytes, rest: IO[bytes]) -> None:
        self._start, self._rest = start, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece, self._start = self._start, b""
        piece = piece or self._rest.read(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def _header_fault(header: Sequence[str], file: str, line: int | None, delimiter: str) -> Row | None:
    twice = sorted({name for name in header if list(header).count(name) > 1})
    if twice:
        return bad_row(
            file, line, field=twice[0], expected="each column once", found="two of this name"
        )
    if "text" in header:
        return None
    others = [mark for mark in ",;\t|" if mark != delimiter and mark in header[0]]
    advice = "name the column of the body text: text"
    if len(header) == 1 and others:
        advice = f"the separator seems to be {others[0]!r}; .csv has commas, .tsv tabs"
    return bad_row(
        file,
        line,
        field="text",
        expected="a column of this name",
        found=f"the columns {listing(shorten(name, 40) for name in header)}",
        advice=advice,
    )


def table_columns(stream: IO[bytes], file: str, ending: str) -> tuple[str, ...]:
    """Columns of an open CSV, TSV or Parquet file; empty if its header cannot be read."""
    if ending == ".parquet":
        table = _open_parquet(stream, file)
        return () if isinstance(table, Row) else tuple(table.schema_arrow.names)
    lines = _Lines(stream, file)
    if lines.foreign is None:
        for _, cells in lines.rows("\t" if ending == ".tsv" else ","):
            return () if isinstance(cells, Row) else tuple(cells)
    return ()


def _open_parquet(stream: IO[bytes], file: str) -> Any:
    # Late, since it takes longer to import than a short text takes to read.
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(stream)
    except (pyarrow.ArrowException, OSError) as error:
        return bad_row(file, None, expected="a Parquet file", found=_first_line(error))


def read_parquet(stream: IO[bytes], file: str) -> Iterator[Row]:
    """Read a Parquet table by batches; `line` is the row, counted from 1.

    Dates become ISO text, decimals text, not-a-number null; bytes are read as UTF-8.
    """
    table = _open_parquet(stream, file)
    if isinstance(table, Row):
        yield table
        return
    if fault := _header_fault(table.schema_arrow.names, file, None, ""):
        yield fault
        return
    import pyarrow

    number = 0
    try:
        for batch in table.iter_batches(batch_size=_BATCH):
            for index in range(batch.num_rows):
                number += 1
                yield _parquet_row(batch.slice(index, 1), file, number)
    except (pyarrow.ArrowException, OSError) as error:
        yield bad_row(
            file,
            None,
            expected="a Parquet file that can be read to its end",
            found=f"after row {number}: {_first_line(error)}",
        )


def _parquet_row(row: Any, file: str, number: int) -> Row:
    data: dict[str, Any] = {}
    for name, column in zip(row.schema.names, row.columns, strict=True):
        try:
            data[name] = _plain(column[0].as_py())
        except UnicodeDecodeError as error:
            return bad_row(
                file,
                number,
                field=name,
                expected="UTF-8",
                found=f"byte 0x{error.object[error.start]:02X} at byte {error.start + 1}",
            )
        except (ValueError, OverflowError) as error:
            return bad_row(file, number, field=name, expected="a value", found=_first_line(error))
    return Row(file=file, line=number, data=data)


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return str(value) if isinstance(value, Decimal) else repr(value)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
