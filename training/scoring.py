"""Validation scores of raw logits, for choosing an epoch; reports use `stance.evaluation`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, f1_score

from training.labels import ABSENT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Logits:
    """Raw logits of documents.

    Attributes:
        presence: Shape (documents, topics).
        stance: Shape (documents, topics, stance columns).
    """

    presence: NDArray[np.float64]
    stance: NDArray[np.float64]

    @property
    def stance_choice(self) -> NDArray[np.int64]:
        """Shape (documents, topics); column of the likeliest stance."""
        if self.stance.shape[2] == 1:
            return (self.stance[:, :, 0] > 0).astype(np.int64)
        return np.asarray(self.stance.argmax(axis=2))


def validation_scores(
    logits: Logits, stance: NDArray[np.int64], thresholds: NDArray[np.float64] | float = 0.0
) -> dict[str, float]:
    """Scores in [0, 1].

    Args:
        logits: Of the validation texts.
        stance: Shape (documents, topics); column, `ABSENT`, or another negative number where the
            topic is carried with a stance that is not predicted.
        thresholds: On the presence logits.
    """
    gold = stance != ABSENT
    found = logits.presence > thresholds
    labelled = stance >= 0
    choice = logits.stance_choice
    topic_f1 = [f1_score(gold[:, k], found[:, k], zero_division=0.0) for k in range(gold.shape[1])]
    precision = [
        average_precision_score(gold[:, k], logits.presence[:, k])
        for k in range(gold.shape[1])
        if gold[:, k].any()
    ]
    counted = found & ~(gold & ~labelled)
    hits = (found & labelled & (choice == stance)).sum()
    total = counted.sum() + labelled.sum()
    right = choice[labelled] == stance[labelled]
    return {
        "topic_f1": float(np.mean(topic_f1)),
        "topic_ap": float(np.mean(precision)) if precision else 0.0,
        "stance_f1": float(
            f1_score(stance[labelled], choice[labelled], average="macro", zero_division=0.0)
        )
        if labelled.any()
        else 0.0,
        "stance_accuracy": float(right.mean()) if labelled.any() else 0.0,
        "joint_f1": float(2 * hits / total) if total else 0.0,
    }
