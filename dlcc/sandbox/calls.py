"""Calls of players, recorded inside the sandbox during a step, and made again with other tensors.

Only the tensors among a call's arguments are changed; numbers, words and objects of the run's own
stay as they were. What comes out is raw: figures are computed outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

_SHOWN_BYTES = 16 << 20  # of the tensors of one call that the outside is shown
_MOST_PARTS = 16


@dataclass
class PlayerCall:
    """First call of a player within a step, or of a part of one that is not called as a whole."""

    player: str
    path: str
    """Path of the part within the player; empty for the player itself."""
    module: nn.Module
    leaves: list[Any]
    """Arguments, taken apart: tensors and whatever else there was."""
    shape: Any
    """Structure that puts the arguments together again."""
    names: list[str]
    """Names of the arguments that the leaves come from."""
    training: bool
    """Whether it was in training mode."""
    classes: dict[int, int] = field(default_factory=dict)
    """Leaf that went into an embedding as it was -> number of classes of that."""

    @property
    def tensors(self) -> list[int]:
        """Places of the tensors among the leaves."""
        return [i for i, leaf in enumerate(self.leaves) if isinstance(leaf, Tensor)]

    def told(self) -> dict[str, Any]:
        """Describe the call in JSON."""
        return {
            "player": self.player,
            "path": self.path,
            "training": self.training,
            "leaves": [
                {
                    "name": self.names[i],
                    "dtype": str(self.leaves[i].dtype).removeprefix("torch."),
                    "classes": self.classes.get(i),
                }
                for i in self.tensors
            ],
            "others": len(self.leaves) - len(self.tensors),
        }


def record_calls(players: Mapping[str, nn.Module], run: Callable[[], object]) -> list[PlayerCall]:
    """Record the first call of each player, or of each part that is called in its place.

    Args:
        players: Players by name.
        run: Function that does a step.

    Returns:
        Calls in the order in which they happened.

    >>> net = nn.Sequential(nn.Linear(2, 1))
    >>> [call.path for call in record_calls({"model": net}, lambda: net(torch.ones(3, 2)))]
    ['']
    >>> [call.path for call in record_calls({"model": net}, lambda: net[0](torch.ones(3, 2)))]
    ['0']
    """
    calls: list[PlayerCall] = []
    with ExitStack() as stack:
        for player, module in players.items():
            for hook in _hooks(player, module, calls):
                stack.callback(hook.remove)
        run()
    return calls[:_MOST_PARTS]


def _hooks(player: str, whole: nn.Module, calls: list[PlayerCall]) -> Iterator[Any]:
    """Register hooks that keep the outermost calls within a player."""
    inside: list[tuple[str, PlayerCall | None]] = []
    seen: set[str] = set()

    def enter(path: str, part: nn.Module, args: Any, kwargs: Any) -> None:
        call = None
        if not inside and path not in seen:
            seen.add(path)
            call = _call(player, path, part, args, kwargs)
        inside.append((path, call))
        owner = inside[0][1]
        if isinstance(part, nn.Embedding) and owner is not None and args:
            _note_classes(owner, args[0], part.num_embeddings)

    def leave(path: str, output: Any) -> None:
        call = inside.pop()[1] if inside else None
        if call is not None:
            calls.append(call)

    for path, part in whole.named_modules():
        yield part.register_forward_pre_hook(
            lambda module, args, kwargs, path=path: enter(path, module, args, kwargs),
            with_kwargs=True,
            prepend=True,
        )
        yield part.register_forward_hook(
            lambda module, args, output, path=path: leave(path, output), always_call=True
        )


def _call(player: str, path: str, part: nn.Module, args: Any, kwargs: Any) -> PlayerCall:
    paths, shape = pytree.tree_flatten_with_path((args, kwargs))
    names = ["".join(str(key) for key in place[1:]) for place, _ in paths]
    leaves = [x.detach().clone() if isinstance(x, Tensor) else x for _, x in paths]
    return PlayerCall(player, path, part, leaves, shape, names, part.training)


def _note_classes(call: PlayerCall, given: Any, classes: int) -> None:
    if not isinstance(given, Tensor):
        return
    for i in call.tensors:
        leaf = call.leaves[i]
        if not leaf.is_floating_point() and torch.equal(leaf.flatten(), given.flatten()):
            call.classes[i] = classes


def shown_tensors(number: int, call: PlayerCall) -> dict[str, Tensor]:
    """Tensors of a call, by `call/leaf`, that the outside can read; none where they are large."""
    found = {f"{number}/{j}": _plain(call.leaves[i]) for j, i in enumerate(call.tensors)}
    if sum(tensor.nbytes for tensor in found.values()) > _SHOWN_BYTES:
        return {}
    return found


def call_again(
    call: PlayerCall,
    given: Sequence[Tensor],
    *,
    training: bool,
    cotangents: Sequence[Tensor] | None = None,
) -> tuple[list[Tensor], list[Tensor]]:
    """Call a player with other tensors; what it keeps of a batch, and chance, are put back.

    Args:
        call: Call that was recorded.
        given: Tensors in place of those of the call, in their order.
        training: Whether in training mode, else in evaluation mode.
        cotangents: Weights of the outputs, in their order, whose sum is differentiated; None for no
            gradients.

    Returns:
        Tensors of floating point among the outputs, and the gradients with respect to those among
        `given`, zero where there is none.

    >>> net = nn.Linear(2, 1, bias=False)
    >>> (call,) = record_calls({"model": net}, lambda: net(torch.ones(3, 2)))
    >>> weights = [torch.ones(4, 1)]
    >>> outputs, slopes = call_again(call, [torch.ones(4, 2)], training=True, cotangents=weights)
    >>> outputs[0].shape, bool((slopes[0] == net.weight).all())
    (torch.Size([4, 1]), True)
    """
    leaves = list(call.leaves)
    for i, tensor in zip(call.tensors, given, strict=True):
        leaves[i] = tensor.to(call.leaves[i])
    inputs = [leaves[i] for i in call.tensors if leaves[i].is_floating_point()]
    with _as_it_was(call.module, training), torch.set_grad_enabled(cotangents is not None):
        for tensor in inputs if cotangents is not None else ():
            tensor.requires_grad_()
        args, kwargs = pytree.tree_unflatten(leaves, call.shape)
        found = pytree.tree_leaves(call.module(*args, **kwargs))
        outputs = [x for x in found if isinstance(x, Tensor) and x.is_floating_point()]
        slopes = _slopes(outputs, inputs, cotangents) if cotangents is not None else []
    return [_plain(x) for x in outputs], slopes


def _slopes(
    outputs: Sequence[Tensor], inputs: Sequence[Tensor], cotangents: Sequence[Tensor]
) -> list[Tensor]:
    pairs = zip(outputs, cotangents, strict=True)
    weighted = [(x * c.to(x.dtype)).sum() for x, c in pairs if x.requires_grad]
    if not weighted:
        return [torch.zeros_like(x) for x in inputs]
    found = torch.autograd.grad(torch.stack(weighted).sum(), inputs, allow_unused=True)
    return [
        torch.zeros_like(x) if g is None else _plain(g) for x, g in zip(inputs, found, strict=True)
    ]


@contextmanager
def _as_it_was(module: nn.Module, training: bool) -> Iterator[None]:
    """Put modes, buffers and chance back at the end of the block, in which chance is the same."""
    modes = {part: part.training for part in module.modules()}
    buffers = [(buffer, buffer.detach().clone()) for buffer in module.buffers()]
    chance = torch.get_rng_state()
    module.train(training)
    torch.manual_seed(0)
    try:
        yield
    finally:
        torch.set_rng_state(chance)
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
        for part, mode in modes.items():
            part.training = mode


def _plain(tensor: Tensor) -> Tensor:
    """Detached tensor of a type that the outside can read."""
    tensor = tensor.detach()
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor
