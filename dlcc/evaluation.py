"""Evaluation of a run: load it, run the stages, score, advise, and report, one after the other."""

from __future__ import annotations

import contextlib
import dataclasses
import html as escaping
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

from dlcc.advice.folder import first_advice
from dlcc.deprecation import warn_renamed
from dlcc.diagnosis import Diagnosis, diagnose_run
from dlcc.errors import OptionError, RunError
from dlcc.kinds import kind_of
from dlcc.kinds.labels import USUAL
from dlcc.past_runs.in_use import JUDGES, library
from dlcc.past_runs.store import Library
from dlcc.pipeline import Limits, StageOutcome, discovery, run_stages, select, terms_of
from dlcc.records import (
    UNTRAINED,
    AdviceRecord,
    Config,
    Dossier,
    Forecast,
    HealthRecord,
    MeasuredLandscape,
    Neighbourhood,
    Reruns,
    RunGraph,
    Series,
)
from dlcc.report.build import build_report
from dlcc.report.files import report_folder, write_files
from dlcc.report.page import html
from dlcc.report.record import Report
from dlcc.review.effect import ReviewEffect, review_effect
from dlcc.review.reviews import Review, history
from dlcc.runs import Run, resolve_until
from dlcc.runs.machine import machine_fingerprint
from dlcc.scoring.ahp import DEFAULT_JUDGEMENTS, ahp_weights
from dlcc.scoring.calibration import Probability, healthy_and_true
from dlcc.scoring.fusion import score
from dlcc.scoring.judgement import Judgement
from dlcc.stage import Stage
from dlcc.typing import StageProgress

T = TypeVar("T")
SLOW = ("execution", "reproducibility", "decomposition", "consistency")
"""Stages that take long: reruns, replay, and checks of code and text."""
LEAST_GAIN = 0.1  # of P(healthy): what past runs let one expect less of is not worth a try
_PACKAGES = ("dlcc", "torch", "numpy", "scikit-learn", "sympy", "networkx", "sentence-transformers")


