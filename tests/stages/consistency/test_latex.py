"""LaTeX formulas to sympy: taken whole and right, or refused."""

import pytest
import sympy as sp
from hypothesis import assume, given
from hypothesis import strategies as st

from dlcc.stages.consistency.latex import parse_equation, parse_expression
from dlcc.stages.consistency.latex_tokens import UnknownFormula
from dlcc.stages.consistency.symbols import Mean

D, G = sp.Function("D"), sp.Function("G")
x, z, a, b = sp.symbols("x z a b", real=True)
CASES = [
    (r"-\mathbb{E}_{x \sim p}[\log D(x)]", -Mean(sp.log(D(x)))),
    (r"-E[\log(1 - D(G(z)))]", -Mean(sp.log(1 - D(G(z))))),
    (r"\frac{1}{m}\sum_{i=1}^{m} D(x_i)", Mean(D(x))),
    (r"\frac{1}{2N}\sum_i (D(x_i) - 1)^2", sp.expand(Mean((D(x) - 1) ** 2) / 2)),
    (r"\max(0, 1 - a)", sp.Max(0, 1 - a)),
    (r"\frac12 a^2 - 3ab", a**2 / 2 - 3 * a * b),
    (r"e^{-a}", sp.exp(-a)),
    (r"\sigma(a)", 1 / (1 + sp.exp(-a))),
    (r"a \cdot b / 2", a * b / 2),
    (r"-a^2", -(a**2)),
    (r"\log \sigma(a) + b", sp.log(1 / (1 + sp.exp(-a))) + b),
]


@pytest.mark.parametrize(("latex", "meant"), CASES)
def test_what_the_field_writes(latex: str, meant: sp.Expr) -> None:
    assert sp.simplify(sp.expand(parse_expression(latex) - sp.expand(meant))) == 0


@pytest.mark.parametrize(
    "latex",
    [
        r"\|a", r"\|a\|_3", r"\| \|a\| \|", r"KL", r"a +",
        r"\frac{1}{2", r"\sum_i D(x_i)", r"D", r"\unknown a", r"(a", r"a)",
        r"\log^2 a", r"a \quad \text{where}\; b = 1", "",
    ],
)  # fmt: skip
def test_what_is_not_understood_is_refused_whole(latex: str) -> None:
    with pytest.raises(UnknownFormula):
        parse_equation(f"L_D = {latex}")


def test_an_equation_has_a_name() -> None:
    assert parse_equation(r"\mathcal{L}_D = a").name == "L_D"
    with pytest.raises(UnknownFormula):
        parse_equation("a + b")


def expressions() -> st.SearchStrategy[tuple[str, float]]:
    """LaTeX and its value at a = 0.3, b = -0.7, built side by side."""
    leaves = st.sampled_from([("a", 0.3), ("b", -0.7), ("2", 2.0), ("0.5", 0.5)])

    def grow(inner: st.SearchStrategy[tuple[str, float]]) -> st.SearchStrategy[tuple[str, float]]:
        two = st.tuples(inner, inner)
        return st.one_of(
            two.map(lambda p: (f"({p[0][0]} + {p[1][0]})", p[0][1] + p[1][1])),
            two.map(lambda p: (f"({p[0][0]} - {p[1][0]})", p[0][1] - p[1][1])),
            two.map(lambda p: (rf"({p[0][0]}) ({p[1][0]})", p[0][1] * p[1][1])),
            two.map(lambda p: (rf"\frac{{{p[0][0]}}}{{3 + ({p[1][0]})^2}}",
                               p[0][1] / (3 + p[1][1] ** 2))),
            inner.map(lambda p: (rf"\max(0, {p[0]})", max(0.0, p[1]))),
            inner.map(lambda p: (f"-({p[0]})", -p[1])),
        )  # fmt: skip

    return st.recursive(leaves, grow, max_leaves=8)


@given(expressions())
def test_values_survive_the_reading(pair: tuple[str, float]) -> None:
    latex, value = pair
    try:
        meant = parse_expression(latex)
    except UnknownFormula as refused:
        assume("multiplied out" not in str(refused))  # which a few of these would be too long for
        raise
    read = meant.subs({a: sp.Float("0.3"), b: sp.Float("-0.7")})
    assert float(read) == pytest.approx(value, rel=1e-9, abs=1e-9)
