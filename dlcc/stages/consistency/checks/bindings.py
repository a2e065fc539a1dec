"""Bindings of a formula's letters by data flow: networks, data, noise, codes and targets.

A formula says how its quantities are made: F(G(x)) is what a network F returns of what G returned
of data. A step says the same of every tensor. Letters are bound so that both agree: a letter to one
player, a name to one tensor. Where several bindings agree, each is a way to read the formula.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import sympy as sp
import torch
from torch import Tensor

from dlcc.stages.consistency.checks.candidates import (
    DECORATED,
    all_inputs,
    codes_given,
    row_width,
    scaled_data,
    undecorated,
)
from dlcc.stages.consistency.checks.formula_values import UnboundError, row_values
from dlcc.stages.consistency.checks.schedules import Schedule, flat_rows, schedules
from dlcc.stages.consistency.formulas.symbols import (
    DIVERGENCE,
    LIKELIHOOD,
    REVERSE_DIVERGENCE,
    First,
    Norm,
    Norm1,
    Second,
    StopGradient,
    is_application,
    is_chance,
)
from dlcc.tracing.losses import StepLoss, Variable
from dlcc.tracing.roles import ASSUMED, REAL
from dlcc.tracing.terms import CHANCE, GIVEN, MADE, MIX, OTHER, Term

_WRAPS = (StopGradient, First, Second)
_MOST = 48  # bindings that are looked at
_TIMES = ("t", "s", "tau", "k", "n", "sigma", "sigma_i", "c", "y", "l", "a")
_CODES = ("z", "c", "h", "e", "u")
_DATA_ALONE = re.compile(r"\([xy](?:_\w+|\^\+)?[,)]")
_JUDGE = re.compile(r"[DC](?:_\w+)?\(")
Place = tuple[int, tuple[int, ...] | None]
"""Node, and the rows of it; None for all."""


@dataclass(frozen=True)
class Binding:
    """Way to read a formula, in which each of its names stands for a tensor of the step."""

    loss: StepLoss
    """Loss of the step."""
    letters: Mapping[str, tuple[str, str]]
    """Letter of a network -> player and its part."""
    places: Mapping[str, Place]
    """Name such as `F(G(x))` or `x` -> where its numbers are."""
    schedule: Schedule | None = None
    """Coefficients of data and noise in what went into a network; None where there are none."""
    scaled: str = ""
    """Name that stands for data which the code computed with first, where the formula does not say
    so; empty for none."""
    logits: tuple[str, ...] = ()
    """Names whose sigmoid a formula means."""

    def values(self, drawn: Mapping[Variable, Tensor]) -> dict[str, Tensor]:
        """Give the numbers [rows, features] of each quantity."""
        names = list(self.places)
        found = self.loss.at([self.places[name][0] for name in names], drawn)
        quantities = {}
        for name, value in zip(names, found, strict=True):
            rows = self.places[name][1]
            taken = value if rows is None else value[list(rows)]
            flat = flat_rows(taken)
            quantities[name] = torch.sigmoid(flat) if name in self.logits else flat
        coefficients = {} if self.schedule is None else self.schedule.values(self.loss, drawn)
        return {**coefficients, **quantities}

    def takes_for_data(self) -> bool:
        """Whether some data of the formula are data of the code only because no player made
        them."""
        return any(
            v.role == ASSUMED and (v.places[0][0], None) == place and _DATA_ALONE.search(name)
            for name, place in self.places.items()
            for v in self.loss.variables
        )

    def left_out(self) -> list[Variable]:
        """List what the loss is a function of and the formula does not speak of."""
        return [v for v in self.loss.variables if v.sort != "weight" and not self._covers(v)]

    def _covers(self, variable: Variable) -> bool:
        for node, rows in variable.places:
            for bound, taken in self.places.values():
                if bound == node and taken in (None, tuple(rows.tolist())):
                    return True
                if bound != node and node in self.loss.behind(bound):
                    return True
        return False


@dataclass(frozen=True)
class _State:
    letters: Mapping[str, tuple[str, str]]
    symbols: Mapping[str, Term]
    applied: Mapping[str, tuple[Place, Term]]
    expressions: Mapping[str, sp.Expr]


def bindings(expression: sp.Expr, loss: StepLoss) -> list[Binding]:
    """List the ways to bind the names of a formula to the tensors of a step.

    Args:
        expression: Right side of the formula.
        loss: Loss of an optimiser's step.

    Returns:
        Bindings; none where something in the formula is like nothing in the step.
    """
    found = [_State({}, {}, {}, {})]
    for e in _applications(expression):
        found = [new for state in found for new in _bound(e, state, loss)][:_MOST]
    for name in _vectors(expression):
        found = [new for state in found for new in _named(name, state, loss, expression)][:_MOST]
    ways = [pair for state in found for pair in _readings(state, loss, expression)]
    said = [way for way, says in ways if says]
    if said or any(says is False for _, says in ways):
        return said
    return [way for way, _ in ways]


def _applications(expression: sp.Expr) -> list[sp.Expr]:
    """Networks that are applied to something and not within the argument of another one, those of
    the most within each other first."""
    outer: list[sp.Expr] = []

    def visit(e: sp.Basic) -> None:
        if is_application(e):
            outer.append(e)
            return
        for argument in e.args:
            visit(argument)

    visit(expression)
    return sorted(
        dict.fromkeys(outer), key=lambda e: (-len(list(sp.preorder_traversal(e))), str(e))
    )


def _vectors(expression: sp.Expr) -> list[str]:
    """Names that stand for tensors and not for constants: terms of norms, of what no gradient
    passes, and of comparisons of two draws; and data and samples wherever they are."""
    found: set[str] = set()
    bare = _without_applications(expression)
    for e in sp.preorder_traversal(bare):
        if e.func in (Norm, Norm1, StopGradient, First, Second, sp.Abs):
            for term in sp.Add.make_args(sp.expand(e.args[0])):
                factors = [f.args[0] if f.func in _WRAPS else f for f in _factors(term)]
                names = [f.name for f in factors if isinstance(f, sp.Symbol)]
                if len(names) == 1:
                    found.add(names[0])
                else:
                    found |= {n for n in names if _is_tensor(n)}
    found |= {s.name for s in bare.free_symbols if _is_tensor(s.name)}
    return sorted(found)


def _factors(term: sp.Expr) -> list[sp.Expr]:
    return [f for f in sp.Mul.make_args(term) if not f.is_number]


def _is_tensor(name: str) -> bool:
    return (name.startswith(DECORATED) and name[-1:] in "xyz") or (
        name.partition("_")[0] in ("x", "z", "epsilon") and name != "xi"
    )


def _without_applications(e: sp.Expr) -> sp.Expr:
    bare: sp.Expr = e.replace(is_application, lambda p: sp.Integer(1))
    constants = (DIVERGENCE, REVERSE_DIVERGENCE, LIKELIHOOD)
    return bare.subs(dict.fromkeys(constants, sp.Integer(1)))


# ---------------------------------------------------------------------------------- applications


def _bound(e: sp.Expr, state: _State, loss: StepLoss) -> Iterator[_State]:
    """Bind a network's output to each variable of the loss that was made in the same way."""
    for variable in loss.variables:
        if variable.sort != "output":
            continue
        node, rows = variable.places[0]
        term = replace(loss.terms.of(node, rows), part=variable.part)
        if not _has_role(e, variable, loss):
            continue
        whole = len(rows) == len(flat_rows(loss.value(node)))
        place: Place = (node, None if whole else tuple(rows.tolist()))
        if any(place == other for other, _ in state.applied.values()):
            continue
        for new in _matched(e, term, state):
            applied = {**new.applied, str(e): (place, term)}
            yield replace(new, applied=applied, expressions={**new.expressions, str(e): e})


