"""State of a model that passes would write to: its buffers, and torch's random numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def device_of(model: nn.Module) -> torch.device:
    """The one on which its parameters lie, or a ValueError."""
    devices = {p.device for p in model.parameters()}
    if len(devices) > 1:
        listed = ", ".join(sorted(map(str, devices)))
        raise ValueError(f"the model lies on {listed}; move it to one device first")
    return next(iter(devices), torch.device("cpu"))


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Passes write to copies of the model's buffers, and torch's random state is put back.

    A graph that was made before and holds a buffer can still go back: nothing was written to it.
    """
    with copied_buffers(list(model.modules()), device_of(model)):
        yield


@contextmanager
def copied_buffers(modules: Sequence[nn.Module], device: torch.device) -> Iterator[None]:
    buffers = [(m, name, b) for m in modules for name, b in m._buffers.items()]
    copies: dict[int, Tensor] = {}  # one that is registered twice stays one
    try:
        for m, name, buffer in buffers:
            if buffer is not None:
                if id(buffer) not in copies:
                    copies[id(buffer)] = buffer.clone()
                m._buffers[name] = copies[id(buffer)]
        with torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
            yield
    finally:
        for m, name, buffer in buffers:
            m._buffers[name] = buffer
