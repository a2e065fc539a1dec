"""Command `dlcc schema`: JSON Schema of what this package writes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    pass


def schema(what: Annotated[str, typer.Argument(help="report or run")]) -> None:
    """Print the JSON Schema of report.json or run.json."""
    from dlcc.errors import OptionError, did_you_mean
    from dlcc.report.record import Report
    from dlcc.runs.manifest import Manifest

    models: dict[str, Any] = {"report": Report, "run": Manifest}
    if what not in models:
        near = did_you_mean(what, models)
        raise OptionError(f"there is no schema {what!r}{near}; expected report or run")
    document = models[what].model_json_schema(by_alias=True)
    document["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    typer.echo(json.dumps(document, indent=1))
