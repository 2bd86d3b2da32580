"""What an evaluation begins from: labelled data and their split, a model or a prediction file."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from stance._version import __version__
from stance.artifact import Manifest
from stance.dataset import Dataset, digest_of, load_records
from stance.errors import DataError, Fault, SchemaError, UsageError, listing, shorten
from stance.evaluation.faults import Training
from stance.evaluation.report import Report, evaluate
from stance.files import sha256_file
from stance.formats import read_rows
from stance.predictions import Prediction
from stance.records import Article, Record
from stance.schema import Schema
from stance.splits import Splits

PREDICTION_ENDINGS = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
TRAIN = "train"
Watch = Callable[[Iterator[Prediction]], Iterator[Prediction]]


class Model(Protocol):
    """What an evaluation needs of a classifier."""

    @property
    def schema(self) -> Schema:
        """The topics and stances of its answers."""

    @property
    def manifest(self) -> Manifest:
        """What it was trained on, how that went, and what it promises."""

    @property
    def digest(self) -> str:
        """Identifies its answers."""

    @property
    def thresholds(self) -> Mapping[str, float]:
        """The probability from which on each topic is found."""

    def predict_many(self, articles: Iterable[Article]) -> Iterator[Prediction]:
        """One prediction per article, in order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is to be evaluated.

    Attributes:
        dataset: All that was loaded.
        records: The part of it that is scored.
        about: What the report says of it.
        training: What the model was trained on, as far as the one who evaluates it names it.
        train_part: The split `train` of the data, which a model was trained on that names these
            data; None without splits.
    """

    dataset: Dataset
    records: Sequence[Record]
    about: Mapping[str, Any]
    training: Training | None = None
    train_part: Training | None = None


def load_job(
    sources: Sequence[str],
    schema_file: Path | None = None,
    *,
    split: str | None = None,
    splits_file: Path | None = None,
    fallback: Schema | None = None,
    skip_invalid: bool = False,
    training_data: str | None = None,
) -> Job:
    """Load labelled data and choose what is scored.

    Args:
        sources: As for `stance.dataset.load_records`.
        schema_file: Topics and stances of the labels.
        split: Name of the split to score; None for everything.
        splits_file: Where it is defined; `splits.json` in or beside the data if None.
        fallback: The schema to take if there is neither `schema_file` nor one beside the data.
        skip_invalid: Whether to go on without faulty records; `Job.dataset.faults` lists them.
        training_data: What the model was trained on: a folder or a file. If its splits name a
            part `train`, that part. If None and a split is scored, the part `train` of the same
            splits.

    Raises:
        DataError: If the data have faults, or the splits are of other data.
        SchemaError: If there is no sound schema.
        UsageError: If a file cannot be opened or there is no such split.
    """
    if schema_file is not None:
        schema: Schema | None = Schema.load(schema_file)
    else:
        schema = None if _companion(sources[0], "schema.json", "schema.toml") else fallback
    dataset = load_records(sources, schema, skip_invalid=skip_invalid)
    about: dict[str, Any] = {"data": ", ".join(sources), "data_digest": dataset.digest}
    if dataset.faults:
        about["faults_skipped"] = len(dataset.faults)
    training = None
    if training_data is not None:
        training = _load_training(training_data, dataset.schema, skip_invalid=skip_invalid)
    splits_file = splits_file or _companion(sources[0], "splits.json")
    if split is None:
        # Splits that nobody asked for may be of other data; then they say nothing.
        train_part = None
        with suppress(DataError, UsageError):
            train_part = _train_part(dataset, splits_file)
        return Job(
            dataset=dataset,
            records=dataset.records,
            about=about,
            training=training,
            train_part=train_part,
        )
    if splits_file is None:
        raise UsageError(
            f"--split {split}: expected splits.json with the data, found none; "
            "name the file with --splits, or make one: stance data split"
        )
    records = Splits.load(splits_file).select(dataset, split)
    if not records:
        raise UsageError(f"--split {split}: none of its texts is in the data")
    about |= {"split": split, "texts_digest": digest_of(records)}
    return Job(
        dataset=dataset,
        records=records,
        about=about,
        training=training or _train_part(dataset, splits_file),
    )


def _train_part(dataset: Dataset, splits_file: Path | None) -> Training | None:
    splits = None if splits_file is None else Splits.load(splits_file)
    if splits is None or TRAIN not in splits.splits:
        return None
    return Training(
        source=f"the split {TRAIN} of {splits_file}", records=splits.select(dataset, TRAIN)
    )


def _load_training(source: str, schema: Schema, *, skip_invalid: bool) -> Training:
    own = None if _companion(source, "schema.json", "schema.toml") else schema
    dataset = load_records(source, own, skip_invalid=skip_invalid)
    part = _train_part(dataset, _companion(source, "splits.json"))
    return part or Training(source=source, records=dataset.records)


def _companion(source: str, *names: str) -> Path | None:
    """The first of these files that stands in a data folder, or beside a data file."""
    path = Path(source)
    folder = path if path.is_dir() else path.parent
    if source.startswith("hf:") or not path.exists():
        return None
    return next((folder / name for name in names if (folder / name).is_file()), None)


def evaluate_model(
    job: Job,
    classifier: Model,
    *,
    name: str,
    resamples: int = 1000,
    seed: int = 0,
    slices: Sequence[str] = (),
    errors: int = 50,
    near_duplicates: bool | None = None,
    watch: Watch = iter,
) -> Report:
    """Let a model read the texts and score its answers.

    Args:
        job: The labelled texts.
        classifier: The model.
        name: What the report calls it.
        resamples: Bootstrap samples for the intervals.
        seed: Of these samples.
        slices: Fields of the records to score apart by.
        errors: How many of the most confident wrong answers are kept.
        near_duplicates: See `evaluate`.
        watch: Passes the predictions on, e.g. to count them.

    Raises:
        SchemaError: If the labels have topics or stances that the model does not know.
    """
    check_fit(job.dataset.schema, classifier.schema)
    manifest = classifier.manifest
    about = {
        **job.about,
        "model": name,
        "model_digest": classifier.digest,
        "thresholds": {topic: round(value, 4) for topic, value in classifier.thresholds.items()},
        **run_facts(),
    }
    training, notes = job.training, []
    if training is None and manifest.data.get("digest") == job.dataset.digest:
        training = job.train_part
        if training is None:
            notes.append(
                "The model names these very data as those it was made from, and no split is "
                "named: most of the texts may be training texts."
            )
    report = evaluate(
        job.records,
        watch(model_predictions(job, classifier)),
        job.dataset.schema,
        resamples=resamples,
        seed=seed,
        about=about,
        notes=notes,
        slices=slices,
        errors=errors,
        near_duplicates=near_duplicates,
        training=training,
    )
    return replace(
        report,
        history=tuple(manifest.history),
        promise=manifest.uncertainty.model_dump(mode="json"),
    )


def model_predictions(job: Job, classifier: Model) -> Iterator[Prediction]:
    """Let a model read the texts that are scored, one prediction each, in order."""
    articles = (replace(record.article, id=record.id, extra={}) for record in job.records)
    return classifier.predict_many(articles)


def check_fit(labels: Schema, model: Schema) -> None:
    """Check that a model can be scored on labels.

    Raises:
        SchemaError: If the labels have a topic that the model does not know, or if the stances
            to be predicted are others than the model's.
    """
    unknown = [name for name in labels.topic_names if name not in model.topic_names]
    if unknown:
        raise SchemaError(
            f"topics: the data have {listing(unknown)}, which the model does not know; it knows "
            f"{listing(model.topic_names)}; choose another model, or a schema with --schema FILE"
        )
    if set(labels.predicted_stances) != set(model.predicted_stances):
        raise SchemaError(
            f"stances: the data's schema has {listing(labels.predicted_stances)} to be predicted, "
            f"the model predicts {listing(model.predicted_stances)}; a stance that occurs in the "
            'labels alone is marked "predicted": false in the schema'
        )


def evaluate_file(
    job: Job,
    path: Path,
    *,
    resamples: int = 1000,
    seed: int = 0,
    slices: Sequence[str] = (),
    errors: int = 50,
    near_duplicates: bool | None = None,
    watch: Watch = iter,
) -> Report:
    """Score predictions that were made earlier.

    Args:
        job: The labelled texts.
        path: JSON Lines as `stance predict` writes them. Those for texts of the data that are not
            scored (of another split, or left out as faulty) are passed over and counted.
        resamples: Bootstrap samples for the intervals.
        seed: Of these samples.
        slices: Fields of the records to score apart by.
        errors: How many of the most confident wrong answers are kept.
        near_duplicates: See `evaluate`.
        watch: Passes the predictions on, e.g. to count them.

    Raises:
        DataError: If the predictions have faults or their ids do not match.
        UsageError: If the file cannot be opened or has another format.
    """
    reader = PredictionFile(path, job)
    about = {
        **job.about,
        **file_about(path),
        **run_facts(),
    }
    report = evaluate(
        job.records,
        watch(reader.read()),
        job.dataset.schema,
        resamples=resamples,
        seed=seed,
        about=about,
        slices=slices,
        errors=errors,
        near_duplicates=near_duplicates,
        training=job.training,
    )
    if not reader.passed_over:
        return report
    words = f"Predictions passed over, for texts that are not scored: {reader.passed_over:,}."
    return replace(report, notes=(*report.notes, words))


def file_about(path: Path) -> dict[str, str]:
    """What a report says of a file of predictions.

    Raises:
        StanceError: If it cannot be read.
    """
    return {"predictions": str(path), "predictions_digest": sha256_file(path)}


class PredictionFile:
    """Reads predictions one at a time and counts those for texts that are not scored."""

    def __init__(self, path: Path, job: Job) -> None:
        """Look at the name of the file; nothing is read yet.

        Raises:
            UsageError: If it has another format.
        """
        if not path.name.lower().endswith(PREDICTION_ENDINGS):
            raise UsageError(
                f"--predictions {path}: expected a file that ends in "
                f"{listing(PREDICTION_ENDINGS)}, as stance predict --out FILE.jsonl --full writes "
                "it"
            )
        self.path = path
        self.passed_over = 0
        self._wanted = {record.id for record in job.records}
        known = {record.id for record in job.dataset.records}
        faulty = {fault.record for fault in job.dataset.faults if fault.record is not None}
        self._others = (known | faulty) - self._wanted

    def read(self) -> Iterator[Prediction]:
        """Give the predictions; after the last one, raise what was wrong with the file."""
        faults: list[Fault] = []
        for row in read_rows(self.path):
            if row.data is None:
                faults += [row.fault] if row.fault else []
            elif "error" in row.data and "topics" not in row.data:
                # Stands for an input that could not be read; nobody may want it here.
                name = row.data.get("id")
                if name in self._wanted:
                    faults.append(
                        Fault(
                            file=row.file,
                            line=row.line,
                            record=str(name),
                            expected="a prediction",
                            found=f"an input not read: {shorten(row.data['error'], 200)}",
                        )
                    )
                else:
                    self.passed_over += 1
            else:
                answer = Prediction.from_dict(row.data, file=row.file, line=row.line)
                if isinstance(answer, Fault):
                    faults.append(answer)
                elif answer.id in self._others:
                    self.passed_over += 1
                else:
                    yield answer
        if faults:
            raise DataError(faults)


def run_facts() -> dict[str, Any]:
    """When and with what this evaluation runs."""
    return {
        "versions": {
            "stance": __version__,
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }
