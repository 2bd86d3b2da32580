"""Logistic regressions of presence and stance over sparse counts, for all linear models here."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from training.labels import ABSENT, UNPREDICTED

LEAST_TEXTS = 2
"""A feature of fewer texts is left out: it can only be learnt by heart."""

LEAST_LABELS = 5
"""With fewer texts of one stance than this, a topic shares the regression of all topics."""

INVERSE_REGULARISATION = 30.0
"""scikit-learn's C; chosen on the validation split of seeds/ from 1, 3, 10, 30 and 100."""

FloatArray = NDArray[np.float32]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LinearWeights:
    """Weights of both regressions.

    Attributes:
        presence: Shape (topics, features).
        presence_bias: Shape (topics,).
        stance: Shape (topics, stance columns, features).
        stance_bias: Shape (topics, stance columns).
    """

    presence: FloatArray
    presence_bias: FloatArray
    stance: FloatArray
    stance_bias: FloatArray


def inverse_frequencies(frequency: NDArray[np.int64], n_texts: int) -> FloatArray:
    """Smoothed inverse document frequencies: shape (features,), the number of texts of each."""
    return np.asarray(np.log((1 + n_texts) / (1 + frequency)) + 1, dtype=np.float32)


def fit_linear(
    texts: sparse.csr_matrix, stance: NDArray[np.int64], n_stances: int, seed: int
) -> LinearWeights:
    """Fit presence and stance; the same texts in the same order give the same weights.

    Presence: one regression per topic over all texts. Stance: one per topic over the texts that
    carry it; topics with too few labels share one over all such pairs. A text whose stance is not
    predicted speaks for every stance alike.

    Args:
        texts: Shape (texts, features).
        stance: Shape (texts, topics); column, `ABSENT` or `UNPREDICTED`.
        n_stances: Number of predicted stances.
        seed: For the solver.
    """
    presence = [
        _regression(texts, (stance[:, topic] != ABSENT).astype(np.int64), 2, seed)
        for topic in range(stance.shape[1])
    ]
    stances = _stance_regressions(texts, stance, n_stances, seed)
    return LinearWeights(
        presence=np.concatenate([weights for weights, _ in presence]),
        presence_bias=np.concatenate([bias for _, bias in presence]),
        stance=np.stack([weights for weights, _ in stances]),
        stance_bias=np.stack([bias for _, bias in stances]),
    )


def _stance_regressions(
    texts: sparse.csr_matrix, stance: NDArray[np.int64], n_stances: int, seed: int
) -> list[tuple[FloatArray, FloatArray]]:
    """Weights and bias per topic."""
    shared: tuple[FloatArray, FloatArray] | None = None
    found = []
    for topic in range(stance.shape[1]):
        rows = np.flatnonzero(stance[:, topic] != ABSENT)
        gold = stance[rows, topic]
        if np.bincount(gold[gold >= 0], minlength=n_stances).min() >= LEAST_LABELS:
            found.append(_regression(texts[rows], gold, n_stances, seed))
            continue
        if shared is None:
            pairs = np.nonzero(stance != ABSENT)
            shared = _regression(texts[pairs[0]], stance[pairs], n_stances, seed)
        found.append(shared)
    return found


def _regression(
    texts: sparse.csr_matrix, gold: NDArray[np.int64], n_classes: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """Weights (columns, features) and bias (columns,): one column for two classes, else one each.

    Args:
        texts: Shape (texts, features).
        gold: Shape (texts,); class, or `UNPREDICTED` for a text that speaks for all alike.
        n_classes: Number of classes.
        seed: For the solver.
    """
    counts = np.bincount(gold[gold >= 0], minlength=n_classes)
    seen = np.flatnonzero(counts)
    # What a model without weights would say; it also stands for classes that no text shows.
    prior = np.log(counts + 0.5)
    weights = np.zeros((n_classes, texts.shape[1]))
    bias = prior - prior.mean()
    if len(seen) > 1:
        open_rows = np.flatnonzero(gold == UNPREDICTED)
        rows = np.concatenate([np.flatnonzero(gold >= 0), np.repeat(open_rows, len(seen))])
        classes = np.concatenate([gold[gold >= 0], np.tile(seen, len(open_rows))])
        share = np.where(gold[rows] >= 0, 1.0, 1 / len(seen))
        model = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000, random_state=seed)
        model.fit(texts[rows], classes, sample_weight=share)
        if len(seen) == 2:
            # One row that tells the two apart; half of it on each side says the same.
            weights[seen] = np.concatenate([-model.coef_, model.coef_]) / 2
            bias[seen] = np.concatenate([-model.intercept_, model.intercept_]) / 2
        else:
            weights[seen], bias[seen] = model.coef_, model.intercept_
    if n_classes == 2:
        weights, bias = weights[1:] - weights[:1], bias[1:] - bias[:1]
    return weights.astype(np.float32), bias.astype(np.float32)
