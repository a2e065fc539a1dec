"""Report: one frozen typed record, the same in JSON, in the terminal and in HTML.

Everything that may differ between two evaluations of the same run stands under `environment`;
the rest is a function of the run, of the stages and of this package's version.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import ConfigDict, Field

from dlcc.detect import Quality
from dlcc.estimate import Number
from dlcc.landscape.clouds import CurvatureClass
from dlcc.landscape.summary import PlayerCurvature
from dlcc.records import AdviceRecord
from dlcc.report.score_record import (
    CorrectionRecord,
    Frozen,
    FusionRecord,
    HyperScoreRecord,
    TermRecord,
)
from dlcc.scoring.axioms import Axiom

SCHEMA: Literal["dlcc.report/1"] = "dlcc.report/1"


class RunSummary(Frozen):
    """Summary of the run that the report is about."""

    name: str
    """Name of the run."""
    kind: str
    """Kind and objective in words, such as `GAN, non-saturating`."""
    data: str | None
    """Name of the data set; null where the run gives none."""
    length: int
    """Configured number of steps."""
    recorded: int
    """Number of steps before `until` that the record has."""
    until: int
    """Step from which on nothing was looked at."""
    players: dict[str, int]
    """Player -> number of parameters."""


class VerdictRecord(Frozen):
    """Headline of the report."""

    label: str | None
    """Label: healthy, weak, oscillating, collapsed or diverged; null without a health stage."""
    sentence: str
    """Verdict in a sentence."""
    failed: bool | None
    """Whether the label is collapsed, oscillating or diverged; null without a label."""
    onset: int | None
    """First step of the final unbroken bad stretch; null where there is none."""
    onset_interval: tuple[int, int] | None
    """Interval of the onset at 90 %, as steps."""
    probabilities: dict[str, float]
    """Label -> probability of it by the records alone."""
    p_healthy: Number | None
    """Calibrated probability that the run is healthy and its record true; null where health had
    nothing to go by."""
    p_landscape: Number | None = None
    """P(healthy) if the record is genuine."""
    p_true: Number | None = None
    """Probability that the record is genuine."""
    stability: Number | None
    """Share of good sample steps in the second half of the training."""
    record: str
    """Outcome of the checks of the record, in words."""
    doubt: bool
    """Whether any obligation of the record was refuted."""
    state: Literal["healthy", "suspect", "failed", "unknown"] = "unknown"
    """State: healthy, suspect, failed, or unknown where there is no evidence either way."""
    disagreement: str | None
    """Sentence for the case that label and P(healthy) point different ways; P(healthy) leads. Null
    where they agree."""


class DiagnosisRecord(Frozen):
    """State of the run from first principles, as `dlcc diagnose` tells it."""

    format: str
    """Format of the record in words."""
    state: Literal["healthy", "suspect", "failed", "unknown"]
    """State by the series alone."""
    since: int | None
    """First step of the finding that the state rests on."""
    why: str
    """Reason in a sentence."""
    quality: Quality | None
    """Quality metric; null where none was logged."""
    to_know_more: tuple[str, ...]
    """Advice on what to log to know more."""


class FindingRecord(Frozen):
    """One thing that a stage noticed."""

    stage: str
    """Name of the stage."""
    code: str
    """Code of the finding, such as `EXE001`; `dlcc explain CODE` has its page."""
    title: str
    """Title of the code's page."""
    severity: Literal["error", "warning", "note"]
    """Severity: an error means that the run failed or its record is in doubt."""
    message: str
    """Finding in words, with its numbers."""
    player: str | None
    """Player that the finding concerns; null where it concerns none."""
    first_step: int | None
    """First step that the finding concerns."""
    last_step: int | None
    """Last step that the finding concerns."""
    place: str | None
    """Place in a file, such as `source/train.py:12`."""
    evidence: dict[str, Any]
    """Name -> number or text that the finding is based on."""
    remedy: str
    """Advice on what to do."""


class CloudShapeRecord(Frozen):
    """Shape of a loss-gradient cloud, or of one of its fifths.

    It is in robust units: each axis by its median and interquartile range / 1.349. A number is null
    where too few points tell it.
    """

    points: int
    """Number of points."""
    drift: float | None
    """Distance of the median of the last fifth of the points from that of the first."""
    spread: float | None
    """Median distance of the points from their median."""
    area: float | None
    """Area of the convex hull."""
    central_area: float | None
    """Area of the hull of the central 95 % of the points."""
    turn: float | None
    """Mean angle between segments of the smoothed path, in radians."""
    net_turn: float | None
    """Sum of the signed angles between segments of the smoothed path, in radians."""
    returns: float | None
    """Share of the path that lies where it was before."""
    bimodality: float | None
    """Sarle's bimodality coefficient, the largest of 12 axes."""


class CloudRecord(Frozen):
    """Loss-gradient cloud of a player, one point a step."""

    whole: CloudShapeRecord
    """Shape of the whole cloud."""
    fifths: tuple[CloudShapeRecord, ...]
    """Shapes of the cloud's 5 fifths, by the configured length."""
    left_out: int
    """Number of points whose loss or gradient norm is not finite."""


class MeasuredSeriesRecord(Frozen):
    """Quantity that was measured now and then, by fifth of the configured length."""

    rows: tuple[int, ...]
    """Number of rows in each fifth."""
    medians: tuple[float | None, ...]
    """Median in each fifth; null where there are no rows, or where it is infinite, as a noise scale
    may be."""


@dataclass(frozen=True)
class PlayerSummaryRecord(PlayerCurvature):
    """Landscape around one player, the others held."""

    curvature_class: CurvatureClass
    """Class of the point by both ends of the spectrum."""


