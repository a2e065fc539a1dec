"""config.json as a training script writes it, and what of it is believed."""

from __future__ import annotations

from typing import Any

import pytest

from dlcc.errors import RunError
from dlcc.runs import Run
from tests.runs.formats.conftest import Leave

METRICS = "step,d_loss,g_loss\n0,1,2\n9,1,2\n"


def test_known_keys_take_our_names(leave: Leave) -> None:
    config = {
        "dataset": "cifar10", "width": 64, "depth": 3, "batch": 128.0, "optim": "Adam",
        "loss": "NS", "lr_g": 2e-4, "lr_d": 1, "beta1": 0, "beta2": 0.999, "zdim": 100,
        "init": 0.02, "g_every": 1, "d_every": 5, "seed": -7, "total_iterations": 100,
    }  # fmt: skip
    manifest = Run.open(leave(METRICS, config)).manifest
    assert manifest.config == {
        "data": "cifar10", "width": 64, "depth": 3, "batch": 128, "optimizer": "adam",
        "loss": "ns", "lr_g": 2e-4, "lr_d": 1.0, "beta1": 0.0, "beta2": 0.999, "zdim": 100,
        "init": 0.02, "g_every": 1, "d_every": 5, "seed": -7, "steps": 100,
    }  # fmt: skip
    assert type(manifest.config["batch"]) is int
    assert manifest.data == {"name": "cifar10"}
    assert manifest.objective == {"kind": "gan", "loss": "ns"}
    assert (manifest.seed, manifest.length, manifest.players) == (-7, 100, {})
    assert manifest.training is None


def test_other_keys_are_kept_and_lists_named(leave: Leave) -> None:
    config = {"r1": 0.5, "note": "ü", "amp": True, "gpu": None, "lr_g": None,
              "betas": [0, 1], "net": {"a": 1}, "data": "/datasets", "dataset": "x"}  # fmt: skip
    run = Run.open(leave(METRICS, config))
    assert run.manifest.config == {
        "r1": 0.5, "note": "ü", "amp": True, "gpu": None, "data": "x",
    }  # fmt: skip
    (note,) = run.notes
    assert "config.json: left out keys betas, net, data: single values" in note


def test_keys_of_ours_are_others_there(leave: Leave) -> None:
    manifest = Run.open(leave(METRICS, {"steps": "many", "data": 5})).manifest
    assert manifest.config == {"steps": "many", "data": 5}
    assert (manifest.length, manifest.data) == (None, {})


@pytest.mark.parametrize("config", [None, {}])
def test_without_it_the_length_is_that_of_the_record(config: Any, leave: Leave) -> None:
    run = Run.open(leave(METRICS, config))
    assert (run.manifest.config, run.manifest.length, run.length) == ({}, None, 10)


def test_a_byte_order_mark_is_no_harm(leave: Leave) -> None:
    assert Run.open(leave(METRICS, '\ufeff{"width": 3}')).manifest.config == {"width": 3}


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ("", "not valid JSON"),
        ('{"a": 1', "not valid JSON"),
        ('{"a": ' * 100_000, "not valid JSON"),
        ("[1]", "expected a JSON object such as .* found list"),
        ("3", "expected a JSON object such as .* found int"),
        ('{"lr_g": NaN}', "key lr_g: expected a number from 0 to 1000, found nan"),
        ('{"lr_g": 1e999}', "key lr_g: expected a number from 0 to 1000, found inf"),
        ('{"temperature": NaN}', "key temperature: expected a finite number, found nan"),
        ('{"temperature": -Infinity}', "key temperature: expected a finite number, found -inf"),
        ({"big": 2**64}, "key big: expected a whole number of at most 64 bits"),
        ({"lr_g": "fast"}, "key lr_g: expected a number .*'fast'; correct it or take the key out"),
        ({"lr_d": -1}, "key lr_d: expected a number from 0 to 1000, found -1"),
        ({"beta1": 1.5}, "key beta1: expected a number from 0 to 1, found 1.5"),
        ({"width": [64, 64]}, r"key width: expected a whole number .*\[64, 64\]"),
        ({"width": 64.5}, "key width: expected a whole number from 1 to .*64.5"),
        ({"batch": True}, "key batch: expected a whole number .*True"),
        ({"depth": 0}, "key depth: expected a whole number from 1 .*found 0"),
        ({"total_iterations": 2**54}, "key total_iterations: expected a whole number"),
        ({"total_iterations": "1e5"}, "key total_iterations: expected a whole number"),
        ({"seed": "one"}, "key seed: expected a whole number"),
        ({"dataset": 5}, "key dataset: expected a text, found 5"),
        ({"optim": ""}, "key optim: expected a text"),
        ({"loss": "x" * 5, "init": "xavier"}, "key init: expected a number .*'xavier'"),
        ('"' + "x" * (2 << 20) + '"', "2097154 bytes, expected at most 1048576"),
    ],
)
def test_a_config_json_with_a_wrong_value(config: Any, what: str, leave: Leave) -> None:
    with pytest.raises(RunError, match=rf"config\.json: {what}") as caught:
        Run.open(leave(METRICS, config))
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400
