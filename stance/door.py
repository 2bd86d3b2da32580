"""The one door from the runtime half to the training half.

`stance/` installs without the training libraries, so nothing in it may import `training` outright.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from stance.dataset import Dataset
from stance.errors import MissingExtraError
from stance.splits import Splits

if TYPE_CHECKING:
    from training.api import TrainingReport  # noqa: TID251
    from training.settings import TrainingSettings  # noqa: TID251

_OURS = frozenset({"stance", "training"})


def open_training(module: str, *, task: str, extra: str = "train") -> ModuleType:
    """Import a module of the training half.

    Args:
        module: Its full name, e.g. ``training.api``.
        task: What needs it, for the message, e.g. ``stance train``.
        extra: Which extra brings all that the module needs.

    Raises:
        MissingExtraError: If a library of the extra is not installed.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _OURS or not missing:
            raise
        raise MissingExtraError(task, extra, missing) from None


def train(
    dataset: Dataset,
    out: str | Path,
    *,
    splits: Splits | None = None,
    settings: TrainingSettings | None = None,
    base: str | None = None,
    resume: bool = False,
    progress: bool = False,
    device: str | None = None,
) -> TrainingReport:
    """Train a model and write its folder.

    Args:
        dataset: Checked records, see `load_records`.
        out: The folder to write.
        splits: Which record trains, validates and tests; drawn if None.
        settings: How to train; the recipe `default` if None.
        base: Encoder or model folder to begin from, instead of the settings' own.
        resume: Go on from the last checkpoint of a run into the same folder.
        progress: Show bars and a table per epoch on stderr.
        device: `cpu`, `cuda`, or None for what there is.

    Raises:
        MissingExtraError: If the extra `train` is not installed.
        StanceError: If the data, the settings or the folder cannot be used.
    """
    api = open_training("training.api", task="train")
    if settings is None:
        settings = open_training("training.settings", task="train").load_recipe("default")
    report: TrainingReport = api.train(
        dataset,
        splits,
        settings,
        Path(out),
        base=base,
        resume=resume,
        progress=progress,
        device=device,
    )
    return report
