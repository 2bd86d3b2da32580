"""Sentences: spans that hold for any text, boundaries as marked by hand, linear effort."""

# ruff: noqa: RUF001 - the texts hold quotation marks and dashes of all kinds.

from __future__ import annotations

import textwrap

import pytest
import sentencex
from hypothesis import example, given
from hypothesis import strategies as st
from sentences_gold import FRESH, GOLD, passage_sentences, passage_text

from stance import sentences
from stance.sentences import Sentence, split_sentences

# Left as they are: each would take a rule of its own.
KNOWN_MISSES = {
    "Write to press.office@example.gov.¦A reply takes a day.",
    "It costs 5 p.¦The old one cost £1.20.",
    "Hackers took 4.1 TB of data from Acme Corp.¦Inc. magazine was hit, too.",
}

MARKS = [
    *"\"'“”‘’«»`()[]{}<>.!?…-–—/@ \t\n\r\0",
    *("\ud800", "\udfff", "\x0b", "\x1c", "\x1f", "\x85", "\xa0", "\u2028", "\u3000", "\u200b"),
    *("\u200f", "א", "é", "e\u0301", "ß", "ﬁ", "İ", "。", "😀", "▪️"),
    *("•", "1.", "(a)", "A", "b", "5"),
    *("U.S.", "Mr.", "Ms.", "no.", "May.", "p.m.", "said", "He", "It was so", "Mail.Ru"),
]
ANY_TEXT = st.text(st.characters())  # Surrogates included.
TEXTS = ANY_TEXT | st.lists(st.sampled_from(MARKS) | ANY_TEXT).map("".join)


def texts_of(found: list[Sentence]) -> list[str]:
    return [sentence.text for sentence in found]


@given(TEXTS)
@example('A.\u3000"\u3000B (c.\u3000) D.')
@example("`[`\n.")
@example('• "A. \ud800"?! « b')
def test_spans_hold_every_character_that_is_no_space_once_and_in_order(text: str) -> None:
    position = 0
    for sentence in split_sentences(text):
        assert sentence.part == "text"
        assert position <= sentence.start < sentence.end
        assert sentence.text == text[sentence.start : sentence.end]
        assert sentence.text == sentence.text.strip()
        assert not text[position : sentence.start].strip()
        position = sentence.end
    assert not text[position:].strip()


@given(TEXTS)
def test_a_title_is_one_sentence(text: str) -> None:
    found = split_sentences(text, "title")
    bare = text.strip()
    if not bare:
        assert found == []
    else:
        start = text.index(bare)
        assert found == [Sentence("title", start, start + len(bare), bare)]


@given(TEXTS)
def test_what_sentencex_is_shown_has_the_same_length_and_lines_and_is_ascii(text: str) -> None:
    shown = sentences._shown(text)
    assert shown.isascii()
    assert [*map(len, shown.splitlines(keepends=True))] == [
        *map(len, text.splitlines(keepends=True))
    ]


@given(TEXTS, TEXTS)
def test_a_blank_line_separates(before: str, after: str) -> None:
    found = split_sentences(before + "\n\n" + after)
    gap = len(before)
    assert not any(sentence.start < gap < sentence.end for sentence in found)


@pytest.mark.parametrize(
    "passage",
    [
        pytest.param(
            passage,
            id=f"{group}-{number}",
            marks=[pytest.mark.xfail(strict=True)] if passage in KNOWN_MISSES else [],
        )
        for groups in (GOLD, FRESH)
        for group, passages in groups.items()
        for number, passage in enumerate(passages)
    ],
)
def test_marked_passages(passage: str) -> None:
    assert texts_of(split_sentences(passage_text(passage))) == passage_sentences(passage)


def test_offsets_are_code_points() -> None:
    assert split_sentences("Já 😀 viu.\n\n “Ms. Orr left.” He\ud800 stayed.") == [
        Sentence("text", 0, 9, "Já 😀 viu."),
        Sentence("text", 12, 27, "“Ms. Orr left.”"),
        Sentence("text", 28, 39, "He\ud800 stayed."),
    ]


