"""Advice for a run folder: what `dlcc advise` does."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np

from dlcc.errors import IsolationError, LimitExceeded, OptionError
from dlcc.feedback.advice import Advised, advise, by_past_runs
from dlcc.kinds import kind_of, why_unknown
from dlcc.library.in_use import library
from dlcc.records import Config, Series, Sources
from dlcc.reruns.folder import program_of_folder
from dlcc.reruns.programs import Program
from dlcc.runs import Run
from dlcc.stage import Deadline

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class FolderAdvice:
    """Advice, and what it rests on."""

    advised: Advised
    config: Config
    why_no_reruns: str | None
    """Where nothing could be rerun, and past runs alone were asked."""


def advise_folder(
    run: Run,
    seconds: float,
    *,
    reruns: bool,
    trust: bool,
    progress: Progress = lambda share, what: None,
    seed: int = 0,
) -> FolderAdvice:
    """Rank changes to the configuration of a run.

    Raises:
        OptionError: the run says nothing of how to build its training or of its configuration, or
            not one round of reruns fits into the time.
        RunError: what is in the run cannot be read.
    """
    config = Config.of(run, None)
    unknown = why_unknown(config.objective, config.players)
    if unknown is not None:
        raise OptionError(f"{run.path}: no advice can be given: {unknown}")
    kind = kind_of(config.objective)
    if kind.remedies is None:
        raise OptionError(
            f"{run.path}: no changes are known for trainings of kind {kind.name!r}, so no advice "
            "can be given"
        )
    if config.training is None:
        raise OptionError(
            f"{run.path}: the run does not say how it was trained, so no change can be advised; "
            "record with Recorder(..., training=t, training_entry='source/train.py:build')"
        )
    program, why = _program(run, trust) if reruns else (None, "left out on request")
    series = Series.of(run, run.length)
    past = library().apart_from(series)
    data, code = data_name(config), texts_of(run)
    try:
        if program is None:
            advised = by_past_runs(config.config, past, data=data, code=code)
        else:
            advised = advise(
                config.config, config.length, past, program, data=data, code=code,
                rng=np.random.default_rng(seed), deadline=Deadline(seconds), progress=progress,
            )  # fmt: skip
    except LimitExceeded:
        raise OptionError(
            f"--budget {seconds:g} s: not one round of reruns of {config.length:,} steps fits into "
            "it; give more time, or --no-reruns to ask past runs alone"
        ) from None
    if not advised.ranked:
        raise OptionError(
            f"{run.path}: the configuration has none of the fields that changes are known for "
            "(lr_g, lr_d, beta1, r1, loss, optimizer, ...)"
        )
    return FolderAdvice(advised, config, why)


def _program(run: Run, trust: bool) -> tuple[Program | None, str | None]:
    try:
        return program_of_folder(run, trust=trust)[0], None
    except (OptionError, IsolationError) as error:
        return None, str(error)


def texts_of(run: Run) -> Collection[str]:
    """The texts of a run's own files.

    Raises:
        RunError: a link leads out of the run.
    """
    sources = Sources.of(run, None)
    return () if sources is None else sources.files.values()


def data_name(config: Config) -> str | None:
    """The data set that a run names."""
    name = config.data.get("name", config.config.get("data"))
    return name if isinstance(name, str) else None
