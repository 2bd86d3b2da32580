"""The loss of one batch: presence, stance, and what annotated evidence says about both."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from training.labels import ABSENT, UNPREDICTED
from training.network import LensOutputs
from training.settings import TrainingSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What the labels say.

    Attributes:
        presence: Shape (documents, topics), 0 or 1.
        stance: Shape (documents, topics); column of the stance, `ABSENT` or `UNPREDICTED`.
        sentence_presence: Shape (sentences, topics); 1 for evidence, 0 in documents without the
            topic, NaN where nothing is known.
        evidence: Shape (sentences, topics); 1 for evidence sentences.
    """

    presence: Tensor
    stance: Tensor
    sentence_presence: Tensor
    evidence: Tensor


def term_counts(targets: Targets, document_of_sentence: Tensor) -> Tensor:
    """Over how many values the mean of each term is: shape (4,).

    The terms are presence, presence of sentences, stance and evidence.
    """
    return torch.stack(
        [
            torch.tensor(targets.presence.numel(), device=targets.presence.device),
            (~targets.sentence_presence.isnan()).sum(),
            (targets.stance != ABSENT).sum(),
            _annotated(targets, document_of_sentence).sum(),
        ]
    )


def lens_loss(
    outputs: LensOutputs,
    targets: Targets,
    document_of_sentence: Tensor,
    settings: TrainingSettings,
    shares: Tensor | None = None,
) -> Tensor:
    """Weighted sum of the terms; a scalar.

    Args:
        outputs: Of the batch.
        targets: Of the batch.
        document_of_sentence: Shape (sentences,).
        settings: The weights.
        shares: Shape (4,); a factor for each term's mean, in the order of `term_counts`, where
            several processes hold parts of one batch. None for 1.
    """
    if shares is None:
        shares = torch.ones(4, device=targets.presence.device)
    presence = functional.binary_cross_entropy_with_logits(outputs.presence, targets.presence)
    total = settings.presence_weight * shares[0] * presence
    if settings.sentence_weight:
        known = ~targets.sentence_presence.isnan()
        if known.any():
            total = total + settings.sentence_weight * shares[1] * (
                functional.binary_cross_entropy_with_logits(
                    outputs.sentence_presence[known], targets.sentence_presence[known]
                )
            )
    labelled = targets.stance != ABSENT
    if labelled.any():
        total = total + settings.stance_weight * shares[2] * stance_loss(
            outputs.stance[labelled], targets.stance[labelled], settings.label_smoothing
        )
    if settings.evidence_weight:
        mass = torch.zeros_like(targets.presence).index_add_(
            0, document_of_sentence, outputs.focus * targets.evidence
        )
        annotated = _annotated(targets, document_of_sentence)
        if annotated.any():
            total = total - settings.evidence_weight * shares[3] * (
                mass[annotated].clamp_min(1e-6).log().mean()
            )
    return total


def _annotated(targets: Targets, document_of_sentence: Tensor) -> Tensor:
    """Shape (documents, topics): whether any evidence of it is annotated."""
    evidence = torch.zeros_like(targets.presence)
    return evidence.index_add_(0, document_of_sentence, targets.evidence) > 0


def consistency_loss(
    one: LensOutputs, other: LensOutputs, carried: Tensor, shares: Tensor | None = None
) -> Tensor:
    """Symmetric divergence of two passes over the same batch (R-Drop: Liang et al. 2021).

    Args:
        one: Outputs under one draw of dropout.
        other: Outputs under another.
        carried: Shape (documents, topics), True where there is a stance to agree on.
        shares: As for `lens_loss`.
    """
    if shares is None:
        shares = torch.ones(4, device=carried.device)
    presence = [torch.stack([-o.presence, o.presence], dim=-1) / 2 for o in (one, other)]
    total = shares[0] * _divergence(*presence)
    if carried.any():
        stance = (_two_columns(o.stance[carried]) for o in (one, other))
        total = total + shares[2] * _divergence(*stance)
    return total


def _divergence(one: Tensor, other: Tensor) -> Tensor:
    """Mean over the rows of half the two directions' sum; logits of shape (..., classes)."""
    first, second = functional.log_softmax(one, dim=-1), functional.log_softmax(other, dim=-1)
    return ((first.exp() - second.exp()) * (first - second)).sum(dim=-1).mean() / 2


def _two_columns(logits: Tensor) -> Tensor:
    """One logit of two stances as two columns; more stances as they are."""
    if logits.shape[-1] > 1:
        return logits
    return torch.cat([torch.zeros_like(logits), logits], dim=-1)


def stance_loss(logits: Tensor, stance: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy of stances; where the stance is not predicted, all of them are as likely.

    Args:
        logits: Shape (n, 1) for two stances (logit of the second), else (n, stances).
        stance: Shape (n,), columns or `UNPREDICTED`.
        smoothing: Share of the target spread over all stances.
    """
    logits = _two_columns(logits)
    n_stances = logits.shape[1]
    targets = torch.full_like(logits, smoothing / n_stances)
    targets.scatter_add_(
        1, stance.clamp_min(0)[:, None], torch.full_like(logits[:, :1], 1 - smoothing)
    )
    targets[stance == UNPREDICTED] = 1 / n_stances
    return functional.cross_entropy(logits, targets)
