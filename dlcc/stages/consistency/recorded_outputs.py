"""Check of a paper's formula where there is no code: by outputs and losses that were recorded."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from dlcc.records import Snapshots
from dlcc.stages.consistency.checks.comparison import Checked
from dlcc.stages.consistency.checks.formula_values import (
    UnboundError,
    formula_value,
    free_constants,
)
from dlcc.stages.consistency.formulas.paper_losses import PaperLoss

_ROUNDING = 2e-5  # relative to 1 + |loss|: float32 sums over a batch
_FEWEST = 2  # snapshots, under which agreement may be chance


def check_on_outputs(
    paper: PaperLoss, snapshots: Snapshots | None, stated: Mapping[str, float]
) -> Checked | None:
    """Check a formula at the outputs of each sample that snapshots hold beside the loss.

    Args:
        paper: Formula of the discriminator's or the generator's loss.
        snapshots: Snapshots whose probes hold outputs and losses.
        stated: Name of a constant -> the value that the configuration states.

    Returns:
        Verdict and reason; None where nothing was recorded that could decide. A penalty that was
        recorded by itself is taken off the loss.
    """
    if paper.expression is None or paper.player == "training":
        return None
    points = [p for p in (_point(s.probe(), paper.player) for s in snapshots or ()) if p]
    if len(points) < _FEWEST:
        return None
    differences = []
    for logits in (False, True):
        found = _differences(paper, points, logits, stated)
        if found is not None:
            differences.append(found)
    if not differences:
        return None
    for found in differences:
        if (np.abs(found[:, 0] - found[:, 1]) <= _ROUNDING * (1 + np.abs(found[:, 1]))).all():
            return Checked("held", f"holds at the recorded outputs of {len(found)} snapshots", {})
    best = min(differences, key=lambda found: float(np.abs(found[:, 0] - found[:, 1]).mean()))
    formula, loss = best[0]
    reason = f"at the recorded outputs it gives {formula:.6g}, and the recorded loss is {loss:.6g}"
    return Checked("refuted", reason, {})


def _point(probe: Mapping[str, np.ndarray], player: str) -> tuple[dict[str, Tensor], float] | None:
    """Outputs of each sample by what a paper calls them, and the loss without its penalty."""
    arrays = {name: np.asarray(a, dtype=np.float64) for name, a in probe.items()}
    names = {"discriminator/real": "D(x)", "discriminator/fake": "D(G(z))"}
    wanted = set(names) if player == "discriminator" else {"discriminator/fake"}
    if not wanted | {f"{player}/loss"} <= set(arrays):
        return None
    outputs = {
        names[name]: torch.from_numpy(arrays[name].reshape(-1, 1).copy())
        for name in names
        if name in arrays
    }
    if not all(bool(torch.isfinite(o).all()) for o in outputs.values()):
        return None
    penalty = (
        arrays.get("discriminator/penalty", np.zeros(())) if player == "discriminator" else 0.0
    )
    return outputs, float(arrays[f"{player}/loss"]) - float(penalty)


def _differences(
    paper: PaperLoss,
    points: list[tuple[dict[str, Tensor], float]],
    logits: bool,
    stated: Mapping[str, float],
) -> np.ndarray | None:
    """Pairs [n, 2] of what the formula gives and the recorded loss; None where it has no value."""
    pairs = []
    for outputs, loss in points:
        read = {k: torch.sigmoid(v) if logits else v for k, v in outputs.items()}
        if set(free_constants(paper.expression, read)) - set(stated):
            return None
        try:
            pairs.append((float(formula_value(paper.expression, read, stated)), loss))
        except UnboundError:
            return None
    found = np.array(pairs)
    return found if np.isfinite(found).all() else None
