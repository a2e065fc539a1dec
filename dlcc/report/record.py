"""The report: one frozen typed record, the same in JSON, in the terminal and in HTML.

Everything that may differ between two evaluations of the same run stands under `environment`;
the rest is a function of the run, of the stages and of this package's version.
"""

from __future__ import annotations

import json
import math
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from dlcc.estimate import Number
from dlcc.records import AdviceRecord
from dlcc.scoring.axioms import Axiom
from dlcc.scoring.weights import TermWeight

SCHEMA: Literal["dlcc.report/1"] = "dlcc.report/1"


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class RunSummary(_Frozen):
    """Which run this is."""

    name: str
    kind: str = Field(description="GAN, non-saturating; in words")
    data: str | None
    length: int = Field(description="configured number of steps")
    recorded: int = Field(description="steps that the record has before `until`")
    until: int = Field(description="nothing at or after this step was looked at")
    players: dict[str, int] = Field(description="player -> number of parameters")


class VerdictRecord(_Frozen):
    """The headline."""

    label: str | None = Field(
        description="healthy, weak, oscillating, collapsed or diverged; null without a health stage"
    )
    sentence: str
    failed: bool | None = Field(description="collapsed, oscillating or diverged")
    onset: int | None = Field(description="first step of the final unbroken bad stretch")
    onset_interval: tuple[int, int] | None
    probabilities: dict[str, float] = Field(description="of each label")
    p_healthy: Number | None = Field(
        description="that it is healthy and its record true; calibrated; null where health had "
        "nothing"
    )
    p_landscape: Number | None = Field(
        default=None, description="P(healthy) if the record is genuine"
    )
    p_true: Number | None = Field(default=None, description="that its record is genuine")
    stability: Number | None = Field(description="share of good checkpoints in the second half")
    record: str = Field(description="which checks of the record passed, in words")
    doubt: bool = Field(description="whether any of its obligations was refuted")
    disagreement: str | None = Field(
        description="said where label and P(healthy) point different ways; P leads"
    )


class TermRecord(_Frozen):
    """One term of V."""

    name: str
    measured: bool = Field(
        description="false: nobody fed it, the low end of past runs or ignorance stands in"
    )
    mean: float
    low: float
    high: float
    weight: float
    contribution: Number
    stages: tuple[str, ...] = Field(description="the stages that fed it")
    note: str


class FusionRecord(_Frozen):
    """The weights of V, from judgement to evidence."""

    weights: tuple[TermWeight, ...]
    rows: int = Field(description="past runs behind the evidence; 0 where judgements stand alone")
    settings: int
    prior_strength: float
    evidence_strength: float
    total: float = Field(description="what all terms of past runs tell together, in nats per run")
    note: str


class RoundRecord(_Frozen):
    """One round of the correction."""

    factors: dict[str, float] = Field(description="term -> by how much its spread was widened")
    moved: float = Field(description="change of V's mean")
    spread: float = Field(description="V's standard deviation after it")


class CorrectionRecord(_Frozen):
    """Spreads that were too narrow, widened until V moved by less than its own spread."""

    rounds: tuple[RoundRecord, ...]
    factors: dict[str, float] = Field(description="over all rounds")
    runs: int = Field(description="past runs whose outcome was held against impact's interval")
    inside: float | None = Field(description="share of them inside their 90 % interval")
    note: str


class HyperScoreRecord(_Frozen):
    """100·[1 + σ(β·ln V + γ)^κ], always beside the range that it can take."""

    mean: float
    low: float
    high: float
    lowest: float
    highest: float
    beta: float
    gamma: float
    kappa: float


class FindingRecord(_Frozen):
    """One thing that a stage noticed."""

    stage: str
    code: str
    title: str
    severity: Literal["error", "warning", "note"]
    message: str
    player: str | None
    first_step: int | None
    last_step: int | None
    place: str | None
    evidence: dict[str, Any]
    remedy: str


class CloudShapeRecord(_Frozen):
    """The shape of a loss-gradient cloud or of one of its fifths, in robust units: each axis by its
    median and interquartile range / 1.349. Null where too few points tell."""

    points: int
    drift: float | None = Field(description="from the median of its first fifth to its last's")
    spread: float | None = Field(description="median distance of its points from their median")
    area: float | None = Field(description="of the convex hull")
    central_area: float | None = Field(description="of the hull of the central 95 %")
    turn: float | None = Field(
        description="mean angle between segments of the smoothed path, radians"
    )
    net_turn: float | None = Field(description="these angles summed with their signs, radians")
    returns: float | None = Field(description="share of the path that lies where it was before")
    bimodality: float | None = Field(description="Sarle's coefficient, the largest of 12 axes")


