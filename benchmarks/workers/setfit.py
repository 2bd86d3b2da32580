"""SetFit: `SetFitModel.predict`, one-vs-rest over (topic, stance), at its default settings."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.workers import contender


class _SetFit:
    def __init__(self, model: Path | None, threads: int) -> None:
        import torch
        from setfit import SetFitModel

        torch.set_num_threads(threads)
        self._model = SetFitModel.from_pretrained(str(model), device="cpu")

    def predict(self, texts: Sequence[str]) -> int:
        """See `Contender`."""
        return len(self._model.predict(list(texts), show_progress_bar=False))

    def tokens_read(self, texts: Sequence[str]) -> int:
        """Tokens before the cut of the encoder's own `max_seq_length`."""
        body = self._model.model_body
        encoded = body.tokenizer(list(texts), truncation=True, max_length=body.max_seq_length)
        return sum(len(ids) - 2 for ids in encoded["input_ids"])


def make(encoder: Path, examples: Sequence[tuple[str, list[int]]], model: Path) -> None:
    """Fit the head alone: how good the answers are does not matter here, only their shape."""
    from setfit import SetFitModel

    found = SetFitModel.from_pretrained(
        str(encoder), multi_target_strategy="one-vs-rest", device="cpu"
    )
    texts, labels = zip(*examples, strict=True)
    found.fit(list(texts), list(labels), num_epochs=1, show_progress_bar=False)
    found.save_pretrained(str(model))


if __name__ == "__main__":
    sys.exit(contender.main(_SetFit, make))
