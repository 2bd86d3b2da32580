"""Topics and stances as data: read, check, look up by name, digest."""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from stance.errors import SchemaError, listing, shorten

SCHEMA_VERSION = 1
MAX_TOPICS = 1_000
MAX_STANCES = 20
_NAME = re.compile(r"[^\W\d]\w*(?:[ .-]\w+)*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """A subject that a text may carry."""

    name: str
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stance:
    """A way of presenting a topic; one with `predicted=False` occurs in evaluation sets only."""

    name: str
    predicted: bool = True
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The topics and stances of a model or a data set, in a fixed order.

    The order is the column order of every array in the package.

    Raises:
        SchemaError: If a name is repeated or malformed, or if there is no topic, fewer than two
            predicted stances, more than 1,000 topics or more than 20 stances.
    """

    topics: tuple[Topic, ...]
    stances: tuple[Stance, ...]
    version: int = SCHEMA_VERSION

    def __post_init__(self) -> None:
        """Check names and limits."""
        if self.version != SCHEMA_VERSION:
            raise SchemaError(
                f"schema version: expected {SCHEMA_VERSION}, found {shorten(self.version)}; "
                "a newer release of stance may read it"
            )
        for kind, items, limit in (
            ("topics", self.topics, MAX_TOPICS),
            ("stances", self.stances, MAX_STANCES),
        ):
            names = [item.name for item in items]
            if not 1 <= len(names) <= limit:
                raise SchemaError(f"{kind}: expected 1 to {limit:,}, found {len(names):,}")
            for index, name in enumerate(names):
                if not isinstance(name, str) or len(name) > 100 or not _NAME.fullmatch(name):
                    raise SchemaError(
                        f"{kind}[{index}].name: expected a name of letters, digits and _ that "
                        f"begins with a letter, at most 100 characters, found {shorten(name)}"
                    )
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise SchemaError(f"{kind}: each name once, found twice: {listing(repeated)}")
        if len(self.predicted_stances) < 2:
            raise SchemaError(
                "stances: expected at least two that are predicted, found "
                f"{len(self.predicted_stances)}"
            )

    @cached_property
    def topic_names(self) -> tuple[str, ...]:
        """Topic names in column order."""
        return tuple(topic.name for topic in self.topics)

    @cached_property
    def stance_names(self) -> tuple[str, ...]:
        """All stance names, those that are not predicted included."""
        return tuple(stance.name for stance in self.stances)

    @cached_property
    def predicted_stances(self) -> tuple[str, ...]:
        """Names of the stances that a model predicts, in column order."""
        return tuple(stance.name for stance in self.stances if stance.predicted)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names and order; descriptions may change without a new digest."""
        core = {
            "version": self.version,
            "topics": self.topic_names,
            "stances": [[stance.name, stance.predicted] for stance in self.stances],
        }
        return hashlib.sha256(json.dumps(core).encode()).hexdigest()

    def topic_index(self, name: str) -> int:
        """Column of a topic.

        Raises:
            SchemaError: If the schema has no such topic.
        """
        try:
            return self.topic_names.index(name)
        except ValueError:
            raise SchemaError(
                f"topic: expected one of {listing(self.topic_names)}, found {shorten(name)}"
            ) from None

    def to_dict(self) -> dict[str, Any]:
        """The schema as it is written to JSON."""
        return {
            "version": self.version,
            "topics": [
                {"name": topic.name, "description": topic.description} for topic in self.topics
            ],
            "stances": [
                {
                    "name": stance.name,
                    "predicted": stance.predicted,
                    "description": stance.description,
                }
                for stance in self.stances
            ],
        }

    @classmethod
    def from_dict(cls, data: object, *, source: str = "schema") -> Schema:
        """Build a schema from parsed JSON or TOML.

        Raises:
            SchemaError: With `source` and the field at fault.
        """
        if not isinstance(data, dict):
            raise SchemaError(f"{source}: expected an object, found {shorten(data)}")
        _refuse_unknown(data, {"version", "topics", "stances"}, source)
        topics = _items(data, "topics", {"name": str, "description": str}, source)
        stances = _items(
            data, "stances", {"name": str, "predicted": bool, "description": str}, source
        )
        try:
            return cls(
                version=data.get("version", SCHEMA_VERSION),
                topics=tuple(Topic(**item) for item in topics),
                stances=tuple(Stance(**item) for item in stances),
            )
        except SchemaError as error:
            raise SchemaError(f"{source}: {error}") from None

    @classmethod
    def load(cls, path: str | Path) -> Schema:
        """Read a schema from a `.json` or `.toml` file.

        Raises:
            SchemaError: If the file cannot be read or is not a schema.
        """
        path = Path(path)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SchemaError(f"{path}: cannot read the schema: {error}") from None
        try:
            data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
        except (ValueError, RecursionError) as error:
            kind = "TOML" if path.suffix == ".toml" else "JSON"
            raise SchemaError(f"{path}: expected {kind}, found a fault: {error}") from None
        return cls.from_dict(data, source=str(path))


def _refuse_unknown(item: dict[str, Any], known: set[str], place: str) -> None:
    unknown = sorted(set(item) - known)
    if unknown:
        raise SchemaError(
            f"{place}: unknown key {listing(unknown)}; known are {listing(sorted(known))}"
        )


def _items(
    data: dict[str, Any], key: str, fields: dict[str, type], source: str
) -> list[dict[str, Any]]:
    items = data.get(key)
    if not isinstance(items, list):
        raise SchemaError(f"{source}: {key}: expected a list, found {shorten(items)}")
    for index, item in enumerate(items):
        place = f"{source}: {key}[{index}]"
        if not isinstance(item, dict) or "name" not in item:
            raise SchemaError(f"{place}: expected an object with a name, found {shorten(item)}")
        _refuse_unknown(item, set(fields), place)
        for name, value in item.items():
            if not isinstance(value, fields[name]):
                raise SchemaError(
                    f"{place}.{name}: expected {fields[name].__name__}, found {shorten(value)}"
                )
    return items
