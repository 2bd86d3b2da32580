"""A trained model into its folder: graph, calibration, parity check, evaluation, manifest."""

from __future__ import annotations

import hashlib
import json
import platform
import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stance._version import __version__
from stance.artifact import (
    MANIFEST,
    SCHEMA,
    FileEntry,
    Manifest,
    Parity,
    Pooling,
    TopicCalibration,
    load_artifact,
)
from stance.classifier import TOKENIZER, Classifier, LensScorer, Scorer
from stance.decoding import sigmoid
from stance.encoding import ArticleEncoder
from stance.errors import ModelError
from stance.evaluation import Report, evaluate
from stance.records import Record
from stance.schema import Schema
from stance.session import GRAPH
from stance.session import WEIGHTS as GRAPH_WEIGHTS
from stance.wide import WIDE, WidePart
from training.calibration import calibrate
from training.card import main_scores, write_card
from training.corpus import Example, make_examples
from training.export import write_onnx
from training.loop import score_examples
from training.network import LensModel
from training.quantise import write_graph
from training.scoring import Logits
from training.settings import TrainingSettings
from training.weights import round_weights, save_lens
from training.wide import with_wide

PARITY_FILE = "parity.jsonl"
PARITY_TEXTS = 24
_LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "openvino",
    "nncf",
    "onnx",
    "scikit-learn",
    "scipy",
    "numpy",
    "sentencex",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What the manifest says of where a model comes from."""

    name: str
    schema: Schema
    settings: TrainingSettings
    data: Mapping[str, Any]
    history: tuple[Mapping[str, float], ...] = ()


def package_lens(
    lens: LensModel,
    wide: WidePart | None,
    encoder: ArticleEncoder,
    tokenizer_json: str,
    folder: Path,
    *,
    provenance: Provenance,
    train: Sequence[Example],
    held_out: Mapping[str, Sequence[Record]],
) -> dict[str, Report]:
    """Fill a new folder with everything a lens model needs.

    Args:
        lens: The trained model; its weights are rounded to half precision.
        wide: The wide part; None for a model without one.
        encoder: The tokenizing side.
        tokenizer_json: The tokenizer as text.
        folder: An empty folder.
        provenance: For the manifest.
        train: Where calibration windows of the quantisation are drawn from.
        held_out: Records by split name; `validation` is calibrated on, the others are reported.

    Returns:
        The evaluation of each held-out split.

    Raises:
        ModelError: If the int8 graph labels more held-out pairs otherwise than the float model
            than the settings allow.
    """
    settings, schema = provenance.settings, provenance.schema
    round_weights(lens)
    names = save_lens(lens, folder)
    (folder / TOKENIZER).write_text(tokenizer_json, encoding="utf-8")
    windows = [window for example in train for window in encoder.pack(example.token_ids)]
    chosen = random.Random(settings.seed).sample(
        windows, min(len(windows), settings.calibration_windows)
    )
    with tempfile.TemporaryDirectory() as aside:
        onnx = Path(aside) / "float.onnx"
        write_onnx(lens, onnx)
        write_graph(onnx, folder, encoder, chosen)
    pooling = lens.pooling_parameters()
    draft = {
        "kind": "lens",
        "window_tokens": settings.window_tokens,
        "pooling": Pooling(**{n: getattr(pooling, n).tolist() for n in Pooling.model_fields}),
    }
    required = [GRAPH, GRAPH_WEIGHTS, TOKENIZER, SCHEMA]
    if wide is not None:
        wide.weights.save(folder)
        required.append(WIDE)
    write_manifest(folder, provenance, draft, required=required, optional=[])
    validation = held_out["validation"]
    examples = make_examples(validation, schema, encoder)
    stance = np.stack([example.stance for example in examples])
    float_logits = with_wide(score_examples(lens, encoder, examples), wide, examples)
    int8_logits = scorer_logits(LensScorer(load_artifact(folder)), validation)
    calibration = calibrate(
        int8_logits,
        stance,
        schema,
        negative_share=settings.negative_share,
        uncertain_error=settings.uncertain_error,
    )
    parity = compare(float_logits, int8_logits, calibration.topics, schema, settings.parity_limit)
    _write_parity(folder / PARITY_FILE, validation, float_logits)
    draft |= {
        "calibration": calibration.topics,
        "uncertainty": calibration.uncertainty,
        "parity": parity,
    }
    optional = [*names, PARITY_FILE]
    write_manifest(folder, provenance, draft, required=required, optional=optional)
    return finish(folder, provenance, draft, held_out, required=required, optional=optional)


def finish(
    folder: Path,
    provenance: Provenance,
    draft: Mapping[str, Any],
    held_out: Mapping[str, Sequence[Record]],
    *,
    required: Sequence[str],
    optional: Sequence[str],
    scorer: Scorer | None = None,
) -> dict[str, Report]:
    """Evaluate the folder as it will be used, and write manifest and model card with the scores."""
    artifact = load_artifact(folder)
    classifier = Classifier(artifact, scorer or LensScorer(artifact))
    reports = {
        split: evaluate(
            records,
            classifier.predict_many(record.article for record in records),
            provenance.schema,
            about={"split": split, "model": classifier.digest, "data": provenance.data["digest"]},
        )
        for split, records in held_out.items()
        if records
    }
    summary = {split: main_scores(report) for split, report in reports.items()}
    write_manifest(
        folder, provenance, {**draft, "scores": summary}, required=required, optional=optional
    )
    write_card(folder / "README.md", load_artifact(folder), reports)
    return reports


def write_manifest(
    folder: Path,
    provenance: Provenance,
    draft: Mapping[str, Any],
    *,
    required: Sequence[str],
    optional: Sequence[str],
) -> None:
    """Write `schema.json` and `manifest.json` with the digests of the files as they are."""
    schema = provenance.schema
    (folder / SCHEMA).write_text(
        json.dumps(schema.to_dict(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    files = {
        name: FileEntry(
            sha256=hashlib.sha256((folder / name).read_bytes()).hexdigest(),
            bytes=(folder / name).stat().st_size,
            required=name in required,
        )
        for name in (*required, *optional)
    }
    manifest = Manifest(
        name=provenance.name,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        schema_digest=schema.digest,
        files=files,
        training=provenance.settings.model_dump(mode="json"),
        data=dict(provenance.data),
        versions=library_versions(),
        history=[dict(row) for row in provenance.history],
        **{"calibration": {topic: TopicCalibration() for topic in schema.topic_names}, **draft},
    )
    (folder / MANIFEST).write_text(
        json.dumps(manifest.model_dump(mode="json"), indent=1, ensure_ascii=False) + "\n",
        encoding="utf-8",
    )


def scorer_logits(scorer: Scorer, records: Sequence[Record]) -> Logits:
    """Raw logits of records, from what the model folder's user will run."""
    presence, stance = [], []
    for begin in range(0, len(records), 64):
        articles = [record.article for record in records[begin : begin + 64]]
        for scored in scorer.score(articles, batch_tokens=2_048):
            presence.append(scored.scores.presence)
            stance.append(scored.scores.stance)
    return Logits(presence=np.stack(presence), stance=np.stack(stance))


