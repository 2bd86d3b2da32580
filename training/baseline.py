"""TF-IDF with logistic regression as a model folder: shows what the encoder buys.

Words and characters are counted per sentence and summed over the document, so that every logit is
a sum over sentences: share of sentence s = (counts of s * idf / norm of the document) . weights.
Evidence is then as exact as the lens model's. A logarithm of the counts, which TF-IDF often takes,
would not split so; on the labelled texts of this project it made no difference.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer

from stance.arrays import check_shapes, read_arrays, write_arrays
from stance.artifact import Artifact, read_json
from stance.decoding import ScoredArticle
from stance.errors import DataError, Fault, ModelError
from stance.pooling import linear_scores, n_stance_columns
from stance.records import Article, Record
from stance.schema import Schema
from stance.sentences import Sentence, split_sentences
from training.labels import stance_columns
from training.linear import LEAST_TEXTS, FloatArray, fit_linear, inverse_frequencies
from training.settings import TrainingSettings

VOCABULARY = "vocabulary.json"
WEIGHTS = "baseline.npz"
FILES = (VOCABULARY, WEIGHTS)
_KINDS = {
    "idf": ("float32", 1),
    "presence_weights": ("float32", 2),
    "presence_bias": ("float32", 1),
    "stance_weights": ("float32", 3),
    "stance_bias": ("float32", 2),
}

# The order of the blocks is the order of the columns.
_BLOCKS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2)},
    "characters": {"analyzer": "char_wb", "ngram_range": (3, 5)},
}


class Baseline:
    """The model: what to count and how much each count weighs.

    Args:
        vocabulary: Terms per block (`words`, `characters`), in column order.
        idf: Shape (terms,), inverse document frequencies.
        presence_weights: Shape (topics, terms).
        presence_bias: Shape (topics,).
        stance_weights: Shape (topics, stance columns, terms).
        stance_bias: Shape (topics, stance columns).
    """

    def __init__(
        self,
        *,
        vocabulary: dict[str, list[str]],
        idf: FloatArray,
        presence_weights: FloatArray,
        presence_bias: FloatArray,
        stance_weights: FloatArray,
        stance_bias: FloatArray,
    ) -> None:
        self._vocabulary = vocabulary
        self._arrays = {
            "idf": idf,
            "presence_weights": presence_weights,
            "presence_bias": presence_bias,
            "stance_weights": stance_weights,
            "stance_bias": stance_bias,
        }
        self._counter = _Counter(vocabulary, idf)
        self._weights = np.concatenate(
            [presence_weights, stance_weights.reshape(-1, len(idf))]
        ).T.astype(np.float64)

    def score(self, articles: list[Article], *, batch_tokens: int = 0) -> list[ScoredArticle]:
        """Score articles, in their order.

        Args:
            articles: Texts of any length.
            batch_tokens: Not needed here; it is part of `stance.classifier.Scorer`.
        """
        groups = [_sentences(article) for article in articles]
        values, owner = self._counter.sentence_values(groups)
        shares = np.asarray(values @ self._weights)
        bias, stance_bias = self._arrays["presence_bias"], self._arrays["stance_bias"]
        return [
            ScoredArticle(
                sentences=group, scores=linear_scores(shares[owner == index], bias, stance_bias)
            )
            for index, group in enumerate(groups)
        ]

    def save(self, folder: str | Path) -> list[str]:
        """Write the model's files into a folder that is there.

        Returns:
            Their names, for the manifest.
        """
        folder = Path(folder)
        text = json.dumps(self._vocabulary, ensure_ascii=False, separators=(",", ":"))
        (folder / VOCABULARY).write_text(text, encoding="utf-8")
        write_arrays(folder / WEIGHTS, self._arrays)
        return list(FILES)


def fit_baseline(records: Sequence[Record], schema: Schema, settings: TrainingSettings) -> Baseline:
    """Train on labelled texts (`training.linear`).

    Args:
        records: Training texts.
        schema: Topics and stances.
        settings: Only the seed is used, for the solver.

    Raises:
        DataError: If no word occurs in two texts.
    """
    groups = [_sentences(record.article) for record in records]
    counter = _Counter.fit(groups)
    sentences, owner = counter.sentence_values(groups)
    texts = _sum_rows(sentences, owner, len(groups))
    stance = np.stack([stance_columns(record, schema) for record in records])
    fitted = fit_linear(texts, stance, len(schema.predicted_stances), settings.seed)
    return Baseline(
        vocabulary=counter.vocabulary,
        idf=counter.idf,
        presence_weights=fitted.presence,
        presence_bias=fitted.presence_bias,
        stance_weights=fitted.stance,
        stance_bias=fitted.stance_bias,
    )


def load_scorer(artifact: Artifact) -> Baseline:
    """Build the model from a checked folder; nothing but arrays and text is read.

    Raises:
        ModelError: If the files are not those of a baseline for the folder's schema.
    """
    if VOCABULARY not in artifact.contents:
        raise ModelError(f"{artifact.path}: the manifest does not list {VOCABULARY} as required")
    vocabulary = _read_vocabulary(artifact)
    arrays = read_arrays(artifact, WEIGHTS, _KINDS)
    terms = sum(map(len, vocabulary.values()))
    topics = len(artifact.schema.topics)
    columns = n_stance_columns(len(artifact.schema.predicted_stances))
    check_shapes(
        artifact,
        WEIGHTS,
        arrays,
        {
            "idf": (terms,),
            "presence_weights": (topics, terms),
            "presence_bias": (topics,),
            "stance_weights": (topics, columns, terms),
            "stance_bias": (topics, columns),
        },
    )
    return Baseline(vocabulary=vocabulary, **arrays)


def _read_vocabulary(artifact: Artifact) -> dict[str, list[str]]:
    place = f"{artifact.path}/{VOCABULARY}"
    data = read_json(place, artifact.contents[VOCABULARY])
    sound = isinstance(data, dict) and set(data) == set(_BLOCKS)
    for terms in data.values() if sound else ():
        sound = sound and isinstance(terms, list) and all(isinstance(term, str) for term in terms)
        sound = sound and len(set(terms)) == len(terms)
    if not sound:
        raise ModelError(
            f"{place}: expected lists of different terms under {' and '.join(_BLOCKS)}"
        )
    return {name: data[name] for name in _BLOCKS}


class _Counter:
    """Sentences to rows of TF-IDF values, normalised over their documents."""

    def __init__(self, vocabulary: dict[str, list[str]], idf: FloatArray) -> None:
        self.vocabulary, self.idf = vocabulary, idf
        self._vectorizers = [
            # scikit-learn refuses an empty vocabulary; a block may well have none.
            CountVectorizer(vocabulary={t: i for i, t in enumerate(terms)}, **_BLOCKS[name])
            if terms
            else None
            for name, terms in vocabulary.items()
        ]
        self._sizes = [len(terms) for terms in vocabulary.values()]

    @classmethod
    def fit(cls, groups: Sequence[Sequence[Sentence]]) -> _Counter:
        """Learn which terms to count, and how rare each is.

        Raises:
            DataError: If no term occurs in two documents.
        """
        texts, owner = _flat(groups)
        vocabulary: dict[str, list[str]] = {}
        idf = []
        for name, options in _BLOCKS.items():
            vectorizer = CountVectorizer(**options)
            try:
                counts = _sum_rows(vectorizer.fit_transform(texts), owner, len(groups))
            except ValueError:  # not a single term
                vocabulary[name] = []
                continue
            frequency = np.bincount(counts.indices, minlength=counts.shape[1])
            kept = frequency >= LEAST_TEXTS
            vocabulary[name] = vectorizer.get_feature_names_out()[kept].tolist()
            idf.append(inverse_frequencies(frequency[kept], len(groups)))
        if not any(vocabulary.values()):
            raise DataError(
                [
                    Fault(
                        expected=f"words that occur in at least {LEAST_TEXTS} training texts",
                        found="none",
                        advice="a baseline needs more texts",
                    )
                ]
            )
        return cls(vocabulary, np.concatenate(idf))

    def sentence_values(
        self, groups: Sequence[Sequence[Sentence]]
    ) -> tuple[sparse.csr_matrix, NDArray[np.int64]]:
        """Values of all sentences, and the document of each.

        Returns:
            Shape (sentences, terms) and (sentences,). Added up over a document, the rows of each
            block have length 1, or 0 if the document holds no known term.
        """
        texts, owner = _flat(groups)
        blocks = []
        first = 0
        for vectorizer, size in zip(self._vectorizers, self._sizes, strict=True):
            idf = self.idf[first : first + size].astype(np.float64)
            first += size
            if vectorizer is None or not texts:
                blocks.append(sparse.csr_matrix((len(texts), size)))
                continue
            values = sparse.csr_matrix(vectorizer.transform(texts) @ sparse.diags(idf))
            sums = _sum_rows(values, owner, len(groups))
            norm = np.sqrt(np.asarray(sums.multiply(sums).sum(axis=1))).ravel()
            scale = 1 / np.where(norm > 0, norm, 1.0)
            blocks.append(sparse.diags(scale[owner]) @ values)
        return sparse.csr_matrix(sparse.hstack(blocks)), owner


def _sentences(article: Article) -> tuple[Sentence, ...]:
    return (*split_sentences(article.title or "", "title"), *split_sentences(article.text))


def _flat(groups: Sequence[Sequence[Sentence]]) -> tuple[list[str], NDArray[np.int64]]:
    """Texts of all sentences, and the document of each."""
    # Lone surrogates have no UTF-8 form and could not be written into the vocabulary.
    texts = [
        sentence.text.encode("utf-8", "replace").decode("utf-8")
        for group in groups
        for sentence in group
    ]
    return texts, np.repeat(np.arange(len(groups)), [len(group) for group in groups])


def _sum_rows(
    rows: sparse.csr_matrix, group: NDArray[np.int64], n_groups: int
) -> sparse.csr_matrix:
    ones = np.ones(len(group))
    place = (group, np.arange(len(group)))
    return sparse.csr_matrix(sparse.csr_matrix((ones, place), (n_groups, len(group))) @ rows)
