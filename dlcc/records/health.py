"""Health of a run and its labels, as the health stage tells them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from dlcc.codec import Array
from dlcc.estimate import Estimate

LABELS = ("healthy", "weak", "oscillating", "collapsed", "diverged")
"""Labels of past runs; a kind of training may have further ones."""
UNTRAINED = "untrained"
"""Label of a training that never was good and still improves at its end."""


def most_probable(probabilities: Mapping[str, float]) -> str:
    """Find the most probable label.

    Args:
        probabilities: Probability of each label; labels that are missing have 0.

    Returns:
        Label with the largest probability; of equal ones the first of `LABELS`.

    >>> most_probable({"weak": 0.3, "collapsed": 0.6, "healthy": 0.1})
    'collapsed'
    """
    others = sorted(probabilities.keys() - set(LABELS))
    return max((*LABELS, *others), key=lambda label: probabilities.get(label, 0.0))


@dataclass(frozen=True)
class HealthRecord:
    """Health of a run: its label, and since when it holds."""

    label: str
    probabilities: Mapping[str, float]
    """Probability of each label; they sum to 1."""
    onset: int | None
    """First step of the final unbroken bad stretch; None for a run without one."""
    onset_interval: tuple[int, int] | None
    """Interval of 90 % around the onset, no finer than the sample steps."""
    stability: Estimate
    """Share of good sample steps in the second half of the run."""
    checkpoints: Array
    """Steps int64 [c] at which samples or windows of the series were judged."""
    coverage: Array
    """Share [c] of the training data's regions that samples reach; NaN without samples."""
    quality: Array
    """Share [c] of samples that lie where training data lie; NaN without samples."""
    figures: Array
    """Figures of the samples at each step, in the order of `dlcc.health.samples.SAMPLE_FEATURES`;
    [0, 8] without samples."""
    good: Array
    """Probability [c] that the run is good at each step, P(good)."""
    seen: float
    """Share of the configured length that the record has, at most 1."""
    features: Mapping[str, float]
    """Feature vector, by name: what the verdict, the forecast and P(healthy) are made of. Figures
    of what the record lacks are missing."""
    space: str = ""
    """Name of the space in which samples were held against training data; empty without samples."""
    relative: bool = False
    """Whether the samples' figures are relative to those of held-out real rows."""
