from __future__ import annotations

import random
import sys

import pytest

from stance.duplicates import group_alike, near_duplicates, near_matches
from stance.errors import MissingExtraError
from stance.records import Article, Record

WORDS = (
    "harbour storm ferry pilot crane signal tide captain customs container lighthouse anchor "
    "weather barge dredger mooring quay tariff union strike repair fog buoy freight rudder"
).split()


def record(name: str, text: str, pair: str | None = None, title: str | None = None) -> Record:
    article = Article(text=text, title=title, id=name)
    return Record(id=name, article=article, labels=(), pair=pair)


def prose(draw: random.Random, count: int) -> str:
    return " ".join(draw.choice(WORDS) + str(draw.randrange(90)) for _ in range(count))


def overlap(one: str, other: str) -> float:
    sets = [{text[at : at + 5] for at in range(len(text) - 4)} for text in (one, other)]
    return len(sets[0] & sets[1]) / len(sets[0] | sets[1])


def test_a_missing_library_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasketch", None)
    with pytest.raises(MissingExtraError, match=r"\[report\]"):
        list(near_duplicates([]))


@pytest.mark.training
def test_it_finds_what_comparing_all_with_all_finds() -> None:
    pytest.importorskip("datasketch")
    draw = random.Random(7)
    texts: list[str] = []
    for _ in range(40):
        words = prose(draw, draw.choice([8, 12, 60])).split()
        for share in (0.0, 0.03, 0.1, 0.3):
            kept = [word if draw.random() >= share else draw.choice(WORDS) for word in words]
            texts.append(" ".join(kept))
    found = set(near_duplicates([record(str(place), text) for place, text in enumerate(texts)]))
    wanted = {
        (left, right)
        for right, text in enumerate(texts)
        for left in range(right)
        if overlap(texts[left], text) >= 0.7
    }
    assert len(wanted) > 50
    assert found <= wanted
    # MinHash may lose a pair at the very edge; what is a copy it never loses.
    assert len(found) >= 0.97 * len(wanted)
    assert {pair for pair in wanted if texts[pair[0]] == texts[pair[1]]} <= found


@pytest.mark.training
@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        (
            "Port of Turku opens a new ferry terminal",
            "Port of Turku opens new ferry terminal",
            True,
        ),
        ("Port opens -- again!", "PORT OPENS; AGAIN", True),
        ("Port of Turku opens new ferry terminal", "Port of Turku shuts old cargo quay", False),
        ("Rain", "Rain", True),
        ("Rain", "Snow", False),
        ("", "", True),
    ],
)
def test_short_texts(one: str, other: str, alike: bool) -> None:
    pytest.importorskip("datasketch")
    assert bool(list(near_duplicates([record("1", one), record("2", other)]))) == alike


@pytest.mark.training
def test_title_and_text_count_together() -> None:
    pytest.importorskip("datasketch")
    split = record("1", "and rain fell on the quay", title="The port opened")
    whole = record("2", "The port opened and rain fell on the quay")
    assert list(near_duplicates([split, whole])) == [(0, 1)]


@pytest.mark.training
def test_groups_are_chains_of_pairs_and_near_duplicates() -> None:
    pytest.importorskip("datasketch")
    long = prose(random.Random(1), 40)
    made = [
        record("1", "Ferries run.", pair="p"),
        record("2", long),
        record("3", "Cranes stand idle today.", pair="p"),
        record("4", long + " again", pair="p"),
        record("5", "Fog.", pair="q"),
        record("6", "Something else entirely."),
    ]
    groups = [[item.id for item in group] for group in group_alike(made)]
    assert sorted(map(sorted, groups)) == [["1", "2", "3", "4"], ["5"], ["6"]]


@pytest.mark.training
def test_matches_between_two_sets_are_the_duplicates_of_their_union() -> None:
    pytest.importorskip("datasketch")
    draw = random.Random(5)
    whole = [record(str(number), prose(draw, 30)) for number in range(12)]
    whole += [record(f"again {item.id}", item.article.text + " indeed") for item in whole]
    # Both sets have duplicates of their own, which are no matches.
    mine, others = whole[:6] + whole[15:18] + whole[19:], [*whole[6:15], whole[18]]
    both = [*mine, *others]
    crossing = {
        (one, other - len(mine)) for one, other in near_duplicates(both) if one < len(mine) <= other
    }
    assert crossing
    assert set(near_matches(mine, iter(others))) == crossing
