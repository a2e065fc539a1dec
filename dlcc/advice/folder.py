"""Advice for a run folder: what `dlcc advise` does."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dlcc.advice.advice import Advised, advise, by_past_runs
from dlcc.engine.engines import Engine
from dlcc.errors import ForeignCodeError, IsolationError, LimitExceeded, OptionError
from dlcc.health.judgeable import NotJudgeableError, judgeable_kind
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
    """Advice for a run folder, made by `first_advice` or `advise_folder`.

    >>> import numpy as np
    >>> from dlcc.advice import first_advice
    >>> from dlcc.past_runs.in_use import library
    >>> from dlcc.runs import Run
    >>> few = library().select(np.arange(60) * 30)
    >>> record = first_advice(Run.open("runs/ring-oscillating"), few).record()
    >>> len(record.changes), record.changes[0].p_healthy.mean > record.another_seed.mean
    (3, True)
    """

    advised: Advised
    """Ranked changes, beside the control."""
    config: Config
    """Configuration of the run."""
    why_no_reruns: str | None
    """Reason why nothing was rerun and past runs alone were asked; None where reruns were made."""

    def record(self) -> AdviceRecord:
        """Make the part of the advice that a report shows.

        Returns:
            Changes worth showing with their P(healthy), beside that of another seed.
        """
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
    """Rank changes to the configuration of a run by past runs alone, without reruns.

    Args:
        run: Run to mend.
        past: Past runs without the run itself.
        seeds: Outcomes of reruns with other seeds that were made already; they count for the
            control.

    Returns:
        The ranked changes; `record()` is what a report shows of them.

    Raises:
        OptionError: No change is known for such a run.
        RunError: The run cannot be read.

    >>> import numpy as np
    >>> from dlcc.advice import first_advice
    >>> from dlcc.past_runs.in_use import library
    >>> from dlcc.runs import Run
    >>> few = library().select(np.arange(60) * 30)
    >>> ranked = first_advice(Run.open("runs/ring-oscillating"), few).advised.ranked
    >>> ranked[0].expected.mean > ranked[-1].expected.mean
    True
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
    engine: Engine | None = None,
) -> FolderAdvice:
    """Rank changes to the configuration of a run, by reruns where it can be run again.

    Args:
        run: Run to mend.
        seconds: Time for all reruns, in seconds.
        reruns: Whether changes are tried in reruns; without, past runs alone are asked.
        trust: Whether code that came with the run may run where no sandbox can isolate it.
        progress: Function that is called with the share done and what is being done.
        seed: Seed of the reruns' seeds.
        engine: Engine whose workers make parts of the reruns, which are kept; None for this
            process.

    Returns:
        The ranked changes beside the control, and why there were no reruns, if there were none.

    Raises:
        OptionError: No change is known for such a run, or not one round of reruns fits into the
            time.
        RunError: The run cannot be read.
        LibraryError: The user's own library cannot be used.
        PluginError: An installed kind of training cannot be used.

    >>> from dlcc.advice import advise_folder
    >>> from dlcc.runs import Run
    >>> found = advise_folder(Run.open("runs/ring-oscillating"), 60.0, reruns=False, trust=False)
    >>> best, control = found.advised.ranked[0], found.advised.control
    >>> found.why_no_reruns, best.expected.mean > control.expected.mean
    ('left out on request', True)
    """
    past = library().excluding(Series.of(run, run.length))
    config, remedies = _advisable(run)
    sources = Sources.of(run, None)
    program, why = None, "left out on request" if not reruns else why_no_program(config, sources)
    if why is None:
        program, why = _program(run, trust, engine)
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
    """Read the configuration of a run and the name of the changes known for its kind.

    Raises:
        OptionError: No changes are known.
    """
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
    """Return the advice if there is any; raises OptionError if not."""
    if advised.ranked:
        return advised
    raise OptionError(
        f"{run.path}: the configuration has none of the fields that changes are known for "
        "(lr_g, lr_d, beta1, r1, loss, optimizer, ...)"
    )


def _program(run: Run, trust: bool, engine: Engine | None) -> tuple[Program | None, str | None]:
    try:
        return program_of_folder(run, trust=trust, engine=engine)[0], None
    except (OptionError, IsolationError) as error:
        return None, str(error)


def _texts(sources: Sources | None) -> Collection[str]:
    """Texts of a run's own files."""
    return () if sources is None else sources.files.values()


def data_name(config: Config) -> str | None:
    """Name of the data set that a run gives; None where it gives none."""
    name = config.data.get("name", config.config.get("data"))
    return name if isinstance(name, str) else None
