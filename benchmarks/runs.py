"""What the benchmarks on public data share: convert, train per seed, score float and int8.

Both engines are scored along one path: logits, the folder's calibration, `stance.evaluation`.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stance.artifact import Artifact, load_artifact
from stance.classifier import Classifier
from stance.dataset import Dataset, load_records
from stance.decoding import ScoredArticle, decode
from stance.errors import StanceError, UsageError
from stance.evaluation import Report, evaluate
from stance.files import replacing
from stance.pooling import DocumentScores
from stance.predictions import Prediction
from stance.records import Record
from stance.schema import Schema
from stance.sentences import Sentence
from stance.splits import Splits
from stance.wide import load_wide

RECIPES = Path(__file__).parent / "recipes"

Figures = Mapping[str, float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Converted:
    """A public data set as records.

    Attributes:
        schema: Its topics and stances.
        parts: Records by the file that they are written to (`NAME.jsonl`).
        splits: Names of the parts by split.
    """

    schema: Schema
    parts: Mapping[str, Sequence[Record]]
    splits: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """A public data set as a benchmark.

    Attributes:
        module: How it is called: `python -m MODULE`.
        about: What it is, in a sentence.
        source: What its folder must hold.
        recipe: Settings of `stance train` for it.
        seeds: Seeds that are trained unless others are named.
        convert: From its folder to records.
        figures: From an evaluation to the figures that are reported, in [0, 1].
    """

    module: str
    about: str
    source: str
    recipe: Path
    seeds: tuple[int, ...]
    convert: Callable[[Path], Converted]
    figures: Callable[[Report], Figures]


def main(task: Task, arguments: Sequence[str] | None = None) -> int:
    """Run a benchmark's command line; returns the exit status."""
    options = _parser(task).parse_args(arguments)
    try:
        converted = task.convert(options.data)
        write_dataset(converted, options.out)
        for name, records in converted.parts.items():
            _note(f"{options.out / name}.jsonl: {len(records):,} records")
        if not options.convert_only:
            _run(task, options)
    except StanceError as error:
        _note(str(error))
        return error.exit_status
    return 0


def _parser(task: Task) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=f"python -m {task.module}", description=task.about)
    parser.add_argument("data", type=Path, metavar="FOLDER", help=task.source)
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="gets the records, schema.json and splits.json, so that `stance train FOLDER` takes "
        "it; models and figures lie in FOLDER/models",
    )
    parser.add_argument("--convert-only", action="store_true", help="write the records and stop")
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=list(task.seeds), help="default: %(default)s"
    )
    parser.add_argument(
        "--recipe",
        default=str(task.recipe),
        metavar="NAME|FILE",
        help=f"as for `stance train`; default: recipes/{task.recipe.name}",
    )
    parser.add_argument("--base", metavar="FOLDER|NAME", help="as for `stance train`")
    parser.add_argument(
        "--split",
        default="test",
        help="what is scored; choose settings by `validation`, and only then look at `test` "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--evaluate-only", action="store_true", help="score models that an earlier run trained"
    )
    return parser


def _run(task: Task, options: argparse.Namespace) -> None:
    from training.api import train
    from training.settings import TrainingSettings, load_recipe

    dataset = load_records(options.out)
    splits = Splits.load(options.out / "splits.json")
    settings = load_recipe(options.recipe)
    records = splits.select(dataset, options.split)
    rows: list[tuple[int, str, Figures]] = []
    for seed in options.seeds:
        folder = options.out / "models" / f"seed-{seed}"
        if not options.evaluate_only:
            seeded = TrainingSettings(**{**settings.model_dump(), "seed": seed})
            train(dataset, splits, seeded, folder, base=options.base, resume=False, progress=True)
        for engine, predictions in _engines(folder, records):
            report = evaluate(records, predictions, dataset.schema, resamples=0)
            rows.append((seed, engine, task.figures(report)))
            _note(f"seed {seed}, {engine}: {_words(rows[-1][2])}")
    with replacing(options.out / "models" / f"figures-{options.split}.json") as stream:
        stream.write(json.dumps(_summary(options.split, dataset, rows), indent=1) + "\n")
    print(f"{options.split}, {len(records):,} texts")
    print()
    print(figures_table(rows))


