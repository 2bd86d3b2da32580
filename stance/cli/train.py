"""`stance train`: labelled data in, a model folder out; the work is done in `training`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from stance.cli import display


def train(
    data: Annotated[
        list[str],
        typer.Argument(
            metavar="DATA", help="Labelled data: a folder, files, or hf:NAME for a hub data set."
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", metavar="FOLDER", help="Where the model is written.")
    ],
    schema: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Topics and stances; schema.json beside the data."),
    ] = None,
    splits: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Which text trains, validates and tests; splits.json in the data folder, or else "
            "drawn.",
        ),
    ] = None,
    recipe: Annotated[
        str,
        typer.Option(metavar="NAME|FILE", help="Settings: default, quick, baseline, or a file."),
    ] = "default",
    base: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|NAME", help="Encoder to begin from, or a model to go on from."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed, instead of the recipe's.")] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="Passes over the data, instead of the recipe's.")
    ] = None,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in --out.")
    ] = False,
    freeze_encoder: Annotated[
        bool, typer.Option("--freeze-encoder", help="Train the heads alone: fast, less exact.")
    ] = False,
    device: Annotated[
        str | None, typer.Option(metavar="cpu|cuda", help="Where to train; the best there is.")
    ] = None,
    skip_invalid: Annotated[
        bool, typer.Option("--skip-invalid", help="Go on without records that have faults.")
    ] = False,
) -> None:
    """Train a model on labelled data: progress, scores per epoch, the best epoch is kept."""
    # Late, so that --help does not wait for the training libraries.
    from stance import door
    from stance.dataset import load_records
    from stance.schema import Schema
    from stance.splits import Splits

    # Opened before all else: nobody should mend data only to hear that torch is missing.
    door.open_training("training.api", task="stance train")
    recipes = door.open_training("training.settings", task="stance train")
    changes = {"seed": seed, "epochs": epochs, "freeze_encoder": freeze_encoder or None}
    settings = with_changes(recipes.load_recipe(recipe), changes)
    dataset = load_records(
        data, None if schema is None else Schema.load(schema), skip_invalid=skip_invalid
    )
    if dataset.faults:
        display.note(f"{len(dataset.faults):,} records with faults are left out, the first is")
        display.note(str(dataset.faults[0]))
    splits_file = splits or find_splits(data)
    report = door.train(
        dataset,
        out,
        splits=None if splits_file is None else Splits.load(splits_file),
        settings=settings,
        base=base,
        resume=resume,
        progress=True,
        device=device,
    )
    typer.echo(display.safe(str(report)))


def with_changes(settings: Any, changes: dict[str, Any]) -> Any:
    """Settings with the options that the user gave; they are checked again."""
    given = {name: value for name, value in changes.items() if value is not None}
    return type(settings)(**{**settings.model_dump(), **given})


def find_splits(data: list[str]) -> Path | None:
    """The `splits.json` of a data folder; None if there is none, or more than one source."""
    if len(data) != 1:
        return None
    path = Path(data[0]) / "splits.json"
    return path if path.is_file() else None
