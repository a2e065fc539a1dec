"""Breach of a rule, and what rules look at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dlcc.records import Config, Series
from dlcc.stages.consistency.steps.traced_steps import TracedSteps
from dlcc.stages.recorded_state import RecordedState


@dataclass(frozen=True)
class Breach:
    """Breach of a rule by a training."""

    code: str
    """Code of the finding."""
    message: str
    """Sentence that says what is so, and where."""
    player: str | None = None
    """Player that is at fault; None for none."""
    step: int | None = None
    """Step at which it shows; None where it shows throughout."""
    ignores: str = ""
    """Path of the setting that the code ignores: it accuses only where changing the setting changes
    nothing. Empty for none."""
    of_step: bool = False
    """Whether the setting need only be ignored by steps as those at hand."""


def untried(path: str, of_step: bool) -> str:
    """Say that nobody can tell whether a setting is used."""
    return "there is no code to run with another value"


def untold(name: str, player: str, copies: bool) -> bool | None:
    """Say that nobody can tell what an average does later."""
    return None


@dataclass(frozen=True)
class Doubt:
    """Doubt whether a rule is obeyed, where nothing breaks it for sure."""

    reason: str
    """Sentence that says what is so, and why it may be sound."""


@dataclass(frozen=True)
class Evidence:
    """Evidence that rules look at."""

    config: Config
    """Configuration."""
    series: Series
    """Recorded rows."""
    states: Mapping[int, RecordedState]
    """Step -> state of the training there, as snapshots hold it."""
    traced: TracedSteps
    """Steps that were done again while every operation was recorded."""
    why_used: Callable[[str, bool], str] = untried
    """Function from the path of a setting, and whether steps as those at hand alone count, to the
    reason why it may be used; to an empty one where changing it changes nothing."""
    is_so_later: Callable[[str, str, bool], bool | None] = untold
    """Function from an average, its player, and whether copying is asked for, to whether it copies,
    or else stands still, at far later steps, too; to None where that cannot be told."""
