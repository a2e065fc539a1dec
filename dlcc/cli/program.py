"""The program: its commands in order, and what becomes of errors."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import typer
from typer.exceptions import TyperException

from dlcc.cli import feedback, forecasts, judging, past, reviewing, training

app = typer.Typer(
    name="dlcc",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Judge a training run from the folder that it left behind.",
)
_INTERRUPTED = 130
for _room in (judging, forecasts, feedback, reviewing, training, past):
    _room.register(app)


def main() -> None:
    """Run the command line; a DlccError is one sentence on stderr and its exit code."""
    from dlcc.errors import DlccError

    try:
        code = app(standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except DlccError as error:
        from dlcc.report.text import one_line

        typer.echo(f"dlcc: {one_line(str(error))}", err=True)
        code = error.exit_code
    except Exception as error:
        if not isinstance(error, TyperException):
            where = traceback.extract_tb(error.__traceback__)[-1]
            typer.echo(
                f"dlcc: {type(error).__name__} at {Path(where.filename).name}:{where.lineno}: "
                f"{' '.join(str(error).split())[:300]}; this is a fault of dlcc, please report it",
                err=True,
            )
            sys.exit(3)
        typer.echo(f"dlcc: {error.format_message()}", err=True)
        code = error.exit_code
    if code == _INTERRUPTED:  # which is what typer makes of Ctrl-C, too
        typer.echo("dlcc: interrupted; nothing half-written was left", err=True)
    sys.exit(code)