def _has_role(e: sp.Expr, variable: Variable, loss: StepLoss) -> bool:
    """Whether a network that is applied to data alone was given training data, where they are
    known, and one that is applied to a sample was not."""
    known = any(v.role == REAL for v in loss.variables)
    names = [a.name for a in e.args if isinstance(a, sp.Symbol)]
    if known and {"x", "x^+"} & set(names) and len(e.args) == 1:
        return variable.role == REAL
    if any(name.endswith("^-") for name in names):
        given = loss.terms.of(variable.places[0][0]).inputs
        return variable.role != REAL if known else all(t.kind != GIVEN for t in given)
    return True


def _matched(e: sp.Expr, term: Term, state: _State) -> Iterator[_State]:
    """Ways in which an expression is written as a tensor was made."""
    if isinstance(e, sp.Symbol):
        yield from _symbol(e.name, term, state)
    elif is_application(e):
        yield from _application(e, term, state)
    elif term.kind in (MIX, GIVEN, CHANCE):
        yield from _mixed(e, term, state)


def _application(e: sp.Expr, term: Term, state: _State) -> Iterator[_State]:
    letter, player = e.func.__name__, (term.player, term.path)
    if term.kind != MADE:
        return
    if state.letters.get(letter, player) != player:
        return
    if any(p == player and other != letter for other, p in state.letters.items()):
        return
    begun = replace(state, letters={**state.letters, letter: player})
    yield from _arguments(list(e.args), [i for i in term.inputs if i.kind != OTHER], begun)


