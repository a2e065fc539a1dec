"""Tables of past runs, the forecast and reruns on the page: plain rows, safe to show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dlcc.estimate import Estimate, Number
from dlcc.health.feature_titles import feature_title
from dlcc.records import Forecast, Neighbourhood, Reruns
from dlcc.report.text import printable

_MAIN = ("loss", "optimizer", "lr_g", "lr_d", "r1", "beta1", "d_every", "batch", "width")
_NEITHER = ("seed", "steps", "data")
_SHOWN_SETTINGS = 5


@dataclass(frozen=True)
class NeighbourRow:
    """Past run near the one at hand."""

    distance: float
    """Distance of the past run from the one at hand."""
    label: str
    """Label of the past run."""
    stability: float
    """Share of good sample steps in the second half."""
    data: str
    """Name of the data set."""
    settings: str
    """Settings in which the past run differs, in words."""


@dataclass(frozen=True)
class ForecastView:
    """Forecast as the page shows it."""

    p_healthy: Number
    """P(healthy) at the end."""
    stability: Number
    """Expected share of good sample steps in the second half."""
    moved: tuple[tuple[str, str, float], ...]
    """Rows (feature, value of the feature, effect on P(healthy))."""
    largest: float
    """Size of the largest effect, at least .01."""


@dataclass(frozen=True)
class EffectRow:
    """Effect of a setting on the stability."""

    setting: str
    """Name of the setting."""
    change: str
    """Low and high value, in words."""
    effect: Number
    """Change of the stability from the low to the high value, in [-1, 1]."""


@dataclass(frozen=True)
class RerunsView:
    """Reruns as the page shows them."""

    words: str
    """Summary in words."""
    effects: tuple[EffectRow, ...]
    """Effects of settings, the largest first."""
    best: str
    """Settings that did better than the run's own, in words; empty where none did."""


def neighbour_rows(
    neighbourhood: Neighbourhood, config: Mapping[str, Any]
) -> tuple[NeighbourRow, ...]:
    """Make the rows of the nearest past runs, with the settings in which they differ."""
    return tuple(
        NeighbourRow(
            distance=past.distance,
            label=past.label,
            stability=past.stability,
            data=_plain(past.data),
            settings=_settings(past.config, config),
        )
        for past in neighbourhood.nearest
    )


def forecast_view(forecast: Forecast, feature_words: Mapping[str, str]) -> ForecastView:
    """Make the view of a forecast: what is expected, and the features that moved it most."""
    moved = tuple(
        (
            _plain(feature_title(moved.feature, feature_words)),
            "-" if moved.value is None else f"{moved.value:.3g}",
            moved.effect,
        )
        for moved in forecast.moved
    )
    return ForecastView(
        p_healthy=forecast.p_healthy.number,
        stability=forecast.stability.number,
        moved=moved,
        largest=max([abs(effect) for _, _, effect in moved] + [0.01]),
    )


def reruns_view(reruns: Reruns) -> RerunsView:
    """Make the view of reruns: the summary, and the effects of settings."""
    own = [o for o in reruns.outcomes if o.kind == "seed"]
    good = sum(o.label == "healthy" for o in own)
    low, high = reruns.deviation.interval(0.9)
    return RerunsView(
        words=f"{good} of {len(own)} reruns with other seeds ended healthy. Reproducibility "
        f"{reruns.deviation.mean:.2f} ({low:.2f} to {high:.2f}): 1 less how far "
        "their stability lies from the run's own, or from each other's before its end. How they "
        f"were run: {_plain(reruns.how)}.",
        effects=tuple(
            EffectRow(
                setting=_plain(effect.setting),
                change=f"{_value(effect.low)} to {_value(effect.high)}",
                effect=_signed(effect.effect),
            )
            for effect in sorted(reruns.effects, key=lambda e: -abs(e.effect.mean - 0.5))
        ),
        best=", ".join(f"{_plain(name)} {_value(value)}" for name, value in reruns.best.items()),
    )


def _settings(config: Mapping[str, Any], own: Mapping[str, Any]) -> str:
    """List the settings of a past run that differ from `own`, or say that they are the same."""
    known = [name for name in (*_MAIN, *sorted(set(config) - set(_MAIN))) if name in config]
    differing = [name for name in known if name not in _NEITHER and config[name] != own.get(name)]
    if not differing:
        return "the same settings"
    shown = ", ".join(f"{_plain(n)} {_value(config[n])}" for n in differing[:_SHOWN_SETTINGS])
    more = len(differing) - _SHOWN_SETTINGS
    return f"{shown}, {more} more" if more > 0 else shown


def _value(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else _plain(value)


def _plain(value: Any) -> str:
    return str(printable(str(value)))[:60]


def _signed(estimate: Estimate) -> Number:
    """Map an estimate of a difference from [0, 1] back to [-1, 1]."""
    low, high = estimate.interval(0.9)
    return Number(mean=2 * estimate.mean - 1, low=2 * low - 1, high=2 * high - 1)
