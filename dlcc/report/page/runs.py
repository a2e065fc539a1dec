"""Page of several runs: a table of them, their samples, and their series over each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from dlcc.charts.chart import Chart, thinned, wide_scale
from dlcc.charts.chart import named_apart as keys_apart
from dlcc.comparison import Comparison, named_apart
from dlcc.diagnosis import Diagnosis
from dlcc.estimate import Number
from dlcc.records import Samples, Series
from dlcc.report.page.html import rendered, slug
from dlcc.report.page.specimens import Specimen, at_the_end, real_data
from dlcc.report.page.training_charts import title_of
from dlcc.report.record import Report
from dlcc.report.series_file import NAME, is_file_of
from dlcc.report.text import one_line, printable
from dlcc.runs import Run
from dlcc.runs.series import Column

_COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6")
_MOST_TRACES = 12  # of a chart; more cannot be told apart
_MOST_CHARTS = 16
_MOST_SETTINGS = 8  # columns of the table
_STATES = ("failed", "suspect", "unknown", "healthy")


@dataclass(frozen=True)
class ComparedRun:
    """Run on the page, with what is known of it."""

    run: Run
    diagnosis: Diagnosis
    report: Report | None = None
    """Report of an earlier evaluation; None where there is none that fits."""
    page: str | None = None
    """Address of the run's own page, relative to this one; None where there is none."""


@dataclass(frozen=True)
class RunRow:
    """Row of the table."""

    name: str
    state: str
    sentence: str
    p_healthy: Number | None
    quality: str
    """Quality metric with its best value and step; empty where none was logged."""
    recorded: int
    settings: tuple[str, ...]
    specimen: Specimen | None
    """Samples at the end; None without samples."""
    page: str | None


@dataclass(frozen=True)
class RunsView:
    """All that the page shows."""

    title: str
    counts: str
    """Number of runs in each state, in words."""
    settings: tuple[str, ...]
    """Keys of the configuration that differ, as columns."""
    more_settings: int
    """Number of keys that differ beside them."""
    rows: tuple[RunRow, ...]
    real: Specimen | None
    """Real data of the first run that has some."""
    charts: tuple[Chart, ...]
    multiples: tuple[Chart, ...]
    """Losses of each run on their own."""
    partings: tuple[str, ...]
    """Sentences on where the series of runs part from those of the first."""
    left_out: int
    """Number of runs whose series are not over the others'."""
    unjudged: int
    """Number of runs without a report, whose samples nobody looked at."""


def render_runs(
    runs: Sequence[ComparedRun], comparison: Comparison | None = None, title: str = "Runs"
) -> str:
    """Render a page of several runs, which needs no other file.

    Args:
        runs: Runs in the order of the table.
        comparison: Comparison with the first of them; None to show none.
        title: Heading of the page.

    Returns:
        HTML.
    """
    return rendered("runs.html.j2", ("uplot.js", "page.js", "runs.js"),
                    view=_view(runs, comparison, title))  # fmt: skip


