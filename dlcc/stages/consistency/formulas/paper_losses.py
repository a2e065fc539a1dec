"""Losses as a document gives them: whose each is, parts put in, penalties beside."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import sympy as sp

from dlcc.records import Formula
from dlcc.stages.consistency.formulas.document_constants import assignments
from dlcc.stages.consistency.formulas.functions import definitions, with_functions
from dlcc.stages.consistency.formulas.latex import Equation, parse_equation, split_at_equals
from dlcc.stages.consistency.formulas.latex_synonyms import with_usual_words
from dlcc.stages.consistency.formulas.latex_tokens import LONGEST_DISPLAY, UnknownFormula
from dlcc.stages.consistency.formulas.loss_names import (
    DISCRIMINATOR,
    GENERATOR,
    TRAINING,
    LossName,
    loss_names,
    split_extremes,
)
from dlcc.stages.consistency.formulas.network_letters import with_usual_letters
from dlcc.stages.consistency.formulas.symbols import (
    DIVERGENCE,
    LIKELIHOOD,
    D,
    G,
    Gradient,
    Norm,
    Norm1,
    is_application,
    judged,
)

_PENALTY = re.compile(r"(?:R|P|GP|L|Omega)_?(?:\w{0,4}(?:gp|pen|reg|r1|r2|1|2))?", re.IGNORECASE)
_LOSS_NAME = re.compile(r"[LJV]_|ELBO|[Ll]oss|[Cc]ost")
_OF_PLAYERS = re.compile(r"([LVJ](?:_(?:\{[^{}]*\}|\w))?)\s*\(\s*[DG](?:\s*,\s*[DG])*\s*\)")
_MOST_PENALTIES = 3
_SIDE_BY_SIDE = re.compile(r",?\s*\\q?quad\b(?:\s*\\text\{[^{}]*\})?|,\s*\\text\{\s*where\s*\}")
_ENVIRONMENT = re.compile(
    r"\\(?:begin|end)\{(?:align|aligned|alignat|alignedat|split|gather|gathered|eqnarray)\*?\}"
    r"(?:\{\d+\})?"
)
_DISCREPANCY = re.compile(r"MMD(?:_\w+)?(?:\^2)?(?:_\w+)?(?:[(\[].*[)\]])?")
_SPACE = re.compile(
    r"&|~|\\[,;:! ]|\\q?quad(?![a-zA-Z])|\\h?phantom\s*\{[^{}]*\}|\\hspace\*?\s*\{[^{}]*\}"
    r"|(?<![\w}^])\{\s*\}"
)
_SIGN = re.compile(r"\\math(?:rel|bin|ord)\s*\{\s*([-+=])\s*\}")
# The left side of an equation: a name with its arguments, subscripts and fonts, and no sum
_NAME = re.compile(r"(?:\\?[a-zA-Z]|\\\|)(?:[^-+=]|\^\{?[-+*]\}?|(?<=[({,])[-+])*")
_ROW_OF_X = re.compile(r"(?<![a-zA-Z\\])x\}?\s*_\s*\{?([ijkmn])\}?(?![a-zA-Z])")
_ROW_END = re.compile(r"\\\\(?:\[[^\]]*\])?")
_MAY_BE_PENALTY = re.compile(r"\\nabla|\\\||\\lVert|\\lambda|\\gamma")
_NOT_UNDERSTOOD = (UnknownFormula, RecursionError, ArithmeticError, TypeError, ValueError)


@dataclass(frozen=True)
class PaperLoss:
    """Formula of a document that says what somebody minimises."""

    place: str
    """Place of the formula, such as `documents/method.md:11`."""
    player: str
    """Player whose loss it is: `discriminator`, `generator`, or `training` where one optimiser has
    all."""
    expression: sp.Expr | None
    """Right side, to be minimised; None where it is not understood."""
    reason: str
    """Reason why it is not understood; empty where it is."""
    penalties: tuple[sp.Expr, ...] = ()
    """Penalties that the document gives by themselves, which may belong to it."""
    unread: str = ""
    """Place of a formula beside it that is not understood and may be a part of it; empty for
    none."""

    maximised: bool = False
    """Whether its name says that it is a bound that one maximises."""
    part_of: str = ""
    """Place of a formula that it is a part of; empty for none."""
    presumed: bool = False
    """Whether its name does not say whose loss it is."""
    game: bool = False
    """Whether it is one value that several players pull at, of which this one takes its side."""

    def readings(self) -> Iterator[sp.Expr]:
        """List the formula alone, then with penalties, the most of them last."""
        assert self.expression is not None
        for count in range(len(self.penalties) + 1):
            for chosen in combinations(self.penalties, count):
                yield self.expression + sp.Add(*chosen)


def paper_losses(formulas: Sequence[Formula]) -> list[PaperLoss]:
    """Find the displayed formulas that say what somebody minimises.

    A value that players pull at in opposite directions is a loss of each, unless the document gives
    one of the player's own: then the value is what the paper begins with, not what it does.

    >>> from dlcc.records import Formula
    >>> found = paper_losses([Formula("a.md", 3, "L_D = -E[D(x)] + E[D(G(z))]", True, "")])
    >>> [(loss.player, str(loss.expression)) for loss in found]
    [('discriminator', '-Mean(D(x)) + Mean(D(G(z)))')]
    """
    displayed = [part for formula in _usual(formulas) for part in _parts(formula)]
    document = _Document(displayed)
    found = [_too_long(f) for f in formulas if f.displayed and len(f.latex) > LONGEST_DISPLAY]
    found += [
        loss
        for formula in displayed
        for name in _names(formula.latex)
        if (loss := document.loss(formula, name)) is not None
    ]
    own = {loss.player for loss in found if not loss.game}
    return [loss for loss in found if not loss.game or loss.player not in own]


def _usual(formulas: Sequence[Formula]) -> list[Formula]:
    """Displayed formulas in the usual words and letters."""
    displayed = [f for f in formulas if f.displayed and len(f.latex) <= LONGEST_DISPLAY]
    latex = with_usual_letters([with_usual_words(formula.latex) for formula in displayed])
    return [replace(f, latex=text) for f, text in zip(displayed, latex, strict=True)]


def _names(latex: str) -> tuple[LossName, ...]:
    """Names of the losses that a formula gives."""
    left, equals, right = _at_equals(latex)
    extremes, value = split_extremes(right if equals else left)
    if extremes:  # as in G* = arg min max V, or with no left side at all
        before = (right if equals else left).strip()
        return loss_names(before[: len(before) - len(value)], value)
    return loss_names(left, right) if equals else ()


class _Document:
    """Formulas of a document, of which some define parts of others."""

    def __init__(self, displayed: Sequence[Formula]) -> None:
        self._unread = _unread(displayed)
        self._equations = dict(_equations(displayed))
        self._functions = _applied(self._equations.values())
        self._parts = dict(_part_places(displayed))
        self._penalties = tuple(_penalties(self._equations.values()))[:_MOST_PENALTIES]

    def loss(self, formula: Formula, name: LossName) -> PaperLoss | None:
        """Read a formula as the loss of a player; None where it gives a mere number, or a part."""
        place, player = f"{formula.file}:{formula.line}", name.player
        if _head(formula.latex) in self._functions:
            return None
        try:
            equation = _equation(formula)
        except _NOT_UNDERSTOOD as reason:
            return None if name.presumed else _unknown(place, name, str(reason))
        if player == TRAINING and equation.name in self._parts:
            return None
        value = _with_parts(equation, self._equations)
        apart = _rows_apart(formula.latex) if value.has(D) else ""
        doubt = apart or _doubt(equation, value, self._equations, player)
        if doubt:
            return None if name.presumed else _unknown(place, name, doubt)
        if value.is_number:  # as a size may be called L or J
            return None
        if player == TRAINING and _is_of_critic(value):
            player = DISCRIMINATOR
            value = value if _penalised(value) else -value
        elif name.bound:
            value = value if name.maximised or not _is_bound(value) else -value
        elif name.maximised:
            value = -value
        if name.game:
            value = _own_terms(value, player)
        if value == 0:
            return None
        alone = player == GENERATOR
        beside = () if alone or value.has(Gradient) else self._penalties
        missing = "" if alone else self._unread
        return PaperLoss(
            place,
            player,
            value,
            "",
            beside,
            missing,
            name.bound,
            self._parts.get(equation.name, ""),
            name.presumed,
            name.game,
        )


def _too_long(formula: Formula) -> PaperLoss:
    reason = f"longer than {LONGEST_DISPLAY:,} characters"
    return PaperLoss(f"{formula.file}:{formula.line}", TRAINING, None, reason, presumed=True)


def _unknown(place: str, name: LossName, reason: str) -> PaperLoss:
    return PaperLoss(place, name.player, None, reason, game=name.game)


def _is_of_critic(value: sp.Expr) -> bool:
    """Whether it can only be a discriminator's: it has real data and a penalty on gradients."""
    real = any(judged(output) == "D(x)" for output in value.atoms(D))
    return real and value.has(Gradient)


