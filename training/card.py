"""The model card: what a model is, made from, measured at and not fit for, in the hub's format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import EvalResult, ModelCard, ModelCardData

from stance.artifact import Artifact
from stance.evaluation import Report
from stance.evaluation.layout import card_tables
from stance.evaluation.markdown import markdown_table
from stance.evaluation.scorecard import MAIN, Score

_MAIN: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("topic macro F1", ("topics", "macro", "f1")),
    ("stance macro F1", ("stance", "macro_f1")),
    ("stance accuracy", ("stance", "accuracy")),
    ("joint F1", ("joint", "f1")),
    ("ECE of presence", ("topics", "ece")),
    ("ECE of stance", ("stance", "ece")),
    ("share of stances not called uncertain", ("stance", "coverage")),
    ("error among these", ("stance", "certain_error")),
)
# Names that the hub knows; others stay ours.
_METRICS = {"macro_f1": "f1", "ece": "expected_calibration_error"}


def main_scores(report: Report) -> dict[str, Any]:
    """The main figures of a report by name, with its signature; None where undefined."""
    found: dict[str, Any] = {
        "signature": report.signature,
        "texts": report.overall.counts["texts",],
    }
    for name, path in _MAIN:
        value = report.overall.value(*_path(path))
        found[name] = None if value is None else round(value, 4)
    return found


def write_card(path: Path, artifact: Artifact, reports: Mapping[str, Report]) -> None:
    """Write `README.md` of a model folder.

    Args:
        path: The file.
        artifact: The model.
        reports: Its evaluation by split; the tables of details are those of the last one.
    """
    manifest, schema = artifact.manifest, artifact.schema
    data = ModelCardData(
        language="en",
        library_name="stance",
        pipeline_tag="text-classification",
        tags=["stance", "topics", "news", "evidence"],
        model_name=manifest.name,
        eval_results=_eval_results(reports, str(manifest.data.get("digest", ""))),
    )
    lines = [
        f"# {manifest.name}",
        "",
        f"A {manifest.kind} model of stance: it reads English news and says per text which "
        "topics it carries and how it presents each, with the sentences that carry the answer.",
        "",
        "## Use",
        "",
        "```",
        'stance predict --model FOLDER "text of an article"',
        "stance describe FOLDER",
        "```",
        "",
        "```python",
        "from stance import Classifier",
        "",
        'prediction = Classifier.from_pretrained("FOLDER").predict("text of an article")',
        "```",
        "",
        "## Schema",
        "",
        *(
            f"- topic `{topic.name}`: {_line(topic.description) or 'no description'}"
            for topic in schema.topics
        ),
        *(
            f"- stance `{item.name}`"
            + ("" if item.predicted else " (in labels only, never predicted)")
            + (f": {_line(item.description)}" if item.description else "")
            for item in schema.stances
        ),
        "",
        "## Data",
        "",
        *(f"- {name}: {_words(value)}" for name, value in manifest.data.items()),
        "",
        "## Evaluation",
        "",
        "Texts that were not trained on; `validation` chose the epoch, the thresholds and the "
        "calibration, so its figures are kinder than those of `test`. In parentheses 95 % "
        "intervals.",
        "",
        *_table(reports),
        "",
        *(f"`{name}`: `{report.signature}`" for name, report in reports.items()),
        "",
        *_details(reports),
        "## Training",
        "",
        "```json",
        json.dumps(dict(manifest.training), indent=1, sort_keys=True),
        "```",
        "",
        "Made with " + ", ".join(f"{k} {v}" for k, v in manifest.versions.items()) + ".",
        "",
        "## Limits",
        "",
        f"- It knows the topics above and the stances {', '.join(schema.predicted_stances)}; a "
        "text whose stance is balanced gets the likelier one, at best with low confidence.",
        _promise(artifact),
        *_weak(reports),
        "- Scores on texts of other outlets, years and kinds than the training data's are lower "
        "than on its own test texts.",
        "- It judges how a text presents a state of affairs, not whether that is so.",
        "",
    ]
    path.write_text(
        str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines))), encoding="utf-8"
    )


def _eval_results(reports: Mapping[str, Report], digest: str) -> list[EvalResult]:
    """The main scores as the hub shows them, those that are undefined left out."""
    return [
        EvalResult(
            task_type="text-classification",
            dataset_type="labelled-texts",
            dataset_name=f"the model's own data, {split}",
            dataset_split=split,
            dataset_revision=digest[:12] or None,
            metric_type=metric,
            metric_name=name,
            metric_value=round(score.value, 4),
            metric_args=None
            if score.low is None or score.high is None
            else {"low": round(score.low, 4), "high": round(score.high, 4)},
        )
        for split, report in reports.items()
        for name, path in _MAIN
        for metric in [_METRICS.get(path[-1], path[-1])]
        if (score := report.overall.scores[_path(path)]).value is not None
    ]


def _details(reports: Mapping[str, Report]) -> list[str]:
    if not reports:
        return []
    split, report = list(reports.items())[-1]
    lines = [f"Of `{split}`, in detail:", ""]
    for table in card_tables(report.overall, report.schema):
        lines += markdown_table(table, level=3)
    return lines


def _promise(artifact: Artifact) -> str:
    promise = artifact.manifest.uncertainty
    if not promise.promised:
        return "- No confidence met the wanted error bound, so it calls every stance uncertain."
    return (
        f"- Of the stances that it does not call uncertain, at most {promise.error_bound:.0%} "
        f"were wrong on held-out texts ({promise.level:.0%} confidence); other texts may differ."
    ).replace("%", " %")


def _weak(reports: Mapping[str, Report]) -> list[str]:
    """The slices on which the model surely does worse."""
    if not reports:
        return []
    split, report = list(reports.items())[-1]
    weak = [item for item in report.weakest if item.surely]
    return [
        f"- On `{split}` it is weaker at {item.field} {item.value}: "
        f"joint F1 {_score(item.joint_f1)} on {item.texts:,} texts."
        for item in weak
    ]


def _line(words: str) -> str:
    return " ".join(words.split())


def _path(path: tuple[str, ...]) -> tuple[str, ...]:
    # The main view holds the sure labels; without disputable ones these are all.
    return path if path[0] == "topics" else (MAIN, *path)


def _table(reports: Mapping[str, Report]) -> list[str]:
    names = list(reports)
    rows = [
        "| score | " + " | ".join(names) + " |",
        "| --- |" + " --- |" * len(names),
        "| texts | "
        + " | ".join(f"{r.overall.counts['texts',]:,}" for r in reports.values())
        + " |",
    ]
    for name, path in _MAIN:
        cells = []
        for report in reports.values():
            cells.append(_score(report.overall.scores.get(_path(path), Score(value=None))))
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows


def _score(score: Score) -> str:
    if score.value is None:
        return "not defined"
    if score.low is None or score.high is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})"


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
