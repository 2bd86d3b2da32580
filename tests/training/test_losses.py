"""Each term of the loss equals its formula, and leaves out what is not known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from training.labels import ABSENT, UNPREDICTED
from training.losses import Targets, consistency_loss, lens_loss, stance_loss
from training.network import LensOutputs
from training.settings import TrainingSettings

pytestmark = pytest.mark.training

WEIGHTS = ("presence_weight", "stance_weight", "sentence_weight", "evidence_weight")
OWNER = torch.tensor([0, 0, 1, 2, 2, 2])  # document of each sentence


def only(**weights: float) -> TrainingSettings:
    """A recipe in which only these terms count."""
    return tiny.settings(**{**dict.fromkeys(WEIGHTS, 0.0), **weights})


def outputs_of(seed: int = 0, columns: int = 1) -> LensOutputs:
    """Three documents of two, one and three sentences, two topics."""
    generator = torch.Generator().manual_seed(seed)
    focus = torch.rand(6, 2, generator=generator)
    total = torch.zeros(3, 2).index_add_(0, OWNER, focus)
    return LensOutputs(
        presence=2 * torch.randn(3, 2, generator=generator),
        stance=2 * torch.randn(3, 2, columns, generator=generator),
        sentence_presence=2 * torch.randn(6, 2, generator=generator),
        focus=focus / total[OWNER],
    )


NAN = math.nan
TARGETS = Targets(
    presence=torch.tensor([[1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]),
    stance=torch.tensor([[1, ABSENT], [ABSENT, ABSENT], [0, 1]]),
    sentence_presence=torch.tensor(
        [[1.0, 0.0], [NAN, 0.0], [0.0, 0.0], [NAN, NAN], [NAN, 1.0], [NAN, NAN]]
    ),
    evidence=torch.tensor([[1.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 1.0], [0.0, 1.0]]),
)


def cross_entropy(logit: float, target: float) -> float:
    probability = 1 / (1 + math.exp(-logit))
    return -target * math.log(probability) - (1 - target) * math.log(1 - probability)


def mean(values: list[float]) -> float:
    return sum(values) / len(values)


def loss_of(outputs: LensOutputs, settings: TrainingSettings, targets: Targets = TARGETS) -> float:
    return float(lens_loss(outputs, targets, OWNER, settings))


def test_presence_is_the_mean_cross_entropy_over_all_pairs() -> None:
    outputs = outputs_of()
    expected = mean(
        [
            cross_entropy(float(outputs.presence[d, k]), float(TARGETS.presence[d, k]))
            for d in range(3)
            for k in range(2)
        ]
    )
    assert loss_of(outputs, only(presence_weight=1.0)) == pytest.approx(expected, rel=1e-5)


def test_sentences_of_which_nothing_is_known_are_left_out() -> None:
    outputs = outputs_of()
    known = [
        (s, k) for s in range(6) for k in range(2) if not TARGETS.sentence_presence[s, k].isnan()
    ]
    assert len(known) == 6
    expected = mean(
        [
            cross_entropy(
                float(outputs.sentence_presence[s, k]), float(TARGETS.sentence_presence[s, k])
            )
            for s, k in known
        ]
    )
    assert loss_of(outputs, only(sentence_weight=1.0)) == pytest.approx(expected, rel=1e-5)


def test_stances_are_learnt_from_labelled_pairs_alone() -> None:
    outputs = outputs_of()
    expected = mean(
        [
            cross_entropy(float(outputs.stance[0, 0, 0]), 1.0),
            cross_entropy(float(outputs.stance[2, 0, 0]), 0.0),
            cross_entropy(float(outputs.stance[2, 1, 0]), 1.0),
        ]
    )
    found = loss_of(outputs, only(stance_weight=1.0))
    assert found == pytest.approx(expected, rel=1e-5)


def softmax_loss(logits: list[float], target: int, smoothing: float) -> float:
    total = math.log(sum(math.exp(value) for value in logits))
    losses = [total - value for value in logits]
    return (1 - smoothing) * losses[target] + smoothing * mean(losses)


@given(
    rows=st.lists(st.lists(st.floats(-5, 5), min_size=3, max_size=3), min_size=1, max_size=5),
    target=st.integers(0, 2),
    smoothing=st.sampled_from([0.0, 0.1, 0.4]),
)
def test_smoothing_spreads_a_share_over_all_stances(
    rows: list[list[float]], target: int, smoothing: float
) -> None:
    three = stance_loss(torch.tensor(rows), torch.full((len(rows),), target), smoothing)
    expected = mean([softmax_loss(row, target, smoothing) for row in rows])
    assert float(three) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    second = min(target, 1)
    two = stance_loss(torch.tensor(rows)[:, :1], torch.full((len(rows),), second), smoothing)
    expected = mean([softmax_loss([0.0, row[0]], second, smoothing) for row in rows])
    assert float(two) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_evidence_is_minus_the_log_of_the_attention_on_it() -> None:
    outputs = outputs_of()
    masses = [
        float(outputs.focus[0, 0]),  # first document, first topic
        float(outputs.focus[4, 1] + outputs.focus[5, 1]),  # third document, second topic
    ]
    expected = mean([-math.log(mass) for mass in masses])
    assert loss_of(outputs, only(evidence_weight=1.0)) == pytest.approx(expected, rel=1e-5)


def test_evidence_without_any_attention_has_a_finite_loss() -> None:
    outputs = outputs_of()
    outputs.focus[0, 0] = 0.0
    outputs.focus[4:, 1] = 0.0
    assert loss_of(outputs, only(evidence_weight=1.0)) == pytest.approx(-math.log(1e-6), rel=1e-5)


def test_the_loss_is_the_weighted_sum_of_its_terms() -> None:
    outputs = outputs_of(columns=3)
    alone = [loss_of(outputs, only(**{name: 1.0})) for name in WEIGHTS]
    assert all(alone)
    weights = (2.0, 0.7, 0.5, 0.3)
    whole = loss_of(outputs, only(**dict(zip(WEIGHTS, weights, strict=True))))
    expected = sum(w * term for w, term in zip(weights, alone, strict=True))
    assert whole == pytest.approx(expected, rel=1e-5)


def test_texts_without_labels_teach_absence_alone() -> None:
    bare = Targets(
        presence=torch.zeros(3, 2),
        stance=torch.full((3, 2), ABSENT),
        sentence_presence=torch.full((6, 2), NAN),
        evidence=torch.zeros(6, 2),
    )
    outputs = outputs_of()
    everything = only(**dict.fromkeys(WEIGHTS, 1.0))
    presence = loss_of(outputs, only(presence_weight=1.0), bare)
    assert loss_of(outputs, everything, bare) == pytest.approx(presence)


@pytest.mark.parametrize("columns", [1, 3])
def test_unknown_targets_get_no_gradient(columns: int) -> None:
    drawn = outputs_of(columns=columns)
    leaves: dict[str, Tensor] = {
        name: getattr(drawn, name).clone().requires_grad_(True)
        for name in ("presence", "stance", "sentence_presence", "focus")
    }
    settings = only(**dict.fromkeys(WEIGHTS, 1.0))
    loss = lens_loss(LensOutputs(**leaves), TARGETS, OWNER, settings)
    gradients = torch.autograd.grad(loss, [*leaves.values()])
    assert all(gradient.isfinite().all() for gradient in gradients)
    _, stance, sentence, focus = gradients
    assert not stance[TARGETS.stance == ABSENT].any()
    assert stance[TARGETS.stance != ABSENT].any(dim=-1).all()
    assert not sentence[TARGETS.sentence_presence.isnan()].any()
    assert not focus[TARGETS.evidence == 0].any()


@pytest.mark.parametrize("columns", [1, 3])
def test_a_stance_that_is_not_predicted_asks_for_all_of_them_alike(columns: int) -> None:
    torch.manual_seed(0)
    logits = torch.randn(2, columns, requires_grad=True)
    loss = stance_loss(logits, torch.tensor([UNPREDICTED, 0]), smoothing=0.1)
    (gradient,) = torch.autograd.grad(loss, logits)
    rows = logits if columns > 1 else torch.cat([torch.zeros(2, 1), logits], dim=1)
    wanted = 1 / rows.shape[1]
    pull = (rows[0].softmax(dim=0) - wanted) / 2
    np.testing.assert_allclose(gradient[0].detach(), pull[-columns:].detach(), atol=1e-6)


def divergence(p: list[float], q: list[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))


def test_consistency_is_the_mean_divergence_of_two_passes() -> None:
    one, other = outputs_of(0), outputs_of(1)
    carried = TARGETS.stance != ABSENT
    expected = 0.0
    for name, places in (("presence", torch.ones_like(carried)), ("stance", carried)):
        pairs = []
        for mine, theirs in zip(
            getattr(one, name)[places].flatten().tolist(),
            getattr(other, name)[places].flatten().tolist(),
            strict=True,
        ):
            p, q = ([1 - y, y] for y in (1 / (1 + math.exp(-x)) for x in (mine, theirs)))
            pairs.append((divergence(p, q) + divergence(q, p)) / 2)
        expected += mean(pairs)
    assert float(consistency_loss(one, other, carried)) == pytest.approx(expected, rel=1e-4)
    assert float(consistency_loss(one, one, carried)) == 0.0
    assert float(consistency_loss(one, other, carried)) == pytest.approx(
        float(consistency_loss(other, one, carried))
    )
