"""Records of the score in a report: terms, weights, correction and HyperScore."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

from dlcc.estimate import Number
from dlcc.scoring.weights import TermWeight


class Frozen(BaseModel):
    """Base of a report's records: nothing can be changed, and no further fields are taken."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class TermRecord(Frozen):
    """One term of V."""

    name: str
    """Name of the term, such as `logic`."""
    measured: bool
    """Whether a stage fed the term; if not, the low end of past runs or ignorance stands in."""
    mean: float
    """Mean of the term, in [0, 1]."""
    low: float
    """Lower end of the 90 % interval."""
    high: float
    """Upper end of the 90 % interval."""
    weight: float
    """Weight in V, 0 to 1."""
    contribution: Number
    """Product of weight and term, the impact as log2(1 + impact)."""
    stages: tuple[str, ...]
    """Names of the stages that fed the term."""
    note: str
    """Note on where the term comes from."""


class FusionRecord(Frozen):
    """Weights of V, from judgements and evidence."""

    weights: tuple[TermWeight, ...]
    """Weight of every term, the heaviest first."""
    rows: int
    """Number of past runs behind the evidence; 0 where there are only judgements."""
    settings: int
    """Number of settings among the past runs behind the evidence."""
    prior_strength: float
    """Counts that the judgements weigh."""
    evidence_strength: float
    """Counts that the evidence of past runs weighs."""
    total: float
    """Information of all terms of past runs together about a run's end, in nats per run."""
    note: str
    """Sources of the weights, in a sentence."""


class RoundRecord(Frozen):
    """One round of the correction."""

    factors: dict[str, float]
    """Term -> factor by which its spread was widened in this round."""
    moved: float
    """Change of V's mean in this round."""
    spread: float
    """Standard deviation of V after the round."""


class CorrectionRecord(Frozen):
    """Correction of spreads that were too narrow, in rounds until V moved by less than its own
    spread."""

    rounds: tuple[RoundRecord, ...]
    """Rounds in their order."""
    factors: dict[str, float]
    """Term -> factor by which its spread was widened over all rounds."""
    runs: int
    """Number of past runs whose outcome was compared with impact's interval."""
    inside: float | None
    """Share of past runs inside their 90 % interval; null where the library cannot tell."""
    note: str
    """Summary of the correction, in words."""


class HyperScoreRecord(Frozen):
    """HyperScore 100·[1 + σ(β·ln V + γ)^κ], always beside the range that it can take."""

    mean: float
    """Mean of the score."""
    low: float
    """Lower end of the 90 % interval."""
    high: float
    """Upper end of the 90 % interval."""
    lowest: float
    """Score at V = 0."""
    highest: float
    """Score at V = 1."""
    beta: float
    """Steepness β."""
    gamma: float
    """Shift γ."""
    kappa: float
    """Exponent κ."""
