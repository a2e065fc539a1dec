"""The one function behind `dlcc evaluate`: load, run the stages, fuse, report."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TypeVar

from dlcc import pipeline, plugins
from dlcc.advice.folder import FolderAdvice, first_advice
from dlcc.engine.scratch import BESIDE, scratch_folder
from dlcc.errors import OptionError, OutputError, RunError
from dlcc.estimate import Estimate
from dlcc.kinds import kind_of
from dlcc.past_runs.in_use import JUDGES, library
from dlcc.past_runs.store import Library
from dlcc.pipeline import Limits, StageOutcome
from dlcc.records import (
    LABELS,
    Config,
    Dossier,
    Forecast,
    HealthRecord,
    MeasuredLandscape,
    Neighbourhood,
    Reruns,
    Series,
)
from dlcc.report import html
from dlcc.report.build import build_report
from dlcc.report.record import Report
from dlcc.reruns.outcome import Outcome
from dlcc.review.effect import Moved, moved
from dlcc.review.history import Review, history
from dlcc.runs import Run, resolve_until
from dlcc.runs.machine import machine_fingerprint
from dlcc.scoring.ahp import DEFAULT_JUDGEMENTS, ahp_weights
from dlcc.scoring.calibration import Probability, healthy_and_true
from dlcc.scoring.fusion import score
from dlcc.stage import Stage
from dlcc.typing import StageProgress

T = TypeVar("T")
_PACKAGES = ("dlcc", "torch", "numpy", "scikit-learn", "sympy", "networkx", "sentence-transformers")


@dataclass(frozen=True)
class Evaluation:
    """A report and what its views are drawn from."""

    report: Report
    run: Run
    outcomes: tuple[StageOutcome, ...]

    def record(self, kind: type[T]) -> T | None:
        """The record of that type that a stage made."""
        return _record(self.outcomes, kind)

    @property
    def landscape(self) -> MeasuredLandscape | None:
        """What was measured of it."""
        return _landscape(self.outcomes)


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
    progress: StageProgress = lambda stage, share, what: None,
) -> Report:
    """Judge a run; with `out`, also write report.json and report.html there.

    Args:
        run: the folder, or an open `Run`. It is never written to.
        mapping: of a folder that another tool left, `player/quantity` or `step` to the column that
            holds it; an open `Run` has its own.
        stages: stages beside the installed ones; one of the same name takes the installed one's
            place.
        only: names of the stages to run (and those that they take records from); default all.
        skip: names of stages to leave out.
        until: look at nothing at or after this: a float or a text with a point is a fraction of
            the configured length, an int or a text without one a step.
        limits: time and memory of each stage.
        trust: run the run's own code even where this system offers no real isolation.
        use_cache: whether results of earlier evaluations may stand in.
        judgements: pairwise judgements behind the weights.

    Raises:
        InputError: the run, a stage's declaration, an option or `out` cannot be used.
    """
    with _output_folder(run, out) as beside:
        evaluation = evaluate_fully(
            run, mapping=mapping, stages=stages, only=only, skip=skip, until=until, limits=limits,
            trust=trust, use_cache=use_cache, judgements=judgements, progress=progress,
        )  # fmt: skip
        if beside is not None:
            page = html.render(
                evaluation.report,
                evaluation.run,
                evaluation.record(HealthRecord),
                forecast=evaluation.record(Forecast),
                neighbourhood=evaluation.record(Neighbourhood),
                reruns=evaluation.record(Reruns),
                landscape=evaluation.landscape,
            )
            _write(beside / "report.json", evaluation.report.to_json())
            _write(beside / "report.html", page)
    return evaluation.report


def evaluate_fully(
    run: str | Path | Run,
    *,
    mapping: Mapping[str, str] | None = None,
    stages: Sequence[Stage] = (),
    only: Sequence[str] = (),
    skip: Sequence[str] = (),
    until: str | float | None = None,
    limits: Limits | None = None,
    trust: bool = False,
    use_cache: bool = True,
    judgements: Path = DEFAULT_JUDGEMENTS,
    reviews: Sequence[Review] | None = None,
    progress: StageProgress = lambda stage, share, what: None,
) -> Evaluation:
    """As `evaluate`, with the records that the stages made.

    `reviews` move weights and P(healthy); by default those of the user's history do.
    """
    opened = _opened(run, mapping)
    opened.check_names()
    step = opened.length if until is None else resolve_until(until, opened.length)
    weights = ahp_weights(judgements)
    known = library()
    reviewed = moved(history() if reviews is None else reviews)
    candidates = {**plugins.installed(), **{stage.name: stage for stage in stages}}
    chosen, left_out = pipeline.select(list(candidates.values()), only, skip)
    outcomes = tuple(
        pipeline.run_stages(
            opened, chosen, until=step, limits=limits, trust=trust, use_cache=use_cache,
            progress=progress, left_out=left_out,
        )
    )  # fmt: skip
    terms = pipeline.terms_of(outcomes)
    series = Series.of(opened, step)
    past = known.apart_from(series)  # the run is not to judge itself
    health, forecast = _record(outcomes, HealthRecord), _record(outcomes, Forecast)
    config = Config.of(opened, step)
    report = build_report(
        name=opened.name,
        config=config,
        recorded=0 if series is None else series.recorded,
        until=step,
        outcomes=outcomes,
        score=score(
            terms,
            weights,
            known,
            past=past,
            alike=_alike(config, series),
            reviews=reviewed.counts(weights),
        ),
        probability=None
        if health is None
        else _probability(health, forecast, terms.get("logic"), past, reviewed),
        health=health,
        advised=_advised(opened, health, _record(outcomes, Reruns), past),
        landscape=_landscape(outcomes),
        environment={
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": machine_fingerprint(),
            "versions": {name: version(name) for name in _PACKAGES},
        },
    )
    return Evaluation(report, opened, outcomes)


def _alike(config: Config, series: Series | None) -> Library | None:
    """Past runs of the run's own group of kinds, where verdicts rest on another's."""
    group = kind_of(config.objective).past_runs.group
    return None if group == JUDGES else library(group).apart_from(series)


def _advised(
    run: Run, health: HealthRecord | None, reruns: Reruns | None, past: Library
) -> FolderAdvice | None:
    """What `dlcc advise` would say by past runs, where there is something to mend."""
    if health is None or health.label == "healthy":
        return None
    made = () if reruns is None else reruns.outcomes
    seeds = [Outcome(o.label, o.p_healthy, o.stability) for o in made if o.kind == "seed"]
    try:
        return first_advice(run, past, seeds)
    except (OptionError, RunError):
        return None  # the command says why


def _probability(
    health: HealthRecord,
    forecast: Forecast | None,
    logic: Estimate | None,
    past: Library,
    reviewed: Moved,
) -> Probability:
    """P(healthy and true) by the library, put right by the user's reviews; a label that the kind
    itself tells, by its marks, stands above what past runs know."""
    by_library = healthy_and_true(
        health.features,
        health.seen,
        forecast=None if forecast is None else forecast.p_healthy,
        logic=logic,
        past=past,
    )
    told = sum(p for name, p in health.probabilities.items() if name not in LABELS)
    healthy = reviewed.calibration(by_library.healthy) * (1 - told)
    return dataclasses.replace(by_library, healthy=healthy)


def _record(outcomes: Sequence[StageOutcome], kind: type[T]) -> T | None:
    return next((r for o in outcomes for r in o.records if isinstance(r, kind)), None)


def _landscape(outcomes: Sequence[StageOutcome]) -> MeasuredLandscape | None:
    dossier = _record(outcomes, Dossier)
    return None if dossier is None else dossier.landscape


def _opened(run: str | Path | Run, mapping: Mapping[str, str] | None) -> Run:
    if not isinstance(run, Run):
        return Run.open(run, mapping)
    if mapping and dict(mapping) != dict(run.mapping):
        raise OptionError(f"{run.path}: open already; give the mapping to Run.open")
    return run


def with_settings(stages: Sequence[Stage], settings: Sequence[str]) -> list[Stage]:
    """The stages that `stage.key=value` settings change, changed."""
    from pydantic import TypeAdapter, ValidationError

    changed = {stage.name: stage for stage in stages}
    touched = []
    for text in settings:
        key, equals, value = text.partition("=")
        name, dot, setting = key.partition(".")
        if not (equals and dot and name in changed):
            raise OptionError(
                f"--set {text!r}: expected STAGE.SETTING=VALUE with one of {', '.join(changed)}"
            )
        stage = changed[name]
        if setting not in stage.settings():
            known = ", ".join(stage.settings()) or "none"
            raise OptionError(f"--set {text!r}: stage {name!r} has the settings {known}")
        kind = type(stage.settings()[setting])
        try:
            parsed = TypeAdapter(kind).validate_strings(value)
        except ValidationError as error:
            raise OptionError(f"--set {text!r}: expected a {kind.__name__}") from error
        changed[name] = dataclasses.replace(stage, **{setting: parsed})
        touched.append(name)
    return [changed[name] for name in dict.fromkeys(touched)]


@contextlib.contextmanager
def _output_folder(run: str | Path | Run, out: str | Path | None) -> Iterator[Path | None]:
    """A folder beside `out` whose files are moved there at the end, all or none.

    Made before any stage runs, so that a folder that cannot be written is known at once.
    """
    if out is None:
        yield None
        return
    target = Path(out)
    source = run.path if isinstance(run, Run) else Path(run)
    if target.resolve().is_relative_to(source.resolve()):
        raise OutputError(f"--out {target}: lies in the run itself; choose a folder outside it")
    stack = contextlib.ExitStack()
    try:
        target.mkdir(parents=True, exist_ok=True)
        beside = stack.enter_context(scratch_folder(BESIDE, target))
    except OSError as error:
        raise OutputError(
            f"--out {target}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    with stack:
        yield beside
        made = sorted(beside.iterdir())
        for path in made:
            if (target / path.name).is_dir():
                raise OutputError(
                    f"{target / path.name}: a folder stands where the report should be; move it "
                    "away or choose another --out"
                )
        for path in made:
            os.replace(path, target / path.name)


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(
            f"{path.parents[2]}: cannot write {path.name} ({error.strerror}); make room or "
            "choose another --out"
        ) from error
