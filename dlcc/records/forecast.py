"""Forecast of how a run will end, as the impact stage makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from dlcc.codec import Array
from dlcc.estimate import Estimate


@dataclass(frozen=True)
class FeatureEffect:
    """What a feature did to a forecast."""

    feature: str
    value: float | None
    effect: float
    """On P(healthy), against the mean over the library."""


@dataclass(frozen=True)
class Diffusion:
    """A curve of spreading quality, fitted to what the run has of it."""

    curve: Literal["bass", "logistic"]
    parameters: tuple[float, ...]
    """Of bass: ceiling, innovation, imitation; of logistic: ceiling, rate, middle."""
    residual: float
    """Deviation of the observed shares around the curve."""
    times: Array
    """Shares of the configured length, [n]."""
    observed: Array
    """Share of the training data that samples come near, or a logged quality, [n]."""
    fitted: Array
    """The curve at `times`, [n]."""
    horizon: float
    """Share of the configured length to which the curve is carried."""
    expected: float
    """The curve at the horizon."""
    interval: tuple[float, float]
    """90 %, of the parameters and of the scatter around the curve."""


@dataclass(frozen=True)
class ForecastPoint:
    """What was to be expected when the share `seen` of the length was there."""

    seen: float
    p_healthy: Estimate
    stability: Estimate


@dataclass(frozen=True)
class Forecast:
    """How the run is expected to end, from what past runs like it came to."""

    seen: float
    """Share of the configured length that the record has."""
    probabilities: Mapping[str, float]
    """Of each label."""
    p_healthy: Estimate
    stability: Estimate
    next_quarter: Estimate
    """Share of good checkpoints in the next quarter of the configured length."""
    distance: float
    """From past runs; above 1 is outside of the library, and the intervals are wider."""
    moved: tuple[FeatureEffect, ...]
    """The features that moved it most."""
    over_time: tuple[ForecastPoint, ...]
    """Ascending in `seen`; the last one is the present."""
    diffusion: Diffusion | None
    """Where coverage or a quality was recorded over time."""
