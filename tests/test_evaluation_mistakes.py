"""The most confident wrong answers, and their texts with the evidence marked."""

from __future__ import annotations

import pytest
from evaluation_support import (
    SCHEMA,
    TOPICS,
    Cell,
    Row,
    finding_of,
    predictions_of,
    records_of,
    right,
    rows,
)
from hypothesis import given
from hypothesis import strategies as st

from stance.evaluation.mistakes import Mistake, MistakeWatch, Piece, passages
from stance.predictions import Evidence
from stance.records import Article


def watch(table: list[Row], most: int) -> MistakeWatch:
    found = MistakeWatch(records_of(table), SCHEMA, most=most)
    predictions = predictions_of(table)
    assert list(found.watch(predictions)) == predictions
    return found


def wrong(cell: Cell) -> tuple[str, float] | None:
    """The sort of a mistake and its confidence, as the definition has it."""
    if cell.gold is None:
        return ("false find", cell.probability) if cell.found else None
    if not cell.found:
        return "missed", 1 - cell.probability
    counts = cell.sure and cell.gold != "neutral"
    return ("wrong stance", max(cell.stances)) if counts and cell.predicted != cell.gold else None


@given(rows, st.integers(0, 30))
def test_the_most_confident_mistakes_are_kept(table: list[Row], most: int) -> None:
    expected = [
        (found[1], f"t{number}", topic, found[0])
        for number, row in enumerate(table)
        for topic, cell in zip(TOPICS, row, strict=True)
        if (found := wrong(cell))
    ]
    kept = watch(table, most)
    assert kept.total == len(expected)
    # Stable: of equals the first.
    best = sorted(expected, key=lambda item: -item[0])[:most]
    found = [(item.confidence, item.id, item.topic, item.sort) for item in kept.most_confident()]
    assert found == [pytest.approx(item) if isinstance(item, float) else item for item in best]


def test_what_a_mistake_says() -> None:
    table = [(right("positive", stances=(0.9, 0.05, 0.05)), right("mixed", found=False), Cell())]
    stance_wrong, missed = watch(table, 5).most_confident()
    assert stance_wrong.to_dict() == {
        "id": "t0",
        "kind": None,
        "topic": "harbour",
        "error": "wrong stance",
        "labelled": "positive",
        "predicted": "negative",
        "confidence": 0.9,
        "shown": [],
        "annotated": [],
    }
    assert (missed.labelled, missed.predicted, missed.topic) == ("mixed", None, "weather")


def mistake(
    text: str, shown: list[tuple[int, int]], annotated: list[str], title: str = ""
) -> Mistake:
    evidence = tuple(
        Evidence(
            sentence=text[start:end], part="text", start=start, end=end, presence=0.0, stance=0.0
        )
        for start, end in shown
    )
    finding = finding_of("weather", Cell(gold="mixed"), evidence)
    return Mistake(
        id="a",
        kind=None,
        topic="weather",
        sort="false find",
        labelled=None,
        predicted=finding.stance,
        confidence=0.5,
        article=Article(text=text, title=title or None),
        shown=finding.evidence,
        annotated=tuple(annotated),
    )


def test_marks_may_overlap_and_a_title_is_marked_too() -> None:
    found = passages(mistake("Rain fell today.", [(0, 9)], ["fell today.", "Rain"], title="Rain"))
    assert found["title"] == [Piece(text="Rain", annotated=True)]
    assert found["text"] == [
        Piece(text="Rain", shown=True, annotated=True),
        Piece(text=" ", shown=True),
        Piece(text="fell", shown=True, annotated=True),
        Piece(text=" today.", annotated=True),
    ]


def test_a_long_text_is_cut_between_words() -> None:
    text = "one two three " * 100 + "HERE" + " four five six" * 100
    start = text.index("HERE")
    first, before, mark, after, last = passages(mistake(text, [(start, start + 4)], []))["text"]
    assert (first.text, last.text) == (" … ", " … ")
    assert mark == Piece(text="HERE", shown=True)
    assert len(before.text) < 180
    assert before.text.split()[0] in {"one", "two", "three"}
    assert after.text.split()[-1] in {"four", "five", "six"}


def test_without_marks_the_beginning_is_shown() -> None:
    text = "one two three " * 200
    begin, gap = passages(mistake(text, [], []))["text"]
    assert text.startswith(begin.text)
    assert 300 < len(begin.text) < 520
    assert gap.text == " … "
    assert passages(mistake("Rain.", [], []))["text"] == [Piece(text="Rain.")]


@given(st.text("ab \n", max_size=900), st.data())
def test_nothing_but_gaps_is_left_out(text: str, data: st.DataObject) -> None:
    places = st.integers(0, len(text))
    spans = [
        (min(pair), max(pair))
        for pair in data.draw(st.lists(st.tuples(places, places), max_size=4))
    ]
    spans = [span for span in spans if span[0] < span[1]]
    pieces = passages(mistake(text, spans, []))
    if not text.strip():
        assert pieces == {}
        return
    rest = text
    for piece in pieces["text"]:
        if piece.text == " … ":
            continue
        at = rest.find(piece.text)
        assert at >= 0
        rest = rest[at + len(piece.text) :]
    marked = {at for start, end in spans for at in range(start, end)}
    assert sum(len(piece.text) for piece in pieces["text"] if piece.shown) == len(marked)
