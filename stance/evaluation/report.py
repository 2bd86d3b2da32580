"""One evaluation as a value: what was measured, how, and on what; with its JSON and Markdown."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from types import MappingProxyType
from typing import Any

import numpy as np

from stance._version import __version__
from stance.errors import StanceError, UsageError, listing
from stance.evaluation.calibration import BINS
from stance.evaluation.counts import Outcomes, count_outcomes
from stance.evaluation.layout import SMALL_SLICE, Table, card_tables, cell_words, slice_table
from stance.evaluation.resampling import LEVEL
from stance.evaluation.scorecard import ALL, MAIN, Scorecard, score_texts
from stance.files import reason, replacing
from stance.predictions import Prediction
from stance.records import Record
from stance.schema import Schema

FORMAT_VERSION = 1
MAX_SLICES = 50
NO_KIND = "(no kind)"
_NOTHING: Mapping[str, Any] = MappingProxyType({})
_DIGEST = re.compile(r"[0-9a-f]{64}")
# Says when, not how: two runs with the same settings have the same signature.
_NO_SETTINGS = frozenset({"date", "version", "versions"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one evaluation found.

    Attributes:
        schema: Topics and stances of the labels.
        about: What was evaluated (data, split, model, digests, ...), as the caller named it.
        resamples: Bootstrap samples behind each interval.
        seed: Of these samples.
        notes: What a reader must know before the numbers, in sentences.
        overall: Scores of all texts.
        slices: Scores of some texts: by field, then by its value. `kind` is always there.
        outcomes: The rows behind the scores, for plots, comparisons and lists of errors.
    """

    schema: Schema
    about: Mapping[str, Any]
    resamples: int
    seed: int
    notes: tuple[str, ...]
    overall: Scorecard
    slices: Mapping[str, Mapping[str, Scorecard]]
    outcomes: Outcomes = field(repr=False, compare=False)

    @property
    def labels(self) -> str:
        """Which labels the main figures are over: `sure`, or `all` if none is disputable."""
        return MAIN if (ALL, "joint", "f1") in self.overall.scores else ALL

    @property
    def signature(self) -> str:
        """One line that names every setting behind the main figures."""
        return self._signature(self.overall, self.labels)

    def _signature(self, card: Scorecard, labels: str, **where: str) -> str:
        settings: dict[str, Any] = {
            "texts": card.counts["texts",],
            **where,
            "topics": len(self.schema.topics),
            "stances": len(self.schema.predicted_stances),
            "labels": labels,
            "resamples": self.resamples,
            "seed": self.seed,
            "interval": f"percentile-{LEVEL:.0%}".rstrip("%"),
            "ece": f"{BINS}-equal-width",
            "version": self.about.get("version", __version__),
            "schema": self.schema.digest,
        }
        for key, value in self.about.items():
            # A digest names a thing better than its path, which differs between machines.
            base = key.removesuffix("_digest")
            if key not in _NO_SETTINGS and f"{key}_digest" not in self.about:
                settings[base if base in self.about else key] = value
        return "|".join(f"{_word(key)}:{_word(value)}" for key, value in settings.items())

    def to_dict(self) -> dict[str, Any]:
        """The report as one JSON object; `docs/evaluation.md` describes its keys."""
        return {
            "format": FORMAT_VERSION,
            "signature": self.signature,
            "about": dict(self.about),
            "settings": {
                "resamples": self.resamples,
                "seed": self.seed,
                "level": LEVEL,
                "ece_bins": BINS,
                "version": self.about.get("version", __version__),
            },
            "schema": self.schema.to_dict(),
            "labels": self.labels,
            "notes": list(self.notes),
            "overall": self._card_to_dict(self.overall),
            "slices": {
                name: {
                    value: self._card_to_dict(card, **{name: value})
                    for value, card in cards.items()
                }
                for name, cards in self.slices.items()
            },
        }

    def _card_to_dict(self, card: Scorecard, **where: str) -> dict[str, Any]:
        data = card.to_dict()
        data = {"signature": self._signature(card, self.labels, **where), **data}
        for view in (MAIN, ALL):
            if data[view] is not None:
                labels = self.labels if view == MAIN else ALL
                signature = self._signature(card, labels, **where)
                data[view] = {"signature": signature, **data[view]}
        return data