class CloudRecord(_Frozen):
    """A player's loss-gradient cloud, one point a step."""

    whole: CloudShapeRecord
    fifths: tuple[CloudShapeRecord, ...] = Field(description="5, of the configured length")
    left_out: int = Field(description="points whose loss or gradient norm is not finite")


class MeasuredSeriesRecord(_Frozen):
    """A quantity measured now and then, by fifth of the configured length."""

    rows: tuple[int, ...]
    medians: tuple[float | None, ...] = Field(
        description="null where there are no rows, or where it is infinite, as a noise scale may be"
    )


class PlayerSummaryRecord(_Frozen):
    """The landscape around one player, the others held."""

    loss: float
    gradient_norm: float
    smallest: float = Field(description="eigenvalue of its own Hessian")
    smallest_error: float
    largest: float
    largest_error: float
    trace: float = Field(description="of its own Hessian, an estimate")
    trace_error: float = Field(description="its standard error")
    curvature_class: Literal["convex", "concave", "saddle", "singular"]


class GameSummaryRecord(_Frozen):
    """Eigenvalues of the Jacobian of the players' gradients, as (real, imaginary)."""

    rotation: float = Field(description="sum of |Im| over sum of |eigenvalue|; 0 to 1")
    largest: tuple[float, float] | None = Field(description="of the largest modulus")
    nearest_axis: tuple[float, float] = Field(description="to the imaginary one, of those known")


class LandscapeSummaryRecord(_Frozen):
    """What the landscape was like at a snapshot; its landscape.json holds slice and path too."""

    step: int
    rows: int = Field(description="of the batch that was looked at")
    players: dict[str, PlayerSummaryRecord]
    game: GameSummaryRecord | None = Field(description="null with a single player")


class LandscapeRecord(_Frozen):
    """What was measured of the landscape while the run trained."""

    clouds: dict[str, CloudRecord] = Field(description="by player")
    measured: dict[str, MeasuredSeriesRecord] = Field(
        description="by series: `generator/grad_noise_scale`, in rows of a batch"
    )
    surveys: tuple[LandscapeSummaryRecord, ...] = Field(description="ascending in step")


class StageRecord(_Frozen):
    """What one stage did."""

    name: str
    describes: str
    version: int
    settings: dict[str, Any]
    status: Literal["scored", "not applicable", "failed"]
    reason: str | None
    terms: dict[str, Number]
    digest: str = Field(description="hash of all that the stage read")
    details: dict[str, Any]


class Report(_Frozen):
    """The outcome of `dlcc evaluate`."""

    schema_: Literal["dlcc.report/1"] = Field(default=SCHEMA, alias="schema")
    run: RunSummary
    verdict: VerdictRecord
    terms: tuple[TermRecord, ...]
    value: Number = Field(description="V in [0, 1]")
    hyperscore: HyperScoreRecord
    fusion: FusionRecord | None = None
    axioms: tuple[Axiom, ...] = ()
    correction: CorrectionRecord | None = None
    findings: tuple[FindingRecord, ...]
    advice: AdviceRecord | None = Field(
        default=None, description="null where the run is healthy, or nothing is known to change"
    )
    landscape: LandscapeRecord | None = Field(
        default=None, description="null where nothing of it was measured"
    )
    stages: tuple[StageRecord, ...]
    environment: dict[str, Any] = Field(
        description="what may differ between two evaluations: times, memory, machine, isolation "
        "level, what a limit cut off"
    )

    @property
    def failed_stages(self) -> tuple[StageRecord, ...]:
        """The stages that failed."""
        return tuple(stage for stage in self.stages if stage.status == "failed")

    def to_json(self) -> str:
        """The text of report.json, keys in the schema's order."""
        plain = _finite(self.model_dump(mode="python", by_alias=True))
        return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """What `to_json` wrote."""
        return cls.model_validate_json(text)


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: they become text; floats are cut to 12 digits."""
    if isinstance(value, float):
        return float(f"{value:.12g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
