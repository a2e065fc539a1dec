"""Check of formulas whose names are bound by data flow: other networks, noise, codes, kernels."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import sympy as sp

from dlcc.errors import TraceError
from dlcc.stages.consistency.checks.bindings import Binding, bindings
from dlcc.stages.consistency.checks.comparison import MISFITS, Checked, Comparison, undecided
from dlcc.stages.consistency.checks.quantities import measured_points
from dlcc.stages.consistency.checks.schedules import COEFFICIENTS
from dlcc.stages.consistency.checks.unsaid import says_all, wordings
from dlcc.stages.consistency.formulas.symbols import (
    FeatureMean,
    First,
    G,
    Norm,
    Norm1,
    StopGradient,
    is_application,
)
from dlcc.tracing.losses import StepLoss, Variable
from dlcc.tracing.uses import is_converted

_JUDGE = re.compile(r"[DC](?:_\w+)?")
_CONVERTS = frozenset(
    ("mul", "div", "tanh", "sigmoid", "exp", "softplus", "clamp", "clamp_min", "_softmax")
)
_MOST_NORMS = 4
_MOST_WAYS = 120  # to read a formula
_MOST_TOLD = 8  # of these, of which it is said in full why they fail
_AVERAGED = "norms averaged over features"


def speaks_of_others(expression: sp.Expr) -> bool:
    """Tell whether a formula has networks other than D and G of data and noise, stops of gradients
    or kernels.

    >>> from dlcc.stages.consistency.formulas.latex import parse_equation
    >>> [speaks_of_others(parse_equation(f"L = {t}").value) for t in ("D(x)", "D(F(x))")]
    [False, True]
    """
    applied = [e for e in expression.atoms(sp.Function) if is_application(e)]
    names = _networks(expression)
    translates = any(e.func == G and _is_data(e.args[0]) for e in applied)
    if translates or names - {"D", "G"}:
        return True
    return bool(expression.has(StopGradient) or expression.has(First))


def _networks(expression: sp.Expr) -> set[str]:
    return {e.func.__name__ for e in expression.atoms(sp.Function) if is_application(e)}


def _is_data(argument: sp.Expr) -> bool:
    return isinstance(argument, sp.Symbol) and argument.name[:1] in ("x", "y")


def check_bound(
    expression: sp.Expr, loss: StepLoss, stated: Mapping[str, float], player: str
) -> Checked | None:
    """Check a formula against the loss of a step by the bindings of its names.

    Args:
        expression: Right side of the formula.
        loss: Loss of an optimiser's step.
        stated: Name of a constant -> the value that the configuration states.
        player: Player whose loss the formula gives: `discriminator`, `generator` or `training`.

    Returns:
        Verdict and reason; None where no binding is one of that player's loss. It is refuted only
        where all bindings fail that speak of everything in the loss.
    """
    if loss.opaque:
        return None
    try:
        return _checked(expression, loss, stated, player)
    except TraceError as error:
        return undecided(str(error), unbound=True)


def _checked(
    expression: sp.Expr, loss: StepLoss, stated: Mapping[str, float], player: str
) -> Checked | None:
    points = measured_points(loss)
    values = np.array([float(loss(p).detach()) / loss.scale for p in points])
    tried: list[_Tried] = []
    skipped = 0
    for wording in wordings(expression):
        ways = [w for w in bindings(wording.expression, loss) if is_of(w, loss, player)]
        for way, (meant, averaged) in itertools.product(ways, _scales(wording.expression)):
            if len(tried) + skipped >= _MOST_WAYS:
                return undecided("there are too many ways to read it")
            compared = Comparison(meant, loss, way, stated, searches=not averaged, brief=True)
            found = compared(points, values)
            if found.verdict == "held":
                said = ", ".join(filter(None, (wording.said, averaged)))
                wrong = next((n for n, v in wording.exact.items() if found.constants[n] != v), "")
                if averaged and (averaged != _AVERAGED or not _all_norms(wording.expression)):
                    found = undecided(f"it holds only with {averaged}")
                elif way.scaled:
                    found = undecided(f"it holds only where {way.scaled} is data computed with")
                elif not wrong:
                    reason = f"{found.reason}, {said}" if said else found.reason
                    return replace(found, reason=reason)
                else:
                    found = undecided(f"it holds only with another {wrong}")
            elif averaged:
                skipped += 1
                continue
            tried.append(_Tried(found, way, meant))

    def in_full(one: _Tried) -> Checked:
        return Comparison(one.meant, loss, one.way, stated)(points, values)

    whole = _summed_up(expression, tried, in_full)
    if whole is None or whole.verdict != "refuted":
        return whole
    turned = (
        Comparison(-w.expression, loss, way, stated, brief=True)(points, values)
        for w in wordings(expression)
        for way in bindings(w.expression, loss)
    )
    negative = any(t.verdict == "held" for t in turned)
    names = _networks(expression)
    if negative and names and all(name.startswith("E_") for name in names):
        return undecided(f"{whole.reason}; but the energy may be what the player returns, negated")
    return replace(whole, negative=negative)


@dataclass(frozen=True)
class _Tried:
    """Way in which a formula was read, and what came of it."""

    found: Checked
    way: Binding
    meant: sp.Expr


def _summed_up(
    expression: sp.Expr, tried: Sequence[_Tried], in_full: Callable[[_Tried], Checked]
) -> Checked | None:
    if not tried:
        return None
    tried = [t for t in tried if t.found.reason != MISFITS] or tried  # which is no way to read it
    open_ = [t.found for t in tried if t.found.verdict != "refuted"]
    for checked in open_:
        if not checked.unbound:
            return checked
    wrong = [(t, t.way, t.way.left_out()) for t in tried if t.found.verdict == "refuted"]
    whole = [w for w in wrong if all(_is_another(v, w[1]) for v in w[2])]
    others = [c for c in open_ if not c.reason.startswith(COEFFICIENTS)]
    if others or not whole:
        return (others or open_)[0] if open_ else undecided("it speaks of a part of the loss alone")
    doubt = _converted([way for _, way, _ in whole])
    fewest = min(len(left) for _, _, left in whole)
    likeliest = [w for w in whole if len(w[2]) == fewest][:_MOST_TOLD]
    told = [(t.found if t.found.reason else in_full(t), way, left) for t, way, left in likeliest]
    refuted, way, left = min(told, key=lambda w: "its term" not in w[0].reason)
    if left:
        refuted = replace(refuted, reason=f"{refuted.reason}; the code has {left[0].title}, too")
    if way.takes_for_data():
        return undecided(f"{refuted.reason}, if the batch that no player made is training data")
    if not says_all(expression):
        return undecided("of what distribution p(x|z) is, the formula does not say")
    if doubt:
        return undecided(f"{refuted.reason}; but {doubt}")
    known = "its term" in refuted.reason or "is stated as" in refuted.reason
    counts = {len(v.recorded) for v in way.loss.variables if v.recorded.ndim}
    own = [n for n in counts if n > 1 and f" {n / (n - 1):.6g} times" in refuted.reason]
    if expression.has(First) and own:  # all pairs over the number of those of different rows
        return undecided(f"{refuted.reason}; but that may be how pairs are counted")
    if expression.has(First) and not (known or "not the gradients" in refuted.reason):
        return undecided(
            f"{refuted.reason}; but how pairs of rows are drawn the formula does not say"
        )
    return refuted


def _converted(ways: list[Binding]) -> str:
    """Reason why what a player returns may not be what the formula's network is: the code goes on
    with it before it is compared, or it is a number that no formula speaks of; empty for none."""
    loss = ways[0].loss
    outputs = [v for v in loss.variables if v.sort == "output"]
    if any(v.recorded.numel() == 1 for v in outputs):
        return "a player returns a loss of its own"
    ends = {node for v in outputs for node, _ in v.places}
    for way in ways:
        for name, (node, _) in way.places.items():
            judges = _JUDGE.match(name) is not None
            if node in ends and not judges and is_converted(loss, node, _CONVERTS):
                return f"what stands for {name} is computed of what the player returns"
    return ""


def _is_another(left: Variable, way: Binding) -> bool:
    """Whether what a formula leaves out is an output unlike all that it speaks of: not a second
    batch of the same."""
    if left.sort != "output":
        return False
    spoken = [v for v in way.loss.variables if v not in way.left_out()]
    return all((v.player, v.path, v.role) != (left.player, left.path, left.role) for v in spoken)


def is_of(way: Binding, loss: StepLoss, player: str) -> bool:
    """Tell whether a binding makes a loss that of a player: the discriminator's trains what judges,
    the generator's does not."""
    judges = {p for letter, (p, _) in way.letters.items() if _JUDGE.fullmatch(letter)}
    updated = set(loss.update.players)
    if player == "discriminator":
        return bool(judges & updated)
    return player == "training" or not judges & updated


