"""View of a report: everything that the page shows, before it is put into HTML."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcc.charts.chart import Chart
from dlcc.debate.debate import Debate
from dlcc.errors import InputError
from dlcc.findings import page as explanation_of
from dlcc.health.feature_titles import feature_title
from dlcc.kinds import kind_of
from dlcc.kinds.kind import TrainingKind
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
from dlcc.report.arguments import debate_of
from dlcc.report.page import details
from dlcc.report.page.actions import Action, actions, review_command
from dlcc.report.page.answers import Answer, answers
from dlcc.report.page.graph_walk import GraphWalk
from dlcc.report.page.landscape_charts import landscape_charts
from dlcc.report.page.outlook_charts import COLOURS, MARKERS, forecast_chart, rerun_chart
from dlcc.report.page.specimens import Shown, specimens
from dlcc.report.page.training_charts import health_chart, series_charts
from dlcc.report.record import FindingRecord, Report
from dlcc.runs import Run
from dlcc.runs.formats.foreign import ForeignContents

_FIGURES: Mapping[str, str] = {
    "health": "fig-health",
    "impact": "fig-forecast",
    "reproducibility": "fig-reruns",
    "novelty": "past-runs",
    "consistency": "record",
    "execution": "record",
    "landscape": "landscape",
    "diagnosis": "fig-series-loss",
}
"""Stage -> id of what its findings stand on."""
_HEADLINE = 110  # characters
_SECTIONS: Mapping[str, str] = {
    "impact": "outlook",
    "novelty": "outlook",
    "reproducibility": "again",
    "consistency": "record",
    "execution": "record",
    "landscape": "landscape",
}
"""Stage -> key of the section in which its findings stand; health's for any other."""


@dataclass(frozen=True)
class Noticed:
    """Finding as the page shows it."""

    finding: FindingRecord
    key: str
    """Id on the page."""
    section: str
    """Key of the section that it stands in."""
    figure: str | None
    """Id of the figure that it stands on; None where the page has none."""
    evidence: tuple[details.Row, ...]
    explanation: str
    """Page of the code, in Markdown; empty where there is none."""


@dataclass(frozen=True)
class StageRow:
    """Stage as the page shows it."""

    name: str
    status: str
    reason: str
    describes: str
    rows: tuple[details.Row, ...]


@dataclass(frozen=True)
class View:
    """All that the page shows."""

    report: Report
    answers: tuple[Answer, ...]
    actions: tuple[Action, ...]
    specimens: Shown | None
    health: Chart | None
    series: tuple[Chart, ...]
    landscape: tuple[Chart, ...]
    graph: GraphWalk | None
    debate: Debate
    forecast: tables.ForecastView | None
    forecast_chart: Chart | None
    reruns: tables.RerunsView | None
    rerun_chart: Chart | None
    neighbours: tuple[tables.NeighbourRow, ...]
    findings: tuple[Noticed, ...]
    stages: tuple[StageRow, ...]
    environment: tuple[details.Row, ...]
    headline: str
    """Verdict in a short sentence."""
    reasons: tuple[str, ...]
    """Further clauses of the verdict's sentence, which say what it is for."""
    review_command: str
    """Command that puts the run forward for a review."""
    unit: str
    """Unit of a step."""
    per_epoch: int | None
    """Steps of an epoch; None where they are not known."""

    @property
    def first_charts(self) -> tuple[Chart, ...]:
        """Charts of the first screen: health over time, or else the first series."""
        if self.health is not None:
            return (self.health,)
        return self.series[: 1 if self.specimens else 2]

    @property
    def steps(self) -> str:
        """Unit of more than one step."""
        return self.unit if self.unit == "kimg" else f"{self.unit}s"

    def noticed(self, section: str) -> tuple[Noticed, ...]:
        """Findings of a section."""
        return tuple(n for n in self.findings if n.section == section)

    @property
    def most_told(self) -> float:
        """Largest Shapley value, which the bars' length is relative to."""
        fusion = self.report.fusion
        known = [w.shapley for w in fusion.weights if w.shapley] if fusion else []
        return max([max(abs(v.low), abs(v.high)) for v in known] + [1e-3])

    @staticmethod
    def marker(label: str) -> tuple[str, str]:
        """Shape and colour of a label's mark."""
        return MARKERS.get(label, "pentagon"), COLOURS.get(label, "c4")


