"""The float model in a model folder: written beside the graph, read for training and export."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save_file
from torch import Tensor
from transformers import AutoConfig, AutoModel

from stance.artifact import Artifact, load_artifact, read_json
from stance.classifier import TOKENIZER
from stance.encoding import ArticleEncoder, Window, load_tokenizer
from stance.errors import ModelError, in_words, shorten
from stance.pooling import n_stance_columns
from stance.schema import Schema
from training.network import LensModel

WEIGHTS = "weights.safetensors"
ENCODER_CONFIG = "encoder.json"
MAX_CONFIG_BYTES = 1_000_000
MAX_LAYERS = 1_000
"""Of a configuration's numbers that count layers, groups and the like: each is built in turn."""

MAX_SIZE = 100_000_000
"""Of all its other whole numbers; the largest vocabularies have a million words."""

TASK = "training or export"
# What would have the library fetch code, or other weights than those that the folder holds.
_NOT_OURS = ("auto_map", "attn_implementation", "experts_implementation", "quantization_config")


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
    if TOKENIZER not in artifact.contents:
        raise ModelError(f"{folder}: the manifest does not list {TOKENIZER} as required")
    config, tensors = _read_config(artifact), _read_tensors(artifact)
    # Without memory at first: the configuration may ask for any amount of it.
    with torch.device("meta"):
        draft = _build_checked(config, artifact)
    _check_fit(draft, tensors, f"{folder}/{WEIGHTS}")
    lens = _build_checked(config, artifact)
    lens.load_state_dict(tensors)
    encoder = ArticleEncoder(
        load_tokenizer(artifact.contents[TOKENIZER], f"{folder}/{TOKENIZER}"),
        window_tokens=artifact.manifest.window_tokens,
    )
    _try_out(lens, encoder, f"{folder}/{ENCODER_CONFIG}")
    return lens, encoder, artifact


def _read_config(artifact: Artifact) -> dict[str, Any]:
    """The encoder's configuration, without what is not for a stranger to decide."""
    place = f"{artifact.path}/{ENCODER_CONFIG}"
    content = artifact.read_optional(ENCODER_CONFIG, needed_for=TASK, limit=MAX_CONFIG_BYTES)
    config = read_json(place, content)
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ModelError(f"{place}: expected an object with a model_type, found {shorten(config)}")
    config = {key: value for key, value in config.items() if key.strip("_") not in _NOT_OURS}
    for name, number in _numbers(config):
        counts = any(word in name for word in ("layer", "group", "block", "expert", "stage"))
        limit = MAX_LAYERS if counts else MAX_SIZE
        if number > limit:
            raise ModelError(
                f"{place}: {shorten(name)}: expected at most {limit:,}, found {shorten(number)}"
            )
    return config


def _numbers(config: dict[str, Any]) -> Iterator[tuple[str, int]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield from _numbers(value)
            continue
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, int):
                yield key, item


def _read_tensors(artifact: Artifact) -> dict[str, Tensor]:
    place = f"{artifact.path}/{WEIGHTS}"
    try:
        tensors = load_tensors(artifact.read_optional(WEIGHTS, needed_for=TASK))
        floats = {name: value.float() for name, value in tensors.items()}
    except ModelError:
        raise
    except Exception as error:  # the library raises what its parts raise on a broken header
        raise ModelError(
            f"{place}: expected safetensors, found a fault: {in_words(error)}"
        ) from None
    for name, value in floats.items():
        if not torch.isfinite(value).all():
            raise ModelError(f"{place}: {shorten(name)}: expected finite numbers")
    return floats


def _build_checked(config: dict[str, Any], artifact: Artifact) -> LensModel:
    try:
        return build_lens(dict(config), artifact.schema)
    except Exception as error:  # each architecture checks its configuration in its own way
        raise ModelError(
            f"{artifact.path}/{ENCODER_CONFIG}: no encoder can be built from it: {in_words(error)}"
        ) from None


def _check_fit(lens: LensModel, tensors: dict[str, Tensor], place: str) -> None:
    wanted = {name: tuple(value.shape) for name, value in lens.state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            raise ModelError(
                f"{place}: the weights do not fit: {shorten(name)}: expected "
                f"{wanted.get(name, 'nothing')}, found {found.get(name, 'nothing')}"
            )


def _try_out(lens: LensModel, encoder: ArticleEncoder, place: str) -> None:
    """Run the longest window once, so that what cannot be run is not found in midst of training."""
    # The highest token, since an encoder may know fewer than its tokenizer.
    highest = max(encoder.tokenizer.get_vocab().values(), default=0)
    batch = encoder.batch([Window([highest] * encoder.capacity, ())])
    ids, mask = torch.from_numpy(batch.input_ids), torch.from_numpy(batch.attention_mask)
    before = lens.training
    lens.eval()
    try:
        with torch.inference_mode():
            lens.token_outputs(ids, mask)
    except Exception as error:
        raise ModelError(f"{place}: the encoder cannot be run: {in_words(error)}") from None
    lens.train(before)


def build_lens(config: dict[str, Any], schema: Schema, *, dropout: float = 0.1) -> LensModel:
    """A model with fresh weights for an encoder's configuration."""
    kind = config.pop("model_type", None)
    encoder_config = AutoConfig.for_model(kind, **config)
    if encoder_config.sub_configs or encoder_config.is_encoder_decoder:
        raise ModelError(f"model_type: expected a text encoder, found {shorten(kind)}")
    encoder_config._attn_implementation = "sdpa" if torch.cuda.is_available() else "eager"
    try:
        encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
            encoder_config, trust_remote_code=False, add_pooling_layer=False
        )
    except TypeError:
        encoder = AutoModel.from_config(  # type: ignore[no-untyped-call]
            encoder_config, trust_remote_code=False
        )
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
