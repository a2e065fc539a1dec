"""Usual ways in which trainings end, and the findings that say so."""

from __future__ import annotations

from collections.abc import Mapping

from dlcc.kinds.kind import HealthLabel, State
from dlcc.records import LABELS

USUAL: Mapping[str, State] = {
    "healthy": "healthy",
    "weak": "suspect",
    "oscillating": "failed",
    "collapsed": "failed",
    "diverged": "failed",
}
"""Usual labels, each with the state of a run that has it."""


def usual_labels(findings: Mapping[str, str]) -> tuple[HealthLabel, ...]:
    """Make the labels of `dlcc.records.LABELS`; `findings` names the code of each but healthy."""
    return tuple(HealthLabel(name, USUAL[name], findings.get(name)) for name in LABELS)
