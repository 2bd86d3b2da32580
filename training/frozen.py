"""States of a frozen encoder, computed once, so that only the heads are run in training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch

from stance.encoding import ArticleEncoder
from training.corpus import Example
from training.network import LensModel


def with_states(
    lens: LensModel, encoder: ArticleEncoder, examples: Sequence[Example], *, bf16: bool
) -> list[Example]:
    """The examples with the states of the encoder as it is, in half precision."""
    order = sorted(range(len(examples)), key=lambda index: examples[index].n_tokens)
    found: list[Example | None] = [None] * len(examples)
    lens.eval()
    for begin in range(0, len(order), 32):
        group = order[begin : begin + 32]
        packed = [list(encoder.pack(examples[index].token_ids)) for index in group]
        batch = encoder.batch([window for windows in packed for window in windows])
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            states = lens.encoder(
                input_ids=torch.from_numpy(batch.input_ids),
                attention_mask=torch.from_numpy(batch.attention_mask),
            ).last_hidden_state[torch.from_numpy(batch.content_mask)]
        # Out of inference mode the copy may be read by a training step.
        pieces = iter(states.half().clone().split([examples[i].n_tokens for i in group]))
        for index in group:
            lengths = [len(ids) for ids in examples[index].token_ids]
            found[index] = replace(examples[index], states=next(pieces).split(lengths))
    return [example for example in found if example is not None]
