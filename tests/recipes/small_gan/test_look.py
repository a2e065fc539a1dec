"""The losses of rows are those of the recipe, and a look at the landscape changes no training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.look import batches, losses, penalised_losses
from dlcc.recipes.train import train
from dlcc.runs import Run
from dlcc.runs.series_format import MEASURED


@pytest.mark.parametrize("loss", small_gan.LOSSES)
@pytest.mark.parametrize("r1", [0.0, 2.0])
def test_the_mean_over_rows_is_the_loss_of_the_recipe(loss: str, r1: float) -> None:
    training = small_gan.build({"loss": loss, "r1": r1, "seed": 3})
    for step in range(5):
        training.step(step)
    probe, given = training.probe(5), batches(training, 5)
    for player, per_sample in penalised_losses(training).items():
        of_rows = per_sample(training.players[player], given[player])
        assert of_rows.shape == (32,)
        assert torch.allclose(of_rows.mean(), probe[f"{player}/loss"], rtol=1e-5)
    without = losses(training)["discriminator"](training.discriminator, given["discriminator"])
    penalty = probe.get("discriminator/penalty", torch.zeros(()))
    assert torch.allclose(without.mean(), probe["discriminator/loss"] - penalty, rtol=1e-4)


def test_every_loss_of_the_recipe_has_its_rows() -> None:
    assert set(ADVERSARIAL_LOSSES) == set(small_gan.LOSSES)


@pytest.mark.slow
def test_a_look_changes_no_training_and_is_taken_up_again(tmp_path: Path) -> None:
    settings = {"steps": 200, "loss": "wgangp"}
    train("ring", tmp_path / "plain", settings)
    train("ring", tmp_path / "seen", settings, landscape=True)
    plain, seen = Run.open(tmp_path / "plain"), Run.open(tmp_path / "seen")
    others = seen.series().columns
    for name, column in plain.series().columns.items():
        assert np.array_equal(column.values, others[name].values, equal_nan=True), name
    for before, after in zip(plain.snapshots(), seen.snapshots(), strict=True):
        for name, weights in before.weights().items():
            assert np.array_equal(weights, after.weights()[name]), name
        assert before.landscape() is None
    assert {name.partition("/")[2] for name in others} >= MEASURED
    summaries = [snapshot.landscape() for snapshot in seen.snapshots()]
    assert [s.since for s in summaries if s] == [None, *(20 * k for k in range(10))]
    assert all(s and s.survey.game and s.survey.players for s in summaries)
    assert all(s and s.survey.path for s in summaries[1:])
