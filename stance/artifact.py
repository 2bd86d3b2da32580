"""The model folder: its manifest, and the check of every file before anything is built from it.

Format 2; in format 1 a folder held no wide part. Raise `FORMAT_VERSION` when a reader of the old
number could misread a new folder; keep a reader for each earlier number, or say in its error how to
convert.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import stat
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from stance.errors import ModelError, SchemaError, cut, in_words, listing, shorten
from stance.files import reason
from stance.formats import parse_json
from stance.schema import Schema

FORMAT_VERSION = 2
MANIFEST = "manifest.json"
SCHEMA = "schema.json"
MAX_MANIFEST_BYTES = 4_000_000
"""Of the schema, too."""

MAX_FILE_BYTES = 8_000_000_000
"""Of one file, and of all required files together: they are read before anything is built."""

MAX_FILES = 100
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")

Probability = Annotated[float, Field(ge=0, le=1)]
# Far beyond what training gives, and far from where sums and quotients of such numbers overflow.
Number = Annotated[float, Field(ge=-1e6, le=1e6)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class FileEntry(_Strict):
    """A file of the folder.

    `required` files are checked whenever the model is loaded, the others when they are used.
    """

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    bytes: int = Field(ge=0, le=MAX_FILE_BYTES)
    required: bool = True


class Pooling(_Strict):
    """Numbers of the document step, one per topic (see `stance.pooling`)."""

    bias: list[Number]
    sharpness: list[Number]
    gate: list[Number]
    decay: list[Number]


class TopicCalibration(_Strict):
    """From a topic's logits to what is reported.

    Presence probability = sigmoid(slope * logit + offset); stance probabilities = softmax of the
    stance logits divided by `temperature`. The topic is found at or above `threshold`. `curve`
    holds (threshold, precision, recall) on held-out texts, for a user's own choice.
    """

    slope: float = Field(1.0, gt=0, le=1e6)
    offset: Number = 0.0
    temperature: float = Field(1.0, ge=1e-6, le=1e6)
    threshold: Probability = 0.5
    curve: list[tuple[Probability, Probability, Probability]] = []


class Uncertainty(_Strict):
    """When a stance is called uncertain, and what is promised of the others.

    A stance below `confidence` is uncertain. Of the others at most `error_bound` were wrong on
    held-out texts, by the upper Clopper-Pearson limit at `level`; `coverage` is their share. A
    `promised` of False says that no confidence met the bound: every stance is uncertain.
    """

    confidence: float = Field(0.0, ge=0, le=1.01)
    error_bound: Probability = 0.1
    level: Probability = 0.95
    coverage: Probability = 1.0
    observed_error: Probability | None = None
    n: int = 0
    promised: bool = False


class Parity(_Strict):
    """How often the int8 graph labels held-out (text, topic) pairs otherwise than float."""

    pairs: int
    presence_changed: int
    stance_pairs: int
    stance_changed: int
    largest_presence_difference: float
    limit: Probability


class Manifest(_Strict):
    """`manifest.json`: what a model is and where it comes from.

    `training` holds the recipe's settings, `data` the digest and counts of the training data,
    `versions` the libraries that built it, `history` the validation scores per epoch, `scores`
    the evaluation on held-out data.
    """

    format_version: Literal[1, 2] = 2
    kind: Literal["lens", "baseline"]
    name: str
    created: str
    schema_digest: str
    window_tokens: int | None = Field(None, ge=16, le=512)
    pooling: Pooling | None = None
    calibration: dict[str, TopicCalibration]
    uncertainty: Uncertainty = Uncertainty()
    files: dict[str, FileEntry]
    parity: Parity | None = None
    training: dict[str, Any] = {}
    data: dict[str, Any] = {}
    versions: dict[str, str] = {}
    history: list[dict[str, float]] = []
    scores: dict[str, Any] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A model folder whose manifest, schema and required files are sound.

    Attributes:
        path: The folder.
        manifest: Its manifest.
        schema: Its schema.
        contents: Bytes of the required files by name, just as they were checked.
    """

    path: Path
    manifest: Manifest
    schema: Schema
    contents: dict[str, bytes]

    @property
    def digest(self) -> str:
        """SHA-256 over the digests of the required files and all numbers that change answers."""
        numbers = self.manifest.model_dump(
            mode="json",
            include={"schema_digest", "window_tokens", "pooling", "calibration", "uncertainty"},
        )
        hashes = {n: e.sha256 for n, e in self.manifest.files.items() if e.required}
        return hashlib.sha256(json.dumps([numbers, hashes], sort_keys=True).encode()).hexdigest()

    def read_optional(self, name: str, *, needed_for: str, limit: int = MAX_FILE_BYTES) -> bytes:
        """Read and check a file that is not required.

        Args:
            name: The file.
            needed_for: What asks for it, for the message.
            limit: Most bytes that it may have.

        Raises:
            ModelError: If the folder does not hold it, or holds another one or one too large.
        """
        entry = self.manifest.files.get(name)
        if entry is None or not (self.path / name).is_file():
            raise ModelError(
                f"{self.path}: {needed_for} needs {name}, which this copy of the model does not "
                "hold; use the folder that `stance train` wrote, or the one of the repository"
            )
        _check_size(self.path / name, entry.bytes, limit)
        return _read(self.path, name, entry)


