"""The HTML view: self-contained, readable without JavaScript, a function of report and run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dlcc.records import HealthRecord, Samples, Series
from dlcc.report import pictures
from dlcc.report.record import Report
from dlcc.report.terminal import decimal, percent
from dlcc.runs import Run

_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True)
class Picture:
    """A drawing with what to see in it."""

    title: str
    caption: str
    svg: str


def render(report: Report, run: Run, health: HealthRecord | None) -> str:
    """The page, with every picture and style in it."""
    import jinja2
    from markupsafe import Markup

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    environment.filters.update(
        percent=percent,
        decimal=decimal,
        svg=lambda text: Markup(text),
        thousands=lambda n: f"{n:,}",
    )
    template = environment.from_string(_TEMPLATE.read_text(encoding="utf-8"))
    return template.render(report=report, pictures=_pictures(report, run, health))


def _pictures(report: Report, run: Run, health: HealthRecord | None) -> list[Picture]:
    until = report.run.until
    series, samples = Series.of(run, until), Samples.of(run, until)
    verdict = report.verdict
    drawn = [
        (
            "Losses",
            "Median and 90 % band of each player's loss; the dashed line is the onset.",
            series and pictures.losses(series, verdict.onset, verdict.onset_interval),
        ),
        (
            "Health over time",
            "What the samples say at each checkpoint, held against the training data.",
            health and pictures.health_curve(health),
        ),
        (
            "Samples over time",
            "Samples taken before the step above each panel.",
            samples and pictures.sample_grids(samples),
        ),
        (
            "Loss-gradient cloud",
            "Gradient norm over loss, one point a step, coloured by fifth of the training: "
            "purple, orange, black, green, yellow.",
            series and pictures.cloud(series),
        ),
    ]
    return [Picture(title, caption, svg) for title, caption, svg in drawn if svg]