def _arguments(wanted: list[sp.Expr], given: list[Term], state: _State) -> Iterator[_State]:
    """Match what a network is applied to with what went in; conditions may be left out."""
    if not wanted:
        if all(term.kind != MADE for term in given):
            yield state
        return
    first, *rest = wanted
    for k, term in enumerate(given):
        for new in _matched(first, term, state):
            yield from _arguments(rest, given[:k] + given[k + 1 :], new)
    if isinstance(first, sp.Symbol) and first.name in _TIMES:
        yield from _arguments(rest, given, state)


def _mixed(e: sp.Expr, term: Term, state: _State) -> Iterator[_State]:
    """Match an expression such as x + σε with a tensor that is computed of several."""
    parts = [t for t in (term, *term.inputs) if t.kind != MIX]
    wanted = [
        part
        for part in sp.preorder_traversal(e)
        if is_application(part) or (isinstance(part, sp.Symbol) and _is_tensor(part.name))
    ]
    states = [state]
    for part in dict.fromkeys(wanted):
        states = [new for s in states for t in parts for new in _matched(part, t, s)]
    yield from states


def _symbol(name: str, term: Term, state: _State) -> Iterator[_State]:
    """Bind a name to a tensor that it may stand for, one that no other name stands for."""
    name = name.removeprefix("prime") if name.startswith("prime") else name
    if name in state.symbols:
        if state.symbols[name].node == term.node:
            yield state
        return
    if any(t.node == term.node for t in state.symbols.values()):
        return
    if _may_be(name, term):
        yield replace(state, symbols={**state.symbols, name: term})


def _may_be(name: str, term: Term) -> bool:
    base, decorated = undecorated(name)
    like_data = base[:1] in ("x", "y")
    if name in _TIMES and name != "y" and term.kind in (CHANCE, GIVEN):
        return True
    if term.kind == GIVEN:
        return (like_data and not decorated) or name.endswith("^-")
    if term.kind == CHANCE:
        return is_chance(base) or base[:1] in ("z", "n") or name in ("x_0", "x_1", "x_T")
    if term.kind == MIX:
        return decorated or name in ("x_t", "x_sigma", "z", "z_t", "x_noisy") or name.endswith("^-")
    return term.kind == MADE and (decorated or base[:1] in _CODES or "^" in name)


# ------------------------------------------------------------------------------------- free names


def _named(name: str, state: _State, loss: StepLoss, expression: sp.Expr) -> Iterator[_State]:
    """Bind a name outside of networks' arguments to each tensor that it may stand for."""
    if name in state.symbols:
        yield state
        return
    used = {t.node for t in state.symbols.values()} | {p[0] for p, _ in state.applied.values()}
    found = [
        t for t in dict.fromkeys(_candidates(name, state, loss, expression)) if t.node not in used
    ]
    for term in found:
        yield replace(state, symbols={**state.symbols, name: term})
    if not found and not _is_tensor(name):
        yield state  # a constant, then


def _candidates(name: str, state: _State, loss: StepLoss, expression: sp.Expr) -> Iterator[Term]:
    base, decorated = undecorated(name)
    outputs = [loss.terms.of(*v.places[0]) for v in loss.variables if v.sort == "output"]
    data = [loss.terms.of(v.places[0][0]) for v in loss.variables if v.sort == "data"]
    noise = [loss.terms.of(v.places[0][0]) for v in loss.variables if v.sort == "noise"]
    wide = {row_width(t, loss) for t in data}
    if decorated and base[:1] in ("x", "y"):
        yield from (t for t in outputs if row_width(t, loss) in wide or not wide)
        yield from (t for t in _inputs(state) if t.kind == MIX)
    elif base[:1] in ("x", "y"):
        yield from data
        yield from (t for t in all_inputs(loss) if t.kind == GIVEN)
        yield from scaled_data(loss)
        if base[:1] == "y":
            yield from outputs
        if name in ("x_0", "x_1") and _has(expression, "x_0") and _has(expression, "x_1"):
            yield from _noise_within(noise, state)
        if name == "x_t":
            yield from (t for t in _inputs(state) if t.kind == MIX)
    elif is_chance(base) or base[:1] == "z":
        yield from _noise_within(noise, state)
        if base[:1] in _CODES:
            yield from (t for t in outputs if row_width(t, loss) not in wide)
            yield from codes_given(loss)
    else:
        yield from outputs


