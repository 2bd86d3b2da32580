"""Which labels probabilities contradict: confident learning by cleanlab, topics and stances."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from cleanlab.filter import find_label_issues
from cleanlab.multilabel_classification.filter import find_multilabel_issues_per_class
from numpy.typing import NDArray

from stance.evaluation.tallies import Floats


def topic_issues(carried: NDArray[np.bool_], presence: Floats) -> list[tuple[int, int]]:
    """Texts whose topics are doubtful (Northcutt et al. 2021, each topic one against the rest).

    Args:
        carried: `(texts, topics)`, the labels.
        presence: `(texts, topics)` in [0, 1], from a model that did not see the text.

    Returns:
        Row and column of each doubtful label, also of those that say that a topic is absent.
    """
    # A topic that all texts carry, or none, has no other side to be held against.
    mixed = np.flatnonzero(carried.any(axis=0) & ~carried.all(axis=0))
    if not len(mixed):
        return []
    labels = [np.flatnonzero(line).tolist() for line in carried[:, mixed]]
    with _quiet():
        by_topic, *_ = find_multilabel_issues_per_class(
            labels, presence[:, mixed], return_indices_ranked_by="self_confidence", n_jobs=1
        )
    return [
        (int(row), int(column))
        for column, found in zip(mixed, by_topic, strict=True)
        for row in found
    ]


def stance_issues(stances: Sequence[int], probabilities: Floats) -> list[int]:
    """Labels whose stance is doubtful, all topics taken together.

    Args:
        stances: Number of the labelled stance, one per label.
        probabilities: `(labels, stances)`, from a model that did not see the texts.

    Returns:
        Places of the doubtful labels, the most doubtful first.
    """
    if not len(stances):
        return []
    # A stance that no label has leaves no column for cleanlab to hold against the others.
    seen = np.unique(stances)
    if len(seen) < 2:
        return []
    kept = probabilities[:, seen]
    kept = kept / kept.sum(axis=1, keepdims=True)
    with _quiet():
        found = find_label_issues(
            np.searchsorted(seen, stances),
            kept,
            return_indices_ranked_by="self_confidence",
            n_jobs=1,
        )
    return [int(place) for place in found]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without cleanlab's warnings of classes with one example: the audit says what is thin."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        yield
