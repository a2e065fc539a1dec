"""Sampling that leaves a training as it is: networks, gradients and random numbers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from dlcc.landscape.model_state import copied_buffers
from dlcc.runs.seeding import SAMPLES, StepSeeds, seeded


@contextmanager
def sampling(networks: Iterable[nn.Module], seed: int, number: int) -> Iterator[None]:
    """Draw samples in the block, without gradients, from numbers of (seed, number).

    Modes and buffers of the networks are put back after it, and so are the global generators.

    Args:
        networks: Networks that the block may use.
        seed: Seed of the training.
        number: Number of the draw; the same one gives the same samples.

    >>> norm = nn.BatchNorm1d(1)
    >>> with sampling([norm], 0, 0):
    ...     made = norm.eval()(norm.train()(torch.randn(4, 1)))
    >>> norm.running_mean, norm.training, made.requires_grad
    (tensor([0.]), True, False)
    """
    modules = [module for network in networks for module in network.modules()]
    modes = [module.training for module in modules]
    drawn = seeded(StepSeeds(seed, SAMPLES)(number))
    with drawn, torch.no_grad(), copied_buffers(modules, torch.device("cpu")):
        yield
    for module, mode in zip(modules, modes, strict=True):
        module.training = mode
