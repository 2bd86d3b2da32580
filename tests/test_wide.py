"""The wide part: sums over tokens and pairs, counted one by one here; exact shares; safe files."""

from __future__ import annotations

import hashlib
import itertools
import math
import re
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.arrays import write_arrays
from stance.artifact import Artifact, FileEntry, Manifest, TopicCalibration
from stance.errors import ModelError
from stance.schema import Schema, Stance, Topic
from stance.wide import WIDE, WidePart, WideWeights, feature_keys, load_wide

SCHEMA = Schema(
    topics=(Topic(name="harbour"), Topic(name="orchard")),
    stances=(Stance(name="negative"), Stance(name="positive")),
)
TOKENS = (0, 1, 2, 7, 2**31 - 1)
Feature = tuple[int, ...]


def key_of(feature: Feature) -> int:
    """The key as the module gives it, read from a document of just this feature."""
    return int(feature_keys([[list(feature)]]).keys[-1])


FEATURES: list[Feature] = sorted(
    [*((a,) for a in TOKENS), *((a, b) for a in TOKENS for b in TOKENS if (a + b) % 2)], key=key_of
)


def weights(seed: int = 0) -> WideWeights:
    draw = np.random.default_rng(seed)
    n = len(FEATURES)
    return WideWeights(
        keys=np.array([key_of(feature) for feature in FEATURES]),
        idf=draw.uniform(1, 5, n).astype(np.float32),
        presence=draw.normal(size=(n, 2)).astype(np.float16),
        presence_bias=draw.normal(size=2).astype(np.float32),
        stance=draw.normal(size=(n, 2, 1)).astype(np.float16),
        stance_bias=draw.normal(size=(2, 1)).astype(np.float32),
    )


WEIGHTS = weights()
sentences = st.lists(st.sampled_from([*TOKENS, 5]), max_size=6)
documents = st.lists(sentences, min_size=1, max_size=5)


def counted(document: list[list[int]]) -> tuple[Any, Any]:
    """Presence and stance logits, feature by feature."""
    counts: Counter[Feature] = Counter()
    for ids in document:
        counts.update((a,) for a in ids)
        counts.update(itertools.pairwise(ids))
    known = {f: n for f, n in counts.items() if f in FEATURES}
    place = {f: i for i, f in enumerate(FEATURES)}
    idf = WEIGHTS.idf.astype(float)
    norm = math.sqrt(sum((n * idf[place[f]]) ** 2 for f, n in known.items())) or 1.0
    presence = WEIGHTS.presence_bias.astype(float).copy()
    stance = WEIGHTS.stance_bias.astype(float).copy()
    for f, n in known.items():
        value = n * idf[place[f]] / norm
        presence += value * WEIGHTS.presence[place[f]].astype(float)
        stance += value * WEIGHTS.stance[place[f]].astype(float)
    return presence, stance


def test_no_two_features_share_a_key() -> None:
    assert len({key_of(feature) for feature in FEATURES}) == len(FEATURES)


@given(batch=st.lists(documents, min_size=1, max_size=4))
def test_logits_are_the_sums_that_counting_gives(batch: list[list[list[int]]]) -> None:
    for document, scores in zip(batch, WidePart(WEIGHTS).score(batch), strict=True):
        presence, stance = counted(document)
        np.testing.assert_allclose(scores.presence, presence, atol=1e-9)
        np.testing.assert_allclose(scores.stance, stance, atol=1e-9)


@given(document=documents)
def test_shares_add_up_and_are_the_sentences_own(document: list[list[int]]) -> None:
    (scores,) = WidePart(WEIGHTS).score([document])
    assert scores.presence_shares.shape == (len(document), 2)
    assert scores.stance_shares.shape == (len(document), 2, 1)
    total = scores.presence_shares.sum(axis=0) + WEIGHTS.presence_bias
    np.testing.assert_allclose(total, scores.presence, atol=1e-9)
    np.testing.assert_allclose(scores.stance_shares.sum(axis=0), scores.stance, atol=1e-9)
    for ids, share in zip(document, scores.presence_shares, strict=True):
        if not any((a,) in FEATURES for a in ids):
            assert not share.any()


