"""The model card: a metadata block that the hub's library reads, and every section."""

from __future__ import annotations

from pathlib import Path

import pytest
from cli_support import SCHEMA, write_model
from huggingface_hub import ModelCard

from stance.artifact import load_artifact
from stance.evaluation import Report, evaluate
from stance.predictions import Finding, Prediction
from stance.records import Article, Label, Record
from training.card import main_scores, write_card


def report(texts: int = 60) -> Report:
    records, predictions = [], []
    for number in range(texts):
        name, own = f"t{number}", "negative" if number % 3 else "positive"
        records.append(
            Record(
                id=name,
                article=Article(text=f"Rivers {number}", id=name),
                labels=(Label(topic="rivers", stance=own),) if number % 4 else (),
                kind="headline" if number % 2 else "brief",
            )
        )
        # Wrong on most briefs.
        said = own if number % 2 or number % 5 == 0 else "positive"
        finding = Finding(
            topic="rivers",
            probability=0.9 if number % 4 else 0.1,
            stance=said,
            stance_probabilities={"negative": 0.5, "positive": 0.5},
            uncertain=False,
        )
        predictions.append(
            Prediction(
                id=name,
                topics=(finding,) if number % 4 else (),
                scores={"rivers": finding.probability, "bridges": 0.1},
            )
        )
    return evaluate(records, predictions, SCHEMA, resamples=100, about={"split": "test"})


@pytest.fixture
def card(tmp_path: Path) -> ModelCard:
    promise = {"promised": True, "error_bound": 0.1, "level": 0.95}
    folder = write_model(
        tmp_path / "model",
        data={"digest": "ab" * 32, "texts": {"train": 1200, "test": 60}},
        training={"epochs": 4},
        versions={"torch": "9"},
        uncertainty=promise,
    )
    path = folder / "README.md"
    write_card(path, load_artifact(folder), {"validation": report(0), "test": report()})
    return ModelCard.load(path)


def test_the_metadata_hold_the_scores_with_their_intervals(card: ModelCard) -> None:
    assert card.data.library_name == "stance"
    assert card.data.pipeline_tag == "text-classification"
    assert card.data.model_name == "tiny"
    expected, scores = main_scores(report()), report().overall.scores
    # Of the split without texts nothing is defined, so nothing is told.
    results = {item.metric_name: item for item in card.data.eval_results or []}
    defined = {name for name, value in expected.items() if value is not None} - {
        "signature",
        "texts",
    }
    assert set(results) == defined
    joint = results["joint F1"]
    assert (joint.dataset_split, joint.metric_type) == ("test", "f1")
    assert joint.metric_value == expected["joint F1"]
    score = scores["sure", "joint", "f1"]
    assert joint.metric_args == {
        "low": round(score.low or 0, 4),
        "high": round(score.high or 0, 4),
    }


def test_the_text_has_every_section(card: ModelCard) -> None:
    words = card.text
    places = [
        words.index(f"\n## {name}\n")
        for name in ("Use", "Schema", "Data", "Evaluation", "Training", "Limits")
    ]
    assert places == sorted(places)
    assert "- topic `rivers`: what flows" in words
    assert f"- digest: {'ab' * 32}" in words
    assert "train 1,200, test 60" in words
    joint = report().overall.scores["sure", "joint", "f1"]
    row = f"| joint F1 | not defined | {joint.value:.3f} ({joint.low:.3f} to {joint.high:.3f}) |"
    assert row in words
    assert f"`test`: `{report().signature}`" in words
    assert "### Topics" in words
    assert "### Stance by class, all labels" in words
    assert "at most 10 % were wrong on held-out texts (95 % confidence)" in words
    assert "- On `test` it is weaker at kind brief: joint F1 0." in words


def test_a_model_that_promises_nothing_says_so(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "model")
    write_card(folder / "README.md", load_artifact(folder), {})
    words = ModelCard.load(folder / "README.md").text
    assert "it calls every stance uncertain" in words
