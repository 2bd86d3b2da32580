"""Countries whose names can stand for each other: the same grammar, and alike in nuclear arms."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True, slots=True)
class Country:
    """A country as news names it.

    Attributes:
        name: Of the country; none takes an article.
        adjective: "Polish".
        person: "Pole"; one of its citizens.
        people: "Poles"; several of them.
        capital: As most newspapers spell it.
        other_capital: Another spelling of the capital; may be the same.
    """

    name: str
    adjective: str
    person: str
    people: str
    capital: str
    other_capital: str = ""

    @property
    def forms(self) -> tuple[str, ...]:
        """All names, in an order that is the same for every country."""
        return (
            self.name,
            self.adjective,
            self.person,
            self.people,
            self.capital,
            self.other_capital or self.capital,
        )


def _regular(*names: str) -> tuple[Country, ...]:
    """Countries with one word for adjective and citizen, and a plural in -s."""
    made = []
    for line in names:
        name, adjective, capital, *other = line.split("/")
        made.append(Country(name, adjective, adjective, f"{adjective}s", capital, *other))
    return tuple(made)


def _unchanging(*names: str) -> tuple[Country, ...]:
    """Countries whose adjective is also the word for one citizen and for all."""
    made = []
    for line in names:
        name, adjective, capital = line.split("/")
        made.append(Country(name, adjective, adjective, adjective, capital))
    return tuple(made)


NUCLEAR = (
    _regular(
        "Russia/Russian/Moscow", "India/Indian/New Delhi/Delhi", "Pakistan/Pakistani/Islamabad"
    ),
    _unchanging("China/Chinese/Beijing", "France/French/Paris"),
)
"""States with nuclear arms, by grammar: a text on their missiles stays a text on such arms."""
OTHERS = (
    _regular(
        "Armenia/Armenian/Yerevan",
        "Australia/Australian/Canberra",
        "Austria/Austrian/Vienna",
        "Azerbaijan/Azerbaijani/Baku",
        "Brazil/Brazilian/Brasilia",
        "Bulgaria/Bulgarian/Sofia",
        "Canada/Canadian/Ottawa",
        "Croatia/Croatian/Zagreb",
        "Egypt/Egyptian/Cairo",
        "Estonia/Estonian/Tallinn",
        "Ethiopia/Ethiopian/Addis Ababa",
        "Germany/German/Berlin",
        "Greece/Greek/Athens",
        "Hungary/Hungarian/Budapest",
        "Indonesia/Indonesian/Jakarta",
        "Italy/Italian/Rome",
        "Kazakhstan/Kazakh/Astana",
        "Kenya/Kenyan/Nairobi",
        "Latvia/Latvian/Riga",
        "Lithuania/Lithuanian/Vilnius",
        "Mexico/Mexican/Mexico City",
        "Morocco/Moroccan/Rabat",
        "Nigeria/Nigerian/Abuja",
        "Norway/Norwegian/Oslo",
        "Peru/Peruvian/Lima",
        "Romania/Romanian/Bucharest",
        "Serbia/Serbian/Belgrade",
        "Thailand/Thai/Bangkok",
        "Ukraine/Ukrainian/Kyiv/Kiev",
        "Uzbekistan/Uzbek/Tashkent",
    ),
    (
        Country("Denmark", "Danish", "Dane", "Danes", "Copenhagen"),
        Country("Finland", "Finnish", "Finn", "Finns", "Helsinki"),
        Country("Poland", "Polish", "Pole", "Poles", "Warsaw"),
        Country("Spain", "Spanish", "Spaniard", "Spaniards", "Madrid"),
        Country("Sweden", "Swedish", "Swede", "Swedes", "Stockholm"),
        Country("Turkey", "Turkish", "Turk", "Turks", "Ankara"),
    ),
    _unchanging(
        "Japan/Japanese/Tokyo",
        "Lebanon/Lebanese/Beirut",
        "Portugal/Portuguese/Lisbon",
        "Switzerland/Swiss/Bern",
        "Vietnam/Vietnamese/Hanoi",
    ),
)
"""States without such arms, by grammar.

Left out: those whose name alone can make the topic (Iran, North Korea, Iraq, Israel, Libya, Syria,
Cuba), those with several names or an article (the United States, Britain, South Korea, the
Netherlands), and those whose capital stands for something else (Belgium).
"""
GROUPS = (*NUCLEAR, *OTHERS)
"""Groups within which names are swapped."""

# Names of something else that hold one of ours; they stay.
_FIXED = (
    "New Mexico",
    "Gulf of Mexico",
    "Indian Ocean",
    "South China Sea",
    "East China Sea",
    "Australia Group",
    "Budapest Convention",
    "Budapest Memorandum",
    "Vienna Convention",
    "Lisbon Treaty",
    "Minsk agreements",
)


def _cased(mapping: Mapping[str, str]) -> dict[str, str]:
    """The same with names in capital letters, as datelines have them."""
    return {**{old.upper(): new.upper() for old, new in mapping.items()}, **mapping}


_NAMES = _cased({form: form for group in GROUPS for country in group for form in country.forms})
_PATTERN = re.compile(
    rf"\b(?P<fixed>{'|'.join(_FIXED)})\b"
    r"|(?:\b(?P<article>[Aa]n?) )?"
    # The longest first: New Delhi before Delhi.
    rf"\b(?P<name>{'|'.join(sorted(map(re.escape, _NAMES), key=len, reverse=True))})\b"
)


def draw_swap(seed: int) -> Mapping[str, str]:
    """Another country of the same group for each; name by name, and no two become the same."""
    rng = random.Random(seed)
    swap: dict[str, str] = {}
    for group in GROUPS:
        order = rng.sample(group, len(group))
        for old, new in zip(order, [*order[1:], order[0]], strict=True):
            # The usual spelling last, so that it wins where the two spellings are one.
            swap |= dict(reversed(list(zip(old.forms, new.forms, strict=True))))
    return MappingProxyType(_cased(swap))


def swap_names(text: str, swap: Mapping[str, str]) -> str:
    """Put other names in, and mend "a" and "an" before them."""

    def put(match: re.Match[str]) -> str:
        if match["fixed"]:
            return match["fixed"]
        new = swap[match["name"]]
        if match["article"] is None:
            return new
        return f"{match['article'][0]}{'n' if with_an(new) else ''} {new}"

    return _PATTERN.sub(put, text)


def with_an(name: str) -> bool:
    """Whether the indefinite article before this name is "an"."""
    # "a Ukrainian", but "an Uzbek".
    return name[0] in "AEIO" or name.startswith(("Uz", "UZ"))
