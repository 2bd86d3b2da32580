"""Comparisons: against single evaluations, against all swaps counted out, and in words."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from evaluation_support import (
    SCHEMA,
    TOPICS,
    Row,
    cells,
    outcomes_of,
    predictions_of,
    records_of,
    right,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from stance.errors import DataError, UsageError
from stance.evaluation import Comparison, Contender, compare, score_texts
from stance.evaluation.comparison import (
    MCNEMAR,
    RANDOMISATION,
    TESTED,
)
from stance.evaluation.comparison_words import (
    comparison_tables,
    render_comparison,
    score_name,
    verdicts,
)
from stance.evaluation.randomisation import joint_chance, joint_sums, randomised
from stance.evaluation.resampling import draw_weights, interval
from stance.evaluation.scores import TopicScorer, ViewScorer

JOINT = ("sure", "joint", "f1")
GOOD: Row = (right("positive"), right(None), right("negative"))
WRONG: Row = (
    replace(right("positive"), stances=(0.8, 0.1, 0.1)),
    right(None),
    replace(right("negative"), found=False),
)


def shuffled(table: Sequence[Row], seed: int) -> list[Row]:
    """The labels of a table with other answers."""
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(table))
    return [
        tuple(
            replace(other, gold=own.gold, sure=own.sure)
            for own, other in zip(row, table[order[place]], strict=True)
        )
        for place, row in enumerate(table)
    ]


def compared(*tables: Sequence[Row], **options: object) -> Comparison:
    contenders = [
        Contender(name=f"m{number}", about={}, predictions=predictions_of(table))
        for number, table in enumerate(tables)
    ]
    values: dict[str, object] = {"resamples": 50, **options}
    return compare(records_of(tables[0]), contenders, SCHEMA, **values)  # type: ignore[arg-type]


said = cells.map(lambda cell: replace(cell, known=True))
tables_of = st.lists(st.tuples(*[said] * len(TOPICS)), min_size=1, max_size=8)


@settings(max_examples=15, deadline=None)
@given(tables_of, st.integers(0, 9))
def test_scores_are_those_of_single_evaluations(table: list[Row], seed: int) -> None:
    other = shuffled(table, seed)
    result = compared(table, other)
    both = bool(outcomes_of(table).disputable.any())
    cards = [
        score_texts(outcomes_of(own), both_views=both, resamples=50, seed=0)
        for own in (table, other)
    ]
    for row in (*result.rows, *result.details):
        assert row.scores == tuple(card.scores[row.path] for card in cards), row.path
    assert {row.path for row in (*result.rows, *result.details)} == {
        path for path in cards[0].scores if path[-1] != "ece"
    }


@settings(max_examples=15, deadline=None)
@given(tables_of)
def test_nothing_differs_from_itself(table: list[Row]) -> None:
    result = compared(table, table)
    for row in (*result.rows, *result.details, *(item.row for item in result.slices)):
        assert row.differences[0].value in (None, 0)
        assert row.differences[0].low in (None, 0)
        assert all(test.p == 1 for test in row.tests)
    assert (result.differing, result.splits) == (0, ())
    assert verdicts(result) == ["m1 against m0: no difference that chance would not make."]


@settings(max_examples=15, deadline=None)
@given(tables_of, st.integers(0, 9))
def test_turned_round_is_the_same_with_other_signs(table: list[Row], seed: int) -> None:
    other = shuffled(table, seed)
    one, two = compared(table, other), compared(other, table)
    for here, there in zip(one.rows, two.rows, strict=True):
        first, second = here.differences[0], there.differences[0]
        if first.value is not None:
            assert first.value == pytest.approx(-(second.value or 0))
        if first.low is not None:
            assert (first.low, first.high) == pytest.approx(
                (-(second.high or 0), -(second.low or 0))
            )
        assert [test.p for test in here.tests] == [test.p for test in there.tests]
    assert {item.id for item in one.splits} == {item.id for item in two.splits}


def test_intervals_of_differences_are_paired() -> None:
    table = [GOOD] * 14 + [WRONG] * 6
    other = [GOOD] * 16 + [WRONG] * 4
    row = next(row for row in compared(table, other, resamples=400).rows if row.path == JOINT)
    weights = draw_weights(20, 400, np.random.default_rng(0))
    drawn = [
        ViewScorer(outcomes_of(own), "sure", sure_only=True).values(weights)[JOINT]
        for own in (table, other)
    ]
    bounds = interval(drawn[1] - drawn[0])
    assert bounds is not None
    assert (row.differences[0].low, row.differences[0].high) == pytest.approx(tuple(bounds))
    # Unpaired samples would give a far wider one.
    assert row.differences[0].low is not None
    assert row.differences[0].low >= 0


@settings(max_examples=6, deadline=None)
@given(st.lists(st.tuples(*[said] * len(TOPICS)), min_size=5, max_size=6), st.integers(0, 9))
def test_randomisation_comes_near_all_swaps_counted_out(table: list[Row], seed: int) -> None:
    other = shuffled(table, seed)
    chance = randomised(outcomes_of(table), outcomes_of(other), TESTED, permutations=4_000, seed=1)

    def differences(one: list[Row], two: list[Row]) -> dict[tuple[str, ...], float]:
        values = []
        for own in map(outcomes_of, (one, two)):
            whole = np.ones((1, len(own)))
            values.append(
                TopicScorer(own).values(whole)
                | ViewScorer(own, "sure", sure_only=True).values(whole)
            )
        return {path: float(abs(values[1][path] - values[0][path])[0]) for path in TESTED}

    observed = differences(table, other)
    drawn = []
    for swaps in product((False, True), repeat=len(table)):
        pairs = [(b, a) if swap else (a, b) for swap, a, b in zip(swaps, table, other, strict=True)]
        drawn.append(differences([a for a, _ in pairs], [b for _, b in pairs]))
    for path, p in chance.items():
        exact = np.mean([not swap[path] < observed[path] - 1e-9 for swap in drawn])
        assert p == pytest.approx(exact, abs=0.04), path


def test_a_slice_of_all_texts_is_tested_like_the_whole() -> None:
    table = [GOOD] * 30 + [WRONG] * 10
    first, other = outcomes_of(table), outcomes_of([GOOD] * 34 + [WRONG] * 6)
    whole = randomised(first, other, TESTED, permutations=200, seed=5)[JOINT]
    assert joint_chance(joint_sums(first), joint_sums(other), permutations=200, seed=5) == whole
    assert whole < 1


def test_a_clear_difference_is_called_one_and_a_faint_one_is_not() -> None:
    table, better = [GOOD] * 20 + [WRONG] * 20, [GOOD] * 40
    result = compared(table, better, resamples=999)
    assert all(row.tests[0].sure for row in result.rows)
    names = {row.path: row.tests[0].name for row in result.rows}
    assert names[JOINT] == RANDOMISATION
    assert names["topics", "exact_match"] == MCNEMAR
    match = next(row for row in result.rows if row.path == ("sure", "joint", "exact_match"))
    assert (match.tests[0].only_first, match.tests[0].only_other) == (0, 20)
    assert verdicts(result)[0].startswith("m1 against m0: better on topics, macro F1; ")
    assert verdicts(compared(better, table, resamples=999))[0].startswith(
        "m1 against m0: worse on "
    )
    faint = compared(table, [*better[:21], *table[21:]], resamples=999)
    assert not any(row.tests[0].sure for row in faint.rows)


def test_p_values_are_corrected_for_all_tests_together() -> None:
    table = [GOOD] * 20 + [WRONG] * 20
    two = compared(table, [GOOD] * 26 + [WRONG] * 14, resamples=999)
    three = compared(table, [GOOD] * 26 + [WRONG] * 14, table, resamples=999)
    for short, long in zip(two.rows, three.rows, strict=True):
        assert short.tests[0].p == long.tests[0].p
        assert short.tests[0].corrected <= long.tests[0].corrected
    assert any(
        short.tests[0].corrected < long.tests[0].corrected
        for short, long in zip(two.rows, three.rows, strict=True)
    )


def test_texts_that_not_all_are_right_on() -> None:
    result = compared([GOOD, WRONG, GOOD, WRONG], [GOOD, GOOD, WRONG, WRONG])
    assert [(item.id, item.right) for item in result.splits] == [
        ("t1", (False, True)),
        ("t2", (True, False)),
    ]
    first = result.splits[0]
    assert first.labelled == "harbour: positive; night trains: negative"
    assert first.answers == ("harbour: negative", first.labelled)
    assert result.differing == 2


def test_stances_that_are_not_said_are_not_compared() -> None:
    silent = [replace(cell, found=False, known=False) for cell in GOOD]
    result = compared([GOOD, GOOD], [GOOD, tuple(silent)])
    paths = {row.path for row in (*result.rows, *result.details)}
    assert not any(path[1] == "stance" for path in paths)
    assert JOINT in paths
    assert any("Stance scores are not compared" in note and "m1" in note for note in result.notes)


def test_parts_without_a_label_are_no_slice() -> None:
    table = [GOOD, (right(None), right(None), right(None))]
    contenders = [
        Contender(name=name, about={}, predictions=predictions_of(table)) for name in "ab"
    ]
    result = compare(records_of(table, kinds=["brief", "headline"]), contenders, SCHEMA)
    assert [(item.field, item.value) for item in result.slices] == [("kind", "brief")]


def test_sets_that_do_not_match_are_refused_by_id_and_name() -> None:
    records = records_of([GOOD] * 3)
    answers = predictions_of([GOOD] * 3)
    stray = replace(answers[0], id="stray")
    contenders = [
        Contender(name="a", about={}, predictions=answers[:2]),
        Contender(name="b", about={}, predictions=[*answers, stray]),
    ]
    with pytest.raises(DataError) as caught:
        compare(records, contenders, SCHEMA)
    assert [(fault.file, fault.record) for fault in caught.value.faults] == [
        ("a", "t2"),
        ("b", "stray"),
    ]


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (["a"], {}, "two contenders or more"),
        (["a", "a"], {}, "different names"),
        (["a", "b"], {"resamples": -1}, "resamples: expected 0 or more"),
        (["a", "b"], {"slices": ["colour"]}, "--slice colour"),
    ],
)
def test_misuse_is_said(names: list[str], options: dict[str, object], words: str) -> None:
    contenders = [
        Contender(name=name, about={}, predictions=predictions_of([GOOD])) for name in names
    ]
    with pytest.raises(UsageError, match=words):
        compare(records_of([GOOD]), contenders, SCHEMA, **options)  # type: ignore[arg-type]


def test_without_samples_there_are_no_intervals_and_no_tests() -> None:
    result = compared([GOOD, WRONG], [GOOD, GOOD], resamples=0)
    assert all(row.tests == () and row.scores[0].low is None for row in result.rows)
    assert verdicts(result) == ["m1 against m0: not tested."]
    assert "No intervals were computed and no tests done." in render_comparison(result, texts=5)


def test_json_is_whole_and_the_same_twice() -> None:
    table = [GOOD] * 4 + [WRONG] * 3
    one, two = (compared(table, shuffled(table, 1)).to_dict() for _ in range(2))
    assert json.loads(json.dumps(one, allow_nan=False)) == two
    assert [row["score"] for row in one["tested"]] == [".".join(path) for path in TESTED]


def test_the_tables_hold_every_contender() -> None:
    result = compared([GOOD] * 3, [WRONG] * 3, [GOOD, WRONG, GOOD])
    tables = comparison_tables(result, texts=2)
    assert [table.title for table in tables] == [
        "m1 against m0",
        "m2 against m0",
        "All other scores",
        "Texts that not all are right on: 2 of 3",
    ]
    assert all(len(row) == len(table.columns) for table in tables for row in table.rows)
    assert "m2" in render_comparison(result, texts=2)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        (("topics", "each", "visas", "f1"), "topics, visas: F1"),
        (("sure", "stance", "topics", "visas", "macro_f1"), "stance, visas: macro F1"),
        (("all", "joint", "f1"), "joint: F1, all labels"),
        (("topics", "nothing_found"), "topics: nothing found"),
    ],
)
def test_scores_have_names(path: tuple[str, ...], words: str) -> None:
    assert score_name(path) == words


def test_the_page_escapes_what_it_shows() -> None:
    pytest.importorskip("jinja2")
    from stance.evaluation.comparison_html import render_comparison_html

    wild = "<script>alert(1)</script>"
    table = [GOOD] * 3 + [WRONG] * 2
    records = [
        replace(record, article=replace(record.article, title=wild)) for record in records_of(table)
    ]
    contenders = [
        Contender(name=name, about={"model": wild}, predictions=predictions_of(own))
        for name, own in ((wild, table), ("other", [GOOD] * 5), ("third", table[::-1]))
    ]
    result = compare(records, contenders, SCHEMA, resamples=20, about={"data": wild})
    page = render_comparison_html(result, texts=10)
    assert wild not in page
    assert page.count("<script>") == 1
    assert "third against &lt;script&gt;" in page
