"""The errors a user can cause, worded so that the user can mend them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with one piece of input.

    Attributes:
        file: Where it stands, as the user named it; None for input that came from memory.
        line: 1-based line of a text file, or row of a table (the header is line 1 of a CSV file).
        record: Id of the record, where it is known.
        field: Name of the field, e.g. ``labels[0].topic``.
        expected: What would have been right.
        found: What stands there, shortened.
        advice: What to do about it; may be empty.
    """

    expected: str
    found: str
    file: str | None = None
    line: int | None = None
    record: str | None = None
    field: str | None = None
    advice: str = ""

    def __str__(self) -> str:
        """`file:line: record "id": field: expected ..., found ...; advice`."""
        place = self.file or ""
        if self.line is not None:
            place += f":{self.line}" if place else f"line {self.line}"
        parts = [place] if place else []
        if self.record is not None:
            parts.append(f'record "{self.record}"')
        if self.field is not None:
            parts.append(self.field)
        what = f"expected {self.expected}, found {self.found}"
        if self.advice:
            what += f"; {self.advice}"
        return ": ".join([*parts, what])


def shorten(value: object, limit: int = 60) -> str:
    """Word a found value for a message: quoted if it is text, at most `limit` characters."""
    return cut(repr(value), limit)


def cut(text: str, limit: int = 100) -> str:
    """The beginning of a text, at most `limit` characters."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def in_words(error: BaseException, limit: int = 300) -> str:
    """What a library says of its error, as one line of at most `limit` characters."""
    # Cut before it is joined, too: some libraries quote the whole file.
    words = " ".join(str(error)[: 4 * limit].split())
    return cut(words, limit) or type(error).__name__


def listing(names: Iterable[str], limit: int = 12) -> str:
    """Word a list of allowed names for a message, at most `limit` of them, each cut if long."""
    known = list(names)
    shown = ", ".join(cut(name) for name in known[:limit])
    return shown if len(known) <= limit else f"{shown} and {len(known) - limit} more"


class StanceError(Exception):
    """Base of all errors that this package raises for a user's mistake."""

    exit_status = 2


class UsageError(StanceError):
    """A command or a function was called with arguments that cannot work."""


class SchemaError(StanceError):
    """A schema file is not a schema, or two schemas do not match."""


class DataError(StanceError):
    """Labelled data or input texts have faults; all of them are listed at once."""

    exit_status = 1

    def __init__(self, faults: Sequence[Fault], *, advice: str = "", shown: int = 20) -> None:
        """Keep all faults; the message shows the first `shown` of them and the count."""
        self.faults = tuple(faults)
        lines = [str(fault) for fault in self.faults[:shown]]
        if len(self.faults) > shown:
            lines.append(f"... and {len(self.faults) - shown} more faults")
        if advice:
            lines.append(advice)
        super().__init__("\n".join(lines))


class ModelError(StanceError):
    """A model folder is missing, damaged, too new or does not fit the task."""

    exit_status = 3


class MissingExtraError(StanceError):
    """A command needs libraries of an extra that is not installed."""

    def __init__(self, task: str, extra: str, missing: str) -> None:
        """Word the remedy: the exact pip command that installs the extra."""
        super().__init__(
            f'{task} needs the extra "{extra}" ({missing} is not installed); '
            f'install it from the checkout with: pip install ".[{extra}]"'
        )
