"""Single words that give a stance away: a model may learn them instead of reading."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stance.records import Record
from stance.schema import Schema

LEAST_TEXTS = 10
"""A word of fewer texts on a topic is no habit of the data."""

LEAST_SHARE = 0.9
"""A word is a cue if even the lower limit of its share of one stance reaches this."""

_WORD = re.compile(r"[^\W\d_]+(?:['\u2019-][^\W\d_]+)*")
# One-sided 95 %.
_Z = 1.6448536269514722


@dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    """A word that nearly always comes with one stance.

    Attributes:
        topic: On which topic.
        word: The word, in small letters.
        stance: The stance it comes with.
        texts: Texts on the topic that hold the word.
        share: How many of these have the stance, in [0, 1].
        low: Lower limit of that share (Wilson, one-sided 95 %).
        usual: Share of the stance among all texts on the topic.
    """

    topic: str
    word: str
    stance: str
    texts: int
    share: float
    low: float
    usual: float

    def to_dict(self) -> dict[str, Any]:
        """The cue as a JSON object."""
        return {
            "topic": self.topic,
            "word": self.word,
            "stance": self.stance,
            "texts": self.texts,
            "share": round(self.share, 4),
            "low": round(self.low, 4),
            "usual": round(self.usual, 4),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class CueReach:
    """How much of a topic's labels single words give away.

    Attributes:
        topic: The topic.
        labels: Labels with a predicted stance.
        reached: Of these, in texts that hold a cue.
        right: Of these, where the most frequent stance among the text's cues is the labelled one.
    """

    topic: str
    labels: int
    reached: int
    right: int

    def to_dict(self) -> dict[str, Any]:
        """The counts as a JSON object."""
        return {
            "topic": self.topic,
            "labels": self.labels,
            "reached": self.reached,
            "right": self.right,
        }


def find_cues(
    records: Sequence[Record], schema: Schema
) -> tuple[tuple[Cue, ...], tuple[CueReach, ...]]:
    """The cue words of each topic, those in most texts first, and how far they reach.

    Args:
        records: Labelled texts.
        schema: Topics and stances; stances that no model predicts are left out.
    """
    cues: list[Cue] = []
    reaches = []
    words = [_words(record) for record in records]
    for topic in schema.topic_names:
        held = [
            (own, label.stance)
            for own, record in zip(words, records, strict=True)
            if (label := record.label(topic)) and label.stance in schema.predicted_stances
        ]
        found = _topic_cues(topic, held)
        cues += found
        stances = {cue.word: cue.stance for cue in found}
        reached = right = 0
        for own, gold in held:
            votes = Counter(stances[word] for word in own if word in stances)
            reached += bool(votes)
            right += bool(votes) and max(votes, key=lambda name: (votes[name], name)) == gold
        reaches.append(CueReach(topic=topic, labels=len(held), reached=reached, right=right))
    return tuple(cues), tuple(reaches)


def wilson_low(hits: int, texts: int) -> float:
    """Lower limit of a share (Wilson 1927), one-sided 95 %.

    Args:
        hits: From 0 to `texts`.
        texts: Above 0.
    """
    share, weight = hits / texts, _Z**2 / texts
    middle = share + weight / 2
    spread = _Z * math.sqrt(share * (1 - share) / texts + weight / texts / 4)
    return max(0.0, (middle - spread) / (1 + weight))


def _topic_cues(topic: str, held: list[tuple[set[str], str]]) -> list[Cue]:
    usual = Counter(stance for _, stance in held)
    by_word: dict[str, Counter[str]] = {}
    for own, stance in held:
        for word in own:
            by_word.setdefault(word, Counter())[stance] += 1
    cues = []
    for word, counts in by_word.items():
        texts = counts.total()
        stance, hits = max(counts.items(), key=lambda item: (item[1], item[0]))
        low = wilson_low(hits, texts)
        share = usual[stance] / len(held)
        # Where nearly every text has the stance, every word does, and none is a cue.
        if texts >= LEAST_TEXTS and low >= LEAST_SHARE and low > share:
            cues.append(
                Cue(
                    topic=topic,
                    word=word,
                    stance=stance,
                    texts=texts,
                    share=hits / texts,
                    low=low,
                    usual=share,
                )
            )
    return sorted(cues, key=lambda cue: (-cue.texts, cue.word))


def _words(record: Record) -> set[str]:
    text = f"{record.article.title or ''} {record.article.text}"
    return set(_WORD.findall(text.lower()))
