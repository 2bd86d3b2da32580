"""A world of about a hundred words: labelled texts, a tokenizer, an encoder, and models for it.

One model is written by hand, so that its answers are known; the others are trained. What needs
torch is imported when it is called for.
"""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from datetime import date
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

from stance.dataset import Dataset, digest_of
from stance.encoding import ArticleEncoder
from stance.records import Article, Label, Record
from stance.schema import Schema, Stance, Topic
from stance.session import GRAPH, INPUTS, WEIGHTS, load_engine
from stance.splits import Splits
from stance.wide import WIDE, WideWeights

if TYPE_CHECKING:
    from transformers import BertConfig

    from training.network import LensModel
    from training.settings import TrainingSettings

SCHEMA = Schema(
    topics=(Topic(name="harbour"), Topic(name="orchard")),
    stances=(
        Stance(name="negative"),
        Stance(name="positive"),
        Stance(name="neutral", predicted=False),
    ),
)
THREE = Schema(
    topics=(Topic(name="harbour"), Topic(name="orchard")),
    stances=(Stance(name="negative"), Stance(name="positive"), Stance(name="mixed")),
)
NOUNS = {
    "harbour": ("harbour", "quay", "ferry"),
    "orchard": ("orchard", "apples", "pears"),
}
VERBS = {
    "negative": ("rots", "declines", "suffers"),
    "positive": ("thrives", "improves", "recovers"),
    "mixed": ("wavers", "alternates", "swings"),
    "neutral": ("exists", "remains", "stays"),
}
_OWNERS = "the our this every another".split()
_PLACES = "village valley island town district".split()
_FILLER = (
    "clerks sort letters near a window",
    "a baker sells bread on monday",
    "two teachers paint the school door",
    "musicians rehearse a slow waltz",
    "snow covers the road to the chapel",
    "the library opens after lunch",
    "children fold paper boats",
    "an engineer repairs an old clock",
    "carpenters measure a long table",
    "the mayor reads a short poem",
)
_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def vocabulary() -> list[str]:
    """All words of this world, and single characters for the rest."""
    words = {
        word for group in (*NOUNS.values(), *VERBS.values(), _OWNERS, _PLACES) for word in group
    }
    words |= {word for sentence in _FILLER for word in sentence.split()} | {"in", "of"}
    letters = "abcdefghijklmnopqrstuvwxyz0123456789"
    return [*_SPECIAL, *".,!?'\"-", *letters, *(f"##{sign}" for sign in letters), *sorted(words)]


def tokenizer() -> Tokenizer:
    """WordPiece over `vocabulary`, framed as [CLS] text [SEP]."""
    made = Tokenizer(
        models.WordPiece(
            {word: index for index, word in enumerate(vocabulary())}, unk_token="[UNK]"
        )
    )
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, vocabulary().index(name)) for name in ("[CLS]", "[SEP]")],
    )
    return made


def encoder(window_tokens: int = 32) -> ArticleEncoder:
    """The tokenizing side for this world."""
    return ArticleEncoder(tokenizer(), window_tokens=window_tokens)


def fact(topic: str, manner: str, rng: random.Random) -> str:
    """A sentence on a topic that presents it in one manner."""
    words = (rng.choice(_OWNERS), rng.choice(NOUNS[topic]), "of the", rng.choice(_PLACES))
    return f"{' '.join(words).capitalize()} {rng.choice(VERBS[manner])}."


def filler(rng: random.Random) -> str:
    """A sentence on neither topic."""
    return f"{rng.choice(_FILLER)} in the {rng.choice(_PLACES)}.".capitalize()


def records(n: int, schema: Schema = SCHEMA, *, seed: int = 0, start: int = 0) -> list[Record]:
    """Labelled texts of one to four sentences; every other label has evidence."""
    rng = random.Random(f"{seed}-{start}")
    made = []
    for number in range(start, start + n):
        # Every combination of topics comes about equally often.
        topics = [name for bit, name in enumerate(schema.topic_names) if number % 4 & (1 << bit)]
        sentences = [filler(rng) for _ in range(rng.randint(0 if topics else 1, 2))]
        labels = []
        for topic in topics:
            manner = rng.choice(schema.predicted_stances)
            sentence = fact(topic, manner, rng)
            sentences.insert(rng.randint(0, len(sentences)), sentence)
            evidence = (sentence,) if rng.random() < 0.5 else ()
            labels.append(Label(topic=topic, stance=manner, evidence=evidence))
        name = f"text-{number}"
        made.append(
            Record(
                id=name, article=Article(text=" ".join(sentences), id=name), labels=tuple(labels)
            )
        )
    return made


