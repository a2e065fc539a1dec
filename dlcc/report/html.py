"""HTML view of a report: self-contained, readable without JavaScript."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from pathlib import Path

import xxhash

from dlcc import cache, codec
from dlcc.engine.scratch import scratch_folder
from dlcc.kinds import kind_of
from dlcc.records import (
    Config,
    Forecast,
    HealthRecord,
    MeasuredLandscape,
    Neighbourhood,
    Reruns,
    Samples,
    Series,
)
from dlcc.report import tables
from dlcc.report.record import Report
from dlcc.report.terminal import decimal
from dlcc.report.text import percent
from dlcc.runs import Run

_TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass(frozen=True)
class Picture:
    """Drawing with a caption."""

    title: str
    """Heading of the drawing."""
    caption: str
    """Description of what the drawing shows."""
    svg: str
    """Drawing as SVG text."""
    section: str | None = None
    """Section of the page that it stands in; None for one of its own."""


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
    landscape: MeasuredLandscape | None = None,
) -> str:
    """Render the page, with every picture and style in it; sections without a record are left out.

    It is a function of the report and the run.
    """
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
    described = Config.of(run, report.run.until)
    config, kind = described.config, kind_of(described.objective)
    return template.render(
        report=report,
        pictures=_pictures(report, run, health, landscape),
        forecast=forecast and tables.forecast_view(forecast, kind.feature_words),
        neighbours=neighbourhood and tables.neighbour_rows(neighbourhood, config),
        reruns=reruns and tables.reruns_view(reruns, health),
        most_told=_most_told(report),
    )


def _most_told(report: Report) -> float:
    """Largest Shapley value, which the bars' length is relative to."""
    known = [w.shapley for w in report.fusion.weights if w.shapley] if report.fusion else []
    return max([max(abs(v.low), abs(v.high)) for v in known] + [1e-3])


def _pictures(
    report: Report, run: Run, health: HealthRecord | None, landscape: MeasuredLandscape | None
) -> list[Picture]:
    """Draw the pictures of a report, or take them from the cache if they were drawn before."""
    until = report.run.until
    series, samples = Series.of(run, until), Samples.of(run, until)
    parts = [
        cache.package_digest(),
        str(until),
        *(p.digest() for p in (series, samples) if p is not None),
    ]
    parts += [codec.digest(record) for record in (health, landscape) if record]
    key = xxhash.xxh3_128_hexdigest("\0".join(parts).encode())
    if entry := cache.find("pictures", key):
        with contextlib.suppress(OSError, ValueError):
            return list(codec.load(entry / "pictures", _Pictures).drawn)
    drawn = _draw(series, samples, health, landscape, run.length)
    with scratch_folder() as folder:
        codec.save(folder / "pictures", _Pictures(tuple(drawn)))
        cache.keep("pictures", key, folder)
    return drawn


def _draw(
    series: Series | None,
    samples: Samples | None,
    health: HealthRecord | None,
    landscape: MeasuredLandscape | None,
    length: int,
) -> list[Picture]:
    from dlcc.report import pictures  # matplotlib is slow to import

    onset, interval = (health.onset, health.onset_interval) if health else (None, None)
    drawn = [
        (
            "Losses",
            "Median and 90 % band of each player's loss; the dashed line is the onset.",
            None if series is None else pictures.losses(series, onset, interval),
        ),
        (
            "Health over time",
            "What the samples say at each sample step, held against the training data.",
            health and pictures.health_curve(health),
        ),
        (
            "Samples over time",
            "Samples taken before the step above each panel.",
            samples and pictures.sample_grids(samples),
        ),
    ]
    found = [Picture(title, caption, svg) for title, caption, svg in drawn if svg]
    summaries = landscape.surveys if landscape else ()
    cloud = None if series is None else pictures.cloud(series, summaries)
    caption = (
        "Gradient norm over loss, one point a step, coloured by fifth of the training: "
        "purple, orange, black, green, yellow."
    )
    if landscape is None or not (landscape.surveys or landscape.measured):
        return [*found, Picture("Loss-gradient cloud", caption, cloud)] if cloud else found
    if summaries:
        caption += " White marks: what the Hessian says of the point at a snapshot."
    within = [("Loss-gradient cloud", caption, cloud), *_of_landscape(series, landscape, length)]
    return found + [
        Picture(title, caption, svg, section="Landscape") for title, caption, svg in within if svg
    ]


def _of_landscape(
    series: Series | None, landscape: MeasuredLandscape, length: int
) -> list[tuple[str, str, str | None]]:
    from dlcc.report import landscape as drawn  # matplotlib is slow to import

    summaries = landscape.surveys
    return [
        (
            "Curvature over time",
            "Both ends of the spectrum of each player's own Hessian with error bands, and its "
            "trace with its standard error. An upper end that climbs makes steps overshoot; a "
            "lower end far below 0 is a saddle; both ends at 0 is a player that no longer learns.",
            drawn.spectrum(summaries),
        ),
        (
            "The game",
            "Left, eigenvalues of the Jacobian of the players' gradients, by colour and shape of "
            "mark the fifth of the training: right of the vertical axis they attract, left of it "
            "they repel, and near it the players turn around each other. Right, how much of "
            "them is turning: 0 for a single loss, 1 for turning alone.",
            drawn.game(summaries, length),
        ),
        (
            "The way between snapshots",
            "The players' field against the way that they took: where it draws in, the cosine "
            "falls through 0 at the snapshot; where it turns around a point, there is a bump.",
            drawn.path_angle(summaries, length),
        ),
        (
            "Slices",
            "Loss of each player along a random direction, scaled as its weights are, the others "
            "held: a narrow valley is sharp, a level line is a player without slope.",
            drawn.slices(summaries, length),
        ),
        (
            "Gradient noise",
            "Batch size at which noise and gradient are equal in size; ticks at the upper edge are "
            "infinite ones. Far above the dashed line steps go at random.",
            None if series is None else drawn.gradient_noise(series, landscape.batch),
        ),
    ]
