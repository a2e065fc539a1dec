"""Check of a paper's formula against the loss that a step really minimises, by numbers.

Both are functions of what the players returned. They are compared at the outputs that were recorded
and at many that were drawn, together with the gradients that train: a single point where they
differ refutes; agreement at all of them is a verdict of its own, weaker than a proof.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import sympy as sp

from dlcc.errors import TraceError
from dlcc.stages.consistency.checks.comparison import (
    NO_VALUE,
    TOLERANCE,
    Checked,
    Comparison,
    undecided,
)
from dlcc.stages.consistency.checks.named_terms import named_loss
from dlcc.stages.consistency.checks.quantities import (
    Drawn,
    Reading,
    assumed,
    measured_points,
    readings,
    unusual_readings,
)
from dlcc.stages.consistency.checks.unsaid import Wording, says_all, wordings
from dlcc.tracing.losses import StepLoss


def check_formula(expression: sp.Expr, loss: StepLoss, stated: Mapping[str, float]) -> Checked:
    """Check a formula against the loss of a step.

    Args:
        expression: Right side of the formula.
        loss: Loss of an optimiser's step.
        stated: Name of a constant -> the value that the configuration states.

    Returns:
        Verdict and reason; refuted only where every way to read the formula fails, and what went
        into the players is known.
    """
    if loss.opaque:
        return undecided(f"the code computes it by {loss.opaque[0]}, which is not known here")
    try:
        ways, points, values = _measured(loss)
    except TraceError as error:
        return undecided(str(error), unbound=True)
    tried: list[Checked] = []
    for wording, way in itertools.product(wordings(expression), ways):
        tried.append(_worded(wording, loss, way, stated, points, values))
        if tried[-1].verdict == "held":
            return tried[-1]
    wrong = [t for t in tried if t.verdict == "refuted"]
    if not wrong:
        return tried[0]
    refuted = min(wrong, key=lambda t: (not t.only_so, t.reason == NO_VALUE))
    if assumed(loss):
        return undecided(f"{refuted.reason}, if the batch that no player made is training data")
    if any(v.sort == "noise" for v in loss.variables):
        return undecided(f"{refuted.reason}; but chance enters the loss, which the formula has not")
    if not refuted.only_so and not says_all(expression):
        return undecided("of what distribution p(x|z) is, the formula does not say")
    other = _held_otherwise(expression, loss, stated, points, values)
    if loss.doubtful_scale != 1:
        plain = check_formula(expression, loss.without_scale(), stated)
        if plain.verdict == "held":
            other = f"without the factor {loss.doubtful_scale:g}, which a gradient scaler may take"
    if other:
        return undecided(f"{refuted.reason}; but it holds {other}")
    words = loss_in_words(ways, points, values)
    turned = [Comparison(-expression, loss, way, stated)(points, values) for way in ways]
    negative = any(t.verdict == "held" for t in turned)
    return Checked("refuted", f"{refuted.reason}{words}", {}, negative)


def _worded(
    wording: Wording,
    loss: StepLoss,
    way: Reading,
    stated: Mapping[str, float],
    points: Sequence[Drawn],
    values: np.ndarray,
) -> Checked:
    """Check one wording of a formula in one reading."""
    checked = Comparison(wording.expression, loss, way, stated)(points, values)
    said = ", ".join(
        filter(None, (wording.said, way.rescaled * "x rescaled from [-1, 1] to [0, 1]"))
    )
    if checked.verdict != "held" or not said:
        return checked
    for name, value in wording.exact.items():
        found = checked.constants[name]
        if abs(found - value) > TOLERANCE:
            reason = f"{name}: {value:g} in the formula, {found:g} in the code ({said})"
            return Checked("refuted", reason, {}, only_so=True)
    return replace(checked, reason=f"{checked.reason}, {said}")


def _held_otherwise(
    expression: sp.Expr,
    loss: StepLoss,
    stated: Mapping[str, float],
    points: Sequence[Drawn],
    values: np.ndarray,
) -> str:
    """Say in which unusual reading a formula holds; empty for none.

    A divergence that is given by name is what it is, whatever σ is called.
    """
    if not any(symbol.name.startswith("sigma") for symbol in expression.free_symbols):
        return ""
    for way in unusual_readings(loss):
        if Comparison(expression, loss, way, stated)(points, values).verdict == "held":
            return way.unusual
    return ""


def loss_in_words(ways: Sequence[Reading], points: Sequence[Drawn], values: np.ndarray) -> str:
    """Say what the code minimises, to follow a counterexample; empty where no words are known."""
    for way in sorted(ways, key=lambda w: w.logits):
        named = named_loss(values, [way.values(point) for point in points])
        if named is not None:
            return f"; the code minimises {named.words}"
    return ""


def minimised(loss: StepLoss) -> str:
    """Say what a step minimises, as far as terms of the field explain it; empty where they do not.

    A loss that cannot be computed again has no words.
    """
    try:
        words = loss_in_words(*_measured(loss))
    except TraceError:
        return ""
    return words.removeprefix("; the code minimises ")


def _measured(loss: StepLoss) -> tuple[list[Reading], list[Drawn], np.ndarray]:
    """Readings of a loss, points, and its values there."""
    ways = readings(loss)
    points = measured_points(loss)
    return ways, points, np.array([float(loss(p).detach()) / loss.scale for p in points])
