"""A report as tables of words and scores, which the terminal and Markdown both draw from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from stance.evaluation.resampling import Path
from stance.evaluation.scorecard import ALL, MAIN, Score, Scorecard
from stance.schema import Schema

UNDEFINED = "n/a"
SMALL_SLICE = 30
Cell = str | Score
_JOINT: Path = (MAIN, "joint", "f1")
_LABELLED: Path = (MAIN, "joint", "gold")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first column names its rows.

    Attributes:
        title: What it is about.
        columns: Heads of the columns.
        rows: Cells, as many in each row as there are columns.
        detail: Whether a short overview can do without it.
        section: Which part of a long report it belongs to.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    detail: bool = False
    section: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class WeakSlice:
    """A part of the texts on which a model does worse than on all.

    Attributes:
        field: What is sliced by.
        value: Which slice.
        texts: How many texts it has.
        joint_f1: Its joint F1.
        below: How far that is below the joint F1 of all texts.
        surely: Whether its whole interval lies below that value.
    """

    field: str
    value: str
    texts: int
    joint_f1: Score
    below: float
    surely: bool

    def to_dict(self) -> dict[str, Any]:
        """The slice as a JSON object."""
        return {
            "slice": self.field,
            "value": self.value,
            "texts": self.texts,
            "joint_f1": self.joint_f1.to_dict(),
            "below": round(self.below, 6),
            "interval_below": self.surely,
        }


def cell_words(cell: Cell, *, intervals: bool = True) -> str:
    """A cell in words.

    A score is `0.931 (0.902-0.956)`; without parentheses where it has no interval or none is
    wanted; `n/a` where it is undefined.
    """
    if isinstance(cell, str):
        return cell
    if cell.value is None:
        return UNDEFINED
    if cell.low is None or cell.high is None or not intervals:
        return f"{cell.value:.3f}"
    return f"{cell.value:.3f} ({cell.low:.3f}-{cell.high:.3f})"


def card_tables(card: Scorecard, schema: Schema) -> list[Table]:
    """The tables of one set of texts; those about things that the data lacks are left out."""
    tables = [_topics(card, schema.topic_names), _texts(card), _views(card)]
    for view in _heads(card):
        tables.append(_by_topic(card, schema.topic_names, view))
        tables.append(_by_stance(card, schema.predicted_stances, view))
    tables += [table for table in (_evidence(card), _pairs(card)) if table.rows]
    return tables


def slice_table(title: str, cards: Mapping[str, Scorecard]) -> Table:
    """The main figures of each slice, side by side: the weakest first, small ones last."""
    both = any((ALL, "joint", "f1") in card.scores for card in cards.values())
    figures: list[tuple[str, Path]] = [
        ("topics macro F1", ("topics", "macro", "f1")),
        (f"stance macro F1{', sure' * both}", (MAIN, "stance", "macro_f1")),
        (f"joint F1{', sure' * both}", (MAIN, "joint", "f1")),
    ]
    if both:
        figures.append(("stance macro F1, all", (ALL, "stance", "macro_f1")))
        figures.append(("joint F1, all", (ALL, "joint", "f1")))
    rows: list[tuple[Cell, ...]] = []
    for name, card in sorted(cards.items(), key=lambda item: _strength(item[1])):
        texts = card.counts["texts",]
        few = " (few)" if texts < SMALL_SLICE else ""
        cells = [card.scores[path] for _, path in figures]
        rows.append((name + few, f"{texts:,}", *cells))
    columns = (title, "texts", *(head for head, _ in figures))
    return Table(title=f"By {title}", columns=columns, rows=tuple(rows))


def _strength(card: Scorecard) -> tuple[bool, bool, float]:
    value = card.value(*_JOINT) if card.counts[_LABELLED] else None
    return card.counts["texts",] < SMALL_SLICE, value is None, value or 0.0


def weakest_slices(
    slices: Mapping[str, Mapping[str, Scorecard]], overall: Scorecard, most: int = 8
) -> list[WeakSlice]:
    """The slices below the whole set in joint F1, the weakest first.

    Small slices are left out, since among many some are weak by chance; so are those without
    labels, whose joint F1 is 0 as soon as anything is found.
    """
    whole = overall.value(*_JOINT)
    found = [
        WeakSlice(
            field=field,
            value=value,
            texts=card.counts["texts",],
            joint_f1=card.scores[_JOINT],
            below=whole - own,
            surely=(high := card.scores[_JOINT].high) is not None and high < whole,
        )
        for field, cards in slices.items()
        for value, card in cards.items()
        if whole is not None
        and card.counts["texts",] >= SMALL_SLICE
        and card.counts[_LABELLED]
        and (own := card.value(*_JOINT)) is not None
        and own < whole
    ]
    return sorted(found, key=lambda item: (-item.below, item.field, item.value))[:most]


def weakest_table(weakest: Iterable[WeakSlice]) -> Table:
    """The weakest slices of all kinds in one table."""
    rows: list[tuple[Cell, ...]] = [
        (
            f"{item.field}: {item.value}",
            f"{item.texts:,}",
            item.joint_f1,
            f"{item.below:.3f}",
            "yes" if item.surely else "no",
        )
        for item in weakest
    ]
    columns = ("slice", "texts", "joint F1", "below all texts by", "whole interval below")
    return Table(title="Weakest slices", columns=columns, rows=tuple(rows))


def _topics(card: Scorecard, topics: Iterable[str]) -> Table:
    names = ("precision", "recall", "f1", "average_precision")
    rows: list[tuple[Cell, ...]] = []
    for topic in topics:
        place = ("topics", "each", topic)
        scores = [card.scores[*place, name] for name in names]
        counts = [f"{card.counts[*place, name]:,}" for name in ("gold", "found")]
        rows.append((topic, *scores, *counts))
    for name in ("macro", "micro"):
        # There is no micro average of the average precision.
        means = [card.scores.get(("topics", name, score), "") for score in names]
        rows.append((f"{name} average", *means, "", ""))
    columns = ("topic", "precision", "recall", "F1", "average precision", "labelled", "found")
    return Table(title="Topics", columns=columns, rows=tuple(rows), section="topics")


def _texts(card: Scorecard) -> Table:
    rows = (
        ("all topics right", "exact_match", card.counts["texts",]),
        (
            "nothing found, of texts without a topic",
            "nothing_found",
            card.counts["topics", "texts_without_topic"],
        ),
        ("calibration error (ECE) of presence", "ece", card.counts["texts",]),
    )
    cells = ((name, card.scores["topics", score], f"{count:,}") for name, score, count in rows)
    columns = ("score", "value", "texts")
    return Table(title="Whole texts", columns=columns, rows=tuple(cells), section="topics")


def _heads(card: Scorecard) -> dict[str, str]:
    """The views that a card has, with their heads."""
    both = (ALL, "joint", "f1") in card.scores
    return {MAIN: "sure labels", ALL: "all labels"} if both else {MAIN: "all labels"}


def _views(card: Scorecard) -> Table:
    lines: list[tuple[str, Path]] = [
        ("stance macro F1", ("stance", "macro_f1")),
        ("stance accuracy", ("stance", "accuracy")),
        ("joint (topic, stance) F1", ("joint", "f1")),
        ("joint precision", ("joint", "precision")),
        ("joint recall", ("joint", "recall")),
        ("all topics and stances right", ("joint", "exact_match")),
        ("calibration error (ECE) of stance", ("stance", "ece")),
        ("share of stances not marked uncertain", ("stance", "coverage")),
        ("error among these", ("stance", "certain_error")),
    ]
    if card.counts[MAIN, "unpredicted", "labels"]:
        lines.append(("AUROC, confidence against unpredicted stances", ("unpredicted", "auroc")))
    heads = _heads(card)
    counts = (f"{card.counts[view, 'stance', 'pairs']:,}" for view in heads)
    rows: list[tuple[Cell, ...]] = [("labels with a stance", *counts)]
    rows += [(name, *(card.scores[view, *path] for view in heads)) for name, path in lines]
    columns = ("score", *heads.values())
    return Table(title="Stance and joint", columns=columns, rows=tuple(rows), section="stance")


def _by_topic(card: Scorecard, topics: Iterable[str], view: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for topic in topics:
        place = (view, "stance", "topics", topic)
        scores = [card.scores[*place, name] for name in ("macro_f1", "accuracy")]
        rows.append((topic, *scores, f"{card.counts[*place, 'pairs']:,}"))
    columns = ("topic", "macro F1", "accuracy", "labels")
    title = f"Stance by topic, {_heads(card)[view]}"
    return Table(title=title, columns=columns, rows=tuple(rows), detail=True, section="stance")


def _by_stance(card: Scorecard, stances: Iterable[str], view: str) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name in stances:
        place = (view, "stance", "each", name)
        scores = [card.scores[*place, it] for it in ("precision", "recall", "f1")]
        rows.append((name, *scores, f"{card.counts[*place, 'gold']:,}"))
    columns = ("stance", "precision", "recall", "F1", "labels")
    title = f"Stance by class, {_heads(card)[view]}"
    return Table(title=title, columns=columns, rows=tuple(rows), detail=True, section="stance")


def _evidence(card: Scorecard) -> Table:
    heads = {view: head for view, head in _heads(card).items() if _has_evidence(card, view)}
    lines = (
        ("strongest shown sentence is annotated", ("top_hit",)),
        ("... the first sentence is", ("first", "top_hit")),
        ("... a random sentence is", ("random", "top_hit")),
        ("annotated sentences that are shown", ("coverage",)),
        ("... if the first were shown, as many", ("first", "coverage")),
        ("... if random ones were shown, as many", ("random", "coverage")),
        ("shown sentences that are annotated", ("precision",)),
    )
    rows: list[tuple[Cell, ...]] = []
    if heads:
        counts = (f"{card.counts[view, 'evidence', 'pairs']:,}" for view in heads)
        rows.append(("found topics with annotated evidence", *counts))
        rows += [
            (name, *(card.scores[view, "evidence", *score] for view in heads))
            for name, score in lines
        ]
    columns = ("score", *heads.values())
    return Table(title="Evidence", columns=columns, rows=tuple(rows), section="evidence")


def _has_evidence(card: Scorecard, view: str) -> bool:
    return card.counts[view, "evidence", "pairs"] > 0


def _pairs(card: Scorecard) -> Table:
    heads = {
        view: head
        for view, head in _heads(card).items()
        if card.counts[view, "counterfactual", "pairs"]
    }
    rows: list[tuple[Cell, ...]] = []
    if heads:
        counts = (f"{card.counts[view, 'counterfactual', 'pairs']:,}" for view in heads)
        rows.append(("pairs that differ in a label", *counts))
        for name, score in (
            ("both right on the label that differs", "both_right"),
            ("both right on every label", "both_exact"),
        ):
            scores = (card.scores[view, "counterfactual", score] for view in heads)
            rows.append((name, *scores))
    columns = ("score", *heads.values())
    title = "Counterfactual pairs"
    return Table(title=title, columns=columns, rows=tuple(rows), section="pairs")
