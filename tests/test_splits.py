from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance.dataset import Dataset, digest_of, load_records
from stance.duplicates import group_alike
from stance.errors import DataError, Fault, UsageError
from stance.records import Article, Label, Record
from stance.schema import Schema
from stance.splits import FRACTIONS, Splits, make_splits

SEEDS = Path(__file__).parents[1] / "seeds"


def record(number: int, draw: random.Random, pair: str | None = None) -> Record:
    text = " ".join(str(draw.randrange(10**6)) for _ in range(12))
    topics = draw.sample(["harbour", "weather"], draw.choice([0, 1, 1, 2]))
    labels = tuple(
        Label(topic=topic, stance=draw.choice(["negative", "positive", "positive"]))
        for topic in topics
    )
    kind = draw.choice(["headline", "headline", "brief", None])
    name = f"r{number:04}"
    article = Article(text=text, id=name)
    return Record(id=name, article=article, labels=labels, kind=kind, pair=pair)


def corpus(seed: int, size: int) -> list[Record]:
    draw = random.Random(seed)
    return [
        record(number, draw, pair=f"p{number // 2}" if number % 10 < 4 else None)
        for number in range(size)
    ]


def dataset(schema: Schema, records: list[Record], faults: tuple[Fault, ...] = ()) -> Dataset:
    return Dataset(
        schema=schema,
        records=tuple(records),
        files=("f",),
        digest=digest_of(records),
        faults=faults,
    )


def places(splits: Splits) -> dict[str, str]:
    return {item: name for name, ids in splits.splits.items() for item in ids}


@pytest.mark.training
@settings(max_examples=15)
@given(
    seed=st.integers(0, 99),
    size=st.integers(5, 60),
    shares=st.sampled_from([FRACTIONS, {"a": 0.5, "b": 0.5}, {"only": 1.0}]),
)
def test_every_id_stands_in_one_split_and_groups_stay_whole(
    seed: int, size: int, shares: dict[str, float]
) -> None:
    pytest.importorskip("datasketch")
    made = corpus(seed, size)
    if len(group_alike(made)) < len(shares):
        return
    splits = make_splits(made, shares, seed)
    ids = [item for part in splits.splits.values() for item in part]
    assert sorted(ids) == sorted(item.id for item in made)
    assert list(splits.splits) == list(shares)
    assert all(splits.splits.values())
    found = places(splits)
    for group in group_alike(made):
        assert len({found[item.id] for item in group}) == 1


@pytest.mark.training
def test_splits_follow_seed_and_records_and_not_their_order() -> None:
    pytest.importorskip("datasketch")
    made = corpus(1, 120)
    splits = make_splits(made, seed=4)
    random.Random(2).shuffle(made)
    assert make_splits(made, seed=4) == splits
    assert make_splits(made, seed=5).splits != splits.splits


@pytest.mark.training
def test_every_stratum_has_its_share() -> None:
    pytest.importorskip("datasketch")
    made = corpus(3, 600)
    by_id = {item.id: item for item in made}
    splits = make_splits(made, seed=0)
    strata = {
        name: Counter(stratum for item in ids for stratum in _strata(by_id[item]))
        for name, ids in splits.splits.items()
    }
    total: Counter[Any] = sum(strata.values(), Counter())
    for name, share in FRACTIONS.items():
        for stratum, count in total.items():
            assert abs(strata[name][stratum] - share * count) <= 3, (name, stratum)


@pytest.mark.training
@settings(max_examples=15)
@given(seed=st.integers(0, 99), early=st.integers(10, 60), late=st.integers(1, 60))
def test_what_earlier_splits_place_stays(seed: int, early: int, late: int) -> None:
    pytest.importorskip("datasketch")
    made = corpus(seed, early + late)
    # A pair may be torn by the growth: its late half must follow the early one.
    before = make_splits(made[:early], seed=seed)
    after = make_splits(made, seed=seed + 1, keep=before)
    found, old = places(after), places(before)
    assert sorted(found) == [item.id for item in made]
    assert {name: found[name] for name in old} == old
    for group in group_alike(made):
        assert len({found[item.id] for item in group}) == 1


@pytest.mark.training
def test_a_grown_corpus_still_has_its_shares() -> None:
    pytest.importorskip("datasketch")
    made = corpus(3, 600)
    after = make_splits(made, keep=make_splits(made[:300]))
    for name, share in FRACTIONS.items():
        assert abs(len(after.splits[name]) - share * 600) <= 3


@pytest.mark.training
def test_kept_splits_of_other_data_are_refused() -> None:
    pytest.importorskip("datasketch")
    made = corpus(1, 30)
    before = make_splits(made)
    with pytest.raises(DataError, match="no such record"):
        make_splits(made[:20], keep=before)
    with pytest.raises(UsageError, match="the kept splits' names"):
        make_splits(made, {"a": 0.5, "b": 0.5}, keep=before)


def _strata(item: Record) -> list[tuple[str | None, ...]]:
    labels = [(label.topic, label.stance) for label in item.labels] or [("none", "none")]
    return [("all",), *labels, *((*label, item.kind) for label in labels)]


