"""Maps between distributions: as the paper has them and mended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlcc.recipes import get_recipe, truth
from dlcc.recipes import mmd_maps as maps
from dlcc.recipes.train import train
from dlcc.runs import Run


def test_the_distance_is_that_of_loops() -> None:
    torch.manual_seed(0)
    x, y, r = torch.randn(6, 2), torch.randn(4, 2), 1.7

    def kernel(a: torch.Tensor, b: torch.Tensor) -> float:
        return float(torch.exp(-(a - b).square().sum() / r))

    pairs = [kernel(x[i], x[j]) for i in range(6) for j in range(6) if i != j]
    others = [kernel(y[i], y[j]) for i in range(4) for j in range(4) if i != j]
    across = [kernel(a, b) for a in x for b in y]
    expected = np.mean(pairs) + np.mean(others) - 2 * np.mean(across)
    assert float(maps.mmd(x, y, r)) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(("name", "ends_with"), [("f1", 0.0873), ("f2", 0.0967), ("f3", 0.0287)])
def test_beside_the_kernel_a_point_has_the_loss_that_the_tables_end_with(
    name: str, ends_with: float
) -> None:
    y = maps.target(name, 3000, np.random.default_rng(0))
    point = y.mean(dim=0).expand(3000, 2) if name == "f1" else torch.zeros(3000, 2)
    assert float(maps.mmd(point, y, maps.MAPS[name].width)) == pytest.approx(ends_with, rel=0.1)


def test_the_sliced_distance_of_a_shift() -> None:
    """W₂² along a direction is the square of the shift's part in it: half of it on average."""
    x = torch.randn(500, 2)
    shift = torch.tensor([3.0, -1.0])
    found = maps.sliced_wasserstein(x, x + shift, slices=20_000)
    assert float(found) == pytest.approx(float(shift.square().sum()) / 2, rel=0.03)


@pytest.mark.parametrize("name", maps.MAPS)
@pytest.mark.parametrize("variant", ["paper", "mended"])
def test_layers_and_lengths(name: str, variant: str) -> None:
    config = maps.Config.parse({"map": name, "variant": variant})
    (net,) = maps.make_players(config).values()
    sizes = [(m.in_features, m.out_features) for m in net.modules() if isinstance(m, nn.Linear)]
    wide = [(2, 125), (125, 125), (125, 2)]
    assert sizes == ([(1, 50), (50, 50), (50, 1)] * 2 if name == "f3" else wide)
    epochs = {"f1": 1000, "f2": 1600, "f3": 300}[name]
    assert variant == "mended" or maps.length(config) == 8 * epochs
    assert net(maps.inputs(name, 7, np.random.default_rng(0))).shape == (7, 2)


def test_the_second_net_of_the_paper_takes_what_the_first_gives() -> None:
    (net,) = maps.make_players(maps.Config.parse({"map": "f3", "variant": "paper"})).values()
    u = torch.rand(5, 1)
    assert isinstance(net, maps.Chained)
    assert torch.equal(net(u)[:, 1:], net[1](net(u)[:, :1]))


@pytest.mark.parametrize(
    ("name", "variant"), [("f1", "mended"), ("f2", "paper"), ("f3", "paper"), ("f3", "mended")]
)
def test_a_run_is_recorded_and_taken_up_bit_for_bit(
    tmp_path: Path, name: str, variant: str
) -> None:
    settings = {"variant": variant, "epochs": 20 if variant == "mended" else 5, "seed": 3}

    def interrupt(done: int, total: int) -> None:
        if done == 23:
            raise KeyboardInterrupt

    whole, broken = tmp_path / "whole", tmp_path / "broken"
    judged = train(f"map-{name}", whole, settings, snapshots=4)
    assert judged == truth.read(whole)
    with pytest.raises(KeyboardInterrupt):
        train(f"map-{name}", broken, settings, snapshots=4, progress=interrupt)
    train(f"map-{name}", broken, settings, snapshots=4)
    one, other = Run.open(whole), Run.open(broken)
    for quantity, column in one.series().columns.items():
        others = other.series().columns[quantity].values
        assert np.array_equal(column.values, others, equal_nan=True), quantity
    held = {q for q in one.series().columns if q.endswith(("validation_mmd", "test_mmd"))}
    assert len(held) == (2 if variant == "paper" else 0)
    assert one.manifest.data == {"name": maps.MAPS[name].target}


def test_targets_fill_their_cells_and_points_do_not() -> None:
    rng = np.random.default_rng(0)
    for name in maps.MAPS:
        family = get_recipe(f"map-{name}").family
        config = get_recipe(f"map-{name}").configure({})
        drawn = family.as_target(maps.target(name, 2000, rng).numpy(), config)
        found = truth.judge_samples(family.data(config), 0, drawn)
        assert (found.coverage, found.quality) == (1.0, 1.0)
        point = truth.judge_samples(family.data(config), 0, np.zeros((2000, 2)))
        assert point.coverage < 0.05
