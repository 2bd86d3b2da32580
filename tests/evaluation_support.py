"""Small labelled sets with predictions, drawn cell by cell so that a reference can count them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from stance.evaluation import Outcomes, count_outcomes
from stance.predictions import Evidence, Finding, Prediction
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic

TOPICS = ("harbour", "weather", "night trains")
STANCES = ("negative", "positive", "mixed")
SCHEMA = Schema(
    topics=tuple(Topic(name=name) for name in TOPICS),
    stances=(
        Stance(name="negative"),
        Stance(name="neutral", predicted=False),
        Stance(name="positive"),
        Stance(name="mixed"),
    ),
)
FIRST = "Ships came in."
SECOND = "Others had to wait."


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One text and one topic: what was labelled, what was predicted."""

    gold: str | None = None
    sure: bool = True
    found: bool = False
    known: bool = True
    probability: float = 0.1
    stances: tuple[float, float, float] = (0.5, 0.3, 0.2)
    uncertain: bool = False

    @property
    def says_stance(self) -> bool:
        return self.found or self.known

    @property
    def predicted(self) -> str:
        return STANCES[self.stances.index(max(self.stances))]

    @property
    def has_predicted_stance(self) -> bool:
        return self.gold is not None and self.gold != "neutral"


Row = tuple[Cell, ...]


def right(gold: str | None, **change: object) -> Cell:
    """A cell whose topic and stance are predicted as labelled."""
    probabilities = {name: 0.8 if name == gold else 0.1 for name in STANCES}
    values: dict[str, object] = {
        "gold": gold,
        "found": gold is not None,
        "probability": 0.1 if gold is None else 0.9,
        "stances": tuple(probabilities[name] for name in STANCES),
    }
    return Cell(**{**values, **change})  # type: ignore[arg-type]


# Few values, so that ties are common.
_shares = st.integers(0, 8).map(lambda number: number / 8)


@st.composite
def _stances(draw: st.DrawFn) -> tuple[float, float, float]:
    parts = draw(st.lists(st.integers(1, 9), min_size=3, max_size=3))
    first, second, third = (part / sum(parts) for part in parts)
    return first, second, third


cells = st.builds(
    Cell,
    gold=st.none() | st.sampled_from(("negative", "positive", "mixed", "neutral")),
    sure=st.booleans(),
    found=st.booleans(),
    known=st.booleans(),
    probability=_shares,
    stances=_stances(),
    uncertain=st.booleans(),
)
rows = st.lists(st.tuples(*[cells] * len(TOPICS)), max_size=8)


def records_of(
    table: Sequence[Row],
    *,
    kinds: Sequence[str | None] | None = None,
    pairs: Sequence[str | None] | None = None,
) -> list[Record]:
    return [
        Record(
            id=f"t{number}",
            article=Article(text=f"{FIRST} {SECOND}", id=f"t{number}"),
            labels=tuple(
                Label(topic=topic, stance=cell.gold, sure=cell.sure)
                for topic, cell in zip(TOPICS, row, strict=True)
                if cell.gold is not None
            ),
            kind=kinds[number] if kinds else None,
            pair=pairs[number] if pairs else None,
        )
        for number, row in enumerate(table)
    ]


def finding_of(topic: str, cell: Cell, evidence: tuple[Evidence, ...] = ()) -> Finding:
    return Finding(
        topic=topic,
        probability=cell.probability,
        stance=cell.predicted,
        stance_probabilities=dict(zip(STANCES, cell.stances, strict=True)),
        uncertain=cell.uncertain,
        evidence=evidence,
    )


def predictions_of(table: Sequence[Row]) -> list[Prediction]:
    answers = []
    for number, row in enumerate(table):
        pairs = list(zip(TOPICS, row, strict=True))
        answers.append(
            Prediction(
                id=f"t{number}",
                topics=tuple(finding_of(topic, cell) for topic, cell in pairs if cell.found),
                below=tuple(
                    finding_of(topic, cell)
                    for topic, cell in pairs
                    if cell.known and not cell.found
                ),
                scores={topic: cell.probability for topic, cell in pairs},
            )
        )
    return answers


def outcomes_of(table: Sequence[Row], **fields: Sequence[str | None]) -> Outcomes:
    return count_outcomes(records_of(table, **fields), predictions_of(table), SCHEMA)
