"""Fitting the wide part: agrees with scikit-learn's own TF-IDF, and adds to the lens's logits."""

from __future__ import annotations

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tiny
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from stance.artifact import load_artifact
from stance.classifier import Classifier, LensScorer
from stance.wide import load_wide
from training.corpus import Example, make_examples
from training.labels import ABSENT
from training.linear import INVERSE_REGULARISATION
from training.scoring import Logits
from training.wide import fit_wide, with_wide

pytestmark = pytest.mark.training


def examples_of(n: int, start: int = 0) -> list[Example]:
    return make_examples(tiny.records(n, start=start), tiny.SCHEMA, tiny.encoder())


def terms(example: Example) -> list[str]:
    found: list[str] = []
    for ids in example.token_ids:
        found += [str(a) for a in ids]
        found += [f"{a}+{b}" for a, b in itertools.pairwise(ids)]
    return found


def test_it_agrees_with_a_pipeline_of_scikit_learn() -> None:
    # What stances that are not predicted do has a test of its own.
    train = [example for example in examples_of(200) if (example.stance >= ABSENT).all()]
    others = examples_of(40, start=1_000)
    fitted = fit_wide(train, 2, weight=1.0, seed=0)
    assert fitted is not None
    scores = fitted.score([example.token_ids for example in others])
    features = TfidfVectorizer(analyzer=terms, min_df=2)
    # scikit-learn weighs by the vocabulary that is left after min_df too, as we do.
    rows, new = features.fit_transform(train), features.transform(others)
    stance = np.stack([example.stance for example in train])
    for topic in range(2):
        regression = LogisticRegression(C=INVERSE_REGULARISATION, max_iter=1000)
        regression.fit(rows, stance[:, topic] != ABSENT)
        found = [score.presence[topic] for score in scores]
        # Half precision of the weights, over some ten features.
        np.testing.assert_allclose(found, regression.decision_function(new), atol=0.02)
        labelled = np.flatnonzero(stance[:, topic] >= 0)
        regression.fit(rows[labelled], stance[labelled, topic])
        found = [score.stance[topic, 0] for score in scores]
        np.testing.assert_allclose(found, regression.decision_function(new), atol=0.02)


def test_texts_of_a_stance_that_is_not_predicted_pull_to_the_middle() -> None:
    train = examples_of(150)
    column = np.stack([example.stance for example in train])[:, 0]
    positive = np.flatnonzero(column == 1)
    # Half of the positive texts on the first topic lose their stance.
    opened = [
        replace(example, stance=np.array([-2, example.stance[1]]))
        if index in positive[::2]
        else example
        for index, example in enumerate(train)
    ]
    before, after = (fit_wide(texts, 2, weight=1.0, seed=0) for texts in (train, opened))
    assert before is not None
    assert after is not None
    texts = [train[index].token_ids for index in positive[::2]]
    sure, unsure = (
        np.mean([score.stance[0, 0] for score in fitted.score(texts)]) for fitted in (before, after)
    )
    assert 0 < unsure < sure / 2


def test_the_weight_is_a_factor_of_the_logits() -> None:
    train = examples_of(60)
    once, twice = (fit_wide(train, 2, weight=weight, seed=0) for weight in (1.0, 2.0))
    assert once is not None
    assert twice is not None
    (one,), (two,) = (part.score([train[0].token_ids]) for part in (once, twice))
    np.testing.assert_allclose(two.presence, 2 * one.presence, rtol=2e-3)
    assert fit_wide(train, 2, weight=0.0, seed=0) is None


def test_texts_that_share_no_token_have_no_wide_part() -> None:
    alone = replace(examples_of(1)[0], token_ids=([40], [41, 42]))
    other = replace(alone, token_ids=([43],))
    assert fit_wide([alone, other], 2, weight=1.0, seed=0) is None


def test_logits_of_the_two_parts_add_up() -> None:
    examples = examples_of(20)
    part = fit_wide(examples, 2, weight=1.0, seed=0)
    assert part is not None
    lens = Logits(presence=np.ones((20, 2)), stance=np.full((20, 2, 1), -1.0))
    both = with_wide(lens, part, examples)
    (score,) = part.score([examples[7].token_ids])
    np.testing.assert_allclose(both.presence[7], 1 + score.presence)
    np.testing.assert_allclose(both.stance[7], -1 + score.stance)
    assert with_wide(lens, None, examples) is lens


def test_a_trained_model_answers_with_both_parts(tiny_model: Path) -> None:
    artifact = load_artifact(tiny_model)
    wide = load_wide(artifact)
    assert wide is not None
    article = tiny.records(1, start=500)[0].article
    (scored,) = LensScorer(artifact).score([article], batch_tokens=512)
    lens_only = replace(
        artifact,
        manifest=artifact.manifest.model_copy(
            update={"files": {n: e for n, e in artifact.manifest.files.items() if n != "wide.npz"}}
        ),
    )
    (lens,) = LensScorer(lens_only).score([article], batch_tokens=512)
    (encoded,) = tiny.encoder().encode([article])
    (added,) = wide.score([encoded.token_ids])
    np.testing.assert_allclose(scored.scores.presence, lens.scores.presence + added.presence)
    np.testing.assert_allclose(
        scored.scores.stance_shares, lens.scores.stance_shares + added.stance_shares
    )
    assert Classifier.from_pretrained(tiny_model).digest != lens_only.digest
