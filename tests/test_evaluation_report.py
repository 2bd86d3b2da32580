"""The report: its keys, its signature, its notes, its Markdown and its files."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from evaluation_support import (
    FIRST,
    SCHEMA,
    SECOND,
    TOPICS,
    Cell,
    Row,
    finding_of,
    predictions_of,
    records_of,
    right,
    rows,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from stance.errors import StanceError, UsageError
from stance.evaluation import Report, evaluate, render_markdown, write_report
from stance.evaluation.markdown import report_tables
from stance.evaluation.report import MAX_SLICES
from stance.predictions import Evidence

GOLDEN = Path(__file__).parent / "golden" / "evaluation_report.json"
# True writes the golden file anew; look at its difference before it is kept.
REGENERATE = False

ABOUT = {
    "version": "0",
    "date": "2030-01-01T00:00:00+00:00",
    "data": "a folder|with a bar",
    "data_digest": "ab" * 32,
    "split": "test",
    "model": "a model",
    "model_digest": "cd" * 32,
    "thresholds": {"harbour": 0.5, "weather": 0.25},
}
TABLE: list[Row] = [
    (right("negative"), Cell(), Cell(gold="mixed", known=False)),
    (right("positive"), right("positive", found=False), Cell(found=True, probability=0.6)),
    (Cell(gold="neutral", sure=False, found=True, probability=0.7), Cell(), right("mixed")),
    (Cell(gold="positive", sure=False, found=True, uncertain=True), Cell(), Cell()),
    (Cell(), Cell(), Cell()),
    (Cell(), Cell(found=True), right("negative", uncertain=True)),
]
KINDS = ["brief", "brief", "headline", None, "brief", "headline"]
PAIRS = ["p1", "p1", None, "p2", "p2", None]


def small_report(**change: Any) -> Report:
    records, predictions = records_of(TABLE, kinds=KINDS, pairs=PAIRS), predictions_of(TABLE)
    shown = (
        Evidence(sentence=FIRST, part="text", start=0, end=len(FIRST), presence=1.0, stance=-0.5),
    )
    label = replace(records[0].labels[0], evidence=(FIRST, SECOND))
    records[0] = replace(records[0], labels=(label, *records[0].labels[1:]))
    finding = finding_of(TOPICS[0], TABLE[0][0], shown)
    predictions[0] = replace(predictions[0], topics=(finding,))
    settings = {"resamples": 50, "seed": 7, "about": ABOUT, **change}
    return evaluate(records, predictions, SCHEMA, **settings)


def keys(data: object, place: str = "") -> set[str]:
    if not isinstance(data, dict):
        return {place}
    return {key for name, item in data.items() for key in keys(item, f"{place}/{name}")}


def test_the_golden_file_is_not_being_written() -> None:
    assert not REGENERATE


def test_the_json_is_the_golden_one() -> None:
    found = json.loads(json.dumps(small_report().to_dict(), allow_nan=False))
    if REGENERATE:
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    expected = json.loads(GOLDEN.read_text(encoding="utf-8"))
    assert keys(found) == keys(expected)
    assert list(found) == list(expected)
    assert found == expected


def test_every_set_of_texts_has_the_same_keys() -> None:
    data = small_report().to_dict()
    slices = data["slices"]["kind"]
    assert list(slices) == ["brief", "headline", "(none)"]
    for card in slices.values():
        assert keys(card) == keys(data["overall"])
    assert [card["texts"] for card in slices.values()] == [3, 2, 1]


def test_a_kind_is_scored_as_a_set_of_its_own() -> None:
    report = small_report()
    brief = [number for number, kind in enumerate(KINDS) if kind == "brief"]
    table = [TABLE[number] for number in brief]
    own = evaluate(
        records_of(table, pairs=[PAIRS[number] for number in brief]),
        predictions_of(table),
        SCHEMA,
        resamples=50,
        seed=7,
    ).overall
    kind = report.slices["kind"]["brief"]
    for path, score in own.scores.items():
        if "evidence" not in path:
            assert kind.scores[path] == score, path


def test_the_signature_names_every_setting() -> None:
    report = small_report()
    assert report.signature == (
        "texts:6|topics:3|stances:3|labels:sure|resamples:50|seed:7|interval:percentile-95"
        f"|ece:15-equal-width|version:0|schema:sha256-{SCHEMA.digest[:12]}"
        "|data:sha256-abababababab|split:test|model:sha256-cdcdcdcdcdcd"
        "|thresholds:harbour=0.5,weather=0.25"
    )
    data = report.to_dict()
    assert data["signature"] == data["overall"]["signature"] == report.signature
    assert data["overall"]["sure"]["signature"] == report.signature
    assert data["overall"]["all"]["signature"] == report.signature.replace(":sure|", ":all|")
    kind = data["slices"]["kind"]["headline"]["sure"]["signature"]
    assert kind.startswith("texts:2|kind:headline|topics:3")


def test_a_signature_is_one_line_of_named_parts() -> None:
    report = small_report(about={"model": "a|b\nc", "note": ["x", "y"]})
    assert report.signature.endswith("|model:a/b c|note:x,y")
    assert "\n" not in report.signature


def test_a_later_run_with_the_same_settings_has_the_same_signature() -> None:
    later = small_report(about={**ABOUT, "date": "2031-01-01", "versions": {"python": "9"}})
    assert later.signature == small_report().signature


def test_where_no_label_is_disputable_there_is_one_set_of_scores() -> None:
    table = [(right("positive"), Cell(), Cell())] * 3
    report = evaluate(records_of(table), predictions_of(table), SCHEMA, resamples=10)
    assert report.labels == "all"
    assert "|labels:all|" in report.signature
    assert report.to_dict()["overall"]["all"] is None
    words = render_markdown(report)
    assert "all labels" in words
    assert "sure labels" not in words
    assert report.slices == {"kind": {}, "length": {}, "evidence position": {}}


def test_notes_say_what_the_numbers_leave_out() -> None:
    table = [*TABLE, (Cell(gold="neutral"), Cell(), Cell())]
    predictions = [
        replace(item, scores={**item.scores, "space": 0.5}) for item in predictions_of(table)
    ]
    notes = " ".join(evaluate(records_of(table), predictions, SCHEMA, resamples=5).notes)
    assert "Labels marked as disputable: 2 of 9." in notes
    assert "Labels with a stance that no model predicts (neutral): 2." in notes
    assert "Labels left out of the stance scores: 1," in notes
    assert "not scored: space." in notes
    assert "fewer than 30 texts" in notes


def test_no_texts_give_a_report_without_numbers() -> None:
    report = evaluate([], [], SCHEMA)
    assert report.notes[0] == "There are no texts, so every score is undefined."
    assert {score.value for score in report.overall.scores.values()} == {None}
    assert "n/a" in render_markdown(report)


def test_only_the_most_frequent_kinds_are_shown() -> None:
    count = MAX_SLICES + 5
    table = [(Cell(), Cell(), Cell())] * (count + 1)
    kinds = [f"k{number}" for number in range(count)] + ["k7"]
    report = evaluate(records_of(table, kinds=kinds), predictions_of(table), SCHEMA, resamples=0)
    assert len(report.slices["kind"]) == MAX_SLICES
    assert next(iter(report.slices["kind"])) == "k7"
    assert any("not shown: 5." in note for note in report.notes)


def test_zero_resamples_give_no_intervals() -> None:
    report = small_report(resamples=0)
    assert {score.low for score in report.overall.scores.values()} == {None}
    assert "No intervals were computed." in render_markdown(report)


@pytest.mark.parametrize("name", ["resamples", "seed", "errors"])
def test_numbers_below_zero_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=f"{name}: expected 0 or more, found -1"):
        small_report(**{name: -1})


def test_the_same_input_gives_the_same_report_and_another_seed_other_intervals() -> None:
    assert small_report().to_dict() == small_report().to_dict()
    one, other = small_report(), small_report(seed=8)
    path = ("topics", "exact_match")
    assert one.overall.scores[path].value == other.overall.scores[path].value
    assert any(score != other.overall.scores[name] for name, score in one.overall.scores.items())


@given(rows, st.lists(st.none() | st.text("ab|`<\\ \n", max_size=6), min_size=8, max_size=8))
@settings(max_examples=25)
def test_markdown_tables_are_whole_and_say_no_none(
    table: list[Row], kinds: list[str | None]
) -> None:
    report = evaluate(
        records_of(table, kinds=kinds[: len(table)]), predictions_of(table), SCHEMA, resamples=3
    )
    words = render_markdown(report)
    assert "None" not in words
    assert "nan" not in words
    head = 0
    for line in words.splitlines():
        cells = len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) if line.startswith("|") else 0
        assert cells in (0, head) or not head, line
        head = cells
    for shown in report_tables(report):
        assert {len(row) for row in shown.rows} <= {len(shown.columns)}


def test_markdown_shows_values_with_intervals_and_where_they_come_from() -> None:
    report = small_report()
    words = render_markdown(report)
    assert f"`{report.signature}`" in words
    assert "- data: a folder\\|with a bar" in words
    assert "- thresholds: harbour 0.5, weather 0.25" in words
    assert "In parentheses 95 % intervals: percentiles over 50 bootstrap samples" in words
    assert "| all topics right | 0.500 (0.167-0.833) | 6 |" in words
    assert "| calibration error (ECE) of presence | 0.128 | 6 |" in words
    assert "headline (few)" in words
    assert words.index("**Warning: the data have faults.**") < words.index(report.signature)
    assert "| t2 | harbour |" not in words  # Disputable, so its stance is not wrong.
    assert "| t3 | harbour | wrong stance | positive | negative | 0.500 |" not in words
    assert "| t2 | night trains | missed |" not in words


def test_files_are_written_and_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    report = small_report()
    for _ in range(2):
        written = write_report(report, folder)
        files = written.files
        assert [path.name for path in files] == ["report.json", "report.md", "report.html"]
        assert sorted(folder.iterdir()) == sorted(files)
        assert written.left_out == ""
    assert json.loads(files[0].read_text(encoding="utf-8")) == report.to_dict()
    assert files[1].read_text(encoding="utf-8") == render_markdown(report)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StanceError, match="file: cannot make the folder"):
        write_report(small_report(), tmp_path / "file")
