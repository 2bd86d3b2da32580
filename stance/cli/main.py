"""The `stance` command: mounts the verbs, and words errors as one message and an exit status."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.main import get_command

from stance._version import __version__
from stance.cli.display import note
from stance.errors import StanceError
from stance.files import reason

# Each verb's module is imported when the verb is called, so that none pays for another's libraries.
VERBS = {
    "predict": "stance.cli.predict:predict",
    "train": "stance.cli.train:train",
    "evaluate": "stance.cli.evaluate:evaluate",
    "compare": "stance.cli.compare:compare",
    "data": "stance.cli.data:app",
    "describe": "stance.cli.describe:describe",
    "export": "stance.cli.export:export",
}
INTERRUPTED = 130
PIPE_CLOSED = 141


class _LazyGroup(TyperGroup):
    """A command group whose members are imported when they are asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """The verbs in the order of the help text."""
        return list(VERBS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Import a verb; None if there is no such verb."""
        if cmd_name not in VERBS:
            # The group offers what it holds when it says "Did you mean ...?".
            for verb in VERBS:
                self.get_command(ctx, verb)
            return None
        if cmd_name not in self.commands:
            self.add_command(_load(cmd_name), cmd_name)
        return self.commands[cmd_name]

    def invoke(self, ctx: Any) -> Any:
        """Run the verb; a reader that went away, as in `stance predict ... | head`, is no error."""
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is left in the buffer must not raise again when the interpreter closes it.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(PIPE_CLOSED) from None
        except KeyboardInterrupt as error:
            # Typer makes an exit status of it and drops what was noted on it.
            if hasattr(error, "__notes__"):
                note(_worded(error, "interrupted"))
            raise
        return result


def _worded(error: BaseException, words: object) -> str:
    """An error as one sentence, with what the code that it passed through noted on it."""
    return "stance: " + "; ".join([str(words), *getattr(error, "__notes__", ())])


def _load(verb: str) -> Any:
    module, _, name = VERBS[verb].partition(":")
    target = getattr(import_module(module), name)
    if not isinstance(target, typer.Typer):
        single = typer.Typer()
        single.command(verb)(target)
        target = single
    target.info.name = verb
    command = get_command(target)
    # Completion is offered once, by the command itself.
    command.params = [
        param
        for param in command.params
        if param.name not in {"install_completion", "show_completion"}
    ]
    return command


app = typer.Typer(
    cls=_LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"stance {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_show_version, is_eager=True, help="Show the version and exit."
        ),
    ] = False,
) -> None:
    """Read English news: topics, how each is presented, and the sentences that show it."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: The arguments without the program's name; None for those of the process.

    Returns:
        0 done, 1 the data has faults, 2 usage, 3 the model is unusable, 130 interrupted, 141 the
        reader of the output went away.
    """
    _speak_utf8()
    try:
        get_command(app).main(args=argv, prog_name="stance")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except StanceError as error:
        note(_worded(error, error))
        return error.exit_status
    except OSError as error:
        place = f"{error.filename}: " if error.filename is not None else ""
        note(_worded(error, f"{place}{reason(error)}"))
        return 1
    return 0


def _speak_utf8() -> None:
    # Data and messages are UTF-8 on every system; a character that cannot be written must not cost
    # the run.
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")


if __name__ == "__main__":
    sys.exit(main())