def _penalised(value: sp.Expr) -> bool:
    """Whether a penalty on gradients is added, and not taken off."""
    terms = [t for t in sp.Add.make_args(sp.expand(value)) if t.has(Gradient)]
    even = [t for t in terms if t.has(Norm) and _is_square(t)] or terms
    return bool(even[0].as_coeff_Mul()[0] > 0)


def _is_square(term: sp.Expr) -> bool:
    return any(
        power.exp == 2 and power.base.func == Norm and power.base.has(Gradient)
        for power in term.atoms(sp.Pow)
    )


def _own_terms(value: sp.Expr, player: str) -> sp.Expr:
    """Terms of a value that a player can move."""
    terms = sp.Add.make_args(sp.expand(value))
    if player == DISCRIMINATOR:
        return sp.Add(*(term for term in terms if term.has(D)))
    return sp.Add(*(t for t in terms if t.has(G) or any(judged(o) != "D(x)" for o in t.atoms(D))))


def _applied(equations: Iterable[Equation]) -> frozenset[str]:
    """Names of the functions that formulas apply to something."""
    found = (e.value.atoms(sp.Function) for e in equations)
    return frozenset(e.func.__name__ for atoms in found for e in atoms if is_application(e))


def _part_places(formulas: Iterable[Formula]) -> Iterator[tuple[str, str]]:
    """Names of the parts that formulas are put together of, each with the place of one of these."""
    for formula in formulas:
        try:
            equation = _equation(formula)
        except _NOT_UNDERSTOOD:
            continue
        for symbol in equation.value.free_symbols:
            if symbol.name != equation.name:
                yield symbol.name, f"{formula.file}:{formula.line}"


