"""Recorder of one training step: runs beside the training's code, inside the sandbox.

It sees every operation of torch below automatic differentiation, so that a loss may be written in
any style: functions, classes, modules, compiled code, mixed precision, `autograd.grad`. Players are
known by their modules, weights by identity; nothing is known by name.

What autograd and optimisers compute is not recorded: it follows from the rest, and the outside
computes it anew.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import torch
from torch import Tensor, nn
from torch.autograd.function import BackwardCFunction
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten

from dlcc.engine.compiler import uncompiled
from dlcc.tracing.differentiation import listed, watched_differentiation
from dlcc.tracing.graph import (
    GRADIENT,
    NOISE,
    OPAQUE,
    OUTSIDE,
    PARAMETER,
    Call,
    DType,
    Leaf,
    Operation,
    Root,
    StepGraph,
    Update,
    Use,
    gradient_name,
    left_name,
    tensor_name,
    uses_in,
)
from dlcc.tracing.hand_written import WeightWatch
from dlcc.tracing.memory import Memory, plain_tensor
from dlcc.tracing.operators import CHANCE, PICKS, PURE, UNSET, base_name, writes
from dlcc.tracing.pruning import pruned

if TYPE_CHECKING:
    from collections.abc import Iterator

_HALVES = (torch.float16, torch.bfloat16)
_ROUNDED = "aten::_to_copy"
_READS = frozenset(("_local_scalar_dense", "item", "equal", "is_nonzero"))


class StepRecorder:
    """Recorder of the operations of one training step; a context manager.

    Args:
        players: Player -> its module.

    >>> import torch
    >>> player = torch.nn.Linear(3, 1)
    >>> with StepRecorder({"model": player}) as recorder:
    ...     player(torch.ones(2, 3)).sum().backward()
    >>> graph, tensors = recorder.graph()
    >>> [call.player for call in graph.calls], len(graph.roots), graph.updates
    (['model'], 1, ())
    """

    def __init__(self, players: Mapping[str, nn.Module]) -> None:
        self._players = players
        weights = {
            f"{player}/{name}": weight
            for player, module in players.items()
            for name, weight in module.named_parameters()
        }
        self._names = {id(weight): name for name, weight in weights.items()}
        self._weights = WeightWatch(weights)
        self._nodes: list[Leaf | Operation] = []
        self._values: dict[int, Tensor] = {}
        self._memory = Memory()
        self._transformed = False
        self._calls: list[Call] = []
        self._roots: list[Root] = []
        self._pending: dict[str, list[int]] = {}
        self._updates: list[Update] = []
        self._gradients: dict[str, Tensor] = {}
        self._left: dict[str, Tensor] = {}
        self._inside: list[tuple[int, tuple[int, ...]]] = []
        self._begun = 0
        self._quiet = 0
        self._closures: list[bool] = []
        self._hooked: set[Any] = set()
        self.updated: list[dict[str, Tensor]] = []
        """Weights after each optimiser's step, by `player/weight`."""

    def graph(self) -> tuple[StepGraph, dict[str, Tensor]]:
        """Give what was recorded: the graph that roots are made of, and tensors by name."""
        whole = StepGraph(
            tuple(self._nodes),
            tuple(self._calls),
            tuple(self._roots),
            tuple(self._updates),
            self._transformed,
            tuple(sorted(self._weights.written)),
        )
        step, place = pruned(whole)
        leaves = {tensor_name(place[i]): v for i, v in self._values.items() if i in place}
        return step, {**leaves, **self._gradients}

    # ------------------------------------------------------------------------ entering and leaving

    def __enter__(self) -> Self:
        from torch.optim.optimizer import (
            register_optimizer_step_post_hook,
            register_optimizer_step_pre_hook,
        )

        with ExitStack() as stack:
            stack.enter_context(uncompiled())
            for player, module in self._players.items():
                for path, part in module.named_modules():
                    for hook in self._call_hooks(player, path, part):
                        stack.callback(hook.remove)
            stack.callback(register_optimizer_step_pre_hook(self._before_update).remove)
            stack.callback(register_optimizer_step_post_hook(self._after_update).remove)
            stack.enter_context(watched_differentiation(self))
            stack.enter_context(self._hooks())
            stack.enter_context(_Watch(self))
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()
        self._weights.look()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Record nothing in the block."""
        self._quiet += 1
        try:
            yield
        finally:
            self._quiet -= 1

    # ------------------------------------------------------------------------------------ players

    def _call_hooks(self, player: str, path: str, part: nn.Module) -> list[Any]:
        """Register hooks that note what goes into and comes out of a player's part."""

        def enter(module: nn.Module, args: Any, kwargs: Any) -> None:
            with self.quiet():
                inputs = tuple(self._use(t).node for t in _tensors((args, kwargs)))
            self._inside.append((self._begun, inputs))
            self._begun += 1

        def leave(module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
            number, inputs = self._inside.pop()
            if self._quiet:
                return
            parent = self._inside[-1][0] if self._inside else -1
            with self.quiet():
                outputs = tuple(self._use(t).node for t in _tensors(output))
            self._calls.append(Call(player, path, inputs, outputs, module.training, number, parent))

        return [
            part.register_forward_pre_hook(enter, with_kwargs=True, prepend=True),
            part.register_forward_hook(leave, with_kwargs=True, always_call=False),
        ]

    # --------------------------------------------------------------------------------- operations

    def operation(
        self,
        function: Any,
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        run: Callable[[], Any],
    ) -> Any:
        """Run an operation and record it."""
        self._memory.settle()
        if self._quiet:
            return run()
        name = function._schema.name + (
            f".{function._schema.overload_name}" if function._schema.overload_name else ""
        )
        with self.quiet():
            plain = (self._plain(args), {k: self._plain(v) for k, v in kwargs.items()})
            written = _written(function, args, kwargs)
        made = run()
        with self.quiet():
            if base_name(name) not in _READS:
                self._add_results(name, plain, written, made)
        return made

    def _add_results(
        self,
        name: str,
        plain: tuple[list[Any], dict[str, Any]],
        written: list[Tensor],
        made: Any,
    ) -> None:
        for tensor in written:  # every other view of this memory is out of date
            self._memory.forget(plain_tensor(tensor))
        in_place = bool(written) and writes(name) and len(written) == 1
        for k, tensor in enumerate([written[0]] if in_place else _tensors(made)):
            if in_place and id(plain_tensor(tensor)) in self._names:
                continue  # a weight that is clipped, say, is a weight still, with new numbers
            node = self._result(name, plain, k, tensor)
            detached = base_name(name) == "detach"
            self._memory.remember(plain_tensor(tensor), node, detached=detached)

    def _result(
        self, name: str, plain: tuple[list[Any], dict[str, Any]], k: int, tensor: Tensor
    ) -> int:
        """Add the k-th tensor that an operation made: a leaf where nobody can make it again."""
        plainly = base_name(name)
        if plainly in CHANCE:
            return self._leaf(NOISE, plainly, tensor)
        if plainly in PICKS and self._is_batch(plain[0], tensor):
            return self._leaf(OUTSIDE, "", tensor)
        if plainly in PURE and plainly not in UNSET:
            args, kwargs = plain
            return self._add(Operation(name, tuple(args), kwargs, k, self._calls_now()))
        if plainly in UNSET:
            return self._leaf(OUTSIDE, "", tensor)
        sources = tuple(uses_in([*plain[0], *plain[1].values()]))
        return self._leaf(OPAQUE, name, tensor, sources)

    def _calls_now(self) -> tuple[int, ...]:
        """Numbers of the calls that are under way, the outermost first."""
        return tuple(number for number, _ in self._inside)

    def _is_batch(self, args: list[Any], tensor: Tensor) -> bool:
        """Whether a result is picked out of a larger tensor that was there before, as a batch is
        out of the data, which need not be carried along."""
        source = args[0] if args else None
        if not isinstance(source, Use) or source.grad:
            return False
        at = source.node
        rounded = self._nodes[at]
        if isinstance(rounded, Operation) and rounded.name == _ROUNDED:
            at = rounded.args[0].node
        leaf, whole = self._nodes[at], self._values.get(at)
        picked = isinstance(leaf, Leaf) and leaf.kind == OUTSIDE and whole is not None
        return picked and whole is not None and whole.numel() > tensor.numel()

    def _plain(self, value: Any) -> Any:
        """Turn an argument into plain data."""
        if isinstance(value, Tensor):
            return self._use(value)
        if isinstance(value, list | tuple):
            return [self._plain(item) for item in value]
        if isinstance(value, torch.dtype):
            return DType(str(value).removeprefix("torch."))
        if value is None or isinstance(value, bool | int | float | str):
            return value
        if isinstance(value, torch.SymInt | torch.SymFloat):
            return self._plain(int(value) if isinstance(value, torch.SymInt) else float(value))
        return None  # devices, layouts and the like, which the outside chooses itself

    # ------------------------------------------------------------------------------------- nodes

    def _add(self, node: Leaf | Operation) -> int:
        self._nodes.append(node)
        return len(self._nodes) - 1

    def _leaf(self, kind: str, name: str, tensor: Tensor, sources: tuple[Use, ...] = ()) -> int:
        """Add a leaf with its numbers; those of half precision are told in whole and rounded again,
        since arrays know no bfloat16."""
        plain = plain_tensor(tensor).detach()
        index = self._add(Leaf(kind, name, sources, tensor.requires_grad))
        if plain.dtype not in _HALVES:
            self._values[index] = plain.clone()
            return index
        self._values[index] = plain.float()
        half = {"dtype": DType(str(plain.dtype).removeprefix("torch."))}
        told = (Use(index, tensor.requires_grad),)
        return self._add(Operation(_ROUNDED, told, half, 0, self._calls_now()))

    def _use(self, tensor: Tensor) -> Use:
        """Find the node of a tensor that is used; a new leaf where nothing seen made it."""
        self._memory.settle()
        tensor = plain_tensor(tensor)
        name = self._names.get(id(tensor))
        node = self._memory.node_of(tensor)
        if node is None:
            kind = PARAMETER if name else OUTSIDE
            hidden = self._memory.was_seen(tensor) or not tensor.is_leaf
            if not name and tensor.requires_grad and hidden:
                kind = OPAQUE  # made, or written over, by what was not seen
            node = self._leaf(kind, name or "", tensor)
            self._memory.remember(tensor, node)
        return Use(node, tensor.requires_grad)

    # --------------------------------------------------------------------- roots and optimisers

    @contextmanager
    def _hooks(self) -> Iterator[None]:
        """See every hook on what the step computes: it may change the gradient that passes."""
        register = torch.Tensor.register_hook

        def registered(tensor: Tensor, hook: Any) -> Any:
            if tensor.grad_fn is not None:
                self._hooked.add(tensor.grad_fn)
            return register(tensor, hook)  # type: ignore[no-untyped-call]

        torch.Tensor.register_hook = registered  # type: ignore[method-assign]
        try:
            yield
        finally:
            torch.Tensor.register_hook = register  # type: ignore[method-assign]

    def is_weight(self, tensor: Tensor) -> bool:
        """Tell whether a tensor is a weight of a player."""
        return id(plain_tensor(tensor)) in self._names

    def differentiated(self, tensors: list[Any], seeds: list[Any], inputs: Any) -> None:
        """Note roots, and the players into whose gradients they go."""
        if self._quiet:
            return
        with self.quiet():
            only = None if inputs is None else {id(plain_tensor(t)) for t in listed(inputs)}
            reached = _reached([plain_tensor(t) for t in tensors], self._names, only)
            for player in {self._names[weight].partition("/")[0] for weight in reached}:
                weights = self._players[player].parameters()
                if not any(w.grad is not None and bool((w.grad != 0).any()) for w in weights):
                    self._pending[player] = []
            for tensor, seed in zip(tensors, seeds, strict=True):
                weight = 1.0 if seed is None else float(seed.double().mean())
                own = _has_own_gradient(tensor, self._hooked)
                self._roots.append(Root(self._use(tensor).node, weight, own))
                for player in {self._names[weight_].partition("/")[0] for weight_ in reached}:
                    self._pending.setdefault(player, []).append(len(self._roots) - 1)

    def left(self) -> None:
        """Keep the gradients that a differentiation left, before the code changes them."""
        if self._quiet:
            return
        with self.quiet():
            for player, module in self._players.items():
                for name, weight in module.named_parameters():
                    if weight.grad is not None:
                        self._left[f"{player}/{name}"] = weight.grad.detach().clone()

    def taken(self, outputs: list[Any], inputs: list[Any], seeds: list[Any], made: Any) -> None:
        """Add the gradients of outputs in inputs that the step goes on with."""
        if self._quiet:
            return
        with self.quiet():
            self._add_gradients(outputs, inputs, seeds, made)

    def transformed(self) -> None:
        """Note that the step uses a transform of torch.func that is not followed."""
        self._transformed = True

    def _add_gradients(
        self, outputs: list[Any], inputs: list[Any], seeds: list[Any], made: Any
    ) -> None:
        args = (
            [self._use(t) for t in outputs],
            [self._use(t) for t in inputs],
            [None if seed is None else self._use(seed) for seed in seeds],
        )
        for k, tensor in enumerate(made):
            if tensor is not None:
                node = self._add(Operation(GRADIENT, args, {}, k, self._calls_now()))
                self._memory.remember(plain_tensor(tensor), node)

    def _before_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        """Note an update; one with a closure makes its loss within the step, and is noted after."""
        self._memory.settle()
        if not self._closures:  # within an optimiser's step, what another one writes is its own
            with self.quiet():
                self._weights.look()
        self._closures.append(any(callable(a) for a in (*args[1:], *kwargs.values())))
        if not self._closures[-1]:
            self._note_update(optimizer)
            self._quiet += 1

    def _after_update(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._closures.pop():
            self._note_update(optimizer)
        else:
            self._quiet -= 1
        after = {}
        for group in optimizer.param_groups:  # fused kernels do not count what they write
            for weight in group["params"]:
                self._memory.forget(weight)
                if id(weight) in self._names:
                    after[self._names[id(weight)]] = weight.detach().clone()
        with self.quiet():
            self._weights.accept(after)
        self.updated.append(after)

    def _note_update(self, optimizer: Any) -> None:
        if self._quiet:
            return
        with self.quiet():
            whole = [weight for group in optimizer.param_groups for weight in group["params"]]
            known = [weight for weight in whole if id(weight) in self._names]
            players = {self._names[id(weight)].partition("/")[0] for weight in known}
            weights = [weight for weight in known if weight.grad is not None]
            names = tuple(self._names[id(weight)] for weight in weights)
            roots = sorted({root for p in players for root in self._pending.get(p, ())})
            number = len(self._updates)
            for name, weight in zip(names, weights, strict=True):
                self._gradients[gradient_name(number, name)] = weight.grad.detach().clone()
                if name in self._left:
                    self._gradients[left_name(number, name)] = self._left[name]
            climbs = any(g.get("maximize") or g.get("lr", 1) < 0 for g in optimizer.param_groups)
            update = Update(tuple(sorted(players)), names, tuple(roots), climbs)
            self._updates.append(update)


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Mode that hands every operation to a recorder."""

    def __init__(self, recorder: StepRecorder) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._recorder = recorder

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        return self._recorder.operation(func, args, kwargs, lambda: func(*args, **kwargs))


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_flatten(values)[0] if isinstance(value, Tensor)]


def _written(function: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Tensor]:
    """Tensors among the arguments that an operation writes into."""
    declared = function._schema.arguments
    given = itertools.chain(
        zip(declared, args, strict=False),
        ((a, kwargs[a.name]) for a in declared if a.name in kwargs),
    )
    changed = [v for a, v in given if a.alias_info is not None and a.alias_info.is_write]
    return _tensors(changed)


def _has_own_gradient(tensor: Tensor, hooked: set[Any]) -> bool:
    """Whether code that is no operation of torch has a part in a tensor's gradient."""
    return any(
        function in hooked
        or isinstance(function, BackwardCFunction)
        or bool(getattr(getattr(function, "variable", None), "_backward_hooks", None))
        for function in _functions([tensor])
    )


def _reached(
    tensors: Sequence[Tensor], names: Mapping[int, str], only: set[int] | None
) -> set[int]:
    """Weights that the autograd graph of tensors reaches."""
    weights = {id(getattr(function, "variable", None)) for function in _functions(tensors)}
    return {w for w in weights if w in names and (only is None or w in only)}


def _functions(tensors: Sequence[Tensor]) -> set[Any]:
    """Nodes of the autograd graph of tensors."""
    seen: set[Any] = set()
    stack = [tensor.grad_fn for tensor in tensors]
    while stack:
        function = stack.pop()
        if function is not None and function not in seen:
            seen.add(function)
            stack += [following for following, _ in function.next_functions]
    return seen
