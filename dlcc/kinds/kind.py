"""Kind of training as data: its players, quantities, objectives, labels, and what can judge it."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from dlcc.errors import PluginError

_WORD = re.compile(r"[a-z][a-z0-9_]{0,60}")
_GROUP = re.compile(r"[a-z][a-z0-9_-]{0,60}")
_TAKEN_GROUPS = ("alone",)  # by the file of `single` before 0.2
State = Literal["healthy", "suspect", "failed"]
Output = Literal["probability", "raw"]


@dataclass(frozen=True)
class Quantity:
    """Quantity that trainings of a kind log, as `player/name`."""

    name: str
    meaning: str
    players: tuple[str, ...] = ()
    """Players that have the quantity; empty for any."""
    fault_above: float = math.inf
    """Size above which the quantity's median over the last fifth of a training is a fault. Values
    that are not finite always are."""

    def __post_init__(self) -> None:
        _named("quantity", self.name, _WORD)
        if not self.fault_above > 0:
            raise PluginError(f"quantity {self.name!r}: fault_above must be above 0")


@dataclass(frozen=True)
class Objective:
    """Objective that the players of a kind minimise, and losses at which one knows where they
    stand.

    Losses are those of the formula in `title`; a training that averages or scales it differently
    has others.
    """

    name: str
    """Name of the objective, as `objective.loss` of run.json has it."""
    title: str
    formula: Mapping[str, str]
    """Formula of each player's loss, by player."""
    at_equilibrium: Mapping[str, float] = field(default_factory=dict)
    """Loss by player where samples cannot be told from data and every player answers its best;
    empty where that is no number."""
    at_chance: Mapping[str, float] = field(default_factory=dict)
    """Loss by player where the discriminator's raw output is 0 for everything."""
    floor: Mapping[str, float] = field(default_factory=dict)
    """Least loss by player that any outputs allow; without an entry there is none."""
    ceiling: Mapping[str, float] = field(default_factory=dict)
    """Largest loss by player that any outputs allow; without an entry there is none."""
    output: Output = "raw"
    """Scale on which `discriminator/real` and `discriminator/fake` are logged."""

    def __post_init__(self) -> None:
        _named("objective", self.name, _WORD)
        _one_of(f"objective {self.name!r}: output", self.output, get_args(Output))
        levels = (self.at_equilibrium, self.at_chance)
        for player in {p for part in (*levels, self.floor, self.ceiling) for p in part}:
            low, high = self.floor.get(player, -math.inf), self.ceiling.get(player, math.inf)
            if player not in self.formula:
                raise PluginError(
                    f"objective {self.name!r} has levels of {player!r}, but no formula"
                )
            if any(player in level and not low <= level[player] <= high for level in levels):
                raise PluginError(
                    f"objective {self.name!r}: a level of {player!r} is out of its bounds"
                )


@dataclass(frozen=True)
class Mark:
    """Range of a feature of the feature vector, such as `generator_loss_swing`.

    >>> Mark("generator_loss_swing", above=2.0).holds({"generator_loss_swing": 3.5})
    True
    """

    feature: str
    above: float = -math.inf
    below: float = math.inf

    def __post_init__(self) -> None:
        if not self.above < self.below or (math.isinf(self.above) and math.isinf(self.below)):
            raise PluginError(f"a mark of {self.feature!r} needs a range with an end")

    def holds(self, vector: Mapping[str, float]) -> bool:
        """Whether the feature is there and in the range.

        Args:
            vector: Feature vector of a run, name to value.

        Returns:
            True where above < value < below; False for a value that is missing or NaN.
        """
        return self.above < vector.get(self.feature, math.nan) < self.below


@dataclass(frozen=True)
class HealthLabel:
    """Label: a way in which trainings of a kind end.

    >>> swinging = HealthLabel(
    ...     "swinging", "failed", finding="GAN002", marks=(Mark("generator_loss_swing", above=2.0),)
    ... )
    >>> swinging.marked({"generator_loss_swing": 3.5}), swinging.marked({})
    (True, False)
    """

    name: str
    state: State
    finding: str | None = None
    """Code of the finding that tells the label; None for healthy."""
    marks: tuple[Mark, ...] = ()
    """Marks of the label: a run has it where all of them hold, whatever past runs say.

    Without any it is told by definitions and past runs, which know the labels of
    `dlcc.records.LABELS` alone.
    """

    def __post_init__(self) -> None:
        _named("label", self.name, _WORD)
        _one_of(f"label {self.name!r}: state", self.state, get_args(State))
        healthy = self.name == "healthy"
        if (self.state == "healthy") != healthy:
            raise PluginError(f"label {self.name!r}: healthy runs, and no others, are called so")
        if healthy and (self.marks or self.finding):
            raise PluginError("label 'healthy' has no marks and no finding")
        if not healthy and not self.finding:
            raise PluginError(f"label {self.name!r} names no finding that says so")

    def marked(self, vector: Mapping[str, float]) -> bool:
        """Whether the label has marks, and all hold.

        Args:
            vector: Feature vector of a run, name to value.

        Returns:
            True where the marks tell the label of the run.
        """
        return bool(self.marks) and all(mark.holds(vector) for mark in self.marks)


