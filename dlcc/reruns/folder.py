"""Reruns of a run folder: what `dlcc rerun` does."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dlcc.engine.engines import Engine
from dlcc.errors import LimitExceeded, OptionError
from dlcc.health.domain import circumstances_of
from dlcc.health.judgeable import NotJudgeableError, check_judgeable, judgeable_kind
from dlcc.past_runs.in_use import library
from dlcc.records import Config, Reruns, Samples, Series, Sources
from dlcc.reruns.programs import EnsembleProgram, Program, program_of
from dlcc.reruns.sandbox_program import SandboxProgram
from dlcc.reruns.spread import SpreadProgram
from dlcc.reruns.study import rerun
from dlcc.runs import Run
from dlcc.sandbox import best_level
from dlcc.stage import Deadline
from dlcc.typing import Progress


def rerun_folder(
    folder: str | Path,
    n: int,
    seconds: float,
    *,
    trust: bool,
    progress: Progress,
    seed: int = 0,
    engine: Engine | None = None,
) -> Reruns:
    """Run the training of a folder again, several times or as often as fits into the time.

    Args:
        folder: Folder of the run.
        n: Number of reruns: half with other seeds, the rest with other batches or settings.
        seconds: Time for all of them, in seconds.
        trust: Whether code that came with the run may run where no sandbox can isolate it.
        progress: Function that is called with the share done and what is being done.
        seed: Seed of the plan's own choices.
        engine: Engine whose workers rerun parts of the plan, which are kept; None for this process.

    Returns:
        The outcomes, the reproducibility Δ, and the effects of settings.

    Raises:
        InputError: The folder is no run, says too little to run it again, or not one rerun fits
            into the time.
        IsolationError: The code is the run's own and nothing isolates it.
    """
    run = Run.open(folder)
    program, config = program_of_folder(run, trust=trust, engine=engine)
    series = Series.of(run, run.length)
    known = library().excluding(series)
    try:
        return rerun(
            program,
            config.config,
            config.length,
            known,
            n,
            rng=np.random.default_rng(seed),
            deadline=Deadline(seconds),
            progress=progress,
            own=_own_record(run, config, series),
        )
    except LimitExceeded:
        raise OptionError(
            f"--budget {seconds:g} s: {n} reruns of {config.length:,} steps take longer; give more "
            "time, or a smaller --n"
        ) from None


def _own_record(
    run: Run, config: Config, series: Series | None
) -> tuple[Series, Samples | None] | None:
    """Series and samples of the run itself; None where no verdict can be given on them."""
    if series is None:
        return None
    samples = Samples.of(run, run.length)
    kind = judgeable_kind(config.objective, config.players)
    try:
        check_judgeable(kind, series, samples, circumstances_of(config, samples))
    except NotJudgeableError:
        return None
    return series, samples


def program_of_folder(
    run: Run, *, trust: bool, engine: Engine | None = None
) -> tuple[Program, Config]:
    """Find the program that reruns a run, on the workers of an engine or here, and its
    configuration.

    Raises:
        OptionError: The run says too little to run it again.
        IsolationError: The code is the run's own and nothing isolates it.
    """
    program, config = program_for(run, trust=trust)
    return program if engine is None else SpreadProgram(program, engine), config


def program_for(run: Run, *, trust: bool) -> tuple[EnsembleProgram | SandboxProgram, Config]:
    """Find the program that reruns a run here, and its configuration.

    Raises:
        OptionError: The run says too little to run it again.
        IsolationError: The code is the run's own and nothing isolates it.
    """
    config = Config.of(run, None)
    try:
        judgeable_kind(config.objective, config.players)
    except NotJudgeableError as error:
        raise OptionError(f"{run.path}: how reruns end cannot be told: {error}") from None
    program = program_of(
        config, Sources.of(run, None), Samples.of(run, None), lambda: best_level(trust)
    )
    if isinstance(program, str):
        raise OptionError(f"{run.path}: {program}")
    return program, config
