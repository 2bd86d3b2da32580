"""From records to a model folder: it knows what it was taught, or says why it cannot be."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from stance.artifact import MANIFEST, load_artifact
from stance.classifier import Classifier, LensScorer
from stance.dataset import Dataset, digest_of
from stance.errors import DataError, ModelError, UsageError
from stance.evaluation import Report, evaluate
from stance.evaluation.scorecard import MAIN
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic
from stance.splits import Splits, make_splits
from training import api, package
from training.api import check_teachable, draw_share, train
from training.corpus import make_examples
from training.loop import LoopResult, score_examples
from training.network import LensModel
from training.progress import Progress
from training.weights import load_lens

pytestmark = pytest.mark.training


def scores(folder: Path, records: list[Record], schema: Schema) -> Report:
    """The folder's answers to these records, scored."""
    predictions = Classifier.from_pretrained(folder).predict_many(r.article for r in records)
    return evaluate(records, predictions, schema)


def joint_f1(report: Report) -> float:
    found = report.overall.value(MAIN, "joint", "f1")
    assert found is not None
    return found


def test_forty_texts_are_learnt_by_heart(tiny_model: Path) -> None:
    data, splits = tiny.dataset()
    records = splits.select(data, "train")
    assert len(records) == 40
    assert joint_f1(scores(tiny_model, records, tiny.SCHEMA)) >= 0.98


def test_what_was_learnt_holds_for_texts_that_were_not_seen(tiny_model: Path) -> None:
    fresh = tiny.records(60, seed=21, start=1_000)
    assert joint_f1(scores(tiny_model, fresh, tiny.SCHEMA)) >= 0.9


def test_evidence_is_the_sentence_on_the_topic(tiny_model: Path) -> None:
    text = "Snow covers the road. Our quay of the village rots. The library opens after lunch."
    (found,) = Classifier.from_pretrained(tiny_model).predict(text).topics
    assert (found.topic, found.stance) == ("harbour", "negative")
    assert "Our quay of the village rots." in [item.sentence for item in found.evidence]


def test_a_copied_folder_gives_the_same_answers(tiny_model: Path, tmp_path: Path) -> None:
    shutil.copytree(tiny_model, tmp_path / "copy")
    articles = [record.article for record in tiny.records(10, seed=8)]
    one, other = (
        list(Classifier.from_pretrained(path).predict_many(articles))
        for path in (tiny_model, tmp_path / "copy")
    )
    assert one == other


def test_the_runtime_keeps_to_the_float_model_within_parity(tiny_model: Path) -> None:
    fresh = tiny.records(30, seed=12, start=500)
    lens, encoder, artifact = load_lens(tiny_model)
    exact = score_examples(lens, encoder, make_examples(fresh, tiny.SCHEMA, encoder))
    quantised = package.scorer_logits(LensScorer(artifact), fresh)
    package.compare(exact, quantised, artifact.manifest.calibration, tiny.SCHEMA, 0.1)


