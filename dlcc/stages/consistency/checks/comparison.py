"""Comparison of a formula with a recorded loss at many points, in one way to bind its names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import sympy as sp
import torch
from torch import Tensor

from dlcc.stages.consistency.checks.constants import fitted_constants
from dlcc.stages.consistency.checks.formula_values import (
    UnboundError,
    formula_value,
    free_constants,
)
from dlcc.stages.consistency.checks.quantities import Drawn
from dlcc.stages.consistency.checks.unsaid import PRECISION, SHIFT, WEIGHT
from dlcc.stages.consistency.formulas.latex_reader import GREEK
from dlcc.tracing.losses import StepLoss
from dlcc.tracing.roles import FAKE, REAL

TOLERANCE = 1e-6
"""Relative difference that rounding makes."""
NO_VALUE = "at the recorded outputs the formula has no value"
MISFITS = "what it compares has other shapes in the code"
_LEAST = 6  # points at which both have a value
_GLANCE = 3  # points that a look at a formula takes in
_MOST_CONSTANTS = 3
_WEIGHTS = frozenset(("lambda", "gamma", "beta", PRECISION))
_CONSTANT = re.compile(
    rf"(?:[a-zA-Z]|{GREEK}|sigma|{PRECISION}|{re.escape(WEIGHT)}|{SHIFT})(?:_(?!t$)\w+)?"
)
"""Name of what may be a constant whose value is found: no word, which stands for something, and
nothing that changes with time."""


class Way(Protocol):
    """Way to bind what papers write to what a step computes."""

    def values(self, drawn: Drawn) -> dict[str, Tensor]:
        """Give the numbers [rows, features] of each quantity."""


@dataclass(frozen=True)
class Checked:
    """Outcome of a check."""

    verdict: Literal["proved", "held", "refuted", "unknown"]
    reason: str
    """Number of points at which it holds, counterexample, or reason why it is undecided."""
    constants: Mapping[str, float]
    """Values of constants in the code that nothing states."""
    negative: bool = False
    """Whether a refuted formula holds with its sign turned around."""
    only_so: bool = False
    """Whether a refuted formula would hold with a weight that it cannot have."""
    unbound: bool = False
    """Whether it is undecided because something in it stands for nothing that is known."""


class Comparison:
    """Comparison of a formula with a loss, in one reading.

    Args:
        expression: Right side of the formula.
        loss: Loss of an optimiser's step.
        way: Way to bind the names of the formula.
        stated: Name of a constant -> the value that the configuration states.
        searches: Whether values of constants that are no factors are searched for.
        brief: Whether a formula that differs at the first points is refuted without a word of why.
    """

    def __init__(
        self,
        expression: sp.Expr,
        loss: StepLoss,
        way: Way,
        stated: Mapping[str, float],
        *,
        searches: bool = True,
        brief: bool = False,
    ) -> None:
        self._expression, self._loss, self._way = expression, loss, way
        self._stated, self._searches, self._brief = stated, searches, brief

    def __call__(self, points: Sequence[Drawn], values: np.ndarray) -> Checked:
        quantities = [self._way.values(point) for point in points]
        free = free_constants(self._expression, quantities[0])
        known = {name: self._stated[name] for name in free if name in self._stated}
        unknown = [name for name in free if name not in known]
        try:
            if self._brief and not unknown and self._fails(quantities, values, known):
                return Checked("refuted", "", {})
            found, linear = self._constants(quantities, values, known, unknown)
            mine = self._formula(quantities, {**known, **found})
        except UnboundError as error:
            elsewhere = self._elsewhere(str(error))
            if elsewhere:
                return Checked("refuted", f"the code has no {error}, but {elsewhere}", {})
            return undecided(f"{error} stands for nothing that the step computes", unbound=True)
        except RuntimeError:
            return undecided(MISFITS, unbound=True)
        both = np.isfinite(mine) & np.isfinite(values)
        if np.isfinite(values[0]) and not np.isfinite(mine[0]):
            return Checked("refuted", NO_VALUE, {})
        if both.sum() < _LEAST:
            return undecided(f"only {int(both.sum())} points have a value")
        off = _off(mine, values)
        if off.any():
            return self._differs(quantities, values, mine, off, known)
        wrong = self._gradient_differs(points[1], {**known, **found})
        if wrong:
            return Checked("refuted", wrong, {})
        if any(v < -TOLERANCE for name, v in found.items() if name in _WEIGHTS):
            said = ", ".join(f"{name} = {value:g}" for name, value in found.items())
            reason = f"it holds only with {said}, and a weight is positive"
            return Checked("refuted", reason, {}, only_so=True)
        nothing = [name for name, v in found.items() if linear and abs(v) < TOLERANCE]
        if nothing:
            return undecided(f"it holds only with {nothing[0]} = 0, so that the term is not there")
        reason = f"holds numerically at {int(both.sum())} points"
        if found:
            reason += ", with " + ", ".join(f"{name} = {value:g}" for name, value in found.items())
        return Checked("held", reason, found)

    def _fails(
        self,
        quantities: Sequence[Mapping[str, Tensor]],
        values: np.ndarray,
        known: Mapping[str, float],
    ) -> bool:
        """Whether the formula differs at each of the first points."""
        mine, theirs = self._formula(quantities[:_GLANCE], known), values[:_GLANCE]
        return bool(_off(mine, theirs).all())

    def _elsewhere(self, missing: str) -> str:
        """Gradient that the code has in place of one that the formula asks for; empty for none.

        That no gradient is there says nothing: penalties may come every so many steps.
        """
        gradients = [v for v in self._loss.variables if v.sort == "gradient"]
        for name, role in (("D(x)", REAL), ("D(G(z))", FAKE)):
            others = [v for v in gradients if v.role != role]
            if missing == f"Gradient({name})" and others == gradients and others:
                return others[0].title if {v.role for v in others} <= {REAL, FAKE} else ""
        return ""

    def _formula(
        self, quantities: Sequence[Mapping[str, Tensor]], constants: Mapping[str, float]
    ) -> np.ndarray:
        return np.array([float(formula_value(self._expression, q, constants)) for q in quantities])

    def _constants(
        self,
        quantities: Sequence[Mapping[str, Tensor]],
        values: np.ndarray,
        known: Mapping[str, float],
        unknown: Sequence[str],
    ) -> tuple[dict[str, float], bool]:
        """Find the values of constants that nothing states, and whether they are factors.

        Raises:
            UnboundError: No values make the formula the loss, or several do.
        """
        try:
            found = self._solved(quantities, values, known, unknown)
            mine = self._formula(quantities, {**known, **found})
            if not found or self._is_linear(quantities, known, found, mine):
                return found, True
            raise UnboundError(", ".join(found))
        except UnboundError:
            if not unknown or len(unknown) > _MOST_CONSTANTS or not self._searches:
                raise
            if not all(_CONSTANT.fullmatch(name) for name in unknown):
                raise
            some = {name: 0.7 + 0.2 * k for k, name in enumerate(unknown)}
            if self._is_linear(
                quantities, known, some, self._formula(quantities, {**known, **some})
            ):
                raise

            def difference(constants: Mapping[str, float], few: slice) -> np.ndarray:
                mine = self._formula(quantities[few], {**known, **constants})
                scale: np.ndarray = 1 + np.abs(mine) + np.abs(values[few])
                off: np.ndarray = (mine - values[few]) / scale
                return off

            fitted = fitted_constants(difference, unknown, len(quantities))
            if fitted is None:
                raise
            return fitted, False

    def _solved(
        self,
        quantities: Sequence[Mapping[str, Tensor]],
        values: np.ndarray,
        known: Mapping[str, float],
        unknown: Sequence[str],
    ) -> dict[str, float]:
        """Find the values of constants that nothing states, as those that fit the loss best."""
        if not unknown:
            return {}
        named = [name for name in unknown if not _CONSTANT.fullmatch(name)]
        if named or len(unknown) > _MOST_CONSTANTS:
            raise UnboundError((named or unknown)[0])
        zero = dict.fromkeys(unknown, 0.0)
        base = self._formula(quantities, {**known, **zero})
        slopes = [self._formula(quantities, {**known, **zero, n: 1.0}) - base for n in unknown]
        usable = np.isfinite(base) & np.isfinite(values) & np.isfinite(slopes).all(axis=0)
        table = np.array(slopes).T[usable]
        if len(table) <= len(unknown) or np.linalg.matrix_rank(table) < len(unknown):
            raise UnboundError(unknown[0])
        fitted, *_ = np.linalg.lstsq(table, (values - base)[usable], rcond=None)
        return {n: float(f"{v:.6g}") for n, v in zip(unknown, fitted, strict=True)}

    def _is_linear(
        self,
        quantities: Sequence[Mapping[str, Tensor]],
        known: Mapping[str, float],
        found: Mapping[str, float],
        mine: np.ndarray,
    ) -> bool:
        """Whether constants that were fitted enter as factors: else the fit says nothing."""
        zero = self._formula(quantities, {**known, **dict.fromkeys(found, 0.0)})
        double = self._formula(quantities, {**known, **{n: 2 * v for n, v in found.items()}})
        with np.errstate(invalid="ignore"):
            off = np.abs(double - (2 * mine - zero)) > 1e-6 * (1 + np.abs(double) + np.abs(mine))
        usable = np.isfinite(zero) & np.isfinite(double) & np.isfinite(mine)
        return bool(usable.any() and not off.any())

    def _differs(
        self,
        quantities: Sequence[Mapping[str, Tensor]],
        values: np.ndarray,
        mine: np.ndarray,
        off: np.ndarray,
        known: Mapping[str, float],
    ) -> Checked:
        """Make the counterexample, and name the stated constant or the term that is to blame."""
        both = np.isfinite(mine) & np.isfinite(values)
        apart = (mine - values)[both]
        if both.sum() >= _LEAST and float(np.ptp(apart)) <= TOLERANCE * (
            1 + np.abs(mine[both]).max()
        ):
            return undecided(
                f"it differs by {apart[0]:.6g} alone, a constant, which trains nothing"
            )
        k = int(np.flatnonzero(off)[0])
        place = "at the recorded outputs" if k == 0 else f"at point {k}"
        reason = f"{place} the formula gives {mine[k]:.6g} and the code {values[k]:.6g}"
        for name, value in known.items():
            try:
                others = {n: v for n, v in known.items() if n != name}
                fitted = self._solved(quantities, values, others, [name])
                again = self._formula(quantities, {**others, **fitted})
            except UnboundError:
                continue
            if np.allclose(again, values, rtol=TOLERANCE, atol=TOLERANCE):
                reason += f"; {name} is stated as {value:g}, and is {fitted[name]:g} in the code"
                return Checked("refuted", reason, {})
        return Checked("refuted", reason + self._wrong_terms(quantities, values, known), {})

    def _wrong_terms(
        self,
        quantities: Sequence[Mapping[str, Tensor]],
        values: np.ndarray,
        known: Mapping[str, float],
    ) -> str:
        """Name the terms of the formula whose factor is another in the code; empty for none."""
        terms = sp.Add.make_args(sp.expand(self._expression))
        try:
            columns = [[float(formula_value(term, q, known)) for term in terms] for q in quantities]
        except UnboundError:
            return ""
        table = np.array(columns)
        usable = np.isfinite(table).all(axis=1) & np.isfinite(values)
        if usable.sum() <= len(terms):
            return ""
        factors, *_ = np.linalg.lstsq(table[usable], values[usable], rcond=None)
        if np.abs(table[usable] @ factors - values[usable]).max() > 1e-6 * np.abs(values).max():
            return ""
        wrong = [(f, t) for f, t in zip(factors, terms, strict=True) if abs(f - 1) > 1e-6]
        said = [
            f"its term {term} is missing in the code"
            if abs(f) < 1e-9
            else f"its term {term} has {f:.6g} times that weight in the code"
            for f, term in wrong
        ]
        return f"; {', '.join(said)}" if said else ""

    def _gradient_differs(self, point: Drawn, constants: Mapping[str, float]) -> str:
        """Compare the gradients in outputs that the updated players stand behind."""
        moved = {v: t.clone().requires_grad_() for v, t in point.items()}
        mine = formula_value(self._expression, self._way.values(moved), constants)
        theirs = self._loss(moved) / self._loss.scale
        trained = [v for v in moved if v.sort in ("output", "gradient") and self._trains(v)]
        if not trained or not mine.requires_grad:
            return ""
        ours = _gradients(mine, [moved[v] for v in trained])
        code = _gradients(theirs, [moved[v] for v in trained])
        for variable, a, b in zip(trained, ours, code, strict=True):
            size = float(torch.maximum(a.abs().max(), b.abs().max()))
            if size > 0 and float((a - b).abs().max()) > 1e-5 * size:
                blocked = " lets no gradient through" if float(b.abs().max()) == 0 else ""
                return (
                    f"the values agree, but not the gradients in {variable.title}"
                    f"{': the code' + blocked if blocked else ''}"
                )
        return ""

    def _trains(self, variable: object) -> bool:
        """Whether an output depends on weights that this step updates."""
        player = getattr(variable, "player", "")
        role = getattr(variable, "role", "")
        updated = set(self._loss.update.players)
        return player in updated or (role == "fake" and bool(updated - {player}))


def _off(mine: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Points at which both have a value, and another one."""
    with np.errstate(invalid="ignore"):
        apart = np.abs(mine - values) > TOLERANCE * (1 + np.abs(mine) + np.abs(values))
    found: np.ndarray = apart & np.isfinite(mine) & np.isfinite(values)
    return found


def _gradients(value: Tensor, inputs: Sequence[Tensor]) -> list[Tensor]:
    if not value.requires_grad:
        return [torch.zeros_like(i) for i in inputs]
    found = torch.autograd.grad(value, list(inputs), allow_unused=True)
    return [torch.zeros_like(i) if g is None else g for i, g in zip(inputs, found, strict=True)]


def undecided(reason: str, *, unbound: bool = False) -> Checked:
    """Make the outcome of what is undecided.

    >>> undecided("a batch that may be anything").verdict
    'unknown'
    """
    return Checked("unknown", reason, {}, unbound=unbound)
