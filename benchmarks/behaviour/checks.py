"""The tests: which pairs of texts each makes, what their labels must do, and how many fail."""

from __future__ import annotations

import random
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from benchmarks.behaviour import perturbations
from benchmarks.behaviour.perturbations import Perturbation
from benchmarks.behaviour.templates import CONTRASTS, fill
from benchmarks.runs import markdown
from stance.predictions import Prediction
from stance.records import Article, Record

Kind = Literal["invariance", "direction"]
LIMITS: Mapping[Kind, float] = {"invariance": 0.05, "direction": 0.2}
"""The share under which failures are to stay."""
ANY = "any stance"
FILLINGS = 5
"""Ways in which the slots of a template are filled."""
PAIRS = "pairs of seeds/"
REMOVAL = "the topic's only sentence deleted"
_MIN_WORDS = 15

# Read one by one: without this topic's only evidence, and without the title, nothing that is left
# speaks of the topic. Most texts with one sentence of evidence go on about it in other words.
_REMOVABLE: Mapping[str, Sequence[str]] = {
    "cybersecurity": (
        "b20-0098 b20-0150 c31-0308 c31-0341 c31-0355 c31-0361 cyd-0271 cyd-0295 cyd-0304 ec-0231 "
        "ec-0232 ec-0284 c2-0132 c2-0186 s4-0142 s4-0143 v3-0161 o6-0008 o6-0168 eu-0157 b13-0053 "
        "b13-0230 c16-0055 c16-0139 c16-0156 c16-0192 c8-0077 c8-0080 c8-0153 c8-0201 o14-0074 "
        "o14-0149 o14-0233 a26-0019"
    ).split(),
    "visas": (
        "s4-0040 s4-0080 v3-0067 v3-0096 v3-0103 v3-0177 o6-0022 eu-0184 eu-0188 b13-0059 b13-0077 "
        "c8-0043 s10-0033 v17-0120 v9-0028 v9-0062 v9-0141 v9-0188 o14-0020 o14-0039 o14-0184 "
        "o14-0187 v32-0283 vid-0268 vid-0275"
    ).split(),
    "strategic_stability": (
        "b20-0032 b20-0059 b20-0213 s4-0055 s4-0078 s4-0135 s4-0136 eu-0157 eu-0209 eu-0213 "
        "b13-0013 b13-0124 b13-0143 s18-0047 s18-0091 s18-0113 s18-0139 o14-0233 ssd-0373 es-0313 "
        "es-0318 es-0328"
    ).split(),
}


class Predictor(Protocol):
    """What the tests need of a classifier."""

    def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
        """One prediction per article, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Two texts whose labels are compared.

    Attributes:
        test: Name of the test.
        kind: Whether the labels must be the same (`invariance`), or are known (`direction`).
        id: Of the record or the template.
        before: The first text.
        after: The second one.
        expected: For a direction test: by topic, the stance of both texts; None where the text does
            not carry the topic, `ANY` where it may be either. Empty for invariance tests.
    """

    test: str
    kind: Kind
    id: str
    before: Article
    after: Article
    expected: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """The count of one test.

    Attributes:
        test: Its name.
        kind: Of its cases.
        checked: Labels (invariance) or pairs (direction) by topic.
        failed: Of these, by topic.
        how: Failures by what is wrong with them.
    """

    test: str
    kind: Kind
    checked: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    how: Counter[str] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """Share that failed, in [0, 1]; 0 where nothing was checked."""
        return self.failed.total() / max(1, self.checked.total())

    @property
    def met(self) -> bool:
        """Whether the share is under its limit."""
        return self.share < LIMITS[self.kind]


def _always(record: Record) -> bool:
    return True


def _has_headline(record: Record) -> bool:
    return record.article.title is not None or record.kind == "headline"


def _text_has_evidence(record: Record) -> bool:
    return (
        record.article.title is not None
        and bool(record.labels)
        and all(
            label.evidence and all(quote in record.article.text for quote in label.evidence)
            for label in record.labels
        )
    )


