"""What each landscape measure says of real runs, after a fifth of them and at their end.

    python benchmarks/landscape_runs.py

The three example runs, and a Wasserstein GAN on the ring with its penalty. A row for each measure:
the last summary before the step, the measured series' median over the last fifth of what was seen
that has one, the cloud of all that was seen.

Beside it, whether rotation is seen where the theory says that it is. At the equilibrium of the
Dirac GAN (Mescheder et al. 2018, section 2 and lemma 2.3) eigenvalues are ±i f'(0) without a
penalty and γ/2 ± √(γ²/4 − f'(0)²) with R1. On the ring, whether R1 turns the eigenvalues of a GAN
that was trained with it away from the imaginary axis, as it does there.
"""

from __future__ import annotations

import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result
from torch import Tensor
from torch.nn import functional as F

from dlcc.landscape import game_spectrum
from dlcc.recipes.train import train
from dlcc.records import Series, Snapshots
from dlcc.runs import Run
from dlcc.stages.ingestion.landscape import measured_landscape

EXAMPLES = Path(__file__).parents[1] / "runs"
EARLY = 0.2
SEEDS = range(5)
PENALTIES = (0.0, 0.1, 1.0)


def said(run: Run, until: int) -> dict[str, Any]:
    """What every measure says of a run before step `until`."""
    series = Series.of(run, until)
    assert series is not None
    config = run.manifest.config
    found, _ = measured_landscape(series, Snapshots.of(run, until + 1), config, until)
    assert found is not None
    last = found.surveys[-1]
    game = last.survey.game
    assert game is not None
    path = last.survey.path
    return {
        "survey_before_step": last.step,
        "rotation": game.rotation,
        "nearest_axis_angle": angle_from_axis(complex(*game.nearest_axis)),
        "largest_modulus": math.hypot(game.real[0], game.imaginary[0]),
        "path_cosine_largest": None if path is None else max(map(abs, path.cosine)),
    } | {
        player: {
            "smallest": own.smallest,
            "largest": own.largest,
            "trace": own.trace,
            "class": own.curvature_class,
            "slice_rises_by": rise(own.slice_losses),
            "cloud_drift": found.clouds[player].whole.drift,
            "cloud_spread": found.clouds[player].whole.spread,
            "cloud_returns": found.clouds[player].whole.returns,
            "cloud_bimodality": found.clouds[player].whole.bimodality,
            **{
                name: last_of(found.measured[f"{player}/{name}"].medians)
                for name in ("sample_grad_norm", "grad_noise_scale", "instability", "sparsity_sd")
                if f"{player}/{name}" in found.measured
            },
        }
        for player, own in last.survey.players.items()
    }


def last_of(medians: tuple[float, ...]) -> float | str | None:
    """Of the last fifth that has one; JSON knows no infinity."""
    known = [m for m in medians if not math.isnan(m)]
    return None if not known else known[-1] if math.isfinite(known[-1]) else "infinite"


def angle_from_axis(value: complex) -> float:
    """Degrees between an eigenvalue and the imaginary axis: 0 turns for ever, 90 does not turn."""
    return math.degrees(math.atan2(abs(value.real), abs(value.imag)))


def rise(losses: tuple[float | None, ...]) -> float:
    """From the middle of a slice to the higher of its ends."""
    known = [math.inf if loss is None else loss for loss in losses]
    return max(known[0], known[-1]) - known[len(known) // 2]


def dirac(loss: str, penalty: float) -> dict[str, Any]:
    """Eigenvalues at the Dirac GAN's equilibrium, measured and as the theory has them."""
    theta, psi = (torch.zeros(1, dtype=torch.float64, requires_grad=True) for _ in range(2))
    slope, players = {
        "ns": (0.5, (lambda: F.softplus(-psi * theta), lambda: F.softplus(psi * theta))),
        "wgan": (1.0, (lambda: -psi * theta, lambda: psi * theta)),
    }[loss]
    of_generator, of_discriminator = players

    def penalised() -> Tensor:
        return (of_discriminator() + penalty / 2 * psi.square()).sum()

    found = game_spectrum([(lambda: of_generator().sum(), [theta]), (penalised, [psi])])
    root = complex(penalty**2 / 4 - slope**2) ** 0.5
    expected = np.sort_complex(np.array([penalty / 2 + root, penalty / 2 - root]))
    measured = np.sort_complex(found.values)
    return {
        "loss": loss,
        "r1": penalty,
        "measured": [[v.real, v.imag] for v in measured],
        "theory": [[v.real, v.imag] for v in expected],
        "largest_error": float(np.abs(measured - expected).max()),
        "rotation": found.rotation,
    }


def ring(folder: Path, seed: int, r1: float) -> float:
    """Degrees between the imaginary axis and the nearest eigenvalue, median over the last half."""
    out = folder / f"{seed}-{r1}"
    train("ring", out, {"seed": seed, "r1": r1}, landscape=True)
    summaries = [s.landscape() for s in Run.open(out).snapshots()]
    angles = [
        angle_from_axis(complex(*s.survey.game.nearest_axis))
        for s in summaries
        if s and s.survey.game
    ]
    return statistics.median(angles[len(angles) // 2 :])


def main() -> None:
    torch.set_num_threads(1)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train("ring", folder / "ring-wasserstein", {"loss": "wgangp"}, landscape=True)
        runs = [*sorted(EXAMPLES.glob("*-*")), folder / "ring-wasserstein"]
        for path in runs:
            run = Run.open(path)
            figures[path.name] = {
                "at_a_fifth": said(run, round(EARLY * run.length)),
                "at_the_end": said(run, run.length),
            }
        figures["dirac"] = [dirac(loss, r1) for loss in ("ns", "wgan") for r1 in (0.0, 0.3, 3.0)]
        figures["ring_angle_by_r1"] = {
            str(r1): [ring(folder, seed, r1) for seed in SEEDS] for r1 in PENALTIES
        }
    write_result("landscape_runs", figures, seeds={"ring": list(SEEDS)})


if __name__ == "__main__":
    main()
