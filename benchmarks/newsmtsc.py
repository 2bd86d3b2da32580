"""NewsMTSC: how a news sentence presents a person or party (Hamborg and Donnay, EACL 2021).

    python -m benchmarks.newsmtsc FOLDER --out OUT [--convert-only] [--seeds 0]

FOLDER holds train-rw.jsonl, dev-rw.jsonl, test-rw.jsonl and test-mt.jsonl. The one topic is
`target`, which stands in brackets in the text. What `--convert-only` writes also serves as a first
stage: `stance train OUT --out first`, then `stance train seeds --base first`.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.runs import RECIPES, Converted, Figures, Task, main
from stance.errors import DataError, Fault, shorten
from stance.evaluation import Report
from stance.formats import read_rows
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic

FILES = ("train-rw", "dev-rw", "test-rw", "test-mt")
TESTS = ("test-rw", "test-mt")
TOPIC = "target"
POLARITIES = {-1: "negative", 0: "neutral", 1: "positive"}
SCHEMA = Schema(
    topics=(Topic(name=TOPIC, description="The person or party in brackets."),),
    stances=tuple(Stance(name=name) for name in POLARITIES.values()),
)


def convert(folder: Path) -> Converted:
    """Read the four files.

    Raises:
        UsageError: If one cannot be read.
        DataError: If one is not NewsMTSC; its faults are listed.
    """
    return Converted(
        schema=SCHEMA,
        parts={name: read_mentions(folder / f"{name}.jsonl", name) for name in FILES},
        splits={"train": ("train-rw",), "validation": ("dev-rw",), "test": TESTS},
    )


def read_mentions(path: Path, part: str) -> list[Record]:
    """Read one file; ids are the part's name and the line, `kind` is the part's name.

    Raises:
        UsageError: If it cannot be read.
        DataError: If it is not NewsMTSC; all its faults are listed.
    """
    records = []
    faults = []
    for row in read_rows(path):
        record = row.fault if row.data is None else _record(row.data, part, str(path), row.line)
        if isinstance(record, Record):
            records.append(record)
        elif record is not None:
            faults.append(record)
    if not records and not faults:
        faults.append(Fault(file=str(path), expected="at least one line", found="none"))
    if faults:
        raise DataError(faults)
    return records


def _record(data: Mapping[str, Any], part: str, file: str, line: int | None) -> Record | Fault:
    def fault(field: str, expected: str) -> Fault:
        found = shorten(data[field]) if field in data else "no such field"
        return Fault(file=file, line=line, field=field, expected=expected, found=found)

    sentence, mention = data.get("sentence"), data.get("mention")
    if not isinstance(sentence, str):
        return fault("sentence", "text")
    start, end = data.get("from"), data.get("to")
    if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start < end:
        return fault("from", "a whole number, with a larger one in the field to")
    if sentence[start:end] != mention:
        return fault("mention", f"what the sentence has there, {shorten(sentence[start:end])}")
    polarity = data.get("polarity")
    if not isinstance(polarity, int) or polarity not in POLARITIES:
        return fault("polarity", "-1, 0 or 1")
    name = f"{part}-{line:05d}"
    return Record(
        id=name,
        kind=part,
        article=Article(
            id=name,
            text=f"{sentence[:start]}[ {mention} ]{sentence[end:]}",
            extra={"source": data["id"]} if isinstance(data.get("id"), str) else {},
        ),
        labels=(Label(topic=TOPIC, stance=POLARITIES[polarity]),),
    )


def figures(report: Report) -> Figures:
    """Macro F1 and accuracy of the polarity per part, in [0, 1]."""
    cards = report.slices["kind"]
    return {
        f"{part} {words}": cards[part].value("sure", "stance", name)
        for part in cards
        for words, name in (("macro F1", "macro_f1"), ("accuracy", "accuracy"))
    }


TASK = Task(
    module="benchmarks.newsmtsc",
    about="NewsMTSC: how a news sentence presents a person or party.",
    source=f"holds {', '.join(f'{name}.jsonl' for name in FILES)} of NewsMTSC",
    recipe=RECIPES / "newsmtsc.toml",
    seeds=(0,),
    convert=convert,
    figures=figures,
)

if __name__ == "__main__":
    sys.exit(main(TASK))
