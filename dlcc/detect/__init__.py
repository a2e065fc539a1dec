"""Detection from first principles: checks of series that need no library of past runs.

Each check knows the objective's levels or none at all; it says nothing where it cannot know.
"""

from collections.abc import Callable, Iterator

from dlcc.detect.adversarial import check_balance
from dlcc.detect.began import check_began
from dlcc.detect.codebook import check_codebook
from dlcc.detect.divergence import check_divergence
from dlcc.detect.evidence import Evidence, evidence_of
from dlcc.detect.finite import check_finite
from dlcc.detect.gradients import check_gradients
from dlcc.detect.latent import check_latent
from dlcc.detect.logging_faults import check_logging
from dlcc.detect.objective import GameObjective, game_objective
from dlcc.detect.oscillation import check_oscillation
from dlcc.detect.outputs import check_outputs
from dlcc.detect.overfitting import check_overfitting
from dlcc.detect.progress import check_progress
from dlcc.detect.quality import Quality, check_quality, quality_of
from dlcc.detect.rivalry import check_rivalry
from dlcc.detect.state import Assessment, State, assess
from dlcc.detect.training_record import TrainingRecord
from dlcc.detect.validation import check_validation
from dlcc.findings import Finding

__all__ = [
    "Assessment",
    "Evidence",
    "GameObjective",
    "Quality",
    "State",
    "TrainingRecord",
    "assess",
    "detect",
    "evidence_of",
    "game_objective",
    "quality_of",
]

CHECKS: tuple[Callable[[TrainingRecord], Iterator[Finding]], ...] = (
    check_finite,
    check_divergence,
    check_balance,
    check_rivalry,
    check_outputs,
    check_began,
    check_quality,
    check_latent,
    check_codebook,
    check_validation,
    check_overfitting,
    check_oscillation,
    check_gradients,
    check_progress,
    check_logging,
)
"""Checks in the order in which their findings are told, among those of one severity."""
_SEVERITIES = ("error", "warning", "note")


def detect(record: TrainingRecord) -> Assessment:
    """Check a training from first principles.

    Args:
        record: Record of the training.

    Returns:
        Assessment with all findings, errors first.

    >>> import numpy as np
    >>> from dlcc.runs.series import Series
    >>> losses = {"discriminator/loss": np.array([1.4, 1.2, np.nan, np.nan, np.nan, np.nan])}
    >>> found = detect(TrainingRecord(Series.from_start(losses), "gan"))
    >>> found.state, found.since, found.findings[0].code
    ('failed', 2, 'NAN001')
    """
    found = [finding for check in CHECKS for finding in check(record)]
    found.sort(key=lambda finding: _SEVERITIES.index(finding.severity))
    return assess(record, found)