@given(document=documents, data=st.data())
def test_order_of_sentences_and_of_documents_does_not_matter(
    document: list[list[int]], data: st.DataObject
) -> None:
    order = data.draw(st.permutations(range(len(document))))
    turned = [document[index] for index in order]
    one, other = WidePart(WEIGHTS).score([document, turned])
    np.testing.assert_allclose(one.presence, other.presence, atol=1e-9)
    np.testing.assert_allclose(one.presence_shares[order], other.presence_shares, atol=1e-9)


def test_no_pair_reaches_over_the_end_of_a_sentence() -> None:
    keys = feature_keys([[[1], [2]], [[7]]]).keys
    assert keys.tolist() == [1, 2, 7]


def artifact_of(folder: Path, *, listed: bool = True) -> Artifact:
    data = (folder / WIDE).read_bytes()
    entry = FileEntry(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    manifest = Manifest(
        kind="lens",
        name="tiny",
        created="2026-01-02",
        schema_digest=SCHEMA.digest,
        calibration={topic: TopicCalibration() for topic in SCHEMA.topic_names},
        files={WIDE: entry} if listed else {},
    )
    contents = {WIDE: data} if listed else {}
    return Artifact(path=folder, manifest=manifest, schema=SCHEMA, contents=contents)


def test_a_written_part_reads_back_the_same(tmp_path: Path) -> None:
    WEIGHTS.save(tmp_path)
    read = load_wide(artifact_of(tmp_path))
    assert read is not None
    document = [[[1, 2, 7], [0, 2]]]
    (one,), (other,) = WidePart(WEIGHTS).score(document), read.score(document)
    assert one.presence.tolist() == other.presence.tolist()
    assert one.stance.tolist() == other.stance.tolist()
    first = (tmp_path / WIDE).read_bytes()
    WEIGHTS.save(tmp_path)
    assert (tmp_path / WIDE).read_bytes() == first


def test_a_folder_without_one_has_none(tmp_path: Path) -> None:
    WEIGHTS.save(tmp_path)
    assert load_wide(artifact_of(tmp_path, listed=False)) is None


def _arrays() -> dict[str, Any]:
    return {name: getattr(WEIGHTS, name) for name in WideWeights.__dataclass_fields__}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"keys": WEIGHTS.keys[::-1]}, "keys: expected different ones in rising order"),
        ({"keys": WEIGHTS.keys[:0]}, "idf: expected the shape (0,)"),
        ({"idf": WEIGHTS.idf[1:]}, "idf: expected the shape"),
        ({"stance": WEIGHTS.stance[:, :1]}, "stance: expected the shape"),
        ({"presence": WEIGHTS.presence.astype(np.float64)}, "presence: expected float16"),
        (
            {"presence_bias": np.full(2, np.nan, dtype=np.float32)},
            "presence_bias: expected finite numbers",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_refused(
    change: dict[str, Any], message: str, tmp_path: Path
) -> None:
    write_arrays(tmp_path / WIDE, {**_arrays(), **change})
    with pytest.raises(ModelError, match=re.escape(message)):
        load_wide(artifact_of(tmp_path))


def test_files_that_are_no_plain_arrays_are_refused(tmp_path: Path) -> None:
    (tmp_path / WIDE).write_bytes(b"PK no arrays")
    with pytest.raises(ModelError, match="expected NumPy arrays"):
        load_wide(artifact_of(tmp_path))
    # Zeros shrink a thousandfold: what unpacks to more than its size is not unpacked.
    np.savez_compressed(tmp_path / WIDE, allow_pickle=False, keys=np.zeros(100_000, dtype=np.int64))
    with pytest.raises(ModelError, match="without compression"):
        load_wide(artifact_of(tmp_path))
    np.savez(tmp_path / WIDE, allow_pickle=True, keys=np.array([object()], dtype=object))
    with pytest.raises(ModelError, match="keys: expected a NumPy array, found another header"):
        load_wide(artifact_of(tmp_path))
