"""Rendering of the page: one HTML file that needs no other, and is readable without its script."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcc.charts.geometry import geometry
from dlcc.records import (
    Dossier,
    Forecast,
    HealthRecord,
    MeasuredLandscape,
    Neighbourhood,
    Reruns,
    RunGraph,
)
from dlcc.report.page.graph_walk import graph_walk
from dlcc.report.page.payload import payload, script_json
from dlcc.report.page.view import view_of
from dlcc.report.record import Report
from dlcc.report.terminal import decimal
from dlcc.report.text import percent, percent_alone
from dlcc.runs import Run
from dlcc.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_TEMPLATES = Path(__file__).with_name("templates")


def render(
    report: Report,
    run: Run,
    health: HealthRecord | None,
    *,
    forecast: Forecast | None = None,
    neighbourhood: Neighbourhood | None = None,
    reruns: Reruns | None = None,
    landscape: MeasuredLandscape | None = None,
    graph: RunGraph | None = None,
    dossier: Dossier | None = None,
    first_screen: bool = False,
) -> str:
    """Render the page of a report, with everything that it shows in it.

    It is a function of the report, the run and the records; sections without a record say so. The
    page asks for nothing from outside, and its policy forbids it: no script but its own runs.

    Args:
        report: Report on the run.
        run: The run, for its series and samples.
        health: Health of the run; None where it was not judged.
        forecast: Forecast of its end.
        neighbourhood: Nearest past runs.
        reruns: Reruns of the run.
        landscape: Landscape as it was measured.
        graph: Graph of the run.
        dossier: Dossier that the graph was made of, for excerpts.
        first_screen: Whether only the first screen is rendered, without scripts.

    Returns:
        HTML.
    """
    view = view_of(
        report,
        run,
        health,
        forecast=forecast,
        neighbourhood=neighbourhood,
        reruns=reruns,
        landscape=landscape,
        graph=None if first_screen else graph_walk(graph, dossier),
    )
    return rendered(
        "report.html.j2",
        () if first_screen else ("uplot.js", "page.js", "graph.js"),
        view=view,
        first_screen=first_screen,
        report_json=_markup(script_json(json.loads(report.to_json()))),
    )


def rendered(template: str, scripts: Sequence[str], **shown: Any) -> str:
    """Render a page from its template, with style and scripts in it; no other script may run.

    Args:
        template: File name of the template.
        scripts: File names of the scripts, in the order in which they run.
        shown: Values that the template names.

    Returns:
        HTML.
    """
    texts = [_asset(name) for name in scripts]
    page: str = (
        environment()
        .get_template(template)
        .render(
            style=_style(),
            script_hashes=_markup(" ".join(map(_hashed, texts)) or "'none'"),
            scripts=[_markup(text) for text in texts],
            version=__version__,
            **shown,
        )
    )
    return page


@cache
def environment() -> Environment:
    """Templates of pages, with the filters that they use."""
    import jinja2
    from markdown_it import MarkdownIt

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    written = MarkdownIt("commonmark", {"html": False}).enable("table")
    made.filters.update(
        percent=percent,
        alone=percent_alone,
        decimal=decimal,
        ended=lambda text: text if str(text).endswith(".") else f"{text}.",
        slug=slug,
        thousands=lambda n: f"{n:,}",
    )
    made.globals.update(
        geometry=geometry,
        payload=lambda chart: _markup(payload(chart)),
        markdown=lambda text: _markup(_without_links(written.render(text))),
    )
    return made


def slug(text: str) -> str:
    """Write a text as an id: letters of a to z, digits and dashes.

    >>> slug("series-Grad norm/<x>")
    'series-grad-norm-x'
    """
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-") or "x"


def _style() -> str:
    import jinja2

    own = jinja2.Template(_asset("page.css")).render()
    return _markup(_asset("uplot.css") + own)


def _asset(name: str) -> str:
    return (_TEMPLATES / name).read_text(encoding="utf-8")


def _hashed(script: str) -> str:
    digest = hashlib.sha256(script.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"


def _without_links(html: str) -> str:
    """Leave the text of links: a page that is sent round has nothing beside it to link to."""
    return re.sub(r"<a [^>]*>|</a>|<img [^>]*>", "", html)


def _markup(text: str) -> str:
    from markupsafe import Markup

    return Markup(text)
