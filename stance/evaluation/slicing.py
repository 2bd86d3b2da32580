"""Parts of a data set to be scored apart: by a field, by length, by where the evidence stands."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from stance.errors import UsageError, listing
from stance.evaluation.evidence import occurrences, sentence_spans
from stance.records import Record
from stance.statistics import count_words

NO_VALUE = "(none)"
MAX_SLICES = 50
KIND, LENGTH, EVIDENCE = "kind", "length", "evidence position"
# Words up to which a text is of this length: a headline, a brief, an item, an article.
_LENGTHS = ((20, "to 20 words"), (100, "21 to 100 words"), (400, "101 to 400 words"))
_LONGER = "over 400 words"
_POSITIONS = ("title", "first sentence", "first half", "second half")


def slice_values(records: Sequence[Record], fields: Sequence[str] = ()) -> dict[str, list[str]]:
    """The value of each text, for each thing that is sliced by.

    Kind, length and position of evidence are always there; without any value per text where all
    texts have the same.

    Args:
        records: The texts.
        fields: Further fields of the records.

    Returns:
        By name, one value per text, or an empty list.

    Raises:
        UsageError: If a field is in no record.
    """
    values = {
        KIND: [_words(record.kind) for record in records],
        LENGTH: [_length(record) for record in records],
        EVIDENCE: [_position(record) for record in records],
    }
    found = {name: items if len(set(items)) > 1 else [] for name, items in values.items()}
    return found | {name: _field(records, name) for name in fields if name not in values}


def rows_by_value(values: Sequence[str]) -> tuple[dict[str, list[int]], int]:
    """Rows of each value, the most frequent value first.

    Args:
        values: One per row.

    Returns:
        The rows of at most `MAX_SLICES` values, and how many values are left out.
    """
    rows: dict[str, list[int]] = {}
    for row, value in enumerate(values):
        rows.setdefault(value, []).append(row)
    names = sorted(rows, key=lambda name: (-len(rows[name]), name))
    return {name: rows[name] for name in names[:MAX_SLICES]}, max(0, len(names) - MAX_SLICES)


def _field(records: Sequence[Record], name: str) -> list[str]:
    if name in (KIND, "pair"):
        return [_words(getattr(record, name)) for record in records]
    known = dict.fromkeys(key for record in records for key in record.article.extra)
    if name not in known:
        raise UsageError(
            f"--slice {name}: expected a field of the records, found it in none of them; "
            f"they have {listing([KIND, *known])}"
        )
    return [_words(record.article.extra.get(name)) for record in records]


def _words(value: Any) -> str:
    return NO_VALUE if value is None or value == "" else str(value)


def _length(record: Record) -> str:
    words = count_words(record)
    return next((name for limit, name in _LENGTHS if words <= limit), _LONGER)


def _position(record: Record) -> str:
    """Where a reader first meets evidence; of several labels the one whose evidence is deepest."""
    quotes = [label.evidence for label in record.labels if label.evidence]
    if not quotes:
        return "(no evidence)"
    article = record.article
    first_end = next((span[2] for span in sentence_spans(article) if span[0] == "text"), 0)
    deepest = 0
    for label in quotes:
        places = [spot for quote in label for spot in occurrences(article, quote.strip())]
        # Titles come first.
        part, start, _ = min(places, key=lambda spot: (spot[0] != "title", spot[1]))
        if part == "title":
            place = 0
        elif start < first_end:
            place = 1
        else:
            place = 2 if start < len(article.text) / 2 else 3
        deepest = max(deepest, place)
    return _POSITIONS[deepest]
