"""Labelled texts in which a topic and a stance are plain to see, to be spoilt by a test."""

from __future__ import annotations

import numpy as np

from stance.audit import Answers
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic

SCHEMA = Schema(
    topics=(Topic(name="harbour"), Topic(name="night trains")),
    stances=(
        Stance(name="negative"),
        Stance(name="positive"),
        Stance(name="neutral", predicted=False),
    ),
)
WORDS = {
    ("harbour", "negative"): "The quay collapsed and ships were stranded",
    ("harbour", "positive"): "The quay reopened and ships were welcomed",
    ("night trains", "negative"): "Sleeper carriages were withdrawn, passengers complained",
    ("night trains", "positive"): "Sleeper carriages were restored, passengers rejoiced",
}


def record(name: str, *labels: tuple[str, str], text: str = "", **change: object) -> Record:
    """A text that says what its labels say, unless another text is given."""
    said = text or ". ".join(WORDS[label] for label in labels) or "The bakery sold rye bread"
    values: dict[str, object] = {
        "id": name,
        "article": Article(id=name, text=said),
        "labels": tuple(Label(topic=topic, stance=stance) for topic, stance in labels),
        **change,
    }
    return Record(**values)  # type: ignore[arg-type]


def corpus(texts: int = 120) -> list[Record]:
    """Every topic with every stance, and texts without one, all rightly labelled."""
    cases: list[tuple[tuple[str, str], ...]] = [(label,) for label in WORDS]
    cases += [(), (("harbour", "negative"), ("night trains", "positive"))]
    draw = np.random.default_rng(0)
    records = []
    for number in range(texts):
        labels = cases[number % len(cases)]
        said = ". ".join(WORDS[label] for label in labels) or "The bakery sold rye bread"
        # Names by chance, so that no text is nearly the same as another.
        letters = draw.choice(list("abdefgiklmnoprstuv"), size=(14, 7))
        names = " ".join("".join(line).title() for line in letters)
        records.append(record(f"t{number}", *labels, text=f"{said}, said {names}."))
    return records


def sure_answers(records: list[Record], certainty: float = 0.95) -> Answers:
    """Answers that agree with every label; neutral labels get even odds."""
    topics, stances = SCHEMA.topic_names, SCHEMA.predicted_stances
    presence = np.full((len(records), len(topics)), 1 - certainty)
    stance = np.full((*presence.shape, len(stances)), 0.5)
    for row, item in enumerate(records):
        for label in item.labels:
            column = topics.index(label.topic)
            presence[row, column] = certainty
            if label.stance in stances:
                stance[row, column] = 1 - certainty
                stance[row, column, stances.index(label.stance)] = certainty
    return Answers(presence=presence, stance=stance, source="the teacher")
