"""Proof by sympy: identities simplify to zero, inequalities to what has a sign.

Logarithms are taken apart only where their arguments are known to be positive, and everything that
a side divides by or takes the logarithm of must be proved to be in order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import sympy as sp

from dlcc.stages.consistency.provers.statement import Domain, Statement


def prove(statement: Statement) -> bool:
    """Tell whether algebra proves a statement, where all that it computes is defined.

    >>> from dlcc.stages.consistency.provers.statement import parse_statement
    >>> prove(parse_statement("a | x real | softplus(x) - softplus(-x) = x"))
    True
    >>> prove(parse_statement("b | x real | x**2 >= x"))
    False
    """
    difference, relation = statement.difference, statement.relation
    if relation in ("<=", "<"):
        difference, relation = -difference, relation.replace("<", ">")

    def holds(expression: sp.Expr) -> bool:
        return all(
            _holds(_in_exponentials(case), relation) or _holds(case, relation)
            for case in cases(expression)
        )

    return _everywhere(difference, statement.domains, holds)


def side_conditions(expression: sp.Expr) -> Iterator[tuple[sp.Expr, str]]:
    """List what must hold so that an expression is defined: pairs (expression, relation with 0)."""
    for part in sp.preorder_traversal(expression):
        if isinstance(part, sp.log):
            yield part.args[0], ">"
        elif isinstance(part, sp.Pow):
            base, exponent = part.args
            if exponent.is_integer is False and base != sp.E:
                yield base, ">" if exponent.is_negative else ">="
            elif exponent.is_negative:
                yield base, "!="


def is_defined(statement: Statement) -> bool:
    """Tell whether algebra shows that both sides are defined on the whole domain."""
    conditions = [
        *statement.conditions,
        *side_conditions(statement.left),
        *side_conditions(statement.right),
    ]
    return all(_is_in_order(e, relation, statement.domains) for e, relation in conditions)


def _is_in_order(condition: sp.Expr, relation: str, domains: Mapping[sp.Symbol, Domain]) -> bool:
    def holds(moved: sp.Expr) -> bool:
        forms = (moved, sp.factor(sp.together(moved)))
        if relation == ">=" and any(form.is_nonnegative for form in forms):
            return True
        return any(f.is_positive or (relation == "!=" and f.is_negative) for f in forms)

    return _everywhere(condition, domains, holds)


def _everywhere(
    expression: sp.Expr,
    domains: Mapping[sp.Symbol, Domain],
    holds: Callable[[sp.Expr], bool],
) -> bool:
    """Tell whether something holds within a domain, and at every end that belongs to it."""
    if not holds(in_positive_symbols(expression, domains)):
        return False
    for symbol, domain in domains.items():
        others = {s: d for s, d in domains.items() if s != symbol}
        ends = ((domain.low, domain.low_open), (domain.high, domain.high_open))
        for end, is_open in ends:
            if end is None or is_open:
                continue
            at_end = expression.subs(symbol, sp.Rational(str(end)))
            if at_end.has(sp.zoo, sp.nan, sp.oo, -sp.oo, sp.I):
                return False
            if not _everywhere(at_end, others, holds):
                return False
    return True


def in_positive_symbols(expression: sp.Expr, domains: Mapping[sp.Symbol, Domain]) -> sp.Expr:
    """Write variables of bounded domains by positive symbols, so that sympy knows their bounds.

    A variable in (a, b) becomes a + (b − a)/(1 + q) with q > 0, which is in the open interval: ends
    that belong to the domain are cases of their own.
    """
    moved = {}
    for symbol, domain in domains.items():
        q = sp.Dummy(f"q_{symbol.name}", positive=True)
        if domain.low is not None and domain.high is not None:
            low, high = sp.Rational(str(domain.low)), sp.Rational(str(domain.high))
            moved[symbol] = low + (high - low) / (1 + q)
        elif domain.low is not None and domain.low != 0:
            moved[symbol] = sp.Rational(str(domain.low)) + q
        elif domain.high is not None:
            moved[symbol] = sp.Rational(str(domain.high)) - q
    return expression.subs(moved)


def _in_exponentials(moved: sp.Expr) -> sp.Expr:
    """Write e^x of real variables as positive unknowns, logarithms of fractions taken apart."""
    unknowns = {
        s: sp.Dummy(f"e_{s.name}", positive=True)
        for s in moved.free_symbols
        if s.is_positive is None and s.is_real
    }
    inside = moved.subs({s: sp.log(u) for s, u in unknowns.items()})
    together = inside.replace(
        lambda e: isinstance(e, sp.log), lambda e: sp.log(sp.factor(sp.together(e.args[0])))
    )
    return sp.together(sp.expand(sp.expand_log(together)))


def _holds(expression: sp.Expr, relation: str) -> bool:
    forms = [expression, sp.simplify(expression)]
    if relation == "=":
        return any(form == 0 for form in forms)
    for form in (*forms, sp.factor(expression)):
        if relation == ">=" and form.is_nonnegative:
            return True
        if form.is_positive:
            return True
    return relation != "=" and _adds_up(expression, strictly=relation == ">")


def _adds_up(expression: sp.Expr, *, strictly: bool) -> bool:
    """Whether the terms in each variable alone are non-negative together, or positive."""
    groups: dict[frozenset[sp.Symbol], sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand(expression)):
        key = frozenset(term.free_symbols)
        groups[key] = groups.get(key, sp.Integer(0)) + term
    constant = groups.pop(frozenset(), sp.Integer(0))
    parts = list(groups.values())
    return any(
        all(
            any(
                form.is_positive if strictly else form.is_nonnegative
                for form in (whole, sp.factor(whole))
            )
            for whole in (value + (constant if i == k else 0) for i, value in enumerate(parts))
        )
        for k in range(len(parts))
    )


def cases(expression: sp.Expr) -> Iterator[sp.Expr]:
    """List every way in which maxima and absolute values can be resolved: a statement that holds in
    each case without the case's condition holds."""
    split = sorted(expression.atoms(sp.Max, sp.Min, sp.Abs, sp.Heaviside, sp.sign), key=str)
    if not split or expression.is_nonnegative:
        yield expression
        return
    first = split[0]
    if isinstance(first, sp.Max | sp.Min):
        choices: tuple[sp.Expr, ...] = first.args
    elif isinstance(first, sp.Abs):
        choices = (first.args[0], -first.args[0])
    elif isinstance(first, sp.sign):
        choices = (sp.Integer(-1), sp.Integer(0), sp.Integer(1))
    else:
        choices = (sp.Integer(0), sp.Integer(1))
    for choice in choices:
        yield from cases(expression.subs(first, choice))
