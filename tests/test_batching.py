"""Batches hold every item once, within the budget, and in few shapes whatever the lengths."""

from __future__ import annotations

import random
from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from stance.batching import WIDTH_STEP, Batch, plan_batches


@dataclass(frozen=True)
class Item:
    number: int
    width: int


def batches(widths: list[int], budget: int, longest: int = 128) -> list[Batch[Item]]:
    items = [Item(number, width) for number, width in enumerate(widths)]
    return list(plan_batches(items, batch_tokens=budget, longest=longest))


@given(
    widths=st.lists(st.integers(3, 128), max_size=200),
    budget=st.integers(1, 3_000),
    longest=st.integers(128, 140),
)
def test_every_item_is_in_one_batch_that_holds_it(
    widths: list[int], budget: int, longest: int
) -> None:
    made = batches(widths, budget, longest)
    numbers = sorted(item.number for batch in made for item in batch.items)
    assert numbers == list(range(len(widths)))
    for batch in made:
        assert 1 <= len(batch.items) <= batch.rows
        assert max(item.width for item in batch.items) <= batch.width <= longest
        assert batch.rows == 1 or batch.rows * batch.width <= budget


def test_a_stream_of_any_lengths_needs_few_shapes_and_little_padding() -> None:
    rng = random.Random(0)
    shapes = set()
    read = padded = 0
    for _ in range(200):
        widths = [min(128, max(3, int(rng.lognormvariate(3.6, 0.6)))) for _ in range(900)]
        for batch in batches(widths, 2_048):
            shapes.add((batch.rows, batch.width))
            padded += batch.rows * batch.width
        read += sum(widths)
    # One full shape a width, and powers of two for what is left over.
    assert len(shapes) <= 128 // WIDTH_STEP * 8
    assert padded < 1.3 * read


def test_a_few_narrow_items_do_not_fill_a_wide_batch() -> None:
    (narrow, wide) = batches([10] * 9 + [128] * 16, 2_048)
    assert (narrow.rows, narrow.width) == (16, 16)
    assert (wide.rows, wide.width) == (16, 128)


def test_what_is_left_of_a_width_joins_the_next_where_that_pads_less() -> None:
    (batch,) = batches([112] * 9 + [128] * 7, 2_048)
    assert (len(batch.items), batch.rows, batch.width) == (16, 16, 128)


def test_nothing_gives_no_batches() -> None:
    assert batches([], 100) == []
