"""The most confident wrong answers, with the sentences that were shown and those annotated."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

from stance.evaluation.evidence import Span, occurrences
from stance.predictions import Evidence, Finding, Prediction
from stance.records import Article, Label, Record
from stance.schema import Schema

Sort = Literal["missed", "false find", "wrong stance"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One topic of one text, answered otherwise than labelled.

    Attributes:
        id: Of the text.
        kind: Of the text.
        topic: The topic.
        sort: Whether the topic was missed, found where it is not, or found with a wrong stance.
        labelled: The labelled stance; None for a false find.
        predicted: The predicted stance; None where the topic was missed.
        confidence: How sure the wrong answer was, in [0, 1]: the probability of the topic, that
            it is absent, or of the stance.
        article: The text.
        shown: Sentences that the finding shows.
        annotated: Sentences that the annotator marked.
    """

    id: str
    kind: str | None
    topic: str
    sort: Sort
    labelled: str | None
    predicted: str | None
    confidence: float
    article: Article
    shown: tuple[Evidence, ...]
    annotated: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """The mistake as a JSON object."""
        return {
            "id": self.id,
            "kind": self.kind,
            "topic": self.topic,
            "error": self.sort,
            "labelled": self.labelled,
            "predicted": self.predicted,
            "confidence": round(self.confidence, 4),
            "shown": [item.sentence for item in self.shown],
            "annotated": list(self.annotated),
        }


class MistakeWatch:
    """Passes predictions on and keeps the most confident mistakes among them."""

    def __init__(self, records: Sequence[Record], schema: Schema, *, most: int) -> None:
        """Keep few, whatever the number of predictions.

        Args:
            records: The labelled texts.
            schema: Topics and stances of the labels.
            most: How many mistakes are kept.
        """
        self.total = 0
        self._records = {record.id: record for record in records}
        self._topics = schema.topic_names
        self._predicted = schema.predicted_stances
        self._most = most
        self._kept: list[tuple[float, int, Mistake]] = []

    def watch(self, predictions: Iterable[Prediction]) -> Iterator[Prediction]:
        """Give the predictions as they come."""
        for prediction in predictions:
            record = self._records.get(prediction.id or "")
            if record is not None:
                found = {finding.topic: finding for finding in prediction.topics}
                for topic in self._topics:
                    self._look(record, prediction, topic, found.get(topic))
            yield prediction

    def most_confident(self) -> tuple[Mistake, ...]:
        """The mistakes kept, the most confident first."""
        return tuple(item for *_, item in sorted(self._kept, reverse=True))

    def _look(
        self, record: Record, prediction: Prediction, topic: str, finding: Finding | None
    ) -> None:
        label = record.label(topic)
        if label is not None and finding is None:
            sort: Sort = "missed"
            confidence = 1 - prediction.scores.get(topic, 0.0)
        elif label is None and finding is not None:
            sort, confidence = "false find", finding.probability
        elif label is not None and finding is not None and self._wrong(label, finding):
            sort = "wrong stance"
            confidence = finding.stance_probabilities.get(finding.stance, 0.0)
        else:
            return
        # Of equals the first stays, so that the same input gives the same list.
        rank = (confidence, -self.total)
        self.total += 1
        if not self._most or (len(self._kept) == self._most and rank <= self._kept[0][:2]):
            return
        mistake = Mistake(
            id=record.id,
            kind=record.kind,
            topic=topic,
            sort=sort,
            labelled=label.stance if label else None,
            predicted=finding.stance if finding else None,
            confidence=confidence,
            article=record.article,
            shown=finding.evidence if finding else (),
            annotated=label.evidence if label else (),
        )
        push = heapq.heappush if len(self._kept) < self._most else heapq.heapreplace
        push(self._kept, (*rank, mistake))

    def _wrong(self, label: Label, finding: Finding) -> bool:
        # As in the main scores, a disputable label makes no stance wrong.
        counts = label.stance in self._predicted and label.sure
        return counts and finding.stance != label.stance


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A stretch of a text, and whether it is marked.

    Attributes:
        text: The words; an ellipsis where something is left out.
        shown: Whether it is of a sentence that the finding shows.
        annotated: Whether it is of a sentence that the annotator marked.
    """

    text: str
    shown: bool = False
    annotated: bool = False


def passages(mistake: Mistake, *, around: int = 160) -> dict[str, list[Piece]]:
    """The marked sentences of a mistake's text in what stands around them.

    Args:
        mistake: The mistake.
        around: Code points kept on both sides of a mark, and of the beginning if nothing is
            marked; a gap that is shorter than this is kept, too.

    Returns:
        The pieces of `title` and `text`, in order; a part without any text is left out.
    """
    article = mistake.article
    shown: list[Span] = [(item.part, item.start, item.end) for item in mistake.shown]
    annotated = [spot for quote in mistake.annotated for spot in occurrences(article, quote)]
    return {
        part: _pieces(content, _of(part, shown), _of(part, annotated), around)
        for part, content in (("title", article.title or ""), ("text", article.text))
        if content.strip()
    }


def _of(part: str, spans: Iterable[Span]) -> list[tuple[int, int]]:
    return [(start, end) for own, start, end in spans if own == part and start < end]


def _pieces(
    content: str, shown: list[tuple[int, int]], annotated: list[tuple[int, int]], around: int
) -> list[Piece]:
    kept = _kept(content, sorted([*shown, *annotated]) or [(0, 2 * around)], around)
    cuts = sorted({0, len(content), *(at for span in (*shown, *annotated, *kept) for at in span)})
    pieces: list[Piece] = []
    for start, end in pairwise(cuts):
        if start >= len(content):
            break
        if not any(begin <= start < stop for begin, stop in kept):
            if not pieces or pieces[-1].text != " … ":
                pieces.append(Piece(text=" … "))
            continue
        pieces.append(
            Piece(
                text=content[start:end],
                shown=any(begin <= start < stop for begin, stop in shown),
                annotated=any(begin <= start < stop for begin, stop in annotated),
            )
        )
    return pieces


def _kept(content: str, marks: list[tuple[int, int]], around: int) -> list[tuple[int, int]]:
    """The stretches to keep: marks with what is around them, joined over short gaps."""
    kept: list[tuple[int, int]] = []
    for start, end in marks:
        begin = start - around if start > 2 * around else 0
        stop = end + around if end < len(content) - 2 * around else len(content)
        # Not in the midst of a word.
        begin = content.rfind(" ", 0, begin) + 1 if begin else 0
        space = content.find(" ", stop)
        stop = len(content) if space < 0 else space
        if kept and begin <= kept[-1][1] + around:
            kept[-1] = (kept[-1][0], max(kept[-1][1], stop))
        else:
            kept.append((begin, stop))
    return kept
