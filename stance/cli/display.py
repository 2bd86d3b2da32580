"""What a person sees: predictions as tables, progress, and messages without control characters."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from stance.predictions import Evidence, FaultyInput, Finding, Prediction

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress
    from rich.table import Table
    from rich.text import Text

# What a terminal could take for a command, or what would reorder the words around it: the control
# characters, the marks of writing direction, and halves of surrogate pairs.
_UNSAFE = dict.fromkeys(
    [
        *range(0x20),
        *range(0x7F, 0xA0),
        0x061C,
        *range(0x200E, 0x2010),
        *range(0x2028, 0x202F),
        *range(0x2066, 0x206A),
        *range(0xD800, 0xE000),
    ],
    "\ufffd",
)
# Line feeds and tabs are what articles are laid out with; here they only part words.
_ONE_LINE = {**_UNSAFE, **dict.fromkeys(map(ord, "\t\n\v\f\r\x85\u2028\u2029"), " ")}
# JSON itself is laid out with line feeds; those within its strings are escaped already.
_ESCAPED = {key: f"\\u{key:04x}" for key in _UNSAFE if key != ord("\n")}
_MESSAGE = {key: value for key, value in _UNSAFE.items() if key not in map(ord, "\t\n")}
# Colours for stances that many data sets share; others take theirs in turn.
_COLOURS = {
    "positive": "green",
    "favor": "green",
    "favour": "green",
    "negative": "red",
    "against": "red",
    "neutral": "yellow",
}
_OTHER_COLOURS = ("cyan", "magenta", "blue", "yellow")


def plain(text: str) -> str:
    """A text as one line that a terminal prints and does not obey."""
    return " ".join(text.translate(_ONE_LINE).split())


def safe(text: str) -> str:
    """A text of several lines that a terminal prints and does not obey."""
    return text.translate(_MESSAGE)


def json_text(value: Any, *, indent: int | None = None) -> str:
    """A value as JSON in which all that a terminal would obey is written as an escape."""
    return json.dumps(value, ensure_ascii=False, indent=indent).translate(_ESCAPED)


def note(message: str) -> None:
    """Write a message to stderr, without characters that a terminal would obey."""
    sys.stderr.write(safe(message) + "\n")
    sys.stderr.flush()


def percent(share: float) -> str:
    """A share in [0, 1] in words; never 100 % or 0 % for what is not certain."""
    words = f"{share:.0%}".replace("%", " %")
    if words == "100 %" and share < 1:
        return "> 99 %"
    if words == "0 %" and share > 0:
        return "< 1 %"
    return words


def console(*, stderr: bool = False) -> Console:
    """A rich console that adds no colours of its own, and raises when its reader goes away."""
    from rich.console import Console

    class PlainConsole(Console):
        def on_broken_pipe(self) -> None:
            raise BrokenPipeError

    return PlainConsole(stderr=stderr, highlight=False, markup=False, emoji=False)


def print_answer(
    out: Console, answer: Prediction | FaultyInput, *, number: int, full: bool = False
) -> None:
    """Print one answer: its name, then a table of the topics found, or that there is none.

    Args:
        out: Where to.
        answer: A prediction, or what is wrong with an input.
        number: 1-based place among the inputs; names those without an id.
        full: Whether topics that were not found are shown too.
    """
    from rich.text import Text

    out.print(Text(plain(answer.id or "") or f"article {number}", style="bold"))
    if isinstance(answer, FaultyInput):
        out.print(Text(f"  not read: {plain(answer.error)}\n", style="red"))
        return
    if not answer.topics:
        best = sorted(answer.scores.items(), key=lambda item: -item[1])[:3]
        scores = ", ".join(f"{plain(topic)} {percent(score)}" for topic, score in best)
        out.print(Text(f"  no topic found; closest: {scores}\n"))
    shown = (*answer.topics, *answer.below) if full else answer.topics
    if shown:
        out.print(_findings_table(shown, found=len(answer.topics)))


def _findings_table(findings: tuple[Finding, ...], *, found: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1))
    table.add_column("topic", no_wrap=True)
    table.add_column("probability", justify="right", no_wrap=True)
    table.add_column("stance", no_wrap=True)
    table.add_column("evidence", ratio=1)
    for index, finding in enumerate(findings):
        below = index >= found
        table.add_row(
            Text(plain(finding.topic) + ("\nnot found" if below else "")),
            Text(percent(finding.probability)),
            _stance_cell(finding),
            _evidence_cell(finding.evidence),
            style="dim" if below else None,
        )
    return table


def _stance_cell(finding: Finding) -> Text:
    from rich.text import Text

    names = list(finding.stance_probabilities)
    others = [name for name in names if name not in _COLOURS]
    colour = _COLOURS.get(finding.stance)
    if colour is None:
        place = others.index(finding.stance) if finding.stance in others else 0
        colour = _OTHER_COLOURS[place % len(_OTHER_COLOURS)]
    share = percent(finding.stance_probabilities.get(finding.stance, 0.0))
    cell = Text(f"{plain(finding.stance)} {share}", style=colour)
    if finding.uncertain:
        cell.append("\nnot sure", style="yellow")
    return cell


def _evidence_cell(evidence: tuple[Evidence, ...]) -> Text:
    from rich.text import Text

    lines = Text()
    for index, item in enumerate(evidence):
        lines.append("\n" if index else "")
        lines.append("> ", style="bold")
        lines.append("(title) " if item.part == "title" else "", style="dim")
        lines.append(plain(item.sentence))
    return lines


class Counter:
    """Counts articles and shows the count, the faults and the speed while it goes on."""

    def __init__(self, progress: Progress | None, *, done: int = 0, faults: int = 0) -> None:
        """Count in silence if there is no progress display; `done` were there before."""
        self.done = done
        self.faults = faults
        self._before = done
        self._began = time.perf_counter()
        self._progress = progress
        self._task: Any = None if progress is None else progress.add_task("", total=None, said="")

    def add(self, *, fault: bool) -> None:
        """Count one input."""
        self.add_many(1, faults=int(fault))

    def add_many(self, done: int, *, faults: int) -> None:
        """Count inputs, some of them with faults."""
        self.done += done
        self.faults += faults
        if self._progress is not None:
            self._progress.update(self._task, said=self.words())

    @property
    def rate(self) -> float:
        """Articles a second since the start, those that were there before left out."""
        return (self.done - self._before) / max(time.perf_counter() - self._began, 1e-9)

    def words(self) -> str:
        """The count as it is shown."""
        articles = "1 article" if self.done == 1 else f"{self.done:,} articles"
        faults = f", {self.faults:,} with faults" if self.faults else ""
        return f"{articles}{faults}, {self.rate:,.1f} a second"


@contextmanager
def counting(*, shown: bool, done: int = 0, faults: int = 0) -> Iterator[Counter]:
    """Count the articles of a run from `done` on; `shown` on a terminal as they pass."""
    if not (shown and sys.stderr.isatty()):
        yield Counter(None, done=done, faults=faults)
        return
    from rich.progress import Progress, SpinnerColumn, TextColumn

    columns = (SpinnerColumn(), TextColumn("{task.fields[said]}", markup=False))
    with Progress(*columns, console=console(stderr=True), transient=True) as progress:
        yield Counter(progress, done=done, faults=faults)
