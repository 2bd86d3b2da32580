"""How the sentences that a finding shows lie on the sentences that an annotator marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

from stance.predictions import Evidence
from stance.records import Article
from stance.sentences import Part, split_sentences

Span = tuple[str, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceMatch:
    """Counts for one finding against one label's evidence.

    Attributes:
        annotated: Sentences that the annotator marked.
        covered: How many of them overlap a shown sentence.
        shown: Sentences that the finding shows.
        shown_right: How many of them overlap an annotated sentence.
        top_right: Whether the shown sentence with the largest share of presence does.
        misplaced: How many shown sentences do not stand in the article where they claim to.
        first_covered: `covered`, if the first sentences were shown, as many as are shown.
        first_right: Whether the first sentence overlaps an annotated one.
        random_covered: `covered` on average, if as many sentences were drawn at random.
        random_right: Chance that a sentence drawn at random overlaps an annotated one.
    """

    annotated: int
    covered: int
    shown: int
    shown_right: int
    top_right: bool
    misplaced: int
    first_covered: int
    first_right: bool
    random_covered: float
    random_right: float


def match_evidence(
    article: Article,
    annotated: Sequence[str],
    shown: Sequence[Evidence],
    sentences: Sequence[Span] | None = None,
) -> EvidenceMatch:
    """Compare shown sentences with annotated ones by their places in the article.

    Two sentences match if they share at least one code point: sentence splitters differ at
    quotation marks and initials, and an annotator may have marked half a sentence. An annotated
    sentence that occurs several times (in the title and again in the text) is matched at any of
    its places.

    Args:
        article: The text.
        annotated: What an annotator marked.
        shown: What a finding shows.
        sentences: All sentences of the article; split anew if None.
    """
    places = [occurrences(article, quote.strip()) for quote in annotated]
    spans: list[Span] = [(item.part, item.start, item.end) for item in shown]
    every = sentence_spans(article) if sentences is None else sentences
    right = [any(_overlap(span, other) for spots in places for other in spots) for span in spans]
    top = max(range(len(shown)), key=lambda index: shown[index].presence, default=None)
    # For each annotated sentence, the sentences of the article that lie on it.
    on = [
        {at for at, span in enumerate(every) for spot in spots if _overlap(spot, span)}
        for spots in places
    ]
    anywhere = set().union(*on)
    drawn = min(len(spans), len(every))
    return EvidenceMatch(
        annotated=len(places),
        covered=sum(
            any(_overlap(spot, span) for spot in spots for span in spans) for spots in places
        ),
        shown=len(spans),
        shown_right=sum(right),
        top_right=top is not None and right[top],
        misplaced=count_misplaced(article, shown),
        first_covered=sum(min(lies, default=drawn) < drawn for lies in on),
        first_right=0 in anywhere,
        random_covered=sum(
            1 - comb(len(every) - len(lies), drawn) / comb(len(every), drawn) for lies in on
        ),
        random_right=len(anywhere) / len(every) if every else 0.0,
    )


def count_misplaced(article: Article, shown: Sequence[Evidence]) -> int:
    """How many shown sentences do not stand in the article where they claim to."""
    return sum(_part(article, item.part)[item.start : item.end] != item.sentence for item in shown)


def sentence_spans(article: Article) -> list[Span]:
    """The sentences of an article, those of the title first."""
    parts: tuple[Part, ...] = ("title", "text")
    return [
        (part, sentence.start, sentence.end)
        for part in parts
        for sentence in split_sentences(_part(article, part), part)
    ]


def occurrences(article: Article, quote: str) -> list[Span]:
    """Every place at which a quotation stands in title or text."""
    found: list[Span] = []
    for part in ("title", "text"):
        content = _part(article, part)
        start = content.find(quote) if quote else -1
        while start >= 0:
            found.append((part, start, start + len(quote)))
            start = content.find(quote, start + len(quote))
    return found


def _part(article: Article, part: str) -> str:
    return (article.title or "") if part == "title" else article.text


def _overlap(one: Span, other: Span) -> bool:
    return one[0] == other[0] and max(one[1], other[1]) < min(one[2], other[2])
