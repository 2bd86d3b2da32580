"""stance: `Classifier.predict_many` of the released model."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.workers import contender


class Stance:
    """The released model, or that of a folder."""

    def __init__(self, model: Path | None, threads: int) -> None:
        from stance.classifier import Classifier

        self._classifier = Classifier.from_pretrained(model, threads=threads)

    def predict(self, texts: Sequence[str]) -> int:
        """See `Contender`."""
        return sum(1 for _ in self._classifier.predict_many(texts))

    def tokens_read(self, texts: Sequence[str]) -> None:
        """It cuts nothing off."""


if __name__ == "__main__":
    sys.exit(contender.main(Stance))
