"""`stance data`: check labelled data, count what is in it, split it, audit it."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stance.cli import display
from stance.cli.audit import audit
from stance.cli.options import Format, OutputFormat, SchemaFile, SkipInvalid, Sources
from stance.dataset import Dataset, TextConflict, data_files, load_records, text_conflicts
from stance.errors import DataError, Fault, UsageError, listing, shorten
from stance.schema import Schema

if TYPE_CHECKING:
    from rich.table import Table

    from stance.splits import Splits
    from stance.statistics import Statistics

app = typer.Typer(
    no_args_is_help=True,
    help="Check labelled data, count what is in it, split it, find what may be wrong in it.",
)
app.command()(audit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What `stance data check` found.

    Attributes:
        files: What was read.
        records: Number of records without a fault.
        faults: All faults, in order of file and line.
        repeated: Texts that stand in more than one record.
        odd_pairs: Pair ids that not exactly two records share.
        ignored: Files of the given folders that are no data by their ending.
    """

    files: tuple[str, ...]
    records: int
    faults: tuple[Fault, ...]
    repeated: tuple[TextConflict, ...]
    odd_pairs: tuple[str, ...]
    ignored: tuple[str, ...]

    def warnings(self) -> list[str]:
        """What is odd but no fault, a sentence each."""
        words = [
            f"the same text {'twice' if len(item.ids) == 2 else f'{len(item.ids)} times'}, "
            f"{'with the same labels' if item.same_labels else 'with different labels'}: "
            f"{listing(item.ids)}"
            for item in self.repeated
        ]
        if self.odd_pairs:
            words.append(f"pair ids that not exactly two records share: {listing(self.odd_pairs)}")
        if self.ignored:
            words.append(f"not read, since the ending names no data: {listing(self.ignored)}")
        return words

    def to_dict(self) -> dict[str, Any]:
        """The result as a JSON object."""
        return {
            "files": list(self.files),
            "records": self.records,
            "faults": [asdict(fault) for fault in self.faults],
            "repeated_texts": [asdict(item) for item in self.repeated],
            "odd_pairs": list(self.odd_pairs),
            "ignored_files": list(self.ignored),
        }


def check_data(sources: Sequence[str], schema: Schema | None = None) -> Check:
    """Read labelled data and gather all that is wrong or odd.

    Raises:
        UsageError: If a file cannot be opened or a folder holds no data.
        SchemaError: If no schema is given or found.
    """
    from stance.statistics import describe_records

    data: Dataset | None
    try:
        data = load_records(sources, schema, skip_invalid=True)
        faults = data.faults
    except DataError as error:
        data, faults = None, error.faults
    folders = [Path(item) for item in sources if Path(item).is_dir()]
    return Check(
        files=data.files if data else tuple(sources),
        records=len(data.records) if data else 0,
        faults=faults,
        repeated=tuple(text_conflicts(data.records)) if data else (),
        odd_pairs=describe_records(data.records, data.schema).odd_pairs if data else (),
        ignored=tuple(str(path) for folder in folders for path in data_files(folder)[1]),
    )


@app.command()
def check(
    sources: Sources, schema: SchemaFile = None, output_format: OutputFormat = Format.text
) -> None:
    """Name every fault with its file, line and field; the exit status is 1 if there is any."""
    result = check_data(sources, Schema.load(schema) if schema else None)
    if output_format is Format.json:
        _write_json(result.to_dict())
    else:
        for fault in result.faults:
            display.note(display.plain(str(fault)))
        for warning in result.warnings():
            display.note(f"note: {display.plain(warning)}")
        _write(
            f"{_count(result.records, 'record')} without fault in "
            f"{_count(len(result.files), 'file')}, {_count(len(result.faults), 'fault')}"
        )
    if result.faults:
        raise typer.Exit(1)


@app.command()
def stats(
    sources: Sources,
    schema: SchemaFile = None,
    output_format: OutputFormat = Format.text,
    skip_invalid: SkipInvalid = False,
) -> None:
    """Count texts by kind, topic and stance, their lengths, evidence and pairs."""
    from stance.statistics import describe_records

    data = _load(sources, schema, skip_invalid=skip_invalid)
    counts = describe_records(data.records, data.schema)
    if output_format is Format.json:
        _write_json({**counts.to_dict(), "files": list(data.files), "digest": data.digest})
        return
    out = display.console()
    for table in (_kinds_table(counts), _labels_table(counts, data.schema)):
        out.print(table)
    _write(_stats_words(counts))


