"""Token outputs to one presence and one stance logit per topic, split exactly by sentence.

Two steps, after attention-based multiple-instance learning (Ilse et al. 2018) with one attention
per label (Mullenbach et al. 2018):

- within a sentence s, tokens i: x_sk = sum_i softmax_i(a_ik) v_ik, the presence of topic k in s;
- over the document: presence logit_k = b_k + sum_s softmax_s(g_k x_sk) x_sk, a soft maximum, so
  that one sentence on a topic is not drowned by a hundred others;
  stance logit_ks = sum_i w_ik u_iks with w_ik = softmax over all tokens of the document of
  c_ik + d_k x_sk - p_k log(1 + position of s), so that a topic's stance is read where the topic
  is, and more from the lead than from the tail.

Both logits are weighted sums over sentences: each sentence's share is known without
approximation. Only a few numbers a sentence are kept, so a text may be of any length.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PoolingParameters:
    """The numbers of the document step, each of shape (topics,).

    Attributes:
        bias: b_k, added to the presence logit.
        sharpness: g_k >= 0; 0 is the mean over sentences, large values their maximum.
        gate: d_k >= 0; how much a sentence's presence draws the stance attention.
        decay: p_k; how much less later sentences weigh.
    """

    bias: FloatArray
    sharpness: FloatArray
    gate: FloatArray
    decay: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SegmentSums:
    """Running softmax sums of segments, in float64.

    Attributes:
        presence: Shape (segments, topics); attention-weighted mean of the presence values.
        presence_log_mass: Shape (segments, topics); log of the sum of attention weights.
        stance: Shape (segments, topics, stance columns); weighted mean of the stance values.
        stance_log_mass: Shape (segments, topics); log of the sum of stance weights.
    """

    presence: FloatArray
    presence_log_mass: FloatArray
    stance: FloatArray
    stance_log_mass: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class DocumentScores:
    """Logits of one document and the share of each sentence in them.

    Attributes:
        presence: Shape (topics,).
        stance: Shape (topics, stance columns).
        presence_shares: Shape (sentences, topics); with the bias they add up to `presence`.
        stance_shares: Shape (sentences, topics, stance columns); they add up to `stance`.
    """

    presence: FloatArray
    stance: FloatArray
    presence_shares: FloatArray
    stance_shares: FloatArray


def output_columns(n_topics: int, n_columns: int) -> tuple[slice, slice, slice, slice]:
    """Columns of the graph's output, for so many topics and stance columns (`n_stance_columns`).

    Returns:
        Slices for attention a, presence value v, stance attention c (each `n_topics` wide) and
        stance values u (`n_topics * n_columns`, topic by topic).
    """
    k = n_topics
    return (
        slice(0, k),
        slice(k, 2 * k),
        slice(2 * k, 3 * k),
        slice(3 * k, (3 + n_columns) * k),
    )


def n_stance_columns(n_stances: int) -> int:
    """Numbers per topic that carry the stance: one for two stances, else one per stance."""
    return 1 if n_stances == 2 else n_stances


def segment_sums(
    outputs: NDArray[np.floating], starts: NDArray[np.int64], n_topics: int
) -> SegmentSums:
    """Pool the tokens of each segment.

    Args:
        outputs: Shape (tokens, columns), content tokens only, see `output_columns`.
        starts: Shape (segments,), rising; first token of each segment. No segment is empty.
        n_topics: Number of topics.
    """
    columns = outputs.shape[1] // n_topics - 3
    attention, value, stance_attention, stance_value = (
        outputs[:, part].astype(np.float64) for part in output_columns(n_topics, columns)
    )
    counts = np.diff(np.append(starts, len(outputs)))
    presence, presence_log_mass = _softmax_mean(attention, value[:, :, None], starts, counts)
    stance, stance_log_mass = _softmax_mean(
        stance_attention, stance_value.reshape(-1, n_topics, columns), starts, counts
    )
    return SegmentSums(
        presence=presence[:, :, 0],
        presence_log_mass=presence_log_mass,
        stance=stance,
        stance_log_mass=stance_log_mass,
    )


def merge_segments(sums: SegmentSums, sentence: NDArray[np.int64], n_sentences: int) -> SegmentSums:
    """Join the pieces of sentences that were longer than a window.

    Args:
        sums: Sums of all segments of one document, in any order.
        sentence: Shape (segments,); the sentence of each segment.
        n_sentences: Sentences of the document. One without tokens gets mass 0.

    Returns:
        Sums with one row a sentence.
    """
    presence, presence_log_mass = _merge(
        sums.presence[:, :, None], sums.presence_log_mass, sentence, n_sentences
    )
    stance, stance_log_mass = _merge(sums.stance, sums.stance_log_mass, sentence, n_sentences)
    return SegmentSums(
        presence=presence[:, :, 0],
        presence_log_mass=presence_log_mass,
        stance=stance,
        stance_log_mass=stance_log_mass,
    )


def pool_document(sentences: SegmentSums, parameters: PoolingParameters) -> DocumentScores:
    """Pool the sentences of one document.

    Args:
        sentences: One row a sentence, in text order; at least one has tokens.
        parameters: The document step's numbers.
    """
    x = sentences.presence
    read = np.isfinite(sentences.presence_log_mass)
    weight = _softmax(np.where(read, parameters.sharpness * x, -np.inf))
    # Sentences without tokens are not counted: in training they do not occur.
    position = np.log1p(np.maximum(read.cumsum(axis=0) - 1.0, 0.0))
    focus = _softmax(sentences.stance_log_mass + parameters.gate * x - parameters.decay * position)
    presence_shares = weight * x
    stance_shares = focus[:, :, None] * sentences.stance
    return DocumentScores(
        presence=presence_shares.sum(axis=0) + parameters.bias,
        stance=stance_shares.sum(axis=0),
        presence_shares=presence_shares,
        stance_shares=stance_shares,
    )


def linear_scores(
    shares: FloatArray, presence_bias: NDArray[np.floating], stance_bias: NDArray[np.floating]
) -> DocumentScores:
    """Scores of a linear model from what it gives each sentence of one document.

    Args:
        shares: Shape (sentences, topics + topics * stance columns); presence, then stance topic
            by topic.
        presence_bias: Shape (topics,); beside the shares, as `DocumentScores` has it.
        stance_bias: Shape (topics, stance columns). Stance logits have no bias of their own in a
            document's scores: every sentence bears an equal part of it.
    """
    n_topics, n_columns = stance_bias.shape
    presence = shares[:, :n_topics]
    stance = shares[:, n_topics:].reshape(-1, n_topics, n_columns)
    stance = stance + stance_bias.astype(np.float64) / max(len(shares), 1)
    return DocumentScores(
        presence=presence.sum(axis=0) + presence_bias,
        stance=stance.sum(axis=0),
        presence_shares=presence,
        stance_shares=stance,
    )


def add_scores(one: DocumentScores, other: DocumentScores) -> DocumentScores:
    """Sum of two models' logits for the same sentences, share by share."""
    return DocumentScores(
        presence=one.presence + other.presence,
        stance=one.stance + other.stance,
        presence_shares=one.presence_shares + other.presence_shares,
        stance_shares=one.stance_shares + other.stance_shares,
    )