def test_a_space_that_is_missing_after_a_full_stop() -> None:
    assert texts_of(split_sentences("They left.Then he came.")) == ["They left.", "Then he came."]


@pytest.mark.parametrize("text", ["", " ", "\n\n", " \t\u2028\xa0\n"])
def test_nothing_but_space(text: str) -> None:
    assert split_sentences(text) == []
    assert split_sentences(text, "title") == []


def test_a_title_keeps_its_abbreviations_and_lines() -> None:
    title = " Gen. Marsh quits. Who is next?\nA guide\n"
    assert texts_of(split_sentences(title, "title")) == [title.strip()]


ARTICLE = (
    "Members of the council met Mr. Hale, the chairman of the Northern Port Authority, on Tuesday"
    " and asked him why nobody had been told of the leak for seven weeks. He had no answer. "
    '"We acted too late, and Deputy Director Ms. Orr has said so," he told them. The council will'
    " hear experts from Lisbon and Porto in May. A report is due in the autumn."
)


@pytest.mark.parametrize("width", [60, 72, 80, 100])
@pytest.mark.parametrize("gap", ["\n\n", "\n"])
def test_hard_wrapped_text_reads_like_the_same_text_unwrapped(width: int, gap: str) -> None:
    wrapped = gap.join([textwrap.fill(ARTICLE, width)] * 3)
    found = [" ".join(text.split()) for text in texts_of(split_sentences(wrapped))]
    assert found == texts_of(split_sentences(ARTICLE)) * 3


@pytest.mark.parametrize(
    "lines",
    [
        # Wider than any wrapping.
        [
            "A headline of one line " + "that goes on " * 7 + "and on",
            "still, here is the next line",
        ],
        # The first line has room left for the first word of the second.
        ["A short headline", "where the next line is much longer and begins with a small letter"],
        # No small letter after a break.
        ["The embassy of the Republic will be closed on the next Monday", "Visas on Tuesday"],
        # The breaks after which no sentence ends are not all at full lines.
        [
            "The ministry has published the list of goods that need a permit",
            "timber and what is made of it",
            "steel",
            "Grain of every kind",
        ],
        # Small letters throughout, as in some channels: they say nothing of the breaks.
        ["the embassy of the republic is going to be closed for two days", "all visas stay valid"],
    ],
)
def test_lines_that_are_not_wrapped_stay_apart(lines: list[str]) -> None:
    assert texts_of(split_sentences("\n".join(lines))) == lines


def test_a_line_without_any_end_is_one_sentence() -> None:
    text = "word " * 2_000_000
    assert split_sentences(text) == [Sentence("text", 0, len(text) - 1, text.rstrip())]


def test_a_million_lines_of_one_character() -> None:
    found = split_sentences("x\n" * 1_000_000)
    assert len(found) == 1_000_000
    assert {sentence.text for sentence in found} == {"x"}
    assert found[-1].end == 2 * 1_000_000 - 1


def test_many_sentences_in_one_line() -> None:
    found = split_sentences("Go. " * 200_000)
    assert len(found) == 200_000
    assert {sentence.text for sentence in found} == {"Go."}


def test_a_long_line_is_split_as_if_it_were_short() -> None:
    one = 'Ms. Orr (the U.S. envoy) said: "It is over.'
    two = 'We go home." '
    found = texts_of(split_sentences((one + " " + two) * 5_000))
    assert found == [one, two.strip()] * 5_000


@pytest.mark.parametrize("piece", ["word ", "a. ", '("', "( . é", "« . ", "‘a . ", '."', ",'a . "])
def test_effort_is_linear(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # What sentencex reads in one go is bounded, and what it reads in all is linear.
    read: list[int] = []
    original = sentencex.segment

    def segment(language: str, text: str) -> list[str]:
        read.append(len(text))
        return original(language, text)

    monkeypatch.setattr(sentencex, "segment", segment)
    text = piece * (500_000 // len(piece))
    split_sentences(text)
    assert max(read) <= 10_000
    assert sum(read) <= 3 * len(text)
