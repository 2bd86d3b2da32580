"""`stance describe`: what a model is, what it was made from, what it promises and where it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stance.cli import display

if TYPE_CHECKING:
    from rich.console import Console
    from rich.padding import Padding
    from rich.table import Table

    from stance.artifact import Artifact, Manifest, TopicCalibration

_LONGEST_LIST = 12


class Format(StrEnum):
    """How the description is written."""

    text = "text"
    json = "json"


def describe(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[FOLDER|NAME]", help="The model; the released one if not given."),
    ] = None,
    output_format: Annotated[
        Format, typer.Option("--format", help="How to write to standard output.")
    ] = Format.text,
) -> None:
    """Say what a model is: its schema, data, training, scores, promises and limits.

    Every file of the model is checked against its digest on the way.
    """
    from stance.artifact import load_artifact, resolve_model

    artifact = load_artifact(resolve_model(model))
    if output_format is Format.json:
        data = {
            "path": str(artifact.path),
            "digest": artifact.digest,
            "schema": artifact.schema.to_dict(),
            "manifest": artifact.manifest.model_dump(mode="json"),
            "limits": list(limits(artifact)),
        }
        sys.stdout.write(display.json_text(data, indent=2) + "\n")
    else:
        _print(display.console(), artifact)


def limits(artifact: Artifact) -> Iterator[str]:
    """What a user should know before relying on the model, in sentences drawn from its manifest."""
    manifest, schema = artifact.manifest, artifact.schema
    yield (
        f"It knows {_counted(len(schema.topics), 'topic')} and "
        f"{_counted(len(schema.predicted_stances), 'stance')}; it says nothing about others."
    )
    if manifest.window_tokens is not None:
        yield (
            f"It reads texts of any length whole, {manifest.window_tokens} tokens at a time; "
            "what a word means is judged within such a window."
        )
    promise = manifest.uncertainty
    if promise.promised:
        yield (
            f'Of the stances that it does not call "not sure", at most '
            f"{display.percent(promise.error_bound)} are wrong on texts like the held-out ones, "
            f"at {display.percent(promise.level)} confidence; there these were {promise.n:,} "
            f"stances, {display.percent(promise.coverage)} of all."
        )
    else:
        yield (
            "No confidence kept the error of its stances under the bound of "
            f'{display.percent(promise.error_bound)}, so it calls every stance "not sure".'
        )
    parity = manifest.parity
    if parity is not None and parity.pairs:
        changed = parity.presence_changed + parity.stance_changed
        yield (
            f"Its int8 graph differs from the float model in {changed:,} of "
            f"{parity.pairs + parity.stance_pairs:,} held-out decisions."
        )


def _print(out: Console, artifact: Artifact) -> None:
    from rich.text import Text

    manifest, schema = artifact.manifest, artifact.schema
    _heading(out, f"{manifest.name} ({manifest.kind}, made {manifest.created})")
    out.print(Text(f"  folder  {display.plain(str(artifact.path))}"), soft_wrap=True)
    out.print(Text(f"  digest  {artifact.digest}"), soft_wrap=True)
    _heading(out, "Topics")
    out.print(_topics(artifact))
    for topic in schema.topics:
        if topic.description:
            out.print(_indented(f"{topic.name}: {topic.description}"))
    _heading(out, "Stances")
    for item in schema.stances:
        note = "" if item.predicted else " (in labels only, never predicted)"
        words = f"{item.name}{note}: {item.description}" if item.description else item.name + note
        out.print(_indented(words))
    _heading(out, "Limits")
    for sentence in limits(artifact):
        out.print(_indented(sentence))
    if manifest.scores:
        _heading(out, "Scores on held-out texts")
        _print_scores(out, manifest.scores)
    parts = {"Data": manifest.data, "Training": manifest.training, "Made with": manifest.versions}
    for name, part in parts.items():
        if part:
            _heading(out, name)
            for line in flatten(part):
                out.print(_indented(line))
    if manifest.history:
        _heading(out, "Validation scores per epoch")
        out.print(_history(manifest))
    _heading(out, "Files")
    for name, entry in manifest.files.items():
        held = "" if (artifact.path / name).is_file() else ", not in this copy"
        out.print(Text(f"  {display.plain(name)}  {entry.bytes:,} bytes{held}"), soft_wrap=True)


def _print_scores(out: Console, scores: Mapping[str, Any]) -> None:
    """Scores of several splits as a table, one column each; what they rest on below it."""
    from rich.text import Text

    splits = {name: part for name, part in scores.items() if isinstance(part, Mapping)}
    names = dict.fromkeys(key for part in splits.values() for key in part if key != "signature")
    if splits:
        table = _table(("", *splits))
        for name in names:
            cells = (_words(part[name]) if name in part else "" for part in splits.values())
            table.add_row(*(Text(display.plain(cell)) for cell in (name, *cells)))
        out.print(table)
    for line in flatten({name: part for name, part in scores.items() if name not in splits}):
        out.print(_indented(line))
    for name, part in splits.items():
        if "signature" in part:
            signature = f"  {name}: {part['signature']}"
            out.print(Text(display.plain(signature), style="dim"), soft_wrap=True)


def _indented(words: str) -> Padding:
    from rich.padding import Padding
    from rich.text import Text

    return Padding(Text(display.plain(words)), (0, 0, 0, 2), expand=False)


def flatten(value: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Nested JSON objects as lines `outer, inner: value`."""
    for key, item in value.items():
        name = f"{prefix}, {key}" if prefix else key
        if isinstance(item, Mapping):
            yield from flatten(item, name)
        else:
            yield f"{name}: {_words(item)}"


def _words(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, int):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    if isinstance(value, list):
        more = f" and {len(value) - _LONGEST_LIST:,} more" if len(value) > _LONGEST_LIST else ""
        return ", ".join(map(_words, value[:_LONGEST_LIST])) + more
    return str(value)


def _topics(artifact: Artifact) -> Table:
    from rich.text import Text

    table = _table(("topic", "found from", "precision", "recall"))
    for topic in artifact.schema.topics:
        calibration = artifact.manifest.calibration[topic.name]
        precision, recall = _at_threshold(calibration)
        cells = (topic.name, f"{calibration.threshold:.2f}", precision, recall)
        table.add_row(*(Text(display.plain(cell)) for cell in cells))
    return table


def _at_threshold(calibration: TopicCalibration) -> tuple[str, str]:
    """Precision and recall on held-out texts at the threshold, where the curve holds the point."""
    for threshold, precision, recall in calibration.curve:
        if abs(threshold - calibration.threshold) < 1e-6:
            return f"{precision:.2f}", f"{recall:.2f}"
    return "", ""


def _history(manifest: Manifest) -> Table:
    names = list(dict.fromkeys(name for epoch in manifest.history for name in epoch))
    table = _table(tuple(names))
    for epoch in manifest.history:
        table.add_row(*(_words(epoch[name]) if name in epoch else "" for name in names))
    return table


def _table(columns: tuple[str, ...]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for name in columns:
        table.add_column(display.plain(name))
    return table


def _heading(out: Console, words: str) -> None:
    from rich.text import Text

    out.print()
    out.print(Text(display.plain(words), style="bold"))


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
