"""Interface of stages: `Stage`, `Case`, `Context`, `StageResult`, `NotApplicable`.

A stage is a frozen dataclass. Its fields are its settings, `__call__` is its work, its docstring is
what the report shows. It knows its case and its context, and nothing of the pipeline, of scoring or
of other stages. See docs/stages.md, and `dlcc.testing.check_stage` for whether yours conforms.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import numpy as np

from dlcc.deprecation import renamed
from dlcc.errors import LimitExceeded, StageDeclarationError
from dlcc.estimate import Estimate
from dlcc.findings import Finding
from dlcc.typing import Progress

if TYPE_CHECKING:
    from dlcc.past_runs.store import Library

R = TypeVar("R")


class NotApplicable(Exception):  # noqa: N818  # an outcome with a reason, not an error
    """Exception of a stage that has nothing to say about this run; the message is the reason."""


class Deadline:
    """Deadline: the moment by which a stage must be done."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def remaining(self) -> float:
        """Seconds left, never below 0."""
        return max(0.0, self._end - time.monotonic())

    def check(self) -> None:
        """Raise LimitExceeded once the time is up; call it in long loops."""
        if self.remaining == 0:
            raise LimitExceeded("the stage ran out of its time")


def _ignore(share: float, what: str) -> None:
    """Ignore the progress of a stage.

    Args:
        share: Share of the work done, from 0 to 1.
        what: Part of the work that is being done.

    >>> _ignore(0.5, "second of four snapshots")
    """


@dataclass(frozen=True)
class Context:
    """Context of a stage: what it may use besides its case.

    >>> ctx = Context(np.random.default_rng(0), Deadline(seconds=60), scratch=Path("scratch"))
    >>> ctx.deadline.check()  # raises LimitExceeded once the time is up
    >>> ctx.progress(0.5, "second of four snapshots")
    >>> ctx.similar_runs({"kind": "vae"}).group, ctx.forecast_runs({"kind": "vae"}).group
    ('single', 'gan')
    """

    rng: np.random.Generator
    """Generator seeded from the run and the stage's name: the only source of randomness."""
    deadline: Deadline
    scratch: Path
    """Empty folder of the stage's own; removed afterwards."""
    progress: Progress = _ignore
    """Callback `progress(share of the work done, what is being done)`."""
    trust: bool = False
    """Whether the user allowed the run's own code to run without real isolation (`--trust`)."""

    @property
    def library(self) -> Library:
        """Past GANs with known ends, from which verdicts of all kinds are learnt.

        A stage asks `.excluding(series)` for those that are not this run's.

        Raises:
            LibraryError: The user's own library cannot be used.
        """
        from dlcc.past_runs.in_use import library

        return library()

    def similar_runs(self, objective: Mapping[str, Any]) -> Library:
        """Past runs of kinds like the training's own: what the run is like.

        Args:
            objective: Key `objective` of run.json, which declares the kind.

        Returns:
            Library of past runs with known ends.

        Raises:
            LibraryError: The user's own library cannot be used.
            PluginError: An installed kind of training cannot be used.
        """
        from dlcc.kinds import kind_of
        from dlcc.past_runs.in_use import library

        return library(kind_of(objective).past_runs.group)

    def forecast_runs(self, objective: Mapping[str, Any]) -> Library:
        """Past runs that tell what is to be expected of a training of this kind.

        Args:
            objective: Key `objective` of run.json, which declares the kind.

        Returns:
            Library of past runs with known ends.

        Raises:
            LibraryError: The user's own library cannot be used.
            PluginError: An installed kind of training cannot be used.
        """
        from dlcc.kinds import kind_of
        from dlcc.past_runs.in_use import forecast_runs

        return forecast_runs(kind_of(objective))

    past_runs = renamed("past_runs", "similar_runs")
    outcomes = renamed("outcomes", "forecast_runs")


