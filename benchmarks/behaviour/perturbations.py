"""Changes to a text that must not change its labels: pure functions of an article and a seed."""

from __future__ import annotations

import random
import re
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import replace

from benchmarks.behaviour.countries import draw_swap, swap_names
from stance.records import Article
from stance.sentences import split_sentences

Perturbation = Callable[[Article, int], Article]
"""The same article and seed give the same article; one that cannot be changed stays as it is."""

TYPO_SHARE = 0.02
NAME_STEMS = ("cyber", "visa", "strategic", "stability")
"""Beginnings of the words that the topics are called by; typos spare them."""
COLUMNS = 72
_PLACES = ("LONDON", "GENEVA", "BRUSSELS", "SINGAPORE", "NEW YORK")
_MONTHS = "January February March April May June July August September October November December"


def _parts(article: Article, change: Callable[[str], str]) -> Article:
    title = None if article.title is None else change(article.title)
    return replace(article, title=title, text=change(article.text))


def _headline(article: Article, change: Callable[[str], str]) -> Article:
    if article.title is None:
        return replace(article, text=change(article.text))
    return replace(article, title=change(article.title))


def paragraph_before(article: Article, paragraph: str) -> Article:
    """Put a paragraph before the text; the title stays in front."""
    return replace(article, text=f"{paragraph}\n\n{article.text}")


def paragraph_after(article: Article, paragraph: str) -> Article:
    """Put a paragraph behind the text."""
    return replace(article, text=f"{article.text}\n\n{paragraph}")


def draw_paragraph(article: Article, seed: int, paragraphs: Sequence[str]) -> str | None:
    """One of the paragraphs that is not the article's own; None if there is no such."""
    own = [item for item in paragraphs if item not in article.text]
    return random.Random(seed).choice(own) if own else None


_WORD = re.compile(r"\b[A-Za-z]{4,}\b")


def typos(article: Article, seed: int) -> Article:
    """Swap two neighbouring letters in one word of fifty, and in one at least.

    First letters, words of fewer than four letters and the topics' name words stay. Number of words
    and letters of each word stay too.
    """
    rng = random.Random(seed)
    parts = [article.title or "", article.text]
    places = [
        (part, match.start(), match.end())
        for part, text in enumerate(parts)
        for match in _WORD.finditer(text)
        if not match[0].lower().startswith(NAME_STEMS) and _swaps(match[0])
    ]
    n_words = sum(len(text.split()) for text in parts)
    wanted = max(1, round(TYPO_SHARE * n_words))
    for part, start, end in rng.sample(places, min(wanted, len(places))):
        text = parts[part]
        at = start + rng.choice(_swaps(text[start:end]))
        parts[part] = text[:at] + text[at + 1] + text[at] + text[at + 2 :]
    title = None if article.title is None else parts[0]
    return replace(article, title=title, text=parts[1])


def _swaps(word: str) -> list[int]:
    """Places behind the first letter where a letter and its neighbour differ."""
    return [at for at in range(1, len(word) - 1) if word[at].lower() != word[at + 1].lower()]


def upper_case(article: Article, seed: int) -> Article:
    """All of it in capital letters."""
    return _parts(article, lambda text: "".join(map(_upper, text)))


def _upper(sign: str) -> str:
    # A few letters have no capital that is one letter and leads back to them.
    return sign.upper() if sign.upper().lower() == sign else sign


def _lower(sign: str) -> str:
    return sign.lower() if sign.lower().upper() == sign else sign


def title_case_headline(article: Article, seed: int) -> Article:
    """The headline with a capital letter on every word; a text without a title is its headline."""
    return _headline(article, lambda text: re.sub(r"(?<!\S)\S", lambda it: _upper(it[0]), text))


def lower_case_headline(article: Article, seed: int) -> Article:
    """The headline in small letters; a text without a title is its headline."""
    return _headline(article, lambda text: "".join(map(_lower, text)))


def other_countries(article: Article, seed: int) -> Article:
    """Names of countries, capitals and peoples swapped for others, the same ones throughout."""
    swap = draw_swap(seed)
    return _parts(article, lambda text: swap_names(text, swap))


_MONTH = "|".join(f"{month}|{month[:3]}t?[.]?" for month in _MONTHS.split())
# Not the digits of names: S-400, H-1B, 5G, 9/11.
_NUMBER = re.compile(r"(?<![\w/])(?<![A-Za-z]-)\d+(?![\w/])(?!-[A-Z])")
_BEHIND_MONTH = re.compile(rf"(?:{_MONTH}) $")
_BEFORE_MONTH = re.compile(rf" (?:{_MONTH})\b")


