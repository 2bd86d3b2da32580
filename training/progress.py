"""What a person sees while a model is trained: a bar per epoch and a table of scores."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

_COLUMNS = {
    "topic_f1": "topic F1",
    "topic_ap": "topic AP",
    "stance_f1": "stance F1",
    "stance_accuracy": "stance acc.",
    "joint_f1": "joint F1",
}


class Progress:
    """Progress on standard error; silent if not shown.

    Args:
        shown: False for no output at all.
    """

    def __init__(self, *, shown: bool = True) -> None:
        self._console = Console(stderr=True, quiet=not shown)
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            TimeRemainingColumn(),
            console=self._console,
            disable=not shown,
        )
        self._task: TaskID | None = None
        self._heading_shown = False

    def __enter__(self) -> Progress:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def say(self, sentence: str) -> None:
        """Print one line above the bars."""
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def start_epoch(self, epoch: int, max_steps: int, step: int) -> None:
        """Begin or relabel the bar of the training steps."""
        if self._task is None:
            self._task = self._bars.add_task("", total=max_steps, completed=step, note="")
        self._bars.update(self._task, description=f"epoch {epoch}", total=max_steps)

    def advance(self, step: int) -> None:
        """Move the bar to a step."""
        if self._task is not None:
            self._bars.update(self._task, completed=step)

    def loss(self, value: float) -> None:
        """Show the running loss."""
        if self._task is not None:
            self._bars.update(self._task, note=f"loss {value:.3f}")

    def end_epoch(self, epoch: int, scores: Mapping[str, float]) -> None:
        """Print the epoch's row of the validation table."""
        if not self._heading_shown:
            self.say("epoch  " + "  ".join(f"{name:>11}" for name in _COLUMNS.values()))
            self._heading_shown = True
        self.say(
            f"{epoch:>5}  " + "  ".join(f"{scores.get(name, 0.0):>11.4f}" for name in _COLUMNS)
        )
