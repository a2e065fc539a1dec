"""Fixed points of a kind's objectives, against losses that were written down elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from dlcc.kinds import Objective
from dlcc.kinds.gan import OBJECTIVES
from dlcc.stages.consistency.objectives import OBJECTIVES as CHECKS

CHECKED = {**CHECKS, "wgan": CHECKS["wgangp"]}  # the same losses, but for the penalty
RELATIVISTIC = "relativistic"  # it sees pairs, and the checks know no loss of pairs
GRID = np.linspace(-200, 200, 400_001)


def discriminator(objective: Objective, real: float, fake: float) -> float:
    if objective.name == RELATIVISTIC:
        return float(np.logaddexp(0, fake - real))
    return float(CHECKED[objective.name].discriminator(np.array([real]), np.array([fake]))[0])


def generator(objective: Objective, fake: float) -> float:
    """Loss where the discriminator answers alike to data and samples."""
    if objective.name == RELATIVISTIC:
        return float(np.logaddexp(0, fake - fake))
    return float(CHECKED[objective.name].generator(np.array([fake]))[0])


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_at_chance_is_the_loss_of_outputs_of_nothing(objective: Objective) -> None:
    if not objective.at_chance:
        assert objective.name in ("wgangp", "wgan")  # a constant can be added to its outputs
        return
    assert objective.at_chance["discriminator"] == pytest.approx(discriminator(objective, 0, 0))
    assert objective.at_chance["generator"] == pytest.approx(generator(objective, 0))


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_at_equilibrium_the_discriminator_answers_alike_to_both_and_its_best(
    objective: Objective,
) -> None:
    if not objective.at_equilibrium:
        losses = [discriminator(objective, c, c) for c in (-3.0, 0.0, 5.0)]
        assert max(losses) == min(losses)  # every output is as good: there is no level
        return
    best = minimize_scalar(lambda c: discriminator(objective, c, c), bounds=(-3, 3)).x
    if objective.name == "hinge":
        best = 0.0  # all of [-1, 1] are as good; this is their middle
    assert objective.at_equilibrium["discriminator"] == pytest.approx(
        discriminator(objective, best, best), abs=1e-6
    )
    assert objective.at_equilibrium["generator"] == pytest.approx(
        generator(objective, best), abs=1e-4
    )


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_floors_and_ceilings_are_the_least_and_largest_losses_of_any_outputs(
    objective: Objective,
) -> None:
    if objective.name == RELATIVISTIC:
        losses = np.logaddexp(0, GRID)  # of either player, of any difference
        assert objective.floor == dict.fromkeys(objective.formula, 0.0)
        assert losses.min() == pytest.approx(0, abs=1e-6)
        assert losses.max() > 100
        return
    checked = CHECKED[objective.name]
    pairs = {
        "discriminator": np.concatenate(
            [checked.discriminator(GRID, other) for other in (-GRID, GRID, 1 - GRID)]
        ),
        "generator": checked.generator(GRID),
    }
    for player, losses in pairs.items():
        if player in objective.floor:
            assert losses.min() == pytest.approx(objective.floor[player], abs=1e-6)
        else:
            assert losses.min() < -100
        if player in objective.ceiling:
            assert losses.max() == pytest.approx(objective.ceiling[player], abs=1e-6)
        else:
            assert losses.max() > 100


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda o: o.name)
def test_probabilities_are_logged_where_the_checks_take_them_for_such(objective: Objective) -> None:
    raw = objective.name == RELATIVISTIC
    assert (objective.output == "probability") == (not raw and CHECKED[objective.name].probability)
