"""Comparison of documents with the code and the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import sympy as sp

from dlcc.findings import Finding
from dlcc.records import Config, Dossier, Formula, Function, RunGraph
from dlcc.stages.consistency.latex import Equation, UnknownFormula, parse_equation
from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.objectives import Objective
from dlcc.stages.consistency.prove import Proof, per_sample, prove
from dlcc.stages.consistency.torchcode import FAKE, REAL, UnknownCode, loss_expression, sigmoid

_D, _G = sp.Function("D"), sp.Function("G")
# One formula that the algebra chokes on must not take the other obligations with it.
_NOT_UNDERSTOOD = (
    UnknownFormula,
    UnknownCode,
    RecursionError,
    ArithmeticError,
    TypeError,
    ValueError,
)
_PLAYERS = {"D": "discriminator", "G": "generator"}


def check_formulas(ledger: Ledger, config: Config, dossier: Dossier, graph: RunGraph) -> None:
    """Check each displayed loss formula against the loss in the code that the graph links it to."""
    for i, formula in enumerate(dossier.formulas):
        player = _player_of(formula)
        if not formula.displayed or player is None:
            continue
        place = f"{formula.file}:{formula.line}"
        function = _linked(f"formula:{place}#{i}", player, config, dossier, graph)
        if function is None:
            statement = f"the formula at {place} is the {player}'s loss in the code"
            ledger.unknown(f"formula/{place}", "symbolic", statement, "no code is linked to it")
            continue
        statement = f"the formula at {place} is {function.name} at {function.file}"
        try:
            proof = _compare(formula, function)
        except _NOT_UNDERSTOOD as reason:
            ledger.unknown(f"formula/{place}", "symbolic", statement, f"not understood: {reason}")
            continue
        _note(ledger, f"formula/{place}", statement, proof, "LOG004", place, player, function)


def check_properties(
    ledger: Ledger, objective: Objective, config: Config, dossier: Dossier
) -> None:
    """Check the properties of the declared objective on the loss functions that the source has."""
    for player, claim, of, relation in objective.properties:
        function = next(iter(_loss_functions(dossier.functions, player, config)), None)
        if function is None:
            continue
        id_ = f"property/{function.name}/{claim}"
        statement = f"{function.name}: {claim}"
        place = f"{function.file}:{function.first_line}"
        try:
            loss = per_sample(loss_expression(function))
            proof = Proof("unknown", "means") if loss is None else prove(of(loss), relation)
        except _NOT_UNDERSTOOD as reason:
            ledger.unknown(id_, "symbolic", statement, f"not understood: {reason}")
            continue
        _note(ledger, id_, statement, proof, "LOG005", place, player, function)


def check_tables(ledger: Ledger, config: Config, dossier: Dossier) -> None:
    """Check tables whose first column names settings against the configuration."""
    for block in dossier.blocks:
        for cells in block.rows[1:]:
            if len(cells) < 2 or cells[0] not in dossier.config:
                continue
            stated, actual = cells[1].strip(), dossier.config[cells[0]]
            id_ = f"table/{block.file}:{block.line}/{cells[0]}"
            statement = f"{cells[0]} is {stated}, as {block.file} states"
            if _same(stated, actual):
                ledger.proved(id_, "record", statement, "compared with run.json")
                continue
            finding = Finding(
                "LOG008",
                f"{block.file} states {cells[0]} = {stated}; run.json has {actual}.",
                place=f"{block.file}:{block.line}",
            )
            ledger.refuted(id_, "record", statement, "compared with run.json", finding)


def _same(stated: str, actual: object) -> bool:
    try:
        return float(stated.replace(",", "")) == float(str(actual))
    except ValueError:
        return stated == str(actual)


def _note(
    ledger: Ledger,
    id_: str,
    statement: str,
    proof: Proof,
    code: str,
    place: str,
    player: str,
    function: Function,
) -> None:
    if proof.verdict == "proved":
        ledger.proved(id_, "symbolic", statement, proof.method)
    elif proof.verdict == "unknown":
        ledger.unknown(id_, "symbolic", statement, proof.method)
    else:
        where = f"{function.name} ({function.file}:{function.first_line})"
        message = f"Not so for {where}: {proof.counterexample}."
        if code == "LOG004":
            message = f"The formula is not {where}: {proof.counterexample}."
        finding = Finding(code, message, player=player, place=place)
        ledger.refuted(id_, "symbolic", statement, proof.method, finding)


def _player_of(formula: Formula) -> str | None:
    """Find the player whose loss a formula gives, by its left side such as `L_D`."""
    left = formula.latex.partition("=")[0]
    match = re.search(r"[_^]\W*(?:\\\w+\s*\{)?\s*([DG])\b", left)
    return _PLAYERS[match[1]] if match else None


def _linked(
    formula: str, player: str, config: Config, dossier: Dossier, graph: RunGraph
) -> Function | None:
    """Find the loss function of a player among those that the graph links the formula to.

    A source with a loss for every objective has near twins: the declared one is taken first.
    """
    links = {e.target: e.weight for e in graph.edges if e.source == formula and e.kind == "means"}
    near = [f for f in dossier.functions if f"function:{f.file}:{f.name}" in links]
    near.sort(key=lambda f: -links[f"function:{f.file}:{f.name}"])
    declared = list(_loss_functions(near, player, config))
    return next(iter(declared or [f for f in near if player in f.name.lower()]), None)


def _loss_functions(
    functions: list[Function] | tuple[Function, ...], player: str, config: Config
) -> Iterator[Function]:
    """Find functions named after the player and the declared loss."""
    loss = config.objective.get("loss")
    for function in functions:
        words = function.name.lower().replace(".", "_").split("_")
        if player in words and "loss" in words and loss in words:
            yield function


def _compare(formula: Formula, function: Function) -> Proof:
    equation = parse_equation(formula.latex)
    document, code = per_sample(in_outputs(equation)), per_sample(loss_expression(function))
    if document is None or code is None:
        return Proof("unknown", "a mean inside a non-linear expression")
    return prove(document - code, "= 0")


def in_outputs(equation: Equation) -> sp.Expr:
    """Write a formula in D(x) and D(G(z)); a D whose logarithm is taken is a probability."""

    def output(argument: sp.Expr) -> sp.Expr:
        if argument.has(_G):
            return FAKE
        if isinstance(argument, sp.Symbol) and not argument.name.startswith(("hat", "tilde")):
            return REAL
        return _D(argument)

    value: sp.Expr = equation.value.replace(_D, output)
    logarithms: Mapping[sp.Expr, sp.Expr] = {REAL: sigmoid(REAL), FAKE: sigmoid(FAKE)}
    if any(not a.args[0].has(sp.exp) for a in value.atoms(sp.log)):
        value = value.subs(logarithms, simultaneous=True)
    return value
