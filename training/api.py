"""Train a model: from checked records to a finished model folder."""

from __future__ import annotations

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import set_seed
from transformers.utils import logging as transformers_logging

from stance.artifact import MANIFEST
from stance.dataset import Dataset
from stance.encoding import ArticleEncoder
from stance.errors import DataError, Fault, UsageError, listing
from stance.evaluation import Report
from stance.files import replacing_folder
from stance.records import Record
from stance.splits import Splits, make_splits
from training import parallel
from training.backbone import load_backbone
from training.card import main_scores
from training.corpus import make_examples
from training.labels import stance_columns
from training.loop import fit
from training.network import LensModel
from training.package import Provenance, finish, package_lens, scorer_logits, write_manifest
from training.progress import Progress
from training.settings import TrainingSettings
from training.weights import load_lens, transfer
from training.wide import fit_wide

LEAST_TEXTS = 10
LEAST_POSITIVES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingReport:
    """What a training run made.

    Attributes:
        path: The model folder.
        best_epoch: From 1; None for a model without epochs.
        reports: The evaluation of each held-out split.
    """

    path: Path
    best_epoch: int | None
    reports: Mapping[str, Report]

    def __str__(self) -> str:
        """A few lines for a person: where the model is, how good, and what to do next."""
        lines = [f"model written to {self.path}"]
        if self.best_epoch is not None:
            lines[0] += f" (epoch {self.best_epoch} was best)"
        for split, report in self.reports.items():
            scores = main_scores(report)
            figures = ", ".join(
                f"{name} {scores[name]:.3f}"
                for name in ("topic macro F1", "stance macro F1", "joint F1")
                if scores[name] is not None
            )
            lines.append(f"{split} ({scores['texts']:,} texts): {figures}")
        lines.append(f'try: stance predict --model {self.path} "..."')
        return "\n".join(lines)


def train(
    dataset: Dataset,
    splits: Splits | None,
    settings: TrainingSettings,
    out: Path,
    *,
    base: str | None = None,
    resume: bool = False,
    progress: bool = False,
    device: str | None = None,
) -> TrainingReport:
    """Train a model and write its folder, whole or not at all.

    Checkpoints lie in `OUT.training` beside the folder until it is written.

    Where `torchrun` started several processes, each calls this with the same arguments. The first
    one judges, writes and shows; the others are done, and have no reports, when the epochs are.

    Args:
        dataset: Checked records.
        splits: With `train` and `validation`, better also `test`; drawn if None.
        settings: The recipe.
        out: The folder to write; an earlier model in it is replaced.
        base: Encoder or model folder to begin from, instead of the settings' own.
        resume: Go on from the last checkpoint of a run into the same folder.
        progress: Show bars and a table per epoch on standard error.
        device: `cpu`, `cuda`, or None for what there is.

    Raises:
        DataError: If the data cannot teach the schema.
        ModelError: If `base` cannot be had, or the int8 graph strays from the float model.
        UsageError: If the splits lack a part, or `out` holds something else than a model.
    """
    transformers_logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    if base is not None:
        settings = settings.model_copy(update={"base": base})
    if out.name in {"", ".."}:
        raise UsageError(f"--out {out}: expected the name of a folder, such as models/mine")
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda: torch finds no CUDA device; leave the option out")
    splits = splits or make_splits(dataset.records, seed=settings.seed)
    parts = {name: splits.select(dataset, name) for name in splits.splits}
    if "train" in parts:
        parts["train"] = draw_share(parts["train"], settings.train_share, settings.seed)
    check_teachable(dataset, parts)
    data = {
        "digest": dataset.digest,
        "texts": {name: len(records) for name, records in parts.items()},
        "labels": _label_counts(parts["train"]),
    }
    held_out = {name: records for name, records in parts.items() if name in {"validation", "test"}}
    with Progress(shown=progress and parallel.first()) as display:
        if settings.kind == "baseline":
            if not parallel.first():
                return TrainingReport(path=out, best_epoch=None, reports={})
            return _train_baseline(dataset, parts["train"], held_out, settings, out, data)
        work = out.with_name(f"{out.name}.training")
        if parallel.first():
            if not resume and work.exists():
                shutil.rmtree(work)
            work.mkdir(parents=True, exist_ok=True)
        set_seed(settings.seed)
        lens, encoder, tokenizer_json, settings = _start(dataset, settings)
        display.say(
            f"{len(parts['train']):,} texts to learn from, {len(parts['validation']):,} to choose "
            f"by; encoder {settings.base}, {settings.epochs} epochs"
        )
        train_examples = make_examples(parts["train"], dataset.schema, encoder)
        # Whoever does not judge needs no wide part.
        wide = fit_wide(
            train_examples,
            len(dataset.schema.predicted_stances),
            weight=settings.wide_weight if parallel.first() else 0.0,
            seed=settings.seed,
        )
        result = fit(
            lens,
            encoder,
            train_examples,
            make_examples(parts["validation"], dataset.schema, encoder),
            settings,
            work,
            wide=wide,
            resume=resume,
            device=device,
            progress=display,
        )
        if not parallel.first():
            return TrainingReport(path=out, best_epoch=result.best_epoch, reports={})
        display.say("writing the model: graph, int8, calibration, parity, evaluation")
        with replacing_folder(out, marker=MANIFEST) as folder:
            reports = package_lens(
                lens,
                wide,
                encoder,
                tokenizer_json,
                folder,
                provenance=Provenance(
                    name=out.name,
                    schema=dataset.schema,
                    settings=settings,
                    data=data,
                    history=result.history,
                ),
                train=train_examples,
                held_out=held_out,
            )
    shutil.rmtree(work, ignore_errors=True)
    return TrainingReport(path=out, best_epoch=result.best_epoch, reports=reports)


