"""A run of fine-tuning learns, repeats itself, goes on where it stopped, keeps its best epoch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor, nn

from stance.errors import UsageError
from training.averaging import WeightAverage
from training.corpus import Example, make_examples
from training.frozen import with_states
from training.loop import (
    LoopResult,
    fit,
    last_checkpoint,
    parameter_groups,
    score_examples,
)
from training.network import LensModel
from training.progress import Progress
from training.scoring import validation_scores
from training.settings import TrainingSettings

pytestmark = pytest.mark.training

ENCODER = tiny.encoder()
TRAIN = make_examples(tiny.records(24), tiny.SCHEMA, ENCODER)
VALIDATION = make_examples(tiny.records(12, start=24), tiny.SCHEMA, ENCODER)
# With whatever draws by chance, so that a repetition must repeat that too.
CHANCY = tiny.settings(
    epochs=4, joined_share=0.5, dropout=0.2, average_from=0.3, average_decay=0.99
)


class StoppedError(Exception):
    """Stands for a pulled plug."""


class Stopping(Progress):
    """Stops a run when an epoch begins, or when it has been scored but not yet saved."""

    def __init__(self, *, begins: int = 0, scored: int = 0) -> None:
        super().__init__(shown=False)
        self._begins, self._scored = begins, scored

    def start_epoch(self, epoch: int, max_steps: int, step: int) -> None:
        if epoch == self._begins:
            raise StoppedError
        super().start_epoch(epoch, max_steps, step)

    def end_epoch(self, epoch: int, scores: Mapping[str, float]) -> None:
        if epoch == self._scored:
            raise StoppedError
        super().end_epoch(epoch, scores)


def run(
    work: Path,
    settings: TrainingSettings = CHANCY,
    *,
    resume: bool = False,
    progress: Progress | None = None,
    lens: LensModel | None = None,
    train: list[Example] = TRAIN,
) -> tuple[LensModel, LoopResult]:
    work.mkdir(exist_ok=True)
    torch.manual_seed(settings.seed)
    model = lens or tiny.lens()
    # The encoder of this world is built without dropout; the heads have the recipe's.
    model.heads.dropout.p = settings.dropout
    result = fit(
        model,
        ENCODER,
        train,
        VALIDATION,
        settings,
        work,
        resume=resume,
        device="cpu",
        progress=progress or Progress(shown=False),
    )
    return model, result


def weights(lens: LensModel) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in lens.named_parameters()}


def assert_equal(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert ours.keys() == theirs.keys()
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[LensModel, LoopResult]:
    """A run that nobody interrupts."""
    return run(tmp_path_factory.mktemp("whole"))


def test_a_seed_repeats_a_run(whole: tuple[LensModel, LoopResult], tmp_path: Path) -> None:
    lens, result = run(tmp_path)
    assert result == whole[1]
    assert_equal(weights(lens), weights(whole[0]))


def test_another_seed_is_another_run(whole: tuple[LensModel, LoopResult], tmp_path: Path) -> None:
    lens, _ = run(tmp_path, CHANCY.model_copy(update={"seed": 5}), lens=tiny.lens())
    ours, theirs = weights(lens), weights(whole[0])
    assert not any(torch.equal(ours[name], theirs[name]) for name in ("bias", "decay"))


@pytest.mark.parametrize(
    "stopping",
    [{"begins": 2}, {"begins": 4}, {"scored": 1}, {"scored": 3}],
    ids=["before epoch 2", "before epoch 4", "in saving epoch 1", "in saving epoch 3"],
)
def test_a_run_that_goes_on_ends_as_one_that_was_never_stopped(
    whole: tuple[LensModel, LoopResult], tmp_path: Path, stopping: dict[str, int]
) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, progress=Stopping(**stopping))
    torch.manual_seed(99)  # a new process stands elsewhere in its random numbers
    lens, result = run(tmp_path, resume=True)
    assert result == whole[1]
    assert_equal(weights(lens), weights(whole[0]))


def test_a_run_that_was_ended_is_not_trained_again(
    whole: tuple[LensModel, LoopResult], tmp_path: Path
) -> None:
    run(tmp_path)
    lens, result = run(tmp_path, resume=True)
    assert result == whole[1]
    assert_equal(weights(lens), weights(whole[0]))


def test_the_best_epoch_is_the_one_that_is_kept(tmp_path: Path) -> None:
    settings = tiny.settings(epochs=6)
    lens, result = run(tmp_path, settings)
    assert [row["epoch"] for row in result.history] == [1, 2, 3, 4, 5, 6]
    best = max(row["joint_f1"] for row in result.history)
    assert result.history[result.best_epoch - 1]["joint_f1"] == best
    logits = score_examples(lens, ENCODER, VALIDATION)
    kept = validation_scores(logits, np.stack([example.stance for example in VALIDATION]))
    row = dict(result.history[result.best_epoch - 1])
    assert {"epoch": result.best_epoch, **kept} == pytest.approx(row)
    assert best > result.history[0]["joint_f1"]


def test_an_earlier_epoch_is_kept_where_later_ones_are_worse(tmp_path: Path) -> None:
    scores: Iterator[float] = iter([0.3, 0.8, 0.5])

    def one(*_: object) -> dict[str, float]:
        return {"joint_f1": next(scores), "stance_f1": 0.0}

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.loop.validation_scores", one)
        settings = tiny.settings(epochs=3, average_from=1.0)
        longer, result = run(tmp_path / "a", settings)
    assert result.best_epoch == 2
    scores = iter([0.3, 0.8])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.loop.validation_scores", one)
        # The schedule is that of three epochs; only the last is not run.
        with pytest.raises(StoppedError):
            run(tmp_path / "b", settings, progress=Stopping(begins=3))
    from safetensors.torch import load_file

    kept = load_file(tmp_path / "b" / "best.safetensors")
    assert_equal(weights(longer), {name: kept[name] for name in weights(longer)})


def test_a_model_without_a_presence_term_is_judged_by_stance(tmp_path: Path) -> None:
    settings = tiny.settings(epochs=2, presence_weight=0.0, sentence_weight=0.0)
    _, result = run(tmp_path, settings)
    best = max(row["stance_f1"] for row in result.history)
    assert result.history[result.best_epoch - 1]["stance_f1"] == best


def test_a_frozen_encoder_stays_as_it_is_while_the_heads_learn(tmp_path: Path) -> None:
    lens = tiny.lens()
    before = weights(lens)
    gold = np.stack([example.stance for example in TRAIN])
    first = validation_scores(score_examples(lens, ENCODER, TRAIN), gold)
    settings = tiny.settings(epochs=8, freeze_encoder=True, joined_share=0.5)
    run(tmp_path, settings, lens=lens)
    for name, value in weights(lens).items():
        assert torch.equal(value, before[name]) == name.startswith("encoder."), name
    last = validation_scores(score_examples(lens, ENCODER, TRAIN), gold)
    assert last["topic_ap"] > first["topic_ap"] + 0.1


def test_states_known_beforehand_are_those_of_the_encoder() -> None:
    lens = tiny.lens()
    examples = with_states(lens, ENCODER, TRAIN, bf16=False)
    for example, known in zip(TRAIN, examples, strict=True):
        assert known.states is not None
        assert known.token_ids == example.token_ids
        assert [len(state) for state in known.states] == [len(ids) for ids in example.token_ids]
    plain, from_states = (score_examples(lens, ENCODER, group) for group in (TRAIN, examples))
    # Half precision.
    np.testing.assert_allclose(from_states.presence, plain.presence, atol=0.02)
    np.testing.assert_allclose(from_states.stance, plain.stance, atol=0.02)


def test_scores_do_not_depend_on_company_or_order() -> None:
    lens = tiny.lens()
    together = score_examples(lens, ENCODER, TRAIN)
    backwards = score_examples(lens, ENCODER, TRAIN[::-1], batch_tokens=64)
    np.testing.assert_allclose(backwards.presence[::-1], together.presence, atol=1e-5)
    np.testing.assert_allclose(backwards.stance[::-1], together.stance, atol=1e-5)


def test_a_run_that_goes_astray_is_ended_with_advice(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"in epoch 1 .* lower encoder_rate or head_rate"):
        run(tmp_path, tiny.settings(epochs=2, head_rate=1e30, encoder_rate=1e30, warmup=0.0))


def test_rates_fall_from_the_heads_to_the_first_layer() -> None:
    lens = tiny.lens()
    settings = tiny.settings(head_rate=1.0, encoder_rate=0.5, layer_decay=0.1, weight_decay=0.25)
    named = {id(parameter): name for name, parameter in lens.named_parameters()}
    found: dict[str, tuple[float, float]] = {}
    for group in parameter_groups(lens, settings):
        for parameter in group["params"]:
            assert named[id(parameter)] not in found
            found[named[id(parameter)]] = (group["lr"], group["weight_decay"])
    assert found.keys() == set(named.values())
    rates = {
        "heads.stance_hidden.weight": 1.0,
        "bias": 1.0,
        "encoder.encoder.layer.1.output.dense.weight": 0.5,
        "encoder.encoder.layer.0.output.dense.weight": 0.05,
        "encoder.embeddings.word_embeddings.weight": 0.005,
    }
    assert {name: found[name][0] for name in rates} == pytest.approx(rates)
    for name, parameter in lens.named_parameters():
        assert found[name][1] == (0.25 if parameter.dim() > 1 else 0.0), name
    lens.encoder.requires_grad_(False)
    frozen = [p for group in parameter_groups(lens, settings) for p in group["params"]]
    assert len(frozen) == sum(not name.startswith("encoder.") for name in named.values())


def test_the_last_whole_checkpoint_is_found(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path) is None
    for name, whole in {"9": True, "10": True, "200": False, "old": True}.items():
        folder = tmp_path / f"checkpoint-{name}"
        folder.mkdir()
        if whole:
            (folder / "trainer_state.json").write_text("{}")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"


class Line(nn.Module):
    """One number."""

    def __init__(self) -> None:
        super().__init__()
        self.value = nn.Parameter(torch.zeros(1))

    def set(self, value: float) -> None:
        with torch.no_grad():
            self.value.fill_(value)


def mean_of(average: WeightAverage, model: Line) -> float:
    with average:
        return model.value.item()


def test_the_average_is_a_plain_mean_and_then_an_exponential_one() -> None:
    model = Line()
    average = WeightAverage(model, decay=0.75, from_step=3)
    values = [5.0, 1.0, 2.0, 6.0, 4.0, 8.0, 1.0, 3.0]
    expected: list[float] = []
    for step, value in enumerate(values, start=1):
        model.set(value)
        average.update(step)
        if step < 3:
            assert mean_of(average, model) == value
            continue
        taken = step - 2
        share = max(0.25, 1 / taken)
        expected.append((1 - share) * expected[-1] + share * value if expected else value)
        assert mean_of(average, model) == pytest.approx(expected[-1])
        assert model.value.item() == value
    assert expected[2] == pytest.approx((2.0 + 6.0 + 4.0) / 3)


def test_an_average_goes_on_from_its_file(tmp_path: Path) -> None:
    def taken(values: list[float], average: WeightAverage, model: Line) -> None:
        for value in values:
            model.set(value)
            average.update(10)

    model, other = Line(), Line()
    average = WeightAverage(model, decay=0.99, from_step=0)
    average.save(tmp_path / "none")
    assert not (tmp_path / "none").exists()
    taken([1.0, 4.0, 2.0], average, model)
    average.save(tmp_path / "mean")
    resumed = WeightAverage(other, decay=0.99, from_step=0)
    resumed.load(tmp_path / "none")
    resumed.load(tmp_path / "mean")
    for each, line in ((average, model), (resumed, other)):
        taken([7.0, 5.0], each, line)
    assert mean_of(resumed, other) == mean_of(average, model) == pytest.approx(19 / 5)


def test_an_average_ends_with_the_models_own_weights_after_an_error() -> None:
    model = Line()
    average = WeightAverage(model, decay=0.5, from_step=0)
    model.set(1.0)
    average.update(1)
    model.set(3.0)
    with suppress(StoppedError), average:
        assert model.value.item() == 1.0
        raise StoppedError
    assert model.value.item() == 3.0


def test_history_is_written_as_it_grows(tmp_path: Path) -> None:
    with pytest.raises(StoppedError):
        run(tmp_path, progress=Stopping(begins=3))
    rows: list[dict[str, Any]] = json.loads((tmp_path / "history.json").read_text())
    assert [row["epoch"] for row in rows] == [1.0, 2.0]