def compare(
    exact: Logits,
    quantised: Logits,
    calibration: Mapping[str, TopicCalibration],
    schema: Schema,
    limit: float,
) -> Parity:
    """Count the labels that quantisation changes.

    Raises:
        ModelError: If more than `limit` of the (text, topic) pairs get another label: found or
            not, and if found in both, the stance.
    """
    found = {}
    for name, logits in (("exact", exact), ("quantised", quantised)):
        found[name] = np.stack(
            [
                sigmoid(c.slope * logits.presence[:, k] + c.offset) >= c.threshold
                for k, c in enumerate(calibration[topic] for topic in schema.topic_names)
            ],
            axis=1,
        )
    both = found["exact"] & found["quantised"]
    presence: NDArray[np.bool_] = found["exact"] != found["quantised"]
    stance = both & (exact.stance_choice != quantised.stance_choice)
    parity = Parity(
        pairs=int(presence.size),
        presence_changed=int(presence.sum()),
        stance_pairs=int(both.sum()),
        stance_changed=int(stance.sum()),
        largest_presence_difference=round(
            float(np.abs(sigmoid(exact.presence) - sigmoid(quantised.presence)).max()), 4
        ),
        limit=limit,
    )
    changed = parity.presence_changed + parity.stance_changed
    if changed > limit * parity.pairs:
        raise ModelError(
            f"the int8 graph labels {changed} of {parity.pairs} held-out (text, topic) pairs "
            f"otherwise than the float model, more than {limit:.1%}; the model is not written. "
            "Raise calibration_windows in the recipe, or parity_limit if you accept it"
        )
    return parity


def library_versions() -> dict[str, str]:
    """Versions of what a model was built with."""
    versions = {"python": platform.python_version(), "stance": __version__}
    for name in _LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    return versions


def _write_parity(path: Path, records: Sequence[Record], logits: Logits) -> None:
    """Inputs with the float model's outputs, for whoever runs the weights elsewhere."""
    lines = [
        json.dumps(
            {
                "title": record.article.title,
                "text": record.article.text,
                "presence": [round(value, 5) for value in logits.presence[index].tolist()],
                "stance": [
                    [round(value, 5) for value in row] for row in logits.stance[index].tolist()
                ],
            },
            ensure_ascii=False,
        )
        for index, record in enumerate(records[:PARITY_TEXTS])
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
