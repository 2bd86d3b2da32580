"""`stance evaluate`: a fake model or its predictions, scored on small files."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cli_support import SCHEMA, FakeClassifier, Result, run, use_fake

from stance.artifact import Uncertainty
from stance.cli import evaluate as evaluate_verb
from stance.cli import scoring
from stance.dataset import load_records
from stance.errors import ModelError, SchemaError
from stance.evaluation import pages
from stance.evaluation.inputs import check_fit
from stance.predictions import Prediction
from stance.records import Article
from stance.schema import Schema, Stance, Topic

WITH_NEUTRAL = Schema(
    topics=SCHEMA.topics,
    stances=(*SCHEMA.stances, Stance(name="neutral", predicted=False)),
)


class FakeModel(FakeClassifier):
    """The fake of `stance predict`, with what the report says of a model."""

    digest = "f" * 64
    thresholds = {"rivers": 0.5, "bridges": 0.25}  # noqa: RUF012


@pytest.fixture(autouse=True)
def _fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate_verb, "load_classifier", lambda _: FakeModel())


def write(path: Path, *items: dict[str, Any] | str) -> Path:
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    path.write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return path


def record(name: str, text: str, **labels: str) -> dict[str, Any]:
    return {
        "id": name,
        "kind": "brief" if len(text) > 20 else "headline",
        "text": text,
        "labels": [{"topic": topic, "stance": value} for topic, value in labels.items()],
    }


RECORDS = (
    record("a", "Rivers rise again", rivers="positive"),
    record("b", "The bridges of the town are in bad shape", bridges="negative"),
    record("c", "Perhaps bad bridges, perhaps over rivers", bridges="positive", rivers="negative"),
    record("d", "Rain", rivers="negative"),
    record("e", "Nothing to see"),
)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / "schema.json", WITH_NEUTRAL.to_dict())
    write(folder / "texts.jsonl", *RECORDS)
    splits = {"train": ["a", "b"], "test": ["c", "d", "e"]}
    write(folder / "splits.json", {"version": 1, "splits": splits})
    return folder


def evaluate(capsys: pytest.CaptureFixture[str], *arguments: object) -> Result:
    return run(capsys, "evaluate", *map(str, arguments), "--resamples", "20")


def scores(result: Result) -> dict[str, Any]:
    assert result.status == 0, result.err
    found: dict[str, Any] = json.loads(result.out)
    return found


def predict(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: Path,
    *options: str,
) -> Path:
    use_fake(monkeypatch)
    out = data.parent / "predictions.jsonl"
    source = str(data / "texts.jsonl")
    result = run(capsys, "predict", "--in", source, "--out", str(out), *options)
    assert result.status in (0, 1), result.err
    return out


def test_the_table_shows_what_was_evaluated_and_how_well(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    result = evaluate(capsys, data, "--model", "a-model", "--seed", "3")
    assert result.status == 0
    lines = result.out.splitlines()
    assert lines[:2] == [f"data: {data}", "model: a-model"]
    assert lines[2].startswith("texts:5|topics:2|stances:2|labels:all|resamples:20|seed:3|")
    for words in ("rivers", "macro average", "joint (topic, stance) F1", "By kind", "headline"):
        assert words in result.out
    assert "Stance by class" not in result.out
    assert "in parentheses: 95 % intervals, 20 bootstrap samples" in result.out
    assert "fewer than 30 texts" in result.err


def test_a_narrow_terminal_shows_whole_numbers(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    monkeypatch.setattr(scoring, "_FILE_WIDTH", 80)
    result = evaluate(capsys, data)
    assert "no room for intervals in: Topics, By kind;" in result.out
    assert re.search(r"all topics right +0\.800 \(\d", result.out)
    assert "\N{HORIZONTAL ELLIPSIS}" not in result.out
    assert max(map(len, result.out.splitlines()[3:])) <= 80
    row = next(line for line in result.out.splitlines() if line.startswith(" rivers"))
    # The third of three is ranked last of five: (1 + 1 + 3/5) / 3.
    assert row.split() == ["rivers", "1.000", "0.667", "0.800", "0.867", "3", "2"]


def test_the_numbers(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    found = scores(evaluate(capsys, data, "--format", "json"))
    overall = found["overall"]
    assert overall["texts"] == 5
    rivers = overall["topics"]["each"]["rivers"]
    # a and c are found, d is not.
    assert (rivers["precision"]["value"], rivers["recall"]["value"]) == (1.0, 0.666667)
    stances = overall["sure"]["stance"]
    # a, b and the rivers of c are right; d counts although it was not found.
    assert (stances["pairs"], stances["accuracy"]["value"]) == (5, 0.6)
    assert stances["coverage"]["value"] == 0.6
    assert overall["sure"]["joint"]["f1"]["value"] == pytest.approx(2 * 3 / (5 + 4), abs=1e-6)
    assert overall["topics"]["nothing_found"]["value"] == 1
    assert found["about"]["model"] == "default"
    assert found["about"]["model_digest"] == "f" * 64
    assert found["about"]["thresholds"] == {"rivers": 0.5, "bridges": 0.25}
    assert set(found["slices"]["kind"]) == {"brief", "headline"}


def test_a_report_is_written(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    found = scores(evaluate(capsys, data, "--format", "json", "--report", out))
    assert json.loads((out / "report.json").read_text(encoding="utf-8")) == found
    assert (out / "report.md").read_text(encoding="utf-8").startswith("# Evaluation\n")
    assert (out / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>\n")


def test_without_its_libraries_the_page_is_left_out_and_the_remedy_named(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    data: Path,
    tmp_path: Path,
) -> None:
    for library in ("jinja2", "matplotlib", "datasketch"):
        monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setattr(pages, "_environment", pages._environment.__wrapped__)
    out = tmp_path / "out"
    result = evaluate(capsys, data, "--report", out)
    assert result.status == 0
    assert sorted(path.name for path in out.iterdir()) == ["report.json", "report.md"]
    assert "report.html is not written: The HTML report needs the extra" in result.err
    assert 'pip install ".[report]"' in result.err
    assert "Texts that are almost the same were not looked for" in result.err


def test_slices_by_a_field(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    write(data / "texts.jsonl", *({**item, "source": item["id"] < "c"} for item in RECORDS))
    arguments = (data, "--slice", "source", "--slice", "kind", "--errors", "1")
    found = scores(evaluate(capsys, *arguments, "--format", "json"))
    assert list(found["slices"]) == ["kind", "length", "evidence position", "source"]
    texts = {value: card["texts"] for value, card in found["slices"]["source"].items()}
    assert texts == {"False": 3, "True": 2}
    # d was missed, with the probability of 0.03; c has a wrong stance with 0.9.
    assert found["errors"]["total"] == 2
    assert [item["id"] for item in found["errors"]["shown"]] == ["d"]
    assert "By source" in evaluate(capsys, *arguments).out


def test_a_field_that_no_record_has(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    result = evaluate(capsys, data, "--slice", "outlet")
    assert (result.status, result.out) == (2, "")
    assert "--slice outlet: expected a field of the records, found it in none" in result.err


def test_what_was_trained_on_is_warned_of(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    """By default against the split train; else against what is named, and its split train."""
    copy = {**RECORDS[0], "id": "c2", "kind": "x"}
    write(data / "texts.jsonl", *RECORDS, copy)
    splits = {"train": ["a", "b"], "test": ["c", "d", "e", "c2"]}
    write(data / "splits.json", {"version": 1, "splits": splits})
    result = evaluate(capsys, data, "--split", "test")
    assert result.out.startswith("warning: Evaluated texts that the training data have too")
    assert "1, letter for letter 1" in result.out
    assert "Ids: c2." in result.out
    found = scores(evaluate(capsys, data, "--split", "test", "--format", "json"))
    assert found["faults"]["leaks"] == [{"id": "c2", "training_ids": ["a"], "exact": True}]
    assert found["faults"]["training"] == f"the split train of {data / 'splits.json'}"
    assert found["faults"]["training_texts"] == 2

    other = write(tmp_path / "other.jsonl", {**RECORDS[4], "id": "z"}, record("y", "Snow"))
    arguments = (data, "--split", "test", "--training-data", other, "--format", "json")
    result = evaluate(capsys, *arguments)
    assert scores(result)["faults"]["leaks"] == [{"id": "e", "training_ids": ["z"], "exact": True}]
    assert "warning: Evaluated texts that the training data have too" in result.err
    arguments = (data, "--split", "test", "--training-data", data, "--format", "json")
    assert scores(evaluate(capsys, *arguments))["faults"]["training_texts"] == 2


def test_a_model_that_names_these_data_as_its_own_is_checked_against_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    class Own(FakeModel):
        manifest = FakeModel.manifest.model_copy(
            update={"data": {"digest": load_records(data).digest}}
        )

    assert "trained on was not looked for" in evaluate(capsys, data).err
    monkeypatch.setattr(evaluate_verb, "load_classifier", lambda _: Own())
    leaks = scores(evaluate(capsys, data, "--format", "json"))["faults"]["leaks"]
    assert [leak["id"] for leak in leaks] == ["a", "b"]
    (data / "splits.json").unlink()
    assert "most of the texts may be training texts" in evaluate(capsys, data).err


def test_the_model_s_promise_and_history_are_reported(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    class Known(FakeModel):
        manifest = FakeModel.manifest.model_copy(
            update={
                "uncertainty": Uncertainty(promised=True, error_bound=0.2),
                "history": [{"epoch": 1.0, "joint_f1": 0.5}],
            }
        )

    monkeypatch.setattr(evaluate_verb, "load_classifier", lambda _: Known())
    found = scores(evaluate(capsys, data, "--format", "json"))
    assert (found["promise"]["promised"], found["promise"]["error_bound"]) == (True, 0.2)
    assert found["learning_curve"] == [{"epoch": 1.0, "joint_f1": 0.5}]


def test_predictions_made_earlier_give_the_same_scores(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    path = predict(capsys, monkeypatch, data, "--full")
    earlier = scores(evaluate(capsys, data, "--predictions", path, "--format", "json"))
    now = scores(evaluate(capsys, data, "--format", "json"))
    assert "|predictions:sha256-" in earlier["signature"]
    for report in (earlier, now):
        del report["overall"]["signature"], report["overall"]["sure"]["signature"]
    assert earlier["overall"] == now["overall"]
    assert earlier["about"]["predictions"] == str(path)


def test_predictions_without_stances_of_topics_not_found_are_noted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    path = predict(capsys, monkeypatch, data)
    result = evaluate(capsys, data, "--predictions", path, "--format", "json")
    stances = scores(result)["overall"]["sure"]["stance"]
    assert (stances["pairs"], stances["unknown"]) == (4, 1)
    assert "Labels left out of the stance scores: 1" in result.err


def test_a_split(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    found = scores(evaluate(capsys, data, "--split", "test", "--format", "json"))
    assert found["overall"]["texts"] == 3
    assert found["about"]["split"] == "test"
    assert "|split:test|texts_digest:sha256-" in found["signature"]
    path = predict(capsys, monkeypatch, data, "--full")
    result = evaluate(capsys, data, "--split", "test", "--predictions", path, "--format", "json")
    assert scores(result)["overall"]["sure"]["joint"] == found["overall"]["sure"]["joint"]
    assert "Predictions passed over, for texts that are not scored: 2" in result.err


def test_a_splits_file_of_another_place(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    splits = {"own": ["a"], "rest": ["b", "c", "d", "e"]}
    path = write(tmp_path / "mine.json", {"version": 1, "splits": splits})
    result = evaluate(capsys, data, "--split", "own", "--splits", path, "--format", "json")
    assert scores(result)["overall"]["texts"] == 1


def test_a_split_without_texts(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    splits = {"none": [], "rest": list("abcde")}
    path = write(tmp_path / "mine.json", {"version": 1, "splits": splits})
    result = evaluate(capsys, data, "--split", "none", "--splits", path)
    assert (result.status, result.out) == (2, "")
    assert "--split none: none of its texts is in the data" in result.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--split", "other"], "split: expected one of train, test, found 'other'"),
        (["--splits", "x.json"], "--splits: name the split to evaluate"),
        (["--model", "m", "--predictions", "p.jsonl"], "expected one of them, found both"),
        (["--predictions", "p.csv"], "--predictions p.csv: expected a file that ends in .jsonl"),
        (["--predictions", "no-such.jsonl"], "no-such.jsonl"),
        (["--schema", "no-such.json"], "no-such.json: cannot read the schema"),
        (["--seed", "-1"], "Invalid value for '--seed'"),
        (["--errors", "-1"], "Invalid value for '--errors'"),
        (["--training-data", "no-such.jsonl"], "no-such.jsonl"),
    ],
)
def test_arguments_that_cannot_work(
    capsys: pytest.CaptureFixture[str], data: Path, arguments: list[str], words: str
) -> None:
    result = evaluate(capsys, data, *arguments)
    assert (result.status, result.out) == (2, "")
    assert words in result.err
    assert "Traceback" not in result.err


def test_a_split_without_a_splits_file(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    (data / "splits.json").unlink()
    result = evaluate(capsys, data, "--split", "test")
    assert result.status == 2
    assert "expected splits.json with the data, found none" in result.err


def test_a_model_that_cannot_be_used(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    def refuse(_: str | None) -> FakeModel:
        raise ModelError("m: no such model")

    monkeypatch.setattr(evaluate_verb, "load_classifier", refuse)
    result = evaluate(capsys, data, "--model", "m")
    assert (result.status, result.out, result.err) == (3, "", "stance: m: no such model\n")


def test_without_a_schema_the_model_s_is_taken(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    (data / "schema.json").unlink()
    assert scores(evaluate(capsys, data, "--format", "json"))["overall"]["texts"] == 5
    path = predict(capsys, monkeypatch, data)
    result = evaluate(capsys, data, "--predictions", path)
    assert result.status == 2
    assert "--schema FILE" in result.err


def test_a_schema_by_name(capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path) -> None:
    one = replace(WITH_NEUTRAL, topics=SCHEMA.topics[:1])
    path = write(tmp_path / "one.json", one.to_dict())
    result = evaluate(capsys, data, "--schema", path)
    assert result.status == 1
    assert "labels[0].topic: expected one of rivers, found 'bridges'" in result.err


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        (
            Schema(topics=(*SCHEMA.topics, Topic(name="trains")), stances=SCHEMA.stances),
            "the data have trains, which the model does not know; it knows rivers, bridges",
        ),
        (
            Schema(topics=SCHEMA.topics, stances=(*SCHEMA.stances, Stance(name="mixed"))),
            "negative, positive, mixed to be predicted, the model predicts negative, positive",
        ),
    ],
)
def test_topics_and_stances_that_the_model_does_not_know(
    capsys: pytest.CaptureFixture[str], data: Path, schema: Schema, words: str
) -> None:
    write(data / "schema.json", schema.to_dict())
    result = evaluate(capsys, data)
    assert (result.status, result.out) == (2, "")
    assert words in result.err


def test_a_model_may_know_more_topics_and_another_order_of_stances() -> None:
    known = Schema(
        topics=(Topic(name="trains"), *SCHEMA.topics), stances=tuple(reversed(SCHEMA.stances))
    )
    check_fit(WITH_NEUTRAL, known)
    with pytest.raises(SchemaError):
        check_fit(known, WITH_NEUTRAL)


def test_faulty_records(capsys: pytest.CaptureFixture[str], data: Path) -> None:
    bad = write(data / "more.jsonl", record("f", "Rivers", canals="positive"))
    result = evaluate(capsys, data)
    assert (result.status, result.out) == (1, "")
    assert f'{bad}:1: record "f": labels[0].topic' in result.err
    result = evaluate(capsys, data, "--skip-invalid", "--format", "json")
    assert scores(result)["about"]["faults_skipped"] == 1
    assert f"{bad}:1" in result.err
    assert "faults: 1; went on with 5 records" in result.err


def test_predictions_of_skipped_records_are_passed_over(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    path = predict(capsys, monkeypatch, data, "--full")
    write(data / "texts.jsonl", *RECORDS[:4], {**RECORDS[4], "labels": "none"})
    result = evaluate(capsys, data, "--predictions", path, "--skip-invalid", "--format", "json")
    assert scores(result)["overall"]["texts"] == 4
    assert "Predictions passed over, for texts that are not scored: 1" in result.err


def test_ids_that_do_not_match_are_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    path = predict(capsys, monkeypatch, data)
    path.write_text(path.read_text(encoding="utf-8").replace('"id": "a"', '"id": "z"'))
    result = evaluate(capsys, data, "--predictions", path)
    assert (result.status, result.out) == (1, "")
    assert 'record "z": expected a record of the data' in result.err
    assert 'record "a": expected one prediction for each record, found none' in result.err


def test_faulty_predictions_are_named_with_their_lines(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    path = predict(capsys, monkeypatch, data)
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[0] = "{"
    lines[1] = json.dumps({"id": "b", "topics": 3, "scores": {}})
    lines[2] = json.dumps({"id": "c", "line": 3, "error": "no text"})
    lines.append(json.dumps({"id": "other", "line": 9, "error": "no text"}))
    write(path, *lines)
    result = evaluate(capsys, data, "--predictions", path)
    assert (result.status, result.out) == (1, "")
    assert f"{path}:1: expected a JSON object" in result.err
    assert f"{path}:2: expected a prediction as `stance predict` writes it" in result.err
    assert f'{path}:3: record "c": expected a prediction, found an input not read' in result.err
    assert ":6:" not in result.err


def test_a_report_that_cannot_be_written(
    capsys: pytest.CaptureFixture[str], data: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    result = evaluate(capsys, data, "--report", tmp_path / "file")
    assert result.status == 2
    assert "cannot make the folder" in result.err


def test_words_of_the_data_are_no_commands_to_the_terminal(
    capsys: pytest.CaptureFixture[str], data: Path
) -> None:
    wild = ({**item, "kind": f"\x1b[31m[bold]x\n{len(item['text']) % 2}"} for item in RECORDS)
    write(data / "texts.jsonl", *wild)
    result = evaluate(capsys, data)
    assert result.status == 0
    assert "\x1b" not in result.out
    assert "[bold]x" in result.out


def test_the_model_sees_the_records_ids_and_no_labels(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, data: Path
) -> None:
    seen: list[Article] = []

    class Watching(FakeModel):
        def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
            for article in articles:
                seen.append(article)
                yield from super().predict_many([article])

    monkeypatch.setattr(evaluate_verb, "load_classifier", lambda _: Watching())
    write(data / "texts.jsonl", *({**item, "source": "x"} for item in RECORDS))
    assert evaluate(capsys, data).status == 0
    assert [article.id for article in seen] == list("abcde")
    assert not any(article.extra for article in seen)
