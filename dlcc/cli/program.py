"""Program: its commands in order, and what becomes of errors."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer
from typer.exceptions import TyperException

from dlcc.cli.advise import advise
from dlcc.cli.compare import compare
from dlcc.cli.diagnose import diagnose
from dlcc.cli.evaluate import evaluate
from dlcc.cli.explain import explain
from dlcc.cli.forecast import forecast
from dlcc.cli.inspect import inspect
from dlcc.cli.kinds import kinds
from dlcc.cli.library import library
from dlcc.cli.mcp import mcp
from dlcc.cli.options import say
from dlcc.cli.recipes import recipes
from dlcc.cli.report import report
from dlcc.cli.rerun import rerun
from dlcc.cli.review import review
from dlcc.cli.schema import schema
from dlcc.cli.stages import stages
from dlcc.cli.train import TrainCommand, train
from dlcc.cli.tune import tune
from dlcc.cli.verify import verify
from dlcc.cli.watch import watch

app = typer.Typer(
    name="dlcc",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_SHORT_HELP = """\
dlcc judges a training run from the folder that it left behind.

  dlcc diagnose RUN    its state in a second, from losses and metrics
  dlcc evaluate RUN    everything: samples, code, forecast, reruns, and a page
  dlcc report DIR      one page of many runs
  dlcc watch RUN       while it trains
  dlcc compare A B     what differs, and where they part
  dlcc explain CODE    what a finding means

RUN is a folder or a file that any tool left. All commands: dlcc --help
"""


def _version(wanted: bool) -> None:
    if wanted:
        from dlcc.version import __version__

        typer.echo(f"dlcc {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _program(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Judge a training run from the folder that it left behind."""
    if context.invoked_subcommand is None:
        typer.echo(_SHORT_HELP, nl=False)


_INTERRUPTED, _TERMINATED = 130, 143  # 128 and the signal's number, as shells have it
for _command in (
    diagnose,
    inspect,
    compare,
    report,
    watch,
    evaluate,
    stages,
    kinds,
    schema,
    explain,
    verify,
    forecast,
    rerun,
    advise,
    tune,
    review,
    train,
    recipes,
    mcp,
):
    app.command(cls=TrainCommand if _command is train else None)(_command)
app.add_typer(library)


def main() -> None:
    """Run the command line; a DlccError is one sentence on stderr and its exit code.

    >>> from unittest.mock import patch
    >>> with patch.object(sys, "argv", ["dlcc", "explain", "GAN999"]):  # no such code
    ...     main()
    Traceback (most recent call last):
    SystemExit: 2
    """
    from dlcc.engine.scratch import remove_leftovers
    from dlcc.errors import DlccError

    remove_leftovers()  # of a call that was killed
    terminated = threading.Event()
    try:
        with _sigterm_as_ctrl_c(terminated):
            code = app(standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        code = _INTERRUPTED
    except DlccError as error:
        say(str(error))
        code = error.exit_code
    except Exception as error:
        if not isinstance(error, TyperException):
            where = traceback.extract_tb(error.__traceback__)[-1]
            say(
                f"{type(error).__name__} at {Path(where.filename).name}:{where.lineno}: "
                f"{str(error)[:300]}; this is a fault of dlcc, please report it"
            )
            sys.exit(3)
        say(error.format_message())
        code = error.exit_code
    if code == _INTERRUPTED:  # which is what typer makes of Ctrl-C, too
        say("interrupted; nothing half-written was left")
        if terminated.is_set():
            _end_at_once(_TERMINATED)
    sys.exit(code)


def _end_at_once(code: int) -> None:
    """End the process without taking apart all that was imported, which takes up to two seconds.

    Whoever sends SIGTERM waits a moment, and then sends SIGKILL.
    """
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(code)


class _Terminated(KeyboardInterrupt):
    """Exception by which SIGTERM is handled as Ctrl-C is."""


@contextlib.contextmanager
def _sigterm_as_ctrl_c(terminated: threading.Event) -> Iterator[None]:
    """Treat SIGTERM inside the block as Ctrl-C, and set the event when it comes."""
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may say what a signal does
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        terminated.set()
        raise _Terminated

    usual = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)