def _scales(expression: sp.Expr) -> list[tuple[sp.Expr, str]]:
    """A formula as it is, and with norms that are means over features, as code often has them: all
    of them, then some."""
    norms = sorted(
        (e for e in expression.atoms(sp.Pow, Norm1) if _is_norm(e) and not e.has(First)), key=str
    )
    found = [(expression, "")]
    if not norms or len(norms) > _MOST_NORMS:
        return found
    for count in range(len(norms), 0, -1):
        for chosen in itertools.combinations(norms, count):
            said = _AVERAGED if count == len(norms) else f"some {_AVERAGED}"
            found.append((expression.xreplace({e: _averaged(e) for e in chosen}), said))
    return found


def _is_norm(e: sp.Expr) -> bool:
    return bool(e.func == Norm1 or (e.args[0].func == Norm and e.args[1] == 2))


def _averaged(e: sp.Expr) -> sp.Expr:
    inside = sp.Abs(e.args[0]) if e.func == Norm1 else e.args[0].args[0] ** 2
    return FeatureMean(inside)


def _all_norms(expression: sp.Expr) -> bool:
    """Whether every term is one of norms, so that their scale is a factor of the whole."""
    return all(
        term.has(Norm) or term.has(Norm1) for term in sp.Add.make_args(sp.expand(expression))
    )
