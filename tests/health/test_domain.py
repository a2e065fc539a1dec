"""The domain in which series alone are judged: what lies outside says why."""

from dataclasses import replace

import numpy as np
import pytest

from dlcc.health.domain import Circumstances, why_outside
from dlcc.records import Column, Series

CONFIG = {"lr_g": 1e-3, "lr_d": 1e-3, "optimizer": "adam", "width": 32, "depth": 2}
USUAL = Circumstances(2_500, {"kind": "gan", "loss": "ns"}, CONFIG, features=2)
EVERY = Series.from_start(
    {f"{player}/loss": np.ones(2_500) for player in ("generator", "discriminator")}
).columns


def every(stride: int) -> Series:
    """Both losses, logged every so many steps."""
    thinned = {
        name: Column(c.steps[::stride], c.values[::stride], c.clock[:0])
        for name, c in EVERY.items()
    }
    return Series(thinned)


LOSSES = every(10)


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
    assert "rows over the whole length" in why_outside(every(25), USUAL)[0]


def test_a_tenth_of_the_length_has_a_tenth_of_the_rows():
    early = Series({name: column.before(250) for name, column in LOSSES.columns.items()})
    assert len(early["generator/loss"].steps) == 25
    assert why_outside(early, USUAL) == ()
