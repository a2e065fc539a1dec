"""The landscape stage: findings of what was measured while the run trained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from dlcc.landscape.cloud_shape import CloudShape
from dlcc.records import Dossier, MeasuredLandscape
from dlcc.stage import Case, Context, NotApplicable, Stage, StageResult
from dlcc.stages.landscape.curvature import curvature_findings
from dlcc.stages.landscape.gradients import findings_of_gradients

_HOW = (
    "make `measure = rec.measure({player: loss_of_each})` before the training loop and call "
    "`measure(step, {player: batch})` in it"
)
_SHOWN = ("drift", "spread", "central_area", "turn", "net_turn", "returns", "bimodality")


@dataclass(frozen=True)
class Landscape(Stage):
    """Findings on loss-gradient clouds, curvature, the game and the noise of the gradients."""

    name: ClassVar = "landscape"
    needs: ClassVar = (Dossier,)

    def __call__(self, case: Case, ctx: Context) -> StageResult:
        dossier = case[Dossier]
        landscape = dossier.landscape
        if landscape is None:
            raise NotApplicable(
                "nothing of the landscape was measured: log each player's `loss` and `grad_norm`, "
                f"and {_HOW}"
            )
        with np.errstate(all="ignore"):  # numbers of a run that diverged
            findings = [
                *curvature_findings(dossier, landscape.surveys),
                *findings_of_gradients(dossier, landscape, case.length),
            ]
        return StageResult(findings=findings, details=_details(landscape))


def _details(landscape: MeasuredLandscape) -> dict[str, object]:
    details: dict[str, object] = {
        "clouds": {player: _shape(cloud.whole) for player, cloud in landscape.clouds.items()},
        "measured": sorted(landscape.measured),
        "surveys": len(landscape.surveys),
    }
    if games := [s.survey.game for s in landscape.surveys if s.survey.game]:
        details["rotation"] = round(float(np.median([game.rotation for game in games])), 4)
    if not (landscape.surveys or landscape.measured):
        details["more"] = f"for curvature, the game and gradient noise {_HOW}"
    return details


def _shape(shape: CloudShape) -> dict[str, float]:
    return {"points": shape.points, **{k: round(getattr(shape, k), 4) for k in _SHOWN}}
