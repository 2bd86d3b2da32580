"""A model folder as plain ONNX for other runtimes, checked against the float model."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
import torch

from stance.artifact import MANIFEST, SCHEMA, Artifact
from stance.classifier import TOKENIZER
from stance.encoding import ArticleEncoder
from stance.errors import ModelError
from stance.files import replacing_folder
from stance.formats import read_jsonl
from stance.pooling import n_stance_columns, output_columns
from stance.records import Article, parse_article
from stance.session import INPUTS
from stance.wide import WIDE
from training.export import OUTPUT, write_onnx
from training.network import LensModel
from training.package import PARITY_FILE
from training.weights import load_lens

ONNX = "model.onnx"
NUMBERS = "pooling.json"
TOLERANCE = 1e-3


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportReport:
    """What was written and how exact it is.

    Attributes:
        path: The folder.
        windows: Windows compared.
        largest_difference: Largest difference of a token output from the torch model's.
    """

    path: Path
    windows: int
    largest_difference: float

    def __str__(self) -> str:
        """One line for a person."""
        return (
            f"ONNX model written to {self.path}; on {self.windows} windows its outputs differ from "
            f"the float model's by at most {self.largest_difference:.1e}"
        )


def export_onnx(model: Path, out: Path) -> ExportReport:
    """Write a model folder as plain ONNX: float graph, tokenizer, schema and the pooling's numbers.

    `pooling.json` names the output's columns and holds what `stance.pooling` and calibration need,
    so that another runtime can give the same answers; `docs/onnx.md` says how.

    Args:
        model: A model folder with float weights.
        out: Folder to write; an earlier export in it is replaced.

    Raises:
        ModelError: If the model is not sound or holds no float weights, or if ONNX Runtime's
            outputs differ from torch's by more than 0.001; then nothing is written.
    """
    lens, encoder, artifact = load_lens(model)
    with replacing_folder(out, marker=NUMBERS) as folder:
        write_onnx(lens, folder / ONNX)
        for name in (TOKENIZER, SCHEMA, WIDE):
            if name not in artifact.contents:
                continue
            (folder / name).write_bytes(artifact.contents[name])
        (folder / NUMBERS).write_text(
            json.dumps(_numbers(artifact), indent=1) + "\n", encoding="utf-8"
        )
        windows, difference = _check(lens, encoder, artifact, folder / ONNX)
    return ExportReport(path=out, windows=windows, largest_difference=difference)


def _numbers(artifact: Artifact) -> dict[str, object]:
    manifest, schema = artifact.manifest, artifact.schema
    names = ("attention", "presence", "stance_attention", "stance")
    columns = output_columns(len(schema.topics), n_stance_columns(len(schema.predicted_stances)))
    return {
        "model": artifact.digest,
        "window_tokens": manifest.window_tokens,
        "columns": {
            name: [part.start, part.stop] for name, part in zip(names, columns, strict=True)
        },
        **manifest.model_dump(mode="json", include={"pooling", "calibration", "uncertainty"}),
    }


def _articles(artifact: Artifact) -> list[Article]:
    content = artifact.read_optional(PARITY_FILE, needed_for="the check of the export")
    articles = []
    for row in read_jsonl(io.BytesIO(content), f"{artifact.path}/{PARITY_FILE}"):
        read = [row.fault] if row.data is None else parse_article(row.data, file=row.file)
        if not isinstance(read, Article):
            raise ModelError(f"{read[0]}; copy the folder again")
        articles.append(read)
    if not articles:
        raise ModelError(f"{artifact.path}/{PARITY_FILE}: expected texts, found none")
    return articles


def _check(
    lens: LensModel, encoder: ArticleEncoder, artifact: Artifact, onnx: Path
) -> tuple[int, float]:
    articles = _articles(artifact)
    windows = [w for article in encoder.encode(articles) for w in encoder.pack(article.token_ids)]
    batch = encoder.batch(windows)
    session = onnxruntime.InferenceSession(str(onnx), providers=["CPUExecutionProvider"])
    feeds = dict(zip(INPUTS, (batch.input_ids, batch.attention_mask), strict=True))
    ours = session.run([OUTPUT], feeds)[0]
    with torch.inference_mode():
        theirs = lens.eval().token_outputs(*(torch.from_numpy(value) for value in feeds.values()))
    difference = float(np.abs(ours - theirs.numpy())[batch.content_mask].max())
    if not difference <= TOLERANCE:
        raise ModelError(
            f"the ONNX graph differs from the float model by {difference:.2g} on {MANIFEST}'s "
            f"parity texts, more than {TOLERANCE}; nothing is written"
        )
    return len(windows), difference
