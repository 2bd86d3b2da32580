"""The wide part: a weight per token and pair of neighbouring tokens, added to the lens's logits.

A linear model over the text's own tokens errs otherwise than an encoder does, so the sum of the two
is better than either (wide and deep learning: Cheng et al. 2016). Its logits are sums over tokens,
so the split of a document's logits into shares of its sentences stays exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stance.arrays import check_shapes, read_arrays, write_arrays
from stance.artifact import Artifact
from stance.errors import ModelError
from stance.pooling import DocumentScores, linear_scores, n_stance_columns

WIDE = "wide.npz"
_BITS = 31
"""Of a token id; a pair's key is its first id plus one, shifted so far, and its second id."""

_KINDS = {
    "keys": ("int64", 1),
    "idf": ("float32", 1),
    "presence": ("float16", 2),
    "presence_bias": ("float32", 1),
    "stance": ("float16", 3),
    "stance_bias": ("float32", 2),
}

Int64Array = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class WideWeights:
    """What the wide part has learnt.

    Attributes:
        keys: Shape (features,), rising; see `feature_keys`.
        idf: Shape (features,), inverse document frequencies.
        presence: Shape (features, topics), half precision.
        presence_bias: Shape (topics,).
        stance: Shape (features, topics, stance columns), half precision.
        stance_bias: Shape (topics, stance columns).
    """

    keys: Int64Array
    idf: NDArray[np.float32]
    presence: NDArray[np.float16]
    presence_bias: NDArray[np.float32]
    stance: NDArray[np.float16]
    stance_bias: NDArray[np.float32]

    def save(self, folder: Path) -> None:
        """Write `wide.npz`."""
        write_arrays(folder / WIDE, asdict(self))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Features:
    """Tokens and pairs of documents, in no particular order.

    Attributes:
        keys: Shape (n,).
        sentence: Shape (n,); the sentence of each, counted through all documents.
        document_of_sentence: Shape (sentences,).
    """

    keys: Int64Array
    sentence: Int64Array
    document_of_sentence: Int64Array


def feature_keys(documents: Sequence[Sequence[Sequence[int]]]) -> Features:
    """All tokens and all pairs of neighbours within a sentence.

    Args:
        documents: Per document and sentence its token ids, each in [0, 2**31).
    """
    sentences = [ids for document in documents for ids in document]
    ids = np.fromiter(chain.from_iterable(sentences), dtype=np.int64)
    owner = np.repeat(np.arange(len(sentences)), [len(sentence) for sentence in sentences])
    inside = owner[1:] == owner[:-1]
    pairs = ((ids[:-1][inside] + 1) << _BITS) | ids[1:][inside]
    return Features(
        keys=np.concatenate([ids, pairs]),
        sentence=np.concatenate([owner, owner[1:][inside]]),
        document_of_sentence=np.repeat(
            np.arange(len(documents)), [len(document) for document in documents]
        ),
    )


def document_norms(
    places: Int64Array, document: Int64Array, idf: NDArray[np.float64], n_documents: int
) -> NDArray[np.float64]:
    """Length of each document's vector of counts times idf; 1 where it holds no known feature.

    Args:
        places: Shape (n,); features, by their place among the keys.
        document: Shape (n,); the document of each.
        idf: Shape (features,).
        n_documents: Number of documents.
    """
    codes, counts = np.unique(document * len(idf) + places, return_counts=True)
    squares = (counts * idf[codes % len(idf)]) ** 2
    norms = np.sqrt(np.bincount(codes // len(idf), weights=squares, minlength=n_documents))
    return np.asarray(np.where(norms > 0, norms, 1.0))


class WidePart:
    """Scores documents by their tokens.

    Args:
        weights: With at least one feature.
    """

    def __init__(self, weights: WideWeights) -> None:
        self.weights = weights
        self._idf = weights.idf.astype(np.float64)
        flat = weights.stance.reshape(len(weights.keys), -1)
        values = np.concatenate([weights.presence, flat], axis=1).astype(np.float64)
        # By column, since they are summed one by one.
        self._values = np.asfortranarray(values * self._idf[:, None])

    def score(self, documents: Sequence[Sequence[Sequence[int]]]) -> list[DocumentScores]:
        """Logits and shares per document.

        Args:
            documents: Per document and sentence its token ids; a sentence may have none.

        Returns:
            Presence with `presence_bias` beside the shares, stance with its bias in equal parts
            within the shares, as `DocumentScores` describes them.
        """
        features = feature_keys(documents)
        keys = self.weights.keys
        places = np.searchsorted(keys, features.keys)
        known = keys[np.minimum(places, len(keys) - 1)] == features.keys
        places, sentence = places[known], features.sentence[known]
        owner = features.document_of_sentence
        norms = document_norms(places, owner[sentence], self._idf, len(documents))
        shares = np.stack(
            [
                np.bincount(sentence, weights=column[places], minlength=len(owner))
                for column in self._values.T
            ],
            axis=1,
        ) / (norms[owner][:, None] if len(owner) else 1.0)
        ends = np.cumsum([len(document) for document in documents])
        return [
            linear_scores(part, self.weights.presence_bias, self.weights.stance_bias)
            for part in np.split(shares, ends[:-1])
        ]


def load_wide(artifact: Artifact) -> WidePart | None:
    """The wide part of a checked model folder; None where it has none.

    Raises:
        ModelError: If the file's arrays are not sound or do not fit the schema.
    """
    if WIDE not in artifact.manifest.files:
        return None
    arrays = read_arrays(artifact, WIDE, _KINDS)
    features, topics = len(arrays["keys"]), len(artifact.schema.topics)
    columns = n_stance_columns(len(artifact.schema.predicted_stances))
    check_shapes(
        artifact,
        WIDE,
        arrays,
        {
            "idf": (features,),
            "presence": (features, topics),
            "presence_bias": (topics,),
            "stance": (features, topics, columns),
            "stance_bias": (topics, columns),
        },
    )
    if not features or (np.diff(arrays["keys"]) <= 0).any():
        raise ModelError(f"{artifact.path}/{WIDE}: keys: expected different ones in rising order")
    return WidePart(WideWeights(**arrays))
