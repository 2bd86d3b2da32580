"""NumPy arrays in a model folder: written without pickle, read and checked before use."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance.artifact import Artifact
from stance.errors import ModelError

Arrays = dict[str, NDArray[Any]]


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write arrays to an `.npz` file; the same arrays give the same bytes."""
    np.savez(path, allow_pickle=False, **arrays)


def read_arrays(artifact: Artifact, name: str, kinds: Mapping[str, tuple[str, int]]) -> Arrays:
    """Read the arrays of a required file.

    Args:
        artifact: A checked model folder.
        name: The file.
        kinds: Per array its data type and its number of dimensions.

    Raises:
        ModelError: If the file is not listed as required, is no `.npz` file, lacks an array, or
            holds one of another type or with numbers that are not finite.
    """
    place = f"{artifact.path}/{name}"
    if name not in artifact.contents:
        raise ModelError(f"{artifact.path}: the manifest does not list {name} as required")
    content = artifact.contents[name]
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            size = sum(entry.file_size for entry in archive.infolist())
        # Written uncompressed; what unpacks to more was not written here.
        if size > len(content):
            raise ModelError(
                f"{place}: expected arrays without compression, found {size:,} bytes in "
                f"{len(content):,}; train the model anew"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as stored:
            arrays = {key: stored[key] for key in kinds if key in stored.files}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, AttributeError) as error:
        raise ModelError(f"{place}: expected NumPy arrays, found a fault: {error}") from None
    for key, (kind, dimensions) in kinds.items():
        array = arrays.get(key)
        if array is None or array.dtype != np.dtype(kind) or array.ndim != dimensions:
            found = "nothing" if array is None else f"{array.dtype} {array.shape}"
            raise ModelError(
                f"{place}: {key}: expected {kind} in {dimensions} dimensions, found {found}"
            )
        if not np.isfinite(array).all():
            raise ModelError(f"{place}: {key}: expected finite numbers")
    return arrays


def check_shapes(
    artifact: Artifact, name: str, arrays: Arrays, shapes: Mapping[str, tuple[int, ...]]
) -> None:
    """Check that arrays fit each other and the schema.

    Raises:
        ModelError: If one has another shape.
    """
    for key, shape in shapes.items():
        if arrays[key].shape != shape:
            raise ModelError(
                f"{artifact.path}/{name}: {key}: expected the shape {shape}, "
                f"found {arrays[key].shape}"
            )
