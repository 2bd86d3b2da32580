"""The texts to look at, as annotation tools import them: Label Studio and Argilla."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from xml.sax.saxutils import quoteattr

from stance.audit.report import Audit
from stance.audit.suspects import SOME_STANCE, Suspect, by_text
from stance.records import Record
from stance.schema import Schema

ABSENT = "(not carried)"
"""The answer that a text does not carry a topic; in parentheses, since no stance is."""

LABELS, SUGGESTED = "labels of the data", "stance data audit"
_TITLE = "Is each topic carried, and how is it presented?"


def label_studio_config(schema: Schema) -> str:
    """The labelling interface of a Label Studio project: one choice per topic."""
    answers = "".join(f"    <Choice value={quoteattr(name)}/>\n" for name in _answers(schema))
    questions = "".join(
        f'  <Header size="5" value={quoteattr(topic)}/>\n'
        f'  <Choices name="{name}" toName="text" choice="single" required="true">\n'
        f"{answers}  </Choices>\n"
        for name, topic in zip(_names(schema), schema.topic_names, strict=True)
    )
    return (
        "<View>\n"
        '  <Header value="$title"/>\n'
        '  <Text name="text" value="$text"/>\n'
        '  <Text name="labelled" value="$labelled"/>\n'
        '  <Text name="doubts" value="$doubts"/>\n'
        f"{questions}</View>\n"
    )


def label_studio_tasks(audit: Audit) -> list[dict[str, Any]]:
    """Tasks with two predictions each: the labels, and the labels as the doubts would have them."""
    tasks = []
    for rank, record, suspects, likely in _texts(audit):
        values = {"labels": _labelled(record, audit.schema), "suggested": likely}
        tasks.append(
            {
                "data": {
                    "id": record.id,
                    "rank": rank,
                    "kind": record.kind or "",
                    "title": record.article.title or "",
                    "text": record.article.text,
                    "labelled": _label_words(record),
                    "doubts": _doubt_words(suspects),
                },
                "predictions": [
                    {
                        "model_version": LABELS if source == "labels" else SUGGESTED,
                        # Label Studio sorts by it: the least sure labels come first.
                        "score": round(1 - max(item.doubt for item in suspects), 4),
                        "result": [
                            {
                                "id": f"{source}-{name}",
                                "from_name": name,
                                "to_name": "text",
                                "type": "choices",
                                "value": {"choices": [answer]},
                            }
                            for name, answer in _answered(audit.schema, answers)
                        ],
                    }
                    for source, answers in values.items()
                ],
            }
        )
    return tasks


def argilla_settings(schema: Schema) -> dict[str, Any]:
    """Fields and questions of an Argilla data set, as `Dataset.to_disk` writes them."""
    options = [{"value": name, "text": name} for name in _answers(schema)]
    fields = {"title": False, "text": True, "labelled": True, "doubts": True}
    return {
        "guidelines": _TITLE,
        "fields": [
            {
                "name": name,
                "title": name,
                "required": required,
                "settings": {"type": "text", "use_markdown": False},
                "type": "text",
            }
            for name, required in fields.items()
        ],
        "questions": [
            {
                "name": name,
                "title": topic,
                "description": None,
                "required": True,
                "settings": {
                    "type": "label_selection",
                    "options": options,
                    "visible_options": None,
                },
                "type": "label_selection",
            }
            for name, topic in zip(_names(schema), schema.topic_names, strict=True)
        ],
        "metadata": [
            _argilla_metadata("kind", {"type": "terms", "values": None}),
            _argilla_metadata("rank", {"type": "integer", "min": None, "max": None}),
            _argilla_metadata("doubt", {"type": "float", "min": None, "max": None}),
        ],
        "vectors": [],
        "allow_extra_metadata": False,
        "distribution": {"strategy": "overlap", "min_submitted": 1},
        "mapping": None,
    }


def argilla_dataset(name: str) -> dict[str, Any]:
    """The data set's own entry, as `Dataset.to_disk` writes it."""
    return {"name": name, "status": "draft", "guidelines": _TITLE, "allow_extra_metadata": False}


def argilla_records(audit: Audit) -> list[dict[str, Any]]:
    """Records whose suggestions are the labels as the doubts would have them."""
    records = []
    for rank, record, suspects, likely in _texts(audit):
        article = record.article
        fields = {
            "title": article.title or None,
            # A required field must not be empty; a text may be, beside a title.
            "text": article.text if article.text.strip() else article.title,
            "labelled": _label_words(record),
            "doubts": _doubt_words(suspects),
        }
        records.append(
            {
                "id": record.id,
                "fields": {key: value for key, value in fields.items() if value is not None},
                "metadata": {
                    "rank": rank,
                    "doubt": round(max(item.doubt for item in suspects), 4),
                    **({"kind": record.kind} if record.kind else {}),
                },
                "suggestions": {
                    name: {"value": answer, "score": None, "agent": SUGGESTED}
                    for name, answer in _answered(audit.schema, likely)
                },
                "responses": {},
                "vectors": {},
                "status": "pending",
                "_server_id": None,
            }
        )
    return records


def _argilla_metadata(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "title": name,
        "settings": {"visible_for_annotators": True, **settings},
        "visible_for_annotators": True,
    }


def _names(schema: Schema) -> list[str]:
    """Names of the questions; a topic's own may hold what the tools refuse in a name."""
    return [f"topic_{place}" for place in range(len(schema.topics))]


def _answers(schema: Schema) -> list[str]:
    return [ABSENT, *schema.stance_names]


def _texts(
    audit: Audit,
) -> Iterable[tuple[int, Record, list[Suspect], dict[str, str | None]]]:
    """Rank, text, its suspects, and what each topic is by labels and suspicions together."""
    records = {record.id: record for record in audit.records}
    for rank, (name, suspects) in enumerate(by_text(audit.suspects).items(), 1):
        likely = _labelled(records[name], audit.schema)
        # The strongest suspicion of a topic stands first and is what counts.
        for suspect in reversed(suspects):
            likely[suspect.topic] = suspect.suggested
        yield rank, records[name], suspects, likely


def _labelled(record: Record, schema: Schema) -> dict[str, str | None]:
    labels = {topic: record.label(topic) for topic in schema.topic_names}
    return {topic: None if label is None else label.stance for topic, label in labels.items()}


def _answered(schema: Schema, stances: Mapping[str, str | None]) -> list[tuple[str, str]]:
    """Question and answer of each topic that there is an answer for."""
    return [
        (name, ABSENT if stance is None else stance)
        for name, stance in zip(_names(schema), map(stances.get, schema.topic_names), strict=True)
        if stance != SOME_STANCE
    ]


def _label_words(record: Record) -> str:
    labels = [f"{label.topic}: {label.stance}" for label in record.labels]
    return "; ".join(labels) or "no topic"


def _doubt_words(suspects: Sequence[Suspect]) -> str:
    return "\n".join(suspect.words() for suspect in suspects)
