"""The converters of public data and the tables that the benchmarks print."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("benchmarks", reason="the benchmarks lie in the checkout alone")

from benchmarks import mams, newsmtsc, semeval
from benchmarks.runs import figures_table, main, means, write_dataset
from stance.dataset import load_records
from stance.errors import DataError, UsageError
from stance.evaluation import evaluate
from stance.predictions import Finding, Prediction
from stance.records import Record
from stance.splits import Splits

XML = """<sentences>
<sentence><text>The soup was cold &amp; the waiter kind.</text><aspectCategories>
<aspectCategory category="food" polarity="negative"/>
<aspectCategory category="staff" polarity="positive"/>
</aspectCategories></sentence>
<sentence><text>We sat by the door.</text><aspectCategories>
<aspectCategory category="place" polarity="neutral"/>
</aspectCategories></sentence>
</sentences>"""
MENTION = {
    "mention": "the mill",
    "polarity": -1,
    "from": 12,
    "to": 20,
    "sentence": "Critics say the mill fouls the river.",
    "id": "made-up-1",
}


def mams_folder(folder: Path, xml: str = XML) -> Path:
    for name in mams.FILES.values():
        (folder / name).write_text(xml, encoding="utf-8")
    return folder


def mtsc_folder(folder: Path, **changes: object) -> Path:
    row = {key: value for key, value in {**MENTION, **changes}.items() if value is not ...}
    other = {**MENTION, "polarity": 1, "from": 27, "to": 36, "mention": "the river"}
    for name in newsmtsc.FILES:
        lines = [json.dumps(row), json.dumps(other)]
        (folder / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder


def semeval_folder(folder: Path, labels: str = "2\n1\n") -> Path:
    for target in semeval.TARGETS:
        (folder / target).mkdir(parents=True)
        for part in semeval.SPLITS.values():
            # A line separator of Unicode within a tweet is no end of a line.
            (folder / target / f"{part}_text.txt").write_text(
                "We need it \u2028now\nNever again\n", encoding="utf-8"
            )
            (folder / target / f"{part}_labels.txt").write_text(labels, encoding="utf-8")
    return folder


@pytest.mark.parametrize(
    ("convert", "make", "n"),
    [
        (mams.convert, mams_folder, 6),
        (newsmtsc.convert, mtsc_folder, 8),
        (semeval.convert, semeval_folder, 30),
    ],
)
def test_what_is_converted_loads_as_labelled_data(
    convert: object, make: object, n: int, tmp_path: Path
) -> None:
    converted = convert(make(tmp_path))  # type: ignore[operator]
    out = tmp_path / "out"
    write_dataset(converted, out)
    dataset = load_records(out)
    splits = Splits.load(out / "splits.json")
    assert dataset.schema == converted.schema
    assert len(dataset.records) == n
    assert set(splits.splits) == {"train", "validation", "test"}
    by_split = [record for name in splits.splits for record in splits.select(dataset, name)]
    assert len(by_split) == n
    originals = {r.id: r for records in converted.parts.values() for r in records}
    assert {record.id: record for record in dataset.records} == originals


def test_mams_sentences_keep_text_categories_and_polarities(tmp_path: Path) -> None:
    first, second = mams.convert(mams_folder(tmp_path)).parts["validation"]
    assert first.article.text == "The soup was cold & the waiter kind."
    labels = [(label.topic, label.stance) for label in first.labels]
    assert labels == [("food", "negative"), ("staff", "positive")]
    assert second.labels[0].stance == "neutral"


@pytest.mark.parametrize(
    ("xml", "words"),
    [
        ("<sentences>", "expected XML"),
        ("<sentences/>", "expected elements <sentence>"),
        (XML.replace('"food"', '"decor"'), "found 'decor'"),
        (XML.replace('"staff"', '"food"'), "at most once"),
        (XML.replace('"neutral"', '"conflict"'), "found 'conflict'"),
        (XML.replace("We sat by the door.", " "), "expected a sentence"),
    ],
)
def test_files_that_are_not_mams_are_refused(xml: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        mams.convert(mams_folder(tmp_path, xml))


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"train\.xml: cannot be opened"):
        mams.convert(tmp_path)
    with pytest.raises(UsageError, match=r"train-rw\.jsonl: cannot be opened"):
        newsmtsc.convert(tmp_path)


def test_the_mention_stands_in_brackets(tmp_path: Path) -> None:
    parts = newsmtsc.convert(mtsc_folder(tmp_path)).parts
    first, second = parts["test-mt"]
    assert first.article.text == "Critics say [ the mill ] fouls the river."
    assert second.article.text == "Critics say the mill fouls [ the river ]."
    assert [record.labels[0].stance for record in (first, second)] == ["negative", "positive"]
    assert {record.kind for record in (first, second)} == {"test-mt"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sentence": None}, "sentence: expected text"),
        ({"from": "12"}, "from: expected a whole number"),
        ({"from": 20, "to": 20}, "from: expected a whole number"),
        ({"mention": "the mall"}, "mention: expected what the sentence has there, 'the mill'"),
        ({"polarity": 2}, "polarity: expected -1, 0 or 1, found 2"),
        ({"polarity": [1]}, "polarity: expected -1, 0 or 1"),
        ({"polarity": ...}, "polarity: expected -1, 0 or 1, found no such field"),
    ],
)
def test_lines_that_are_not_newsmtsc_are_refused(
    change: dict[str, object], words: str, tmp_path: Path
) -> None:
    with pytest.raises(DataError) as caught:
        newsmtsc.convert(mtsc_folder(tmp_path, **change))
    assert "train-rw.jsonl:1" in str(caught.value)
    assert words in str(caught.value)


def test_tweets_carry_their_target(tmp_path: Path) -> None:
    parts = semeval.convert(semeval_folder(tmp_path)).parts
    found = [(r.labels[0].topic, r.labels[0].stance) for r in parts["test"]]
    assert found == [(t, s) for t in semeval.TARGETS for s in ("favor", "against")]


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        ("2\n", "as many lines as train_text.txt, 2, found 1"),
        ("2\n3\n", "train_labels.txt:2: expected 0, 1 or 2"),
    ],
)
def test_tweets_without_a_label_are_refused(labels: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        semeval.convert(semeval_folder(tmp_path, labels))
    assert words in str(caught.value)


def test_f_avg_is_the_mean_of_favor_and_against_over_all_targets(tmp_path: Path) -> None:
    records = semeval.convert(semeval_folder(tmp_path, "2\n1\n")).parts["test"]
    # Every second tweet is against; the answer is always "favor".
    predictions = []
    for record in records:
        topic = record.labels[0].topic
        sure = Finding(
            topic=topic,
            probability=1.0,
            stance="favor",
            stance_probabilities={"none": 0.0, "against": 0.0, "favor": 1.0},
            uncertain=False,
            evidence=(),
        )
        scores = dict.fromkeys(semeval.TARGETS, 0.0) | {topic: 1.0}
        predictions.append(Prediction(id=record.id, topics=(sure,), scores=scores))
    found = semeval.figures(evaluate(records, predictions, semeval.SCHEMA, resamples=0))
    assert found["F1 favor"] == pytest.approx(2 / 3)
    assert found["F1 against"] == 0
    assert found["F_avg"] == pytest.approx(1 / 3)
    assert found["accuracy"] == 0.5


def test_convert_only_stops_before_training(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(mams_folder(tmp_path))
    out = tmp_path / "out"
    assert main(mams.TASK, [folder, "--out", str(out), "--convert-only"]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "schema.json",
        "splits.json",
        "test.jsonl",
        "train.jsonl",
        "validation.jsonl",
    ]
    assert capsys.readouterr().out == ""


def test_a_fault_is_told_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(mams.TASK, [str(tmp_path), "--out", str(tmp_path / "out")]) == 2
    assert "cannot be opened" in capsys.readouterr().err


def test_means_are_over_seeds_and_by_engine() -> None:
    rows = [
        (0, "float", {"f": 0.5, "g": 1.0}),
        (0, "int8", {"f": 0.4, "g": None}),
        (1, "float", {"f": 0.7, "g": 1.0}),
        (1, "int8", {"f": 0.6, "g": 1.0}),
    ]
    found = means(rows)
    assert found["float"] == pytest.approx({"f": 0.6, "g": 1.0})
    assert found["int8"]["f"] == pytest.approx(0.5)
    assert found["int8"]["g"] is None
    table = figures_table(rows).splitlines()
    assert table[0] == "| seed | engine | f | g |"
    assert table[-1] == "| mean | int8 | 0.5000 | - |"


def test_records_of_one_part_have_different_ids(tmp_path: Path) -> None:
    records: list[Record] = [
        record
        for records in newsmtsc.convert(mtsc_folder(tmp_path)).parts.values()
        for record in records
    ]
    assert len({record.id for record in records}) == len(records)