def _word(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{_word(key)}={_word(item)}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return ",".join(map(_word, value))
    words = " ".join(str(value).replace("|", "/").split())
    return f"sha256-{words[:12]}" if _DIGEST.fullmatch(words) else words


def evaluate(
    records: Sequence[Record],
    predictions: Iterable[Prediction],
    schema: Schema,
    *,
    resamples: int = 1000,
    seed: int = 0,
    about: Mapping[str, Any] = _NOTHING,
    notes: Sequence[str] = (),
) -> Report:
    """Score predictions against labels.

    Args:
        records: Labelled texts with unique ids; may be none, then every score is undefined.
        predictions: One per record, in any order; taken one at a time.
        schema: Topics and stances of the labels.
        resamples: Bootstrap samples for the 95 % intervals; 0 for none.
        seed: Of these samples.
        about: What is evaluated, for the head of the report and its signature: JSON values.
        notes: Sentences to put before the report's own notes.

    Raises:
        DataError: If ids do not match or a prediction does not fit the schema.
        UsageError: If `resamples` or `seed` is below 0.
    """
    for name, number in (("resamples", resamples), ("seed", seed)):
        if number < 0:
            raise UsageError(f"{name}: expected 0 or more, found {number}")
    passed_over: Counter[str] = Counter()
    outcomes = count_outcomes(records, _watched(predictions, schema, passed_over), schema)
    both = bool(outcomes.disputable.any())

    def card(part: Outcomes) -> Scorecard:
        return score_texts(part, both_views=both, resamples=resamples, seed=seed)

    overall = card(outcomes)
    parts, left = _by_kind(outcomes)
    by_kind = {name: card(part) for name, part in parts.items()}
    return Report(
        schema=schema,
        about=about,
        resamples=resamples,
        seed=seed,
        notes=(*notes, *_notes(outcomes, overall, passed_over, left, resamples)),
        overall=overall,
        slices={"kind": by_kind},
        outcomes=outcomes,
    )


def _watched(
    predictions: Iterable[Prediction], schema: Schema, passed_over: Counter[str]
) -> Iterable[Prediction]:
    """Pass predictions on; count the topics among them that the schema does not have."""
    topics = set(schema.topic_names)
    for prediction in predictions:
        if not topics.issuperset(prediction.scores):
            passed_over.update(set(prediction.scores) - topics)
        yield prediction


def _by_kind(outcomes: Outcomes) -> tuple[dict[str, Outcomes], int]:
    """The texts of each kind, most frequent first, and how many kinds are left out."""
    if not any(kind is not None for kind in outcomes.kinds):
        return {}, 0
    rows: dict[str, list[int]] = {}
    for row, kind in enumerate(outcomes.kinds):
        rows.setdefault(NO_KIND if kind is None else kind, []).append(row)
    kinds = sorted(rows, key=lambda kind: (-len(rows[kind]), kind))
    parts = {kind: outcomes.select(rows[kind]) for kind in kinds[:MAX_SLICES]}
    return parts, len(kinds) - len(parts)


def _notes(
    outcomes: Outcomes,
    overall: Scorecard,
    passed_over: Counter[str],
    left: int,
    resamples: int,
) -> list[str]:
    notes = []
    if not len(outcomes):
        notes.append("There are no texts, so every score is undefined.")
    unsure = int(outcomes.disputable.sum())
    if unsure:
        notes.append(
            f"Labels marked as disputable: {unsure:,} of {int(outcomes.gold.sum()):,}. The main "
            "stance and joint scores leave them out; those over all labels stand beside them."
        )
    others = int((outcomes.gold_stance >= len(outcomes.stances)).sum())
    if others:
        notes.append(
            f"Labels with a stance that no model predicts ({listing(outcomes.unpredicted)}): "
            f"{others:,}. Stance and joint scores leave them out."
        )
    unknown = overall.counts[ALL if unsure else MAIN, "stance", "unknown"]
    if unknown:
        notes.append(
            f"Labels left out of the stance scores: {unknown:,}, because the predictions say no "
            "stance for topics that were not found. The rest may be the easier ones. Predictions "
            "written with --full say it."
        )
    misplaced = int(outcomes.misplaced.sum())
    if misplaced:
        names = [outcomes.ids[row] for row in np.flatnonzero(outcomes.misplaced)]
        notes.append(
            f"Evidence sentences that do not stand in their texts where the predictions say: "
            f"{misplaced:,}. Were these made from other texts? Ids: {listing(names)}."
        )
    if passed_over:
        notes.append(
            "The predictions have topics that the labels' schema does not have; they are not "
            f"scored: {listing(sorted(passed_over))}."
        )
    if left:
        notes.append(f"Only the {MAX_SLICES} most frequent kinds are shown; not shown: {left:,}.")
    if resamples and 0 < len(outcomes) < SMALL_SLICE:
        notes.append(
            f"With fewer than {SMALL_SLICE} texts, intervals are rough and often too narrow."
        )
    return notes


def report_tables(report: Report) -> list[Table]:
    """The tables of the whole set, then one line for each slice."""
    tables = card_tables(report.overall, report.schema)
    tables += [slice_table(name, cards) for name, cards in report.slices.items() if cards]
    return tables


def render_markdown(report: Report) -> str:
    """The report as Markdown: head, notes, tables, and the tables of each slice."""
    lines = ["# Evaluation", "", f"`{report.signature}`", ""]
    lines += [f"- {_cell(key)}: {_cell(_long(value))}" for key, value in report.about.items()]
    lines += ["", _interval_words(report), ""] if report.about else [_interval_words(report), ""]
    if report.notes:
        lines += ["## Notes", "", *(f"- {_cell(note)}" for note in report.notes), ""]
    for table in report_tables(report):
        lines += _markdown_table(table, level=2)
    for name, cards in report.slices.items():
        for value, card in cards.items():
            lines += [f"## {_cell(name)}: {_cell(value)}", ""]
            lines += [f"`{report._signature(card, report.labels, **{name: value})}`", ""]
            for table in card_tables(card, report.schema):
                lines += _markdown_table(table, level=3)
    return "\n".join(lines)


def _interval_words(report: Report) -> str:
    if not report.resamples:
        return "No intervals were computed."
    return (
        f"In parentheses {LEVEL:.0%} intervals".replace("%", " %")
        + f": percentiles over {report.resamples:,} bootstrap samples of the texts."
    )


def _long(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _markdown_table(table: Table, *, level: int) -> list[str]:
    lines = [f"{'#' * level} {_cell(table.title)}", ""]
    align = ["---", *(["---:"] * (len(table.columns) - 1))]
    for cells in (table.columns, align, *(map(cell_words, row) for row in table.rows)):
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    return [*lines, ""]


def _cell(text: str) -> str:
    """Text that Markdown neither breaks a table at nor reads as a tag."""
    escaped = " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("<", "&lt;").replace("`", "\\`")


def write_report(report: Report, folder: str | FilePath) -> tuple[FilePath, ...]:
    """Write `report.json` and `report.md`, each whole or not at all.

    Args:
        report: What to write.
        folder: Where to; made if need be.

    Returns:
        The files.

    Raises:
        StanceError: If they cannot be written.
    """
    folder = FilePath(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StanceError(f"{folder}: cannot make the folder: {reason(error)}") from None
    texts = {
        folder / "report.json": json.dumps(
            report.to_dict(), ensure_ascii=False, indent=1, allow_nan=False
        )
        + "\n",
        folder / "report.md": render_markdown(report),
    }
    for path, text in texts.items():
        with replacing(path) as stream:
            stream.write(text)
    return tuple(texts)
