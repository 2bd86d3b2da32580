"""How the sentences that a finding shows lie on the sentences that an annotator marked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from stance.predictions import Evidence
from stance.records import Article

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
    """

    annotated: int
    covered: int
    shown: int
    shown_right: int
    top_right: bool
    misplaced: int


def match_evidence(
    article: Article, annotated: Sequence[str], shown: Sequence[Evidence]
) -> EvidenceMatch:
    """Compare shown sentences with annotated ones by their places in the article.

    Two sentences match if they share at least one code point: sentence splitters differ at
    quotation marks and initials, and an annotator may have marked half a sentence. An annotated
    sentence that occurs several times (in the title and again in the text) is matched at any of
    its places.
    """
    places = [_occurrences(article, quote.strip()) for quote in annotated]
    spans: list[Span] = [(item.part, item.start, item.end) for item in shown]
    right = [any(_overlap(span, other) for spots in places for other in spots) for span in spans]
    top = max(range(len(shown)), key=lambda index: shown[index].presence, default=None)
    return EvidenceMatch(
        annotated=len(places),
        covered=sum(
            any(_overlap(spot, span) for spot in spots for span in spans) for spots in places
        ),
        shown=len(spans),
        shown_right=sum(right),
        top_right=top is not None and right[top],
        misplaced=count_misplaced(article, shown),
    )


def count_misplaced(article: Article, shown: Sequence[Evidence]) -> int:
    """How many shown sentences do not stand in the article where they claim to."""
    return sum(_part(article, item.part)[item.start : item.end] != item.sentence for item in shown)


def _part(article: Article, part: str) -> str:
    return (article.title or "") if part == "title" else article.text


def _occurrences(article: Article, quote: str) -> list[Span]:
    found: list[Span] = []
    for part in ("title", "text"):
        content = _part(article, part)
        start = content.find(quote) if quote else -1
        while start >= 0:
            found.append((part, start, start + len(quote)))
            start = content.find(quote, start + len(quote))
    return found


def _overlap(one: Span, other: Span) -> bool:
    return one[0] == other[0] and max(one[1], other[1]) < min(one[2], other[2])
