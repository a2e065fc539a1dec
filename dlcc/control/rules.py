"""When a controller acts, and what it then does: rules of thumb on a window of the record.

A rule measures one thing. It is on from `on` upwards and stays on until the measure is below `off`
(hysteresis); after `hold` windows it acts. No action changes a setting more than
twofold. The marks are the usual ones of the literature (Arjovsky and Bottou 2017, section 2, on a
discriminator that has won; Mescheder 2018 on R1) and were not tuned on the benchmark's settings.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

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
    """What the rows between two decisions say."""

    figures: Floats
    """`WINDOW_FEATURES` of `dlcc.health.windows`, [11]; NaN for what was not logged."""
    loss: float
    """Largest of the players' median |loss|."""
    gradient: float
    """Largest of the players' median gradient norms."""
    discriminator_loss: float
    generator_gradient: float
    margin: float
    """Mean output on real data less that on samples."""

    @property
    def lost(self) -> bool:
        """Whether something is not finite: no setting mends weights that are NaN."""
        return bool(window_figure(self.figures, "not_finite") > 0)


def window_of(rows: Mapping[str, Floats]) -> Window:
    """The window of rows, `player/quantity` -> [n].

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
    """The last windows, and P(good) where past runs say it."""

    good_model: Callable[[Curves], Floats] | None = None

    def __post_init__(self) -> None:
        self.windows: list[Window] = []
        self.seen = 0

    def add(self, window: Window) -> None:
        """Take the newest window in."""
        self.windows = [*self.windows[-(_REMEMBERED - 1) :], window]
        self.seen += 1

    @property
    def last(self) -> Window:
        """The newest window."""
        return self.windows[-1]

    def p_good(self) -> float:
        """P(good) of the newest window from the series; 0.5 without past runs to go by."""
        if self.good_model is None:
            return 0.5
        windows = np.array([window.figures for window in self.windows[-3:]])
        return float(self.good_model(Curves(windows, None))[-1])

    def swing(self) -> float:
        """Deviation of the windows' margin around its line; 0 before there are eight."""
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
    """As in the series `control/rule`."""
    name: str
    why: str
    measure: Callable[[Watched], float]
    on: float
    off: float
    act: Callable[[Settings], Settings]
    """New values of some settings, before bounds."""
    hold: int = 2
    """Windows that it must have been on for."""


STARTED, UNDONE, STEERED, STARTED_THERE = 0, 90, 10, 11
"""Numbers in `control/rule` that are no rule of thumb."""


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
    """All rates halved."""
    return {f: v / LARGEST_FACTOR for f, v in settings.items() if f.startswith("lr_")}


def weaker_discriminator(settings: Settings) -> Settings:
    """More R1 where there is such a setting, else half the discriminator's rate."""
    if "r1" in settings:
        return {"r1": max(FIRST_R1, LARGEST_FACTOR * settings["r1"])}
    return {f: v / LARGEST_FACTOR for f, v in settings.items() if f == "lr_d"}


def faster_generator(settings: Settings) -> Settings:
    """Twice the generator's rate."""
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
    """The rule that a number in `control/rule` stands for."""
    names = {rule.number: rule.name for rule in RULES} | {
        STARTED: "as set",
        UNDONE: "undone",
        STEERED: "toward what past runs did well with",
        STARTED_THERE: "begun where past runs did well",
    }
    return names.get(number, f"rule {number}")


def _finite(values: Floats | None) -> Floats:
    return np.zeros(0) if values is None else values[np.isfinite(values)]


def _middle(values: Floats) -> float:
    """The median, the upper one of two; 0 of nothing. (np.median costs five times as much.)"""
    half = len(values) // 2
    return float(np.partition(values, half)[half]) if len(values) else 0.0


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else math.nan


def _moments(values: Floats) -> tuple[float, float]:
    return (float(values.mean()), float(values.std())) if len(values) else (math.nan, math.nan)
