"""Command `dlcc watch`: follow a live folder and tell findings as they arise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import Map, mapping_of, say

if TYPE_CHECKING:
    from dlcc.watching import WatchEvent

_SEVERITIES = ("error", "warning", "note")
_WEBHOOK_SECONDS = 10
_COMMAND_SECONDS = 60


def watch(
    folder: Annotated[Path, typer.Argument(help="Folder or file, of any tool.", metavar="RUN")],
    run: Annotated[
        str | None, typer.Option("--run", help="One of several runs in a folder, by its name.")
    ] = None,
    map_: Map = None,
    kind: Annotated[
        str | None, typer.Option(help="Kind of training, where it is not told.")
    ] = None,
    objective: Annotated[str | None, typer.Option(help="Objective of the game.")] = None,
    exec_: Annotated[
        str | None,
        typer.Option("--exec", help="Command to run at each finding; it gets the finding as JSON."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(help="URL to which each finding is posted as JSON.")
    ] = None,
    until_finding: Annotated[
        str | None, typer.Option(help="End with 1 at a finding this severe: error, warning, note.")
    ] = None,
    stop_file: Annotated[
        Path | None, typer.Option(help="File that is written once stopping is advised.")
    ] = None,
    json_: Annotated[
        bool, typer.Option("--json", help="One JSON object an event and line.")
    ] = False,
) -> None:
    """Follow a live folder of any format, and tell findings as they arise."""
    from dlcc.errors import OptionError
    from dlcc.watching import watch as watched

    if until_finding is not None and until_finding not in _SEVERITIES:
        raise OptionError(
            f"--until-finding {until_finding}: expected one of {', '.join(_SEVERITIES)}"
        )
    if webhook is not None and not webhook.startswith(("http://", "https://")):
        raise OptionError(f"--webhook {webhook}: expected an address such as https://host/path")
    names = mapping_of(map_ or [])
    events = watched(folder, names, part=run, kind=kind, objective=objective)
    for event in events:
        _print(event, json_=json_)
        if event.finding is None:
            continue
        _tell(event, exec_, webhook)
        if event.finding.severity == "error" and stop_file is not None:
            _write_stop_file(stop_file, event)
        if until_finding is not None and _SEVERITIES.index(
            event.finding.severity
        ) <= _SEVERITIES.index(until_finding):
            raise typer.Exit(1)


def _as_json(event: WatchEvent) -> dict[str, Any]:
    from dlcc.diagnosis import finding_json

    found = event.diagnosis
    return {
        "event": event.event,
        "run": None if found is None else found.run,
        "state": None if found is None else found.state,
        "last_step": None if found is None else found.record.series.recorded - 1,
        "message": event.message,
        "finding": None if event.finding is None else finding_json(event.finding),
    }


def _print(event: WatchEvent, *, json_: bool) -> None:
    from dlcc.report.text import one_line

    if json_:
        typer.echo(json.dumps(_as_json(event), ensure_ascii=False, default=str))
    elif event.finding is not None:
        finding = event.finding
        at = "" if finding.first_step is None else f" from {finding.first_step:,}"
        typer.echo(
            f"{finding.code} {finding.severity}{at}: {one_line(event.message)} "
            f"{finding.page.remedy}"
        )
    elif event.event == "state" and event.diagnosis is not None:
        typer.echo(f"{event.diagnosis.state}: {one_line(event.message)}")
    elif event.event != "rows":
        say(event.message)
    sys.stdout.flush()


def _tell(event: WatchEvent, command: str | None, webhook: str | None) -> None:
    """Run the user's command and post to the user's address; what fails is said, and no more."""
    text = json.dumps(_as_json(event), default=str)
    if command is not None:
        environment = {**os.environ, "DLCC_EVENT": text}
        try:
            done = subprocess.run(
                command,
                shell=True,
                env=environment,
                input=text,
                text=True,
                timeout=_COMMAND_SECONDS,
            )
        except subprocess.TimeoutExpired:
            say(f"--exec {command}: did not end in {_COMMAND_SECONDS} s and was stopped")
        else:
            if done.returncode:
                say(f"--exec {command}: ended with {done.returncode}")
    if webhook is not None:
        _post(webhook, text)


def _post(address: str, text: str) -> None:
    from urllib.error import URLError
    from urllib.request import Request, urlopen

    request = Request(address, text.encode(), {"Content-Type": "application/json"})
    try:
        with urlopen(request, timeout=_WEBHOOK_SECONDS):
            pass
    except (URLError, OSError, ValueError) as error:
        say(f"--webhook {address}: {error}")


def _write_stop_file(path: Path, event: WatchEvent) -> None:
    from dlcc.runs.files import write_text

    if not path.exists():
        write_text(path, json.dumps(_as_json(event), default=str) + "\n")