def view_of(
    report: Report,
    run: Run,
    health: HealthRecord | None,
    *,
    forecast: Forecast | None,
    neighbourhood: Neighbourhood | None,
    reruns: Reruns | None,
    landscape: MeasuredLandscape | None,
    graph: GraphWalk | None,
) -> View:
    """Make the view of a report; what has no record is left out."""
    until = report.run.until
    described = Config.of(run, until)
    kind, (unit, per_epoch) = kind_of(described.objective), _unit(run)
    series, samples = Series.of(run, until), Samples.of(run, until)
    shown = specimens(samples, health, report.verdict.onset)
    best = None if shown is None else shown.best
    meanings = {q.name: q.meaning for q in kind.quantities}
    onset = report.verdict.onset
    headline, *reasons = _headline(report)
    drawn = {
        "health": health_chart(health, onset, best, unit),
        "forecast": forecast_chart(forecast) if forecast else None,
        "reruns": rerun_chart(reruns, health) if reruns and reruns.outcomes else None,
    }
    quality = report.diagnosis.quality if report.diagnosis else None
    first = () if quality is None else (quality.name.rpartition("/")[2],)
    series_drawn = series_charts(
        series, (onset, report.verdict.onset_interval), meanings, unit, first
    )
    return View(
        report=report,
        answers=answers(report, forecast, reruns),
        actions=actions(report, run, best, unit),
        specimens=shown,
        health=drawn["health"],
        series=series_drawn,
        landscape=landscape_charts(series, landscape, run.length, unit),
        graph=graph,
        debate=debate_of(report, health, forecast=forecast, reruns=reruns),
        forecast=tables.forecast_view(forecast, kind.feature_words) if forecast else None,
        forecast_chart=drawn["forecast"],
        reruns=tables.reruns_view(reruns) if reruns and reruns.outcomes else None,
        rerun_chart=drawn["reruns"],
        neighbours=tables.neighbour_rows(neighbourhood, described.config) if neighbourhood else (),
        findings=_findings(report, kind, _ids(drawn, series_drawn, neighbourhood)),
        stages=tuple(_stage(stage) for stage in report.stages),
        environment=details.rows(report.environment),
        headline=headline,
        reasons=tuple(reasons),
        review_command=review_command(run),
        unit=unit,
        per_epoch=per_epoch,
    )


def _headline(report: Report) -> tuple[str, ...]:
    """Clauses of the verdict's sentence, each a sentence; the first is short."""
    first, *others = report.verdict.sentence.rstrip(".").split("; ")
    if report.verdict.label is not None:
        return (report.verdict.sentence,)
    if len(first) > _HEADLINE:
        state, _, why = first.partition(": ")
        first, others = state, [why, *others]
    return tuple(f"{clause[:1].upper()}{clause[1:]}." for clause in (first, *others) if clause)


def _unit(run: Run) -> tuple[str, int | None]:
    """Unit of a step, and the steps of an epoch where the record tells them."""
    if isinstance(run.contents, ForeignContents):
        axis = run.contents.axis
        return axis.unit, axis.per_epoch
    return "step", None


def _ids(
    drawn: Mapping[str, Chart | None],
    series: tuple[Chart, ...],
    neighbourhood: Neighbourhood | None,
) -> set[str]:
    """Ids that findings can point to."""
    keys = {f"fig-{name}" for name, chart in drawn.items() if chart}
    keys |= {f"fig-{chart.key}" for chart in series} | {"record", "landscape"}
    return keys | ({"past-runs"} if neighbourhood else set())


def _findings(report: Report, kind: TrainingKind, ids: set[str]) -> tuple[Noticed, ...]:
    found = []
    for i, finding in enumerate(report.findings, 1):
        figure = _FIGURES.get(finding.stage)
        words = {name: feature_title(name, kind.feature_words) for name in finding.evidence}
        found.append(
            Noticed(
                finding=finding,
                key=f"finding-{i}",
                section=_SECTIONS.get(finding.stage, "healthy"),
                figure=figure if figure in ids else None,
                evidence=details.rows(finding.evidence, words),
                explanation=_explanation(finding.code),
            )
        )
    return tuple(found)


def _explanation(code: str) -> str:
    try:
        return explanation_of(code).text
    except InputError:  # a plug-in that is gone took its pages along
        return ""


def _stage(stage: Any) -> StageRow:
    rows = details.rows({**stage.details, "settings": stage.settings})
    return StageRow(stage.name, stage.status, stage.reason or "", stage.describes, rows)
