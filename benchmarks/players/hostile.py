"""Players whose code does harm, or answers rubbish, on inputs other than those of a step."""

import os
import time

import torch
from torch import nn
from training import OnePlayer


class Hostile(nn.Module):
    def __init__(self, deed):
        super().__init__()
        self.net, self.deed, self.calls = nn.Linear(8, 2), deed, 0

    def forward(self, x):
        self.calls += 1
        if self.calls > 4:
            return self.deed(self.net(x))
        return self.net(x)


def sleeps(made):
    time.sleep(10_000)


def forks(made):
    while True:
        try:
            os.fork()
        except OSError:
            time.sleep(0.1)


def allocates(made):
    held = []
    while True:
        held.append(torch.ones(1 << 24))


def exits(made):
    os._exit(0)


def returns_words(made):
    return "nothing"


def returns_another_shape(made):
    return made[0].sum()


def returns_much(made):
    return made.sum() * torch.ones(1 << 27)


def raises(made):
    raise RuntimeError("no \x1b[2J more\n" * 1000)


DEEDS = {
    deed.__name__: deed
    for deed in (
        sleeps, forks, allocates, exits, returns_words, returns_another_shape, returns_much, raises
    )
}  # fmt: skip


def build(config):
    """Build the training of a deed."""
    player = Hostile(DEEDS[config["case"]])
    n = config["batch"]
    return OnePlayer(player, lambda generator: ([torch.randn(n, 8, generator=generator)], {}))
