"""The façade: articles in, predictions out, in order and in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stance.artifact import Artifact, Manifest, load_artifact, resolve_model
from stance.batching import cut_stream, plan_batches
from stance.decoding import ScoredArticle, decode, threshold_for_precision
from stance.encoding import ArticleEncoder, EncodedArticle, Window, load_tokenizer
from stance.errors import DataError, ModelError
from stance.pooling import (
    PoolingParameters,
    SegmentSums,
    add_scores,
    merge_segments,
    n_stance_columns,
    pool_document,
    segment_sums,
)
from stance.predictions import Prediction
from stance.records import Article, parse_article
from stance.schema import Schema
from stance.wide import load_wide

TOKENIZER = "tokenizer.json"


class Scorer(Protocol):
    """Gives sentences and logits for a few articles at a time."""

    def score(self, articles: list[Article], *, batch_tokens: int) -> list[ScoredArticle]:
        """Score articles, in their order."""


@dataclass(frozen=True, slots=True)
class _OwnedWindow:
    """A window and the place of its article among those that are scored together."""

    article: int
    window: Window

    @property
    def width(self) -> int:
        return self.window.width


class LensScorer:
    """Scores with the exported graph and, where the model has one, the wide part.

    Args:
        artifact: A checked model folder of kind `lens`.
        threads: Most threads of the engine; None for all cores.
    """

    def __init__(self, artifact: Artifact, *, threads: int | None = None) -> None:
        from stance.session import GRAPH, WEIGHTS, Session

        manifest, schema = artifact.manifest, artifact.schema
        for name in (TOKENIZER, GRAPH, WEIGHTS):
            if name not in artifact.contents:
                raise ModelError(f"{artifact.path}: the manifest does not list {name} as required")
        if manifest.pooling is None or manifest.window_tokens is None:
            raise ModelError(f"{artifact.path}: a lens model needs pooling and window_tokens")
        tokenizer = load_tokenizer(artifact.contents[TOKENIZER], f"{artifact.path}/{TOKENIZER}")
        self._encoder = ArticleEncoder(tokenizer, window_tokens=manifest.window_tokens)
        self._n_topics = len(schema.topics)
        n_columns = n_stance_columns(len(schema.predicted_stances))
        self._session = Session(
            artifact.contents[GRAPH],
            artifact.contents[WEIGHTS],
            n_columns=(3 + n_columns) * self._n_topics,
            threads=threads,
        )
        self._wide = load_wide(artifact)
        self._pooling = PoolingParameters(
            **{name: np.asarray(values) for name, values in manifest.pooling.model_dump().items()}
        )

    def score(self, articles: list[Article], *, batch_tokens: int) -> list[ScoredArticle]:
        """Score articles; windows of like length share a batch, whichever article they are of."""
        encoded = self._encoder.encode(articles)
        windows = [
            _OwnedWindow(index, window)
            for index, article in enumerate(encoded)
            for window in self._encoder.pack(article.token_ids)
        ]
        rows: list[list[tuple[SegmentSums, list[int]]]] = [[] for _ in articles]
        for batch in plan_batches(
            windows, batch_tokens=batch_tokens, longest=self._encoder.capacity + 2
        ):
            tokens = self._encoder.batch(
                [item.window for item in batch.items], batch.rows, batch.width
            )
            sums = segment_sums(self._session.run(tokens), tokens.segment_starts, self._n_topics)
            first = 0
            for item in batch.items:
                index, window = item.article, item.window
                last = first + len(window.segments)
                part = SegmentSums(
                    presence=sums.presence[first:last],
                    presence_log_mass=sums.presence_log_mass[first:last],
                    stance=sums.stance[first:last],
                    stance_log_mass=sums.stance_log_mass[first:last],
                )
                rows[index].append((part, [segment.sentence for segment in window.segments]))
                first = last
        scored = [self._pool(article, row) for article, row in zip(encoded, rows, strict=True)]
        if self._wide is None:
            return scored
        wide = self._wide.score([article.token_ids for article in encoded])
        return [
            ScoredArticle(sentences=lens.sentences, scores=add_scores(lens.scores, other))
            for lens, other in zip(scored, wide, strict=True)
        ]

    def _pool(
        self, article: EncodedArticle, row: list[tuple[SegmentSums, list[int]]]
    ) -> ScoredArticle:
        sums = SegmentSums(
            presence=np.concatenate([part.presence for part, _ in row]),
            presence_log_mass=np.concatenate([part.presence_log_mass for part, _ in row]),
            stance=np.concatenate([part.stance for part, _ in row]),
            stance_log_mass=np.concatenate([part.stance_log_mass for part, _ in row]),
        )
        sentence = np.concatenate([np.asarray(numbers) for _, numbers in row])
        merged = merge_segments(sums, sentence, len(article.sentences))
        return ScoredArticle(
            sentences=article.sentences, scores=pool_document(merged, self._pooling)
        )


class Classifier:
    """Reads articles with one model.

    Args:
        artifact: A checked model folder.
        scorer: What scores the articles.
        precision: Wanted precision of the topics found, in (0, 1]; None for the model's own
            thresholds.
    """

    def __init__(
        self, artifact: Artifact, scorer: Scorer, *, precision: float | None = None
    ) -> None:
        self._scorer = scorer
        # Not the artifact itself: the bytes of its files are no longer needed, and are many.
        self._path, self._digest = artifact.path, artifact.digest
        self.schema: Schema = artifact.schema
        self.manifest: Manifest = artifact.manifest
        self.thresholds: dict[str, float] = {
            topic: calibration.threshold
            if precision is None
            else threshold_for_precision(calibration, precision)
            for topic, calibration in self.manifest.calibration.items()
        }

    @classmethod
    def from_pretrained(
        cls,
        path_or_name: str | Path | None = None,
        *,
        threads: int | None = None,
        precision: float | None = None,
    ) -> Classifier:
        """Load a model.

        Args:
            path_or_name: A model folder, a hub name, or None for the released model. A folder
                never touches the network.
            threads: Most threads to use; None for all cores.
            precision: Wanted precision of the topics found; None for the model's own thresholds.

        Raises:
            ModelError: If the model cannot be found, is damaged or does not fit this release.
            UsageError: If `precision` cannot be had.
        """
        artifact = load_artifact(resolve_model(path_or_name))
        scorer: Scorer
        if artifact.manifest.kind == "lens":
            scorer = LensScorer(artifact, threads=threads)
        else:
            from stance.door import open_training

            scorer = open_training("training.baseline", task="A baseline model").load_scorer(
                artifact
            )
        return cls(artifact, scorer, precision=precision)

    @property
    def digest(self) -> str:
        """Identifies the model's answers: same digest, same labels."""
        return self._digest

    @property
    def path(self) -> Path:
        """Where the model was loaded from."""
        return self._path

    def predict(self, article: str | Article | Mapping[str, Any]) -> Prediction:
        """Read one article.

        Raises:
            DataError: If it holds no text.
        """
        return next(self.predict_many([article]))

    def predict_many(
        self,
        articles: Iterable[str | Article | Mapping[str, Any]],
        *,
        batch_tokens: int = 2_048,
    ) -> Iterator[Prediction]:
        """Read articles one after the other, as they come.

        Args:
            articles: Texts, articles, or mappings with `text` and perhaps `title` and `id`.
            batch_tokens: Most tokens that the encoder reads at a time, padding included.

        Yields:
            One prediction an article, in order. Memory does not grow with their number.

        Raises:
            DataError: If an article holds no text.
        """
        for chunk in cut_stream(map(_article, articles), lambda article: article.characters):
            for article, scored in zip(
                chunk, self._scorer.score(chunk, batch_tokens=batch_tokens), strict=True
            ):
                yield decode(article, scored, self.schema, self.manifest, self.thresholds)


def _article(item: str | Article | Mapping[str, Any]) -> Article:
    if isinstance(item, Article):
        parsed = parse_article({"id": item.id or None, "text": item.text, "title": item.title})
        return item if isinstance(parsed, Article) else _refuse(parsed)
    data = {"text": item} if isinstance(item, str) else item
    parsed = parse_article(dict(data) if isinstance(data, Mapping) else data)
    return parsed if isinstance(parsed, Article) else _refuse(parsed)


def _refuse(faults: list[Any]) -> Article:
    raise DataError(faults)
