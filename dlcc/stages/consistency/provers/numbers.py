"""Refutation by numbers: a point of the domain at which a statement fails, to sixty digits."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import mpmath
import numpy as np
import sympy as sp

from dlcc.stages.consistency.provers.statement import Domain, Statement

POINTS = 240
_DIGITS = 60
_EXACT_DIGITS, _ROUNDED_DIGITS = 4_000, 200
_MOST_CORNERS = 729
_ZERO = 1e-20
_FARTHEST = 60.0  # where e^x still differs from 0 to sixty digits
_STARTS, _STEPS = 4, 120

Side = Callable[..., Any]
"""Function from a point's numbers to the value of an expression there."""


def refute(statement: Statement) -> str | None:
    """Look for a point at which a statement fails; None where none is found.

    Random points come first, then a search downhill from those that come nearest to failing.

    >>> from dlcc.stages.consistency.provers.statement import parse_statement
    >>> refute(parse_statement("a | x real | log(x**2) = 2*log(x)"))
    'at x = -4 a side is not defined'
    >>> refute(parse_statement("b | x real | (x - 1.234)**2 >= 0.0001"))[:10]
    'at x = 1.2'
    """
    symbols = list(statement.domains)
    with mpmath.workdps(_DIGITS):
        sides = [sp.lambdify(symbols, side, "mpmath") for side in (statement.left, statement.right)]
        conditions = [
            (sp.lambdify(symbols, e, "mpmath"), relation) for e, relation in statement.conditions
        ]
        margins = []
        for point in _points(statement.domains):
            if why := _undefined(statement, conditions, point):
                return why
            margin, why = _margin(statement, sides, point)
            if why:
                return why
            margins.append((margin, point))
        if statement.relation == "=" or not symbols:
            return None
        margins.sort(key=lambda pair: pair[0])
        for _, start in margins[:_STARTS]:
            why = _downhill(statement, sides, start)
            if why:
                return why
    return None


def _points(domains: Mapping[sp.Symbol, Domain]) -> Iterator[tuple[float, ...]]:
    rng = np.random.default_rng(0)
    corners = [list(_corners(domain)) for domain in domains.values()]
    if math.prod(map(len, corners)) <= _MOST_CORNERS:
        yield from itertools.product(*corners)
    else:  # each end of each variable beside random values of the others
        for k, mine in enumerate(corners):
            for value in (v for v in mine for _ in range(4)):
                drawn = [_draw(domain, 1.0, rng) for domain in domains.values()]
                yield (*drawn[:k], value, *drawn[k + 1 :])
    for k in range(POINTS):
        scale = (0.1, 1.0, 4.0, 15.0)[k % 4]
        yield tuple(_draw(domain, scale, rng) for domain in domains.values())


def _corners(domain: Domain) -> Iterator[float]:
    candidates = (-4.0, -1.0, 0.0, 0.5, 1.0, 2.0, 5.0)
    ends = [(domain.low, domain.low_open), (domain.high, domain.high_open)]
    yield from (end for end, is_open in ends if end is not None and not is_open)
    yield from (c for c in candidates if _inside(domain, c))


def _inside(domain: Domain, value: float) -> bool:
    low, high = domain.low, domain.high
    above = low is None or value > low or (value == low and not domain.low_open)
    below = high is None or value < high or (value == high and not domain.high_open)
    return above and below


def _draw(domain: Domain, scale: float, rng: np.random.Generator) -> float:
    if domain.low is not None and domain.high is not None:
        value = rng.uniform(domain.low, domain.high)
    elif domain.low is not None:
        value = domain.low + scale * rng.exponential()
    elif domain.high is not None:
        value = domain.high - scale * rng.exponential()
    else:
        value = scale * rng.normal()
    rounded = float(f"{value:.4g}")
    return rounded if _inside(domain, rounded) else float(value)


def _undefined(
    statement: Statement, conditions: list[tuple[Side, str]], point: tuple[float, ...]
) -> str:
    """Point at which something is divided by 0 or has no logarithm; empty where all is defined."""
    exact = [mpmath.mpf(repr(value)) for value in point]
    for condition, relation in conditions:
        value = condition(*exact)
        wrong = value == 0 if relation == "!=" else value < 0 or (relation == ">" and value == 0)
        if wrong:
            return f"at {_place(statement, point)} a side is not defined"
    return ""


def _place(statement: Statement, point: tuple[float, ...]) -> str:
    places = (f"{s} = {v:.6g}" for s, v in zip(statement.domains, point, strict=True))
    return ", ".join(places) or "any point"


def _margin(statement: Statement, sides: list[Side], point: tuple[float, ...]) -> tuple[float, str]:
    """Margin by which a statement holds at a point, and the counterexample where it does not."""
    exact = [mpmath.mpf(repr(value)) for value in point]
    where = _place(statement, point)
    try:
        left, right = (side(*exact) for side in sides)
        difference = mpmath.mpmathify(left) - mpmath.mpmathify(right)
    except (ZeroDivisionError, ValueError, OverflowError, TypeError):
        return 0.0, f"at {where} a side is not defined"
    if isinstance(difference, mpmath.mpc) or not mpmath.isfinite(difference):
        return 0.0, f"at {where} the left side is no real number or the right side is none"
    size = 1 + abs(mpmath.mpmathify(left)) + abs(mpmath.mpmathify(right))
    relative = difference / size
    if _fails(statement.relation, relative) and _fails_exactly(statement, sides, exact):
        return 0.0, f"at {where} the left side is {float(left):.8g}, the right {float(right):.8g}"
    return abs(float(relative)), ""


def _fails_exactly(statement: Statement, sides: list[Side], exact: list[mpmath.mpf]) -> bool:
    """Whether a statement fails at a point with thousands of digits, too: sixty may cancel."""
    with mpmath.workdps(_EXACT_DIGITS):
        left, right = (side(*exact) for side in sides)
        difference = mpmath.mpmathify(left) - mpmath.mpmathify(right)
        size = 1 + abs(mpmath.mpmathify(left)) + abs(mpmath.mpmathify(right))
        if statement.relation == "=":
            return bool(abs(difference) > mpmath.mpf(10) ** -_ROUNDED_DIGITS * size)
        return _fails(statement.relation, difference / size)


def _fails(relation: str, difference: mpmath.mpf) -> bool:
    if relation == "=":
        return bool(abs(difference) > _ZERO)
    if relation in (">=", ">"):
        return bool(difference < -_ZERO or (relation == ">" and difference == 0))
    return bool(difference > _ZERO or (relation == "<" and difference == 0))


def _downhill(statement: Statement, sides: list[Side], start: tuple[float, ...]) -> str:
    """Walk from a point toward failure, by shrinking steps along each variable."""
    point, best = list(start), math.inf
    steps = [max(0.5, abs(value)) for value in point]
    domains = list(statement.domains.values())
    for _ in range(_STEPS):
        moved = False
        for k, sign in itertools.product(range(len(point)), (-1, 1)):
            tried = list(point)
            tried[k] += sign * steps[k]
            if abs(tried[k]) > _FARTHEST or not _inside(domains[k], tried[k]):
                continue
            margin, why = _margin(statement, sides, tuple(tried))
            if why:
                return why
            if margin < best:
                point, best, moved = tried, margin, True
        if not moved:
            steps = [step / 2 for step in steps]
            if max(steps) < 1e-9:
                break
    return ""
