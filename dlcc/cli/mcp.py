"""Command `dlcc mcp`: tools for agents, over standard input and output."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def mcp(
    root: Annotated[
        Path, typer.Option(help="Folder under which all runs lie.", metavar="DIR")
    ] = Path(),
    reports: Annotated[Path, typer.Option(help="Where reports are written.", metavar="DIR")] = Path(
        "dlcc-reports"
    ),
) -> None:
    """Serve diagnose, evaluate, compare, forecast and explain as tools for agents."""
    from dlcc.errors import OptionError

    if not root.is_dir():
        raise OptionError(f"--root {root}: expected a folder that holds runs")
    try:
        from dlcc.cli.mcp_server import server
    except ModuleNotFoundError as error:
        raise OptionError(
            f"mcp: {error.name} is not installed; pip install 'dlcc[mcp]' brings it"
        ) from None
    server(root, reports).run("stdio")
