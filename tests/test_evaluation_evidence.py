"""Shown sentences against annotated ones, by their places."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import get_args

import pytest
from evaluation_support import (
    FIRST,
    SCHEMA,
    SECOND,
    TOPICS,
    Cell,
    finding_of,
    predictions_of,
    records_of,
    right,
)
from hypothesis import given
from hypothesis import strategies as st

from stance.evaluation import count_outcomes, evaluate
from stance.evaluation.evidence import count_misplaced, match_evidence
from stance.predictions import Evidence
from stance.records import Article, Label
from stance.sentences import Part

TITLE = "Port opens."
TEXT = "Port opens. Ships came in. Others had to wait."
ARTICLE = Article(title=TITLE, text=TEXT)


def shown(sentence: str, *, part: str = "text", presence: float = 1.0, start: int = -1) -> Evidence:
    assert part in get_args(Part)
    start = (TITLE if part == "title" else TEXT).index(sentence) if start < 0 else start
    return Evidence(
        sentence=sentence,
        part=part,  # type: ignore[arg-type]
        start=start,
        end=start + len(sentence),
        presence=presence,
        stance=0.0,
    )


def test_the_strongest_sentence_counts_as_top_wherever_it_stands() -> None:
    sentences = [shown("Ships came in.", presence=0.5), shown("Others had to wait.", presence=2.0)]
    match = match_evidence(ARTICLE, ["Others had to wait."], sentences)
    assert (match.annotated, match.covered) == (1, 1)
    assert (match.shown, match.shown_right, match.top_right) == (2, 1, True)
    assert not match_evidence(ARTICLE, ["Ships came in."], sentences).top_right


def test_a_sentence_repeated_in_the_title_matches_at_either_place() -> None:
    for part in ("title", "text"):
        match = match_evidence(ARTICLE, ["Port opens."], [shown("Port opens.", part=part)])
        assert (match.covered, match.shown_right, match.top_right) == (1, 1, True)


def test_the_same_place_in_another_part_is_no_match() -> None:
    article = Article(title=TITLE, text="Ships came in.")
    match = match_evidence(article, ["Ships came in."], [shown("Port opens.", part="title")])
    assert (match.covered, match.shown_right, match.top_right) == (0, 0, False)


def test_sentences_that_only_touch_do_not_match() -> None:
    joined = Article(text="AaBb")
    own = replace(shown("Port", start=0), sentence="Aa", end=2)
    assert match_evidence(joined, ["Bb"], [own]).covered == 0
    assert match_evidence(joined, ["aB"], [own]).covered == 1


def test_half_a_sentence_and_spaces_around_it_match() -> None:
    match = match_evidence(ARTICLE, [" came in. "], [shown("Ships came in.")])
    assert (match.covered, match.shown_right) == (1, 1)


def test_nothing_shown_covers_nothing() -> None:
    match = match_evidence(ARTICLE, ["Ships came in.", "no such words"], [])
    assert (match.annotated, match.covered, match.shown, match.top_right) == (2, 0, 0, False)


def test_a_sentence_that_stands_elsewhere_is_counted_as_misplaced() -> None:
    assert count_misplaced(ARTICLE, [shown("Ships came in."), shown("Ships", start=0)]) == 1


@given(st.text(alphabet="ab .", max_size=20), st.data())
def test_overlap_is_what_a_set_of_positions_says(text: str, data: st.DataObject) -> None:
    spans = [sorted(data.draw(st.tuples(*[st.integers(0, len(text))] * 2))) for _ in range(2)]
    (start, end), (other, last) = spans
    quote = text[other:last]
    article = Article(text=text)
    own = Evidence(
        sentence=text[start:end], part="text", start=start, end=end, presence=1.0, stance=0.0
    )
    stripped = quote.strip()
    places, at = set(), 0
    while stripped and (at := text.find(stripped, at)) >= 0:
        places |= set(range(at, at + len(stripped)))
        at += len(stripped)
    match = match_evidence(article, [quote], [own])
    assert match.covered == match.shown_right == bool(places & set(range(start, end)))
    assert match.misplaced == 0


def test_only_topics_rightly_found_count() -> None:
    table = [(right("negative"), right("negative", found=False), Cell(found=True))]
    (record,) = records_of(table)
    (prediction,) = predictions_of(table)
    text = record.article.text
    evidence = (
        Evidence(sentence=text[:14], part="text", start=0, end=14, presence=1.0, stance=0.0),
        Evidence(sentence="moved", part="text", start=15, end=20, presence=3.0, stance=0.0),
    )
    record = replace(
        record,
        labels=tuple(
            Label(topic=topic, stance="negative", evidence=(text[:14], text[15:]))
            for topic in TOPICS[:2]
        ),
    )
    prediction = replace(
        prediction,
        topics=tuple(finding_of(TOPICS[at], table[0][at], evidence) for at in (0, 2)),
        below=(finding_of(TOPICS[1], table[0][1], evidence),),
    )
    outcomes = count_outcomes([record], [prediction], SCHEMA)
    assert outcomes.annotated.tolist() == [[2, 0, 0]]
    assert outcomes.covered.tolist() == [[2, 0, 0]]
    assert outcomes.shown.tolist() == [[2, 0, 0]]
    assert outcomes.shown_right.tolist() == [[2, 0, 0]]
    assert outcomes.top_right.tolist() == [[1, 0, 0]]
    assert outcomes.misplaced.tolist() == [2]
    report = evaluate([record], [prediction], SCHEMA, resamples=0)
    assert report.overall.value("sure", "evidence", "top_hit") == 1
    assert report.overall.value("sure", "evidence", "coverage") == 1
    assert report.overall.counts["sure", "evidence", "pairs"] == 1
    assert any("do not stand in their texts" in note and "t0" in note for note in report.notes)


def test_evidence_of_disputable_labels_counts_among_all_labels_only() -> None:
    table = [(right("negative"), right("negative", sure=False), Cell())]
    (record,) = records_of(table)
    (prediction,) = predictions_of(table)
    text = record.article.text
    labels = tuple(replace(label, evidence=(text[:14],)) for label in record.labels)
    sentence = Evidence(sentence=text[:14], part="text", start=0, end=14, presence=1.0, stance=0.0)
    topics = tuple(replace(finding, evidence=(sentence,)) for finding in prediction.topics)
    card = evaluate(
        [replace(record, labels=labels)], [replace(prediction, topics=topics)], SCHEMA, resamples=0
    ).overall
    for view, count in (("sure", 1), ("all", 2)):
        for name in ("pairs", "annotated_sentences", "shown_sentences"):
            assert card.counts[view, "evidence", name] == count


@pytest.mark.parametrize("view", ["sure", "all"])
def test_without_evidence_there_are_no_evidence_scores(view: str) -> None:
    table = [(right("negative", sure=False), Cell(), Cell())]
    card = evaluate(records_of(table), predictions_of(table), SCHEMA, resamples=5).overall
    assert card.counts[view, "evidence", "pairs"] == 0
    assert card.value(view, "evidence", "top_hit") is None


SENTENCES = ["Ships came in.", "Others had to wait.", "Rain fell.", "The quay was shut."]


@given(
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4, unique=True),
    st.lists(st.sampled_from(SENTENCES), min_size=1, max_size=4, unique=True),
    st.booleans(),
)
def test_first_and_random_sentences_are_what_trying_all_of_them_gives(
    annotated: list[str], chosen: list[str], titled: bool
) -> None:
    title = "Port opens" if titled else None
    text = " ".join(SENTENCES)
    every = [title, *SENTENCES] if title else SENTENCES
    own = [
        Evidence(
            sentence=item,
            part="text",
            start=text.index(item),
            end=text.index(item) + len(item),
            presence=1.0,
            stance=0.0,
        )
        for item in chosen
    ]
    match = match_evidence(Article(title=title, text=text), annotated, own)
    assert match.first_right == (every[0] in annotated)
    assert match.first_covered == len(set(every[: len(own)]) & set(annotated))
    assert match.random_right == pytest.approx(len(annotated) / len(every))
    draws = [len(set(drawn) & set(annotated)) for drawn in combinations(every, len(own))]
    assert match.random_covered == pytest.approx(sum(draws) / len(draws))


def test_the_baselines_reach_the_report() -> None:
    records = records_of([(right("mixed"), Cell(), Cell())])
    label = replace(records[0].labels[0], evidence=(SECOND,))
    records[0] = replace(records[0], labels=(label,))
    end = len(FIRST) + 1 + len(SECOND)
    own = Evidence(
        sentence=SECOND, part="text", start=len(FIRST) + 1, end=end, presence=1.0, stance=0.0
    )
    predictions = predictions_of([(right("mixed"), Cell(), Cell())])
    finding = replace(predictions[0].topics[0], evidence=(own,))
    predictions[0] = replace(predictions[0], topics=(finding,))
    card = evaluate(records, predictions, SCHEMA, resamples=0).overall
    assert card.value("sure", "evidence", "top_hit") == 1
    assert card.value("sure", "evidence", "coverage") == 1
    for name, expected in (("first", 0), ("random", 0.5)):
        assert card.value("sure", "evidence", name, "top_hit") == expected
        assert card.value("sure", "evidence", name, "coverage") == expected
