"""Trains in this process, or in this and others that `torchrun` started, and prints each loss.

Takes a folder to work in and settings as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import tiny
import torch
from transformers import TrainingArguments

from stance.records import Article, Label, Record
from training import loop, parallel
from training.corpus import make_examples
from training.progress import Progress


class Losses(Progress):
    """Keeps every loss."""

    def __init__(self) -> None:
        super().__init__(shown=False)
        self.seen: list[float] = []

    def loss(self, value: float) -> None:
        self.seen.append(value)


def every_step(**options: object) -> TrainingArguments:
    """The loop's own arguments, but each step's loss is told."""
    return TrainingArguments(**{**options, "logging_steps": 1})  # type: ignore[arg-type]


def main(work: Path, settings: dict[str, object]) -> None:
    """Train for a few steps."""
    tiny.use_one_thread()
    loop.TrainingArguments = every_step  # type: ignore[assignment, misc]
    encoder, losses = tiny.encoder(), Losses()
    # A text that fills a batch alone, so that one process has nothing to read.
    long = Record(
        id="long",
        article=Article(text="The quay rots. A baker sells bread on monday. " * 30, id="long"),
        labels=(Label(topic="harbour", stance="negative"),),
    )
    result = loop.fit(
        tiny.lens(),
        encoder,
        make_examples([*tiny.records(24), long], tiny.SCHEMA, encoder),
        make_examples(tiny.records(12, start=24), tiny.SCHEMA, encoder),
        tiny.settings(**settings),
        work,
        resume=False,
        device="cpu",
        progress=losses,
    )
    if parallel.first():
        sys.stdout.write(json.dumps({"losses": losses.seen, "history": result.history}) + "\n")


if __name__ == "__main__":
    torch.manual_seed(0)
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