@pytest.fixture(scope="module")
def three(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with three stances, and with the encoder left as it was after that."""
    return tiny.train_into(tmp_path_factory.mktemp("three") / "m", encoder_folder, tiny.THREE)


def test_three_stances_work_from_end_to_end(three: Path) -> None:
    data, splits = tiny.dataset(tiny.THREE)
    classifier = Classifier.from_pretrained(three)
    assert classifier.schema == tiny.THREE
    for finding in classifier.predict("The harbour of the town wavers.").topics:
        assert set(finding.stance_probabilities) == {"negative", "positive", "mixed"}
        assert sum(finding.stance_probabilities.values()) == pytest.approx(1)
    assert joint_f1(scores(three, splits.select(data, "train"), tiny.THREE)) >= 0.95
    assert set(classifier.manifest.scores) == {"validation", "test"}


class Caught:
    """Stands for the loop and the packaging; keeps what they were given."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, loop: bool = True) -> None:
        self.lens: LensModel | None = None
        self.options: dict[str, Any] = {}
        self.provenance: package.Provenance | None = None
        if loop:
            monkeypatch.setattr(api, "fit", self._fit)
        monkeypatch.setattr(api, "package_lens", self._package)

    def _fit(self, lens: LensModel, *arguments: Any, **options: Any) -> LoopResult:
        self.lens, self.options = lens, options
        return LoopResult(best_epoch=1, history=({"epoch": 1.0, "joint_f1": 0.5},))

    def _package(self, *arguments: Any, **options: Any) -> dict[str, Report]:
        self.provenance = options["provenance"]
        (arguments[4] / MANIFEST).write_text("{}")
        return {}


def renamed(schema: Schema) -> tuple[Dataset, Splits]:
    """The records of `tiny.THREE` without those labels that another schema has no names for."""
    data, splits = tiny.dataset(tiny.THREE)
    records = tuple(
        replace(
            record,
            labels=tuple(
                label
                for label in record.labels
                if label.topic in schema.topic_names and label.stance in schema.stance_names
            ),
        )
        for record in data.records
    )
    return replace(data, schema=schema, records=records), splits


def test_an_earlier_model_hands_on_what_it_knows(
    three: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its encoder, the topic of equal name, and two of its three stances as their difference."""
    schema = Schema(
        topics=(Topic(name="orchard"),),
        stances=(Stance(name="positive"), Stance(name="negative")),
    )
    caught = Caught(monkeypatch)
    data, splits = renamed(schema)
    train(data, splits, tiny.settings(), tmp_path / "m", base=str(three))
    earlier = load_lens(three)[0]
    assert caught.lens is not None
    assert caught.provenance is not None
    old, new = earlier.heads, caught.lens.heads
    torch.testing.assert_close(new.presence.weight[0], old.presence.weight[1])
    rows = old.stance_topic.weight[3:]  # orchard: negative, positive, mixed
    torch.testing.assert_close(new.stance_topic.weight[0], rows[0] - rows[1])
    torch.testing.assert_close(caught.lens.bias[0], earlier.bias[1])
    for name, value in caught.lens.encoder.state_dict().items():
        torch.testing.assert_close(value, earlier.encoder.state_dict()[name])
    told = caught.provenance.settings.base
    assert told == f"m ({load_artifact(three).digest[:12]})"


def test_base_and_device_reach_the_loop(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught = Caught(monkeypatch)
    report = train(
        *tiny.dataset(), tiny.settings(base="x"), tmp_path / "m", base=str(encoder_folder),
        device="cpu", resume=True,
    )  # fmt: skip
    assert (caught.options["device"], caught.options["resume"]) == ("cpu", True)
    assert report.best_epoch == 1
    assert str(report).splitlines()[0] == f"model written to {tmp_path / 'm'} (epoch 1 was best)"
    assert not (tmp_path / "m.training").exists()
    assert caught.provenance is not None
    assert caught.provenance.settings.base == "encoder"
    assert caught.provenance.name == "m"


class StoppedError(Exception):
    """Stands for a pulled plug."""


class Stopping(Progress):
    """Stops a run when its second epoch begins."""

    def start_epoch(self, epoch: int, max_steps: int, step: int) -> None:
        if epoch == 2:
            raise StoppedError
        super().start_epoch(epoch, max_steps, step)


def stop(encoder_folder: Path, out: Path) -> Path:
    """A run that was stopped after its first epoch; gives the folder of its checkpoints."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(api, "Progress", Stopping)
        with pytest.raises(StoppedError):
            train(*tiny.dataset(), tiny.settings(epochs=3), out, base=str(encoder_folder))
    return out.with_name(f"{out.name}.training")


@pytest.mark.parametrize("resume", [True, False])
def test_a_stopped_run_goes_on_or_begins_again(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, resume: bool
) -> None:
    work = stop(encoder_folder, tmp_path / "m")
    assert not (tmp_path / "m").exists()
    assert len(list(work.glob("checkpoint-*"))) == 1
    epochs: list[int] = []

    class Watching(Progress):
        def start_epoch(self, epoch: int, max_steps: int, step: int) -> None:
            epochs.append(epoch)

    caught = Caught(monkeypatch, loop=False)
    monkeypatch.setattr(api, "Progress", Watching)
    train(
        *tiny.dataset(), tiny.settings(epochs=3), tmp_path / "m", base=str(encoder_folder),
        resume=resume,
    )  # fmt: skip
    assert epochs == ([2, 3] if resume else [1, 2, 3])
    assert caught.provenance is not None
    assert [row["epoch"] for row in caught.provenance.history] == [1, 2, 3]
    assert not work.exists()


def test_a_graph_that_strays_is_not_written_and_the_earlier_model_stays(
    encoder_folder: Path, tiny_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "m"
    shutil.copytree(tiny_model, out)
    before = load_artifact(out).digest

    def trained(lens: LensModel, *_: Any, **__: Any) -> LoopResult:
        lens.load_state_dict(load_lens(tiny_model)[0].state_dict())
        # As if quantisation had turned the answers round.
        with torch.no_grad():
            lens.heads.presence.weight.neg_()
            lens.heads.presence.bias.neg_()
        return LoopResult(best_epoch=1, history=())

    def graph(onnx: Path, folder: Path, *_: Any) -> None:
        for name in ("model.xml", "model.bin"):
            shutil.copyfile(tiny_model / name, folder / name)

    monkeypatch.setattr(api, "fit", trained)
    monkeypatch.setattr(package, "write_onnx", lambda *_: None)
    monkeypatch.setattr(package, "write_graph", graph)
    with pytest.raises(ModelError, match=r"otherwise than the float model.*is not written"):
        train(*tiny.dataset(), tiny.settings(), out, base=str(encoder_folder))
    assert load_artifact(out).digest == before
    # The weights of the run are kept, so that it can go on with a more lenient recipe.
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m", "m.training"]


def test_a_folder_with_other_things_is_not_replaced(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Caught(monkeypatch)
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "dear.txt").write_text("x")
    with pytest.raises(UsageError, match="name another folder"):
        train(*tiny.dataset(), tiny.settings(), tmp_path / "letters", base=str(encoder_folder))
    assert (tmp_path / "letters" / "dear.txt").read_text() == "x"


@pytest.mark.parametrize("out", [".", "..", "/"])
def test_a_folder_without_a_name_is_refused(out: str) -> None:
    with pytest.raises(UsageError, match=r"--out .*: expected the name of a folder"):
        train(*tiny.dataset(), tiny.settings(), Path(out))


def test_windows_longer_than_the_encoder_reads_are_refused(
    encoder_folder: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=r"window_tokens: expected at most 64, .* found 65"):
        train(
            *tiny.dataset(), tiny.settings(window_tokens=65), tmp_path / "m",
            base=str(encoder_folder),
        )  # fmt: skip


def test_a_base_that_cannot_be_had_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(
        ModelError, match=r"--base .*empty: no encoder can be loaded from the folder"
    ):
        train(*tiny.dataset(), tiny.settings(), tmp_path / "m", base=str(tmp_path / "empty"))


def test_a_device_that_is_not_there_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UsageError, match="--device cuda: torch finds no CUDA device"):
        train(*tiny.dataset(), tiny.settings(), tmp_path / "m", device="cuda")


def taught(n: int, labels: Callable[[int], list[tuple[str, str]]]) -> Dataset:
    """Texts whose labels are told by their number."""
    records = tuple(
        Record(
            id=str(number),
            article=Article(text="The quay thrives."),
            labels=tuple(Label(topic=topic, stance=manner) for topic, manner in labels(number)),
        )
        for number in range(n)
    )
    return Dataset(
        schema=tiny.SCHEMA, records=records, files=("memory",), digest=digest_of(records)
    )


def both(number: int) -> list[tuple[str, str]]:
    manner = "positive" if number % 2 else "negative"
    return [("harbour", manner), ("orchard", manner)]


@pytest.mark.parametrize(
    ("n", "labels", "words"),
    [
        (9, both, "train: expected at least 10 texts, found 9"),
        (20, lambda n: both(n)[:1], "topic orchard: expected at least 2 .*, found 0"),
        (20, lambda n: both(n)[: 1 + (n == 3)], "topic orchard: expected at least 2 .*, found 1"),
        (
            20,
            lambda _: [("harbour", "positive"), ("orchard", "positive")],
            "at least two different stances in the training texts, found positive",
        ),
        (
            20,
            lambda n: [("harbour", "neutral"), ("orchard", "neutral")],
            "at least two different stances in the training texts, found none",
        ),
        (20, lambda _: [], "topic harbour: .*found 0"),
    ],
    ids=["few texts", "no topic", "topic once", "one stance", "unpredicted stance", "no labels"],
)
def test_data_that_cannot_teach_is_refused_at_once(
    n: int, labels: Callable[[int], list[tuple[str, str]]], words: str, tmp_path: Path
) -> None:
    data = taught(n, labels)
    with pytest.raises(DataError, match=words):
        check_teachable(data, {"train": data.records, "validation": data.records})


def test_all_that_is_missing_is_told_at_once() -> None:
    data = taught(3, lambda _: [])
    with pytest.raises(DataError) as caught:
        check_teachable(data, {"train": data.records, "validation": data.records})
    assert len(caught.value.faults) == 4


def test_just_enough_is_enough() -> None:
    data = taught(10, lambda number: both(number) if number < 2 else [])
    check_teachable(data, {"train": data.records, "validation": data.records[:1]})


@pytest.mark.parametrize("parts", [("train",), ("validation",), ("train", "test"), ()])
def test_splits_without_train_or_validation_are_refused(parts: tuple[str, ...]) -> None:
    data = taught(20, both)
    with pytest.raises(UsageError, match="expected texts in train and validation, found"):
        check_teachable(data, dict.fromkeys(parts, data.records))


@given(n=st.integers(1, 60), one=st.floats(0.01, 1), other=st.floats(0.01, 1))
def test_a_larger_share_holds_the_smaller_one(n: int, one: float, other: float) -> None:
    records = [Record(id=str(i), article=Article(id=str(i), text="x"), labels=()) for i in range(n)]
    small, large = (draw_share(records, share, 3) for share in sorted([one, other]))
    assert len(small) == math.ceil(min(one, other) * n)
    places = [int(record.id) for record in small]
    assert places == sorted(set(places))
    assert {record.id for record in small} <= {record.id for record in large}
    assert draw_share(records, 1.0, 3) == records


def test_the_report_says_where_the_model_is_and_how_good(tiny_model: Path) -> None:
    data, splits = tiny.dataset()
    report = api.TrainingReport(
        path=tiny_model,
        best_epoch=None,
        reports={"test": scores(tiny_model, splits.select(data, "test"), tiny.SCHEMA)},
    )
    first, second, last = str(report).splitlines()
    assert first == f"model written to {tiny_model}"
    assert second.startswith("test (8 texts): topic macro F1 ")
    assert f"--model {tiny_model}" in last


def test_splits_are_drawn_where_none_are_given(
    encoder_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    caught = Caught(monkeypatch)
    drawn = SimpleNamespace(seeds=[])

    def watching(records: Any, *, seed: int) -> Splits:
        drawn.seeds.append(seed)
        return make_splits(records, seed=seed)

    monkeypatch.setattr(api, "make_splits", watching)
    data, _ = tiny.dataset()
    train(data, None, tiny.settings(seed=6), tmp_path / "m", base=str(encoder_folder))
    assert drawn.seeds == [6]
    assert caught.provenance is not None
    assert sum(caught.provenance.data["texts"].values()) == len(data.records)
    assert json.dumps(caught.provenance.data)