def _softmax(logits: FloatArray) -> FloatArray:
    shifted = np.exp(logits - logits.max(axis=0))
    return np.asarray(shifted / shifted.sum(axis=0))


def _softmax_mean(
    logits: FloatArray, values: FloatArray, starts: NDArray[np.int64], counts: NDArray[np.int64]
) -> tuple[FloatArray, FloatArray]:
    """Weighted mean of `values` (tokens, topics, n) and log mass of the weights, per segment."""
    top = np.maximum.reduceat(logits, starts, axis=0)
    weights = np.exp(logits - np.repeat(top, counts, axis=0))
    mass = np.add.reduceat(weights, starts, axis=0)
    mean = np.add.reduceat(weights[:, :, None] * values, starts, axis=0) / mass[:, :, None]
    return mean, top + np.log(mass)


def _merge(
    mean: FloatArray, log_mass: FloatArray, group: NDArray[np.int64], n_groups: int
) -> tuple[FloatArray, FloatArray]:
    top = np.full((n_groups, log_mass.shape[1]), -np.inf)
    np.maximum.at(top, group, log_mass)
    weights = np.exp(log_mass - top[group])
    mass = np.zeros_like(top)
    np.add.at(mass, group, weights)
    total = np.zeros((n_groups, *mean.shape[1:]))
    np.add.at(total, group, weights[:, :, None] * mean)
    empty = mass == 0
    safe = np.where(empty, 1.0, mass)
    merged_log_mass = np.where(empty, -np.inf, np.where(empty, 0.0, top) + np.log(safe))
    return total / safe[:, :, None], merged_log_mass
