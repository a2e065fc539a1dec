"""Maps between distributions: as the paper has them and mended."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from dlcc.recipes import get_recipe, truth
from dlcc.recipes.distances import mmd
from dlcc.recipes.map_networks import Chained, centre, fully_connected
from dlcc.recipes.maps import mmd_maps as maps
from dlcc.recipes.train import train
from dlcc.runs import Run


@pytest.mark.parametrize(("name", "ends_with"), [("f1", 0.0873), ("f2", 0.0967), ("f3", 0.0287)])
def test_beside_the_kernel_a_point_has_the_loss_that_the_tables_end_with(
    name: str, ends_with: float
) -> None:
    y = maps.target(name, 3000, np.random.default_rng(0))
    point = y.mean(dim=0).expand(3000, 2) if name == "f1" else torch.zeros(3000, 2)
    assert float(mmd(point, y, maps.MAPS[name].width)) == pytest.approx(ends_with, rel=0.1)


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


@pytest.mark.parametrize("activation", [nn.Sigmoid, nn.Tanh])
def test_centred_units_are_in_the_middle_of_their_range_at_their_points(
    activation: type[nn.Module],
) -> None:
    torch.manual_seed(0)
    net = fully_connected((2, 30, 30, 2), activation)
    points = torch.randn(30, 2)
    centre(net, points, steepness=5.0)
    middle = activation()(torch.zeros(30))
    assert net[0](points).diagonal().detach().numpy() == pytest.approx(np.zeros(30), abs=1e-4)
    assert net[2](middle).detach().numpy() == pytest.approx(np.zeros(30), abs=1e-4)
    assert net[4](middle).detach().numpy() == pytest.approx(np.zeros(2), abs=1e-4)
    steepness = next(net.parameters()).std()
    assert steepness.item() == pytest.approx(5.0, rel=0.4)


def test_players_are_a_function_of_the_seed() -> None:
    """Whatever torch's generator has given before, which is left as it was."""
    before = torch.random.get_rng_state()
    first, again, other = (
        maps.make_players(maps.Config.parse({"seed": seed}))["generator"] for seed in (1, 1, 2)
    )
    assert torch.equal(torch.random.get_rng_state(), before)
    x = torch.randn(5, 2)
    assert torch.equal(first(x), again(x))
    assert not torch.equal(first(x), other(x))


def test_the_second_net_of_the_paper_takes_what_the_first_gives() -> None:
    (net,) = maps.make_players(maps.Config.parse({"map": "f3", "variant": "paper"})).values()
    u = torch.rand(5, 1)
    assert isinstance(net, Chained)
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
