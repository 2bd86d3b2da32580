"""Rows read from files, by ending: JSON Lines, CSV, TSV, Parquet and plain text.

Every reader streams: memory holds one line, one table row or one Parquet batch. What cannot be
read is a row with a fault, and the reader goes on with the next one.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from stance import rows, tables
from stance.errors import UsageError, listing, shorten
from stance.files import reason
from stance.predictions import FaultyInput
from stance.records import ARTICLE_KEYS, Article, parse_article
from stance.rows import Row, bad_row, broken_utf8, foreign_encoding, too_long
from stance.writers import RowWriter, open_writer

__all__ = [
    "ENDINGS",
    "RECORD_ENDINGS",
    "Row",
    "RowWriter",
    "carried_columns",
    "column_names",
    "ending_of",
    "iter_articles",
    "open_writer",
    "parse_json",
    "read_articles",
    "read_jsonl",
    "read_rows",
    "read_text",
]

RECORD_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz", ".csv", ".tsv", ".parquet")
ENDINGS = (*RECORD_ENDINGS, ".txt")
TITLE_LIMIT = 200
MAX_DEPTH = 100
"""Levels of lists and objects within each other: what is deeper is no data, but stops programs."""


def ending_of(path: str | Path) -> str | None:
    """The ending that names the format, in lower case; None if stance does not read it."""
    name = Path(path).name.lower()
    return next((ending for ending in ENDINGS if name.endswith(ending)), None)


def read_rows(path: str | Path, *, name: str | None = None) -> Iterator[Row]:
    """Read a file row by row.

    Args:
        path: The file.
        name: What messages call it, where that is not its path.

    Raises:
        UsageError: If the file cannot be opened or its ending is unknown; before the first row.
    """
    path = Path(path)
    file, ending = name or str(path), ending_of(path)
    if ending is None:
        raise UsageError(f"{file}: expected a file that ends in {listing(ENDINGS)}")
    try:
        path.open("rb").close()
    except OSError as error:
        raise UsageError(f"{file}: cannot be opened: {reason(error)}") from None
    return _guarded(path, file, _reader(ending))


def _reader(ending: str) -> Callable[[IO[bytes], str], Iterator[Row]]:
    if ending == ".txt":
        return read_text
    if ending in {".csv", ".tsv"}:
        delimiter = "\t" if ending == ".tsv" else ","
        return lambda stream, file: tables.read_csv(stream, file, delimiter=delimiter)
    if ending == ".parquet":
        return tables.read_parquet
    if ending.endswith(".gz"):
        # gzip types its file object more narrowly than IO[bytes].
        return lambda stream, file: read_jsonl(gzip.open(stream, "rb"), file)  # type: ignore[arg-type]
    return read_jsonl


def _guarded(
    path: Path, file: str, reader: Callable[[IO[bytes], str], Iterator[Row]]
) -> Iterator[Row]:
    line: int | None = None
    try:
        with path.open("rb") as stream:
            for row in reader(stream, file):
                line = row.line
                yield row
    except (OSError, EOFError, zlib.error) as error:
        # A damaged archive or disk: what was read before it stays good.
        found = reason(error) if isinstance(error, OSError) else str(error)
        yield bad_row(
            file,
            None,
            expected="a file that can be read to its end",
            found=f"after line {line or 0}: {found}",
        )


def column_names(path: str | Path) -> tuple[str, ...]:
    """Columns of a CSV, TSV or Parquet file in order; empty for other formats.

    Raises:
        UsageError: If the file cannot be opened.
    """
    ending = ending_of(path)
    if ending not in {".csv", ".tsv", ".parquet"}:
        return ()
    try:
        with Path(path).open("rb") as stream:
            return tables.table_columns(stream, str(path), ending)
    except OSError as error:
        raise UsageError(f"{path}: cannot be opened: {reason(error)}") from None


def carried_columns(paths: Iterable[str | Path]) -> tuple[str, ...]:
    """Columns of tables that a prediction can carry through, in the order of their first file."""
    names: dict[str, None] = {}
    for path in paths:
        # A file that cannot be opened is told in its place among the answers.
        with suppress(UsageError):
            names |= dict.fromkeys(column_names(path))
    return tuple(name for name in names if name not in ARTICLE_KEYS)


def read_jsonl(stream: IO[bytes], file: str) -> Iterator[Row]:
    """Read JSON Lines from an open binary stream; `file` is its name in messages."""
    number = 0
    while line := stream.readline(rows.MAX_LINE + 1):
        number += 1
        if number == 1:
            if fault := foreign_encoding(line, file):
                yield fault
                return
            line = line.removeprefix(b"\xef\xbb\xbf")
        if len(line) > rows.MAX_LINE:
            yield too_long(file, number)
            while len(line) > rows.MAX_LINE and not line.endswith(b"\n"):
                line = stream.readline(rows.MAX_LINE + 1)
            continue
        if line.strip():
            yield _json_row(line, file, number)


def _json_row(line: bytes, file: str, number: int) -> Row:
    try:
        text = line.decode("utf-8").rstrip()
    except UnicodeDecodeError as error:
        return broken_utf8(error, file, number)
    try:
        data = parse_json(text)
    except ValueError as error:
        advice = ""
        if number == 1 and text in {"[", "{"}:
            advice = "JSON Lines has one whole object a line; jq -c '.[]' turns a list into lines"
        return bad_row(file, number, expected="a JSON object", found=str(error), advice=advice)
    if not isinstance(data, dict):
        return bad_row(
            file,
            number,
            expected="a JSON object",
            found=shorten(data),
            advice="each line holds one object with the key text",
        )
    return Row(file=file, line=number, data=data)


def parse_json(text: str) -> Any:
    """Parse strict JSON: no NaN, no repeated keys, no half of a surrogate pair, no bottomless nest.

    Raises:
        ValueError: With words that fit behind "found".
    """
    try:
        data = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"broken JSON at character {error.pos + 1}: {error.msg}") from None
    except RecursionError:
        raise ValueError(_TOO_DEEP) from None
    if text.count("[") + text.count("{") > MAX_DEPTH and not _within_depth(data):
        raise ValueError(_TOO_DEEP)
    if "\\u" in text and (half := _HALF.search(json.dumps(data, ensure_ascii=False))):
        raise ValueError(f"half of a surrogate pair (\\u{ord(half[0]):04x}), which is no character")
    return data


_HALF = re.compile("[\ud800-\udfff]")


_TOO_DEEP = f"JSON nested too deeply, in more than {MAX_DEPTH} levels"


def _within_depth(data: Any) -> bool:
    level = [data]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for item in level
            if isinstance(item, dict | list)
            for inner in (item.values() if isinstance(item, dict) else item)
        ]
    return not any(isinstance(item, dict | list) for item in level)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    data = dict(pairs)
    if len(data) < len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, _ in pairs if counts[key] > 1)
        raise ValueError(f"the key {shorten(twice)} twice in one object")
    return data


def _no_constant(name: str) -> float:
    raise ValueError(f"{name}, which is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if value in (float("inf"), float("-inf")):
        raise ValueError(f"the number {shorten(digits)}, which is too large")
    return value


def read_text(stream: IO[bytes], file: str) -> Iterator[Row]:
    """Read one article from a plain text file.

    The first line is the title if an empty line and more text follow, it has at most 200
    characters and does not end in a full stop; otherwise all is text. The id is the file's name
    without its ending.
    """
    raw = stream.read(rows.MAX_LINE + 1)
    if len(raw) > rows.MAX_LINE:
        yield too_long(file, None)
        return
    if fault := foreign_encoding(raw, file):
        yield fault
        return
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        yield broken_utf8(error, file, 1)
        return
    text = text.replace("\r\n", "\n").strip("\n")
    data: dict[str, Any] = {"id": Path(file).stem}
    head, _, rest = text.partition("\n")
    second, _, body = rest.partition("\n")
    title = head.strip()
    if not second.strip() and body.strip() and 0 < len(title) <= TITLE_LIMIT and title[-1] != ".":
        data |= {"title": title, "text": body.strip("\n")}
    else:
        data["text"] = text
    yield Row(file=file, line=1, data=data)


def read_articles(path: str | Path, *, name: str | None = None) -> Iterator[Article | FaultyInput]:
    """Read a file of articles; one that cannot be opened is a `FaultyInput` itself.

    Args:
        path: The file.
        name: What messages call it, where that is not its path.
    """
    try:
        rows = read_rows(path, name=name)
    except UsageError as error:
        # One file that cannot be opened costs none of the others.
        yield FaultyInput(id=None, line=None, error=str(error))
        return
    yield from iter_articles(rows)


def iter_articles(rows: Iterable[Row]) -> Iterator[Article | FaultyInput]:
    """Turn rows into articles; a row with faults keeps its place as a `FaultyInput`."""
    for row in rows:
        if row.data is None:
            yield FaultyInput(id=None, line=row.line, error=str(row.fault))
            continue
        article = parse_article(row.data, file=row.file, line=row.line)
        if isinstance(article, Article):
            yield article
        else:
            name = row.data.get("id")
            yield FaultyInput(
                id=str(name) if isinstance(name, str | int) else None,
                line=row.line,
                error="; ".join(str(fault) for fault in article),
            )
