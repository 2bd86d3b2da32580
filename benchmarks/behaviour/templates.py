"""Sentences in pairs that present one topic in opposite ways, after docs/annotation-guideline.md.

Written for these tests. The two of a pair differ in what decides the stance and in little else.
Slots: `a`, `b` countries without nuclear arms; `p`, `q` with them; `n` a number; `victim` a body.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from benchmarks.behaviour.countries import NUCLEAR, OTHERS, Country

NEGATION = "negation added or removed"
DENIAL = "confirmed / denied"
ATTACK = "attack repelled / succeeded"
TREATY = "agreement extended / lapsed"
RESTRICTION = "restriction lifted / imposed"
TALKS = "talks resumed / broken off"
ARMS = "arms cut / built up"
CRIME = "defence better / worse"
ACCUSATION = "accusation made / denied"

_VICTIMS = (
    "the national railway operator",
    "the port authority",
    "the health service",
    "the tax office",
    "the central bank",
    "the electricity company",
)


@dataclass(frozen=True, slots=True)
class Contrast:
    """Two sentences on one topic.

    Attributes:
        test: What the pair turns on.
        topic: What both carry.
        first: With slots.
        second: With the same slots, or some of them.
        stances: Of the first and of the second.
    """

    test: str
    topic: str
    first: str
    second: str
    stances: tuple[str, str] = ("positive", "negative")


_FLIPS: Mapping[str, Mapping[str, Sequence[tuple[str, str]]]] = MappingProxyType(
    {
        "visas": {
            NEGATION: (
                (
                    "{a.name} will issue visas to {b.adjective} students again, its foreign "
                    "ministry said on Tuesday.",
                    "{a.name} will not issue visas to {b.adjective} students again, its foreign "
                    "ministry said on Tuesday.",
                ),
                (
                    "Truck drivers from {b.name} can now enter {a.name} without a visa.",
                    "Truck drivers from {b.name} can no longer enter {a.name} without a visa.",
                ),
                (
                    "{a.name} will not cancel the visas of {n} {b.adjective} students after all, "
                    "its interior ministry said.",
                    "{a.name} will cancel the visas of {n} {b.adjective} students after all, its "
                    "interior ministry said.",
                ),
                (
                    "All {n} {b.adjective} journalists have received visas for the summit in "
                    "{a.capital}.",
                    "None of the {n} {b.adjective} journalists has received a visa for the summit "
                    "in {a.capital}.",
                ),
                (
                    "{b.adjective} tourists do not need a visa for {a.name} any more.",
                    "{b.adjective} tourists cannot do without a visa for {a.name} any more.",
                ),
            ),
            RESTRICTION: (
                (
                    "{a.name} lifts entry ban on {n} {b.adjective} officials",
                    "{a.name} imposes entry ban on {n} {b.adjective} officials",
                ),
                (
                    "{a.name} abolished visas for {b.adjective} citizens on Friday.",
                    "{a.name} introduced visas for {b.adjective} citizens on Friday.",
                ),
                (
                    "{a.name} restores visa-free travel for {b.adjective} citizens",
                    "{a.name} suspends visa-free travel for {b.adjective} citizens",
                ),
                (
                    "The {a.adjective} embassy in {b.capital} reopened its visa section on Monday.",
                    "The {a.adjective} embassy in {b.capital} closed its visa section on Monday.",
                ),
                (
                    "{a.name} has halved the fee that {b.adjective} tourists pay for a visa.",
                    "{a.name} has doubled the fee that {b.adjective} tourists pay for a visa.",
                ),
                (
                    "New rules make it easier for {b.adjective} workers to get visas for {a.name}.",
                    "New rules make it harder for {b.adjective} workers to get visas for {a.name}.",
                ),
                (
                    "The wait for {a.adjective} visas in {b.capital} has been cut to {n} days, "
                    "travel agents say.",
                    "The wait for {a.adjective} visas in {b.capital} has grown to {n} days, "
                    "travel agents say.",
                ),
            ),
            DENIAL: (
                (
                    "The {a.adjective} foreign ministry confirmed on Thursday that visas for "
                    "{b.adjective} students would be issued again.",
                    "The {a.adjective} foreign ministry denied on Thursday that visas for "
                    "{b.adjective} students would be issued again.",
                ),
                (
                    "{a.name} confirmed that it had lifted its entry ban on {b.adjective} "
                    "journalists.",
                    "{a.name} denied that it had lifted its entry ban on {b.adjective} "
                    "journalists.",
                ),
                (
                    "Officials in {a.capital} confirmed that visa-free travel for {b.adjective} "
                    "citizens would begin next month.",
                    "Officials in {a.capital} denied that visa-free travel for {b.adjective} "
                    "citizens would begin next month.",
                ),
            ),
            TALKS: (
                (
                    "Talks between {a.name} and {b.name} on visa-free travel have resumed.",
                    "Talks between {a.name} and {b.name} on visa-free travel have broken down.",
                ),
                (
                    "{a.name} and {b.name} resumed their talks on easier visas for students on "
                    "Monday.",
                    "{a.name} and {b.name} broke off their talks on easier visas for students on "
                    "Monday.",
                ),
                (
                    "{a.name} and {b.name} agreed on longer visas for each other's journalists.",
                    "{a.name} and {b.name} failed to agree on longer visas for each other's "
                    "journalists.",
                ),
            ),
            TREATY: (
                (
                    "{a.name} has extended visa-free entry for {b.adjective} citizens by a year.",
                    "{a.name} has let visa-free entry for {b.adjective} citizens lapse after a "
                    "year.",
                ),
                (
                    "{a.name}, {b.name} renew accord on visa-free travel",
                    "{a.name}, {b.name} let accord on visa-free travel lapse",
                ),
                (
                    "The agreement under which {a.name} gives work visas to {b.adjective} nurses "
                    "has been extended.",
                    "The agreement under which {a.name} gives work visas to {b.adjective} nurses "
                    "has been left to expire.",
                ),
            ),
        },
        "cybersecurity": {
            ATTACK: (
                (
                    "Hackers tried to break into the computers of {victim} in {a.name} but were "
                    "stopped before they could copy any files.",
                    "Hackers broke into the computers of {victim} in {a.name} and copied {n},000 "
                    "files before they were stopped.",
                ),
                (
                    "A ransomware attack on {victim} in {a.name} failed because backups were at "
                    "hand, and work went on.",
                    "A ransomware attack on {victim} in {a.name} succeeded because no backups "
                    "were at hand, and work came to a standstill.",
                ),
                (
                    "Cyber attack on {a.adjective} power grid repelled",
                    "Cyber attack cripples {a.adjective} power grid",
                ),
                (
                    "{victim} in {a.name} withstood a flood of bogus requests, and its website "
                    "stayed up.",
                    "{victim} in {a.name} collapsed under a flood of bogus requests, and its "
                    "website went down.",
                ),
                (
                    "Staff of {victim} in {a.name} saw through a wave of phishing e-mails, and no "
                    "password was given away.",
                    "Staff of {victim} in {a.name} fell for a wave of phishing e-mails, and {n} "
                    "passwords were given away.",
                ),
            ),
            NEGATION: (
                (
                    "Hackers did not get past the firewall of {victim} in {a.name}, and no "
                    "records were copied.",
                    "Hackers got past the firewall of {victim} in {a.name}, and {n},000 records "
                    "were copied.",
                ),
                (
                    "{a.name} will share warnings of cyber attacks with {b.name}, its government "
                    "said on Monday.",
                    "{a.name} will not share warnings of cyber attacks with {b.name}, its "
                    "government said on Monday.",
                ),
                (
                    "{a.name} will sign the treaty against cybercrime, its justice ministry said.",
                    "{a.name} will not sign the treaty against cybercrime, its justice ministry "
                    "said.",
                ),
                (
                    "The computer virus did not spread to the hospitals of {a.name}, and all of "
                    "them worked normally.",
                    "The computer virus spread to the hospitals of {a.name}, and none of them "
                    "worked normally.",
                ),
                (
                    "The hole in the software of {victim} in {a.name} has been closed, and "
                    "hackers can no longer get in.",
                    "The hole in the software of {victim} in {a.name} has not been closed, and "
                    "hackers can still get in.",
                ),
            ),
            DENIAL: (
                (
                    "Prosecutors in {a.capital} confirmed that the hackers behind the theft of "
                    "bank data had been caught.",
                    "Prosecutors in {a.capital} denied that the hackers behind the theft of bank "
                    "data had been caught.",
                ),
                (
                    "The government in {a.capital} confirmed that it would help {b.name} to fight "
                    "ransomware gangs.",
                    "The government in {a.capital} denied that it would help {b.name} to fight "
                    "ransomware gangs.",
                ),
                (
                    "{victim} in {a.name} confirmed that the data taken by hackers had been "
                    "recovered.",
                    "{victim} in {a.name} denied that the data taken by hackers had been "
                    "recovered.",
                ),
            ),
            TALKS: (
                (
                    "{a.name} and {b.name} have resumed their talks on rules for cyberspace.",
                    "{a.name} and {b.name} have broken off their talks on rules for cyberspace.",
                ),
                (
                    "{a.name} and {b.name} agreed on a joint centre against hackers.",
                    "{a.name} and {b.name} failed to agree on a joint centre against hackers.",
                ),
                (
                    "{a.name} has accepted an offer by {b.name} to work together against "
                    "ransomware gangs.",
                    "{a.name} has turned down an offer by {b.name} to work together against "
                    "ransomware gangs.",
                ),
            ),
            TREATY: (
                (
                    "{a.name} and {b.name} have extended their agreement on information security "
                    "by five years.",
                    "{a.name} and {b.name} have let their agreement on information security lapse "
                    "after five years.",
                ),
                (
                    "{a.name}, {b.name} renew pact against cyber espionage",
                    "{a.name}, {b.name} let pact against cyber espionage lapse",
                ),
            ),
            CRIME: (
                (
                    "Losses from online fraud in {a.name} fell by {n} percent last year, the "
                    "central bank said.",
                    "Losses from online fraud in {a.name} rose by {n} percent last year, the "
                    "central bank said.",
                ),
                (
                    "The {a.adjective} parliament has passed a law that protects hospitals from "
                    "cyber attacks.",
                    "The {a.adjective} parliament has thrown out a law that protects hospitals "
                    "from cyber attacks.",
                ),
                (
                    "Police in {a.capital} have caught the hackers who emptied accounts at "
                    "{n} banks.",
                    "Police in {a.capital} have lost track of the hackers who emptied accounts at "
                    "{n} banks.",
                ),
            ),
        },
        "strategic_stability": {
            NEGATION: (
                (
                    "{p.name} will let {q.adjective} inspectors into its missile bases, its "
                    "defence ministry said.",
                    "{p.name} will not let {q.adjective} inspectors into its missile bases, its "
                    "defence ministry said.",
                ),
                (
                    "{p.name} will not deploy nuclear missiles at its border, its defence "
                    "ministry said.",
                    "{p.name} will deploy nuclear missiles at its border, its defence ministry "
                    "said.",
                ),
                (
                    "{p.name} will not resume nuclear tests, its foreign ministry said on Friday.",
                    "{p.name} will resume nuclear tests, its foreign ministry said on Friday.",
                ),
                (
                    "Iran will let UN inspectors into its enrichment plants.",
                    "Iran will not let UN inspectors into its enrichment plants.",
                ),
                (
                    "{p.name} is ready to sign a treaty that limits nuclear warheads.",
                    "{p.name} is not ready to sign a treaty that limits nuclear warheads.",
                ),
            ),
            TREATY: (
                (
                    "{p.name} and {q.name} have extended their treaty on nuclear arms by five "
                    "years.",
                    "{p.name} and {q.name} have let their treaty on nuclear arms lapse after five "
                    "years.",
                ),
                (
                    "{p.name}, {q.name} renew accord on warning each other of missile launches",
                    "{p.name}, {q.name} let accord on warning each other of missile launches lapse",
                ),
                (
                    "{p.name} has ratified the treaty that bans nuclear tests.",
                    "{p.name} has withdrawn from the treaty that bans nuclear tests.",
                ),
                (
                    "{p.name} returned on Monday to the treaty that limits long-range missiles.",
                    "{p.name} suspended on Monday the treaty that limits long-range missiles.",
                ),
            ),
            TALKS: (
                (
                    "{p.name} and {q.name} have resumed their talks on strategic stability.",
                    "{p.name} and {q.name} have broken off their talks on strategic stability.",
                ),
                (
                    "{p.name} has accepted an offer by {q.name} of talks on nuclear arms.",
                    "{p.name} has rejected an offer by {q.name} of talks on nuclear arms.",
                ),
                (
                    "Talks between {p.name} and {q.name} on nuclear warheads ended in agreement "
                    "on Thursday.",
                    "Talks between {p.name} and {q.name} on nuclear warheads ended in failure on "
                    "Thursday.",
                ),
            ),
            DENIAL: (
                (
                    "{p.name} confirmed that it would resume inspections of nuclear bases "
                    "together with {q.name}.",
                    "{p.name} denied that it would resume inspections of nuclear bases together "
                    "with {q.name}.",
                ),
                (
                    "Officials in {p.capital} confirmed that nuclear missiles had been taken off "
                    "alert.",
                    "Officials in {p.capital} denied that nuclear missiles had been taken off "
                    "alert.",
                ),
                (
                    "Tehran confirmed on Wednesday that it had stopped enriching uranium.",
                    "Tehran denied on Wednesday that it had stopped enriching uranium.",
                ),
            ),
            ARMS: (
                (
                    "{p.name} has cut the number of its nuclear warheads by {n}.",
                    "{p.name} has raised the number of its nuclear warheads by {n}.",
                ),
                (
                    "{p.name} scraps missile that can carry {n} nuclear warheads",
                    "{p.name} builds missile that can carry {n} nuclear warheads",
                ),
                (
                    "{p.name} has called off the test of an intercontinental ballistic missile.",
                    "{p.name} has carried out the test of an intercontinental ballistic missile.",
                ),
                (
                    "{p.name} has pulled {n} nuclear missiles back from its border.",
                    "{p.name} has moved {n} nuclear missiles up to its border.",
                ),
                (
                    "{p.name} has dropped its plan to place nuclear weapons in orbit.",
                    "{p.name} has approved a plan to place nuclear weapons in orbit.",
                ),
            ),
        },
    }
)

# To deny an accusation is negative: the dispute stands. So here the stance must not flip.
_ACCUSATIONS: Mapping[str, Sequence[tuple[str, str]]] = MappingProxyType(
    {
        "visas": (
            (
                "{a.name} accused {b.name} of holding back visas for its diplomats.",
                "{b.name} denied that it was holding back visas for {a.adjective} diplomats.",
            ),
            (
                "{b.adjective} students accuse {a.adjective} consulates of refusing them visas "
                "without a reason.",
                "{a.adjective} consulates deny that they refuse {b.adjective} students visas "
                "without a reason.",
            ),
        ),
        "cybersecurity": (
            (
                "{a.name} accused {b.name} of hacking into the computers of its parliament.",
                "{b.name} denied that it had hacked into the computers of the {a.adjective} "
                "parliament.",
            ),
            (
                "{a.capital} says {b.adjective} spies are behind a cyber attack on {victim}.",
                "{b.capital} rejects the charge that its spies are behind a cyber attack on "
                "{victim} in {a.name}.",
            ),
        ),
        "strategic_stability": (
            (
                "{p.name} accused {q.name} of breaking the treaty on nuclear missiles.",
                "{q.name} denied that it had broken the treaty on nuclear missiles.",
            ),
            (
                "{p.name} says {q.name} has tested a nuclear bomb in secret.",
                "{q.name} rejects the charge that it has tested a nuclear bomb in secret.",
            ),
        ),
    }
)

CONTRASTS: tuple[Contrast, ...] = (
    *(
        Contrast(test, topic, first, second)
        for topic, tests in _FLIPS.items()
        for test, pairs in tests.items()
        for first, second in pairs
    ),
    *(
        Contrast(ACCUSATION, topic, first, second, ("negative", "negative"))
        for topic, pairs in _ACCUSATIONS.items()
        for first, second in pairs
    ),
)


def fill(contrast: Contrast, seed: int, n: int) -> Iterator[tuple[str, str]]:
    """Both sentences with their slots filled in `n` ways, the same in both; no two are the same.

    Fewer than `n` where a pair has few or no slots.
    """
    rng = random.Random(seed)
    seen: set[tuple[str, str]] = set()
    for _ in range(n):
        a, b = rng.sample(_all(OTHERS), 2)
        p, q = rng.sample(_all(NUCLEAR), 2)
        slots = {"a": a, "b": b, "p": p, "q": q}
        words = {"n": str(rng.randint(12, 60)), "victim": rng.choice(_VICTIMS)}
        first, second = (
            _sentence(text.format(**slots, **words)) for text in (contrast.first, contrast.second)
        )
        if (first, second) not in seen:
            seen.add((first, second))
            yield first, second


def _all(groups: Sequence[Sequence[Country]]) -> list[Country]:
    return [country for group in groups for country in group]


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]
