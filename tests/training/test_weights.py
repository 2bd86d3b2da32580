"""Float weights come back from their file, and go over into models of other schemas."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import tiny
import torch
from torch import Tensor

from stance.errors import ModelError
from stance.schema import Schema, Stance, Topic
from training.corpus import Collator, make_examples
from training.loop import score_examples
from training.network import LensModel
from training.scoring import Logits
from training.weights import (
    ENCODER_CONFIG,
    WEIGHTS,
    build_lens,
    load_lens,
    round_weights,
    save_lens,
    transfer,
)

pytestmark = pytest.mark.training

ENCODER = tiny.encoder()
BATCH = Collator(ENCODER)(make_examples(tiny.records(8), tiny.SCHEMA, ENCODER))


def schema_of(topics: str, stances: str) -> Schema:
    return Schema(
        topics=tuple(Topic(name=name) for name in topics.split()),
        stances=tuple(Stance(name=name) for name in stances.split()),
    )


def columns(lens: LensModel) -> tuple[Tensor, Tensor]:
    """The maps of one column a topic, shape (tokens, 3, topics), and the stance values."""
    with torch.inference_mode():
        outputs = lens.token_outputs(BATCH["input_ids"], BATCH["attention_mask"])
    content = outputs[BATCH["content_mask"]]
    k = lens.heads.n_topics
    values = content[:, 3 * k :].reshape(len(content), k, lens.heads.n_columns)
    return content[:, : 3 * k].reshape(len(content), 3, k), values


def moved(source: LensModel, old: Schema, new: Schema, *, seed: int = 9) -> LensModel:
    target = tiny.lens(new, seed=seed)
    transfer(source, old, target, new)
    return target


def scalars(lens: LensModel) -> Tensor:
    return torch.stack([lens.bias, lens.raw_sharpness, lens.raw_gate, lens.decay]).detach()


def test_the_same_schema_gives_the_same_model() -> None:
    source = tiny.lens()
    target = moved(source, tiny.SCHEMA, tiny.SCHEMA)
    for ours, theirs in zip(columns(target), columns(source), strict=True):
        torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(scalars(target), scalars(source))


def test_topics_go_by_name_and_new_ones_are_left_as_they_are() -> None:
    old, new = schema_of("a b c", "minus plus"), schema_of("c new a", "minus plus")
    source, fresh = tiny.lens(old), tiny.lens(new, seed=9)
    target = moved(source, old, new)
    (ours, our_values), (theirs, their_values) = columns(target), columns(source)
    torch.testing.assert_close(ours[..., [0, 2]], theirs[..., [2, 0]])
    torch.testing.assert_close(our_values[:, [0, 2]], their_values[:, [2, 0]])
    torch.testing.assert_close(scalars(target)[:, [0, 2]], scalars(source)[:, [2, 0]])
    torch.testing.assert_close(scalars(target)[:, 1], scalars(fresh)[:, 1])
    torch.testing.assert_close(target.heads.presence.weight[1], fresh.heads.presence.weight[1])
    torch.testing.assert_close(
        target.heads.stance_topic.weight[1], fresh.heads.stance_topic.weight[1]
    )


def test_two_stances_in_the_other_order_turn_the_sign() -> None:
    old, new = schema_of("a b", "minus plus"), schema_of("a b", "plus minus")
    source = tiny.lens(old)
    ours, theirs = columns(moved(source, old, new)), columns(source)
    torch.testing.assert_close(ours[0], theirs[0])
    torch.testing.assert_close(ours[1], -theirs[1])


@pytest.mark.parametrize("chosen", [(0, 1), (2, 0)])
def test_two_of_three_stances_are_their_difference(chosen: tuple[int, int]) -> None:
    names = ("minus", "plus", "mixed")
    old = schema_of("a b", " ".join(names))
    new = schema_of("b a", " ".join(names[index] for index in chosen))
    source = tiny.lens(old)
    (_, ours), (_, theirs) = columns(moved(source, old, new)), columns(source)
    expected = theirs[..., chosen[1]] - theirs[..., chosen[0]]
    torch.testing.assert_close(ours[..., 0], expected.flip(1))


def test_three_stances_go_by_name() -> None:
    old, new = schema_of("a b", "minus plus mixed"), schema_of("a b", "mixed minus plus")
    source = tiny.lens(old)
    (_, ours), (_, theirs) = columns(moved(source, old, new)), columns(source)
    torch.testing.assert_close(ours, theirs[..., [2, 0, 1]])


def test_an_unknown_stance_leaves_the_stance_maps_but_not_presence() -> None:
    old, new = schema_of("a b", "minus plus"), schema_of("b", "minus plus mixed")
    source, fresh = tiny.lens(old), tiny.lens(new, seed=9)
    target = moved(source, old, new)
    torch.testing.assert_close(columns(target)[0], columns(source)[0][..., [1]])
    torch.testing.assert_close(scalars(target), scalars(source)[:, [1]])
    for name in ("stance_shared", "stance_topic"):
        ours, theirs = (getattr(lens.heads, name).weight for lens in (target, fresh))
        torch.testing.assert_close(ours, theirs)


def test_stances_that_are_not_predicted_do_not_count() -> None:
    old = schema_of("a b", "minus plus")
    new = replace(old, stances=(Stance(name="odd", predicted=False), *old.stances))
    source = tiny.lens(old)
    torch.testing.assert_close(columns(moved(source, old, new))[1], columns(source)[1])


def logits(lens: LensModel) -> Logits:
    examples = make_examples(tiny.records(6, seed=2), tiny.SCHEMA, ENCODER)
    return score_examples(lens, ENCODER, examples)


def test_a_saved_model_loads_as_it_was(tmp_path: Path) -> None:
    lens = tiny.lens()
    round_weights(lens)
    assert save_lens(lens, tmp_path) == [WEIGHTS, ENCODER_CONFIG]
    config = json.loads((tmp_path / ENCODER_CONFIG).read_text())
    assert "_name_or_path" not in config
    files = {"schema.json": json.dumps(tiny.SCHEMA.to_dict()).encode()}
    files["tokenizer.json"] = tiny.tokenizer().to_str().encode()
    files |= {name: (tmp_path / name).read_bytes() for name in (WEIGHTS, ENCODER_CONFIG)}
    tiny.write_folder(tmp_path / "model", files, tiny.manifest())
    loaded, encoder, artifact = load_lens(tmp_path / "model")
    assert artifact.schema == tiny.SCHEMA
    assert encoder.capacity == 30
    for (name, ours), (_, theirs) in zip(
        loaded.named_parameters(), lens.named_parameters(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    before, after = logits(lens), logits(loaded)
    assert before.presence == pytest.approx(after.presence, abs=1e-6)
    assert before.stance == pytest.approx(after.stance, abs=1e-6)


def test_rounding_is_to_half_precision() -> None:
    lens = tiny.lens()
    exact = {name: value.detach().clone() for name, value in lens.named_parameters()}
    round_weights(lens)
    changed = 0
    for name, value in lens.named_parameters():
        assert torch.equal(value, exact[name].half().float()), name
        changed += int((value != exact[name]).sum())
    assert changed


def test_a_new_model_is_built_for_another_schema() -> None:
    config = tiny.lens().encoder.config.to_dict()
    lens = build_lens(dict(config), schema_of("a b c", "x y z"))
    assert lens.heads.n_topics == 3
    assert lens.heads.n_columns == 3


def test_other_models_are_refused(tmp_path: Path, tiny_model: Path) -> None:
    runtime = tmp_path / "runtime"
    shutil.copytree(tiny_model, runtime)
    (runtime / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=f"training or export needs {WEIGHTS}"):
        load_lens(runtime)
    changed = tmp_path / "changed"
    shutil.copytree(tiny_model, changed)
    content = bytearray((changed / WEIGHTS).read_bytes())
    content[-1] ^= 1
    (changed / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match=rf"{WEIGHTS}: it is not the file"):
        load_lens(changed)
    files = {"schema.json": json.dumps(tiny.SCHEMA.to_dict()).encode()}
    baseline = tiny.manifest(kind="baseline", pooling=None, window_tokens=None)
    with pytest.raises(ModelError, match="expected a lens model, found a baseline model"):
        load_lens(tiny.write_folder(tmp_path / "baseline", files, baseline))


def test_weights_of_another_shape_are_refused(tmp_path: Path) -> None:
    save_lens(tiny.lens(tiny.THREE), tmp_path)
    files = {name: (tmp_path / name).read_bytes() for name in (WEIGHTS, ENCODER_CONFIG)}
    files["schema.json"] = json.dumps(tiny.SCHEMA.to_dict()).encode()
    files["tokenizer.json"] = tiny.tokenizer().to_str().encode()
    tiny.write_folder(tmp_path / "model", files, tiny.manifest())
    with pytest.raises(ModelError, match="the weights do not fit"):
        load_lens(tmp_path / "model")