def default_model() -> Path:
    """The released model: inside the installed package, or in the checkout beside it.

    Raises:
        ModelError: If neither is there.
    """
    package = Path(str(resources.files("stance")))
    places = [package / "released" / "default", package.parent / "models" / "default"]
    for place in places:
        if (place / MANIFEST).is_file():
            return place
    raise ModelError(
        "the released model is not in this installation; name one with --model, "
        "or train one with: stance train DATA --out DIR"
    )


def resolve_model(path_or_name: str | Path | None) -> Path:
    """Find a model folder.

    Args:
        path_or_name: None for the released model, a folder, or `owner/name` on a model hub. A
            folder never touches the network.

    Raises:
        ModelError: If it cannot be found.
    """
    if path_or_name is None:
        return default_model()
    path = Path(path_or_name)
    # Of `os.path`, since names that no system allows are simply not there for it.
    if os.path.isdir(path):
        return path
    words, there = str(path_or_name), os.path.exists(path)
    looks_like_name = words.count("/") == 1 and not words.startswith((".", "/", "~"))
    if there or not looks_like_name or os.path.isdir(path.parent):
        raise ModelError(
            f"{words}: expected a model folder or a hub name (owner/name), found "
            f"{'a file' if there else 'nothing there'}"
        )
    return _download(words)


def load_artifact(path: str | Path) -> Artifact:
    """Read a model folder and check all of it.

    Raises:
        ModelError: If a file is missing, changed or too large, if the manifest or the schema is
            not sound, if they do not fit each other, or if the format is newer than this release.
    """
    path = Path(path)
    if not path.is_dir():
        raise ModelError(
            f"{path}: expected a model folder, found "
            f"{'a file' if path.exists() else 'nothing there'}; "
            "name a folder that `stance train` wrote"
        )
    manifest = _manifest(path)
    if len(manifest.files) > MAX_FILES:
        raise _unsound(
            f"{path}/{MANIFEST}",
            f"files: expected at most {MAX_FILES}, found {len(manifest.files):,}",
        )
    for name in manifest.files:
        if not _FILE_NAME.fullmatch(name) or name == MANIFEST:
            raise ModelError(
                f"{path}/{MANIFEST}: files: expected plain names of files in the folder, "
                f"found {shorten(name)}; do not use this folder"
            )
    if SCHEMA not in manifest.files:
        raise _unsound(f"{path}/{MANIFEST}", f"files: {SCHEMA} is not listed")
    _check_size(path / SCHEMA, manifest.files[SCHEMA].bytes, MAX_MANIFEST_BYTES)
    whole = sum(entry.bytes for entry in manifest.files.values() if entry.required)
    _check_size(path, whole, MAX_FILE_BYTES)
    contents = {
        name: _read(path, name, entry) for name, entry in manifest.files.items() if entry.required
    }
    schema = _schema(path, contents, manifest)
    return Artifact(path=path, manifest=manifest, schema=schema, contents=contents)


def _manifest(path: Path) -> Manifest:
    file = path / MANIFEST
    try:
        size = _size(path, MANIFEST)
        _check_size(file, size, MAX_MANIFEST_BYTES)
        data = read_json(file, file.read_bytes())
    except FileNotFoundError:
        raise ModelError(
            f"{path}: not a model folder: it has no {MANIFEST}; "
            "expected a folder that `stance train` wrote"
        ) from None
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {reason(error)}") from None
    version = data.get("format_version") if isinstance(data, dict) else None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise _unsound(
            file, f"format_version: expected 1 to {FORMAT_VERSION}, found {shorten(version)}"
        )
    if version > FORMAT_VERSION:
        raise ModelError(
            f"{file}: the model has format {version}, this release reads up to {FORMAT_VERSION}; "
            "upgrade stance"
        )
    try:
        return Manifest.model_validate(data)
    except ValidationError as error:
        faults = [
            f"{cut('.'.join(map(str, fault['loc']))) or 'manifest'}: {cut(fault['msg'])}"
            for fault in error.errors()[:5]
        ]
        raise _unsound(file, "; ".join(faults)) from None


