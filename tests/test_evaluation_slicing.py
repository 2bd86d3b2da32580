"""Which slice a text is in, and how slices are ranked."""

from __future__ import annotations

from typing import Any

import pytest
from evaluation_support import SCHEMA, Cell, Row, predictions_of, records_of, right

from stance.errors import UsageError
from stance.evaluation import Report, evaluate
from stance.evaluation.layout import SMALL_SLICE, slice_table
from stance.evaluation.slicing import slice_values
from stance.records import Article, Label, Record

TEXT = "Ships came in. Others had to wait. Rain fell. The quay was shut."


def record(*quotes: str, text: str = TEXT, title: str | None = None, **extra: Any) -> Record:
    labels = tuple(
        Label(topic=f"t{place}", stance="positive", evidence=(quote,))
        for place, quote in enumerate(quotes)
    )
    return Record(id="a", article=Article(text=text, title=title, extra=extra), labels=labels)


def value(name: str, item: Record) -> str:
    other = record(text="word " * 1000, kind_of="other")
    return slice_values([item, other, record("Rain fell.")], ["kind_of"])[name][0]


@pytest.mark.parametrize(
    ("quotes", "expected"),
    [
        (("Ships came in.",), "first sentence"),
        (("came in. Others",), "first sentence"),
        (("Others had to wait.",), "first half"),
        (("The quay was shut.",), "second half"),
        (("Port",), "title"),
        # Of one label the first place counts, of several the deepest.
        (("Ships came in.", "Rain fell."), "second half"),
        ((), "(no evidence)"),
    ],
)
def test_position_of_evidence(quotes: tuple[str, ...], expected: str) -> None:
    assert value("evidence position", record(*quotes, title="Port")) == expected


def test_a_sentence_that_the_title_repeats_is_met_in_the_title() -> None:
    assert value("evidence position", record("Rain fell.", title="Rain fell.")) == "title"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (1, "to 20 words"),
        (20, "to 20 words"),
        (21, "21 to 100 words"),
        (101, "101 to 400 words"),
        (401, "over 400 words"),
    ],
)
def test_length_counts_words_of_title_and_text(words: int, expected: str) -> None:
    item = record(text="w " * (words - 1), title="Port")
    assert (
        slice_values([item, record(text="w " * 50), record(text="w")], [])["length"][0] == expected
    )


def test_fields_of_the_records() -> None:
    texts = [record(source="x", n=3), record(source=""), record(source=["a", "b"])]
    found = slice_values(texts, ["source", "n", "pair", "kind"])
    assert found["source"] == ["x", "(none)", "['a', 'b']"]
    assert found["n"] == ["3", "(none)", "(none)"]
    assert found["pair"] == ["(none)"] * 3
    # Nothing to tell apart.
    assert found["kind"] == found["length"] == []
    with pytest.raises(UsageError, match=r"--slice outlet: .* they have kind, source, n"):
        slice_values(texts, ["outlet"])


def ranked() -> Report:
    good = (right("positive"), Cell(), Cell())
    bad = (right("negative", stances=(0.1, 0.8, 0.1)), Cell(), Cell())
    table: list[Row] = []
    kinds: list[str | None] = []
    for kind, count, wrong in (("fair", 100, 10), ("poor", 40, 20), ("tiny", 10, 10)):
        table += [bad] * wrong + [good] * (count - wrong)
        kinds += [kind] * count
    table += [(Cell(found=True), Cell(), Cell())] * SMALL_SLICE
    kinds += ["no labels"] * SMALL_SLICE
    return evaluate(
        records_of(table, kinds=kinds), predictions_of(table), SCHEMA, resamples=200, seed=0
    )


def test_the_weakest_slice_is_named_first_and_small_ones_last() -> None:
    report = ranked()
    # 150 labels, 180 finds, 110 of them right.
    assert report.overall.value("sure", "joint", "f1") == pytest.approx(2 * 110 / 330)
    (weak,) = report.weakest
    assert (weak.field, weak.value, weak.texts) == ("kind", "poor", 40)
    assert weak.below == pytest.approx(2 / 3 - 0.5)
    assert weak.surely == (weak.joint_f1.high is not None and weak.joint_f1.high < 2 / 3)
    rows = slice_table("kind", report.slices["kind"]).rows
    assert [row[0] for row in rows] == ["poor", "fair", "no labels", "tiny (few)"]
    assert report.to_dict()["weakest"][0]["value"] == "poor"
