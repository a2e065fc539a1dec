"""Plain YAML as loggers write their options."""

from __future__ import annotations

import random

import pytest

from dlcc.runs.formats.plain_yaml import mapping_of_yaml

HYDRA = """
# a comment
model:
  generator: {}
  name: dcgan   # trailing
  widths:
  - 64
  - 128
optim: {lr: 0.1}
loss: "hinge"
text: |
  lr: 5
  more
runs:
- name: a
  lr: 3
lr: 2.0e-4
flag: true
nothing: null
"""


def test_nested_keys_lists_and_what_is_left_out() -> None:
    found = mapping_of_yaml(HYDRA)
    assert found["model"] == {"generator": "{}", "name": "dcgan", "widths": [64, 128]}
    assert (found["loss"], found["lr"], found["flag"], found["nothing"]) == (
        "hinge",
        2e-4,
        True,
        None,
    )
    assert "more" not in found


def test_configuration_of_wandb() -> None:
    text = "wandb_version: 1\n_wandb:\n  value:\n    t:\n      1:\n      - 1\nlr:\n  desc: null\n"
    text += "  value: 0.5\nnet:\n  value:\n    ch: 64\n"
    assert mapping_of_yaml(text) == {"lr": 0.5, "net": {"ch": 64}}


@pytest.mark.parametrize("seed", range(5))
def test_noise_never_raises(seed: int) -> None:
    rng = random.Random(seed)
    signs = "ab1:- \n\n  [],{}|'\"#&*!%\t"
    mapping_of_yaml("".join(rng.choice(signs) for _ in range(20_000)))


def test_deep_nesting_is_bounded() -> None:
    mapping_of_yaml("\n".join(f"{' ' * i}a:" for i in range(5_000)))