def dataset(schema: Schema = SCHEMA) -> tuple[Dataset, Splits]:
    """40 records to train with, 16 to validate and 8 to test."""
    made = records(64, schema)
    parts = {"train": made[:40], "validation": made[40:56], "test": made[56:]}
    splits = Splits(
        splits={name: tuple(sorted(record.id for record in part)) for name, part in parts.items()}
    )
    data = Dataset(schema=schema, records=tuple(made), files=("memory",), digest=digest_of(made))
    return data, splits


def token_table(schema: Schema = SCHEMA) -> NDArray[np.float32]:
    """Outputs per word, in the order of `stance.pooling.output_columns`: shape (words, columns).

    A topic's nouns carry its presence, verbs carry the stance, for whichever topic is near.
    """
    words, k, n = vocabulary(), len(schema.topics), len(schema.predicted_stances)
    columns = 1 if n == 2 else n
    table = np.zeros((len(words), (3 + columns) * k), dtype=np.float32)
    table[:, k : 2 * k] = -6.0
    for column, topic in enumerate(schema.topic_names):
        for noun in NOUNS[topic]:
            table[words.index(noun), column] = 4.0
            table[words.index(noun), k + column] = 6.0
    for column, manner in enumerate(schema.predicted_stances):
        for verb in VERBS[manner]:
            row = table[words.index(verb)]
            row[2 * k : 3 * k] = 4.0
            values = row[3 * k :].reshape(k, columns)
            if n == 2:
                values[:] = 4.0 if column else -4.0
            else:
                values[:, column] = 5.0
    return table


def write_graph(
    folder: Path, table: NDArray[np.float32], *, names: tuple[str, ...] = INPUTS
) -> None:
    """Write a graph that looks up each token's row and adds a little of its window's mean.

    The mean is over what the mask shows, as in an encoder, so that wrong masks change the answer.
    """
    engine = load_engine()
    ops = engine.opset13
    ids, mask = (ops.parameter([-1, -1], np.int64, name=name) for name in names)
    for port, name in zip((ids, mask), names, strict=True):
        port.output(0).get_tensor().set_names({name})
    rows = ops.gather(ops.constant(table), ids, ops.constant(np.int64(0)))
    seen = ops.unsqueeze(ops.convert(mask, "f32"), ops.constant(np.array([2])))
    axis = ops.constant(np.array([1]))
    mean = ops.divide(
        ops.reduce_sum(ops.multiply(rows, seen), axis, keep_dims=True),
        ops.reduce_sum(seen, axis, keep_dims=True),
    )
    mixed = ops.add(rows, ops.multiply(mean, ops.constant(np.float32(0.05))))
    folder.mkdir(parents=True, exist_ok=True)
    engine.save_model(
        engine.Model([ops.result(mixed)], [ids, mask], "tiny"),
        folder / GRAPH,
        compress_to_fp16=False,
    )


def manifest(schema: Schema = SCHEMA, **changes: Any) -> dict[str, Any]:
    """A sound manifest of a lens model, but for its files."""
    k = len(schema.topics)
    return {
        "format_version": 1,
        "kind": "lens",
        "name": "tiny",
        "created": date(2026, 1, 2).isoformat(),
        "schema_digest": schema.digest,
        "window_tokens": 32,
        "pooling": {
            "bias": [0.25] * k,
            "sharpness": [2.0] * k,
            "gate": [1.0] * k,
            "decay": [0.1] * k,
        },
        "calibration": {
            topic: {
                "slope": 1.5,
                "offset": -0.5,
                "temperature": 2.0,
                "threshold": 0.4,
                "curve": [[0.2, 0.7, 1.0], [0.4, 0.8, 0.9], [0.9, 1.0, 0.3]],
            }
            for topic in schema.topic_names
        },
        "uncertainty": {"confidence": 0.7, "promised": True},
        "files": {},
        **changes,
    }