def other_numbers(article: Article, seed: int) -> Article:
    """Other numbers of as many digits.

    The first digit stays, of years two, so that no order of size changes; 0 and 1 stay, since the
    grammar hangs on 1. Days of a month stay possible days.
    """
    rng = random.Random(seed)
    return _parts(article, lambda text: _NUMBER.sub(lambda it: _other_number(it, rng), text))


def _other_number(match: re.Match[str], rng: random.Random) -> str:
    digits, text = match[0], match.string
    before = text[max(0, match.start() - 12) : match.start()]
    if before[-1:] in {".", ","} and before[-2:-1].isdigit():
        return "".join(str(rng.randint(0, 9)) for _ in digits)
    dated = _BEHIND_MONTH.search(before) or _BEFORE_MONTH.match(text, match.end())
    if len(digits) == 2 and dated:
        return str(rng.randint(10, 28))
    if len(digits) == 1:
        return digits if digits in "01" else str(rng.randint(2, 9))
    kept = 2 if len(digits) == 4 and digits[:2] in {"19", "20"} else 1
    return digits[:kept] + "".join(str(rng.randint(0, 9)) for _ in digits[kept:])


_CURLY = str.maketrans({"\u201c": '"', "\u201d": '"', "\u2018": "'", "\u2019": "'"})


def other_quotes(article: Article, seed: int) -> Article:
    """Curly quotation marks and apostrophes for straight ones; straight ones if any is curly."""
    whole = (article.title or "") + article.text
    straight = whole.translate(_CURLY) == whole
    return _parts(article, _curled if straight else lambda text: text.translate(_CURLY))


def _curled(text: str) -> str:
    text = re.sub(r"(?<![^\s(\[/\u2013\u2014-])\"", "\u201c", text).replace('"', "\u201d")
    return re.sub(r"(?<![^\s(\[/\u201c\u2013\u2014-])'", "\u2018", text).replace("'", "\u2019")


def double_spaces(article: Article, seed: int) -> Article:
    """A second space at every tenth space or so, and at one of the text at least."""
    rng = random.Random(seed)

    def change(text: str) -> str:
        places = [match.start() for match in re.finditer(" ", text)]
        chosen = {place for place in places if rng.random() < 0.1}
        if places and not chosen:
            chosen = {rng.choice(places)}
        return "".join(sign * (1 + (place in chosen)) for place, sign in enumerate(text))

    return _parts(article, change)


def line_breaks(article: Article, seed: int) -> Article:
    """Every sentence of the text on a line of its own, with or without an empty line between."""
    rng = random.Random(seed)
    text, made, end = article.text, "", 0
    for sentence in split_sentences(text):
        between = text[end : sentence.start]
        # Not within "one...two", where no space is.
        made += rng.choice(("\n", "\n\n")) if end and between else between
        made += sentence.text
        end = sentence.end
    return replace(article, text=made + text[end:])


def wrapped_lines(article: Article, seed: int) -> Article:
    """The text wrapped to 72 columns, as wires and e-mails are."""
    lines = [
        textwrap.fill(line, COLUMNS, break_long_words=False, break_on_hyphens=False)
        for line in article.text.split("\n")
    ]
    return replace(article, text="\n".join(lines))


_DATELINE = re.compile(
    r"\W*[A-Z][A-Z]+\b.{0,60}?(?: - | -- |[\u2013\u2014]|[.] )|\W*[A-Z]{4,}[ ,.(]"
)


def agency_tag(article: Article, seed: int) -> Article:
    """A place, a date and an invented agency before the text; a text that begins so stays."""
    if _DATELINE.match(article.text):
        return article
    rng = random.Random(seed)
    place, day = rng.choice(_PLACES), rng.randint(2, 28)
    month = rng.choice(_MONTHS.split())
    tag = rng.choice(
        (
            f"{place}, {month} {day} (News Desk) - ",
            f"{place}, {month} {day}. /Wire Desk/. ",
            f"{place} (Newsroom) \u2014 ",
            f"{place} - ",
        )
    )
    return replace(article, text=tag + article.text)


def without_title(article: Article, seed: int) -> Article:
    """The text without its title."""
    return replace(article, title=None)


def without_sentence(article: Article, sentence: str) -> Article:
    """The text without a sentence and without its title.

    Args:
        article: The text.
        sentence: Stands in it to the letter.
    """
    before, _, after = article.text.partition(sentence)
    if not before or before[-1].isspace():
        after = after.lstrip(" ")
    return replace(article, title=None, text=(before + after).strip())
