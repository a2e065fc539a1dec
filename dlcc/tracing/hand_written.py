"""Weights that the code writes itself, outside of optimisers' steps."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from torch import Tensor


class WeightWatch:
    """Watch on weights: whose numbers change between optimisers' steps are written by hand.

    Numbers are compared and not operations, for a weight may be written by way of its `.data`, or
    given another memory.

    Args:
        weights: Name -> weight.

    >>> import torch
    >>> net = torch.nn.Linear(2, 1)
    >>> watch = WeightWatch(dict(net.named_parameters()))
    >>> net.weight.data -= 0.1
    >>> watch.look()
    >>> watch.written
    {'weight'}
    """

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = weights
        self._last = {name: weight.detach().clone() for name, weight in weights.items()}
        self.written: set[str] = set()
        """Names of weights that were written by hand so far."""

    def look(self) -> None:
        """Note what was written since the last look."""
        changed = [n for n, weight in self._weights.items() if not _same(weight, self._last[n])]
        self.written |= set(changed)
        self.accept(changed)

    def accept(self, names: Iterable[str]) -> None:
        """Take weights as they are now, which an optimiser has written."""
        for name in names:
            self._last[name] = self._weights[name].detach().clone()


def _same(one: Tensor, other: Tensor) -> bool:
    one = one.detach()
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    return bool(((one == other) | ((one != one) & (other != other))).all())
