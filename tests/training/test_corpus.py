"""Labels become targets of the right sentences, and batches hold every text within the budget."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st

from stance.records import Article, Label, Record
from stance.sentences import split_sentences
from training.corpus import (
    Collator,
    Example,
    ExampleDataset,
    TokenBudgetSampler,
    evidence_sentences,
    join_examples,
    layout_and_targets,
    make_examples,
)
from training.labels import ABSENT, UNPREDICTED, stance_columns

pytestmark = pytest.mark.training

TITLE = "Harbour thrives"
TEXT = "The quay improves. Snow covers the road to the chapel. Our ferry recovers."


def record_of(*evidence: str, title: str | None = TITLE, text: str = TEXT) -> Record:
    label = Label(topic="harbour", stance="positive", evidence=evidence)
    return Record(id="r", article=Article(title=title, text=text), labels=(label,))


def marks(record: Record, topic: str = "harbour") -> list[bool]:
    article = record.article
    sentences = [
        *split_sentences(article.title or "", "title"),
        *split_sentences(article.text),
    ]
    return evidence_sentences(record, sentences, topic)


@pytest.mark.parametrize(
    ("evidence", "expected"),
    [
        ((), [0, 0, 0, 0]),
        (("The quay improves.",), [0, 1, 0, 0]),
        (("Harbour thrives",), [1, 0, 0, 0]),
        (("Our ferry recovers.", "The quay improves."), [0, 1, 0, 1]),
        (("quay",), [0, 1, 0, 0]),  # all of the quotation lies in the sentence
        (("The quay improves. Snow covers the road to the chapel.",), [0, 1, 1, 0]),
        (("Snow covers the road to the chapel. Our",), [0, 0, 1, 0]),  # too little of the last
        (("chapel. Our ferry recovers.",), [0, 0, 0, 1]),
        ((TEXT,), [0, 1, 1, 1]),
    ],
)
def test_evidence_marks_the_sentences_that_it_covers(
    evidence: tuple[str, ...], expected: list[int]
) -> None:
    assert marks(record_of(*evidence)) == [bool(mark) for mark in expected]
    assert not any(marks(record_of(*evidence), topic="orchard"))


def test_evidence_that_stands_twice_marks_the_title() -> None:
    record = record_of("Snow fell", title="Snow fell", text="Snow fell. The quay rots.")
    assert marks(record) == [True, False, False]


def test_stances_are_columns_of_the_predicted_ones() -> None:
    labels = (
        Label(topic="orchard", stance="positive"),
        Label(topic="harbour", stance="neutral"),
    )
    article = Article(text="x")
    record = Record(id="r", article=article, labels=labels)
    assert stance_columns(record, tiny.SCHEMA).tolist() == [UNPREDICTED, 1]
    assert stance_columns(replace(record, labels=()), tiny.SCHEMA).tolist() == [ABSENT, ABSENT]


def test_examples_hold_the_sentences_that_have_tokens() -> None:
    text = "\x01\nThe quay improves.\n\x02\nOur ferry recovers."
    record = record_of("Our ferry recovers.", text=text)
    encoder = tiny.encoder()
    (example,) = make_examples([record], tiny.SCHEMA, encoder)
    encoded = encoder.encode([record.article])[0]
    assert len(example.token_ids) == 3
    assert list(example.token_ids) == [ids for ids in encoded.token_ids if ids]
    assert example.evidence[:, 0].tolist() == [False, False, True]
    assert not example.evidence[:, 1].any()
    assert example.n_tokens == encoded.n_tokens


def example_of(*numbers: int, stances: tuple[int, int] = (ABSENT, ABSENT)) -> Example:
    """A document whose sentences are told apart by their tokens; odd ones are evidence."""
    return Example(
        token_ids=tuple([number] * (1 + number % 3) for number in numbers),
        stance=np.array(stances),
        evidence=np.array([[number % 2 == 1, number % 4 == 3] for number in numbers], dtype=bool),
        states=tuple(torch.full((1 + number % 3, 2), float(number)) for number in numbers),
    )


def test_joined_texts_keep_each_sentence_with_its_evidence_and_states() -> None:
    parts = [
        example_of(1, 2, 3, stances=(0, ABSENT)),
        example_of(4, 5, stances=(0, 1)),
        example_of(6, 7, 8, 9, stances=(ABSENT, ABSENT)),
    ]
    orders = set()
    for seed in range(30):
        joined = join_examples(parts, random.Random(seed))
        assert joined is not None
        assert joined.stance.tolist() == [0, 1]
        numbers = [ids[0] for ids in joined.token_ids]
        assert sorted(numbers) == list(range(1, 10))
        for own in ([1, 2, 3], [4, 5], [6, 7, 8, 9]):
            assert [number for number in numbers if number in own] == own
        expected = example_of(*numbers)
        assert joined.token_ids == expected.token_ids
        np.testing.assert_array_equal(joined.evidence, expected.evidence)
        assert joined.states is not None
        assert [state.shape[0] for state in joined.states] == [1 + n % 3 for n in numbers]
        assert [float(state[0, 0]) for state in joined.states] == numbers
        orders.add(tuple(numbers))
    assert len(orders) > 5


def test_joining_leaves_the_parts_as_they_were() -> None:
    parts = [example_of(1, 2), example_of(3)]
    join_examples(parts, random.Random(0))
    assert [len(part.token_ids) for part in parts] == [2, 1]


@pytest.mark.parametrize("clash", [(1, ABSENT), (UNPREDICTED, ABSENT)])
def test_texts_that_disagree_are_not_joined(clash: tuple[int, int]) -> None:
    parts = [example_of(1, stances=(0, ABSENT)), example_of(2, stances=clash)]
    assert join_examples(parts, random.Random(0)) is None


def corpus(n: int, seed: int = 0) -> list[Example]:
    return make_examples(tiny.records(n, seed=seed), tiny.SCHEMA, tiny.encoder())


def drawn(dataset: ExampleDataset) -> list[tuple[list[int], ...]]:
    return [dataset[index].token_ids for index in range(len(dataset))]


def test_each_epoch_draws_other_texts_to_join_and_a_seed_draws_them_again() -> None:
    examples = corpus(20)
    one, other = (ExampleDataset(examples, joined_share=0.5, seed=3) for _ in range(2))
    epochs = []
    for epoch in range(3):
        one.set_epoch(epoch)
        assert len(one) == 30
        assert drawn(one)[:20] == [example.token_ids for example in examples]
        epochs.append(drawn(one)[20:])
    assert epochs[0] != epochs[1]
    assert epochs[1] != epochs[2]
    other.set_epoch(1)
    assert drawn(other)[20:] == epochs[1]
    assert drawn(ExampleDataset(examples, joined_share=0.5, seed=4))[20:] != epochs[0]


def test_long_texts_are_not_joined() -> None:
    long = replace(example_of(1), token_ids=([11] * 601,))
    dataset = ExampleDataset([long, example_of(2), example_of(4)], joined_share=1.0)
    assert len(dataset) == 6
    assert not any([11] * 601 in ids for ids in drawn(dataset)[3:])


def test_texts_that_never_agree_do_not_hold_up_the_draw() -> None:
    parts = [example_of(1, stances=(0, 0)), example_of(2, stances=(1, 1))]
    assert len(ExampleDataset(parts, joined_share=1.0)) == 2


def size(dataset: ExampleDataset, index: int) -> tuple[int, int]:
    """Longest window and number of windows of a document."""
    windows = list(tiny.encoder(12).pack(dataset[index].token_ids))
    return max(len(window.token_ids) for window in windows) + 2, len(windows)


def documents(lengths: list[list[int]]) -> list[Example]:
    return [
        replace(example_of(1), token_ids=tuple([7] * n for n in sentences)) for sentences in lengths
    ]


@given(
    lengths=st.lists(st.lists(st.integers(1, 25), min_size=1, max_size=5), min_size=1, max_size=25),
    budget=st.integers(12, 150),
    seed=st.none() | st.integers(0, 3),
)
def test_batches_hold_every_text_once_within_the_budget(
    lengths: list[list[int]], budget: int, seed: int | None
) -> None:
    dataset = ExampleDataset(documents(lengths))
    sampler = TokenBudgetSampler(dataset, tiny.encoder(12), batch_tokens=budget, seed=seed)
    batches = list(sampler)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert len(batches) == len(sampler)
    for batch in batches:
        sizes = [size(dataset, index) for index in batch]
        padded = max(width for width, _ in sizes) * sum(count for _, count in sizes)
        assert len(batch) == 1 or padded <= budget
    if seed is None:
        widths = [size(dataset, index) for batch in batches for index in batch]
        assert widths == sorted(widths)


def test_batches_differ_by_epoch_and_come_again_by_seed() -> None:
    dataset = ExampleDataset(corpus(40))
    encoder = tiny.encoder()

    def batches(seed: int, epoch: int) -> list[list[int]]:
        sampler = TokenBudgetSampler(dataset, encoder, batch_tokens=100, seed=seed)
        sampler.set_epoch(epoch)
        return list(sampler)

    assert batches(0, 1) == batches(0, 1)
    assert batches(0, 1) != batches(0, 2)
    assert batches(0, 1) != batches(1, 1)


def test_epochs_are_of_equal_length_though_joined_texts_are_not() -> None:
    dataset = ExampleDataset(corpus(40), joined_share=1.0)
    sampler = TokenBudgetSampler(dataset, tiny.encoder(), batch_tokens=90, seed=0)
    needed, lengths = set(), set()
    for epoch in range(8):
        sampler.set_epoch(epoch)
        needed.add(len(sampler._batches()))
        batches = list(sampler)
        lengths.add(len(batches))
        assert max(index for batch in batches for index in batch) < len(dataset)
    assert len(needed) > 1
    assert lengths == {len(sampler)}


def collated(*examples: Example) -> dict[str, torch.Tensor]:
    return Collator(tiny.encoder(10))(examples)


def test_a_batch_says_which_token_is_of_which_sentence_and_document() -> None:
    examples = [
        replace(example_of(1), token_ids=([5] * 3, [6] * 20, [7] * 2)),  # the second is split
        replace(example_of(1), token_ids=([8] * 4,)),
    ]
    examples = [
        replace(e, evidence=np.zeros((len(e.token_ids), 2), dtype=bool), states=None)
        for e in examples
    ]
    batch = collated(*examples)
    layout, _ = layout_and_targets(batch)
    content = batch["input_ids"][batch["content_mask"]]
    assert content.tolist() == [5] * 3 + [6] * 20 + [7] * 2 + [8] * 4
    assert layout.sentence_of_token.tolist() == [0] * 3 + [1] * 20 + [2] * 2 + [3] * 4
    assert layout.document_of_sentence.tolist() == [0, 0, 0, 1]
    assert layout.position.tolist() == [0, 1, 2, 0]
    assert layout.n_documents == 2


def test_targets_say_what_is_known() -> None:
    nan = math.nan
    examples = [
        example_of(1, 2, stances=(0, ABSENT)),  # harbour, negative; its first sentence is evidence
        example_of(4, 8, stances=(UNPREDICTED, 1)),  # both, without evidence
        example_of(6, stances=(1, ABSENT)),  # one sentence alone must carry it
        example_of(10, 12),
    ]
    _, targets = layout_and_targets(collated(*examples))
    assert targets.presence.tolist() == [[1, 0], [1, 1], [1, 0], [0, 0]]
    assert targets.stance.tolist() == [
        [0, ABSENT],
        [UNPREDICTED, 1],
        [1, ABSENT],
        [ABSENT, ABSENT],
    ]
    expected = [[1, 0], [nan, 0], [nan, nan], [nan, nan], [1, 0], [0, 0], [0, 0]]
    np.testing.assert_array_equal(targets.sentence_presence.numpy(), np.array(expected))
    assert targets.evidence.tolist() == [[1, 0], *[[0, 0]] * 6]


def test_states_come_in_the_order_of_the_tokens() -> None:
    batch = collated(example_of(2, 5), example_of(8))
    content = batch["input_ids"][batch["content_mask"]]
    assert content.tolist() == [2, 2, 2, 5, 5, 5, 8, 8, 8]
    assert batch["states"][:, 0].tolist() == content.tolist()
    assert "states" not in collated(replace(example_of(2), states=None))
