"""All figures of one or more models on a labelled set of real news, as one Markdown table.

    python -m benchmarks.news_dev DATA.jsonl --model M [--model M2] [--schema seeds/schema.json]

A column per model, a line per figure; first all texts, then each kind of text. Stance and joint
scores come twice: over the labels marked sure (the main figures) and over all. docs/benchmarks.md
says what each line means.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from benchmarks.runs import cell, markdown
from stance.classifier import Classifier
from stance.errors import StanceError
from stance.evaluation import Report, Score, Scorecard
from stance.evaluation.inputs import evaluate_model, load_job
from stance.schema import Schema

VIEWS = {"sure": "sure labels", "all": "all labels"}
_EACH = {
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "average_precision": "average precision",
}
_VIEW_FIGURES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("stance macro F1", ("stance", "macro_f1")),
    ("stance accuracy", ("stance", "accuracy")),
    ("joint micro F1", ("joint", "f1")),
    ("joint precision", ("joint", "precision")),
    ("joint recall", ("joint", "recall")),
    ("stance calibration error (ECE)", ("stance", "ece")),
    ("share of stances not uncertain", ("stance", "coverage")),
    ("error of stances not uncertain", ("stance", "certain_error")),
    ("AUROC, confidence of labelled over neutral", ("unpredicted", "auroc")),
)

Row = tuple[str, str, list[str]]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        job = load_job(options.data, options.schema, fallback=None)
        reports: dict[str, Report] = {}
        thresholds: dict[str, Mapping[str, float]] = {}
        for model, heading in _headings(options.model).items():
            classifier = Classifier.from_pretrained(model, threads=options.threads)
            reports[heading] = evaluate_model(
                job, classifier, name=heading, resamples=options.resamples
            )
            thresholds[heading] = classifier.thresholds
    except StanceError as error:
        print(error, file=sys.stderr)
        return error.exit_status
    for heading, report in reports.items():
        print(f"{heading}: `{report.signature}`")
        for note in report.notes:
            print(f"- {note}")
    print()
    print(report_table(reports, thresholds, job.dataset.schema))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.news_dev",
        description="All figures of one or more models on labelled news, as one Markdown table.",
    )
    parser.add_argument("data", nargs="+", metavar="DATA", help="labelled texts, as for evaluate")
    parser.add_argument(
        "--model", action="append", required=True, metavar="FOLDER", help="may be given again"
    )
    parser.add_argument(
        "--schema",
        type=Path,
        metavar="FILE",
        help="topics and stances of the labels; schema.json beside the data if not given",
    )
    parser.add_argument(
        "--resamples",
        type=int,
        default=0,
        metavar="N",
        help="bootstrap samples behind 95 %% intervals; default: %(default)s, none",
    )
    parser.add_argument("--threads", type=int, metavar="N", help="most threads of the engine")
    return parser


def _headings(models: Sequence[str]) -> dict[str, str]:
    """A short heading per model: the folder's name, or its path where two share the name."""
    names = {model: Path(model).name for model in models}
    shared = Counter(names.values())
    return {model: name if shared[name] == 1 else model for model, name in names.items()}


def report_table(
    reports: Mapping[str, Report],
    thresholds: Mapping[str, Mapping[str, float]],
    schema: Schema,
) -> str:
    """The Markdown table.

    Args:
        reports: By the heading of the model's column; all of the same texts.
        thresholds: Per topic, by the same headings.
        schema: Topics and stances of the labels.
    """
    lines = [["texts", "figure", *reports], ["---", "---", *(["---:"] * len(reports))]]
    first = next(iter(reports.values()))  # all are of the same texts, so of the same kinds
    for topic in schema.topic_names:
        cells = [f"{thresholds[heading][topic]:.3f}" for heading in reports]
        lines.append(["", f"{topic}: threshold", *cells])
    kinds: list[str | None] = [None, *first.slices["kind"]]
    for kind in kinds:
        cards = [
            report.overall if kind is None else report.slices["kind"][kind]
            for report in reports.values()
        ]
        place = f"{kind or 'all'} ({cards[0].counts['texts',]:,})"
        for name, scores in _figures(cards, schema):
            if any(score.value is not None for score in scores):
                lines.append([place, name, *map(_cell, scores)])
    return markdown(lines)


def _figures(cards: Sequence[Scorecard], schema: Schema) -> Iterator[tuple[str, list[Score]]]:
    """Name and score per model of every figure, in the order of the table."""

    def pick(*path: str) -> list[Score]:
        return [card.scores.get(path, Score(value=None)) for card in cards]

    for topic in schema.topic_names:
        for name, words in _EACH.items():
            yield f"{topic}: {words}", pick("topics", "each", topic, name)
    for name, words in _EACH.items():
        yield f"topics, macro {words}", pick("topics", "macro", name)
    yield "topics, micro F1", pick("topics", "micro", "f1")
    yield "topics exactly right", pick("topics", "exact_match")
    yield "nothing found where there is nothing", pick("topics", "nothing_found")
    yield "topics, calibration error (ECE)", pick("topics", "ece")
    for view, where in VIEWS.items():
        for words, path in _VIEW_FIGURES:
            yield f"{words}, {where}", pick(view, *path)
        for topic in schema.topic_names:
            path = ("stance", "topics", topic, "accuracy")
            yield f"{topic}: stance accuracy, {where}", pick(view, *path)


def _cell(score: Score) -> str:
    if score.value is None or score.low is None or score.high is None:
        return cell(score.value)
    return f"{cell(score.value)} ({score.low:.3f} to {score.high:.3f})"


if __name__ == "__main__":
    sys.exit(main())
