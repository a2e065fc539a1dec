"""Command `dlcc explain`: the page of a finding."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    pass


def explain(
    code: Annotated[str, typer.Argument(help="A finding's code, such as GAN003.")],
    stage: Annotated[
        list[str] | None,
        typer.Option(help="A stage of your own whose finding it is, FILE.py:CLASS; repeatable."),
    ] = None,
) -> None:
    """Say what a finding means, what it looks like, and what to change."""
    from dlcc.findings import page
    from dlcc.pipeline import discovery

    for text in stage or []:
        discovery.from_argument(text)
    typer.echo(page(code).text, nl=False)
