"""transformers: a text-classification pipeline, texts cut at 512 tokens, 32 texts at a time."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.workers import contender

MOST_TOKENS = 512
BATCH = 32
"""As SetFit has it; the pipeline's own default, one text at a time, is slower on a processor."""


class _Pipeline:
    def __init__(self, model: Path | None, threads: int) -> None:
        import torch
        from transformers import pipeline

        torch.set_num_threads(threads)
        self._pipeline = pipeline(
            "text-classification",
            model=str(model),
            device="cpu",
            top_k=None,
            truncation=True,
            max_length=MOST_TOKENS,
        )

    def predict(self, texts: Sequence[str]) -> int:
        """See `Contender`."""
        return len(self._pipeline(list(texts), batch_size=BATCH))

    def tokens_read(self, texts: Sequence[str]) -> int:
        """Tokens before the cut."""
        tokenizer: Any = self._pipeline.tokenizer
        encoded = tokenizer(list(texts), truncation=True, max_length=MOST_TOKENS)
        return sum(len(ids) - 2 for ids in encoded["input_ids"])


def make(encoder: Path, examples: Sequence[tuple[str, list[int]]], model: Path) -> None:
    """Put a fresh head on the encoder: its weights do not matter for the speed."""
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    AutoModelForSequenceClassification.from_pretrained(
        encoder, num_labels=len(examples[0][1]), problem_type="multi_label_classification"
    ).save_pretrained(model)
    AutoTokenizer.from_pretrained(encoder).save_pretrained(model)


if __name__ == "__main__":
    sys.exit(contender.main(_Pipeline, make))