def invariance_cases(
    records: Sequence[Record], *, most: int, seed: int, unpredicted: Sequence[str] = ()
) -> Iterator[Case]:
    """Cases in which no label may change.

    Args:
        records: Labelled texts; which paragraphs are unrelated is known from those without a topic.
        most: Largest number of texts a test takes; texts that it does not change are not counted.
        seed: Decides which texts are taken, and how each is changed.
        unpredicted: Stances that no model predicts. Texts labelled so are left out: the model's
            answer there is a toss of a coin, and which side comes up says nothing.
    """
    paragraphs = [
        paragraph
        for record in records
        if not record.labels and record.kind != "headline"
        for paragraph in [record.article.text.strip().split("\n")[0]]
        if len(paragraph.split()) >= _MIN_WORDS
    ]

    def framed(put: Callable[[Article, str], Article]) -> Perturbation:
        def change(article: Article, own_seed: int) -> Article:
            drawn = perturbations.draw_paragraph(article, own_seed, paragraphs)
            return article if drawn is None else put(article, drawn)

        return change

    tests: Mapping[str, tuple[Perturbation, Callable[[Record], bool]]] = {
        "unrelated paragraph before": (framed(perturbations.paragraph_before), _always),
        "unrelated paragraph after": (framed(perturbations.paragraph_after), _always),
        "typos in 2 % of the words": (perturbations.typos, _always),
        "all in capitals": (perturbations.upper_case, _always),
        "headline in Title Case": (perturbations.title_case_headline, _has_headline),
        "headline in small letters": (perturbations.lower_case_headline, _has_headline),
        "other countries and capitals": (perturbations.other_countries, _always),
        "other numbers": (perturbations.other_numbers, _always),
        "curly quotation marks": (perturbations.other_quotes, _always),
        "double spaces": (perturbations.double_spaces, _always),
        "a line per sentence": (perturbations.line_breaks, _always),
        "lines of 72 columns": (perturbations.wrapped_lines, _always),
        "agency tag before": (perturbations.agency_tag, _always),
        "title dropped": (perturbations.without_title, _text_has_evidence),
    }
    usable = [
        record
        for record in records
        if not any(label.stance in unpredicted for label in record.labels)
    ]
    # One order for all tests: texts that several take are read once.
    random.Random(seed).shuffle(usable)
    for test, (change, applies) in tests.items():
        taken = 0
        for record in usable:
            if taken == most:
                break
            if not applies(record):
                continue
            # By id, so that a text is changed alike whatever else is in the data.
            changed = change(record.article, seed + zlib.crc32(record.id.encode()))
            if changed != record.article:
                taken += 1
                yield Case(
                    test=test,
                    kind="invariance",
                    id=record.id,
                    before=record.article,
                    after=changed,
                )


def template_cases(seed: int) -> Iterator[Case]:
    """The pairs of sentences of `templates`, each filled in some ways."""
    for number, contrast in enumerate(CONTRASTS):
        for way, pair in enumerate(fill(contrast, seed + number, FILLINGS)):
            before, after = (Article(text=text) for text in pair)
            yield Case(
                test=contrast.test,
                kind="direction",
                id=f"template-{number + 1}.{way + 1}",
                before=before,
                after=after,
                expected={contrast.topic: contrast.stances},
            )


def removal_cases(records: Iterable[Record]) -> Iterator[Case]:
    """Texts with a topic, and without the only sentence that carries it."""
    for record in records:
        for topic, ids in _REMOVABLE.items():
            label = record.label(topic)
            if record.id in ids and label is not None:
                yield Case(
                    test=REMOVAL,
                    kind="direction",
                    id=record.id,
                    before=record.article,
                    after=perturbations.without_sentence(record.article, label.evidence[0]),
                    expected={topic: (ANY, None)},
                )


def pair_cases(records: Iterable[Record], unpredicted: Sequence[str] = ()) -> Iterator[Case]:
    """Pairs of texts that differ in one label, as the data have them.

    Args:
        records: Labelled texts.
        unpredicted: Stances that no model predicts; labels with them are not tested.
    """
    groups: dict[str, list[Record]] = {}
    for record in records:
        if record.pair is not None:
            groups.setdefault(record.pair, []).append(record)
    for name, group in groups.items():
        if len(group) != 2:
            continue
        topics = {label.topic: None for record in group for label in record.labels}
        expected = {topic: (_stance(group[0], topic), _stance(group[1], topic)) for topic in topics}
        expected = {
            topic: stances
            for topic, stances in expected.items()
            if stances[0] != stances[1] and not set(stances) & set(unpredicted)
        }
        if expected:
            yield Case(
                test=PAIRS,
                kind="direction",
                id=name,
                before=group[0].article,
                after=group[1].article,
                expected=expected,
            )


def _stance(record: Record, topic: str) -> str | None:
    label = record.label(topic)
    return None if label is None else label.stance


