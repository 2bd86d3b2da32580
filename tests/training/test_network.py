"""The torch module pools as the runtime does, document by document, and teaches what it should."""

from __future__ import annotations

import math

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from stance.pooling import DocumentScores, merge_segments, pool_document, segment_sums
from stance.records import Article, Record
from stance.schema import Schema
from training.corpus import Collator, layout_and_targets, make_examples
from training.network import LensHeads, LensModel, LensOutputs, group_softmax, group_sum

pytestmark = pytest.mark.training

# Windows so short that sentences are cut, one sentence without tokens at each end and between.
ENCODER = tiny.encoder(10)
RECORDS = [
    Record(
        id=f"odd-{number}",
        article=Article(title=title, text=text),
        labels=(),
    )
    for number, (title, text) in enumerate(
        [
            ("\x01", "The quay of the village thrives in the town. Snow covers the road."),
            ("Harbour", "Our apples suffers.\n\x01\nThe library opens after lunch in the valley."),
            (None, "Snow"),
        ]
    )
] + tiny.records(6, seed=3)


def outputs_of(lens: LensModel, records: list[Record], schema: Schema) -> LensOutputs:
    """The module's outputs for these records as one batch."""
    examples = make_examples(records, schema, ENCODER)
    batch = Collator(ENCODER)(examples)
    layout, _ = layout_and_targets(batch)
    with torch.inference_mode():
        outputs: LensOutputs = lens(
            batch["input_ids"], batch["attention_mask"], batch["content_mask"], layout
        )
    return outputs


def runtime_scores(lens: LensModel, record: Record) -> DocumentScores:
    """The runtime's way: token outputs, then numpy."""
    article = ENCODER.encode([record.article])[0]
    windows = list(ENCODER.pack(article.token_ids))
    batch = ENCODER.batch(windows)
    with torch.inference_mode():
        outputs = lens.token_outputs(
            torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
        ).numpy()
    sums = segment_sums(outputs[batch.content_mask], batch.segment_starts, lens.heads.n_topics)
    owner = np.array([segment.sentence for window in windows for segment in window.segments])
    merged = merge_segments(sums, owner, len(article.sentences))
    return pool_document(merged, lens.pooling_parameters())


@pytest.mark.parametrize("schema", [tiny.SCHEMA, tiny.THREE], ids=["two stances", "three"])
def test_numpy_pools_as_torch_does(schema: Schema) -> None:
    lens = tiny.lens(schema)
    outputs = outputs_of(lens, RECORDS, schema)
    first = 0
    for index, record in enumerate(RECORDS):
        scores = runtime_scores(lens, record)
        np.testing.assert_allclose(outputs.presence[index], scores.presence, atol=1e-5)
        np.testing.assert_allclose(outputs.stance[index], scores.stance, atol=1e-5)
        encoded = ENCODER.encode([record.article])[0]
        read = [place for place, ids in enumerate(encoded.token_ids) if ids]
        last = first + len(read)
        x = outputs.sentence_presence[first:last] - lens.bias.detach()
        weight = torch.softmax(torch.nn.functional.softplus(lens.raw_sharpness) * x, dim=0)
        shares = (weight * x).detach()
        np.testing.assert_allclose(shares, scores.presence_shares[read], atol=1e-5)
        first = last


def test_focus_is_the_share_of_the_stance_attention() -> None:
    lens = tiny.lens()
    # Where every stance value is 1, a sentence's share of the logit is its share of attention.
    with torch.no_grad():
        for layer in (lens.heads.stance_topic, lens.heads.stance_shared):
            layer.weight.zero_()
            layer.bias.zero_()
        lens.heads.stance_shared.bias.fill_(1.0)
    outputs = outputs_of(lens, RECORDS, tiny.SCHEMA)
    first = 0
    for record in RECORDS:
        shares = runtime_scores(lens, record).stance_shares[:, :, 0]
        read = shares.any(axis=1)
        last = first + int(read.sum())
        np.testing.assert_allclose(outputs.focus[first:last], shares[read], atol=1e-5)
        np.testing.assert_allclose(outputs.focus[first:last].sum(dim=0), 1, atol=1e-5)
        first = last


def test_a_document_gives_the_same_alone_as_in_a_batch() -> None:
    lens = tiny.lens()
    together = outputs_of(lens, RECORDS, tiny.SCHEMA)
    for index, record in enumerate(RECORDS):
        alone = outputs_of(lens, [record], tiny.SCHEMA)
        torch.testing.assert_close(together.presence[index], alone.presence[0])
        torch.testing.assert_close(together.stance[index], alone.stance[0])


