"""Health of a run and its labels, as the health stage tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlcc.codec import Array
from dlcc.estimate import Estimate

LABELS = ("healthy", "weak", "oscillating", "collapsed", "diverged")
"""The usual labels; a kind of training may have further ones."""


def most_probable(probabilities: Mapping[str, float]) -> str:
    """The label with the largest of these probabilities; of equal ones the first of `LABELS`."""
    others = sorted(probabilities.keys() - set(LABELS))
    return max((*LABELS, *others), key=lambda label: probabilities.get(label, 0.0))


@dataclass(frozen=True)
class HealthRecord:
    """The state of the run, and since when."""

    label: str
    probabilities: Mapping[str, float]
    """Of each label; they sum to 1."""
    onset: int | None
    """First step of the final unbroken bad stretch; None for a run without one."""
    onset_interval: tuple[int, int] | None
    """90 %; no finer than the checkpoints."""
    stability: Estimate
    """Share of good checkpoints in the second half."""
    checkpoints: Array
    """Steps int64 [c] at which samples or windows of the series were judged."""
    coverage: Array
    """Share of the training data's regions that samples reach, [c]; NaN without samples."""
    quality: Array
    """Share of samples that lie where training data lie, [c]; NaN without samples."""
    figures: Array
    """What samples say at each checkpoint, `dlcc.health.samples.SAMPLE_FEATURES`; [0, 8] without
    samples."""
    good: Array
    """P(good) at each checkpoint, [c]."""
    seen: float
    """Share of the configured length that the record has, at most 1."""
    features: Mapping[str, float]
    """The feature vector: what the verdict, the forecast and P(healthy) are made of."""
