"""`stance export`: a model folder in, plain ONNX out; the work is done in `training`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from stance.cli import display


def export(
    model: Annotated[
        str, typer.Argument(metavar="FOLDER|NAME", help="The model, with its float weights.")
    ],
    onnx: Annotated[
        Path, typer.Option("--onnx", metavar="FOLDER", help="Where to write the ONNX model.")
    ],
) -> None:
    """Write a model as plain ONNX with its tokenizer and schema, checked against the original."""
    from stance import door
    from stance.artifact import resolve_model

    task = "stance export"
    report = door.open_training("training.onnx_export", task=task).export_onnx(
        resolve_model(model), onnx
    )
    typer.echo(display.safe(str(report)))
