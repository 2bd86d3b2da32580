"""Processes that train one model together: which is first, and what they tell each other.

`torchrun` starts them and tells each its place; without it there is one, and nothing is told.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar, cast

import torch.distributed
from torch import Tensor

from stance.errors import UsageError

Value = TypeVar("Value")


def size() -> int:
    """How many processes there are."""
    return int(os.environ["WORLD_SIZE"]) if "LOCAL_RANK" in os.environ else 1


def place() -> int:
    """This process's place among them, from 0."""
    return int(os.environ["RANK"]) if "LOCAL_RANK" in os.environ else 0


def first() -> bool:
    """Whether this is the process that judges, writes and shows progress."""
    return place() == 0


def from_first(compute: Callable[[], Value]) -> Value:
    """What the first process computes, in all of them; the others wait for it."""
    box: list[Value | None] = [compute() if first() else None]
    if size() > 1:
        torch.distributed.broadcast_object_list(box)
    return cast(Value, box[0])


def total(counts: Tensor) -> Tensor:
    """Sum over all processes, in each of them."""
    if size() > 1:
        counts = counts.clone()
        torch.distributed.all_reduce(counts)
    return counts


def agree(what: str, value: str) -> None:
    """Hold all processes to the same value; all wait for the last.

    Raises:
        UsageError: If another process has another.
    """
    if size() == 1:
        return
    found: list[str] = [""] * size()
    torch.distributed.all_gather_object(found, value)
    if other := [number for number, item in enumerate(found) if item != found[0]]:
        raise UsageError(
            f"process {other[0]} of {size()} has {what} other than the first one's; "
            "give every machine the same data, splits, recipe and seed"
        )


def leave() -> None:
    """Wait for the others and part from them."""
    if size() > 1:
        torch.distributed.barrier()
        torch.distributed.destroy_process_group()
