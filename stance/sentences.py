"""Split a title or a text into sentences whose offsets point into the original.

The package sentencex finds the boundaries, one line at a time. It is shown a copy of the text in
which some characters are replaced or swapped, one for one, so that its offsets hold for the
original. The replacements correct what it gets wrong in news; docs/sentences.md has the figures.

A line break ends a sentence, with or without a blank line: news comes with one paragraph, headline
or list item a line, the latter two mostly without a full stop. Only in hard-wrapped text, known by
its lines being filled up to one width, the breaks within a paragraph count as spaces.
"""

# ruff: noqa: RUF001 - the patterns name quotation marks and dashes of all kinds.

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import sentencex  # type: ignore[import-untyped]

Part = Literal["title", "text"]


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence: `text == part_text[start:end]`, in code points, no surrounding whitespace."""

    part: Part
    start: int
    end: int
    text: str


def split_sentences(text: str, part: Part = "text") -> list[Sentence]:
    """Split a part of an article into sentences.

    The sentences are in order, do not overlap, and together hold every character that is not
    whitespace. The time is linear in the length of the text.

    Args:
        text: Any string, lone surrogates and control characters included.
        part: A title is one sentence whatever it holds; a text is split.

    Returns:
        The sentences; none if there is nothing but whitespace.
    """
    spans = _whole(text) if part == "title" else _spans(text)
    return [Sentence(part, start, end, text[start:end]) for start, end in spans]


def _whole(text: str) -> Iterator[tuple[int, int]]:
    start, end = len(text) - len(text.lstrip()), len(text.rstrip())
    if start < end:
        yield start, end


def _spans(text: str) -> Iterator[tuple[int, int]]:
    position = 0
    for line in _shown(_unwrapped(text)).splitlines(keepends=True):
        start = end = position  # The sentence found last; none yet in this line.
        has_words = False
        for piece in _pieces(line):
            piece_start = position + len(piece) - len(piece.lstrip())
            piece_end = position + len(piece.rstrip())
            position += len(piece)
            if piece_start >= piece_end:
                continue
            # Opening quotation marks are shown as spaces; they belong to what follows.
            while piece_start > end and not text[piece_start - 1].isspace():
                piece_start -= 1
            # Signs alone, such as an emoji, are no sentence; they go with their neighbour.
            piece_words = any(map(str.isalnum, piece))
            if has_words and piece_words:
                yield start, end
                start = end
            if start == end:
                start = piece_start
            end = piece_end
            has_words = has_words or piece_words
        if start < end:
            yield start, end


_STRETCH = 10_000  # characters


def _pieces(line: str) -> Iterator[str]:
    """The line cut behind its sentences.

    Some signs, such as brackets that nobody closes, cost sentencex quadratic time; so it reads a
    long line by the stretch. The last piece of a stretch may be cut off, and is read again.
    """
    start = begin = 0
    while begin < len(line):
        pieces = sentencex.segment("en", line[begin : begin + _STRETCH])
        if begin + _STRETCH < len(line):
            if len(pieces) == 1:
                begin += _STRETCH  # One long sentence: its end is still to come.
                continue
            pieces.pop()
        for piece in pieces:
            begin += len(piece)
            yield line[start:begin]
            start = begin
    if start < begin:
        yield line[start:begin]


# The patterns start with the sign they look for, and look back after it: `re` is fast then.

# Words that are abbreviations for sentencex wherever they stand.
_WORDS = re.compile(
    r"\b(?:[Mm]ay|[Nn]o|miss|me|ill|ore|[Ff]ed|art|fig|ID)(?=[.][\"'”’)]*\s+[^\d\s])"
)

# "(a)" keeps sentencex from splitting the item.
_ITEM = re.compile(r"^([ \t]*)\((\w{1,4})\)(?=\s)", re.M)

# sentencex does not split within quotation marks, but in news a quotation often runs over several
# sentences. So it is shown none: opening ones as spaces, closing ones before the full stop after
# which they stand ('done." He' as 'done”. He'), so that they stay with their sentence. A bracket
# round a whole sentence is closed before its full stop, too.
_OPENING = re.compile(r"[“„‟«‹《「‚‛‘`\"'](?=\S)(?:(?<=[^\"'])|(?<![^\s(\[/—–-].))")
_CLOSING = re.compile(
    r"([.!?](?<![.!?].)[.!?]*+)([\"'”’»›]++)"
    # What follows if the sentence goes on: 'he asked', or 'Mr. Hale asked' after "?" or "!".
    r"(?=(\s+[a-z])|(\s+(?!(?:He|She|It|We|They|I|You)\s)(?:[A-Z][\w.’'-]*+\s+){1,3}"
    r"(?:said|says|asked|asks|added|told|replied|wrote|answered)\b)|)"
)
_BRACKETED = re.compile(
    r"([(\[](?:(?<=^.)|(?<=[.!?]\s.)|(?<=[.!?][\"”’)]\s.))[^()\[\]\n]*+)(?<=[.!?])[)\]]"
    r"(?=\s+[^\sa-z]|\s*$)",
    re.M,
)

# Full stops that end nothing although sentencex thinks so.
_NUMBER = re.compile(r"^([ \t]*\(?(?:\d{1,3}|[a-zA-Z]|[ivxIVX]{1,4}))[.](?=\s)", re.M)
_NAME = re.compile(r"\b([A-Z]\w\w+)[.](?=[A-Z])")  # "Mail.Ru"
_SMALL = re.compile(r"[.](?<=[^\s.].)(?=\s+[a-z])(?!\s+\w*[A-Z])")  # "4 mln. in cash", not "eBay"
_NO_END = re.compile(
    r"[.](?=\s)(?:(?<=\w.)(?=\s+[-–—/])"  # "BOSTON, Mass. - A man", "MOSCOW, May 3. /Agency/."
    r"|(?<=\b[ap]\.m.)(?=\s+(?:(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day|(?:Ea|We)stern)\b)"
    r"|(?:(?<=\b(?:Ms|Ft).)|(?<=\b(?:Amb|Cdr|Dep).)|(?<=\b(?:Atty|Gens|Govs).)|(?<=\bProfs.))"
    r"(?=\s+[A-Z])"
    r"|(?:(?<=\b[Aa]pprox.)|(?<=\b[Pp]ara.)|(?<=\b[Pp]aras.)|(?<=\b[Vv]ol.))(?=\s+\d))"
)


def _shown(text: str) -> str:
    shown = text.replace("…", ".")  # sentencex takes no "…" for an end.
    shown = _WORDS.sub(lambda match: "z" * len(match[0]), shown)
    shown = _ITEM.sub(r"\1-\2-", shown)
    shown = _BRACKETED.sub(lambda match: f"{match[1][:-1]}){match[1][-1]}", shown)
    shown = _CLOSING.sub(_closed, shown)
    shown = re.sub("[\"'`]", "-", _OPENING.sub(" ", shown))
    shown = _NO_END.sub(",", _NAME.sub(r"\1,", _NUMBER.sub(r"\1,", shown)))
    if not text.islower():  # Some posts are written in small letters throughout.
        shown = _SMALL.sub(",", shown)
    return re.sub(r"[^\0-\x7f]", _ascii, shown)


def _ascii(match: re.Match[str]) -> str:
    # sentencex takes no lone surrogates, panics on some texts beyond ASCII, and does not split
    # a list item that begins with one of a number of signs, such as "•".
    char = match[0]
    if char.isspace():
        return "\v" if char in "\x85\u2028\u2029" else " "
    return "a" if char.isalpha() else "-"


def _closed(match: re.Match[str]) -> str:
    marks, closing, goes_on, speaker = match.groups()
    no_end = goes_on or (speaker and marks[-1] in "!?")
    return closing + ("," * len(marks) if no_end else marks)


def _unwrapped(text: str) -> str:
    """Replace the line breaks within the paragraphs of hard-wrapped text by spaces."""
    lines = text.splitlines(keepends=True)
    bare = [line.strip() for line in lines]
    width = max(map(len, bare), default=0)
    if not 50 <= width <= 100:
        return text
    # A line is full if the first word of the next one would not have fitted in.
    pairs = list(pairwise(bare))
    full = [
        bool(line and after) and len(line) + 1 + len(after.split(None, 1)[0]) > width
        for line, after in pairs
    ]
    # Breaks within a sentence tell: all are at full lines, one at least before a small letter.
    within = [
        (is_full, after[0].islower())
        for is_full, (line, after) in zip(full, pairs, strict=True)
        if line and after and line[-1] not in '.!?:;,"”’'
    ]
    filled = sum(is_full for is_full, _ in within)
    if filled < 0.9 * len(within) or (True, True) not in within or text.islower():
        return text
    for index, is_full in enumerate(full):
        if is_full:
            content = lines[index].rstrip()
            lines[index] = content + " " * (len(lines[index]) - len(content))
    return "".join(lines)
