"""Values of a paper's formula on numbers: the second way to compute a loss, apart from the code."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import sympy as sp
import torch
from sympy.core.function import AppliedUndef
from torch import Tensor

from dlcc.stages.consistency.formulas.latex_sums import SIZE
from dlcc.stages.consistency.formulas.symbols import (
    COUNTS,
    DIVERGENCE,
    LENGTH,
    RECONSTRUCTIONS,
    REVERSE_DIVERGENCE,
    D,
    Distinct,
    EachPair,
    FeatureMean,
    FeatureSum,
    First,
    G,
    Gradient,
    Mean,
    Norm,
    Norm1,
    Second,
    StopGradient,
    is_application,
    judged,
)


class UnboundError(Exception):
    """Symbol or network in a formula that stands for nothing in the recorded step."""


def formula_value(
    expression: sp.Expr, quantities: Mapping[str, Tensor], constants: Mapping[str, float]
) -> Tensor:
    """Evaluate a formula.

    Args:
        expression: Right side of an equation, as `dlcc.stages.consistency.formulas.latex` reads it.
        quantities: Name such as `D(x)` or `mu` -> numbers [rows, features] in float64.
        constants: Name of a symbol -> its value.

    Returns:
        A number; rows that no mean of the formula takes together are averaged.

    Raises:
        UnboundError: Something in the formula stands for nothing that is known.

    >>> from dlcc.stages.consistency.formulas.latex import parse_equation
    >>> loss = parse_equation(r"L_D = \\lambda E[D(x)^2] - E[D(G(z))]").value
    >>> outputs = {"D(x)": torch.full((4, 1), 2.0), "D(G(z))": torch.ones(4, 1)}
    >>> float(formula_value(loss, outputs, {"lambda": 0.5}))
    1.0
    """
    return _Evaluation(quantities, constants)(expression).mean()


def row_values(expression: sp.Expr, quantities: Mapping[str, Tensor]) -> Tensor:
    """Evaluate an expression for each row.

    Returns:
        Numbers [rows or 1, features or 1].

    Raises:
        UnboundError: Something in it stands for nothing that is known.

    >>> x = sp.Symbol("x", real=True)
    >>> row_values(2 * x, {"x": torch.ones(2, 1)}).tolist()
    [[2.0], [2.0]]
    """
    return _Evaluation(quantities, {})(expression)


class _Evaluation:
    """Evaluation of an expression to numbers [rows or 1, features or 1]; where two draws are
    compared, each row with each, [rows, rows, features or 1]."""

    def __init__(self, quantities: Mapping[str, Tensor], constants: Mapping[str, float]) -> None:
        self._quantities, self._constants = quantities, constants
        self._vectors = 0  # norms and sums over features that are under way

    def __call__(self, e: sp.Expr) -> Tensor:
        if isinstance(e, sp.Number) or e.is_number:
            return torch.full((1, 1), float(e), dtype=torch.float64)
        if isinstance(e, sp.Symbol):
            return self._symbol(e)
        if isinstance(e, AppliedUndef):
            return self._applied(e)
        if isinstance(e, sp.Pow):
            return self._power(e)
        arguments = [self(argument) for argument in e.args]
        if isinstance(e, sp.Add | sp.Mul | sp.Max | sp.Min):
            return functools.reduce(_PAIRS[type(e)], arguments)
        if type(e) in _ELEMENTWISE:
            return _ELEMENTWISE[type(e)](arguments[0])
        raise UnboundError(f"{e.func}")

    def _applied(self, e: AppliedUndef) -> Tensor:
        """Evaluate a network, or an operation on rows; compared by name, which is quick."""
        name = e.func.__name__
        if is_application(e) and str(e) in self._quantities:
            return self._quantities[str(e)]
        if name == _JUDGE:
            return self._quantity(judged(e), e)
        if name == _GRADIENT:
            return self._quantity(f"gradient {judged(e.args[0], inside=True)}", e)
        if name == _MAKER:
            return self._quantity("G(z)", e)
        if name in _OF_VECTORS:
            return _REDUCTIONS[name](self._within_vector(e))
        if name not in _REDUCTIONS:
            raise UnboundError(f"{e.func}")
        if name == Mean.__name__ and self._vectors:  # over rows alone
            return self(e.args[0]).mean(dim=0, keepdim=True)
        return _REDUCTIONS[name](self(e.args[0]))

    def _within_vector(self, e: sp.Expr) -> Tensor:
        """Evaluate what a norm, or a sum over features, is of."""
        self._vectors += 1
        value = self(e.args[0])
        self._vectors -= 1
        return value

    def _power(self, e: sp.Pow) -> Tensor:
        base, exponent = e.args
        if base == sp.E:
            return torch.exp(self(exponent))
        is_norm = isinstance(base, AppliedUndef) and base.func == Norm
        if is_norm and exponent == 2:  # whose gradient exists at 0, too
            apart = _pair(base.args[0])
            if apart is not None:
                return _squared_distances(*map(self, apart))
            return self._within_vector(base).square().sum(dim=-1, keepdim=True)
        if not exponent.is_number:
            return torch.pow(self(base), self(exponent))
        return torch.pow(self(base), float(exponent))

    def _symbol(self, e: sp.Symbol) -> Tensor:
        name = e.name
        if e in (DIVERGENCE, REVERSE_DIVERGENCE):
            return self._divergence(reverse=e == REVERSE_DIVERGENCE)
        if name in self._constants:
            return torch.full((1, 1), self._constants[name], dtype=torch.float64)
        plain = "hatx" if name in RECONSTRUCTIONS and name not in self._quantities else name
        if plain in self._quantities:
            return self._quantities[plain]
        if name == SIZE.name:
            rows = max((len(q) for q in self._quantities.values() if q.ndim > 1), default=1)
            return torch.full((1, 1), float(rows), dtype=torch.float64)
        if name == LENGTH and "x" in self._quantities:
            return torch.full((1, 1), float(self._quantities["x"].shape[1]), dtype=torch.float64)
        if name in COUNTS and "mu" in self._quantities:
            return torch.full((1, 1), float(self._quantities["mu"].shape[1]), dtype=torch.float64)
        raise UnboundError(name)

    def _quantity(self, name: str, e: sp.Expr) -> Tensor:
        if name not in self._quantities:
            raise UnboundError(str(e))
        return self._quantities[name]

    def _divergence(self, *, reverse: bool) -> Tensor:
        """Divergence of each row's normal latents from the standard normal prior (Kingma and
        Welling 2014, appendix B), or of the prior from them."""
        if not {"mu", "sigma"} <= set(self._quantities):
            raise UnboundError("the divergence, of latents that are not known")
        mu, variance = self._quantities["mu"], self._quantities["sigma"].square()
        if reverse:
            each = (mu.square() + 1) / variance - 1 + torch.log(variance)
        else:
            each = mu.square() + variance - 1 - torch.log(variance)
        return 0.5 * each.sum(dim=1, keepdim=True)


def free_constants(expression: sp.Expr, quantities: Mapping[str, Tensor]) -> list[str]:
    """Names of the symbols of a formula that stand for constants: for nothing that is computed."""
    names = set()
    for part in sp.preorder_traversal(_without_arguments(expression)):
        if isinstance(part, sp.Symbol) and part not in (DIVERGENCE, REVERSE_DIVERGENCE):
            names.add(part.name)
    bound = {*quantities, *RECONSTRUCTIONS, "x", LENGTH, SIZE.name}
    if not expression.has(First):  # a kernel has a width, which is no deviation of latents
        bound |= {"mu", "sigma"}
    counts = set(COUNTS) if "mu" in quantities else set()
    return sorted(names - bound - counts)


def _without_arguments(e: sp.Expr) -> sp.Expr:
    """Leave out what networks are applied to."""
    whole: sp.Expr = e.replace(
        lambda p: is_application(p) or p.func == Gradient, lambda p: sp.Integer(1)
    )
    return whole


def _pair(difference: sp.Expr) -> tuple[sp.Expr, sp.Expr] | None:
    """Take two draws out of the difference of each row of one from each of the other; None where
    an expression is no such difference."""
    terms = sp.Add.make_args(difference)
    signs = dict(term.as_coeff_Mul() for term in terms)
    if len(terms) != 2 or set(signs) != {1, -1}:
        return None
    sides = {term.func: term.args[0] for term in signs.values() if term.func in (First, Second)}
    return (sides[First], sides[Second]) if len(sides) == 2 else None


def _squared_distances(first: Tensor, second: Tensor) -> Tensor:
    """Squared distances [rows, rows, 1], without the differences of all pairs in memory."""
    squares = first.square().sum(dim=1)[:, None] + second.square().sum(dim=1)[None]
    return (squares - 2 * first @ second.T).clamp_min(0)[..., None]


def _mean(values: Tensor) -> Tensor:
    return values.mean().reshape(1, 1)


def _of_different_rows(values: Tensor) -> Tensor:
    """Mean over pairs [rows, rows, 1] of two different rows."""
    if values.ndim < 3 or values.shape[0] != values.shape[1]:
        return _mean(values)
    count = values.shape[0]
    own = torch.diagonal(values).sum()
    return ((values.sum() - own) / (count * (count - 1))).reshape(1, 1)


_REDUCTIONS: Mapping[str, Callable[[Tensor], Tensor]] = {
    function.__name__: reduced
    for function, reduced in (
        (Mean, _mean),
        (EachPair, _mean),
        (Distinct, _of_different_rows),
        (First, lambda v: v[:, None]),
        (Second, lambda v: v[None]),
        (StopGradient, torch.Tensor.detach),
        (FeatureSum, lambda v: v.sum(dim=-1, keepdim=True)),
        (FeatureMean, lambda v: v.mean(dim=-1, keepdim=True)),
        (Norm, lambda v: v.square().sum(dim=-1, keepdim=True).sqrt()),
        (Norm1, lambda v: v.abs().sum(dim=-1, keepdim=True)),
    )
}
_OF_VECTORS = frozenset(f.__name__ for f in (Norm, Norm1, FeatureSum, FeatureMean))
_JUDGE, _MAKER, _GRADIENT = D.__name__, G.__name__, Gradient.__name__
_PAIRS: Mapping[sp.Basic, Callable[[Tensor, Tensor], Tensor]] = {
    sp.Add: torch.add,
    sp.Mul: torch.mul,
    sp.Max: torch.maximum,
    sp.Min: torch.minimum,
}
_ELEMENTWISE: Mapping[sp.Basic, Callable[[Tensor], Tensor]] = {
    sp.log: torch.log,
    sp.exp: torch.exp,
    sp.Abs: torch.abs,
    sp.tanh: torch.tanh,
    sp.sqrt: torch.sqrt,
}
