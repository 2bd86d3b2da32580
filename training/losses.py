"""The loss of one batch: presence, stance, and what annotated evidence says about both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.network import LensOutputs
from training.settings import TrainingSettings

ABSENT = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the labels say.

    Attributes:
        presence: Shape (documents, topics), 0 or 1.
        stance: Shape (documents, topics); column of the stance, `ABSENT` where there is none.
        sentence_presence: Shape (sentences, topics); 1 for evidence, 0 in documents without the
            topic, NaN where nothing is known.
        evidence: Shape (sentences, topics); 1 for evidence sentences.
    """

    presence: Tensor
    stance: Tensor
    sentence_presence: Tensor
    evidence: Tensor


def lens_loss(
    outputs: LensOutputs,
    targets: Targets,
    document_of_sentence: Tensor,
    settings: TrainingSettings,
) -> Tensor:
    """Weighted sum of the terms; a scalar."""
    presence = functional.binary_cross_entropy_with_logits(outputs.presence, targets.presence)
    total = settings.presence_weight * presence
    if settings.sentence_weight:
        known = ~targets.sentence_presence.isnan()
        if known.any():
            total = total + settings.sentence_weight * (
                functional.binary_cross_entropy_with_logits(
                    outputs.sentence_presence[known], targets.sentence_presence[known]
                )
            )
    labelled = targets.stance != ABSENT
    if labelled.any():
        total = total + settings.stance_weight * stance_loss(
            outputs.stance[labelled], targets.stance[labelled], settings.label_smoothing
        )
    if settings.evidence_weight:
        mass = torch.zeros_like(targets.presence).index_add_(
            0, document_of_sentence, outputs.focus * targets.evidence
        )
        annotated = (
            torch.zeros_like(targets.presence).index_add_(0, document_of_sentence, targets.evidence)
            > 0
        )
        if annotated.any():
            total = total - settings.evidence_weight * mass[annotated].clamp_min(1e-6).log().mean()
    return total


def stance_loss(logits: Tensor, stance: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of stances.

    Args:
        logits: Shape (n, 1) for two stances (logit of the second), else (n, stances).
        stance: Shape (n,), columns.
        smoothing: Share of the target spread over all stances.
    """
    if logits.shape[1] == 1:
        logits = torch.cat([torch.zeros_like(logits), logits], dim=1)
    return functional.cross_entropy(logits, stance, label_smoothing=smoothing)
