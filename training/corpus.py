"""Labelled records as batches of tensors, tokenised as the runtime does."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset as TorchDataset
from torch.utils.data import Sampler

from stance.encoding import ArticleEncoder, Window
from stance.records import Record
from stance.schema import Schema
from stance.sentences import Sentence
from training.labels import ABSENT, stance_columns
from training.losses import Targets
from training.network import DocumentLayout


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Example:
    """One document ready for packing.

    Attributes:
        token_ids: Per sentence its ids; sentences without tokens are left out.
        stance: Shape (topics,); column of the stance, `ABSENT` where the topic is not carried,
            `UNPREDICTED` where it is carried with a stance that the model does not predict.
        evidence: Shape (sentences, topics), True for annotated sentences.
        states: Per sentence the frozen encoder's states, shape (tokens, width); None where the
            encoder is trained.
    """

    token_ids: tuple[list[int], ...]
    stance: NDArray[np.int64]
    evidence: NDArray[np.bool_]
    states: tuple[Tensor, ...] | None = None

    @property
    def n_tokens(self) -> int:
        """Tokens of the document, special tokens not counted."""
        return sum(map(len, self.token_ids))


def evidence_sentences(record: Record, sentences: Sequence[Sentence], topic: str) -> list[bool]:
    """Which sentences the annotated evidence of a topic covers.

    A sentence counts if a quotation covers half of it, or if half of a quotation lies in it: the
    annotators' sentence limits need not be the splitter's.
    """
    label = record.label(topic)
    marks = [False] * len(sentences)
    parts = {"title": record.article.title or "", "text": record.article.text}
    for quote in label.evidence if label else ():
        for part, content in parts.items():
            start = content.find(quote)
            if start < 0:
                continue
            for index, sentence in enumerate(sentences):
                overlap = min(sentence.end, start + len(quote)) - max(sentence.start, start)
                shorter = min(sentence.end - sentence.start, len(quote))
                if sentence.part == part and overlap * 2 >= shorter:
                    marks[index] = True
            break
    return marks


def make_examples(
    records: Sequence[Record], schema: Schema, encoder: ArticleEncoder
) -> list[Example]:
    """Tokenise records and turn their labels into columns."""
    examples = []
    encoded = encoder.encode([record.article for record in records])
    for record, article in zip(records, encoded, strict=True):
        evidence = np.zeros((len(article.sentences), len(schema.topics)), dtype=np.bool_)
        for label in record.labels:
            column = schema.topic_index(label.topic)
            evidence[:, column] = evidence_sentences(record, article.sentences, label.topic)
        read = [index for index, ids in enumerate(article.token_ids) if ids]
        examples.append(
            Example(
                token_ids=tuple(article.token_ids[index] for index in read),
                stance=stance_columns(record, schema),
                evidence=evidence[read],
            )
        )
    return examples


def join_examples(parts: Sequence[Example], rng: random.Random) -> Example | None:
    """One long document of several: paragraphs of one may stand inside another.

    Returns:
        None where the parts disagree on a topic's stance: the whole would have no true label.
    """
    stance = np.full_like(parts[0].stance, ABSENT)
    for part in parts:
        carried = part.stance != ABSENT
        clash = carried & (stance != ABSENT) & (stance != part.stance)
        if clash.any():
            return None
        stance = np.where(carried, part.stance, stance)
    ids: list[list[int]] = []
    states: list[Tensor] = []
    evidence = parts[0].evidence[:0]
    for part in parts:
        # At the end, at the start, or anywhere between two sentences of what stands already.
        place = rng.choice([len(ids), 0, rng.randint(0, len(ids))])
        ids[place:place] = part.token_ids
        states[place:place] = part.states or ()
        evidence = np.concatenate([evidence[:place], part.evidence, evidence[place:]])
    return Example(
        token_ids=tuple(ids), stance=stance, evidence=evidence, states=tuple(states) or None
    )


class ExampleDataset(TorchDataset[Example]):
    """Examples, with texts joined anew for each epoch.

    Args:
        examples: The corpus.
        joined_share: Joined texts per corpus text.
        seed: Of the draw.
    """

    def __init__(self, examples: Sequence[Example], *, joined_share: float = 0.0, seed: int = 0):
        self._examples = list(examples)
        self._n_joined = int(joined_share * len(examples))
        self._seed = seed
        self._joined: list[Example] = []
        self.set_epoch(0)

    def set_epoch(self, epoch: int) -> None:
        """Draw the joined texts of an epoch; the same for the same seed and epoch."""
        rng = random.Random(f"{self._seed}-{epoch}")
        self._joined = []
        short = [example for example in self._examples if example.n_tokens <= 600]
        tries = 0
        while len(short) > 1 and len(self._joined) < self._n_joined and tries < 4 * self._n_joined:
            tries += 1
            parts = rng.sample(short, min(len(short), rng.choice([2, 2, 3, 4])))
            joined = join_examples(parts, rng)
            if joined is not None:
                self._joined.append(joined)

    def __len__(self) -> int:
        return len(self._examples) + len(self._joined)

    def __getitem__(self, index: int) -> Example:
        own = len(self._examples)
        return self._examples[index] if index < own else self._joined[index - own]


class TokenBudgetSampler(Sampler[list[int]]):
    """Batches of documents of like length, within a budget of padded tokens.

    Args:
        dataset: What is drawn from.
        encoder: Packs the documents, to know their size.
        batch_tokens: Most tokens of a batch, padding included; a longer document stands alone.
        seed: Of the order; None keeps documents sorted by length (evaluation).
    """

    def __init__(
        self,
        dataset: ExampleDataset,
        encoder: ArticleEncoder,
        *,
        batch_tokens: int,
        seed: int | None,
    ) -> None:
        self._dataset, self._encoder = dataset, encoder
        self._batch_tokens, self._seed, self._epoch = batch_tokens, seed, 0
        self._length = len(self._batches())

    def set_epoch(self, epoch: int) -> None:
        """Draw the joined texts and the order anew."""
        self._epoch = epoch
        self._dataset.set_epoch(epoch)

    def _batches(self) -> list[list[int]]:
        rng = random.Random(f"{self._seed}-{self._epoch}")
        sizes: list[tuple[int, int]] = []
        for index in range(len(self._dataset)):
            lengths = [
                len(w.token_ids) + 2 for w in self._encoder.pack(self._dataset[index].token_ids)
            ]
            sizes.append((max(lengths, default=2), len(lengths)))
        order = list(range(len(self._dataset)))
        if self._seed is None:
            order.sort(key=lambda index: sizes[index])
        else:
            # Sorted in stretches: little padding, yet no epoch runs from short to long.
            rng.shuffle(order)
            stretch = 400
            order = [
                index
                for begin in range(0, len(order), stretch)
                for index in sorted(order[begin : begin + stretch], key=lambda i: sizes[i])
            ]
        batches: list[list[int]] = []
        batch: list[int] = []
        width = windows = 0
        for index in order:
            longest, count = sizes[index]
            if batch and max(width, longest) * (windows + count) > self._batch_tokens:
                batches.append(batch)
                batch, width, windows = [], 0, 0
            batch.append(index)
            width, windows = max(width, longest), windows + count
        if batch:
            batches.append(batch)
        if self._seed is not None:
            rng.shuffle(batches)
        return batches

    def __iter__(self) -> Iterator[list[int]]:
        batches = self._batches()
        # The loop's schedule counts on epochs of equal length, while joined texts differ a little:
        # a batch too many waits for the next epoch, a missing one is drawn again.
        return iter((batches * 2)[: self._length])

    def __len__(self) -> int:
        return self._length


class SharedSampler(Sampler[list[int]]):
    """One process's share of each batch: its documents are dealt out in turn.

    A share is empty where a batch holds fewer documents than there are processes.

    Args:
        whole: Draws the batches, the same in every process.
        place: Of this process, from 0.
        size: Number of processes.
    """

    def __init__(self, whole: TokenBudgetSampler, *, place: int, size: int) -> None:
        self._whole, self._place, self._size = whole, place, size

    def set_epoch(self, epoch: int) -> None:
        """Draw the joined texts and the order anew."""
        self._whole.set_epoch(epoch)

    def __iter__(self) -> Iterator[list[int]]:
        return (batch[self._place :: self._size] for batch in self._whole)

    def __len__(self) -> int:
        return len(self._whole)


@dataclass(frozen=True, slots=True)
class Collator:
    """Packs examples into one batch of tensors, named as the trained module's arguments.

    Where examples hold states, these come along, in the order of the content tokens. Of no
    examples nothing is left but targets without rows.
    """

    encoder: ArticleEncoder

    def __call__(self, examples: Sequence[Example]) -> dict[str, Tensor]:
        """See `DocumentLayout` and `Targets` for the shapes."""
        if not examples:
            return {"presence_targets": torch.zeros(0, 0)}
        windows: list[Window] = []
        sentence_of_segment: list[int] = []
        document_of_sentence: list[int] = []
        position: list[int] = []
        for document, example in enumerate(examples):
            first = len(document_of_sentence)
            for window in self.encoder.pack(example.token_ids):
                windows.append(window)
                sentence_of_segment.extend(first + s.sentence for s in window.segments)
            document_of_sentence.extend([document] * len(example.token_ids))
            position.extend(range(len(example.token_ids)))
        batch = self.encoder.batch(windows)
        lengths = [s.end - s.start for window in windows for s in window.segments]
        stance = np.stack([example.stance for example in examples])
        evidence = np.concatenate([example.evidence for example in examples])
        owner = np.asarray(document_of_sentence)
        carried = stance != ABSENT
        sentence_presence = np.where(carried[owner], np.nan, 0.0)
        sentence_presence[evidence] = 1.0
        # A text of one sentence carries its topics in that sentence, annotated or not.
        alone = np.bincount(owner, minlength=len(examples))[owner] == 1
        sentence_presence[alone] = carried[owner][alone]
        inputs = (
            {"states": torch.cat([state for e in examples for state in e.states or ()]).float()}
            if examples[0].states is not None
            else {}
        )
        return {
            **inputs,
            "input_ids": torch.from_numpy(batch.input_ids),
            "attention_mask": torch.from_numpy(batch.attention_mask),
            "content_mask": torch.from_numpy(batch.content_mask),
            "sentence_of_token": torch.from_numpy(np.repeat(sentence_of_segment, lengths)),
            "document_of_sentence": torch.from_numpy(owner),
            "position": torch.tensor(position),
            "presence_targets": torch.from_numpy(carried.astype(np.float32)),
            "stance_targets": torch.from_numpy(stance),
            "sentence_targets": torch.from_numpy(sentence_presence.astype(np.float32)),
            "evidence_targets": torch.from_numpy(evidence.astype(np.float32)),
        }


def layout_and_targets(batch: Mapping[str, Tensor]) -> tuple[DocumentLayout, Targets]:
    """Name the tensors of a collated batch again."""
    return (
        DocumentLayout(
            sentence_of_token=batch["sentence_of_token"],
            document_of_sentence=batch["document_of_sentence"],
            position=batch["position"],
            n_documents=len(batch["presence_targets"]),
        ),
        Targets(
            presence=batch["presence_targets"],
            stance=batch["stance_targets"],
            sentence_presence=batch["sentence_targets"],
            evidence=batch["evidence_targets"],
        ),
    )
