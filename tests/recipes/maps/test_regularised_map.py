"""The map with a penalty on its weights or dropout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcc.errors import OptionError
from dlcc.recipes import get_recipe
from dlcc.recipes.maps import mmd_maps
from dlcc.recipes.maps import regularised_map as regularised
from dlcc.recipes.train import train
from dlcc.runs import Run

NUMBER = 2 * 125 + 125 * 125 + 125 * 2
"""Of weights, biases left out."""


@pytest.mark.parametrize("variant", ["mended", "paper"])
@pytest.mark.parametrize(("kind", "expected"), [("l1", 0.3 * NUMBER / 2), ("l2", 0.3 * NUMBER / 4)])
def test_the_penalty_of_equal_weights(variant: str, kind: str, expected: float) -> None:
    """Every weight is ±1/2; biases, which are 7, do not count."""
    config = {"variant": variant, "regulariser": kind, "strength": 0.3, "batch": 10}
    training = regularised.build(config)
    with torch.no_grad():
        for layer in training.generator.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.copy_(layer.weight.sign() / 2)
                layer.bias.fill_(7)
    row = training.step(0)
    distance = {"mended": "sliced_wasserstein", "paper": "mmd"}[variant]
    assert row["generator/penalty"] == pytest.approx(expected, rel=1e-5)
    assert row["generator/loss"] == pytest.approx(expected + row[f"generator/{distance}"], rel=1e-5)


def test_the_update_descends_the_distance_and_the_penalty() -> None:
    """The gradient is that of both: the same as without penalty, and 2λw more on weights alone."""
    slopes: dict[str, list[Tensor]] = {}
    for kind in ("none", "l2"):
        training = regularised.build({"regulariser": kind, "strength": 0.1, "batch": 20})
        before = [p.detach().clone() for p in training.generator.parameters()]
        training.step(0)
        slopes[kind] = [p.grad for p in training.generator.parameters() if p.grad is not None]
    for p, plain, both in zip(before, slopes["none"], slopes["l2"], strict=True):
        assert torch.allclose(both, plain + 0.2 * p * (p.dim() == 2), atol=1e-5)


def test_without_penalty_and_dropout_it_is_the_map_itself() -> None:
    settings = {"seed": 5, "batch": 50}
    plain, same = mmd_maps.build(settings), regularised.build(settings)
    assert [plain.step(step) for step in range(10)] == [same.step(step) for step in range(10)]
    assert torch.equal(plain.sample(20, 1), same.sample(20, 1))


def test_a_heavy_l1_drives_all_weights_to_0_and_the_record_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmd_maps, "RATE", 0.1)  # the way to 0 in a tenth of the steps
    settings = {"regulariser": "l1", "strength": 1.0, "batch": 8, "epochs": 5}
    train("map-reg", tmp_path / "run", settings, snapshots=1)
    run = Run.open(tmp_path / "run")
    penalty = run.series().columns["generator/penalty"].values  # Σ|w|, for the strength is 1
    assert penalty[0] > 1000
    assert penalty[-1] < 1e-3 * penalty[0]
    assert penalty[-1] / NUMBER < 1e-3
    assert np.ptp(run.samples(run.length), axis=0).max() < 0.02  # all that is left is a bias


def test_samples_are_made_with_all_units() -> None:
    """Dropout changes what is trained on, and nothing of what the same weights are sampled to."""
    dropped = regularised.build({"dropout": 0.5, "batch": 20})
    whole = regularised.build({"batch": 20})
    assert dropped.step(0)["generator/loss"] != whole.step(0)["generator/loss"]
    for mine, its in zip(dropped.generator.parameters(), whole.generator.parameters(), strict=True):
        mine.data.copy_(its.data)
    assert torch.equal(dropped.sample(50, 2), whole.sample(50, 2))
    assert dropped.step(1)["generator/loss"] != whole.step(1)["generator/loss"]


def test_dropout_stands_behind_both_hidden_layers() -> None:
    (net,) = regularised.make_players(regularised.Config.parse({"dropout": 0.3})).values()
    kinds = [type(layer) for layer in net.children()]
    hidden = [nn.Linear, nn.Sigmoid, nn.Dropout]
    assert kinds == [*hidden, *hidden, nn.Linear]
    assert {layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)} == {0.3}


def test_a_run_with_dropout_is_taken_up_bit_for_bit(tmp_path: Path) -> None:
    settings = {"dropout": 0.3, "regulariser": "l1", "epochs": 20, "batch": 400, "seed": 3}

    def interrupt(done: int, total: int) -> None:
        if done == 23:
            raise KeyboardInterrupt

    train("map-reg", tmp_path / "whole", settings, snapshots=4)
    with pytest.raises(KeyboardInterrupt):
        train("map-reg", tmp_path / "broken", settings, snapshots=4, progress=interrupt)
    train("map-reg", tmp_path / "broken", settings, snapshots=4)
    one, other = Run.open(tmp_path / "whole"), Run.open(tmp_path / "broken")
    for quantity, column in one.series().columns.items():
        others = other.series().columns[quantity].values
        assert np.array_equal(column.values, others, equal_nan=True), quantity
    assert np.array_equal(one.samples(one.length), other.samples(other.length))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"dropout": 0.95}, "dropout is 0.95: give a value from 0 to 0.9"),
        ({"dropout": -0.1}, "dropout is -0.1: give a value from 0 to 0.9"),
        ({"strength": -1}, "strength is -1: give a value from 0 to 100"),
        ({"strength": "much"}, "strength is 'much': give a number"),
        ({"regulariser": "l3"}, "regulariser is 'l3': choose one of none, l1, l2"),
        ({"variant": "paper"}, "no key 'variant'; its keys are epochs"),
    ],
)
def test_a_wrong_value_is_refused_with_its_range(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(OptionError, match=said):
        get_recipe("map-reg").configure(settings)


@pytest.mark.parametrize(
    ("settings", "stated", "left_out"),
    [
        ({}, [], ["λ", "lambda", "dropped with"]),
        (
            {"regulariser": "l1", "strength": 1e-5},
            ["the L1 penalty with $\\lambda = 0.00001$", "P = \\lambda\\sum_k |w_k|"],
            ["w_k^2", "dropped with"],
        ),
        (
            {"regulariser": "l2", "strength": 0.1, "dropout": 0.25},
            ["$\\lambda = 0.1$", "P = \\lambda\\sum_k w_k^2", "with probability 0.25"],
            ["|w_k|"],
        ),
    ],
)
def test_the_page_states_what_is_minimised(
    settings: dict[str, Any], stated: list[str], left_out: list[str]
) -> None:
    recipe = get_recipe("map-reg")
    config = recipe.configure(settings)
    page = recipe.family.page(recipe, config)
    assert "\\frac{1}{48 m}" in page
    for text in stated:
        assert text in page
    for text in left_out:
        assert text not in page
    for key, value in config.items():
        assert f"| {key} | {value} |" in page