def write_dataset(converted: Converted, folder: Path) -> None:
    """Write records, `schema.json` and `splits.json`.

    Raises:
        StanceError: If a file cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"--out {folder}: cannot make the folder: {error.strerror}") from None
    for name, records in converted.parts.items():
        with replacing(folder / f"{name}.jsonl") as stream:
            for record in records:
                stream.write(json.dumps(record.to_dict(), ensure_ascii=False) + "\n")
    with replacing(folder / "schema.json") as stream:
        stream.write(json.dumps(converted.schema.to_dict(), indent=1) + "\n")
    Splits(
        splits={
            split: tuple(record.id for name in names for record in converted.parts[name])
            for split, names in converted.splits.items()
        }
    ).save(folder / "splits.json")


def _engines(folder: Path, records: Sequence[Record]) -> Iterator[tuple[str, Iterator[Prediction]]]:
    """Predictions of a model folder by engine: int8 as a user runs it, and the float weights."""
    artifact = load_artifact(folder)
    if artifact.manifest.kind == "lens":
        yield "float", float_predictions(artifact, records)
    classifier = Classifier.from_pretrained(folder)
    engine = "int8" if artifact.manifest.kind == "lens" else artifact.manifest.kind
    yield engine, classifier.predict_many(record.article for record in records)


def float_predictions(artifact: Artifact, records: Sequence[Record]) -> Iterator[Prediction]:
    """What the float weights of a model folder say, under its own calibration.

    Raises:
        ModelError: If the folder holds no float weights.
    """
    from training.corpus import make_examples
    from training.loop import score_examples
    from training.weights import load_lens
    from training.wide import with_wide

    lens, encoder, _ = load_lens(artifact.path)
    examples = make_examples(records, artifact.schema, encoder)
    logits = with_wide(score_examples(lens, encoder, examples), load_wide(artifact), examples)
    manifest = artifact.manifest
    thresholds = {topic: item.threshold for topic, item in manifest.calibration.items()}
    for index, record in enumerate(records):
        text = record.article.text
        # The training half gives logits of whole documents: all shares fall to one sentence.
        scored = ScoredArticle(
            sentences=(Sentence("text", 0, len(text), text),),
            scores=DocumentScores(
                presence=logits.presence[index],
                stance=logits.stance[index],
                presence_shares=logits.presence[index : index + 1],
                stance_shares=logits.stance[index : index + 1],
            ),
        )
        yield decode(record.article, scored, artifact.schema, manifest, thresholds)


def means(rows: Sequence[tuple[int, str, Figures]]) -> dict[str, dict[str, float | None]]:
    """Mean over the seeds, by engine and figure; None where a seed has none."""
    found: dict[str, dict[str, float | None]] = {}
    for engine in dict.fromkeys(engine for _, engine, _ in rows):
        own = [figures for _, other, figures in rows if other == engine]
        found[engine] = {}
        for name in own[0]:
            values = [value for figures in own if (value := figures[name]) is not None]
            found[engine][name] = statistics.fmean(values) if len(values) == len(own) else None
    return found


def figures_table(rows: Sequence[tuple[int, str, Figures]]) -> str:
    """A Markdown table: a line per seed and engine, then the means."""
    names = list(rows[0][2])
    lines = [["seed", "engine", *names], ["---", "---", *(["---:"] * len(names))]]
    lines += [[str(seed), engine, *_cells(figures)] for seed, engine, figures in rows]
    lines += [["mean", engine, *_cells(figures)] for engine, figures in means(rows).items()]
    return markdown(lines)


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Cells as the lines of a Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def cell(value: float | None) -> str:
    """A figure to four places; a dash where there is none."""
    return "-" if value is None else f"{value:.4f}"


def _cells(figures: Figures) -> list[str]:
    return [cell(value) for value in figures.values()]


def _words(figures: Figures) -> str:
    return ", ".join(f"{name} {cell(value)}" for name, value in figures.items())


def _summary(
    split: str, dataset: Dataset, rows: Sequence[tuple[int, str, Figures]]
) -> dict[str, object]:
    return {
        "split": split,
        "data_digest": dataset.digest,
        "runs": [{"seed": seed, "engine": engine, **figures} for seed, engine, figures in rows],
        "means": means(rows),
    }


def _note(words: str) -> None:
    print(words, file=sys.stderr)