@dataclass(frozen=True)
class PastRuns:
    """Choice of the past runs that a kind learns from. Kinds of one group share theirs."""

    group: str
    """Group to which the kind's own finished runs are added, and in which the nearest ones are
    sought."""
    forecast: tuple[str, ...]
    """Groups that forecasts are made from, in this order."""
    shipped: str | None = None
    """File `package:file.npz` with the group's past runs that ship; None where none do."""

    def __post_init__(self) -> None:
        for group in (self.group, *self.forecast):
            _named("past_runs: group", group, _GROUP)
        if self.group in _TAKEN_GROUPS:
            raise PluginError(f"past_runs: group {self.group!r} is taken; choose another name")
        if not self.forecast:
            raise PluginError("past_runs: forecast names no group; forecasts need past runs")
        _once("past_runs: forecast", self.forecast)


@dataclass(frozen=True)
class TrainingKind:
    """Kind of training: all that is particular to it, as data and names.

    Names are looked up in the rooms that use them: `run_features` by `dlcc.health.windows`,
    `evidence` by the health stage, `remedies` by advice. Found by the entry point group
    `dlcc.kinds`; `dlcc.testing.check_kind` says whether one conforms.

    >>> from dlcc.kinds.gan import GAN
    >>> GAN.label("collapsed").state, GAN.failed
    ('failed', ('oscillating', 'collapsed', 'diverged'))
    >>> GAN.has("loss"), GAN.fault_above("loss"), GAN.fits(["model"])
    (True, 1000.0, False)
    >>> GAN.marked({"generator_loss_swing": 3.5}) is None  # its labels have no marks
    True

    Raises:
        PluginError: The kind is wrong in itself; raised as it is made.
    """

    name: str
    """Name of the kind, as `objective.kind` of run.json has it, in lower case."""
    title: str
    """Title in words, such as "generative adversarial network"."""
    players: tuple[str, ...]
    """Players that a run must have, where it names any; empty for any."""
    quantities: tuple[Quantity, ...]
    labels: tuple[HealthLabel, ...]
    """Labels, healthy first; of those with marks the first that fits counts."""
    past_runs: PastRuns
    objectives: tuple[Objective, ...] = ()
    series_tell_health: bool = False
    """Whether series alone tell the label; else a run without samples over time is not judged."""
    shrinks_to_a_point: bool = False
    """Whether samples that are spread a twentieth as far as the data have collapsed, whatever the
    point to which they shrink does."""
    run_features: str = "in order"
    """Way in which series become run features: `by player`, or `in order` of their names."""
    feature_words: Mapping[str, str] = field(default_factory=dict)
    """Words for run features in sentences, such as `{"generator_loss": "the loss"}`."""
    evidence: str = "samples"
    """Way in which the verdict is put into findings: `adversarial` or `samples`."""
    remedies: str | None = None
    """Name of the changes that advice knows for the kind; None for none."""

    def __post_init__(self) -> None:
        _named("kind", self.name, _GROUP)
        if not isinstance(self.players, tuple):
            raise PluginError(f"kind {self.name!r}: players must be a tuple of names")
        for player in self.players:
            _named(f"kind {self.name!r}: player", player, _WORD)
        if self.label_names[:1] != ("healthy",):
            raise PluginError(f"kind {self.name!r}: its first label must be healthy")
        _once(f"kind {self.name!r}: labels", self.label_names)
        _once(f"kind {self.name!r}: quantities", [q.name for q in self.quantities])
        _once(f"kind {self.name!r}: objectives", [o.name for o in self.objectives])

    @property
    def label_names(self) -> tuple[str, ...]:
        """Names of the kind's labels."""
        return tuple(label.name for label in self.labels)

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the labels of failed runs."""
        return tuple(label.name for label in self.labels if label.state == "failed")

    def label(self, name: str) -> HealthLabel:
        """Find a label by its name.

        Args:
            name: Name of the label.

        Returns:
            Label of that name.

        Raises:
            KeyError: The kind has no such label.
        """
        for label in self.labels:
            if label.name == name:
                return label
        raise KeyError(name)

    def marked(self, vector: Mapping[str, float]) -> str | None:
        """Find the label that a run has by its marks alone.

        Args:
            vector: Feature vector of the run, name to value.

        Returns:
            Name of the first label whose marks all hold; None where none do.
        """
        return next((label.name for label in self.labels if label.marked(vector)), None)

    def has(self, quantity: str) -> bool:
        """Whether trainings of this kind log a quantity.

        Args:
            quantity: Name of the quantity without its player, such as `loss`.

        Returns:
            True where the kind knows the quantity.
        """
        return any(known.name == quantity for known in self.quantities)

    def fault_above(self, quantity: str) -> float:
        """Find the size above which a quantity's level is a fault.

        Args:
            quantity: Name of the quantity without its player, such as `loss`.

        Returns:
            Size in the quantity's unit; infinite where none is a fault.
        """
        return next((q.fault_above for q in self.quantities if q.name == quantity), math.inf)

    def fits(self, players: Collection[str]) -> bool:
        """Whether a run with these players can be of this kind.

        Args:
            players: Names of the run's players; empty where it names none.

        Returns:
            True where all players of the kind are there, or the run names none.
        """
        return not players or set(self.players) <= set(players)


def _named(what: str, name: object, pattern: re.Pattern[str]) -> None:
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise PluginError(f"{what} is named {name!r:.80}; expected {pattern.pattern}")


def _one_of(what: str, value: object, known: tuple[str, ...]) -> None:
    if value not in known:
        raise PluginError(f"{what} is {value!r:.80}; expected one of {', '.join(known)}")


def _once(what: str, names: Sequence[str]) -> None:
    if len(set(names)) != len(names):
        raise PluginError(f"{what} name one of {', '.join(names)} twice")
