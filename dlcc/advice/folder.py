"""Advice for a run folder: what `dlcc advise` does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from dlcc.advice.advice import advise, by_past_runs, trials_of
from dlcc.advice.change import Change
from dlcc.advice.evidence import Advice, Advised
from dlcc.advice.heeding import Heeded
from dlcc.advice.offer import Offer, offer_by_replay, offer_by_source
from dlcc.advice.race import Race, in_order
from dlcc.engine.engines import Engine, Local, Processes, processors
from dlcc.errors import (
    ForeignCodeError,
    ForeignCodeStopped,
    IsolationError,
    LimitExceeded,
    OptionError,
)
from dlcc.health.judgeable import NotJudgeableError, judgeable_kind
from dlcc.past_runs.in_use import library
from dlcc.past_runs.store import Library
from dlcc.records import (
    AdviceRecord,
    AdvisedChange,
    Config,
    Outcome,
    RerunOutcome,
    Samples,
    Series,
    Sources,
)
from dlcc.reruns.folder import program_for
from dlcc.reruns.outcome import Judge
from dlcc.reruns.pool import SandboxPool
from dlcc.reruns.prediction import Predictor
from dlcc.reruns.programs import EnsembleProgram, why_no_program
from dlcc.reruns.sandbox_program import SandboxProgram
from dlcc.reruns.spread import SpreadProgram
from dlcc.runs import Run
from dlcc.sandbox import best_level
from dlcc.settings.keys import keys_of
from dlcc.stage import Deadline
from dlcc.typing import Progress

_REPLAYS = 0.15  # share of the time that finding out what the code heeds may take
_LEAST, _MOST_AT_LEAST = 15.0, 0.4  # seconds that it may always take, up to this share
_LISTED = 6


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
    heeded: Heeded = field(default_factory=lambda: Heeded(()))
    """Changes that were offered, and how many were left out."""
    prior: Literal["past runs", "usual values"] = "past runs"
    """Source of what is expected of changes that no rerun tried: past runs know GANs alone."""

    def record(self, least_gain: float = 0.0) -> AdviceRecord:
        """Make the part of the advice that a report shows.

        Args:
            least_gain: Gain in P(healthy) over another seed, by past runs, below which a change is
                not worth a try.

        Returns:
            Changes worth showing with their P(healthy), beside that of another seed.
        """
        control = self.advised.control
        changes = (
            AdvisedChange(
                words=advice.change.words(self.config.config),
                fields=dict(advice.change.fields),
                p_healthy=advice.expected.number,
            )
            for advice in self.advised.shown()
            if advice.expected.mean > control.expected.mean
            and (advice.reruns or self._past_runs_say(advice, least_gain))
        )
        return AdviceRecord(
            tuple(changes), control.expected.number, control.reruns, self.why_no_reruns
        )

    def _past_runs_say(self, advice: Advice, least_gain: float) -> bool:
        """Whether past runs expect more of a change than of another seed."""
        gain = advice.past - self.advised.control.past
        return self.prior == "past runs" and gain > least_gain


def first_advice(
    run: Run,
    past: Library,
    seeds: Sequence[Outcome] = (),
    settings: Sequence[RerunOutcome] = (),
) -> FolderAdvice:
    """Rank changes to the configuration of a run by past runs alone, without reruns.

    Args:
        run: Run to mend.
        past: Past runs without the run itself.
        seeds: Outcomes of reruns with other seeds that were made already; they count for the
            control.
        settings: Outcomes of reruns with other settings that were made already.

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
    subject = _Subject.of(run)
    offer = offer_by_source(subject.config, subject.sources, subject.samples, subject.remedies)
    return _by_past_runs(subject, offer, past, None, seeds, settings)


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

    A change is offered only if the run's code heeds it: its first steps are replayed with the
    change, and must differ; where they cannot be replayed, the code must provably read the key.

    Args:
        run: Run to mend.
        seconds: Time for replays and reruns, in seconds.
        reruns: Whether changes are tried in reruns; without, past runs alone are asked.
        trust: Whether code that came with the run may run where no sandbox can isolate it.
        progress: Function that is called with the share done and what is being done.
        seed: Seed of the reruns' seeds.
        engine: Engine whose workers make the reruns; None for processes of this machine. Reruns
            are kept, and not made again by another call.

    Returns:
        The ranked changes beside the control, and why there were no reruns, if there were none.

    Raises:
        OptionError: No change is known for such a run, or not one rerun fits into the time.
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
    subject = _Subject.of(run)
    deadline = Deadline(seconds)
    why = why_no_program(subject.config, subject.sources)
    offer = None if why else _replayed(subject, trust, seconds, progress)
    if offer is None:
        offer = offer_by_source(subject.config, subject.sources, subject.samples, subject.remedies)
    program = None
    if not reruns:
        why = "left out on request"
    elif why is None:
        program, why = _program(run, trust)
    if program is None:
        return _by_past_runs(subject, offer, past, why)
    _check_some(subject, offer.heeded.changes)
    try:
        advised = _tried(subject, offer, past, program, engine, deadline, progress, seed)
    except LimitExceeded:
        raise OptionError(
            f"--budget {seconds:g} s: not one round of reruns of {subject.config.length:,} steps "
            "fits into it; give more time, or --no-reruns to ask past runs alone"
        ) from None
    except ForeignCodeStopped as error:
        raise OptionError(
            f"--budget {seconds:g} s: not one rerun of {subject.config.length:,} steps fits into "
            f"it ({error}); give more time, or --no-reruns to ask past runs alone"
        ) from None
    except ForeignCodeError as error:  # with the run's own configuration and another seed
        return _by_past_runs(subject, offer, past, f"the run's code failed: {error}")
    return FolderAdvice(advised, subject.config, None, offer.heeded, subject.prior)


