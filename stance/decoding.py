"""Scores to predictions: calibration, thresholds and the shortest evidence; pure functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from stance.artifact import Manifest, TopicCalibration
from stance.errors import UsageError
from stance.pooling import DocumentScores
from stance.predictions import Evidence, Finding, Prediction
from stance.records import Article
from stance.schema import Schema
from stance.sentences import Sentence

EVIDENCE_SHARE = 0.5
"""Evidence is the fewest sentences that hold more than this share of the contribution."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ScoredArticle:
    """An article's sentences and logits, before calibration."""

    sentences: tuple[Sentence, ...]
    scores: DocumentScores


def sigmoid(logit: NDArray[np.float64] | float) -> NDArray[np.float64]:
    """Logistic function, without overflow."""
    return np.asarray(0.5 * (1 + np.tanh(0.5 * np.asarray(logit))))


def stance_probabilities(
    logits: NDArray[np.float64], temperature: float | NDArray[np.float64]
) -> NDArray[np.float64]:
    """Calibrated stance probabilities.

    Args:
        logits: Shape (..., 1) for two stances (logit of the second), else (..., stances).
        temperature: Above 0; above 1 makes the answer less sure. Broadcast over `logits`.

    Returns:
        Shape (..., stances), adding up to 1.
    """
    scaled = logits / temperature
    if logits.shape[-1] == 1:
        second = sigmoid(scaled)
        return np.concatenate([1 - second, second], axis=-1)
    shifted = np.exp(scaled - scaled.max(axis=-1, keepdims=True))
    return np.asarray(shifted / shifted.sum(axis=-1, keepdims=True))


def threshold_for_precision(calibration: TopicCalibration, precision: float) -> float:
    """The lowest threshold that kept this precision on held-out texts.

    Args:
        calibration: Holds the curve.
        precision: In (0, 1].

    Raises:
        UsageError: If the precision is out of range, or the model holds no curve.
    """
    if not 0 < precision <= 1:
        raise UsageError(f"--precision: expected above 0 and at most 1, found {precision}")
    if not calibration.curve:
        raise UsageError("--precision: this model holds no precision curve; train it anew")
    reached = [row for row in calibration.curve if row[1] >= precision]
    # Where nothing reaches it, the strictest threshold is the nearest honest answer.
    return min(reached)[0] if reached else max(calibration.curve)[0]


def decode(
    article: Article,
    scored: ScoredArticle,
    schema: Schema,
    manifest: Manifest,
    thresholds: Mapping[str, float],
) -> Prediction:
    """One article's prediction."""
    findings: list[tuple[bool, Finding]] = []
    for column, topic in enumerate(schema.topic_names):
        calibration = manifest.calibration[topic]
        logit = scored.scores.presence[column]
        probability = float(sigmoid(calibration.slope * logit + calibration.offset))
        stances = stance_probabilities(scored.scores.stance[column], calibration.temperature)
        best = int(stances.argmax())
        shares = stance_direction(scored.scores.stance_shares[:, column], best)
        # With two stances one number says both: below 0 it speaks for the first.
        sign = -1 if scored.scores.stance.shape[1] == 1 and best == 0 else 1
        finding = Finding(
            topic=topic,
            probability=probability,
            stance=schema.predicted_stances[best],
            stance_probabilities=dict(
                zip(schema.predicted_stances, map(float, stances), strict=True)
            ),
            uncertain=bool(stances[best] < manifest.uncertainty.confidence),
            evidence=_evidence(
                scored.sentences, scored.scores.presence_shares[:, column], shares, sign
            ),
        )
        findings.append((probability >= thresholds[topic], finding))
    by_probability = sorted(findings, key=lambda item: -item[1].probability)
    return Prediction(
        id=article.id,
        topics=tuple(finding for found, finding in by_probability if found),
        scores={finding.topic: finding.probability for _, finding in findings},
        below=tuple(finding for found, finding in by_probability if not found),
        extra=dict(article.extra),
    )


def stance_direction(shares: NDArray[np.float64], best: int) -> NDArray[np.float64]:
    """Sentences' shares of the stance logit as reported, see `Evidence.stance`.

    Args:
        shares: Shape (sentences, stance columns).
        best: Column of the predicted stance.

    Returns:
        Shape (sentences,).
    """
    if shares.shape[1] == 1:
        return shares[:, 0]
    return np.asarray(shares[:, best] - shares.mean(axis=1))


def rank_evidence(
    presence: NDArray[np.float64], toward: NDArray[np.float64]
) -> NDArray[np.float64]:
    """How much of the finding each sentence carries; adds up to 1.

    Args:
        presence: Shape (sentences,); shares of the presence logit.
        toward: Shape (sentences,); shares of the stance logit, above 0 for the predicted stance.
    """
    parts = []
    for shares in (presence, toward):
        gain = np.maximum(shares, 0.0)
        total = gain.sum()
        if total > 0:
            parts.append(gain / total)
    if parts:
        return np.asarray(np.mean(parts, axis=0))
    # Nothing speaks for it: the sentence that speaks least against it stands first.
    weight = np.zeros(len(presence))
    weight[int(np.argmax(presence))] = 1.0
    return weight


def _evidence(
    sentences: Sequence[Sentence],
    presence: NDArray[np.float64],
    stance: NDArray[np.float64],
    sign: int,
) -> tuple[Evidence, ...]:
    """The fewest sentences that hold most of the contribution, in text order."""
    weight = rank_evidence(presence, sign * stance)
    order = np.argsort(-weight, kind="stable")
    needed = int(np.searchsorted(np.cumsum(weight[order]), EVIDENCE_SHARE, side="right")) + 1
    return tuple(
        Evidence(
            sentence=sentences[index].text,
            part=sentences[index].part,
            start=sentences[index].start,
            end=sentences[index].end,
            presence=float(presence[index]),
            stance=float(stance[index]),
        )
        for index in sorted(order[:needed].tolist())
    )
