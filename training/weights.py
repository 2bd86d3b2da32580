"""The float model in a model folder: written beside the graph, read for training and export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoConfig, AutoModel

from stance.artifact import Artifact, load_artifact
from stance.classifier import TOKENIZER
from stance.encoding import ArticleEncoder
from stance.errors import ModelError
from stance.pooling import n_stance_columns
from stance.schema import Schema
from training.network import LensModel

WEIGHTS = "weights.safetensors"
ENCODER_CONFIG = "encoder.json"


def round_weights(lens: LensModel) -> None:
    """Round to half precision, in which weights are kept: graph and weights then agree exactly."""
    with torch.no_grad():
        for parameter in lens.parameters():
            parameter.copy_(parameter.half().float())


def save_lens(lens: LensModel, folder: Path) -> list[str]:
    """Write weights (half precision) and the encoder's configuration; returns the file names."""
    tensors = {name: value.half().contiguous() for name, value in lens.state_dict().items()}
    save_file(tensors, folder / WEIGHTS)
    config = lens.encoder.config.to_dict()
    config.pop("_name_or_path", None)  # a path of the machine that trained it
    (folder / ENCODER_CONFIG).write_text(
        json.dumps(config, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )
    return [WEIGHTS, ENCODER_CONFIG]


def load_lens(folder: str | Path) -> tuple[LensModel, ArticleEncoder, Artifact]:
    """Read the float model of a model folder.

    Raises:
        ModelError: If the folder is not sound, holds no float weights, or they do not fit.
    """
    artifact = load_artifact(folder)
    if artifact.manifest.kind != "lens" or artifact.manifest.window_tokens is None:
        raise ModelError(f"{folder}: expected a lens model, found a {artifact.manifest.kind} model")
    task = "training or export"
    raw = json.loads(artifact.read_optional(ENCODER_CONFIG, needed_for=task))
    tensors = load_tensors(artifact.read_optional(WEIGHTS, needed_for=task))
    lens = build_lens(raw, artifact.schema)
    try:
        lens.load_state_dict({name: value.float() for name, value in tensors.items()})
    except RuntimeError as error:
        raise ModelError(f"{folder}/{WEIGHTS}: the weights do not fit: {error}") from None
    tokenizer = Tokenizer.from_str(artifact.contents[TOKENIZER].decode("utf-8"))
    return lens, ArticleEncoder(tokenizer, window_tokens=artifact.manifest.window_tokens), artifact


def build_lens(config: dict[str, Any], schema: Schema, *, dropout: float = 0.1) -> LensModel:
    """A model with fresh weights for an encoder's configuration."""
    kind = config.pop("model_type", None)
    encoder_config = AutoConfig.for_model(kind, **config)
    encoder_config._attn_implementation = "sdpa" if torch.cuda.is_available() else "eager"
    try:
        encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
            encoder_config, add_pooling_layer=False
        )
    except TypeError:
        encoder = AutoModel.from_config(encoder_config)  # type: ignore[no-untyped-call]
    return LensModel(encoder, len(schema.topics), len(schema.predicted_stances), dropout)


def transfer(source: LensModel, source_schema: Schema, target: LensModel, schema: Schema) -> None:
    """Take over what an earlier model knows: the encoder, the shared stance map, equal topics.

    Args:
        source: The earlier model.
        source_schema: Its schema.
        target: The model to be trained; changed in place.
        schema: Its schema. Topics and stances are matched by name; the stance maps are left as
            they are if it has a stance that the earlier model does not know.
    """
    target.encoder.load_state_dict(source.encoder.state_dict())
    target.heads.stance_hidden.load_state_dict(source.heads.stance_hidden.state_dict())
    own, old = schema.predicted_stances, source_schema.predicted_stances
    known_stances = set(own) <= set(old)
    n_own, n_old = target.heads.n_columns, source.heads.n_columns
    with torch.no_grad():
        for part in ("weight", "bias") if known_stances else ():
            rows = _stance_rows(getattr(source.heads.stance_shared, part), old, own)
            getattr(target.heads.stance_shared, part).copy_(rows)
        for column, topic in enumerate(schema.topic_names):
            if topic not in source_schema.topic_names:
                continue
            before = source_schema.topic_index(topic)
            for name in ("attention", "presence", "stance_attention"):
                for part in ("weight", "bias"):
                    ours = getattr(getattr(target.heads, name), part)
                    ours[column] = getattr(getattr(source.heads, name), part)[before]
            for name in ("bias", "raw_sharpness", "raw_gate", "decay"):
                getattr(target, name)[column] = getattr(source, name)[before]
            for part in ("weight", "bias") if known_stances else ():
                ours = getattr(target.heads.stance_topic, part)
                theirs = getattr(source.heads.stance_topic, part)
                theirs = theirs[before * n_old : (before + 1) * n_old]
                ours[column * n_own : (column + 1) * n_own] = _stance_rows(theirs, old, own)


def _stance_rows(rows: Tensor, old: tuple[str, ...], own: tuple[str, ...]) -> Tensor:
    """Rows of a stance map for other stances; two stances share one row, their difference."""
    if n_stance_columns(len(old)) == 1:
        # The row is second less first; a schema that holds the two in another order turns it.
        return rows if own == old else -rows
    chosen = [rows[old.index(name)] for name in own]
    if n_stance_columns(len(own)) == 1:
        return (chosen[1] - chosen[0])[None]
    return torch.stack(chosen)
