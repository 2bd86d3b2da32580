"""One text and its labels: the types, and the check of one parsed JSON object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stance.errors import Fault, listing, shorten
from stance.schema import Schema

ARTICLE_KEYS = frozenset({"id", "title", "text"})
_RECORD_KEYS = ARTICLE_KEYS | {"kind", "labels", "pair"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Article:
    """A text to be read.

    Attributes:
        text: The body; not empty unless there is a title.
        title: The headline, if it is kept apart.
        id: The user's name for it.
        extra: Input keys beside these, carried through on demand.
    """

    text: str
    title: str | None = None
    id: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict, compare=False)

    @property
    def characters(self) -> int:
        """Code points of title and text."""
        return len(self.title or "") + len(self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """What a text says of one topic.

    Attributes:
        topic: A topic of the schema.
        stance: A stance of the schema.
        evidence: Sentences that carry the label, each to the letter in title or text.
        sure: False if a careful reader could dispute the label; scored apart.
    """

    topic: str
    stance: str
    evidence: tuple[str, ...] = ()
    sure: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A labelled text.

    Attributes:
        id: Unique within a data set.
        article: The text itself; its `extra` holds fields that stance does not know.
        labels: At most one per topic; empty for a text without any topic.
        kind: What sort of text it is (headline, brief, ...); free text, used for slices.
        pair: Shared by texts that differ little and must stay on one side of a split.
    """

    id: str
    article: Article
    labels: tuple[Label, ...]
    kind: str | None = None
    pair: str | None = None

    def label(self, topic: str) -> Label | None:
        """The label of a topic, or None where the text does not carry it."""
        return next((label for label in self.labels if label.topic == topic), None)

    def to_dict(self) -> dict[str, Any]:
        """The record as one JSON object; absent fields are left out."""
        data: dict[str, Any] = {"id": self.id}
        if self.kind is not None:
            data["kind"] = self.kind
        if self.article.title is not None:
            data["title"] = self.article.title
        data["text"] = self.article.text
        data["labels"] = [_label_to_dict(label) for label in self.labels]
        if self.pair is not None:
            data["pair"] = self.pair
        return {**data, **self.article.extra}


def _label_to_dict(label: Label) -> dict[str, Any]:
    data: dict[str, Any] = {"topic": label.topic, "stance": label.stance}
    if label.evidence:
        data["evidence"] = list(label.evidence)
    if not label.sure:
        data["sure"] = False
    return data


def parse_article(
    data: object, *, file: str | None = None, line: int | None = None
) -> Article | list[Fault]:
    """Check one parsed object as an input text.

    Returns:
        The article, or every fault found in it. Keys beside id, title and text become `extra`.
    """
    faults = _Faults(file, line)
    article = _article(data, faults, ARTICLE_KEYS)
    return faults.found if faults.found or article is None else article


def parse_record(
    data: object, schema: Schema, *, file: str | None = None, line: int | None = None
) -> Record | list[Fault]:
    """Check one parsed object as a labelled text.

    Returns:
        The record, or every fault found in it.
    """
    faults = _Faults(file, line)
    article = _article(data, faults, _RECORD_KEYS)
    if not isinstance(data, dict):
        return faults.found
    if article is not None and article.id is None:
        faults.add("id", "a text or a number that names the record", "nothing")
    for name in ("kind", "pair"):
        if data.get(name) is not None and not isinstance(data[name], str):
            faults.add(name, "text", shorten(data[name]))
    labels = _labels(data, schema, faults, article)
    if faults.found or article is None or article.id is None:
        return faults.found
    return Record(
        id=article.id,
        article=article,
        labels=labels,
        kind=data.get("kind"),
        pair=data.get("pair"),
    )


class _Faults:
    """Collects the faults of one record under its place."""

    def __init__(self, file: str | None, line: int | None) -> None:
        self.file, self.line = file, line
        self.record: str | None = None
        self.found: list[Fault] = []

    def add(self, field: str | None, expected: str, found: str, advice: str = "") -> None:
        self.found.append(
            Fault(
                file=self.file,
                line=self.line,
                record=self.record,
                field=field,
                expected=expected,
                found=found,
                advice=advice,
            )
        )


def _article(data: object, faults: _Faults, known: frozenset[str]) -> Article | None:
    if not isinstance(data, dict):
        faults.add(None, "a JSON object", shorten(data))
        return None
    raw = data.get("id")
    if raw is not None:
        # Numbers are common ids in tables; True is an int in Python but not an id.
        if isinstance(raw, bool) or not isinstance(raw, str | int) or raw == "":
            faults.add("id", "text or a whole number", shorten(raw))
        else:
            faults.record = str(raw)
    text, title = data.get("text"), data.get("title")
    if not isinstance(text, str):
        faults.add("text", "text", "no such field" if "text" not in data else shorten(text))
    if title is not None and not isinstance(title, str):
        faults.add("title", "text", shorten(title))
    if (
        isinstance(text, str)
        and not text.strip()
        and not (isinstance(title, str) and title.strip())
    ):
        faults.add("text", "at least one word in text or title", shorten(text))
    if faults.found:
        return None
    extra = {key: value for key, value in data.items() if key not in known}
    return Article(text=str(text), title=title, id=faults.record, extra=extra)


def _labels(
    data: dict[str, Any], schema: Schema, faults: _Faults, article: Article | None
) -> tuple[Label, ...]:
    raw = data.get("labels")
    if not isinstance(raw, list):
        faults.add(
            "labels",
            "a list, empty for a text without any topic",
            "no such field" if "labels" not in data else shorten(raw),
        )
        return ()
    labels: list[Label] = []
    for index, item in enumerate(raw):
        place = f"labels[{index}]"
        if not isinstance(item, dict):
            faults.add(place, "an object with topic and stance", shorten(item))
            continue
        before = len(faults.found)
        for name, allowed in (("topic", schema.topic_names), ("stance", schema.stance_names)):
            if item.get(name) not in allowed:
                found = shorten(item[name]) if name in item else "no such field"
                faults.add(f"{place}.{name}", f"one of {listing(allowed)}", found)
        if any(label.topic == item.get("topic") for label in labels):
            faults.add(
                f"{place}.topic",
                "each topic at most once",
                f"{shorten(item['topic'])} again",
                "keep the label that the text as a whole carries",
            )
        if not isinstance(item.get("sure", True), bool):
            faults.add(f"{place}.sure", "true or false", shorten(item["sure"]))
        evidence = _evidence(item, place, faults, article)
        if len(faults.found) == before:
            labels.append(
                Label(
                    topic=item["topic"],
                    stance=item["stance"],
                    evidence=evidence,
                    sure=item.get("sure", True),
                )
            )
    return tuple(labels)


def _evidence(
    item: dict[str, Any], place: str, faults: _Faults, article: Article | None
) -> tuple[str, ...]:
    raw = item.get("evidence", [])
    if not isinstance(raw, list):
        faults.add(f"{place}.evidence", "a list of sentences", shorten(raw))
        return ()
    for index, quote in enumerate(raw):
        where = f"{place}.evidence[{index}]"
        if not isinstance(quote, str) or not quote.strip():
            faults.add(where, "a sentence of the text", shorten(quote))
        elif (
            article is not None and quote not in (article.title or "") and quote not in article.text
        ):
            faults.add(
                where,
                "words that stand in title or text to the letter",
                shorten(quote),
                "copy the sentence again, quotes and dashes included",
            )
    return tuple(str(quote) for quote in raw)