@dataclass(frozen=True)
class _Subject:
    """Run to mend, as far as advice looks at it."""

    run: Run
    config: Config
    sources: Sources | None
    samples: Samples | None
    remedies: str
    """Name of the changes known for its kind."""

    @property
    def prior(self) -> Literal["past runs", "usual values"]:
        """Source of what is expected of changes that no rerun tried."""
        return "past runs" if self.remedies == "adversarial" else "usual values"

    @classmethod
    def of(cls, run: Run) -> _Subject:
        """Read it.

        Raises:
            OptionError: No changes are known.
        """
        config, remedies = _advisable(run)
        return cls(run, config, Sources.of(run, None), Samples.of(run, None), remedies)


def _replayed(subject: _Subject, trust: bool, seconds: float, progress: Progress) -> Offer | None:
    """Offer what shows in replayed steps; None where they cannot be replayed."""
    progress(0.0, "which changes the code heeds")
    assert subject.sources is not None
    try:
        return offer_by_replay(
            subject.config,
            subject.sources,
            subject.samples,
            subject.remedies,
            best_level(trust),
            Deadline(max(_REPLAYS * seconds, min(_LEAST, _MOST_AT_LEAST * seconds))),
        )
    except IsolationError:
        return None


def _tried(
    subject: _Subject,
    offer: Offer,
    past: Library,
    program: EnsembleProgram | SandboxProgram,
    engine: Engine | None,
    deadline: Deadline,
    progress: Progress,
    seed: int,
) -> Advised:
    """Rank changes by reruns: all at once where the engine does, else in a race."""
    config, data = subject.config, data_name(subject.config)
    changes = list(offer.heeded.changes)
    if isinstance(program, SandboxProgram) and isinstance(engine, Processes | Local | None):
        trials = trials_of(
            config.config, past, changes, data=data, remedies=subject.remedies, keys=offer.keys
        )
        workers = processors() if engine is None else getattr(engine, "number", 1)
        judge = Judge(past, program.reference, program.kind)
        with SandboxPool(program, config.length, workers, deadline) as pool:
            race = Race(
                config.config,
                config.length,
                in_order(trials),
                pool,
                Predictor(judge),
                offer.keys,
                seed,
            )
            return race.run(progress)
    return advise(
        config.config,
        config.length,
        past,
        program if engine is None else SpreadProgram(program, engine),
        data=data,
        rng=np.random.default_rng(seed),
        deadline=deadline,
        progress=progress,
        remedies=subject.remedies,
        changes=changes,
    )


def _by_past_runs(
    subject: _Subject,
    offer: Offer,
    past: Library,
    why: str | None,
    seeds: Sequence[Outcome] = (),
    settings: Sequence[RerunOutcome] = (),
) -> FolderAdvice:
    """Advise by past runs alone."""
    _check_some(subject, offer.heeded.changes)
    advised = by_past_runs(
        subject.config.config,
        past,
        data=data_name(subject.config),
        seeds=seeds,
        settings=settings,
        remedies=subject.remedies,
        changes=offer.heeded.changes,
    )
    if why is None:
        why = why_no_program(subject.config, subject.sources)
    return FolderAdvice(advised, subject.config, why, offer.heeded, subject.prior)


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


def _check_some(subject: _Subject, changes: Sequence[Change]) -> None:
    """Raise OptionError where there is no change to offer."""
    if changes:
        return
    known = keys_of(subject.config.config, subject.remedies)
    if known:
        listed = ", ".join(key.path for key in known[:_LISTED])
        raise OptionError(
            f"{subject.run.path}: the code heeds no change of a key that advice knows ({listed}); "
            "read the values to change from the configuration that build(config) gets"
        )
    raise OptionError(
        f"{subject.run.path}: the configuration has none of the fields that changes are known for "
        "(lr_g, lr_d, beta1, r1, loss, optimizer, ...)"
    )


def _program(run: Run, trust: bool) -> tuple[EnsembleProgram | SandboxProgram | None, str | None]:
    try:
        return program_for(run, trust=trust)[0], None
    except (OptionError, IsolationError) as error:
        return None, str(error)


def data_name(config: Config) -> str | None:
    """Name of the data set that a run gives; None where it gives none."""
    name = config.data.get("name", config.config.get("data"))
    return name if isinstance(name, str) else None
