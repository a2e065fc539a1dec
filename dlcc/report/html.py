"""The HTML view: self-contained, readable without JavaScript, a function of report and run."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass
from pathlib import Path

import xxhash

from dlcc import cache, codec
from dlcc.records import (
    Config,
    Forecast,
    HealthRecord,
    Neighbourhood,
    Reruns,
    Samples,
    Series,
)
from dlcc.report import past
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


@dataclass(frozen=True)
class _Pictures:
    drawn: tuple[Picture, ...]


def render(
    report: Report,
    run: Run,
    health: HealthRecord | None,
    *,
    forecast: Forecast | None = None,
    neighbourhood: Neighbourhood | None = None,
    reruns: Reruns | None = None,
) -> str:
    """The page, with every picture and style in it; what a record is missing for is left out."""
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
    config = Config.of(run, report.run.until).config
    return template.render(
        report=report,
        pictures=_pictures(report, run, health),
        forecast=forecast and past.forecast_view(forecast),
        neighbours=neighbourhood and past.neighbour_rows(neighbourhood, config),
        reruns=reruns and past.reruns_view(reruns, health),
        most_told=_most_told(report),
    )


def _most_told(report: Report) -> float:
    """What the bars of Shapley values are drawn to."""
    known = [w.shapley for w in report.fusion.weights if w.shapley] if report.fusion else []
    return max([max(abs(v.low), abs(v.high)) for v in known] + [1e-3])


def _pictures(report: Report, run: Run, health: HealthRecord | None) -> list[Picture]:
    """The pictures of a report, from the cache if the same were drawn before."""
    until = report.run.until
    series, samples = Series.of(run, until), Samples.of(run, until)
    parts = [cache.package_digest(), str(until), *(p.digest() for p in (series, samples) if p)]
    parts += [codec.digest(health)] if health else []
    key = xxhash.xxh3_128_hexdigest("\0".join(parts).encode())
    if entry := cache.find("pictures", key):
        with contextlib.suppress(OSError, ValueError):
            return list(codec.load(entry / "pictures", _Pictures).drawn)
    drawn = _draw(series, samples, health)
    with tempfile.TemporaryDirectory(prefix="dlcc-") as folder:
        codec.save(Path(folder) / "pictures", _Pictures(tuple(drawn)))
        cache.keep("pictures", key, Path(folder))
    return drawn


def _draw(
    series: Series | None, samples: Samples | None, health: HealthRecord | None
) -> list[Picture]:
    from dlcc.report import pictures  # matplotlib is slow to import

    onset, interval = (health.onset, health.onset_interval) if health else (None, None)
    drawn = [
        (
            "Losses",
            "Median and 90 % band of each player's loss; the dashed line is the onset.",
            series and pictures.losses(series, onset, interval),
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
