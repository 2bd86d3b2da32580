"""The answer for one text: its types and its JSON form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from stance.errors import Fault, shorten
from stance.sentences import Part

WAITING_FAULTS = 1_000
"""So many faulty inputs may wait for the predictions before them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A sentence that carries a finding.

    Attributes:
        sentence: Its text.
        part: Whether it stands in the title or in the text.
        start: First code point within that part.
        end: Behind its last code point.
        presence: Its share of the presence logit; the shares of all sentences and the topic's
            bias add up to the logit.
        stance: Its share of the stance logit. With two stances: of the logit of the schema's
            second stance against the first (below 0 speaks for the first). With more: of the
            predicted stance's logit less the mean of all stances' logits.
    """

    sentence: str
    part: Part
    start: int
    end: int
    presence: float
    stance: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a text says of one topic.

    Attributes:
        topic: The topic's name.
        probability: Calibrated probability in [0, 1] that the text carries the topic.
        stance: The most probable stance.
        stance_probabilities: Calibrated, per predicted stance; they add up to 1.
        uncertain: True if the stance is less sure than the model's promised error bound asks.
        evidence: The fewest sentences that carry most of the contribution, in text order.
    """

    topic: str
    probability: float
    stance: str
    stance_probabilities: Mapping[str, float]
    uncertain: bool
    evidence: tuple[Evidence, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The finding as a JSON object; probabilities to 4 places, shares to 4."""
        return {
            "topic": self.topic,
            "probability": round(self.probability, 4),
            "stance": self.stance,
            "stance_probabilities": {
                name: round(value, 4) for name, value in self.stance_probabilities.items()
            },
            "uncertain": self.uncertain,
            "evidence": [
                {
                    "sentence": item.sentence,
                    "part": item.part,
                    "start": item.start,
                    "end": item.end,
                    "presence": round(item.presence, 4),
                    "stance": round(item.stance, 4),
                }
                for item in self.evidence
            ],
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Finding:
        """Build a finding from its JSON object.

        Raises:
            KeyError, TypeError, ValueError: If a key is missing or of the wrong type.
        """
        return cls(
            topic=str(data["topic"]),
            probability=float(data["probability"]),
            stance=str(data["stance"]),
            stance_probabilities={
                str(name): float(value) for name, value in data["stance_probabilities"].items()
            },
            uncertain=bool(data["uncertain"]),
            evidence=tuple(
                Evidence(
                    sentence=str(item["sentence"]),
                    part=item["part"],
                    start=int(item["start"]),
                    end=int(item["end"]),
                    presence=float(item["presence"]),
                    stance=float(item["stance"]),
                )
                for item in data["evidence"]
            ),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """What a model says of one text.

    Attributes:
        id: The article's id.
        topics: The topics found, most probable first; may be empty.
        scores: Calibrated probability of every topic, in schema order.
        below: Findings for the topics that were not found: what the stance would be. Evaluation
            scores stance on gold topics whether found or not. Written only on demand.
        extra: Input fields carried through.
    """

    id: str | None
    topics: tuple[Finding, ...]
    scores: Mapping[str, float]
    below: tuple[Finding, ...] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)

    def finding(self, topic: str) -> Finding | None:
        """The finding of a topic, found or not; None where nothing is known of it."""
        return next((item for item in (*self.topics, *self.below) if item.topic == topic), None)

    def to_dict(self, *, full: bool = False) -> dict[str, Any]:
        """The prediction as one JSON object; `full` adds the key `below`."""
        data: dict[str, Any] = {
            "id": self.id,
            "topics": [item.to_dict() for item in self.topics],
            "scores": {name: round(value, 4) for name, value in self.scores.items()},
        }
        if full:
            data["below"] = [item.to_dict() for item in self.below]
        return {**{key: value for key, value in self.extra.items() if key not in data}, **data}

    @classmethod
    def from_dict(
        cls, data: object, *, file: str | None = None, line: int | None = None
    ) -> Prediction | Fault:
        """Build a prediction from its JSON object, or say what is wrong with it."""
        known = {"id", "topics", "scores", "below"}
        try:
            if not isinstance(data, dict):
                raise TypeError(f"not an object: {shorten(data)}")
            return cls(
                id=None if data["id"] is None else str(data["id"]),
                topics=tuple(Finding.from_dict(item) for item in data["topics"]),
                scores={str(name): float(value) for name, value in data["scores"].items()},
                below=tuple(Finding.from_dict(item) for item in data.get("below", [])),
                extra={key: value for key, value in data.items() if key not in known},
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            return Fault(
                file=file,
                line=line,
                expected="a prediction as `stance predict` writes it",
                found=f"{type(error).__name__}: {error}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultyInput:
    """Stands in a prediction stream where an input could not be read.

    Attributes:
        id: The input's id, where it is known.
        line: Line or row of the input.
        error: The faults in words.
    """

    id: str | None
    line: int | None
    error: str

    def to_dict(self) -> dict[str, Any]:
        """`{"id": ..., "line": N, "error": "..."}`."""
        return {"id": self.id, "line": self.line, "error": self.error}
