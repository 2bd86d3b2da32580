"""Labelled data from files, folders and Hugging Face data sets, as checked records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stance.errors import DataError, Fault, SchemaError, UsageError, listing, shorten
from stance.formats import (
    RECORD_ENDINGS,
    Row,
    column_names,
    ending_of,
    iter_articles,
    parse_json,
    read_rows,
)
from stance.hub import HUB_PREFIX, is_saved_dataset, read_hub
from stance.records import Record, parse_record
from stance.schema import Schema

__all__ = [
    "Dataset",
    "TextConflict",
    "data_files",
    "digest_of",
    "find_schema",
    "iter_articles",
    "load_records",
    "text_conflicts",
]

Source = str | Path | Sequence[str | Path]
_COMPANIONS = {"schema.json", "schema.toml", "splits.json"}
_TABLES = {".csv", ".tsv", ".parquet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """Checked records and where they came from.

    Attributes:
        schema: Whose topics and stances the labels use.
        records: In the order of the files and their lines.
        files: What was read, as the user named it.
        digest: SHA-256 over the records' JSON in order of id; the order and layout of the files
            do not change it.
        faults: Of rows that `skip_invalid` left out; empty otherwise.
    """

    schema: Schema
    records: tuple[Record, ...]
    files: tuple[str, ...]
    digest: str
    faults: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TextConflict:
    """The same text more than once.

    Attributes:
        ids: Of the records that share it.
        same_labels: False if they disagree on a topic or a stance.
    """

    ids: tuple[str, ...]
    same_labels: bool


def load_records(
    source: Source,
    schema: Schema | None = None,
    *,
    skip_invalid: bool = False,
    on_fault: Callable[[Fault], None] | None = None,
) -> Dataset:
    """Load labelled data; the faults of all files are gathered before any is raised.

    Args:
        source: A file, a folder (its data files by name), a list of these, a data set saved by
            Hugging Face `datasets`, or `hf:NAME` or `hf:NAME:SPLIT`.
        schema: Topics and stances; found beside the data if None.
        skip_invalid: Keep the good records where there are faults; `Dataset.faults` lists them.
        on_fault: Called with each fault as it is found.

    Raises:
        DataError: If there are faults and `skip_invalid` is false, or if no record is left.
        UsageError: If a file cannot be opened, has no known ending, or a folder holds no data.
        SchemaError: If no schema is given or found.
        MissingExtraError: If Hugging Face data are named and `datasets` is not installed.
    """
    sources = [source] if isinstance(source, str | Path) else list(source)
    if not sources:
        raise UsageError("no data given; name a file or a folder")
    streams = [stream for item in sources for stream in _streams(item)]
    schema = schema or find_schema(sources[0])
    records: list[Record] = []
    faults: list[Fault] = []
    places: dict[str, str] = {}

    def report(found: Iterable[Fault]) -> None:
        for fault in found:
            faults.append(fault)
            if on_fault:
                on_fault(fault)

    for name, rows in streams:
        if fault := _columns_fault(name, schema):
            report([fault])
            continue
        for row in rows():
            record = _record(row, schema)
            if not isinstance(record, Record):
                report(record)
            elif record.id in places:
                report([_twice(record.id, row, places[record.id])])
            else:
                places[record.id] = f"{row.file}:{row.line}"
                records.append(record)
    if faults and not skip_invalid:
        raise DataError(faults, advice="mend them, or go on without them with --skip-invalid")
    if not records:
        names = tuple(name for name, _ in streams)
        empty = Fault(file=listing(names), expected="at least one record", found="none")
        raise DataError([*faults, empty])
    return Dataset(
        schema=schema,
        records=tuple(records),
        files=tuple(name for name, _ in streams),
        digest=digest_of(records),
        faults=tuple(faults),
    )


def data_files(folder: str | Path) -> tuple[list[Path], list[Path]]:
    """Data files of a folder by name, and its other files that are no part of the data.

    Hidden files, the schema, `splits.json` and read-me files are neither.
    """
    data: list[Path] = []
    other: list[Path] = []
    for path in sorted(Path(folder).iterdir()):
        name = path.name.lower()
        if not path.is_file() or name in _COMPANIONS or name.startswith((".", "readme")):
            continue
        (data if ending_of(path) in RECORD_ENDINGS else other).append(path)
    return data, other


def find_schema(path: str | Path) -> Schema:
    """Load `schema.json` or `schema.toml` in a folder, or beside a file.

    Raises:
        SchemaError: If there is none, or both.
    """
    if str(path).startswith(HUB_PREFIX):
        raise SchemaError(f"{path}: name its topics and stances in a file: --schema FILE")
    path = Path(path)
    folder = path if path.is_dir() else path.parent
    found = [item for item in (folder / "schema.json", folder / "schema.toml") if item.is_file()]
    if len(found) == 1:
        return Schema.load(found[0])
    what = "both" if found else "neither"
    raise SchemaError(
        f"{folder}: expected schema.json or schema.toml with the topics and stances of the data, "
        f"found {what}; name one with --schema FILE"
    )


def digest_of(records: Iterable[Record]) -> str:
    """SHA-256 over the records' canonical JSON in order of id."""
    digest = hashlib.sha256()
    for record in sorted(records, key=lambda record: record.id):
        line = json.dumps(
            record.to_dict(), ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        digest.update(line.encode("utf-8") + b"\n")
    return digest.hexdigest()


def text_conflicts(records: Iterable[Record]) -> list[TextConflict]:
    """Texts that occur more than once, letter for letter, in order of first occurrence."""
    groups: dict[tuple[str, str], list[Record]] = {}
    for record in records:
        groups.setdefault(text_key(record), []).append(record)
    return [
        TextConflict(
            ids=tuple(record.id for record in group),
            same_labels=len({labelling(record) for record in group}) == 1,
        )
        for group in groups.values()
        if len(group) > 1
    ]


def text_key(record: Record) -> tuple[str, str]:
    """Title and text without space around them: the same for texts that are the same."""
    return (record.article.title or "").strip(), record.article.text.strip()


def labelling(record: Record) -> frozenset[tuple[str, str]]:
    """Topic and stance of each label."""
    return frozenset((label.topic, label.stance) for label in record.labels)


def _streams(source: str | Path) -> list[tuple[str, Callable[[], Iterator[Row]]]]:
    """Name and reader of each stream of rows; the existence of files is checked at once."""
    name = str(source)
    if name.startswith(HUB_PREFIX) or is_saved_dataset(source):
        return [(name, lambda: read_hub(name))]
    path = Path(source)
    if not path.is_dir():
        rows = read_rows(path)
        return [(name, lambda: rows)]
    files, _ = data_files(path)
    if not files:
        raise UsageError(f"{name}: expected files that end in {listing(RECORD_ENDINGS)}")
    return [stream for item in files for stream in _streams(item)]


def _twice(name: str, row: Row, first: str) -> Fault:
    return Fault(
        file=row.file,
        line=row.line,
        record=name,
        field="id",
        expected="an id that is used once",
        found=f"it first at {first}",
        advice="rename one, or remove it if it is the same text",
    )


def _columns_fault(file: str, schema: Schema) -> Fault | None:
    """A table without labels is refused once, not in every row."""
    if ending_of(file) not in _TABLES or file.startswith(HUB_PREFIX):
        return None
    columns = column_names(file)
    missing = [name for name in schema.topic_names if name not in columns]
    if not columns or "text" not in columns or "labels" in columns or not missing:
        return None
    return Fault(
        file=file,
        line=1,
        field=missing[0],
        expected="a column labels, or a column per topic that holds a stance or nothing",
        found=f"no column {listing(missing)}",
        advice="a topic that no text carries has an empty column",
    )


def _record(row: Row, schema: Schema) -> Record | list[Fault]:
    if row.data is None:
        return [row.fault] if row.fault else []
    data = dict(row.data)
    fault = _untable(data, row, schema)
    return [fault] if fault else parse_record(data, schema, file=row.file, line=row.line)


def _untable(data: dict[str, Any], row: Row, schema: Schema) -> Fault | None:
    """Turn the cells of a table into `labels`; native rows pass unchanged."""
    cell = data.get("labels")
    if isinstance(cell, str):
        try:
            data["labels"] = parse_json(cell)
        except ValueError as error:
            return _cell_fault(row, data, "labels", "a JSON list of labels", str(error))
    if isinstance(data.get("labels"), list):
        # Columns of structs hold every field in every row, null where it is absent.
        data["labels"] = [
            {key: value for key, value in label.items() if value is not None}
            if isinstance(label, dict)
            else label
            for label in data["labels"]
        ]
    if "labels" in data or not any(name in data for name in schema.topic_names):
        return None
    labels = []
    for topic in schema.topic_names:
        value = data.pop(topic, None)
        value = value.strip() if isinstance(value, str) else value
        if value is None or value == "":
            continue
        if value not in schema.stance_names:
            expected = f"nothing or one of {listing(schema.stance_names)}"
            return _cell_fault(row, data, topic, expected, shorten(value))
        labels.append({"topic": topic, "stance": value})
    data["labels"] = labels
    return None


def _cell_fault(row: Row, data: dict[str, Any], field: str, expected: str, found: str) -> Fault:
    name = data.get("id")
    return Fault(
        file=row.file,
        line=row.line,
        record=str(name) if isinstance(name, str | int) else None,
        field=field,
        expected=expected,
        found=found,
    )
