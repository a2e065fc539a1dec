"""The domain in which series alone are judged: what lies outside says why."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.health.domain import Circumstances, why_outside
from dlcc.records import Series

CONFIG = {"lr_g": 1e-3, "lr_d": 1e-3, "optimizer": "adam", "width": 32, "depth": 2}
USUAL = Circumstances(2_500, {"kind": "gan", "loss": "ns"}, CONFIG, features=2)
LOSSES = Series.from_start(
    {f"{player}/loss": np.ones(250) for player in ("generator", "discriminator")}
)


def test_what_was_verified_is_inside():
    assert why_outside(LOSSES, USUAL) == ()
    assert why_outside(LOSSES, replace(USUAL, features=None)) == ()
    one_rate = {**CONFIG, "lr": 1e-3}
    del one_rate["lr_g"], one_rate["lr_d"]
    assert why_outside(LOSSES, replace(USUAL, config=one_rate)) == ()


@pytest.mark.parametrize(
    ("training", "word"),
    [
        (replace(USUAL, objective={"kind": "gan"}), "objective is not stated"),
        (replace(USUAL, objective={"loss": "relativistic"}), "relativistic"),
        (replace(USUAL, length=100), "length"),
        (replace(USUAL, length=1_000_000), "length"),
        (replace(USUAL, config={**CONFIG, "lr_g": "high"}), "learning rates"),
        (replace(USUAL, config={**CONFIG, "lr_d": 1e4}), "learning rates"),
        (replace(USUAL, config={**CONFIG, "optimizer": "lion"}), "optimizer"),
        (replace(USUAL, features=784), "784"),
        (replace(USUAL, features=None, config={**CONFIG, "width": 512}), "sizes"),
    ],
)
def test_what_was_not_is_outside(training, word):
    [why] = why_outside(LOSSES, training)
    assert word in why


def test_both_losses_and_enough_rows():
    assert "both losses" in why_outside(Series({}), USUAL)[0]
    few = Series.from_start({name: LOSSES[name].values[:100] for name in LOSSES})
    assert "100 rows" in why_outside(few, USUAL)[0]
