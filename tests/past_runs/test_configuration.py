"""A configuration as figures."""

import math

import numpy as np
import pytest

from dlcc.past_runs.configuration import CONFIG_FEATURES, config_features, setting_key

CONFIG = {"lr_g": 1e-3, "lr_d": 4e-3, "beta1": 0.5, "beta2": 0.999, "r1": 0.0, "width": 32,
          "loss": "ns", "optimizer": "adam", "seed": 3}  # fmt: skip


def named(config):
    return dict(zip(CONFIG_FEATURES, config_features(config), strict=True))


def test_scales():
    found = named(CONFIG)
    assert found["lr_g"] == pytest.approx(-3)
    assert found["lr_ratio"] == pytest.approx(math.log10(4))
    assert found["beta2"] == pytest.approx(3)
    assert found["width"] == 5
    assert (found["loss_ns"], found["loss_mm"], found["optimizer_adam"]) == (1, 0, 1)


def test_what_is_not_said_is_nan_and_what_is_unheard_of_is_no_known_one():
    assert np.isnan(config_features({})).all()
    assert named({"loss": "mystery"})["loss_ns"] == 0


@pytest.mark.parametrize(
    "value", ["fast", True, None, float("nan"), float("inf"), [1], 0, -1, 10**400]
)
def test_nonsense_is_missing_or_finite(value):
    for key in ("width", "lr_g", "beta2", "batch"):
        figure = named({key: value})[key]
        assert math.isnan(figure) or math.isfinite(figure)


def test_settings_differ_by_everything_but_the_seed():
    assert setting_key(CONFIG) == setting_key(CONFIG | {"seed": 9})
    assert setting_key(CONFIG) != setting_key(CONFIG | {"lr_g": 2e-3})
    assert setting_key({"a": 1, "b": 2}) == setting_key({"b": 2, "a": 1})


def test_one_rate_is_that_of_both_players_where_they_have_none_of_their_own():
    rest = {"loss": "ns", "batch": 16}
    both = config_features(rest | {"lr": 1e-3})
    assert np.array_equal(
        both, config_features(rest | {"lr_g": 1e-3, "lr_d": 1e-3}), equal_nan=True
    )
    assert named({"lr": 1e-3, "lr_d": 1e-2})["lr_ratio"] == pytest.approx(1)
    assert named({"lr": 1e-3, "lr_d": None})["lr_ratio"] == 0
