"""Global random numbers as a function of a seed and a step, the caller's own left as they were."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

STEPS, SAMPLES, BATCHES, WEIGHTS = range(4)
"""Streams of a seed, which keep what is drawn for different purposes apart."""
CHUNK = 64  # seeds made at once: mixing one costs as much as mixing many
_32_BITS = 2**32 - 1
_numpy: Any = np.random  # whose stubs leave exchanging the generator out
_spare: list[Any] = []
_seed_of_build: ContextVar[int] = ContextVar("seed", default=0)


class StepSeeds:
    """Seeds of steps: a function of the training's seed, the stream, the rank and the step alone.

    >>> seeds = StepSeeds(7, STEPS)
    >>> seeds(100) == StepSeeds(7, STEPS)(100), seeds(100) == seeds(101)
    (True, False)
    """

    def __init__(self, seed: int, stream: int, rank: int = 0) -> None:
        self._key = (seed & (2**64 - 1), stream, *([rank] if rank else []))
        self._chunk = -1
        self._seeds: list[int] = []

    def __call__(self, step: int) -> int:
        """Seed of a step, of 64 bits."""
        chunk, place = divmod(step, CHUNK)
        if chunk != self._chunk:
            mixed = np.random.SeedSequence([*self._key, chunk])
            self._seeds = mixed.generate_state(CHUNK, np.uint64).tolist()
            self._chunk = chunk
        return self._seeds[place]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed torch's, numpy's and random's global generators, and put the caller's back.

    Those of CUDA are seeded where CUDA is in use already. Takes some 15 microseconds: numpy's
    generator is exchanged, for reading its state alone would take 50; what the caller loses is the
    second normal number that numpy's legacy generator may hold ready.

    Args:
        seed: Seed of 64 bits.

    >>> import torch
    >>> with seeded(3):
    ...     first = torch.rand(1).item(), random.random(), np.random.rand()
    >>> with seeded(3):
    ...     first == (torch.rand(1).item(), random.random(), np.random.rand())
    True
    """
    import torch

    on_cuda = bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
    of_torch, of_numpy, of_python = (
        torch.get_rng_state(),
        _numpy.get_bit_generator(),
        random.getstate(),
    )
    on_devices = torch.cuda.get_rng_state_all() if on_cuda else []
    _numpy.set_bit_generator(_exchanged())
    _seed_all(seed)
    try:
        yield
    finally:
        torch.set_rng_state(of_torch)
        _spare.append(_numpy.get_bit_generator())
        _numpy.set_bit_generator(of_numpy)
        random.setstate(of_python)
        if on_devices:
            torch.cuda.set_rng_state_all(on_devices)


def _seed_all(seed: int) -> None:
    """Seed the global generators."""
    import torch

    # Not by torch.manual_seed: before CUDA is in use that notes every call, with a stack of frames.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    np.random.seed(seed & _32_BITS)
    random.seed(seed)


def _exchanged() -> Any:
    """Generator to take the place of numpy's; making one costs as much as a hundred numbers."""
    return _spare.pop() if _spare else np.random.MT19937(0)


def built(build: Callable[[dict[str, Any]], T], config: Mapping[str, Any]) -> T:
    """Build a training from its configuration, with the global generators seeded by its `seed`.

    So weights that are drawn while it is built are those of the seed, whoever builds it. The
    generators are left as the training leaves them, for it may go on drawing from them.

    Args:
        build: Function that takes the configuration.
        config: Configuration in plain values; without a whole number as its `seed` 0 is the seed.

    Returns:
        What `build` returns.

    >>> import torch
    >>> nets = [built(lambda config: torch.nn.Linear(2, 1), {"seed": 1}) for _ in range(2)]
    >>> torch.equal(nets[0].weight, nets[1].weight)
    True
    """
    seed = config.get("seed")
    seed = seed if type(seed) is int else 0
    token = _seed_of_build.set(seed)
    try:
        _seed_all(StepSeeds(seed, WEIGHTS)(0))
        return build(dict(config))
    finally:
        _seed_of_build.reset(token)


def seed_of_build() -> int:
    """Seed of the configuration that a training is being built from; 0 outside of `built`.

    >>> built(lambda config: seed_of_build(), {"seed": 5}), seed_of_build()
    (5, 0)
    """
    return _seed_of_build.get()
