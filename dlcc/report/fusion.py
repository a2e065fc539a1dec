"""Records of how a score was made: weights, and the correction of spreads."""

from __future__ import annotations

from dlcc.report.score_record import (
    CorrectionRecord,
    FusionRecord,
    RoundRecord,
)
from dlcc.scoring.correction import Correction, Coverage
from dlcc.scoring.weights import Weights


def fusion_record(weights: Weights) -> FusionRecord:
    """Make the record of the weights, the heaviest first."""
    ordered = sorted(weights.terms, key=lambda term: -term.posterior)
    return FusionRecord(
        weights=tuple(ordered),
        rows=weights.rows,
        settings=weights.settings,
        prior_strength=weights.prior_strength,
        evidence_strength=weights.evidence_strength,
        total=weights.total,
        note=weights.words,
    )


def correction_record(correction: Correction) -> CorrectionRecord:
    """Make the record of the correction, with what it did in words."""
    coverage = correction.coverage
    factors = correction.factors
    widened = ", ".join(f"{name} {factor:.2f} times" for name, factor in factors.items())
    moved = sum(one.moved for one in correction.rounds)
    count = len(correction.rounds)
    done = (
        f"Spreads widened: {widened}; V moved by {moved:.3f} in {count} "
        f"round{'s' if count > 1 else ''}."
        if widened
        else "No spread had to be widened."
    )
    return CorrectionRecord(
        rounds=tuple(
            RoundRecord(
                factors={name: widening.factor for name, widening in one.widened.items()},
                moved=one.moved,
                spread=one.spread,
            )
            for one in correction.rounds
        ),
        factors=factors,
        runs=0 if coverage is None else coverage.rows,
        inside=None if coverage is None else coverage.inside,
        note=f"{done} {_coverage(coverage)}",
    )


def _coverage(coverage: Coverage | None) -> str:
    if coverage is None:
        return "The library cannot tell how often impact's intervals hold."
    return (
        f"In {100 * coverage.inside:.0f} % of the groups of {coverage.rows:,} past runs, what "
        "impact let one expect came on average."
    )
