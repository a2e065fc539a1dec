"""Rules of thumb of a controller, on windows of the record: when to act, and what to change.

A rule measures one thing. It is on from `on` upwards and stays on until the measure is below `off`
(hysteresis); after `hold` windows it acts. No action changes a setting more than twofold. The
thresholds are the usual ones of the literature (Arjovsky and Bottou 2017, section 2, on a
discriminator that has won; Mescheder 2018 on R1) and were not tuned on the benchmark's settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from dlcc.health.curves import Curves
from dlcc.health.windows import QUANTITIES, window_figure
from dlcc.typing import Floats

Settings = Mapping[str, float]

LARGEST_FACTOR = 2.0
FIRST_R1 = 0.1
_REMEMBERED = 8
_LINE = np.arange(_REMEMBERED) - (_REMEMBERED - 1) / 2
_LINE = _LINE / np.linalg.norm(_LINE)  # a straight line over the windows, of length 1


@dataclass(frozen=True)
class Window:
    """Summary of the rows between two decisions."""

    figures: Floats
    """Values [11] of `dlcc.health.windows.WINDOW_FEATURES`; NaN for what was not logged."""
    loss: float
    """Largest of the players' median |loss|."""
    gradient: float
    """Largest of the players' median gradient norms."""
    discriminator_loss: float
    """Mean loss of the discriminator."""
    generator_gradient: float
    """Mean gradient norm of the generator."""
    margin: float
    """Mean of the discriminator's output on real data less that on samples."""

    def to_dict(self) -> dict[str, Any]:
        """Convert to plain values, for a state."""
        return {**asdict(self), "figures": self.figures.tolist()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Make the window of `to_dict` again."""
        return cls(**{**values, "figures": np.array(values["figures"])})

    @property
    def lost(self) -> bool:
        """Whether a number is not finite: no setting mends weights that are NaN."""
        return bool(window_figure(self.figures, "not_finite") > 0)


def window_of(rows: Mapping[str, Floats]) -> Window:
    """Summarise rows, `player/quantity` -> [n], to a window.

    The figures are those that `dlcc.health.windows.window_features` has for the same rows.
    """
    finite = {name: _finite(rows.get(name)) for name in QUANTITIES}
    logged = sum(len(rows[name]) for name in QUANTITIES if name in rows)
    there = sum(len(values) for values in finite.values())
    figures: list[float] = []
    for name in QUANTITIES[:4]:
        values = finite[name]
        figures += _moments(
            np.arcsinh(values) if name.endswith("loss") else np.log10(1e-12 + np.abs(values))
        )
    real, fake = finite["discriminator/real"], finite["discriminator/fake"]
    n = min(len(real), len(fake))
    apart = real[:n] - fake[:n]
    figures += _moments(np.arcsinh(apart))
    figures.append(1 - there / logged if logged else math.nan)
    sizes = [_middle(np.abs(finite[n])) for n in QUANTITIES[:4]]
    return Window(
        figures=np.array(figures),
        loss=max(sizes[:2]),
        gradient=max(sizes[2:]),
        discriminator_loss=_mean(finite["discriminator/loss"]),
        generator_gradient=_mean(finite["generator/grad_norm"]),
        margin=_mean(apart),
    )


@dataclass
class Watched:
    """Last windows of a training, and P(good) where there are past runs to go by."""

    good_model: Callable[[Curves], Floats] | None = None
    """Function from curves to P(good) of each window; None without past runs."""

    def __post_init__(self) -> None:
        self.windows: list[Window] = []
        self.seen = 0

    def add(self, window: Window) -> None:
        """Take the newest window in."""
        self.windows = [*self.windows[-(_REMEMBERED - 1) :], window]
        self.seen += 1

    @property
    def last(self) -> Window:
        """Newest window."""
        return self.windows[-1]

    def p_good(self) -> float:
        """Compute P(good) of the newest window; 0.5 without past runs to go by."""
        if self.good_model is None:
            return 0.5
        windows = np.array([window.figures for window in self.windows[-3:]])
        return float(self.good_model(Curves(windows, None))[-1])

    def swing(self) -> float:
        """Deviation of the windows' margins from their regression line; 0 before there are
        eight."""
        if len(self.windows) < _REMEMBERED:
            return 0.0
        margins = window_figure(np.array([window.figures for window in self.windows]), "margin")
        if not np.isfinite(margins).all():
            return 0.0
        off = margins - margins.mean()
        off = off - _LINE * float(_LINE @ off)  # least squares
        return math.sqrt(float(off @ off) / _REMEMBERED)


@dataclass(frozen=True)
class Rule:
    """One rule of thumb."""

    number: int
    """Number in the series `control/rule`."""
    name: str
    """Name in words."""
    why: str
    """Condition and action, in a sentence."""
    measure: Callable[[Watched], float]
    """Function that measures the last windows."""
    on: float
    """Measure from which upwards the rule is on."""
    off: float
    """Measure below which the rule is off again."""
    act: Callable[[Settings], Settings]
    """Function from settings to new values of some of them, before bounds."""
    hold: int = 2
    """Number of windows that the rule must have been on for before it acts."""


STARTED, UNDONE, STEERED, STARTED_THERE, LEARNT, ANEW = 0, 90, 10, 11, 12, 13
SKIPPED, UNCONTROLLED = 91, 92
TRIED, LEFT_ALONE, FROZEN, RESTORED = 20, 21, 22, 23
"""Numbers in `control/rule` that stand for no rule of thumb."""


def _explodes(watched: Watched) -> float:
    return max(watched.last.loss / 100, watched.last.gradient / 1000)


def _won(watched: Watched) -> float:
    window = watched.last
    sure = window.margin > 0.5 and window.discriminator_loss >= 0
    return 1 - window.discriminator_loss if sure else 0.0


def _vanished(watched: Watched) -> float:
    norm = watched.last.generator_gradient
    return 0.0 if math.isnan(norm) else -math.log10(norm + 1e-12)


def slower(settings: Settings) -> Settings:
    """Halve all learning rates."""
    return {f: v / LARGEST_FACTOR for f, v in settings.items() if f.startswith("lr_")}


def weaker_discriminator(settings: Settings) -> Settings:
    """Raise R1's weight where there is such a setting, else halve the discriminator's rate."""
    if "r1" in settings:
        return {"r1": max(FIRST_R1, LARGEST_FACTOR * settings["r1"])}
    return {f: v / LARGEST_FACTOR for f, v in settings.items() if f == "lr_d"}


def faster_generator(settings: Settings) -> Settings:
    """Double the generator's rate."""
    return {f: v * LARGEST_FACTOR for f, v in settings.items() if f == "lr_g"}


RULES: Sequence[Rule] = (
    Rule(
        1,
        "exploding",
        "losses over 100 or gradients over 1,000: all rates halved",
        _explodes,
        1.0,
        0.3,
        slower,
        hold=1,
    ),
    Rule(
        2,
        "discriminator has won",
        "its loss is under .15 and its margin over .5: more R1, or half its rate",
        _won,
        0.85,
        0.7,
        weaker_discriminator,
    ),
    Rule(
        3,
        "generator's gradient vanished",
        "its norm is under 1e-4: twice its rate",
        _vanished,
        4.0,
        3.5,
        faster_generator,
    ),
    Rule(
        4,
        "swinging",
        "the margin's windows scatter by more than .3: all rates halved",
        Watched.swing,
        0.3,
        0.15,
        slower,
    ),
)


def rule_name(number: int) -> str:
    """Name of the rule that a number in `control/rule` stands for."""
    names = {rule.number: rule.name for rule in RULES} | {
        STARTED: "as set",
        UNDONE: "undone",
        STEERED: "toward what past runs did well with",
        STARTED_THERE: "begun where past runs did well",
        LEARNT: "learnt from controlled runs",
        ANEW: "begun anew, learnt from controlled runs",
        TRIED: "tried by Bayesian optimisation",
        LEFT_ALONE: "left alone, quality is good or rising",
        FROZEN: "frozen at the best that was found",
        RESTORED: "best state restored",
        SKIPPED: "skipped, its budget of time was used up",
        UNCONTROLLED: "given up, quality was not a number",
    }
    return names.get(number, f"rule {number}")


def _finite(values: Floats | None) -> Floats:
    return np.zeros(0) if values is None else values[np.isfinite(values)]


def _middle(values: Floats) -> float:
    """Median, the upper one of two; 0 of nothing. (np.median takes five times as long.)"""
    half = len(values) // 2
    return float(np.partition(values, half)[half]) if len(values) else 0.0


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _moments(values: Floats) -> tuple[float, float]:
    return (float(values.mean()), float(values.std())) if len(values) else (math.nan, math.nan)
