"""scikit-learn: TF-IDF over words and pairs of words, one logistic regression per label."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.workers import contender

FILE = "tf-idf.joblib"


class TfIdf:
    """A fitted pipeline that an earlier run of this script wrote."""

    def __init__(self, model: Path | None, threads: int) -> None:
        import joblib

        self._pipeline = joblib.load((model or Path()) / FILE)

    def predict(self, texts: Sequence[str]) -> int:
        """See `Contender`."""
        return len(self._pipeline.predict(texts))

    def tokens_read(self, texts: Sequence[str]) -> None:
        """It cuts nothing off."""


def make(encoder: Path, examples: Sequence[tuple[str, list[int]]], model: Path) -> None:
    """Fit on all examples, since the size of the vocabulary counts for time and memory."""
    import joblib
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier
    from sklearn.pipeline import make_pipeline

    pipeline = make_pipeline(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        OneVsRestClassifier(LogisticRegression(C=30, max_iter=1_000)),
    )
    texts, labels = zip(*examples, strict=True)
    pipeline.fit(texts, np.array(labels))
    model.mkdir(parents=True, exist_ok=True)
    joblib.dump(pipeline, model / FILE)


if __name__ == "__main__":
    sys.exit(contender.main(TfIdf, make))