def draw_share(records: Sequence[Record], share: float, seed: int) -> list[Record]:
    """A random share of records, in their order; a larger share holds all of a smaller one.

    Args:
        records: Any number.
        share: In (0, 1].
        seed: Of the draw.
    """
    order = np.random.default_rng(seed).permutation(len(records))
    return [records[index] for index in sorted(order[: math.ceil(share * len(records))])]


def check_teachable(dataset: Dataset, parts: Mapping[str, Sequence[Record]]) -> None:
    """Refuse, before the long work starts, data from which the schema cannot be learnt.

    Raises:
        UsageError: If there is no training or no validation part.
        DataError: If there are too few texts, a topic has too few, or only one stance occurs.
    """
    for name in ("train", "validation"):
        if not parts.get(name):
            raise UsageError(
                "splits: expected texts in train and validation, found "
                f"{listing(parts) or 'none'}; draw them with: stance data split"
            )
    train, schema = parts["train"], dataset.schema
    faults = []
    if len(train) < LEAST_TEXTS:
        faults.append(
            Fault(
                field="train",
                expected=f"at least {LEAST_TEXTS} texts",
                found=str(len(train)),
                advice="label more texts",
            )
        )
    labels = [label for record in train for label in record.labels]
    for topic in schema.topic_names:
        count = sum(label.topic == topic for label in labels)
        if count < LEAST_POSITIVES:
            faults.append(
                Fault(
                    field=f"topic {topic}",
                    expected=f"at least {LEAST_POSITIVES} training texts that carry it",
                    found=str(count),
                    advice="label more, or take the topic out of the schema",
                )
            )
    stances = {label.stance for label in labels} & set(schema.predicted_stances)
    if len(stances) < 2:
        faults.append(
            Fault(
                field="stance",
                expected="at least two different stances in the training texts",
                found=listing(sorted(stances)) or "none",
                advice="a model of one stance would say nothing",
            )
        )
    if faults:
        raise DataError(faults)


def _start(
    dataset: Dataset, settings: TrainingSettings
) -> tuple[LensModel, ArticleEncoder, str, TrainingSettings]:
    """The model to begin with, from an encoder or an earlier model of ours.

    The settings come back as the manifest keeps them: a folder is named by its last part and, if
    it is a model, its digest, since its path says nothing on another machine.
    """
    schema, base = dataset.schema, Path(settings.base)
    earlier = load_lens(base) if (base / MANIFEST).is_file() else None
    if earlier:
        backbone, tokenizer = earlier[0].encoder, earlier[1].tokenizer
        named = f"{base.name} ({earlier[2].digest[:12]})"
    else:
        backbone, tokenizer = load_backbone(settings.base, hidden_dropout=settings.dropout)
        named = base.name if base.is_dir() else settings.base
    limit = getattr(backbone.config, "max_position_embeddings", None)
    if limit is not None and settings.window_tokens > limit:
        raise UsageError(
            f"window_tokens: expected at most {limit}, as far as the encoder {named} reads, "
            f"found {settings.window_tokens}"
        )
    encoder = ArticleEncoder(tokenizer, window_tokens=settings.window_tokens)
    lens = LensModel(backbone, len(schema.topics), len(schema.predicted_stances), settings.dropout)
    if earlier:
        transfer(earlier[0], earlier[2].schema, lens, schema)
    return lens, encoder, tokenizer.to_str(), settings.model_copy(update={"base": named})


def _train_baseline(
    dataset: Dataset,
    train_records: Sequence[Record],
    held_out: Mapping[str, Sequence[Record]],
    settings: TrainingSettings,
    out: Path,
    data: Mapping[str, Any],
) -> TrainingReport:
    from training.baseline import fit_baseline
    from training.calibration import calibrate

    baseline = fit_baseline(train_records, dataset.schema, settings)
    provenance = Provenance(name=out.name, schema=dataset.schema, settings=settings, data=data)
    with replacing_folder(out, marker=MANIFEST) as folder:
        required = [*baseline.save(folder), "schema.json"]
        validation = held_out["validation"]
        calibration = calibrate(
            scorer_logits(baseline, validation),
            np.stack([stance_columns(record, dataset.schema) for record in validation]),
            dataset.schema,
            negative_share=settings.negative_share,
            uncertain_error=settings.uncertain_error,
        )
        draft = {
            "kind": "baseline",
            "calibration": calibration.topics,
            "uncertainty": calibration.uncertainty,
        }
        write_manifest(folder, provenance, draft, required=required, optional=[])
        reports = finish(
            folder, provenance, draft, held_out, required=required, optional=[], scorer=baseline
        )
    return TrainingReport(path=out, best_epoch=None, reports=reports)


def _label_counts(records: Sequence[Record]) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for record in records:
        for label in record.labels:
            topic = counts.setdefault(label.topic, {})
            topic[label.stance] = topic.get(label.stance, 0) + 1
    return {topic: dict(sorted(stances.items())) for topic, stances in sorted(counts.items())}
