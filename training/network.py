"""The torch module: an encoder with one lens per topic, and its document pooling.

The pooling is that of `stance.pooling`, which says why; here it is differentiable and works on
many documents at once. A test holds the two to the same numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from stance.pooling import PoolingParameters, n_stance_columns, output_columns


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentLayout:
    """Which token belongs to which sentence, and which sentence to which document.

    Attributes:
        sentence_of_token: Shape (tokens,); content tokens row by row, sentences numbered through.
        document_of_sentence: Shape (sentences,).
        position: Shape (sentences,); place of the sentence in its document, from 0.
        n_documents: Documents in the batch.
    """

    sentence_of_token: Tensor
    document_of_sentence: Tensor
    position: Tensor
    n_documents: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LensOutputs:
    """Logits of a batch of documents.

    Attributes:
        presence: Shape (documents, topics).
        stance: Shape (documents, topics, stance columns).
        sentence_presence: Shape (sentences, topics); presence logit of each sentence alone.
        focus: Shape (sentences, topics); share of the stance attention, adds up to 1 a document.
    """

    presence: Tensor
    stance: Tensor
    sentence_presence: Tensor
    focus: Tensor


class LensHeads(nn.Module):
    """Maps token states to the columns of `stance.pooling.output_columns`.

    Args:
        width: Size of a token state.
        n_topics: Number of topics.
        n_stances: Number of predicted stances.
        dropout: In [0, 1).
    """

    def __init__(self, width: int, n_topics: int, n_stances: int, dropout: float) -> None:
        super().__init__()
        columns = n_stance_columns(n_stances)
        self.n_topics, self.n_columns = n_topics, columns
        self.attention = nn.Linear(width, n_topics)
        self.presence = nn.Linear(width, n_topics)
        self.stance_attention = nn.Linear(width, n_topics)
        self.stance_hidden = nn.Linear(width, width)
        self.stance_shared = nn.Linear(width, columns)
        self.stance_topic = nn.Linear(width, n_topics * columns)
        self.dropout = nn.Dropout(dropout)
        for layer in (self.attention, self.stance_attention, self.stance_topic):
            nn.init.normal_(layer.weight, std=0.02)
            nn.init.zeros_(layer.bias)

    def forward(self, states: Tensor) -> Tensor:
        """Shape (..., width) to (..., columns)."""
        states = self.dropout(states)
        hidden = self.dropout(nn.functional.gelu(self.stance_hidden(states)))
        values = self.stance_topic(hidden) + self.stance_shared(hidden).repeat(
            *[1] * (hidden.dim() - 1), self.n_topics
        )
        return torch.cat(
            [
                self.attention(states),
                self.presence(states),
                self.stance_attention(states),
                values,
            ],
            dim=-1,
        )


class LensModel(nn.Module):
    """Encoder, heads and document pooling.

    Args:
        encoder: An encoder of transformers.
        n_topics: Number of topics.
        n_stances: Number of predicted stances.
        dropout: Of the heads, in [0, 1).
    """

    def __init__(
        self, encoder: PreTrainedModel, n_topics: int, n_stances: int, dropout: float = 0.1
    ) -> None:
        super().__init__()
        self.encoder = encoder
        self.heads = LensHeads(encoder.config.hidden_size, n_topics, n_stances, dropout)
        # Rare topics are the rule in news; a start near "absent" spares the first steps.
        self.bias = nn.Parameter(torch.full((n_topics,), -1.0))
        self.raw_sharpness = nn.Parameter(torch.full((n_topics,), 0.54))  # softplus: 1
        self.raw_gate = nn.Parameter(torch.full((n_topics,), 0.54))
        self.decay = nn.Parameter(torch.zeros(n_topics))

    def token_outputs(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Shape (windows, tokens) to (windows, tokens, columns): the exported graph."""
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        outputs: Tensor = self.heads(states)
        return outputs

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor,
        content_mask: Tensor,
        layout: DocumentLayout,
    ) -> LensOutputs:
        """Score a batch of documents given as windows (see `stance.encoding.TokenBatch`)."""
        outputs = self.token_outputs(input_ids, attention_mask)[content_mask].float()
        return self.pool(outputs, layout)

    def forward_states(self, states: Tensor, layout: DocumentLayout) -> LensOutputs:
        """Score documents whose encoder states are known: shape (content tokens, width)."""
        return self.pool(self.heads(states).float(), layout)

    def pool(self, outputs: Tensor, layout: DocumentLayout) -> LensOutputs:
        """Shape (content tokens, columns) to logits."""
        k = self.heads.n_topics
        attention, value, stance_attention, stance_value = (
            outputs[:, part] for part in output_columns(k, self.heads.n_columns)
        )
        token_sentence, sentence_document = layout.sentence_of_token, layout.document_of_sentence
        token_document = sentence_document[token_sentence]
        n_sentences = len(sentence_document)

        weight = group_softmax(attention, token_sentence, n_sentences)
        presence = group_sum(weight * value, token_sentence, n_sentences)
        sentence_weight = group_softmax(
            nn.functional.softplus(self.raw_sharpness) * presence,
            sentence_document,
            layout.n_documents,
        )
        document_presence = group_sum(
            sentence_weight * presence, sentence_document, layout.n_documents
        )
        # The gate reads presence without teaching it: presence has its own labels.
        sentence_logit = (
            nn.functional.softplus(self.raw_gate) * presence.detach()
            - self.decay * torch.log1p(layout.position.to(presence.dtype))[:, None]
        )
        focus = group_softmax(
            stance_attention + sentence_logit[token_sentence], token_document, layout.n_documents
        )
        values = stance_value.reshape(len(outputs), k, self.heads.n_columns)
        stance = group_sum(
            (focus[:, :, None] * values).flatten(1), token_document, layout.n_documents
        ).view(layout.n_documents, k, self.heads.n_columns)
        return LensOutputs(
            presence=document_presence + self.bias,
            stance=stance,
            sentence_presence=presence + self.bias,
            focus=group_sum(focus, token_sentence, n_sentences),
        )

    def pooling_parameters(self) -> PoolingParameters:
        """The document step's numbers, for the runtime."""
        with torch.no_grad():
            return PoolingParameters(
                bias=self.bias.double().cpu().numpy(),
                sharpness=nn.functional.softplus(self.raw_sharpness).double().cpu().numpy(),
                gate=nn.functional.softplus(self.raw_gate).double().cpu().numpy(),
                decay=self.decay.double().cpu().numpy(),
            )


def group_sum(values: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """Sum rows by group: shape (n, c) to (n_groups, c)."""
    return values.new_zeros(n_groups, values.shape[1]).index_add_(0, group, values)


def group_softmax(logits: Tensor, group: Tensor, n_groups: int) -> Tensor:
    """Softmax over the rows of each group, column by column; shape (n, c)."""
    index = group[:, None].expand_as(logits)
    top = logits.new_full((n_groups, logits.shape[1]), -torch.inf).scatter_reduce(
        0, index, logits.detach(), "amax"
    )
    weights = (logits - top[group]).exp()
    return weights / group_sum(weights, group, n_groups)[group]