def fitting_report(run: Run, diagnosis: Diagnosis, folder: Path) -> Report | None:
    """Read the report of an earlier evaluation of a run; None where there is none of this record.

    Runs in several folders may have one name, so the series that lie beside a report say whose it
    is.

    Args:
        run: The run.
        diagnosis: Diagnosis of it.
        folder: Folder that `dlcc evaluate` wrote its report to.
    """
    try:
        found = Report.from_json((folder / "report.json").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        return None
    recorded = diagnosis.record.series.recorded
    if (found.run.name, found.run.recorded) != (run.name, recorded):
        return None
    series = Series.of(run, found.run.until)
    return found if series is None or is_file_of(folder / NAME, series) else None


def _view(runs: Sequence[ComparedRun], comparison: Comparison | None, title: str) -> RunsView:
    apart = named_apart([compared.diagnosis for compared in runs])
    runs = [replace(c, diagnosis=diagnosis) for c, diagnosis in zip(runs, apart, strict=True)]
    keys = tuple(_differing(runs))
    rows = tuple(_row(compared, keys[:_MOST_SETTINGS]) for compared in runs)
    counts = {state: sum(row.state == state for row in rows) for state in _STATES}
    shown = list(runs)[:_MOST_TRACES]
    return RunsView(
        title=title,
        counts=", ".join(f"{n} {state}" for state, n in counts.items() if n),
        settings=tuple(one_line(key) for key in keys[:_MOST_SETTINGS]),
        more_settings=max(0, len(keys) - _MOST_SETTINGS),
        rows=rows,
        real=_real(runs),
        charts=keys_apart(list(_overlaid(shown))),
        multiples=tuple(_losses(k, compared) for k, compared in enumerate(runs)),
        partings=tuple(_partings(comparison)) if comparison else (),
        left_out=len(runs) - len(shown),
        unjudged=sum(compared.report is None for compared in runs),
    )


def _differing(runs: Sequence[ComparedRun]) -> Iterator[str]:
    """Keys of the configurations whose values differ, those that most runs name first; keys that
    few runs name say little."""
    configurations = [compared.run.manifest.config for compared in runs]
    keys = dict.fromkeys(key for config in configurations for key in config)
    named = {key: sum(key in config for config in configurations) for key in keys}
    for key in sorted(keys, key=lambda key: -named[key]):
        differ = len({repr(config.get(key)) for config in configurations}) > 1
        if differ and 4 * named[key] >= len(runs):
            yield key


def _row(compared: ComparedRun, keys: Sequence[str]) -> RunRow:
    found, report = compared.diagnosis.assessment, compared.report
    config = compared.run.manifest.config
    if report is not None:
        state, sentence = report.verdict.state, report.verdict.sentence
        p_healthy = report.verdict.p_healthy
    else:
        state, sentence = found.state, f"{found.why[:1].upper()}{found.why[1:]}"
        p_healthy = Number(found.p_healthy, *found.interval)
    return RunRow(
        name=one_line(compared.diagnosis.run),
        state=state,
        sentence=one_line(sentence).partition("; ")[0],
        p_healthy=p_healthy,
        quality=_quality(compared.diagnosis),
        recorded=compared.diagnosis.record.series.recorded,
        settings=tuple(_value(config.get(key)) for key in keys),
        specimen=at_the_end(Samples.of(compared.run, None)),
        page=compared.page,
    )


def _real(runs: Sequence[ComparedRun]) -> Specimen | None:
    pictured = (real_data(Samples.of(compared.run, None)) for compared in runs)
    return next((real for real in pictured if real is not None), None)


def _quality(diagnosis: Diagnosis) -> str:
    quality = diagnosis.assessment.quality
    if quality is None:
        return ""
    name = title_of(quality.name.rpartition("/")[2])
    return f"{name} {quality.best:.4g} at {diagnosis.record.unit} {quality.best_step:,}"


def _value(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:g}" if isinstance(value, float) else one_line(str(value))[:24]


def _overlaid(runs: Sequence[ComparedRun]) -> Iterator[Chart]:
    """Charts of quantities that runs share, a trace a run; quality and losses come first."""
    names = dict.fromkeys(name for c in runs for name in c.diagnosis.record.series.columns)
    ordered = sorted(names, key=lambda name: (_rank(name), name))
    for name in ordered[:_MOST_CHARTS]:
        player, _, quantity = name.rpartition("/")
        columns = {
            k: column
            for k, c in enumerate(runs)
            if (column := c.diagnosis.record.series.columns.get(name)) is not None
            and len(column.steps)
        }
        if columns:
            whose = "" if player in ("", "metrics") else f", {printable(player)}"
            yield _chart(
                f"over-{slug(name)}",
                f"{title_of(quantity)}{whose}",
                {one_line(runs[k].diagnosis.run): column for k, column in columns.items()},
                " or ".join(dict.fromkeys(runs[k].diagnosis.record.unit for k in columns)),
            )


def _rank(name: str) -> int:
    if name.startswith("metrics/"):
        return 0
    return 1 if name.endswith("/loss") else 2


def _losses(number: int, compared: ComparedRun) -> Chart:
    series = compared.diagnosis.record.series
    columns = {n.rpartition("/")[0]: c for n, c in series.columns.items() if n.endswith("/loss")}
    name = one_line(compared.diagnosis.run)
    return _chart(f"run-{number}", name, columns, compared.diagnosis.record.unit)


def _chart(key: str, title: str, columns: dict[str, Column], unit: str) -> Chart:
    traces = tuple(
        replace(
            thinned(
                str(printable(name)), column.steps, column.values, _COLOURS[k % len(_COLOURS)],
                "line" if k < len(_COLOURS) else "dashed",
            ),
            low=None,
            high=None,
        )
        for k, (name, column) in enumerate(columns.items())
    )  # fmt: skip
    values = [value for trace in traces for value in trace.y]
    return Chart(
        key, title, "", unit, "", traces, y_scale=wide_scale(values), of_steps=True
    )  # fmt: skip


def _partings(comparison: Comparison) -> Iterator[str]:
    unit = comparison.runs[0].record.unit
    for parting in comparison.partings:
        name, run = one_line(parting.series), one_line(parting.run)
        if parting.step is not None:
            yield (
                f"{name}: {run} parts from the first run at {unit} {parting.step:,}, by "
                f"{-parting.difference:+.3g} from there on (noise {parting.noise:.2g})."
            )
