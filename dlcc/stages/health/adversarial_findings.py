"""Evidence of an adversarial training: findings with the steps that they concern."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from dlcc.findings import Finding
from dlcc.health.curves import DIVERGED_REACH
from dlcc.health.definitions import HEALTHY_SHARE, OSCILLATING_SWING
from dlcc.health.run_features import RunFeatures
from dlcc.health.windows import window_figure
from dlcc.kinds import TrainingKind
from dlcc.records import UNTRAINED, HealthRecord
from dlcc.typing import Floats, Ints

_WON, _FLAT = 0.9, 0.02  # margins, in the units of asinh of the outputs
_VANISHED, _EXPLODED = -3.0, 3.0  # decades of a gradient norm against its start


def findings_of(record: HealthRecord, features: RunFeatures) -> list[Finding]:
    """Make the findings for a verdict, for what came with it, and for how sure it is."""
    windows, edges = features.curves.windows, features.edges
    found = [*_verdict(record, features)]
    found += _discriminator(record, windows, edges)
    found += _gradients(record, windows, edges)
    if features.series_only:
        message = "The run has no samples over time that could be held against training data."
        found.append(Finding("GAN009", message))
    return found


def _verdict(record: HealthRecord, features: RunFeatures) -> Iterator[Finding]:
    kind = features.curves.kind
    code = kind.label(record.label).finding
    if code is None:
        return
    figures = record.features
    since = record.onset
    if record.label == "diverged":
        message = _how_diverged(record, kind)
    elif record.label == "oscillating":
        message = _how_oscillating(record)
    elif record.label == "collapsed":
        message = _how_collapsed(record)
    elif record.label == UNTRAINED:
        message = "No sample step was good, and the samples still get better at the end."
    else:
        message = (
            f"Of the last quarter's sample steps {100 * figures['good_quarter']:.0f} % are good "
            f"(mark: {100 * HEALTHY_SHARE:.0f} %)."
        )
    yield Finding(
        code,
        message,
        player="generator",
        first_step=since,
        last_step=None if since is None else features.recorded,
        evidence={
            "probability": round(record.probabilities[record.label], 4),
            **_rounded(figures, "good_quarter", "coverage_last", "quality_last", "swing"),
        },
    )


def _how_diverged(record: HealthRecord, kind: TrainingKind) -> str:
    figures = record.features
    if figures["not_finite"]:
        return "Recorded quantities are not finite."
    if figures.get("samples_lost"):
        return "Samples are not finite."
    if figures.get("gradient_scale", 0) > math.log10(kind.fault_above("grad_norm")):
        return f"Gradient norms stand at 1e{figures['gradient_scale']:.0f} over the last fifth."
    if figures.get("reach_last", 0) > math.log10(DIVERGED_REACH):
        times = 10 ** figures["reach_last"]
        return f"Samples lie up to {times:,.0f} times farther out than any training data."
    return f"Losses stand at {np.sinh(figures.get('loss_scale', 0)):,.0f} over the last fifth."


def _how_oscillating(record: HealthRecord) -> str:
    swing = record.features.get("swing")
    if swing is None:
        return "Losses and outputs run as they do in runs that oscillated."
    return (
        f"Coverage or quality swings by {swing:.2f} around its trend (mark: {OSCILLATING_SWING})."
    )


def _how_collapsed(record: HealthRecord) -> str:
    last = record.features.get("coverage_last")
    if last is None:
        return "Losses and outputs run as they do in runs that collapsed."
    best = float(np.nanmax(record.coverage))
    return (
        f"Over the last four sample steps samples reach {100 * last:.0f} % of the training data's "
        f"regions ({100 * best:.0f} % at most before)."
    )


def _discriminator(record: HealthRecord, windows: Floats, edges: Ints) -> Iterator[Finding]:
    """Find a discriminator whose margin is extreme to the end of a run that is not healthy."""
    if record.label == "healthy":
        return
    margin = window_figure(windows, "margin")
    probabilities = np.nanmax(np.abs(margin), initial=0.0) <= np.arcsinh(1.0)
    full = np.arcsinh(_WON) * (1.0 if probabilities else 3.0)
    stretches = {"GAN004": margin > full}
    if record.label != "diverged":
        stretches["GAN005"] = np.abs(margin) < _FLAT
    for code, holds in stretches.items():
        if not holds[-4:].all():
            continue
        last = float(np.sinh(margin[-4:].mean()))
        yield Finding(
            code,
            f"Its outputs on real data and samples differ by {last:.3g}.",
            player="discriminator",
            first_step=int(edges[_stretch_start(holds)]),
            last_step=int(edges[-1]),
            evidence={"margin": round(last, 4)},
        )


def _gradients(record: HealthRecord, windows: Floats, edges: Ints) -> Iterator[Finding]:
    for player in ("generator", "discriminator"):
        norm = window_figure(windows, f"{player}_grad")
        if np.isnan(norm[:4]).all() or np.isnan(norm[-8:]).all():
            continue
        start = float(np.nanmedian(norm[:4]))
        end = float(np.nanmedian(norm[-8:]))
        change = norm - start
        if player == "generator" and end - start < _VANISHED and record.label != "healthy":
            code, word, stretch = "GAN006", "fell", change < _VANISHED
        elif end - start > _EXPLODED:
            code, word, stretch = "GAN007", "grew", change > _EXPLODED
        else:
            continue
        yield Finding(
            code,
            f"Its gradient norm {word} from {10**start:.2g} to {10**end:.2g}.",
            player=player,
            first_step=int(edges[_stretch_start(stretch)]),
            last_step=int(edges[-1]),
            evidence={"decades": round(end - start, 2)},
        )


def _stretch_start(holds: NDArray[np.bool_]) -> int:
    """Index where the last unbroken stretch of True begins."""
    broken = np.flatnonzero(~holds)
    return int(broken[-1]) + 1 if len(broken) and broken[-1] + 1 < len(holds) else 0


def _rounded(figures: Mapping[str, float], *names: str) -> dict[str, float]:
    return {name: round(figures[name], 4) for name in names if name in figures}
