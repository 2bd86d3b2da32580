"""Cross-validated probabilities: nothing is judged by a model that saw it or its twin."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from audit_support import SCHEMA, corpus, record

pytest.importorskip("sklearn")
pytest.importorskip("cleanlab")

from stance.audit import Answers
from stance.audit.suspects import find_suspects
from stance.errors import UsageError
from stance.records import Label, Record
from training import crossval
from training.baseline import fit_baseline
from training.crossval import cross_validate
from training.label_issues import stance_issues, topic_issues

pytestmark = pytest.mark.training


def test_no_text_is_judged_by_a_model_that_saw_it_or_its_pair(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = corpus(60)
    good, bad = (("harbour", stance) for stance in ("positive", "negative"))
    records += [record(f"p{n}", good if n % 2 else bad, pair=f"p{n // 2}") for n in range(20)]
    texts = {item.article.text: item for item in records if item.pair is None}
    seen: list[set[str]] = []
    judged: list[str] = []

    def watched(known: Sequence[Record], *rest: Any) -> Any:
        model = fit_baseline(known, *rest)
        names = {item.id for item in known}
        pairs = {item.pair for item in known if item.pair}
        seen.append(names)
        score = model.score

        def checked(articles: list[Any]) -> Any:
            for article in articles:
                assert article.id not in names
                judged.append(article.id)
                if article.text not in texts:
                    assert f"p{int(article.id[1:]) // 2}" not in pairs
            return score(articles)

        monkeypatch.setattr(model, "score", checked)
        return model

    monkeypatch.setattr(crossval, "fit_baseline", watched)
    presence, stance = cross_validate(records, SCHEMA, folds=4)
    assert len(seen) == 4
    assert sorted(judged) == sorted(item.id for item in records)
    assert presence.shape == (80, 2)
    assert stance.shape == (80, 2, 2)
    assert stance.sum(axis=2) == pytest.approx(1)
    assert ((presence >= 0) & (presence <= 1)).all()


def test_planted_faults_come_first() -> None:
    records = corpus(180)
    spoilt = list(records)
    for row in (0, 12, 31):
        label = records[row].labels[0]
        other = "positive" if label.stance == "negative" else "negative"
        spoilt[row] = replace(records[row], labels=(Label(topic=label.topic, stance=other),))
    spoilt[50] = replace(records[50], labels=())
    presence, stance = cross_validate(spoilt, SCHEMA, folds=5)
    answers = Answers(presence=presence, stance=stance, source="baselines")
    found = find_suspects(spoilt, SCHEMA, answers)
    assert {item.id for item in found[:4]} == {"t0", "t12", "t31", "t50"}


def test_the_same_seed_gives_the_same_answers() -> None:
    records = corpus(60)
    one, two, other = (cross_validate(records, SCHEMA, folds=3, seed=n)[0] for n in (1, 1, 2))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_one_fold_is_refused() -> None:
    with pytest.raises(UsageError, match="--folds: expected 2 or more, found 1"):
        cross_validate(corpus(20), SCHEMA, folds=1)


def test_issues_of_nothing() -> None:
    assert topic_issues(np.zeros((0, 2), np.bool_), np.zeros((0, 2))) == []
    assert stance_issues([], np.zeros((0, 2))) == []
    # One stance alone cannot be held against another.
    assert stance_issues([1, 1], np.array([[0.9, 0.1], [0.8, 0.2]])) == []


def test_a_stance_without_a_label_is_passed_over() -> None:
    probabilities = np.tile([0.1, 0.8, 0.1], (40, 1))
    probabilities[20:] = [0.8, 0.1, 0.1]
    gold = [1] * 20 + [0] * 20
    gold[3] = 0
    assert stance_issues(gold, probabilities) == [3]