def _head(latex: str) -> str:
    """Name of what a formula defines as a function of something, such as L(v); empty for none."""
    left = re.sub(r"\\[a-zA-Z]+|[{}\s\\]", "", latex.partition("=")[0])
    name, _, rest = left.partition("(")
    return name if rest else ""


def _rows_apart(latex: str) -> str:
    """Reason why data cannot be told, where x is drawn from p and q, or two rows of it are judged,
    such as x_i and x_j."""
    if all(re.search(rf"(?<![a-zA-Z\\]){letter}\s*\(\s*x", latex) for letter in "pq"):
        return "which of p and q the data are drawn from cannot be told"
    rows = sorted(set(_ROW_OF_X.findall(latex)))
    return f"which of x_{' and x_'.join(rows)} are data cannot be told" if len(rows) > 1 else ""


def _doubt(
    equation: Equation, value: sp.Expr, equations: Mapping[str, Equation], player: str
) -> str:
    """Reason why a formula that was read cannot be taken for a loss; empty where there is none."""
    for name in equation.other_names:
        others = {found.player for found in loss_names(name)}
        if others and TRAINING not in (*others, player) and player not in others:
            return f"{name} on its way is another player's"
        if name in equations and sp.simplify(_with_parts(equations[name], equations) - value) != 0:
            return f"{name} is given in another way, too"
    undefined = [s.name for s in value.free_symbols if _LOSS_NAME.match(s.name)]
    if undefined:
        return f"{undefined[0]} is not given"
    data = {
        argument
        for output in value.atoms(D)
        if judged(output) == "D(x)"
        for argument in output.args[:1]
    }
    if len(data) > 1:
        names = " and ".join(sorted(str(argument) for argument in data))
        return f"which of {names} are data cannot be told"
    return ""


def _is_bound(value: sp.Expr) -> bool:
    """Whether a bound is written as such: its error of reconstruction, or divergence, is taken
    off."""
    for term in sp.Add.make_args(sp.expand(value)):
        if term.has(Norm, Norm1) or term.has(DIVERGENCE):
            return bool(term.as_coeff_Mul()[0] < 0)
        if term.has(LIKELIHOOD):
            return bool(term.as_coeff_Mul()[0] > 0)
    return True


def _parts(formula: Formula) -> list[Formula]:
    """Equations that stand below each other in one formula, or side by side as in
    `P = ..., \\quad x̂ = ...`."""
    rows = [row for row in _rows(formula.latex) for row in _side_by_side(row)]
    return [replace(formula, latex=row) for row in rows]


def _rows(latex: str) -> list[str]:
    """Rows of an environment such as `aligned`, those that go on joined; the formula itself where
    it has none."""
    inner, found = _ENVIRONMENT.subn(" ", latex)
    if not found:
        return [latex]
    rows: list[str] = []
    for row in _ROW_END.split(inner):
        text = _SIGN.sub(r"\1", _SPACE.sub(" ", row)).strip()
        left, equals, _ = _at_equals(text)
        if rows and not (equals and _NAME.fullmatch(left.strip())):
            rows[-1] = f"{rows[-1]} {text}"
        elif text:
            rows.append(text)
    return rows


