"""Rows of Hugging Face data sets; no other module of `stance` knows the library `datasets`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stance.errors import MissingExtraError, UsageError
from stance.rows import Row

HUB_PREFIX = "hf:"
_SAVED = ("dataset_dict.json", "dataset_info.json")


def is_saved_dataset(path: str | Path) -> bool:
    """Whether a folder was written by `save_to_disk` of Hugging Face `datasets`."""
    return any(Path(path, name).is_file() for name in _SAVED)


def read_hub(source: str) -> Iterator[Row]:
    """Read a data set by name (`hf:NAME` or `hf:NAME:SPLIT`) or from a saved folder.

    Without a split all splits are read, one after the other. `line` counts the rows of a split
    from 1. Numbered class labels become their names.

    Raises:
        MissingExtraError: If `datasets` is not installed.
        UsageError: If there is no such data set or split.
    """
    try:
        import datasets  # noqa: TID251 - opened only for data that is named so
    except ImportError:
        raise MissingExtraError("Reading Hugging Face data", "train", "datasets") from None
    try:
        if source.startswith(HUB_PREFIX):
            name, _, split = source.removeprefix(HUB_PREFIX).partition(":")
            loaded: Any = datasets.load_dataset(name, split=split or None)
        else:
            split, loaded = "", datasets.load_from_disk(source)
    except (datasets.exceptions.DatasetsError, OSError, ValueError, RuntimeError) as error:
        lines = str(error).splitlines() or [type(error).__name__]
        raise UsageError(f"{source}: the data set cannot be loaded: {lines[0]}") from None
    parts = loaded if isinstance(loaded, dict) else {split: loaded}
    for split, part in parts.items():
        place = source if not split or source.endswith(f":{split}") else f"{source}:{split}"
        names = {
            column: feature.int2str
            for column, feature in part.features.items()
            if isinstance(feature, datasets.ClassLabel)
        }
        for number, data in enumerate(part, 1):
            for column, to_name in names.items():
                # The library marks a row without a class by -1 or None.
                known = data[column] is not None and data[column] >= 0
                data[column] = to_name(data[column]) if known else None
            yield Row(file=place, line=number, data=data)
