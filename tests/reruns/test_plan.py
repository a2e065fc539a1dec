"""Plans of reruns."""

import numpy as np
import pytest

from dlcc.recipes.small_gan import training as small_gan
from dlcc.reruns.plan import design, factors_of, plan_reruns

CONFIG = {"lr_g": 1e-3, "lr_d": 4e-3, "beta1": 0.5, "r1": 0.0, "optimizer": "adam", "g_every": 1,
          "d_every": 5, "width": 32, "seed": 7}  # fmt: skip


def plan(n, **changes):
    return plan_reruns({**CONFIG, **changes}, n, np.random.default_rng(0))


def test_seeds_batches_and_settings_in_their_shares():
    found = plan(20)
    kinds = [rerun.kind for rerun in found]
    assert len(found) == 20
    assert (kinds.count("seed"), kinds.count("batches"), kinds.count("setting")) == (10, 2, 8)


def test_every_rerun_has_a_seed_of_its_own_and_none_the_runs():
    seeds = [rerun.config["seed"] for rerun in plan(40)]
    assert len(set(seeds)) == 40
    assert CONFIG["seed"] not in seeds


def test_other_seeds_change_nothing_else_and_other_batches_keep_the_weights():
    for rerun in plan(20):
        same = {k: v for k, v in rerun.config.items() if k != "seed"} == {
            k: v for k, v in CONFIG.items() if k != "seed"
        }
        assert same == (rerun.kind != "setting")
        assert rerun.weights_seed == (7 if rerun.kind == "batches" else None)


def test_settings_that_matter_are_those_the_configuration_has():
    assert [f.key for f in factors_of(CONFIG)] == ["lr_g", "lr_d", "beta1", "r1", "d_every"]
    assert factors_of({"width": 3, "lr_g": "fast", "r1": True, "lr": 10**400}) == []
    (rate,) = factors_of({"lr": 1e-3, "epochs": 5})
    assert (rate.key, rate.low, rate.high) == ("lr", 5e-4, 2e-3)
    assert "beta1" not in [f.key for f in factors_of({**CONFIG, "optimizer": "rmsprop"})]


@pytest.mark.parametrize("rate", [1e-5, 4.0, 7.0, 10.0])
def test_every_rerun_of_a_recipe_is_within_its_ranges(rate):
    config = vars(small_gan.Config.parse({"lr_g": rate, "lr_d": rate, "d_every": 100}))
    for rerun in plan_reruns(config, 40, np.random.default_rng(0)):
        small_gan.Config.parse(rerun.config)


@pytest.mark.parametrize("runs", [8, 16, 32, 40])
def test_the_design_is_balanced_and_its_columns_are_orthogonal(runs):
    rows = design(factors_of(CONFIG), runs)
    assert len(rows) == runs
    levels = np.array([list(row.values()) for row in rows])
    if runs in (8, 16, 32):
        products = levels.T @ levels
        assert np.array_equal(products, np.diag(np.diag(products)))
        assert (levels.sum(axis=0) == 0).all()


def test_without_factors_there_is_no_design():
    assert design([], 8) == []
    found = plan_reruns({"seed": 1}, 10, np.random.default_rng(0), batches=False)
    assert [rerun.kind for rerun in found] == ["seed"] * 10


def test_a_plan_repeats():
    assert plan(12) == plan(12)