def _schema(path: Path, contents: dict[str, bytes], manifest: Manifest) -> Schema:
    if SCHEMA not in contents:
        raise _unsound(f"{path}/{MANIFEST}", f"files: {SCHEMA} must be required")
    data = read_json(f"{path}/{SCHEMA}", contents[SCHEMA])
    try:
        schema = Schema.from_dict(data, source=SCHEMA)
    except SchemaError as error:
        raise _unsound(path, str(error)) from None
    if schema.digest != manifest.schema_digest:
        raise _unsound(
            f"{path}/{SCHEMA}",
            f"expected the schema that the model was trained with "
            f"({shorten(manifest.schema_digest, 16)}), found another one ({schema.digest[:12]})",
        )
    file = f"{path}/{MANIFEST}"
    if set(manifest.calibration) != set(schema.topic_names):
        raise _unsound(
            file,
            f"calibration: expected the topics {listing(schema.topic_names)}, "
            f"found {listing(manifest.calibration)}",
        )
    if manifest.kind == "lens":
        if manifest.pooling is None or manifest.window_tokens is None:
            raise _unsound(file, "a lens model needs pooling and window_tokens")
        for name, values in manifest.pooling.model_dump().items():
            if len(values) != len(schema.topics):
                raise _unsound(
                    file,
                    f"pooling.{name}: expected {len(schema.topics)} numbers, found {len(values)}",
                )
    return schema


def read_json(place: str | Path, content: bytes) -> Any:
    """Parse a JSON file of a model folder.

    Raises:
        ModelError: If it is not strict JSON in UTF-8, or nested deeper than any that we write.
    """
    try:
        return parse_json(content.decode("utf-8"))
    except ValueError as error:
        raise _unsound(place, f"expected JSON, found a fault: {error}") from None


def _unsound(place: str | Path, what: str) -> ModelError:
    # In one line and of bounded length, whatever a stranger's file has put into it.
    words = cut(" ".join(what.split()), 800)
    return ModelError(
        f"{place}: {words}; this is not as `stance train` writes it: copy the folder again"
    )


def _check_size(place: str | Path, size: int, limit: int) -> None:
    if size > limit:
        raise _unsound(place, f"expected at most {limit:,} bytes, found {size:,}")


def _size(folder: Path, name: str) -> int:
    """Size of a file that lies in the folder itself.

    Raises:
        ModelError: If a link leads out of the folder, or if it is no plain file: a pipe or a
            device could be read without end.
        OSError: If it cannot be looked at.
    """
    home, real = (Path(os.path.realpath(path)) for path in (folder, folder / name))
    # The hub's client keeps contents apart, and links to them from a folder per revision.
    hub = home.parent.name == "snapshots" and real.parent == home.parent.parent / "blobs"
    if real.parent != home and not hub:
        raise ModelError(
            f"{folder / name}: expected a file in the folder, found a link that leads out of it; "
            "do not use this folder, or put a copy of the file in the link's place"
        )
    found = real.stat()
    if not stat.S_ISREG(found.st_mode):
        kind = "a folder" if stat.S_ISDIR(found.st_mode) else "a pipe, a socket or a device"
        raise ModelError(f"{folder / name}: expected a file, found {kind}")
    return found.st_size


def _read(folder: Path, name: str, entry: FileEntry) -> bytes:
    file = folder / name
    try:
        # The size first: nobody's claim should make us read gigabytes.
        size = _size(folder, name)
        content = file.read_bytes() if size == entry.bytes else b""
    except FileNotFoundError:
        raise ModelError(
            f"{folder}: the model is not whole: {name} is missing; copy the folder again"
        ) from None
    except OSError as error:
        raise ModelError(f"{file}: cannot be read: {reason(error)}") from None
    if size != entry.bytes or hashlib.sha256(content).hexdigest() != entry.sha256:
        raise ModelError(
            f"{file}: it is not the file that the manifest lists (SHA-256 or size differ); "
            "it was changed or damaged: copy the folder again"
        )
    return content


def _download(name: str) -> Path:
    """Fetch a model folder from the hub; only file kinds that a model folder holds."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(
                name, allow_patterns=["*.json", "*.jsonl", "*.xml", "*.bin", "*.npz", "README.md"]
            )
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        raise ModelError(
            f"{name}: no such folder, and the model hub did not give it: {in_words(error)}"
        ) from None
