"""Check of recorded losses against the declared objective, by the outputs recorded beside them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from dlcc.findings import Finding
from dlcc.records import Series, Snapshots
from dlcc.runs import Snapshot
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.objectives import Objective
from dlcc.typing import Floats

_MEAN_ROUNDING = 1e-6  # of mean probabilities in float32: near 0 and 1 their logarithms feel it
_ROUNDING = 2e-5  # relative to 1 + |loss|: float32 sums over a batch


def check_losses(
    ledger: Ledger, objective: Objective, series: Series, snapshots: Snapshots | None
) -> None:
    """Check every row against Jensen's bound, and every probe exactly."""
    _check_bound(ledger, objective, series)
    for snapshot in snapshots or ():
        probe = {name: np.asarray(a, dtype=np.float64) for name, a in snapshot.probe().items()}
        if {"discriminator/real", "discriminator/fake"} <= set(probe):
            _check_probe(ledger, objective, snapshot, probe)
            _check_row(ledger, objective, series, snapshot, probe)


def _check_bound(ledger: Ledger, objective: Objective, series: Series) -> None:
    names = ("discriminator/loss", "discriminator/real", "discriminator/fake")
    if not all(name in series.columns for name in names):
        return
    loss, real, fake = (series.columns[name] for name in names)
    if not (np.array_equal(loss.steps, real.steps) and np.array_equal(loss.steps, fake.steps)):
        return
    plain, penalised = _without_penalty(series, loss.values, loss.steps)
    moved = _MEAN_ROUNDING if objective.probability else 0.0  # towards the smaller bound
    bound = objective.bound(
        np.minimum(real.values + moved, 1.0) if moved else real.values,
        np.maximum(fake.values - moved, 0.0) if moved else fake.values,
    )
    exact = objective.exact_bound and not penalised
    # the penalty that was taken off left its rounding behind: the size of the whole loss counts
    slack = _ROUNDING * (1 + np.abs(loss.values) + np.abs(real.values) + np.abs(fake.values))
    with np.errstate(invalid="ignore"):
        wrong = plain < bound - slack
        if exact:
            wrong |= plain > bound + slack
    word = "equals" if exact else "is at least"
    statement = f"the discriminator's loss {word} what its mean outputs imply"
    method = "linear in the outputs" if exact else "Jensen's inequality"
    id_ = "loss/bound"
    if not wrong.any():
        ledger.proved(id_, "record", statement, f"{method}, {len(wrong):,} rows")
        return
    first = int(np.flatnonzero(wrong)[0])
    finding = Finding(
        "LOG001",
        f"discriminator/loss at step {int(loss.steps[first]):,} is {plain[first]:.6g}; its mean "
        f"outputs imply {'' if exact else 'at least '}{bound[first]:.6g} ({int(wrong.sum()):,} "
        "such rows).",
        player="discriminator",
        first_step=int(loss.steps[first]),
        last_step=int(loss.steps[np.flatnonzero(wrong)[-1]]),
        evidence={"loss": float(plain[first]), "bound": float(bound[first])},
    )
    ledger.refuted(id_, "record", statement, method, finding)


def _without_penalty(series: Series, loss: Floats, steps: NDArray[np.int64]) -> tuple[Floats, bool]:
    """Subtract the recorded penalty from a loss.

    Returns the rest, and whether an unknown penalty may still be in it.
    """
    column = series.columns.get("discriminator/penalty")
    if column is not None and np.array_equal(column.steps, steps):
        return loss - column.values, False
    return loss, True


def _check_probe(
    ledger: Ledger, objective: Objective, snapshot: Snapshot, probe: dict[str, Floats]
) -> None:
    real, fake = probe["discriminator/real"], probe["discriminator/fake"]
    if not (np.isfinite(real).all() and np.isfinite(fake).all()):
        return
    penalty = float(probe.get("discriminator/penalty", np.zeros(())))
    expected = {
        "discriminator": float(objective.discriminator(real, fake).mean()) + penalty,
        "generator": float(objective.generator(fake).mean()),
    }
    for player, value in expected.items():
        if f"{player}/loss" not in probe:
            continue
        recorded = float(probe[f"{player}/loss"])
        scale = 1 + abs(value) + float(np.abs(np.concatenate([real, fake])).mean())
        statement = (
            f"{player}: the loss in the probe of snapshot {snapshot.step:,} is the objective's"
        )
        id_ = f"loss/probe/{player}/{snapshot.step}"
        method = "recomputed from the outputs of each sample"
        if abs(recorded - value) <= _ROUNDING * scale:
            ledger.proved(id_, "record", statement, method)
            continue
        finding = Finding(
            "LOG001",
            f"The {player}'s loss in the probe is {recorded:.6g}; its outputs give {value:.6g}.",
            player=player,
            first_step=snapshot.step,
            place=f"snapshots/{snapshot.path.name}/probe.safetensors",
            evidence={"recorded": recorded, "recomputed": value},
        )
        ledger.refuted(id_, "record", statement, method, finding)


def _check_row(
    ledger: Ledger,
    objective: Objective,
    series: Series,
    snapshot: Snapshot,
    probe: dict[str, Floats],
) -> None:
    """Check the row of a step against the probe taken just before it, on the same batch."""
    expected = {"discriminator/loss": float(probe.get("discriminator/loss", np.nan))}
    for name in ("discriminator/real", "discriminator/fake"):
        outputs = probe[name]
        if objective.probability:
            outputs = 1 / (1 + np.exp(-np.clip(outputs, -700, 700)))
        expected[name] = float(outputs.mean())
    for name, value in expected.items():
        column = series.columns.get(name)
        at = np.searchsorted(column.steps, snapshot.step) if column is not None else 0
        if column is None or at >= len(column.steps) or column.steps[at] != snapshot.step:
            continue
        recorded = float(column.values[at])
        if not (np.isfinite(recorded) and np.isfinite(value)):
            continue
        statement = f"{name} at step {snapshot.step:,} agrees with the probe of that snapshot"
        id_ = f"loss/row/{name}/{snapshot.step}"
        if abs(recorded - value) <= _ROUNDING * (1 + abs(value)):
            ledger.proved(id_, "record", statement, "same batch, same weights")
            continue
        finding = Finding(
            "LOG001",
            f"{name} at step {snapshot.step:,} is {recorded:.6g} in the series and {value:.6g} in "
            "the probe of the snapshot before that step.",
            player="discriminator",
            first_step=snapshot.step,
            place=f"snapshots/{snapshot.path.name}/probe.safetensors",
            evidence={"series": recorded, "probe": value},
        )
        ledger.refuted(id_, "record", statement, "same batch, same weights", finding)