def _at_equals(latex: str) -> tuple[str, str, str]:
    """Cut at the first = outside of braces, as `str.partition` does: `_{i=1}` is no equation."""
    left, *others = split_at_equals(latex)
    return (left, "=", "=".join(others)) if others else (left, "", "")


def _side_by_side(latex: str) -> list[str]:
    """Equations of a row; the row itself where a part of it is none. What sets constants behind a
    comma is a part of its own."""
    parts = [part.strip() for part in _SIDE_BY_SIDE.split(latex)]
    if not all("=" in part for part in parts):
        parts = [latex]
    return [piece for part in parts for piece in _without_settings(part)]


def _without_settings(latex: str) -> list[str]:
    """An equation, and the constants that are set behind it."""
    *before, last = latex.split(",")
    settings: list[str] = []
    while before and assignments(last):
        settings.insert(0, last)
        *before, last = before
    return [",".join([*before, last]), *settings]


def _unread(formulas: Iterable[Formula]) -> str:
    """Place of the first formula of no player's loss that is not understood and has a gradient, a
    norm or a weight in it: it may be a penalty."""
    for formula in formulas:
        if _names(formula.latex) or any(map(assignments, formula.latex.split(","))):
            continue
        if _MAY_BE_PENALTY.search(formula.latex):
            try:
                _equation(formula)
            except _NOT_UNDERSTOOD:
                return f"{formula.file}:{formula.line}"
    return ""


def _equation(formula: Formula) -> Equation:
    """Parse a formula; one that its document's reader could not rebuild is not understood."""
    if formula.unread:
        raise UnknownFormula(f"it could not be read from its document: {formula.unread}")
    left, equals, right = _at_equals(formula.latex)
    extremes, value = split_extremes(right if equals else left)
    named = f"V = {value}" if extremes and value else formula.latex
    if extremes and equals:
        named = f"{left} = {value}"
    left, equals, right = _at_equals(named)
    return parse_equation(f"{left}{equals}{_OF_PLAYERS.sub(lambda m: m[1], right)}")


def _equations(formulas: Iterable[Formula]) -> Iterator[tuple[str, Equation]]:
    for formula in formulas:
        try:
            equation = _equation(formula)
        except _NOT_UNDERSTOOD:
            continue
        yield re.sub(r"\([DG,]+\)$", "", equation.name), equation


def _penalties(equations: Iterable[Equation]) -> Iterator[sp.Expr]:
    """Formulas of a penalty by itself, such as `R = γ/2 E‖∇D(x)‖²`."""
    for equation in equations:
        if equation.value.has(Gradient) and _PENALTY.fullmatch(equation.name):
            bare = equation.value.replace(lambda e: e.func == Gradient, lambda e: sp.Integer(1))
            if not bare.has(D):
                yield equation.value


def _defined(name: str, equations: Mapping[str, Equation]) -> Equation | None:
    """Equation of a name; where it is written with other capitals, the only one."""
    if name in equations:
        return equations[name]
    if name in ("MMD", "MMD^2"):
        return _discrepancy(name, equations)
    alike = [e for known, e in equations.items() if known.lower() == name.lower() and len(name) > 1]
    return alike[0] if len(alike) == 1 else None


def _discrepancy(name: str, equations: Mapping[str, Equation]) -> Equation | None:
    """Equation of a discrepancy, whatever it is said to be of; of its root where its square is
    given."""
    given = [e for known, e in equations.items() if _DISCREPANCY.fullmatch(known)]
    if len(given) != 1:
        return None
    squared = "^2" in given[0].name
    if squared == (name == "MMD^2"):
        return given[0]
    value = sp.sqrt(given[0].value) if squared else given[0].value ** 2
    return replace(given[0], value=value)


def _with_parts(equation: Equation, equations: Mapping[str, Equation]) -> sp.Expr:
    """Put in what other equations of the document define, a few levels deep."""
    value = equation.value
    for _ in range(3):
        parts = {
            symbol: defined.value
            for symbol in _outside_of_networks(value)
            if (defined := _defined(symbol.name, equations)) is not None
            and defined.name != equation.name
        }
        if not parts:
            break
        value = value.subs(parts)
    return with_functions(value, definitions(equations.values()))


def _outside_of_networks(value: sp.Expr) -> set[sp.Symbol]:
    """Symbols that are not only what networks with other names than D and G are applied to: x_t
    remains what goes in, though an equation says how it is made."""
    bare = value.replace(
        lambda e: is_application(e) and e.func not in (D, G), lambda e: sp.Integer(1)
    )
    return set(bare.free_symbols)
