"""State of a model that passes would write to: its buffers, and torch's random numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn


def device_of(model: nn.Module) -> torch.device:
    """Find the device on which a model's parameters lie.

    Args:
        model: any; one without parameters lies on the CPU.

    Returns:
        The device.

    Raises:
        ValueError: they lie on two.

    >>> from torch import nn
    >>> device_of(nn.Linear(2, 1))
    device(type='cpu')
    """
    devices = {p.device for p in model.parameters()}
    if len(devices) > 1:
        listed = ", ".join(sorted(map(str, devices)))
        raise ValueError(f"the model lies on {listed}; move it to one device first")
    return next(iter(devices), torch.device("cpu"))


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Let passes write to copies of a model's buffers, and put torch's random state back.

    A graph that was made before and holds a buffer can still go back: nothing was written to it.

    Args:
        model: module whose buffers are copied.

    Raises:
        ValueError: its parameters lie on two devices.

    >>> import torch
    >>> from torch import nn
    >>> norm = nn.BatchNorm1d(1)
    >>> with unchanged(norm):
    ...     out = norm(torch.tensor([[0.0], [2.0]]))
    >>> norm.running_mean, norm.num_batches_tracked
    (tensor([0.]), tensor(0))
    """
    with copied_buffers(list(model.modules()), device_of(model)):
        yield


@contextmanager
def copied_buffers(modules: Sequence[nn.Module], device: torch.device) -> Iterator[None]:
    """Let passes write to copies of some modules' buffers, and put torch's random state back.

    Args:
        modules: modules whose own buffers are copied; a buffer that two of them share stays one.
        device: device of their parameters, whose random state is put back too.

    >>> import torch
    >>> from torch import nn
    >>> norm = nn.BatchNorm1d(1)
    >>> with copied_buffers([norm], torch.device("cpu")):
    ...     norm.running_mean.add_(1)
    tensor([1.])
    >>> norm.running_mean
    tensor([0.])
    """
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
