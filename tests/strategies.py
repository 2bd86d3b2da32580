"""Hypothesis strategies for the types at the borders of the package."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

from hypothesis import strategies as st

from stance.predictions import Evidence, Finding, Prediction
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic

# Any Unicode but halves of surrogate pairs, which no UTF-8 file can hold.
any_text = st.text(max_size=60)
words = any_text.filter(str.strip)
names = st.from_regex(r"[a-zA-Z\u00e9\u0416][\w]{0,8}([ .-]\w{1,4})?", fullmatch=True)
# As the JSON form writes numbers: four places.
shares = st.integers(0, 10_000).map(lambda number: number / 10_000)
logits = st.integers(-500_000, 500_000).map(lambda number: number / 10_000)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def schemas(draw: st.DrawFn) -> Schema:
    topics = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    stances = draw(st.lists(names, min_size=2, max_size=4, unique=True))
    predicted = [True, True, *draw(st.lists(st.booleans(), min_size=2, max_size=2))]
    return Schema(
        topics=tuple(Topic(name=name, description=draw(any_text)) for name in topics),
        stances=tuple(
            Stance(name=name, predicted=flag, description=draw(any_text))
            for name, flag in zip(stances, predicted, strict=False)
        ),
    )


@st.composite
def records(draw: st.DrawFn, schema: Schema) -> Record:
    title = draw(st.none() | any_text)
    text = draw(any_text if title and title.strip() else words)
    topics = draw(st.lists(st.sampled_from(schema.topic_names), unique=True))
    known = {"id", "title", "text", "kind", "labels", "pair"}
    extra = draw(st.dictionaries(any_text.filter(lambda key: key not in known), json_values))
    labels = tuple(
        Label(
            topic=topic,
            stance=draw(st.sampled_from(schema.stance_names)),
            evidence=tuple(draw(st.lists(_passages(title, text), max_size=3))),
            sure=draw(st.booleans()),
        )
        for topic in topics
    )
    name = draw(any_text.filter(bool))
    return Record(
        id=name,
        article=Article(text=text, title=title, id=name, extra=MappingProxyType(extra)),
        labels=labels,
        kind=draw(st.none() | any_text),
        pair=draw(st.none() | any_text),
    )


@st.composite
def _passages(draw: st.DrawFn, title: str | None, text: str) -> str:
    part = draw(st.sampled_from([item for item in (title, text) if item and item.strip()]))
    start = draw(st.integers(0, len(part) - 1))
    passage = part[start : draw(st.integers(start + 1, len(part)))]
    return passage if passage.strip() else part


@st.composite
def findings(draw: st.DrawFn, topic: str, stances: tuple[str, ...]) -> Finding:
    return Finding(
        topic=topic,
        probability=draw(shares),
        stance=draw(st.sampled_from(stances)),
        stance_probabilities={name: draw(shares) for name in stances},
        uncertain=draw(st.booleans()),
        evidence=tuple(draw(st.lists(_evidence, max_size=3))),
    )


_evidence = st.builds(
    Evidence,
    sentence=any_text,
    part=st.sampled_from(["title", "text"]),
    start=st.integers(0, 10**6),
    end=st.integers(0, 10**6),
    presence=logits,
    stance=logits,
)


@st.composite
def predictions(draw: st.DrawFn, schema: Schema) -> Prediction:
    order = draw(st.permutations(schema.topic_names))
    split = draw(st.integers(0, len(order)))
    made = [draw(findings(topic, schema.predicted_stances)) for topic in order]
    known = {"id", "topics", "scores", "below"}
    return Prediction(
        id=draw(st.none() | any_text),
        topics=tuple(made[:split]),
        scores={name: draw(shares) for name in schema.topic_names},
        below=tuple(made[split:]),
        extra=draw(st.dictionaries(any_text.filter(lambda key: key not in known), json_values)),
    )
