"""Programs that run reruns.

A run whose code is a recipe of this package is rerun as one ensemble, any other from the code that
came with it, one rerun after the other in the sandbox.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dlcc import cache
from dlcc.engine.jobs import Job
from dlcc.errors import OptionError
from dlcc.health.run_features import reference_of
from dlcc.health.sample_space import features_of
from dlcc.health.samples import AnyReference, Reference, shared_reference
from dlcc.health.windows import QUANTITIES
from dlcc.kinds import TrainingKind, kind_of, why_unknown
from dlcc.kinds.gan import GAN
from dlcc.recipes.recipe import Recipe
from dlcc.records import Config, Samples, Series, Sources
from dlcc.reruns.outcome import Recorded, Refused, steps_to_sample
from dlcc.reruns.packing import packed
from dlcc.reruns.plan import Rerun
from dlcc.reruns.sandbox_program import SAMPLES, SandboxProgram
from dlcc.runs import Run
from dlcc.sandbox import Level, best_level
from dlcc.stage import Deadline
from dlcc.typing import Progress

_TOGETHER = 32  # reruns of a part that go as one ensemble
_OF_ONE = ("loss", "grad_norm")  # recorded of the only player of a training


class Program(Protocol):
    """Program that runs reruns of one run; `program_of` finds it.

    >>> import numpy as np
    >>> from dlcc.records import Config, Sources
    >>> from dlcc.reruns import plan_reruns, program_of
    >>> from dlcc.runs import Run
    >>> from dlcc.sandbox import Level
    >>> from dlcc.stage import Deadline
    >>> run = Run.open("runs/ring-oscillating")
    >>> config = Config.of(run, None)
    >>> program = program_of(config, Sources.of(run, None), None, lambda: Level.NONE)
    >>> plan = plan_reruns(config.config, 2, np.random.default_rng(0))
    >>> made = program.run(plan, 3, Deadline(60), lambda share, what: None)
    >>> [len(recorded.series.columns["generator/loss"].steps) for recorded in made]
    [3, 3]
    """

    @property
    def how(self) -> str:
        """Way in which reruns are run, in words."""

    @property
    def splits_seeds(self) -> bool:
        """Whether weights and batches can have seeds of their own."""

    @property
    def reference(self) -> AnyReference | None:
        """Training data to compare samples with; None where only series are judged."""

    @property
    def kind(self) -> TrainingKind:
        """Kind of the training."""

    def run(
        self, plan: Sequence[Rerun], length: int, deadline: Deadline, progress: Progress
    ) -> Sequence[Recorded | Refused]:
        """Run the first reruns of a plan, as many as the deadline allows.

        Args:
            plan: Reruns in the order in which they matter.
            length: Number of steps of each.
            deadline: Time that may be used.
            progress: Function that is called with the share done and what is being done.

        Returns:
            The record of each rerun that was made, in the order of the plan; or the error of the
            run's code, where that refused the setting.

        Raises:
            LimitExceeded: The time is up before reruns that go all at once are done.
            ForeignCodeStopped: The run's code used up its limits.
            ValueError: A configuration of the plan is none of the recipe's.
        """


def program_of(
    config: Config, sources: Sources | None, samples: Samples | None, level: Callable[[], Level]
) -> EnsembleProgram | SandboxProgram | str:
    """Find the program that can rerun a run.

    Args:
        config: Configuration of the run, its entry point included.
        sources: Files of code that came with the run; None where there are none.
        samples: Samples and training data of the run, to judge reruns by; None for series alone.
        level: Function that gives the level of the sandbox; it is called, and may raise
            `IsolationError`, only for code that came with the run.

    Returns:
        The program; or in a sentence why the run cannot be run again.

    Raises:
        IsolationError: `level` raises it.
        SnapshotError: The samples' training data are damaged.
        PluginError: An installed kind of training cannot be used.
        OptionError: The training data cannot be compared with in their space of features.

    >>> from dlcc.records import Config, Sources
    >>> from dlcc.reruns import program_of
    >>> from dlcc.runs import Run
    >>> from dlcc.sandbox import best_level
    >>> run = Run.open("runs/digits-collapsed")
    >>> config, sources = Config.of(run, None), Sources.of(run, None)
    >>> program_of(config, sources, None, lambda: best_level(False)).how
    'one ensemble'
    >>> program_of(config, None, None, lambda: best_level(False))[:49]
    'the run does not say how to build its training ag'
    """
    from dlcc.recipes.small_gan import training as small_gan

    if sources is not None and _is_recipe(sources, Path(small_gan.__file__), config.training):
        data = str(config.config.get("data"))
        return EnsembleProgram(Reference.of(np.asarray(small_gan.reference(data), np.float64)))
    why = why_no_program(config, sources)
    if why is not None:
        return why
    assert sources is not None
    return _sandboxed(config, sources, samples, level())


def sandbox_program_of(run: Run, *, trust: bool) -> SandboxProgram:
    """Find the program that reruns a run from the code that came with it, a recipe's too.

    Args:
        run: Run.
        trust: Whether the code may run where no sandbox can isolate it.

    Returns:
        The program.

    Raises:
        OptionError: The run says too little to run it again, or what it trains cannot be judged.
        IsolationError: Nothing isolates the code.
    """
    config, sources = Config.of(run, None), Sources.of(run, None)
    unknown = why_unknown(config.objective, config.players)
    why = unknown or why_no_program(config, sources)
    if why is not None:
        raise OptionError(f"{run.path}: {why}")
    assert sources is not None
    return _sandboxed(config, sources, Samples.of(run, None), best_level(trust))


def recipe_program(recipe: Recipe, config: Mapping[str, Any], level: Level) -> SandboxProgram:
    """Make the program that trains configurations of a recipe.

    Args:
        recipe: Recipe.
        config: Whole configuration of it.
        level: Level of the sandbox.

    Returns:
        The program.
    """
    family = recipe.family
    rows = np.asarray(family.reference(config), dtype=np.float64)
    reference = shared_reference(rows, features_of(rows, family.description(config)))
    players = [*family.players(config)]
    quantities = _quantities(players)
    return SandboxProgram(
        "source/train.py:build",
        {"source/train.py": recipe.source},
        level,
        reference,
        kind_of(family.objective(config)),
        quantities,
    )


def _sandboxed(
    config: Config, sources: Sources, samples: Samples | None, level: Level
) -> SandboxProgram:
    """Program that reruns code which came with a run."""
    assert config.training is not None
    reference = None if samples is None else reference_of(samples)
    kind, quantities = kind_of(config.objective), _quantities([*config.players])
    return SandboxProgram(config.training, sources.paths, level, reference, kind, quantities)


def _quantities(players: Sequence[str]) -> tuple[str, ...]:
    """Quantities to record of the trainings of these players."""
    if len(players) == 1:
        return tuple(f"{players[0]}/{q}" for q in _OF_ONE)
    return tuple(QUANTITIES)


def why_no_program(config: Config, sources: Sources | None) -> str | None:
    """Reason why a run cannot be run again, in a sentence; None where it says enough."""
    if config.training is None or sources is None:
        return (
            "the run does not say how to build its training again; record with "
            "Recorder(..., build=build), whose build(config) returns dlcc.Training.from_step(...)"
        )
    if config.training.partition(":")[0] not in sources.files:
        return f"run.json builds the training by {config.training}, which the run does not hold"
    if "seed" not in config.config:
        return "the configuration has no key 'seed', so another seed cannot be asked for"
    return None


def _is_recipe(sources: Sources, recipe: Path, entry: str | None) -> bool:
    """Whether the run's code is this package's own, letter by letter, and nothing beside it."""
    if entry is None or len(sources.files) != 1:
        return False
    file, _, function = entry.partition(":")
    return function == "build" and sources.files.get(file) == recipe.read_text(encoding="utf-8")


@dataclass(frozen=True)
class EnsembleProgram:
    """Reruns of a recipe, all at once."""

    reference: AnyReference | None
    kind: TrainingKind = GAN
    how: str = "one ensemble"
    splits_seeds: bool = True

    def run(
        self, plan: Sequence[Rerun], length: int, deadline: Deadline, progress: Progress
    ) -> list[Recorded]:
        """Run all reruns of the plan; raises LimitExceeded when the time is up before that."""
        from dlcc.ensembles import by_shape

        configs = [rerun.config for rerun in plan]
        recorded: dict[int, Recorded] = {}
        groups = by_shape(configs)
        for k, members in enumerate(groups):
            part = [plan[i] for i in members]
            made = _train_together(part, length, deadline, _part(progress, k, len(groups)))
            recorded.update(zip(members, made, strict=True))
        return [recorded[i] for i in range(len(plan))]

    def parts(
        self, plan: Sequence[Rerun], length: int, until: float
    ) -> list[tuple[list[int], Job]]:
        """Divide a plan into ensembles of at most 32 reruns each."""
        from dlcc.ensembles import by_shape

        chunks = [
            group[k : k + _TOGETHER]
            for group in by_shape([rerun.config for rerun in plan])
            for k in range(0, len(group), _TOGETHER)
        ]
        return [(chunk, _ensemble_job([plan[i] for i in chunk], length, until)) for chunk in chunks]


def _ensemble_job(plan: Sequence[Rerun], length: int, until: float) -> Job:
    """Make the job that trains reruns of one shape together."""
    reruns = [{"config": dict(r.config), "weights_seed": r.weights_seed} for r in plan]
    return Job(
        _ensemble_part,
        {"reruns": reruns, "length": length},
        {"until": until},
        version=cache.package_digest(),
    )


def _ensemble_part(reruns: Sequence[Mapping[str, Any]], length: int, until: float) -> bytes:
    """Train reruns of one shape together."""
    plan = [Rerun("seed", r["config"], r["weights_seed"]) for r in reruns]
    deadline = Deadline(until - time.time())
    return packed(_train_together(plan, length, deadline, lambda share: None))


def _part(progress: Progress, k: int, parts: int) -> Callable[[float], None]:
    return lambda share: progress((k + share) / parts, "reruns")


def _train_together(
    plan: Sequence[Rerun], length: int, deadline: Deadline, progress: Callable[[float], None]
) -> list[Recorded]:
    from dlcc.ensembles import train_ensemble

    def report(done: int, total: int) -> None:
        if done % 20 == 0:
            deadline.check()
            progress(done / total)

    trained = train_ensemble(
        [rerun.config for rerun in plan],
        steps=length,
        sample_steps=steps_to_sample(length),
        samples=SAMPLES // 2 if plan[0].config.get("data") == "digits" else SAMPLES,
        progress=report,
        states={
            i: _initial_state({**rerun.config, "seed": rerun.weights_seed})
            for i, rerun in enumerate(plan)
            if rerun.weights_seed is not None
        },
    )
    members = map(trained.member, range(len(plan)))
    return [
        Recorded(Series.from_start(rows), list(samples.astype(np.float64)))
        for rows, samples in members
    ]


def _initial_state(config: Mapping[str, Any]) -> dict[str, Any]:
    """State in which a recipe's training begins."""
    from dlcc.recipes.small_gan import training as small_gan

    players = small_gan.make_players(small_gan.Config.parse(config))
    weights = {name: network.state_dict() for name, network in players.items()}
    return weights | {f"{name}_optimizer": {} for name in players}
