"""Advice for a run folder: what `dlcc advise` does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dlcc.advice.advice import Advised, advise, by_past_runs
from dlcc.errors import ForeignCodeError, IsolationError, LimitExceeded, OptionError
from dlcc.health.gate import NotJudgeableError, judgeable_kind
from dlcc.past_runs.in_use import library
from dlcc.past_runs.store import Library
from dlcc.records import AdviceRecord, AdvisedChange, Config, Outcome, Series, Sources
from dlcc.reruns.folder import program_of_folder
from dlcc.reruns.programs import Program, why_no_program
from dlcc.runs import Run
from dlcc.stage import Deadline
from dlcc.typing import Progress


@dataclass(frozen=True)
class FolderAdvice:
    """Advice, and what it rests on."""

    advised: Advised
    config: Config
    why_no_reruns: str | None
    """Where nothing could be rerun, and past runs alone were asked."""

    def record(self) -> AdviceRecord:
        """Make what a report shows of it."""
        changes = (
            AdvisedChange(
                words=advice.change.words(self.config.config),
                fields=dict(advice.change.fields),
                p_healthy=advice.expected.number,
            )
            for advice in self.advised.shown()
        )
        control = self.advised.control
        return AdviceRecord(
            tuple(changes), control.expected.number, control.reruns, self.why_no_reruns
        )


def first_advice(run: Run, past: Library, seeds: Sequence[Outcome] = ()) -> FolderAdvice:
    """What past runs say one could change: what a report shows, and `advise_folder` without reruns.

    Args:
        run: the run.
        past: past runs without the run itself.
        seeds: reruns with other seeds that were made already.

    Raises:
        OptionError: of such a run no change is known.
        RunError: what is in the run cannot be read.
    """
    config, remedies = _advisable(run)
    sources = Sources.of(run, None)
    advised = by_past_runs(
        config.config,
        past,
        data=data_name(config),
        code=_texts(sources),
        seeds=seeds,
        remedies=remedies,
    )
    return FolderAdvice(_some(run, advised), config, why_no_program(config, sources))


def advise_folder(
    run: Run,
    seconds: float,
    *,
    reruns: bool,
    trust: bool,
    progress: Progress = lambda share, what: None,
    seed: int = 0,
) -> FolderAdvice:
    """Rank changes to the configuration of a run, by reruns where it can be run again.

    Raises:
        OptionError: of such a run no change is known, or not one round of reruns fits into the
            time.
        RunError: what is in the run cannot be read.
    """
    past = library().excluding(Series.of(run, run.length))
    config, remedies = _advisable(run)
    sources = Sources.of(run, None)
    program, why = None, "left out on request" if not reruns else why_no_program(config, sources)
    if why is None:
        program, why = _program(run, trust)
    if program is None:
        return replace(first_advice(run, past), why_no_reruns=why)
    try:
        advised = advise(
            config.config,
            config.length,
            past,
            program,
            data=data_name(config),
            code=_texts(sources),
            rng=np.random.default_rng(seed),
            deadline=Deadline(seconds),
            progress=progress,
            remedies=remedies,
        )
    except LimitExceeded:
        raise OptionError(
            f"--budget {seconds:g} s: not one round of reruns of {config.length:,} steps fits into "
            "it; give more time, or --no-reruns to ask past runs alone"
        ) from None
    except ForeignCodeError as error:  # with the run's own configuration and another seed
        return replace(first_advice(run, past), why_no_reruns=f"the run's code failed: {error}")
    return FolderAdvice(_some(run, advised), config, None)


def _advisable(run: Run) -> tuple[Config, str]:
    """The configuration of a run, and which changes are known for its kind; OptionError where none
    are."""
    config = Config.of(run, None)
    try:
        kind = judgeable_kind(config.objective, config.players)
    except NotJudgeableError as error:
        raise OptionError(f"{run.path}: no advice can be given: {error}") from None
    if kind.remedies is None:
        raise OptionError(
            f"{run.path}: no changes are known for trainings of kind {kind.name!r}, so no advice "
            "can be given"
        )
    return config, kind.remedies


def _some(run: Run, advised: Advised) -> Advised:
    """The advice, if there is any; else OptionError."""
    if advised.ranked:
        return advised
    raise OptionError(
        f"{run.path}: the configuration has none of the fields that changes are known for "
        "(lr_g, lr_d, beta1, r1, loss, optimizer, ...)"
    )


def _program(run: Run, trust: bool) -> tuple[Program | None, str | None]:
    try:
        return program_of_folder(run, trust=trust)[0], None
    except (OptionError, IsolationError) as error:
        return None, str(error)


def _texts(sources: Sources | None) -> Collection[str]:
    """The texts of a run's own files."""
    return () if sources is None else sources.files.values()


def data_name(config: Config) -> str | None:
    """The data set that a run names."""
    name = config.data.get("name", config.config.get("data"))
    return name if isinstance(name, str) else None