class Case:
    """Run on its way through the stages: its parts and what earlier stages made of it.

    Read-only, and only what the stage declares: `case[Samples]` for what it `needs`,
    `case.get(Dossier)` for what it `wants`.

    >>> from dlcc.records import Samples, Series
    >>> @dataclass(frozen=True)
    ... class Calm(Stage):
    ...     name: ClassVar = "calm"
    ...     needs: ClassVar = (Series,)
    ...     wants: ClassVar = (Samples,)
    >>> series = Series.from_start({"generator/loss": np.array([0.7, 0.5])})
    >>> case = Case(Calm(), {Series: series}, until=2, length=2)
    >>> case[Series].recorded, case.get(Samples) is None
    (2, True)

    Args:
        stage: Stage that is given the case.
        records: Type of record to the record, of those that the stage declares.
        until: Step from which on nothing is in the case.
        length: Configured number of steps.
    """

    def __init__(
        self, stage: Stage, records: Mapping[type[Any], Any], until: int, length: int
    ) -> None:
        self._stage = stage
        self._records = dict(records)
        self.until = until
        """Step from which on nothing is in the case."""
        self.length = length
        """Configured number of steps."""

    def __getitem__(self, kind: type[R]) -> R:
        self._declared(kind)
        if kind not in self._records:
            raise StageDeclarationError(
                f"stage {self._stage.name!r} asks case[{kind.__name__}], which is not there: list "
                "it in `needs`, or ask case.get(...) for what is only wanted"
            )
        record: R = self._records[kind]
        return record

    def get(self, kind: type[R]) -> R | None:
        """Find a record that is there or not.

        Args:
            kind: Type of the record, of those that the stage needs or wants.

        Returns:
            Record; None where no stage made it and the run has none.

        Raises:
            StageDeclarationError: The stage neither needs nor wants the type.
        """
        self._declared(kind)
        return self._records.get(kind)

    def _declared(self, kind: type[Any]) -> None:
        if kind not in (*self._stage.needs, *self._stage.wants):
            raise StageDeclarationError(
                f"stage {self._stage.name!r} reads {kind.__name__}, which it does not declare: "
                "list it in `needs` or `wants`"
            )


@dataclass(frozen=True)
class StageResult:
    """Result of a stage."""

    terms: Mapping[str, Estimate] = field(default_factory=dict)
    """Terms of the score, by name."""
    records: Sequence[Any] = ()
    """Records for other stages, one instance of each type that the stage `gives`."""
    findings: Sequence[Finding] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    """Further figures for the report: plain values, lists and mappings with string keys."""
    environment: Mapping[str, Any] = field(default_factory=dict)
    """Figures that may differ between two evaluations: isolation level, what a limit cut off."""


@dataclass(frozen=True)
class Stage:
    """Base of every stage. Subclass it as a frozen dataclass and implement `__call__`.

    >>> @dataclass(frozen=True)
    ... class Calm(Stage):
    ...     '''Share of steps at which the gradient is small. Not judged for short runs.'''
    ...     name: ClassVar = "calm"
    ...     factor: float = 3.0
    >>> Calm.describe(), Calm(factor=2.0).settings()
    ('Share of steps at which the gradient is small.', {'factor': 2.0})
    """

    name: ClassVar[str]
    """Name of the stage in lower case; unique in a pipeline."""
    needs: ClassVar[tuple[type[Any], ...]] = ()
    """Types of records without which the stage is not applicable."""
    wants: ClassVar[tuple[type[Any], ...]] = ()
    """Types of records that are used where they are there; a stage that gives one runs earlier."""
    gives: ClassVar[tuple[type[Any], ...]] = ()
    """Types of records that the stage makes for others."""
    version: ClassVar[int] = 1
    """Number of the result's meaning; raise it when the meaning changes."""
    long: ClassVar[bool] = False
    """Whether it takes longer than most; of those that can begin, the pipeline begins with it."""

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        """Judge the case; raises NotApplicable where the run has nothing to look at."""
        raise TypeError(f"{type(self).__name__} has no __call__(self, case, ctx)")

    @classmethod
    def describe(cls) -> str:
        """Describe the stage by the first sentence of its docstring.

        Returns:
            Sentence; empty for a stage without a docstring.
        """
        text = " ".join((cls.__doc__ or "").split())
        return text.partition(". ")[0].rstrip(".") + "." if text else ""

    def settings(self) -> dict[str, Any]:
        """Collect the settings of the stage: its fields.

        Returns:
            Value of each field, by its name.
        """
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


def check_declaration(stage: object) -> Stage:
    """Check that a stage is declared as it must be, and return it; else StageDeclarationError."""
    kind = stage if isinstance(stage, type) else type(stage)
    if isinstance(stage, type) or not isinstance(stage, Stage):
        raise StageDeclarationError(
            f"{kind.__name__} is not a stage: expected an instance of a subclass of dlcc.Stage"
        )
    if not isinstance(getattr(stage, "name", None), str) or not stage.name.isidentifier():
        raise StageDeclarationError(
            f"stage {kind.__name__} needs a class attribute `name` that is an identifier"
        )
    params = kind.__dict__.get("__dataclass_params__")
    if params is None or not params.frozen:
        raise StageDeclarationError(
            f"stage {stage.name!r} must be decorated with @dataclass(frozen=True): settings are "
            "part of the cache's key"
        )
    for attribute in ("needs", "wants", "gives"):
        for item in getattr(kind, attribute):
            if not isinstance(item, type):
                raise StageDeclarationError(
                    f"stage {stage.name!r}: `{attribute}` holds {item!r}; expected record types"
                )
    return stage
