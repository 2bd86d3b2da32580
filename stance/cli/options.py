"""Options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Format(StrEnum):
    """How results are written to standard output."""

    text = "text"
    json = "json"


Sources = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|FOLDER...",
        help="Labelled data: .jsonl, .csv, .tsv, .parquet; a folder, all its data files; "
        "hf:NAME or hf:NAME:SPLIT, a Hugging Face data set.",
    ),
]
SchemaFile = Annotated[
    Path | None,
    typer.Option(
        "--schema",
        metavar="FILE",
        help="Topics and stances; schema.json or schema.toml beside the data if not given.",
    ),
]
SplitsFile = Annotated[
    Path | None,
    typer.Option(
        "--splits", metavar="FILE", help="The splits; splits.json with the data if not given."
    ),
]
OutputFormat = Annotated[Format, typer.Option("--format", help="How to write to standard output.")]
SkipInvalid = Annotated[
    bool, typer.Option("--skip-invalid", help="Go on without the records that have faults.")
]
