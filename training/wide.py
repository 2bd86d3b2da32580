"""Fits the wide part, and adds its logits to the lens's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import sparse

from stance.wide import WidePart, WideWeights, document_norms, feature_keys
from training.corpus import Example
from training.linear import LEAST_TEXTS, fit_linear, inverse_frequencies
from training.scoring import Logits


def fit_wide(
    examples: Sequence[Example], n_stances: int, *, weight: float, seed: int
) -> WidePart | None:
    """Fit the linear model over tokens and pairs of neighbouring tokens.

    Args:
        examples: Training texts.
        n_stances: Number of predicted stances.
        weight: Factor of its logits in the sum with the lens's; it is put into the weights.
        seed: For the solver.

    Returns:
        None where `weight` is 0 or no token occurs in two texts.
    """
    if not weight:
        return None
    features = feature_keys([example.token_ids for example in examples])
    document = features.document_of_sentence[features.sentence]
    keys, places = np.unique(features.keys, return_inverse=True)
    # Frequency counts a text once, however often it holds a feature.
    once = np.unique(document * len(keys) + places) % max(len(keys), 1)
    frequency = np.bincount(once, minlength=len(keys))
    kept = frequency >= LEAST_TEXTS
    if not kept.any():
        return None
    idf = inverse_frequencies(frequency[kept], len(examples))
    inside = kept[places]
    places, document = (np.cumsum(kept) - 1)[places[inside]], document[inside]
    norms = document_norms(places, document, idf.astype(np.float64), len(examples))
    shape = (len(examples), len(idf))
    texts = sparse.csr_matrix((idf[places] / norms[document], (document, places)), shape)
    fitted = fit_linear(texts, np.stack([e.stance for e in examples]), n_stances, seed)
    return WidePart(
        WideWeights(
            keys=keys[kept],
            idf=idf,
            presence=(weight * fitted.presence.T).astype(np.float16),
            presence_bias=(weight * fitted.presence_bias).astype(np.float32),
            stance=(weight * np.moveaxis(fitted.stance, 2, 0)).astype(np.float16),
            stance_bias=(weight * fitted.stance_bias).astype(np.float32),
        )
    )


def with_wide(logits: Logits, wide: WidePart | None, examples: Sequence[Example]) -> Logits:
    """The lens's logits of some examples with those of the wide part added."""
    if wide is None or not examples:
        return logits
    scores = wide.score([example.token_ids for example in examples])
    return Logits(
        presence=logits.presence + np.stack([score.presence for score in scores]),
        stance=logits.stance + np.stack([score.stance for score in scores]),
    )