@pytest.mark.parametrize(
    "shares",
    [
        {},
        {"a": 0.5, "b": 0.4},
        {"a": 1.5, "b": -0.5},
        {"a": 1.0, "b": 0.0},
        {"a": float("nan"), "b": 0.5},
        {"": 1.0},
    ],
)
def test_unsound_fractions_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="fractions: expected"):
        make_splits(corpus(1, 20), shares)


@pytest.mark.training
def test_too_few_texts_are_refused() -> None:
    pytest.importorskip("datasketch")
    with pytest.raises(UsageError, match="at least 3 texts that are not alike"):
        make_splits(corpus(1, 2))


names = st.text(min_size=1, max_size=8)


@given(
    st.dictionaries(names, st.lists(names, max_size=4), min_size=1, max_size=3),
    st.none() | st.integers(0, 2**31),
)
def test_splits_survive_the_file(
    tmp_path_factory: pytest.TempPathFactory, parts: dict[str, list[str]], seed: int | None
) -> None:
    path = tmp_path_factory.getbasetemp() / "splits.json"
    unique = {
        name: tuple(sorted({f"{place}{item}" for item in ids}))
        for place, (name, ids) in enumerate(parts.items())
    }
    splits = Splits(splits=unique, seed=seed)
    splits.save(path)
    assert Splits.load(path) == splits


def test_the_file_changes_by_a_line_an_id(tmp_path: Path) -> None:
    for name, ids in (("a", ("x", "z")), ("b", ("x", "y", "z"))):
        Splits(splits={"train": ids, "test": ("q",)}, seed=1).save(tmp_path / name)
    one, two = ((tmp_path / name).read_text(encoding="utf-8").splitlines() for name in "ab")
    assert [line.strip(" ,") for line in two if line not in one] == ['"y"']


GOOD = {"version": 1, "seed": 0, "splits": {"train": ["a"], "test": ["b"]}}


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ("{", "expected JSON, found broken JSON"),
        ([], "an object with version and splits"),
        ({**GOOD, "version": 2}, "version: expected 1, found 2"),
        ({**GOOD, "seed": "x"}, "seed: expected a whole number or null, found 'x'"),
        ({**GOOD, "splits": []}, "splits: expected an object of lists"),
        ({**GOOD, "splits": {}}, "splits: expected an object of lists"),
        ({**GOOD, "splits": {"train": "a"}}, "splits.train: expected a list of ids"),
        ({**GOOD, "splits": {"train": [1]}}, "splits.train: expected a list of ids"),
        ({**GOOD, "splits": {"train": ["a"], "test": ["a"]}}, "it is in train too"),
        ({**GOOD, "splits": {"train": ["a", "a"]}}, "it is in train too"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path: Path, data: Any, words: str) -> None:
    path = tmp_path / "splits.json"
    path.write_text(data if isinstance(data, str) else json.dumps(data), encoding="utf-8")
    with pytest.raises(DataError) as caught:
        Splits.load(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_a_missing_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be opened"):
        Splits.load(tmp_path / "none.json")


def test_a_split_is_selected_in_the_order_of_the_data(schema: Schema) -> None:
    made = corpus(1, 4)
    splits = Splits(splits={"train": ("r0000", "r0002", "r0003"), "test": ("r0001",)})
    data = dataset(schema, made[::-1])
    assert [item.id for item in splits.select(data, "train")] == ["r0003", "r0002", "r0000"]
    assert splits.select(data, "test") == [made[1]]
    with pytest.raises(UsageError, match="expected one of train, test, found 'dev'"):
        splits.select(data, "dev")


def test_splits_and_data_must_match(schema: Schema) -> None:
    splits = Splits(splits={"train": ("r0000", "gone"), "test": ("r0001",)})
    with pytest.raises(DataError) as caught:
        splits.select(dataset(schema, corpus(1, 3)), "test")
    assert {(fault.record, fault.field) for fault in caught.value.faults} == {
        ("r0002", "id"),
        ("gone", "splits.train"),
    }


def test_ids_of_skipped_records_may_be_missing(schema: Schema) -> None:
    splits = Splits(splits={"train": ("r0000", "gone"), "test": ("r0001",)})
    skipped = (Fault(expected="x", found="y"),)
    data = dataset(schema, corpus(1, 2), skipped)
    assert [item.id for item in splits.select(data, "train")] == ["r0000"]


def test_the_seeds_are_split_soundly() -> None:
    splits, data = Splits.load(SEEDS / "splits.json"), load_records(SEEDS)
    sizes = {name: len(splits.select(data, name)) for name in splits.splits}
    assert list(sizes) == list(FRACTIONS)
    for name, share in FRACTIONS.items():
        assert abs(sizes[name] / len(data.records) - share) < 0.005
    found = places(splits)
    pairs: dict[str, set[str]] = {}
    for item in data.records:
        if item.pair:
            pairs.setdefault(item.pair, set()).add(found[item.id])
    assert len(pairs) == 372
    assert all(len(sides) == 1 for sides in pairs.values())


@pytest.mark.slow
@pytest.mark.training
def test_the_seeds_are_split_as_the_command_splits_them() -> None:
    pytest.importorskip("datasketch")
    records = load_records(SEEDS).records
    drawn = Splits.load(SEEDS / "splits.json")
    # Drawn as the corpus grew: drawing again with what is placed kept must change nothing.
    assert make_splits(records, keep=drawn).splits == drawn.splits