def run(
    cases: Sequence[Case], predictor: Predictor, topics: Sequence[str]
) -> tuple[list[Outcome], list[dict[str, Any]]]:
    """Let a model read all texts, each once, and count.

    Args:
        cases: Of all tests.
        predictor: The model.
        topics: Which topics count.

    Returns:
        An outcome per test, worst first, and each failure as a JSON object.
    """
    articles = {_key(article): article for case in cases for article in (case.before, case.after)}
    answers = dict(zip(articles, predictor.predict_many(articles.values()), strict=True))
    outcomes: dict[str, Outcome] = {}
    failures = []
    for case in cases:
        outcome = outcomes.setdefault(case.test, Outcome(case.test, case.kind))
        before, after = (_labels(answers[_key(it)]) for it in (case.before, case.after))
        for topic in topics if case.kind == "invariance" else case.expected:
            found = before.get(topic), after.get(topic)
            wanted = case.expected.get(topic, (found[0], found[0]))
            if wanted == found == (None, None):
                continue  # A topic that neither text has is no label.
            outcome.checked[topic] += 1
            if wrong := _wrong(wanted, found):
                outcome.failed[topic] += 1
                outcome.how[wrong] += 1
                failures.append(_failure(case, topic, wanted, found, wrong))
    return sorted(outcomes.values(), key=lambda it: (-it.share, it.test)), failures


def _key(article: Article) -> tuple[str | None, str]:
    return article.title, article.text


def _labels(prediction: Prediction) -> dict[str, str]:
    return {finding.topic: finding.stance for finding in prediction.topics}


def _wrong(
    wanted: tuple[str | None, str | None], found: tuple[str | None, str | None]
) -> str | None:
    """What is wrong with a pair; the gravest where it is several things; None if nothing is."""
    sides = list(zip(wanted, found, strict=True))
    if any(want is not None and have is None for want, have in sides):
        return "missed"
    if any(want is None and have is not None for want, have in sides):
        return "added"
    if any(want not in {have, ANY} for want, have in sides):
        return "stance"
    return None


def _failure(
    case: Case,
    topic: str,
    wanted: tuple[str | None, str | None],
    found: tuple[str | None, str | None],
    wrong: str,
) -> dict[str, Any]:
    return {
        "test": case.test,
        "kind": case.kind,
        "id": case.id,
        "topic": topic,
        "wrong": wrong,
        "expected": list(wanted),
        "found": list(found),
        "before": {"title": case.before.title, "text": case.before.text},
        "after": {"title": case.after.title, "text": case.after.text},
    }


def report(outcomes: Sequence[Outcome], topics: Sequence[str]) -> str:
    """The Markdown table, in the order of the outcomes, and whether the limits are kept."""
    heads = ["test", "kind", "checked", "failed", "share", *topics, "how", "limit"]
    lines = [heads, ["---", "---", "---:", "---:", "---:", *["---:"] * len(topics), "---", "---"]]
    for outcome in outcomes:
        each = [_fraction(outcome.failed[it], outcome.checked[it]) for it in topics]
        limit = f"{LIMITS[outcome.kind]:.0%}".replace("%", " %")
        lines.append(
            [
                outcome.test,
                outcome.kind,
                f"{outcome.checked.total():,}",
                f"{outcome.failed.total():,}",
                _percent(outcome.share),
                *each,
                ", ".join(f"{name} {count}" for name, count in outcome.how.most_common()) or "-",
                f"{limit}: {'met' if outcome.met else 'missed'}",
            ]
        )
    return "\n".join([markdown(lines), "", *_summary(outcomes)])


def _summary(outcomes: Sequence[Outcome]) -> Iterator[str]:
    for kind, words in (("invariance", "labels changed"), ("direction", "pairs failed")):
        own = [outcome for outcome in outcomes if outcome.kind == kind]
        checked = sum(outcome.checked.total() for outcome in own)
        failed = sum(outcome.failed.total() for outcome in own)
        missing = [outcome.test for outcome in own if not outcome.met]
        verdict = f"missed by {len(missing)} of {len(own)} tests: {'; '.join(missing)}"
        yield (
            f"- {kind}: {failed:,} of {checked:,} {words} ({_percent(failed / max(1, checked))}); "
            f"the limit is {verdict if missing else f'met by all {len(own)} tests'}."
        )


def _fraction(failed: int, checked: int) -> str:
    return f"{failed}/{checked}" if checked else "-"


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"
