"""NumPy arrays in a model folder: written without pickle, read and checked before use."""

from __future__ import annotations

import io
import math
import re
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance.artifact import Artifact
from stance.errors import ModelError, in_words

Arrays = dict[str, NDArray[Any]]
# Version 1.0 of the format; a size has at most 18 digits, so that it stays a number of 64 bits.
_HEADER = re.compile(
    rb"\x93NUMPY\x01\x00(?P<size>..)\{'descr': '(?P<kind>[<>|][a-z]\d{1,4})', "
    rb"'fortran_order': (?P<order>True|False), "
    rb"'shape': \((?P<shape>(?:\d{1,18}, ?)*\d{0,18})\), \} *\n",
    re.DOTALL,
)


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
    members = _members(artifact.contents[name], place)
    arrays: Arrays = {}
    for key, (kind, dimensions) in kinds.items():
        member = members.get(f"{key}.npy")
        if member is None:
            raise ModelError(
                f"{place}: {key}: expected {kind} in {dimensions} dimensions, found nothing"
            )
        array = _array(member, f"{place}: {key}", np.dtype(kind), dimensions)
        if not np.isfinite(array).all():
            raise ModelError(f"{place}: {key}: expected finite numbers")
        arrays[key] = array
    return arrays


def _members(content: bytes, place: str) -> dict[str, bytes]:
    """Members of a zip file that is not compressed; it can hold no more than its own size."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            size = sum(entry.file_size for entry in entries)
            if size > len(content) or any(entry.compress_type for entry in entries):
                raise ModelError(
                    f"{place}: expected arrays without compression, found {size:,} bytes in "
                    f"{len(content):,}; train the model anew"
                )
            return {entry.filename: archive.read(entry) for entry in entries}
    # The library lets out whatever its parts raise on a broken archive.
    except (ValueError, OSError, EOFError, RuntimeError, zipfile.BadZipFile, struct.error) as error:
        raise ModelError(
            f"{place}: expected NumPy arrays, found a fault: {in_words(error)}"
        ) from None


def _array(member: bytes, place: str, kind: np.dtype[Any], dimensions: int) -> NDArray[Any]:
    """Read an array as `write_arrays` writes it, without copying it.

    NumPy's own reader takes the memory that the header asks for before it looks how much there is,
    and evaluates the header as Python; of the format, this one takes no more than we write.
    """
    header = _HEADER.match(member)
    if header is None or len(header[0]) != 10 + int.from_bytes(header["size"], "little"):
        raise ModelError(f"{place}: expected a NumPy array, found another header")
    stored = header["kind"].decode("ascii")
    shape = tuple(int(size) for size in header["shape"].decode("ascii").split(",") if size.strip())
    if stored != kind.str or len(shape) != dimensions:
        raise ModelError(
            f"{place}: expected {kind.name} in {dimensions} dimensions, found {stored} {shape}"
        )
    size, found = math.prod(shape) * kind.itemsize, len(member) - len(header[0])
    if size != found:
        raise ModelError(f"{place}: expected {size:,} bytes for the shape {shape}, found {found:,}")
    array = np.frombuffer(member, dtype=kind, offset=len(header[0]))
    return array.reshape(shape, order="F" if header["order"] == b"True" else "C")


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
