"""Command `dlcc tune`: a search for better settings."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dlcc.cli.options import duration, in_range
from dlcc.cli.progress import bars

if TYPE_CHECKING:
    from dlcc.reruns.sandbox_program import SandboxProgram
    from dlcc.tuning import Dimension, Tuned


def tune(
    subject: Annotated[str, typer.Argument(help="A run folder or a recipe.", metavar="RUN|RECIPE")],
    budget: Annotated[str, typer.Option(help="Time for trials: 90s, 5m, 2h.")] = "30m",
    bound: Annotated[
        list[str] | None,
        typer.Option(help="Search this key within bounds: KEY=LO..HI; repeatable."),
    ] = None,
    study: Annotated[
        Path | None,
        typer.Option(help="File in which the study is kept; by default NAME-tune.journal."),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Of a recipe, KEY=VALUE; repeatable.")
    ] = None,
    sampler: Annotated[str, typer.Option(help="What proposes settings: tpe, random, gp.")] = "tpe",
    pruner: Annotated[
        str, typer.Option(help="What stops trials early: forecast, median, none.")
    ] = "forecast",
    jobs: Annotated[
        int | None, typer.Option(help="Sandboxes side by side; default one a processor.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the search and of the trials.")] = 0,
    trust: Annotated[
        bool, typer.Option(help="Run the run's own code even without real isolation.")
    ] = False,
) -> None:
    """Search for better settings of a run or a recipe, and stop trials that will fail."""
    from dlcc.cli.options import pairs_of
    from dlcc.engine.engines import processors
    from dlcc.errors import OptionError

    seconds = duration("--budget", budget)
    bounds = dict(map(_bound, bound or []))
    in_range("--seed", seed, 0, 2**31 - 1)
    in_range("--jobs", jobs, 1, 1024)
    try:
        from dlcc.tuning import PRUNERS, SAMPLERS, space_of
    except ImportError:
        raise OptionError(
            "dlcc tune needs the package optuna; install it with: pip install 'dlcc[optuna]'"
        ) from None
    for option, value, known in (("--pruner", pruner, PRUNERS), ("--sampler", sampler, SAMPLERS)):
        if value not in known:
            raise OptionError(f"{option} {value}: expected one of {', '.join(known)}")
    found = _subject(subject, pairs_of(set_ or []), trust)
    space = space_of(found.config, found.remedies, bounds, found.code)
    file = study or Path(f"{found.name}-tune.journal")
    with bars() as progress:
        tuned = found.search(
            space,
            file,
            seconds,
            workers=jobs or processors(),
            pruner=pruner,
            sampler=sampler,
            seed=seed,
            progress=lambda share, what: progress("tune", share, what),
        )
    typer.echo(_summary(found, space, tuned, file, pruner))
    if tuned.interrupted:
        raise KeyboardInterrupt


def _bound(text: str) -> tuple[str, tuple[float, float]]:
    """Parse KEY=LO..HI."""
    from dlcc.errors import OptionError

    key, _, rest = text.partition("=")
    low, _, high = rest.partition("..")
    try:
        return key, (float(low), float(high))
    except ValueError:
        raise OptionError(f"--bound {text}: expected KEY=LO..HI, such as beta=0.01..10") from None


class _Subject:
    """Training whose settings are searched."""

    def __init__(
        self,
        name: str,
        program: SandboxProgram,
        config: Mapping[str, Any],
        length: int,
        recipe: str | None,
    ) -> None:
        self.name, self.program, self.config = name, program, config
        self.length, self.recipe = length, recipe

    @property
    def remedies(self) -> str:
        """Name of the changes known for the kind, which tells what keys mean."""
        return self.program.kind.remedies or "vae"

    @property
    def code(self) -> list[str]:
        """Texts of its files of code."""
        files = self.program.files.values()
        return [path.read_text(encoding="utf-8", errors="replace") for path in files]

    def search(
        self,
        space: list[Dimension],
        file: Path,
        seconds: float,
        *,
        workers: int,
        pruner: str,
        sampler: str,
        seed: int,
        progress: Any,
    ) -> Tuned:
        """Search until the time is over."""
        from dlcc.past_runs.in_use import library
        from dlcc.reruns.outcome import Judge
        from dlcc.reruns.pool import SandboxPool
        from dlcc.reruns.prediction import Predictor
        from dlcc.settings.keys import keys_of
        from dlcc.stage import Deadline
        from dlcc.tuning import Tuning

        judge = Judge(library(), self.program.reference, self.program.kind)
        with SandboxPool(self.program, self.length, workers, Deadline(seconds)) as pool:
            return Tuning(
                self.config,
                self.length,
                space,
                pool,
                Predictor(judge),
                file,
                self.name,
                pruner,
                sampler,
                keys_of(self.config, self.remedies),
                seed,
            ).run(progress)


def _subject(name: str, settings: dict[str, Any], trust: bool) -> _Subject:
    """Find the run or the recipe of a name.

    Raises:
        OptionError: There is neither, or the run says too little to be trained again.
    """
    from dlcc.errors import OptionError
    from dlcc.recipes import recipes
    from dlcc.records import Config
    from dlcc.reruns.programs import recipe_program, sandbox_program_of
    from dlcc.runs import Run
    from dlcc.sandbox import best_level

    if name in recipes() and not Path(name).exists():
        recipe = recipes()[name]
        config = recipe.configure(settings)
        program = recipe_program(recipe, config, best_level(trust=True))
        return _Subject(name, program, config, recipe.family.length(config), name)
    if settings:
        raise OptionError("--set: a run has its settings already; it goes with recipes")
    run = Run.open(name)
    found = sandbox_program_of(run, trust=trust)
    read = Config.of(run, None)
    return _Subject(run.path.resolve().name, found, read.config, read.length, None)


def _summary(found: _Subject, space: list[Dimension], tuned: Tuned, file: Path, pruner: str) -> str:
    from dlcc.advice.change import Change

    searched = ", ".join(dimension.words for dimension in space)
    lines = [
        f"{found.name}: {tuned.trials} trials over {searched}",
        f"  {tuned.stopped} of them stopped early ({pruner}); {tuned.trainings:.1f} trainings' "
        "worth of steps in this call",
    ]
    if tuned.refused:
        lines.append(f"  {tuned.refused} trials were refused by the code, or cut off")
    if not tuned.best:
        lines.append("  no trial came to its end yet")
    else:
        change = Change(dict(tuned.best))
        lines.append(f"  best     {tuned.value:.2f}  {change.words(found.config)}")
        if tuned.present is not None:
            lines.append(f"  present  {tuned.present:.2f}")
        lines.append(
            "  (mean of P(healthy), share of good samples and closeness to data, one seed a trial)"
        )
    lines.append(f"study kept in {file}; call again to go on")
    if tuned.best and found.recipe is not None:
        sets = " ".join(shlex.quote(f"--set={k}={v:.4g}") for k, v in tuned.best.items())
        lines.append(f"next: dlcc train {found.recipe} --out {found.name}-tuned {sets}")
    return "\n".join(lines)