@dataclass(frozen=True)
class Evaluation:
    """Report on a run, with the records that it was made from.

    In a notebook it shows the first screen of the HTML report. For a version, the report's own
    attributes (`.verdict`, `.findings`, ...) can be read from it too, with a warning.

    >>> found = evaluate("runs/digits-collapsed", only=["health"])
    >>> found
    <Evaluation of digits-collapsed: Collapsed since step 1,120 (1,040 to 1,680).>
    >>> found.record(HealthRecord).onset
    1120
    >>> found.to_json().startswith("{")
    True
    >>> found.to_html()[:15]
    '<!doctype html>'
    """

    report: Report
    """Report, as it is in report.json."""
    evaluated_run: Run
    """Run that was evaluated."""
    outcomes: tuple[StageOutcome, ...]
    """Outcome of every stage, in the order in which they ran."""

    def record(self, kind: type[T]) -> T | None:
        """Find the record of a type that a stage made.

        Args:
            kind: Type of `dlcc.records`, or one that a stage of your own gives.

        Returns:
            The record; None where no stage made one.
        """
        return next((r for o in self.outcomes for r in o.records if isinstance(r, kind)), None)

    @property
    def measured_landscape(self) -> MeasuredLandscape | None:
        """Landscape that was measured while the run trained; None where nothing of it was."""
        dossier = self.record(Dossier)
        return None if dossier is None else dossier.landscape

    def to_json(self) -> str:
        """Text of report.json.

        Returns:
            JSON; `dlcc schema report` prints its schema.
        """
        return self.report.to_json()

    def to_html(self) -> str:
        """Text of report.html, one page that needs no other file.

        Returns:
            HTML with pictures, styles and scripts in it.

        Raises:
            RunError: The run's folder was damaged since it was evaluated.
            PluginError: An installed kind of training cannot be used.
            StageDeclarationError: A record that a stage made cannot be stored.
        """
        return self._page()

    def _page(self, *, first_screen: bool = False) -> str:
        return html.render(
            self.report,
            self.evaluated_run,
            self.record(HealthRecord),
            forecast=self.record(Forecast),
            neighbourhood=self.record(Neighbourhood),
            reruns=self.record(Reruns),
            landscape=self.measured_landscape,
            graph=self.record(RunGraph),
            dossier=self.record(Dossier),
            first_screen=first_screen,
        )

    def _repr_html_(self) -> str:
        """First screen of the report in a frame of its own, so that its styles do not touch the
        notebook's."""
        page = escaping.escape(self._page(first_screen=True), quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 48em; border: 0"></iframe>'

    def __repr__(self) -> str:
        return f"<Evaluation of {self.evaluated_run.name}: {self.report.verdict.sentence}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or (name not in Report.model_fields and not hasattr(Report, name)):
            raise AttributeError(f"an Evaluation has no attribute {name!r}")
        warn_renamed("Evaluation", name, f"report.{name}")
        return getattr(self.report, name)


@dataclass(frozen=True)
class _Loaded:
    """Run, and what it is judged by."""

    run: Run
    until: int
    config: Config
    series: Series | None
    weights: Mapping[str, float]
    """Term to judged weight."""
    library: Library
    past: Library
    """Library without the run: it is not to judge itself."""
    reviewed: ReviewEffect
    diagnosis: Diagnosis
    """State from first principles, which no stage reads."""


def evaluate(
    run: str | Path | Run,
    *,
    mapping: Mapping[str, str] | None = None,
    stages: Sequence[Stage] = (),
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    until: str | float | None = None,
    out: str | Path | None = None,
    limits: Limits | None = None,
    trust: bool = False,
    use_cache: bool = True,
    judgements: Path = DEFAULT_JUDGEMENTS,
    reviews: Sequence[Review] | None = None,
    progress: StageProgress = lambda stage, share, what: None,
) -> Evaluation:
    """Judge a run; with `out`, also write report.html, report.json and series.csv there.

    Args:
        run: Folder, or an open `Run`. It is never written to.
        mapping: For a folder that another tool left, `player/quantity` or `step` to the column
            that holds it; an open `Run` has its own.
        stages: Stages beside the installed ones; one of the same name takes the installed one's
            place.
        only: Names of the stages to run (and those that they take records from); default all.
        skip: Names of stages to leave out.
        until: Look at nothing at or after this: a float or a text with a point is a fraction of
            the configured length, an int or a text without one a step.
        out: Folder for the report's files; none are written by default.
        limits: Time and memory of each stage; 300 s and 4 GiB by default.
        trust: Run the run's own code even where this system offers no real isolation.
        use_cache: Whether results of earlier evaluations may stand in.
        judgements: Pairwise judgements behind the weights.
        reviews: Reviews that move weights and P(healthy); default those of the user's history.
        progress: Called with the stage, the share of its work and what it does; by several
            threads, one at a time.

    Returns:
        The report, and the records that stages made.

    Raises:
        InputError: The run, a stage's declaration, an option or `out` cannot be used.

    >>> from dlcc import evaluate
    >>> found = evaluate("runs/digits-collapsed", only=["health"])
    >>> found.report.verdict.label
    'collapsed'
    """
    source = run.path if isinstance(run, Run) else Path(run)
    folder = contextlib.nullcontext() if out is None else report_folder(source, Path(out))
    with folder as beside:  # made before any stage runs, or refused
        loaded = _load(run, mapping, until, judgements, reviews)
        candidates = {**discovery.installed(), **{stage.name: stage for stage in stages}}
        chosen, left_out = select(list(candidates.values()), only, skip)
        outcomes = tuple(
            run_stages(
                loaded.run,
                chosen,
                until=loaded.until,
                limits=limits,
                trust=trust,
                use_cache=use_cache,
                progress=progress,
                left_out=left_out,
            )
        )
        judgement = _judge(loaded, outcomes)
        advice = _advise(loaded, outcomes)
        report = _report(loaded, outcomes, judgement, advice)
        evaluation = Evaluation(report, loaded.run, outcomes)
        if beside is not None and out is not None:
            texts = {"report.json": evaluation.to_json(), "report.html": evaluation.to_html()}
            write_files(beside, Path(out), loaded.run.place, texts, loaded.series)
    return evaluation


def _load(
    run: str | Path | Run,
    mapping: Mapping[str, str] | None,
    until: str | float | None,
    judgements: Path,
    reviews: Sequence[Review] | None,
) -> _Loaded:
    opened = _opened(run, mapping)
    opened.check_names()
    step = opened.length if until is None else resolve_until(until, opened.length)
    series, known = Series.of(opened, step), library()
    return _Loaded(
        run=opened,
        until=step,
        config=Config.of(opened, step),
        series=series,
        weights=ahp_weights(judgements),
        library=known,
        past=known.excluding(series),
        reviewed=review_effect(history() if reviews is None else reviews),
        diagnosis=diagnose_run(opened, until=step, series=Series() if series is None else series),
    )


def _opened(run: str | Path | Run, mapping: Mapping[str, str] | None) -> Run:
    if not isinstance(run, Run):
        return Run.open(run, mapping)
    if mapping and dict(mapping) != dict(run.mapping):
        raise OptionError(f"{run.path}: open already; give the mapping to Run.open")
    return run


def _judge(loaded: _Loaded, outcomes: Sequence[StageOutcome]) -> Judgement:
    terms, health = terms_of(outcomes), _record(outcomes, HealthRecord)
    group = kind_of(loaded.config.objective).past_runs.group
    scored = score(
        terms,
        loaded.weights,
        loaded.library,
        past=loaded.past,
        alike=None if group == JUDGES else library(group).excluding(loaded.series),
        reviews=loaded.reviewed.counts(loaded.weights),
    )
    if health is None:
        return Judgement.of(scored, None, None)
    forecast = _record(outcomes, Forecast)
    by_library = healthy_and_true(
        health.features,
        health.seen,
        forecast=None if forecast is None else forecast.p_healthy,
        logic=terms.get("logic"),
        past=loaded.past,
        relative=health.relative,
        space=health.space,
    )
    return Judgement.of(scored, _put_right(by_library, health, loaded.reviewed), health.label)


def _put_right(
    by_library: Probability, health: HealthRecord, reviewed: ReviewEffect
) -> Probability:
    """Correct P(healthy and true) by the user's reviews.

    A label that the kind itself tells, by its marks, stands above what past runs know.
    """
    told = sum(p for name, p in health.probabilities.items() if name not in USUAL)
    healthy = reviewed.calibration(by_library.healthy) * (1 - told)
    return dataclasses.replace(by_library, healthy=healthy)


def _advise(loaded: _Loaded, outcomes: Sequence[StageOutcome]) -> AdviceRecord | None:
    """Advise by past runs, as `dlcc advise` would, where there is something to mend."""
    health, reruns = _record(outcomes, HealthRecord), _record(outcomes, Reruns)
    if health is None or health.label in ("healthy", UNTRAINED):
        return None  # what still improves is trained on before anything is changed
    made = () if reruns is None else reruns.outcomes
    seeds = [outcome for outcome in made if outcome.kind == "seed"]
    settings = [outcome for outcome in made if outcome.kind == "setting"]
    try:
        found = first_advice(loaded.run, loaded.past, seeds, settings).record(LEAST_GAIN)
    except (OptionError, RunError):
        return None  # the command says why
    return found if found.changes else None


def _report(
    loaded: _Loaded,
    outcomes: Sequence[StageOutcome],
    judgement: Judgement,
    advice: AdviceRecord | None,
) -> Report:
    dossier = _record(outcomes, Dossier)
    return build_report(
        name=loaded.run.name,
        config=loaded.config,
        recorded=0 if loaded.series is None else loaded.series.recorded,
        until=loaded.until,
        outcomes=outcomes,
        judgement=judgement,
        health=_record(outcomes, HealthRecord),
        advice=advice,
        landscape=None if dossier is None else dossier.landscape,
        diagnosis=loaded.diagnosis,
        known_data=_data_name(loaded.config) in loaded.library.data,
        environment={
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine_fingerprint(),
            "versions": {name: version(name) for name in _PACKAGES},
        },
    )


def _data_name(config: Config) -> str:
    """Name of the training data, as run.json or else the configuration says it."""
    return str(config.data.get("name") or config.config.get("data") or "")


def _record(outcomes: Sequence[StageOutcome], kind: type[T]) -> T | None:
    return next((r for o in outcomes for r in o.records if isinstance(r, kind)), None)