class GameSummaryRecord(Frozen):
    """Eigenvalues of the Jacobian of the players' gradients, as (real, imaginary)."""

    rotation: float
    """Sum of |Im| over the sum of |eigenvalue|: 0 for a single loss, 1 for rotation alone."""
    largest: tuple[float, float] | None
    """Eigenvalue of the largest modulus."""
    nearest_axis: tuple[float, float]
    """Eigenvalue nearest to the imaginary axis, of those known."""


class LandscapeSummaryRecord(Frozen):
    """Landscape at a snapshot; its landscape.json holds slice and path too."""

    step: int
    """Step of the snapshot."""
    rows: int
    """Number of rows of the batch that was looked at."""
    players: dict[str, PlayerSummaryRecord]
    """Player -> landscape around the player."""
    game: GameSummaryRecord | None
    """Eigenvalues of the game; null with a single player."""


class LandscapeRecord(Frozen):
    """Measurements of the landscape while the run trained."""

    clouds: dict[str, CloudRecord]
    """Player -> loss-gradient cloud."""
    measured: dict[str, MeasuredSeriesRecord]
    """Series such as `generator/grad_noise_scale` (in rows of a batch) -> its measurements."""
    surveys: tuple[LandscapeSummaryRecord, ...]
    """Landscape at snapshots, ascending in step."""


class StageRecord(Frozen):
    """Outcome of one stage."""

    name: str
    """Name of the stage."""
    describes: str
    """Description of the stage, in a sentence."""
    version: int
    """Version of the stage."""
    settings: dict[str, Any]
    """Setting -> value."""
    status: Literal["scored", "not applicable", "failed"]
    """Outcome: a result, nothing to judge, or an error."""
    reason: str | None
    """Reason why the stage gave no result; null where it did."""
    terms: dict[str, Number]
    """Term that the stage fed -> its mean and 90 % interval."""
    digest: str
    """Hash of all that the stage read."""
    details: dict[str, Any]
    """Name -> number, text or table; each stage has its own."""


class Report(Frozen):
    """Outcome of `dlcc evaluate`.

    >>> from dlcc.estimate import Number
    >>> from dlcc.report import HyperScoreRecord, Report, RunSummary, VerdictRecord
    >>> run = RunSummary(
    ...     name="exp7", kind="GAN, non-saturating", data="ring", length=3000, recorded=3000,
    ...     until=3000, players={"generator": 1410, "discriminator": 1185},
    ... )
    >>> verdict = VerdictRecord(
    ...     label="healthy", sentence="Healthy to the end of the record.", failed=False, onset=None,
    ...     onset_interval=None, probabilities={"healthy": 1.0}, p_healthy=Number(0.93, 0.85, 0.98),
    ...     stability=None, record="134 of 134 checks passed", doubt=False, disagreement=None,
    ... )
    >>> score = HyperScoreRecord(
    ...     mean=103.1, low=101.0, high=106.0, lowest=100.0, highest=111.1, beta=5.0, gamma=-0.69,
    ...     kappa=2.0,
    ... )
    >>> report = Report(
    ...     run=run, verdict=verdict, terms=(), value=Number(0.8, 0.7, 0.9), hyperscore=score,
    ...     findings=(), stages=(), environment={},
    ... )
    >>> Report.from_json(report.to_json()) == report
    True
    """

    # the schema says what a report is without the example above
    model_config = ConfigDict(json_schema_extra={"description": "Outcome of `dlcc evaluate`."})

    schema_: Literal["dlcc.report/1"] = Field(default=SCHEMA, alias="schema")
    """Version of the report's format."""
    run: RunSummary
    """Summary of the run."""
    verdict: VerdictRecord
    """Headline of the report."""
    diagnosis: DiagnosisRecord | None = None
    """State from first principles; null where it was not sought."""
    terms: tuple[TermRecord, ...]
    """Terms of V."""
    value: Number | None
    """Value V in [0, 1]; null where the verdict is unknown, or stages fed less
    than half of the terms' weight."""
    hyperscore: HyperScoreRecord | None
    """HyperScore of V; null without V."""
    fusion: FusionRecord | None = None
    """Weights of the terms, with their sources."""
    axioms: tuple[Axiom, ...] = ()
    """Axioms that the score must satisfy, checked."""
    correction: CorrectionRecord | None = None
    """Correction of spreads that were too narrow."""
    findings: tuple[FindingRecord, ...]
    """Findings of all stages, errors first."""
    advice: AdviceRecord | None = None
    """Changes that would mend the run; null where it is healthy, or nothing is known to change."""
    landscape: LandscapeRecord | None = None
    """Measurements of the landscape; null where nothing of it was measured."""
    stages: tuple[StageRecord, ...]
    """Outcome of every stage."""
    environment: dict[str, Any]
    """Everything that may differ between two evaluations: times, memory, machine, isolation level,
    and what a limit cut off."""

    @property
    def failed_stages(self) -> tuple[StageRecord, ...]:
        """Stages that failed."""
        return tuple(stage for stage in self.stages if stage.status == "failed")

    def to_json(self) -> str:
        """Write the report as the text of report.json, keys in the schema's order.

        Returns:
            JSON with floats cut to 12 digits; NaN and infinities are texts.
        """
        plain = _finite(self.model_dump(mode="python", by_alias=True))
        return json.dumps(plain, indent=1, ensure_ascii=False, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Read what `to_json` wrote.

        Args:
            text: Content of a report.json.

        Returns:
            The report.

        Raises:
            pydantic.ValidationError: The text is no report of this version.
        """
        return cls.model_validate_json(text)


def _finite(value: Any) -> Any:
    """Replace NaN and infinities by text, which JSON does not have; cut floats to 12 digits."""
    if isinstance(value, float):
        return float(f"{value:.12g}") if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(k): _finite(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(v) for v in value]
    return value
