"""`stance data audit`: labelled data in, a ranked list of what may be wrong in them out."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stance.cli import display
from stance.cli.options import Format, OutputFormat, SchemaFile, SkipInvalid, Sources
from stance.cli.scoring import load_classifier, print_tables, table_console, tell_faults
from stance.errors import UsageError, listing

if TYPE_CHECKING:
    from rich.console import Console

    from stance.audit import Answers, Audit
    from stance.evaluation.inputs import Job, Model

# Lines of each table after the first that are printed; the JSON has them all.
_MOST = 15
_TEXT_WIDTH = 160


def audit(
    sources: Sources,
    schema: SchemaFile = None,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only the texts of this split, e.g. test.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|NAME",
            help="Hold labels against this model, which must not have seen the texts; without it, "
            "against baselines that are trained on part of the texts at a time.",
        ),
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Hold labels against predictions made earlier."),
    ] = None,
    folds: Annotated[int, typer.Option(min=2, help="Parts that take turns to be held out.")] = 5,
    seed: Annotated[int, typer.Option(min=0, help="Of the parts.")] = 0,
    training_data: Annotated[
        str | None,
        typer.Option(
            metavar="FOLDER|FILE",
            help="What a model learns from, to name longer texts; the split train if not given.",
        ),
    ] = None,
    show: Annotated[int, typer.Option(min=0, help="How many suspects to print.")] = 20,
    out: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Write audit.json, and the texts to look at for Label Studio and Argilla.",
        ),
    ] = None,
    output_format: OutputFormat = Format.text,
    skip_invalid: SkipInvalid = False,
) -> None:
    """Rank labels that may be wrong; name what is thin and what gives labels away."""
    if model is not None and predictions is not None:
        raise UsageError("--model and --predictions: expected one of them, found both")
    # Late, so that --help does not wait for them.
    from stance.audit import audit_records
    from stance.audit.outputs import write_audit
    from stance.audit.suspects import EXTRA, TASK
    from stance.door import open_training
    from stance.evaluation import inputs

    # Opened before all else: nobody should wait for folds only to hear that cleanlab is missing.
    open_training("training.label_issues", task=TASK, extra=EXTRA)
    classifier = None if model is None else load_classifier(model)
    job = inputs.load_job(
        sources,
        schema,
        split=split,
        fallback=None if classifier is None else classifier.schema,
        skip_invalid=skip_invalid,
        training_data=training_data,
    )
    tell_faults(job)
    notes = []
    about = {**job.about}
    if classifier is not None and model is not None:
        answers = _model_answers(job, classifier, model)
        about |= {"model": model, "model_digest": classifier.digest}
        seen = split in (None, inputs.TRAIN)
        if seen and classifier.manifest.data.get("digest") == job.dataset.digest:
            notes.append(
                "The model names these very data as those it was made from. It has learnt its "
                "training texts with their faults and will hardly contradict them; name a split "
                "that it did not see (--split), or leave --model out."
            )
    elif predictions is not None:
        answers = _file_answers(job, predictions)
        about |= {"predictions": str(predictions)}
    else:
        answers = _cross_validated(job, folds=folds, seed=seed)
        about |= {"folds": folds, "seed": seed}
    result = audit_records(
        job.records,
        job.dataset.schema,
        answers,
        training=job.training or job.train_part,
        about={**about, **inputs.run_facts()},
        notes=notes,
    )
    if output_format is Format.json:
        sys.stdout.write(display.json_text(result.to_dict(), indent=2) + "\n")
    else:
        print_audit(result, show=show)
    for message in result.notes:
        display.note(f"note: {display.plain(message)}")
    if out is not None:
        files = write_audit(result, out)
        display.note(f"written to {listing(map(str, files))}")


def _model_answers(job: Job, classifier: Model, name: str) -> Answers:
    from stance.audit import Answers
    from stance.evaluation import count_outcomes, inputs

    schema = job.dataset.schema
    inputs.check_fit(schema, classifier.schema)
    outcomes = count_outcomes(job.records, inputs.model_predictions(job, classifier), schema)
    return Answers(
        presence=outcomes.probability,
        stance=outcomes.stance_probability,
        source=f"the model {name}",
    )


def _file_answers(job: Job, path: Path) -> Answers:
    from stance.audit import Answers
    from stance.evaluation import count_outcomes, inputs

    reader = inputs.PredictionFile(path, job)
    outcomes = count_outcomes(job.records, reader.read(), job.dataset.schema)
    return Answers(
        presence=outcomes.probability,
        stance=outcomes.stance_probability,
        source=f"the predictions {path.name}",
    )


def _cross_validated(job: Job, *, folds: int, seed: int) -> Answers:
    from stance.audit import Answers
    from stance.audit.suspects import EXTRA, TASK
    from stance.door import open_training

    crossval = open_training("training.crossval", task=TASK, extra=EXTRA)

    def watch(numbers: Sequence[int]) -> Iterator[int]:
        for number in numbers:
            if sys.stderr.isatty():
                display.note(f"baseline {number + 1} of {len(numbers)}")
            yield number

    presence, stance = crossval.cross_validate(
        job.records, job.dataset.schema, folds=folds, seed=seed, watch=watch
    )
    source = f"TF-IDF baselines, cross-validated in {folds} folds"
    return Answers(presence=presence, stance=stance, source=source)


def print_audit(audit: Audit, *, show: int) -> None:
    """Print what to look at first, then what is thin and what gives labels away."""
    from stance.audit.suspects import by_text

    out = table_console()
    _print(out, f"{len(audit.records):,} texts, {audit.labels:,} labels")
    _print(out, f"held against: {audit.answers.source}")
    suspects = by_text(audit.suspects)
    _print(
        out,
        f"suspect: {len(audit.suspects):,} labels or missing labels in {len(suspects):,} texts; "
        "a suspicion is a reason to look, not a fault",
    )
    _print(out, "")
    _print_suspects(out, audit, show)
    thin = [[item.what, f"{item.texts:,}"] for item in audit.thin]
    _print_table(out, "Too few to learn from", ("what", "texts"), thin)
    skews = [
        [
            f"{item.field}: {item.value}",
            item.what,
            f"{item.texts:,}",
            display.percent(item.share),
            display.percent(item.rest),
        ]
        for item in audit.skews
    ]
    heads = ("part", "label", "texts", "share", "in the rest")
    _print_table(out, "Labels that kind or length gives away", heads, skews)
    reaches = [
        [
            item.topic,
            f"{item.labels:,}",
            f"{item.reached:,}",
            display.percent(item.reached / item.labels),
            display.percent(item.right / item.reached),
        ]
        for item in audit.reaches
        if item.reached
    ]
    heads = ("topic", "labels", "in texts with a cue", "share", "cue is right")
    _print_table(out, "Stances that single words give away", heads, reaches)
    cues = [
        [
            item.word,
            item.topic,
            item.stance,
            f"{item.texts:,}",
            display.percent(item.share),
            display.percent(item.usual),
        ]
        for item in sorted(audit.cues, key=lambda cue: (-cue.texts, cue.word))
    ]
    names = ("word", "topic", "stance", "texts", "share", "usual share")
    _print_table(out, "Cue words", names, cues)
    title = f"Longer than any training text ({audit.longest or 0:,} words)"
    longer = [[item.id, f"{item.words:,}"] for item in audit.long]
    _print_table(out, title, ("id", "words"), longer)


def _print(out: Console, line: str) -> None:
    from rich.text import Text

    out.print(Text(display.plain(line)), soft_wrap=True)


def _print_suspects(out: Console, audit: Audit, show: int) -> None:
    """One line of words and one of text for each suspect; a table would break both."""
    from rich.text import Text

    records = {record.id: record for record in audit.records}
    for rank, item in enumerate(audit.suspects[:show], 1):
        mark = ", marked as disputable" if item.disputable else ""
        head = f"{rank}. {item.id}: {item.words()}{mark}"
        out.print(Text(display.plain(head), style="bold"), soft_wrap=True)
        article = records[item.id].article
        text = display.plain(f"{article.title or ''} {article.text}")
        shown = text if len(text) <= _TEXT_WIDTH else text[: _TEXT_WIDTH - 3] + "..."
        out.print(Text(f"   {shown}"), soft_wrap=True)
    left = len(audit.suspects) - show
    if left > 0:
        _print(out, f"... and {left:,} more (--show, --out)")
    _print(out, "")


def _print_table(
    out: Console, title: str, columns: Sequence[str], lines: Sequence[Sequence[str]]
) -> None:
    from stance.evaluation.layout import Table

    if not lines:
        return
    rows = tuple(tuple(line) for line in lines[:_MOST])
    print_tables(out, [Table(title=title, columns=tuple(columns), rows=rows)])
    if len(lines) > _MOST:
        _print(out, f"... and {len(lines) - _MOST:,} more (--format json, --out)")
        _print(out, "")