def _has(expression: sp.Expr, name: str) -> bool:
    return any(s.name == name for s in expression.free_symbols)


def _inputs(state: _State) -> list[Term]:
    """List what went into the networks that were bound."""
    return [t for _, made in state.applied.values() for t in made.inputs]


def _noise_within(noise: list[Term], state: _State) -> list[Term]:
    """Noise that went into a network that was bound, where any did."""
    mixed = [t for t in _inputs(state) if t.kind == MIX]
    within = {t.node for m in mixed for t in m.within() if t.kind == CHANCE}
    return [t for t in noise if t.node in within] if mixed else noise


# ---------------------------------------------------------------------------------------- results


def _readings(
    state: _State, loss: StepLoss, expression: sp.Expr
) -> Iterator[tuple[Binding, bool | None]]:
    """Bindings of a state, with coefficients of data and noise by what formulas may call them; and
    whether what the formula applies networks to is what went in, None where it does not say."""
    places: dict[str, Place] = {name: place for name, (place, _) in state.applied.items()}
    outside = {s.name for s in _without_applications(expression).free_symbols}
    everywhere = {name: (term.node, None) for name, term in state.symbols.items()}
    places |= {name: place for name, place in everywhere.items() if name in outside}
    if not places:
        return
    for schedule in _schedules(state, loss, expression):
        if {"x_0", "x_1"} <= set(state.symbols) and (
            schedule is None or not schedule.runs_from(loss, state.symbols["x_0"].node)
        ):
            continue
        made = Binding(loss, state.letters, places, schedule)
        whole = replace(made, places={**everywhere, **places})
        says = _says_what_went_in(state, whole, loss)
        if not says:
            whole_inputs = {t.node for t in all_inputs(loss)}
            computed = (
                name
                for name, term in state.symbols.items()
                if term.kind == GIVEN and term.inputs and term.node not in whole_inputs
            )
            made = replace(made, scaled=next(computed, ""))
        yield from ((replace(made, logits=names), says) for names in _logits(places, loss))


def _schedules(state: _State, loss: StepLoss, expression: sp.Expr) -> list[Schedule | None]:
    """Coefficients of data and noise in what went into the networks that were bound, of those data
    and that noise which names stand for."""
    names = {s.name for s in expression.free_symbols}
    cumulative = any(name.startswith("baralpha") for name in names)
    bound = {
        kind: {t.node for t in state.symbols.values() if t.kind == kind} for kind in (GIVEN, CHANCE)
    }
    for _, made in state.applied.values():
        for term in made.inputs:
            if term.kind == MIX:
                times = [t.node for t in made.inputs if t.node != term.node]
                found = [
                    schedule
                    for schedule in schedules(loss, term, times, cumulative=cumulative)
                    if (schedule.data in bound[GIVEN] or not bound[GIVEN])
                    and (schedule.noise in bound[CHANCE] or not bound[CHANCE] - set(times))
                    and not (schedule.squared and not {"alpha", "alpha_t"} & names)
                ]
                if found:
                    return list(found)
    return [None]


def _says_what_went_in(state: _State, binding: Binding, loss: StepLoss) -> bool | None:
    """Whether what a formula applies a network to, such as x + σε, is what went into it."""
    quantities = binding.values({})
    found: list[bool] = []
    for text, (_, made) in state.applied.items():
        for argument in state.expressions[text].args:
            if isinstance(argument, sp.Symbol) or is_application(argument):
                continue
            try:
                said = row_values(argument, quantities)
            except UnboundError:
                continue
            went_in = [flat_rows(loss.value(t.node)).double() for t in made.inputs]
            found.append(any(_alike(said, value) for value in went_in))
    return all(found) if found else None


def _alike(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=1e-4, atol=1e-5)


def _logits(places: Mapping[str, Place], loss: StepLoss) -> Iterator[tuple[str, ...]]:
    """Names whose sigmoid a formula may mean: what judges return, and what is reconstructed."""
    yield ()
    judged = tuple(
        name
        for name, (node, _) in places.items()
        if _JUDGE.match(name) and loss.value(node).ndim and loss.value(node)[0].numel() == 1
    )
    if judged:
        yield judged
    if "hatx" in places:
        yield (*judged, "hatx")
