"""Places in memory and the nodes that their numbers stand for, while a step is recorded.

Views have no identity in a dispatch mode, so that a tensor is known by its place, its shape and its
strides, and by how often its memory was written.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Key = tuple[Any, ...]


class Memory:
    """Nodes of the tensors that were seen.

    >>> memory, tensor = Memory(), torch.zeros(2)
    >>> memory.remember(tensor, node=7)
    >>> memory.node_of(tensor), memory.was_seen(tensor)
    (7, True)
    >>> _ = tensor.add_(1)  # which nobody recorded
    >>> memory.node_of(tensor) is None, memory.was_seen(tensor)
    (True, True)
    """

    def __init__(self) -> None:
        self._known: dict[Key, _Known] = {}
        self._detached: dict[Key, _Known] = {}
        self._alive: list[Tensor] = []
        self._unsettled: list[tuple[_Known, Tensor]] = []

    def node_of(self, tensor: Tensor) -> int | None:
        """Find the node that a tensor's numbers are of; None where nothing seen made them."""
        known = self._known_of(tensor)
        return None if known is None or known.version != tensor._version else known.node

    def was_seen(self, tensor: Tensor) -> bool:
        """Tell whether there was a node at the tensor's place, written over or not."""
        return self._known_of(tensor) is not None

    def remember(self, tensor: Tensor, node: int, *, detached: bool = False) -> None:
        """Keep a tensor's node; a detached one has its source's place in memory."""
        key, known = _key(tensor), _Known(node, tensor._version)
        (self._detached if detached else self._known)[key] = known
        if not detached:
            self._detached.pop(key, None)
        self._alive.append(tensor)  # or its place would be given to another
        self._unsettled.append((known, tensor))

    def settle(self) -> None:
        """Read the versions of the newest results: torch counts a write after it has returned."""
        for known, tensor in self._unsettled:
            known.version = tensor._version
        self._unsettled.clear()

    def forget(self, tensor: Tensor) -> None:
        """Forget every view of a tensor's memory, which was written."""
        storage = _key(tensor)[0]
        for table in (self._known, self._detached):
            for key in [key for key in table if key[0] == storage]:
                del table[key]

    def _known_of(self, tensor: Tensor) -> _Known | None:
        key = _key(tensor)
        if not tensor.requires_grad and key in self._detached:
            return self._detached[key]
        return self._known.get(key)


class _Known:
    """Node of a tensor, and the version of its memory that the node stands for."""

    __slots__ = ("node", "version")

    def __init__(self, node: int, version: int) -> None:
        self.node, self.version = node, version


def plain_tensor(tensor: Tensor) -> Tensor:
    """Take off what torch.func wraps around a tensor."""
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(tensor):
        tensor = functorch.get_unwrapped(tensor)
    return tensor


def _key(tensor: Tensor) -> Key:
    """Place of a tensor in memory."""
    return (
        tensor.untyped_storage()._cdata,
        tensor.storage_offset(),
        tuple(tensor.shape),
        tensor.stride(),
    )