@app.command()
def split(
    sources: Sources,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="Where to write the splits.")],
    schema: SchemaFile = None,
    seed: Annotated[int, typer.Option(help="Another seed draws other splits.")] = 0,
    fractions: Annotated[
        str, typer.Option(metavar="NAME=SHARE,...", help="Splits and their shares.")
    ] = "train=0.8,validation=0.1,test=0.1",
    keep: Annotated[
        Path | None,
        typer.Option(
            "--keep", metavar="FILE", help="Earlier splits: what they place stays, new texts join."
        ),
    ] = None,
    output_format: OutputFormat = Format.text,
    skip_invalid: SkipInvalid = False,
) -> None:
    """Draw splits by topic, stance and kind; pairs and near-duplicates stay together."""
    from stance.splits import Splits, make_splits

    shares = parse_fractions(fractions)
    data = _load(sources, schema, skip_invalid=skip_invalid)
    kept = Splits.load(keep) if keep else None
    splits = make_splits(data.records, shares, seed, keep=kept)
    splits.save(out)
    if output_format is Format.json:
        _write_json(
            {"seed": seed, "splits": {name: len(ids) for name, ids in splits.splits.items()}}
        )
    else:
        display.console().print(_splits_table(splits, data))
    display.note(f"written to {out}")


def parse_fractions(words: str) -> dict[str, float]:
    """Read `NAME=SHARE,...`.

    Raises:
        UsageError: If it is something else, or names a split twice.
    """
    shares: dict[str, float] = {}
    for item in words.split(","):
        name, _, share = (part.strip() for part in item.partition("="))
        try:
            value = float(share)
        except ValueError:
            value = float("nan")
        if not name or not value > 0 or name in shares:
            raise UsageError(
                "--fractions: expected NAME=SHARE,... with each name once and shares above 0, "
                f"found {shorten(words)}"
            )
        shares[name] = value
    return shares


def _load(sources: Sequence[str], schema: Path | None, *, skip_invalid: bool) -> Dataset:
    data = load_records(sources, Schema.load(schema) if schema else None, skip_invalid=skip_invalid)
    for fault in data.faults:
        display.note(display.plain(str(fault)))
    if data.faults:
        display.note(
            f"{_count(len(data.faults), 'fault')}; went on with "
            f"{_count(len(data.records), 'record')}"
        )
    return data


def _write(line: str) -> None:
    sys.stdout.write(display.safe(line) + "\n")


def _write_json(data: Mapping[str, Any]) -> None:
    _write(display.json_text(data, indent=2))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _table(columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    for place, name in enumerate(columns):
        table.add_column(display.plain(name), justify="right" if place else "left")
    return table


def _kinds_table(counts: Statistics) -> Table:
    table = _table(("kind", "texts", "words: min", "median", "95 %", "max"))
    lines = [*counts.words_by_kind.items(), ("all", counts.words)]
    for kind, words in lines:
        texts = counts.texts if words is counts.words else counts.kinds[kind]
        numbers = (texts, words.minimum, words.median, words.high, words.maximum)
        name = display.plain(kind) if kind else "(no kind)"
        table.add_row(name, *(f"{number:,}" for number in numbers))
    return table


def _labels_table(counts: Statistics, schema: Schema) -> Table:
    table = _table(("topic", *schema.stance_names, "all", "with evidence"))
    for topic, by_stance in counts.labels.items():
        numbers = (*by_stance.values(), sum(by_stance.values()), counts.with_evidence[topic])
        table.add_row(topic, *(f"{number:,}" for number in numbers))
    return table


def _stats_words(counts: Statistics) -> str:
    share = counts.without_topic / counts.texts
    words = [
        f"{_count(counts.texts, 'text')}, {counts.words.total:,} words; "
        f"{counts.without_topic:,} ({share:.0%}) without any topic, "
        f"{counts.multi_topic:,} with two or more; {_count(counts.pairs, 'pair')}"
    ]
    if counts.unsure:
        words.append(f"{_count(counts.unsure, 'label')} marked as disputable")
    if counts.odd_pairs:
        words.append(f"pair ids that not exactly two records share: {listing(counts.odd_pairs)}")
    return "\n".join(words)


def _splits_table(splits: Splits, data: Dataset) -> Table:
    from stance.statistics import describe_records

    columns = [
        (topic, stance_name)
        for topic in data.schema.topic_names
        for stance_name in data.schema.stance_names
    ]
    parts = {
        name: describe_records(splits.select(data, name), data.schema) for name in splits.splits
    }
    table = _table(("", *parts))
    table.add_row("texts", *(f"{part.texts:,}" for part in parts.values()))
    table.add_row("without a topic", *(f"{part.without_topic:,}" for part in parts.values()))
    for topic, stance_name in columns:
        numbers = [part.labels[topic][stance_name] for part in parts.values()]
        if any(numbers):
            table.add_row(f"{topic}, {stance_name}", *(f"{number:,}" for number in numbers))
    return table
