"""A written folder says of itself what is so: digests, parity, scores and calibration."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st

from stance.artifact import MANIFEST, Artifact, TopicCalibration, load_artifact
from stance.classifier import Classifier, LensScorer
from stance.encoding import ArticleEncoder
from stance.errors import ModelError
from stance.evaluation import evaluate
from stance.records import Record
from stance.wide import load_wide
from training.corpus import make_examples
from training.loop import score_examples
from training.network import LensModel
from training.package import (
    PARITY_FILE,
    PARITY_TEXTS,
    Provenance,
    compare,
    library_versions,
    scorer_logits,
    write_manifest,
)
from training.scoring import Logits
from training.weights import load_lens
from training.wide import with_wide

pytestmark = pytest.mark.training

CALIBRATION = {name: TopicCalibration() for name in tiny.SCHEMA.topic_names}


def logits_of(presence: list[list[float]], stance: list[list[float]]) -> Logits:
    return Logits(presence=np.array(presence), stance=np.array(stance)[:, :, None])


EXACT = logits_of([[2, -2], [2, 2], [-2, -2], [2, -2]], [[1, 1], [1, -1], [1, 1], [-1, 1]])


def test_equal_logits_change_nothing() -> None:
    parity = compare(EXACT, EXACT, CALIBRATION, tiny.SCHEMA, 0.0)
    assert (parity.pairs, parity.presence_changed) == (8, 0)
    assert (parity.stance_pairs, parity.stance_changed) == (4, 0)
    assert parity.largest_presence_difference == 0.0


def test_any_changed_label_is_too_many_where_the_limit_is_0() -> None:
    presence, stance = EXACT.presence.copy(), EXACT.stance.copy()
    presence[0, 1] = 1.0
    with pytest.raises(ModelError, match=r"labels 1 of 8 .* more than 0.0%; the model is not"):
        compare(EXACT, replace(EXACT, presence=presence), CALIBRATION, tiny.SCHEMA, 0.0)
    stance[1, 1, 0] = 1.0
    with pytest.raises(ModelError, match="labels 1 of 8"):
        compare(EXACT, replace(EXACT, stance=stance), CALIBRATION, tiny.SCHEMA, 0.0)
    both = Logits(presence=presence, stance=stance)
    parity = compare(EXACT, both, CALIBRATION, tiny.SCHEMA, 0.25)
    assert (parity.presence_changed, parity.stance_changed, parity.limit) == (1, 1, 0.25)
    with pytest.raises(ModelError, match=r"labels 2 of 8 .* more than 24.0%"):
        compare(EXACT, both, CALIBRATION, tiny.SCHEMA, 0.24)


def test_the_stance_of_what_is_not_found_does_not_count() -> None:
    stance = EXACT.stance.copy()
    stance[2] = -stance[2]
    parity = compare(EXACT, replace(EXACT, stance=stance), CALIBRATION, tiny.SCHEMA, 0.0)
    assert parity.stance_changed == 0


numbers = st.floats(-4, 4).map(lambda value: round(value, 2))


@given(
    drawn=st.lists(st.lists(numbers, min_size=8, max_size=8), min_size=1, max_size=8),
    threshold=st.floats(0.1, 0.9),
    slope=st.floats(0.5, 2),
)
def test_changed_labels_are_counted(
    drawn: list[list[float]], threshold: float, slope: float
) -> None:
    values = np.array(drawn)
    exact = Logits(presence=values[:, :2], stance=values[:, 2:4, None])
    other = Logits(presence=values[:, 4:6], stance=values[:, 6:, None])
    numbers_ = TopicCalibration(slope=slope, offset=0.3, threshold=threshold)
    parity = compare(
        exact, other, dict.fromkeys(tiny.SCHEMA.topic_names, numbers_), tiny.SCHEMA, 1.0
    )
    found = changed = both = turned = 0
    for row in drawn:
        for k in range(2):
            ours, theirs = (
                1 / (1 + np.exp(-(slope * row[place + k] + 0.3))) >= threshold for place in (0, 4)
            )
            found += 1
            changed += ours != theirs
            both += ours and theirs
            turned += bool(ours and theirs and (row[2 + k] > 0) != (row[6 + k] > 0))
    assert (parity.pairs, parity.presence_changed) == (found, changed)
    assert (parity.stance_pairs, parity.stance_changed) == (both, turned)


def records_of(split: str) -> list[Record]:
    data, splits = tiny.dataset()
    return splits.select(data, split)


def float_logits(
    artifact: Artifact, lens: LensModel, encoder: ArticleEncoder, records: list[Record]
) -> Logits:
    examples = make_examples(records, tiny.SCHEMA, encoder)
    return with_wide(score_examples(lens, encoder, examples), load_wide(artifact), examples)


def test_the_manifest_tells_the_parity_that_the_folder_has(tiny_model: Path) -> None:
    lens, encoder, artifact = load_lens(tiny_model)
    validation = records_of("validation")
    exact = float_logits(artifact, lens, encoder, validation)
    quantised = scorer_logits(LensScorer(artifact), validation)
    manifest = artifact.manifest
    assert manifest.parity is not None
    again = compare(exact, quantised, manifest.calibration, tiny.SCHEMA, manifest.parity.limit)
    assert again == manifest.parity
    assert again.pairs == 2 * len(validation)
    # The int8 graph is another one, and yet near.
    assert 0 < np.abs(exact.presence - quantised.presence).max() < 1.0


def test_the_parity_file_holds_the_float_models_answers(tiny_model: Path) -> None:
    lens, encoder, artifact = load_lens(tiny_model)
    lines = artifact.read_optional(PARITY_FILE, needed_for="a test").decode().splitlines()
    validation = records_of("validation")
    assert len(lines) == min(len(validation), PARITY_TEXTS)
    exact = float_logits(artifact, lens, encoder, validation)
    for index, row in enumerate(map(json.loads, lines)):
        assert row["text"] == validation[index].article.text
        np.testing.assert_allclose(row["presence"], exact.presence[index], atol=1e-4)
        np.testing.assert_allclose(row["stance"], exact.stance[index], atol=1e-4)


def test_scores_come_in_the_order_of_the_records(tiny_model: Path) -> None:
    scorer = LensScorer(load_artifact(tiny_model))
    records = records_of("train") * 2  # more than are scored at a time
    together = scorer_logits(scorer, records)
    for index in (0, 39, 64, 79):
        alone = scorer_logits(scorer, [records[index]])
        np.testing.assert_allclose(together.presence[index], alone.presence[0], atol=1e-4)
        np.testing.assert_allclose(together.stance[index], alone.stance[0], atol=1e-4)


def test_the_folder_is_whole_and_its_digests_are_right(tiny_model: Path) -> None:
    manifest = load_artifact(tiny_model).manifest
    names = {path.name for path in tiny_model.iterdir()}
    assert names == {*manifest.files, MANIFEST, "README.md"}
    for name, entry in manifest.files.items():
        content = (tiny_model / name).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    required = {name for name, entry in manifest.files.items() if entry.required}
    assert required == {"model.xml", "model.bin", "tokenizer.json", "schema.json", "wide.npz"}


def test_the_manifest_tells_where_the_model_comes_from(tiny_model: Path) -> None:
    data, splits = tiny.dataset()
    manifest = load_artifact(tiny_model).manifest
    assert manifest.data["digest"] == data.digest
    assert manifest.data["texts"] == {name: len(ids) for name, ids in splits.splits.items()}
    counted = {
        topic: sum(sum(label.topic == topic for label in r.labels) for r in records_of("train"))
        for topic in tiny.SCHEMA.topic_names
    }
    labels = manifest.data["labels"]
    assert {topic: sum(stances.values()) for topic, stances in labels.items()} == counted
    assert manifest.training["epochs"] == len(manifest.history) == 12
    assert manifest.versions == library_versions()
    assert {"python", "stance", "torch", "openvino"} <= set(manifest.versions)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", manifest.created)


def test_the_scores_are_those_of_the_folder_as_it_is_used(tiny_model: Path) -> None:
    classifier = Classifier.from_pretrained(tiny_model)
    assert set(classifier.manifest.scores) == {"validation", "test"}
    for split, told in classifier.manifest.scores.items():
        records = records_of(split)
        report = evaluate(
            records,
            classifier.predict_many(record.article for record in records),
            tiny.SCHEMA,
            about={
                "split": split,
                "model": classifier.digest,
                "data": classifier.manifest.data["digest"],
            },
        )
        assert told["signature"] == report.signature
        assert told["texts"] == len(records)
        joint = report.overall.value("topics", "macro", "f1")
        assert joint is not None
        assert told["topic macro F1"] == pytest.approx(joint, abs=1e-4)


def test_the_card_tells_schema_scores_and_use(tiny_model: Path) -> None:
    card = (tiny_model / "README.md").read_text()
    manifest = load_artifact(tiny_model).manifest
    assert card.startswith("---\n")
    for words in ("topic `harbour`", "stance `neutral` (in labels only", "stance predict"):
        assert words in card
    assert manifest.scores["test"]["signature"] in card
    # Nothing of the machine that trained it.
    assert str(tiny_model.parent) not in card + (tiny_model / MANIFEST).read_text()


def test_a_manifest_lists_what_is_required_and_what_is_not(tmp_path: Path) -> None:
    (tmp_path / "graph").write_bytes(b"g")
    (tmp_path / "notes").write_bytes(b"nn")
    data, _ = tiny.dataset()
    provenance = Provenance(
        name="m", schema=tiny.SCHEMA, settings=tiny.settings(), data={"digest": data.digest}
    )
    draft = {"kind": "baseline"}
    write_manifest(
        tmp_path, provenance, draft, required=["graph", "schema.json"], optional=["notes"]
    )
    manifest = load_artifact(tmp_path).manifest
    assert {name: entry.required for name, entry in manifest.files.items()} == {
        "graph": True,
        "schema.json": True,
        "notes": False,
    }
    assert manifest.files["notes"].bytes == 2