def test_known_states_give_the_same_as_ids() -> None:
    lens = tiny.lens()
    batch = Collator(ENCODER)(make_examples(RECORDS, tiny.SCHEMA, ENCODER))
    layout, _ = layout_and_targets(batch)
    with torch.inference_mode():
        whole = lens(batch["input_ids"], batch["attention_mask"], batch["content_mask"], layout)
        states = lens.encoder(
            input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]
        ).last_hidden_state[batch["content_mask"]]
        known = lens.forward_states(states, layout)
    torch.testing.assert_close(known.presence, whole.presence)
    torch.testing.assert_close(known.stance, whole.stance)


def test_the_stance_does_not_teach_presence_through_the_gate() -> None:
    lens = tiny.lens()
    batch = Collator(ENCODER)(make_examples(RECORDS, tiny.SCHEMA, ENCODER))
    layout, _ = layout_and_targets(batch)
    outputs = lens(batch["input_ids"], batch["attention_mask"], batch["content_mask"], layout)
    outputs.stance.square().sum().backward()
    for layer in (lens.heads.presence, lens.heads.attention):
        assert layer.weight.grad is None or not layer.weight.grad.any()
    for parameter in (lens.raw_gate, lens.decay, lens.heads.stance_attention.weight):
        assert parameter.grad is not None
        assert parameter.grad.abs().sum() > 0


@pytest.mark.parametrize(("n_stances", "columns"), [(2, 1), (3, 3), (5, 5)])
def test_heads_give_the_columns_that_pooling_reads(n_stances: int, columns: int) -> None:
    heads = LensHeads(8, n_topics=4, n_stances=n_stances, dropout=0.0).eval()
    states = torch.randn(2, 3, 8)
    outputs = heads(states)
    assert outputs.shape == (2, 3, 4 * (3 + columns))
    torch.testing.assert_close(outputs[..., 4:8], heads.presence(states))
    hidden = torch.nn.functional.gelu(heads.stance_hidden(states))
    for topic in range(4):
        first = 12 + topic * columns
        own = heads.stance_topic(hidden)[..., topic * columns : (topic + 1) * columns]
        torch.testing.assert_close(
            outputs[..., first : first + columns], own + heads.stance_shared(hidden)
        )


def test_a_new_model_starts_near_absent_with_a_mild_maximum() -> None:
    numbers = LensModel(tiny.lens().encoder, 3, 2).pooling_parameters()
    assert numbers.bias.tolist() == [-1.0] * 3
    assert numbers.sharpness == pytest.approx([1.0] * 3, abs=0.01)
    assert numbers.gate == pytest.approx([1.0] * 3, abs=0.01)
    assert numbers.decay.tolist() == [0.0] * 3


def test_pooling_parameters_are_those_that_the_module_uses() -> None:
    lens = tiny.lens()
    numbers = lens.pooling_parameters()
    for raw, number in zip(lens.raw_gate.tolist(), numbers.gate, strict=True):
        assert number == pytest.approx(math.log1p(math.exp(raw)), abs=1e-6)
    assert (numbers.sharpness > 0).all()
    assert numbers.bias.dtype == np.float64


groups = st.integers(1, 5).flatmap(
    lambda n: st.tuples(st.just(n), st.lists(st.integers(0, n - 1), min_size=1, max_size=20))
)


@given(drawn=groups, seed=st.integers(0, 2**31), scale=st.sampled_from([0.1, 1.0, 100.0]))
def test_group_softmax_is_the_softmax_of_each_group(
    drawn: tuple[int, list[int]], seed: int, scale: float
) -> None:
    n_groups, owner = drawn
    generator = torch.Generator().manual_seed(seed)
    logits = scale * torch.randn(len(owner), 2, generator=generator, dtype=torch.float64)
    logits.requires_grad_(True)
    pull = torch.randn(len(owner), 2, generator=generator, dtype=torch.float64)
    group = torch.tensor(owner)
    found = group_softmax(logits, group, n_groups)
    expected = torch.zeros_like(found)
    for number in set(owner):
        expected = expected + torch.zeros_like(found).index_put(
            ((group == number).nonzero()[:, 0],), torch.softmax(logits[group == number], dim=0)
        )
    torch.testing.assert_close(found, expected)
    ours = torch.autograd.grad((found * pull).sum(), logits)[0]
    theirs = torch.autograd.grad((expected * pull).sum(), logits)[0]
    torch.testing.assert_close(ours, theirs)


@given(drawn=groups, seed=st.integers(0, 2**31))
def test_group_sum_is_the_sum_of_each_group(drawn: tuple[int, list[int]], seed: int) -> None:
    n_groups, owner = drawn
    values = torch.randn(len(owner), 3, generator=torch.Generator().manual_seed(seed))
    found = group_sum(values, torch.tensor(owner), n_groups)
    assert found.shape == (n_groups, 3)
    for number in range(n_groups):
        own = [row for row, group in zip(values, owner, strict=True) if group == number]
        expected = torch.stack(own).sum(dim=0) if own else torch.zeros(3)
        torch.testing.assert_close(found[number], expected)
