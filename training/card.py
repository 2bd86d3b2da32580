"""The model card: what a model is, made from, measured at and not fit for, in the hub's format."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import ModelCard, ModelCardData

from stance.artifact import Artifact
from stance.evaluation import Report
from stance.evaluation.scorecard import MAIN

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
    """Write `README.md` of a model folder."""
    manifest, schema = artifact.manifest, artifact.schema
    data = ModelCardData(
        language="en",
        library_name="stance",
        pipeline_tag="text-classification",
        tags=["stance", "topics", "news", "evidence"],
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
        "## Schema",
        "",
        *(
            f"- topic `{topic.name}`: {topic.description or 'no description'}"
            for topic in schema.topics
        ),
        *(
            f"- stance `{item.name}`"
            + ("" if item.predicted else " (in labels only, never predicted)")
            + (f": {item.description}" if item.description else "")
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
        "calibration, so its figures are kinder than those of `test`.",
        "",
        *_table(reports),
        "",
        *(f"`{name}`: `{report.signature}`" for name, report in reports.items()),
        "",
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
        "- Scores on texts of other outlets, years and kinds than the training data's are lower "
        "than on its own test texts.",
        "- It judges how a text presents a state of affairs, not whether that is so.",
        "",
    ]
    path.write_text(
        str(ModelCard(f"---\n{data.to_yaml()}\n---\n\n" + "\n".join(lines))), encoding="utf-8"
    )


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
            score = report.overall.scores.get(_path(path))
            if score is None or score.value is None:
                cells.append("not defined")
            elif score.low is None or score.high is None:
                cells.append(f"{score.value:.3f}")
            else:
                cells.append(f"{score.value:.3f} ({score.low:.3f} to {score.high:.3f})")
        rows.append(f"| {name} | " + " | ".join(cells) + " |")
    return rows


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_words(item)}" for name, item in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
