"""Faults of evaluated data: texts that occur twice, or among the training texts."""

from __future__ import annotations

import sys

import pytest

from stance.evaluation.faults import Training, find_faults
from stance.records import Article, Label, Record

LONG = "The harbour of Turku opens its new quay for ferries on the first of May, the city says."
NEAR = LONG.replace("the city says", "the city said")


def record(
    name: str, text: str, *, title: str | None = None, topic: str = "", pair: str | None = None
) -> Record:
    labels = (Label(topic=topic, stance="positive"),) if topic else ()
    return Record(
        id=name, article=Article(text=text, title=title, id=name), labels=labels, pair=pair
    )


@pytest.fixture(autouse=True)
def _library() -> None:
    pytest.importorskip("datasketch")


def test_sound_data_have_no_faults() -> None:
    faults = find_faults(
        [record("a", LONG), record("b", "Rain.")],
        Training(source="x", records=[record("c", "Snow.")]),
    )
    assert (faults.duplicates, faults.leaks, faults.warnings(), faults.remarks()) == (
        (),
        (),
        [],
        [],
    )
    assert (faults.training, faults.training_texts, faults.near_left_out) == ("x", 1, "")


def test_the_same_and_almost_the_same_are_told_apart() -> None:
    texts = [record("a", LONG), record("b", f" {LONG}\n", topic="visas"), record("c", NEAR)]
    faults = find_faults(texts)
    exact, *near = faults.duplicates
    assert (exact.ids, exact.exact, exact.same_labels) == (("a", "b"), True, False)
    assert {item.ids for item in near} == {("a", "c"), ("b", "c")}
    assert not any(item.exact for item in near)
    same, almost = faults.warnings()
    assert same.startswith(
        "Groups of evaluated texts that are the same: 1, with different labels 1"
    )
    assert same.endswith("Ids: a = b.")
    assert almost.endswith("Ids: a = c, b = c.")
    assert "almost the same: 2, with different labels 1" in almost


def test_a_pair_is_meant_to_be_alike() -> None:
    assert not find_faults([record("a", LONG, pair="p"), record("b", NEAR, pair="p")]).duplicates
    assert find_faults([record("a", LONG, pair="p"), record("b", NEAR, pair="q")]).duplicates
    assert find_faults([record("a", LONG, pair="p"), record("b", LONG, pair="p")]).duplicates


def test_another_title_is_another_text() -> None:
    texts = [record("a", "Rain.", title="Turku"), record("b", "Rain.", title="Oulu opens a bridge")]
    assert not find_faults(texts).duplicates


def test_leaks_name_the_training_texts() -> None:
    training = Training(
        source="the old folder",
        records=[record("t1", NEAR), record("t2", LONG), record("t3", "Snow.")],
    )
    faults = find_faults(
        [record("z", "Rain."), record("a", LONG), record("n", NEAR + "!")], training
    )
    assert [(leak.id, set(leak.training_ids), leak.exact) for leak in faults.leaks] == [
        ("a", {"t1", "t2"}, True),
        ("n", {"t1", "t2"}, False),
    ]
    leak, *others = faults.warnings()
    assert "(the old folder): 2, letter for letter 1." in leak
    assert leak.endswith("Ids: a, n.")
    assert len(others) == 1
    assert faults.to_dict()["leaks"][0]["exact"] is True


def test_without_the_library_the_same_is_found_and_the_rest_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    texts = [record("a", LONG), record("b", LONG), record("c", NEAR)]
    faults = find_faults(texts, Training(source="x", records=[record("t", LONG)]))
    assert [item.ids for item in faults.duplicates] == [("a", "b")]
    assert [leak.id for leak in faults.leaks] == ["a", "b"]
    assert faults.to_dict()["near_searched"] is False
    (remark,) = faults.remarks()
    assert 'pip install ".[report]"' in remark


def test_of_very_many_texts_near_ones_are_looked_for_on_demand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = [record("a", LONG), record("b", NEAR)]
    assert not find_faults(texts, near=False).duplicates
    monkeypatch.setattr("stance.evaluation.faults.NEAR_LIMIT", 2)
    assert find_faults(texts).duplicates
    training = Training(source="x", records=[record("t", LONG)])
    faults = find_faults(texts, training)
    assert not faults.duplicates
    assert "more than 2 texts; --near-duplicates" in faults.remarks()[0]
    assert find_faults(texts, training, near=True).duplicates
