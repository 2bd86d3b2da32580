"""Labels that may be wrong: what speaks against each, and which to look at first."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from stance.dataset import text_key
from stance.door import open_training
from stance.duplicates import near_duplicates
from stance.evaluation.tallies import Floats
from stance.records import Record
from stance.schema import Schema

Reason = Literal["same text", "similar text", "topic", "stance"]
TASK, EXTRA = "stance data audit", "audit"
SOME_STANCE = "(some stance)"
"""What is suggested where predictions find a topic and say no stance of it."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Probabilities from a model that did not see the texts.

    Attributes:
        presence: `(texts, topics)` in [0, 1].
        stance: `(texts, topics, predicted stances)` in [0, 1]; NaN where nothing is said.
        source: What made them, in words.
    """

    presence: Floats
    stance: Floats
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """One label, or missing label, that something speaks against.

    Attributes:
        id: Of the text.
        topic: The topic.
        reason: `topic` and `stance`: the probabilities contradict it; `same text` and `similar
            text`: another record, `twin`, is labelled otherwise.
        labelled: The labelled stance; None where the text is labelled as not carrying the topic.
        suggested: The stance that the model or the twin says; None for not carrying the topic;
            `SOME_STANCE` for carrying it.
        doubt: Probability in [0, 1] that the label is wrong, as the model sees it; 1 for the
            same text with other labels, since one of the two is wrong.
        disputable: Whether the label is marked as disputable already.
        twin: Id of the other record.
    """

    id: str
    topic: str
    reason: Reason
    labelled: str | None
    suggested: str | None
    doubt: float
    disputable: bool = False
    twin: str | None = None

    def words(self) -> str:
        """What is doubtful, as a phrase."""
        labelled, suggested = (
            "not carried" if stance is None else stance
            for stance in (self.labelled, self.suggested)
        )
        if self.twin is not None:
            return (
                f"{self.topic}: labelled {labelled}; the {self.reason} {self.twin} is labelled "
                f"{suggested}"
            )
        return (
            f"{self.topic}: labelled {labelled}; the model says {suggested} "
            f"(doubt {self.doubt:.3f})"
        )

    def to_dict(self) -> dict[str, Any]:
        """The suspect as a JSON object."""
        return {
            "id": self.id,
            "topic": self.topic,
            "reason": self.reason,
            "labelled": self.labelled,
            "suggested": self.suggested,
            "doubt": round(self.doubt, 4),
            "disputable": self.disputable,
            "twin": self.twin,
        }


def find_suspects(
    records: Sequence[Record], schema: Schema, answers: Answers
) -> tuple[Suspect, ...]:
    """Labels to look at, the most doubtful first.

    Args:
        records: Labelled texts with unique ids.
        schema: Topics and stances.
        answers: For these texts in this order.

    Raises:
        MissingExtraError: If cleanlab or datasketch is not installed.
    """
    rules = open_training("training.label_issues", task=TASK, extra=EXTRA)
    gold = _gold(records, schema)
    found = [
        _by_model(records, schema, answers, row, column, "topic")
        for row, column in rules.topic_issues(gold >= 0, answers.presence)
    ]
    rows, columns = np.nonzero(
        (gold >= 0) & (gold < len(schema.predicted_stances)) & ~np.isnan(answers.stance).any(axis=2)
    )
    issues = rules.stance_issues(gold[rows, columns], answers.stance[rows, columns])
    found += [
        _by_model(records, schema, answers, int(rows[at]), int(columns[at]), "stance")
        for at in issues
    ]
    found += _twins(records, schema, answers)
    order = {"same text": 0, "similar text": 1, "topic": 2, "stance": 3}
    return tuple(
        sorted(found, key=lambda item: (-item.doubt, order[item.reason], item.id, item.topic))
    )


def by_text(suspects: Iterable[Suspect]) -> dict[str, list[Suspect]]:
    """The suspects of each text, the text with the most doubtful one first."""
    groups: dict[str, list[Suspect]] = {}
    for suspect in suspects:
        groups.setdefault(suspect.id, []).append(suspect)
    return groups


def _gold(records: Sequence[Record], schema: Schema) -> NDArray[np.intp]:
    """`(texts, topics)`, number of the stance, predicted ones first; -1 without a label."""
    others = [name for name in schema.stance_names if name not in schema.predicted_stances]
    numbers = {name: at for at, name in enumerate((*schema.predicted_stances, *others))}
    gold = np.full((len(records), len(schema.topics)), -1, np.intp)
    for row, record in enumerate(records):
        for label in record.labels:
            gold[row, schema.topic_index(label.topic)] = numbers[label.stance]
    return gold


def _by_model(
    records: Sequence[Record],
    schema: Schema,
    answers: Answers,
    row: int,
    column: int,
    reason: Reason,
) -> Suspect:
    topic = schema.topic_names[column]
    label = records[row].label(topic)
    stances = answers.stance[row, column]
    likely = None
    if reason == "stance" or label is None:
        known = not np.isnan(stances).any()
        likely = schema.predicted_stances[int(stances.argmax())] if known else SOME_STANCE
    return Suspect(
        id=records[row].id,
        topic=topic,
        reason=reason,
        labelled=None if label is None else label.stance,
        suggested=likely,
        doubt=_doubt(answers, schema, row, column, records[row], reason),
        disputable=label is not None and not label.sure,
    )


def _doubt(
    answers: Answers, schema: Schema, row: int, column: int, record: Record, reason: Reason
) -> float:
    label = record.label(schema.topic_names[column])
    presence = float(answers.presence[row, column])
    if reason == "topic":
        return presence if label is None else 1 - presence
    if label is None or label.stance not in schema.predicted_stances:
        return 0.0
    stances = answers.stance[row, column]
    return 1 - float(stances[schema.predicted_stances.index(label.stance)])


def _twins(records: Sequence[Record], schema: Schema, answers: Answers) -> list[Suspect]:
    """Texts that are the same or nearly so, labelled otherwise, unless they are a declared pair."""
    found = []
    for one, other in near_duplicates(records):
        first, second = records[one], records[other]
        same = text_key(first) == text_key(second)
        if not same and first.pair is not None and first.pair == second.pair:
            continue
        for column, topic in enumerate(schema.topic_names):
            labels = (first.label(topic), second.label(topic))
            stances = [None if label is None else label.stance for label in labels]
            if stances[0] == stances[1]:
                continue
            reason: Reason = "topic" if None in stances else "stance"
            doubts = [
                _doubt(answers, schema, row, column, records[row], reason) for row in (one, other)
            ]
            doubts = [0.0 if np.isnan(doubt) else doubt for doubt in doubts]
            # The one that the model contradicts more is looked at, beside the other.
            at = 0 if doubts[0] > doubts[1] else 1
            label = labels[at]
            found.append(
                Suspect(
                    id=(first, second)[at].id,
                    topic=topic,
                    reason="same text" if same else "similar text",
                    labelled=stances[at],
                    suggested=stances[1 - at],
                    doubt=1.0 if same else doubts[at],
                    disputable=label is not None and not label.sure,
                    twin=(first, second)[1 - at].id,
                )
            )
    return found
