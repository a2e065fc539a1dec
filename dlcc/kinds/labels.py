"""Usual ways in which trainings end, and the findings that say so."""

from __future__ import annotations

from collections.abc import Mapping

from dlcc.kinds.kind import HealthLabel, State

USUAL: Mapping[str, State] = {
    "healthy": "healthy",
    "weak": "suspect",
    "oscillating": "failed",
    "collapsed": "failed",
    "diverged": "failed",
    "untrained": "suspect",
}
"""Usual labels, each with the state of a run that has it."""


def usual_labels(findings: Mapping[str, str]) -> tuple[HealthLabel, ...]:
    """Make the usual labels; `findings` names the code of each but healthy."""
    return tuple(HealthLabel(name, state, findings.get(name)) for name, state in USUAL.items())
