"""Usual ways in which trainings end, and the findings that say so."""

from __future__ import annotations

from collections.abc import Mapping

from dlcc.kinds.kind import HealthLabel, State
from dlcc.records import UNTRAINED

USUAL: Mapping[str, State] = {
    "healthy": "healthy",
    "weak": "suspect",
    "oscillating": "failed",
    "collapsed": "failed",
    "diverged": "failed",
    UNTRAINED: "suspect",
}
"""Usual labels, each with the state of a run that has it."""


def usual_labels(findings: Mapping[str, str]) -> tuple[HealthLabel, ...]:
    """Make the usual labels; `findings` names the code of each but healthy.

    A kind need not tell untrained runs from weak ones: without a finding it lacks that label.
    """
    return tuple(
        HealthLabel(name, state, findings.get(name))
        for name, state in USUAL.items()
        if name != UNTRAINED or name in findings
    )
