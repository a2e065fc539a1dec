"""Recorded loss as a formula in D(x) and D(G(z)), where its operations are few and known.

Only what is understood to the last argument becomes a formula; everything else is refused, and then
numbers decide (`dlcc.stages.consistency.checks.formula_check`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import sympy as sp

from dlcc.stages.consistency.formulas.symbols import Mean
from dlcc.tracing.graph import GRADIENT, DType, Leaf, Operation, Use
from dlcc.tracing.losses import StepLoss
from dlcc.tracing.operators import LAYOUT, base_name
from dlcc.tracing.roles import FAKE as MADE
from dlcc.tracing.roles import REAL as GIVEN

REAL = sp.Symbol("r", real=True)
"""Raw output D(x) of the discriminator on real data."""
FAKE = sp.Symbol("f", real=True)
"""Raw output D(G(z)) of the discriminator on samples."""

_LARGEST_POWER = 16
_RESHAPES = frozenset(("squeeze", "unsqueeze", "view", "reshape", "_unsafe_view", "flatten"))
_MEAN, _SUM = 1, 2  # reductions, as torch numbers them


class UnknownLoss(Exception):  # noqa: N818  # an outcome: numbers decide
    """Loss with something that this reader does not know; the message says what."""


def softplus(x: sp.Expr) -> sp.Expr:
    """Softplus log(1 + e^x)."""
    return sp.log(1 + sp.exp(x))


def sigmoid(x: sp.Expr) -> sp.Expr:
    """Sigmoid 1/(1 + e^−x)."""
    return 1 / (1 + sp.exp(-x))


@dataclass(frozen=True)
class _Part:
    """Tensor whose numbers are one expression of the row that they belong to, or one number."""

    value: sp.Expr
    count: int
    """Number of numbers that the tensor holds."""


_UNARY: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
    "abs": sp.Abs,
    "exp": sp.exp,
    "log": sp.log,
    "log1p": lambda x: sp.log(1 + x),
    "log_sigmoid": lambda x: -softplus(-x),
    "log_sigmoid_forward": lambda x: -softplus(-x),
    "neg": lambda x: -x,
    "relu": lambda x: sp.Max(0, x),
    "sigmoid": sigmoid,
    "square": lambda x: x**2,
}
_BINARY: Mapping[str, Callable[[sp.Expr, sp.Expr], sp.Expr]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "rsub": lambda a, b: b - a,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
}


def symbolic_loss(loss: StepLoss) -> sp.Expr:
    """Write a recorded loss as a formula in `REAL`, `FAKE` and `Mean`.

    Raises:
        UnknownLoss: Something in it is not understood.

    >>> import torch
    >>> from dlcc.tracing.losses import StepLoss
    >>> from dlcc.tracing.recorder import StepRecorder
    >>> from dlcc.tracing.rerun import leaves_of
    >>> D = torch.nn.Linear(2, 1)
    >>> sgd = torch.optim.SGD(D.parameters(), 0.1)
    >>> with StepRecorder({"D": D}) as recorder:
    ...     (3 * D(torch.eye(2)).square()).mean().backward()
    ...     sgd.step()
    >>> graph, tensors = recorder.graph()
    >>> update = graph.updates[0]
    >>> symbolic_loss(StepLoss(graph, leaves_of(graph, tensors), update, np.eye(2)))
    3*Mean(r**2)
    """
    total = sp.Integer(0)
    for node, weight in loss.roots:
        total += _number(weight) * _Reader(loss).scalar(node)
    return sp.expand(total)


class _Reader:
    """Reader of the operations between players and a loss."""

    def __init__(self, loss: StepLoss) -> None:
        self._loss = loss
        self._outputs = {
            node: variable
            for variable in loss.variables
            if variable.sort == "output"
            for node, _ in variable.places
        }
        self._read: dict[int, _Part] = {}

    def scalar(self, node: int) -> sp.Expr:
        """Read a loss, one number."""
        part = self.part(node)
        if part.count != 1:
            raise UnknownLoss("a loss of several numbers")
        return part.value

    def part(self, node: int) -> _Part:
        if node not in self._read:
            self._read[node] = self._part(node)
        return self._read[node]

    def _part(self, index: int) -> _Part:
        shape = self._loss.value(index).shape
        if index in self._outputs:
            return _Part(self._symbol(index, range(shape[0] if shape else 1)), math.prod(shape))
        node = self._loss.node(index)
        if isinstance(node, Leaf) or not self._loss.depends(index):
            return self._constant(index)
        if node.name == GRADIENT or self._loss.is_inside(index):
            raise UnknownLoss("a gradient within the step")
        if base_name(node.name) in ("split", "slice"):
            return _Part(self._symbol(*self._picked(node)), math.prod(shape))
        return self._operation(node, math.prod(shape))

    def _symbol(self, index: int, rows: range) -> sp.Expr:
        """Symbol of rows of what a player returned, all rows of one sort."""
        shape = self._loss.value(index).shape
        places = [
            v.role
            for v in self._loss.variables
            for n, taken in v.places
            if n == index and taken.tolist() == list(rows)
        ]
        if len(places) != 1 or math.prod(shape) != (shape[0] if shape else 1):
            raise UnknownLoss("several sorts of rows at once")
        outputs = [v.role for v in self._loss.variables if v.sort == "output"]
        if len(outputs) != len(set(outputs)):
            raise UnknownLoss("several batches of one sort")
        symbols = {GIVEN: REAL, MADE: FAKE}
        if places[0] not in symbols:
            raise UnknownLoss(f"rows that are {places[0]}")
        return symbols[places[0]]

    def _picked(self, node: Operation) -> tuple[int, range]:
        """Output of a player, and the rows of it that an operation takes."""
        source, *rest = node.args
        while isinstance(source, Use) and source.node not in self._outputs:
            made = self._loss.node(source.node)
            if not isinstance(made, Operation) or base_name(made.name) not in _RESHAPES:
                raise UnknownLoss("a part of something that no player returned")
            source = made.args[0]
        if not isinstance(source, Use):
            raise UnknownLoss(node.name)
        count = len(self._loss.value(source.node))
        if base_name(node.name) == "split":
            size, dim = rest[0], rest[1] if len(rest) > 1 else 0
            start, end, step = node.output * size, (node.output + 1) * size, 1
        else:
            dim, start, end, step = (*rest, *(0, 0, count, 1)[len(rest) :])[:4]
        if step != 1:
            raise UnknownLoss("every so many rows")
        if dim != 0 or node.kwargs or not isinstance(start, int) or not isinstance(end, int):
            raise UnknownLoss("a part of the features")
        return source.node, range(count)[start:end]

    def _constant(self, index: int) -> _Part:
        numbers = self._loss.value(index).detach()
        if numbers.numel() == 0 or not bool((numbers == numbers.flatten()[0]).all()):
            raise UnknownLoss("data within the loss")
        return _Part(_number(float(numbers.flatten()[0]), numbers.dtype.itemsize), numbers.numel())

    def _operation(self, node: Operation, count: int) -> _Part:
        name = base_name(node.name)
        args = list(node.args)
        if name == "detach":
            raise UnknownLoss("a part that no gradient passes")
        if name in LAYOUT - {"cat", "stack", "index", "slice", "select", "split"}:
            part = self._argument(args[0])
            if part.count != count:
                raise UnknownLoss(name)
            return part
        if name in ("mean", "sum"):
            return self._reduced(self._argument(args[0]), name, args[1:], node.kwargs, count)
        if name in _UNARY and len(args) == 1 and not node.kwargs:
            return _Part(_UNARY[name](self._argument(args[0]).value), count)
        if name in _BINARY and len(args) == 2 and set(node.kwargs) <= {"alpha"}:
            self._check_rows(args, count)
            second = self._argument(args[1]).value * _number(node.kwargs.get("alpha", 1))
            return _Part(_BINARY[name](self._argument(args[0]).value, second), count)
        if name == "softplus" and len(args) == 1 and not node.kwargs:
            return _Part(softplus(self._argument(args[0]).value), count)
        if name == "pow" and len(args) == 2:
            return _Part(self._power(args[0], args[1]), count)
        if name in ("clamp", "clamp_min"):
            return _Part(self._clamped(args), count)
        if name in ("binary_cross_entropy_with_logits", "binary_cross_entropy", "mse_loss"):
            return self._compared(name, args, node.kwargs, count)
        raise UnknownLoss(node.name)

    def _check_rows(self, args: list[Any], count: int) -> None:
        """Refuse rows against columns: a number of each pair is none of each row."""
        for part in map(self._argument, args):
            rows = part.value.replace(lambda e: e.func == Mean, lambda e: sp.Integer(1))
            if rows.free_symbols and part.count != count:
                raise UnknownLoss("a table of rows against rows")

    def _argument(self, value: Any) -> _Part:
        if isinstance(value, Use):
            if not value.grad and self._loss.depends(value.node):
                raise UnknownLoss("a part that no gradient passes")
            return self.part(value.node)
        if isinstance(value, int | float) and not isinstance(value, bool):
            return _Part(_number(value), 1)
        raise UnknownLoss(f"the argument {value!r:.40}")

    def _power(self, base: Any, exponent: Any) -> sp.Expr:
        if not isinstance(exponent, int | float) or not 0 < exponent <= _LARGEST_POWER:
            raise UnknownLoss(f"the power {exponent!r:.40}")
        return self._argument(base).value ** _number(exponent)

    def _clamped(self, args: list[Any]) -> sp.Expr:
        if len(args) != 2 or not isinstance(args[1], int | float):
            raise UnknownLoss("a clamp to two bounds")
        return sp.Max(_number(args[1]), self._argument(args[0]).value)

    def _reduced(
        self, part: _Part, name: str, args: list[Any], kwargs: Mapping[str, Any], count: int
    ) -> _Part:
        if count != 1 or any(not isinstance(v, DType) and v is not None for v in kwargs.values()):
            raise UnknownLoss(f"a {name} over a part")
        del args  # dimensions: all of them, since one number is left
        mean = _mean(part.value)
        return _Part(mean if name == "mean" else part.count * mean, 1)

    def _compared(self, name: str, args: list[Any], kwargs: Mapping[str, Any], count: int) -> _Part:
        """Read a loss of torch that compares outputs with targets."""
        rest = args[2:]
        reduction = next((a for a in rest if isinstance(a, int)), _MEAN)
        if kwargs or any(a is not None and not isinstance(a, int) for a in rest):
            raise UnknownLoss(f"weights of {name}")
        self._check_rows(args[:2], self._argument(args[0]).count)
        x, target = self._argument(args[0]), self._argument(args[1]).value
        if name == "mse_loss":
            each = (x.value - target) ** 2
        elif name == "binary_cross_entropy":
            each = -target * sp.log(x.value) - (1 - target) * sp.log(1 - x.value)
        else:
            each = target * softplus(-x.value) + (1 - target) * softplus(x.value)
        if reduction == 0:
            return _Part(each, count)
        mean = _mean(each)
        return _Part(mean if reduction == _MEAN else x.count * mean, 1)


def _mean(value: sp.Expr) -> sp.Expr:
    """Mean over the batch of each term; what is a number already stays one."""
    total = sp.Integer(0)
    for term in sp.Add.make_args(sp.expand(value)):
        bare = term.replace(lambda e: e.func == Mean, lambda e: sp.Integer(1))
        if not bare.free_symbols:
            total += term
        elif term.has(Mean):
            raise UnknownLoss("a mean within a mean")
        else:
            total += _drawn_out(term)
    return total


def _drawn_out(term: sp.Expr) -> sp.Expr:
    """Mean of a term, its factor in front."""
    factor, rest = term.as_coeff_Mul()
    return factor * Mean(rest)


def _number(value: float, size: int = 8) -> sp.Expr:
    """Number as a person wrote it: the shortest decimal that rounds to it."""
    if not math.isfinite(value):
        raise UnknownLoss(f"the number {value}")
    if isinstance(value, int) or float(value).is_integer():
        return sp.Integer(int(value))
    kind = np.float64 if size == 8 else np.float32
    return sp.Rational(np.format_float_positional(kind(value), trim="-"))