def write_folder(folder: Path, files: dict[str, bytes], data: dict[str, Any]) -> Path:
    """Write a model folder: files, all of them required, and a manifest that lists them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    entries = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
    }
    whole = {**data, "files": {**entries, **data["files"]}}
    (folder / "manifest.json").write_text(json.dumps(whole), encoding="utf-8")
    return folder


def write_model(folder: Path, schema: Schema = SCHEMA, **changes: Any) -> Path:
    """Write the model whose graph is made by hand."""
    write_graph(folder, token_table(schema))
    files = {name: (folder / name).read_bytes() for name in (GRAPH, WEIGHTS)}
    files["tokenizer.json"] = tokenizer().to_str().encode()
    files["schema.json"] = json.dumps(schema.to_dict()).encode()
    return write_folder(folder, files, manifest(schema, **changes))


def write_whole_model(folder: Path) -> Path:
    """The model whose graph is made by hand, with a wide part; with torch, float weights too."""
    write_graph(folder, token_table())
    n, k = len(vocabulary()), len(SCHEMA.topics)
    draw = np.random.default_rng(0)
    WideWeights(
        keys=np.arange(n, dtype=np.int64),
        idf=draw.uniform(1, 5, n).astype(np.float32),
        presence=draw.normal(size=(n, k)).astype(np.float16),
        presence_bias=np.zeros(k, dtype=np.float32),
        stance=draw.normal(size=(n, k, 1)).astype(np.float16),
        stance_bias=np.zeros((k, 1), dtype=np.float32),
    ).save(folder)
    files = {name: (folder / name).read_bytes() for name in (GRAPH, WEIGHTS, WIDE)}
    files["tokenizer.json"] = tokenizer().to_str().encode()
    files["schema.json"] = json.dumps(SCHEMA.to_dict()).encode()
    optional = {}
    if find_spec("torch") is not None:
        from training.weights import save_lens

        optional = {name: (folder / name).read_bytes() for name in save_lens(lens(), folder)}
    entries = {
        name: {
            "sha256": hashlib.sha256(content).hexdigest(),
            "bytes": len(content),
            "required": False,
        }
        for name, content in optional.items()
    }
    return write_folder(folder, files, manifest(format_version=2, files=entries))


def settings(**changes: Any) -> TrainingSettings:
    """A recipe that teaches this world in seconds."""
    from training.settings import TrainingSettings

    chosen: dict[str, Any] = {
        "window_tokens": 32,
        "epochs": 12,
        "batch_tokens": 192,
        "encoder_rate": 3e-3,
        "head_rate": 1e-2,
        "dropout": 0.0,
        "label_smoothing": 0.0,
        "average_from": 0.8,
        "average_decay": 0.9,
        "bf16": False,
        # One pair in a hundred is not seen among so few held-out texts.
        "parity_limit": 0.1,
        # Forty texts of ten words: counted words must not hide what the lens has learnt.
        "wide_weight": 0.1,
        **changes,
    }
    return TrainingSettings(**chosen)


def _config(*, dropout: float) -> BertConfig:
    from transformers import BertConfig

    config = BertConfig(
        vocab_size=len(vocabulary()),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        hidden_dropout_prob=dropout,
        attention_probs_dropout_prob=dropout,
    )
    config._attn_implementation = "eager"
    return config


def write_encoder(folder: Path, *, seed: int = 0) -> Path:
    """Write an encoder with weights by chance, as transformers does."""
    import torch
    from transformers import BertModel, PreTrainedTokenizerFast

    torch.manual_seed(seed)
    BertModel(_config(dropout=0.1), add_pooling_layer=False).save_pretrained(folder)
    names = dict(zip(("pad", "unk", "cls", "sep", "mask"), _SPECIAL, strict=True))
    PreTrainedTokenizerFast(  # type: ignore[no-untyped-call]
        tokenizer_object=tokenizer(),
        model_max_length=64,
        **{f"{short}_token": name for short, name in names.items()},
    ).save_pretrained(folder)
    return folder


def lens(schema: Schema = SCHEMA, *, seed: int = 0) -> LensModel:
    """An untrained model of this world in which every number of the pooling matters."""
    import torch
    from transformers import BertModel

    from training.network import LensModel

    torch.manual_seed(seed)
    model = LensModel(
        BertModel(_config(dropout=0.0), add_pooling_layer=False),
        len(schema.topics),
        len(schema.predicted_stances),
        dropout=0.0,
    )
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if not name.startswith("encoder."):
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


def shared(root: pytest.TempPathFactory, name: str, make: Callable[[Path], object]) -> Path:
    """A folder that is made once, also where several processes run the tests."""
    from filelock import FileLock

    base = root.getbasetemp()
    place = (base.parent if base.name.startswith("popen-") else base) / "shared"
    place.mkdir(exist_ok=True)
    with FileLock(place / f"{name}.lock"):
        if not (place / f"{name}.done").is_file():
            make(place / name)
            (place / f"{name}.done").touch()
    return place / name


def use_one_thread() -> None:
    """Tiny products lose more by waiting for other threads than they win."""
    import torch

    torch.set_num_threads(1)


def train_into(folder: Path, base: Path, schema: Schema = SCHEMA, **changes: Any) -> Path:
    """Train a model of this world."""
    from training.api import train

    use_one_thread()
    data, splits = dataset(schema)
    train(data, splits, settings(**changes), folder, base=str(base))
    return folder


def encoder_folder(root: pytest.TempPathFactory) -> Path:
    """The folder of an encoder with weights by chance."""
    return shared(root, "encoder", write_encoder)


def trained_model(root: pytest.TempPathFactory) -> Path:
    """The folder of a model that knows this world."""
    base = encoder_folder(root)
    return shared(root, "model", lambda folder: train_into(folder, base))
