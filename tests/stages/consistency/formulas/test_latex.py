"""LaTeX formulas to sympy: taken whole and right, or refused."""

import pytest
import sympy as sp
from hypothesis import assume, given
from hypothesis import strategies as st

from dlcc.stages.consistency.formulas.latex import parse_equation, parse_expression
from dlcc.stages.consistency.formulas.latex_tokens import UnknownFormula
from dlcc.stages.consistency.formulas.symbols import (
    DIVERGENCE,
    LIKELIHOOD,
    REVERSE_DIVERGENCE,
    Distinct,
    FeatureSum,
    Gradient,
    Mean,
    Norm,
    StopGradient,
)

D, G, E, k = map(sp.Function, "DGEk")
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
    (r"\mathrm{softplus}(-a)", sp.log(1 + sp.exp(-a))),
    (r"a \cdot b / 2", a * b / 2),
    (r"-a^2", -(a**2)),
    (r"\log \sigma(a) + b", sp.log(1 / (1 + sp.exp(-a))) + b),
    (r"\log (a^{(i)})^2 + \exp(b)^2", sp.log(a**2) + sp.exp(2 * b)),
    (r"D(x^{(i)} \mid y)", D(x, sp.Symbol("y", real=True))),
    (r"\mu_{ij} - \mu_{i,j}", sp.Integer(0)),
    (r"G(z_i)_k - G(z)", sp.Integer(0)),
    (r"\underbrace{D_\phi(G_{\theta}(z))}_{\text{judged}} - D(G(z)) \tag{2}", sp.Integer(0)),
    (r"\mathbb{E}_{y \sim p_g}[D(y)]", Mean(D(sp.Symbol("tildex", real=True)))),
    (r"\mathbb{E}_{x \sim p_g}[D(x)]", Mean(D(sp.Symbol("tildex", real=True)))),
    (r"\mathbb{E}_{\tilde{x} \sim \mathbb{P}_r}[D(\tilde{x})]", Mean(D(x))),
    (r"\mathbb{E}_{p_{\text{data}}}[D(x)] + E_{q(z|x)}[a]", Mean(D(x)) + Mean(a)),
    (r"\mathbb{E}_{x, y \sim p_{data}, z}[D(x) D(G(z))]", Mean(D(x) * D(G(z)))),
    (r"\|\nabla_{\hat{x}} D(\hat{x})\|", Norm(Gradient(D(sp.Symbol("hatx", real=True))))),
    (r"\mathbb{E}_{x \sim p_\theta}\|\nabla_x D(x)\|",
     Mean(Norm(Gradient(D(sp.Symbol("tildex", real=True)))))),
    (r"D_{KL}\left(q_\phi(\mathbf{z} \mid \mathbf{x}^{(i)}) \,\|\, p(\mathbf{z})\right)",
     DIVERGENCE),
    (r"\mathrm{KL}(\mathcal{N}(\mu, \sigma^2) || \mathcal{N}(0, 1))", DIVERGENCE),
    (r"\mathrm{KL}(p(z) \| q(z|x))", REVERSE_DIVERGENCE),
    (r"\log p_\theta(x|z) - \log a", LIKELIHOOD - sp.log(a)),
    (r"\mathrm{BCE}(D(x), 1)", -sp.log(D(x))),
    (r"\mathbb{E}[D(x, E(x))] - a(b + 1)", Mean(D(x, E(x))) - a * b - a),
    (r"E[E_\theta(x)] - E[E_\theta(x^-)]",
     Mean(sp.Function("E_theta")(x)) - Mean(sp.Function("E_theta")(sp.Symbol("x^-", real=True)))),
    (r"\mathrm{sg}[a] - \operatorname{stopgrad}(b)", StopGradient(a) - StopGradient(b)),
    (r"\sum_{b \in \{1, 2.5\}} a b", a * sp.Rational(7, 2)),
    (r"\frac{1}{n(n - 1)} \sum_{i \neq j} k(x_i, x_j)", Distinct(k(x, x))),
    (r"\frac{1}{n^2} \sum_{i=1}^n \sum_{j=1}^n k(x_i, x_j)", Mean(Mean(k(x, x)))),
    (r"\epsilon_\theta(x_t, t) - a^\top b",
     sp.Function("epsilon_theta")(*sp.symbols("x_t t", real=True)) - FeatureSum(a * b)),
]  # fmt: skip


@pytest.mark.parametrize(("latex", "meant"), CASES)
def test_what_the_field_writes(latex: str, meant: sp.Expr) -> None:
    assert sp.simplify(sp.expand(parse_expression(latex) - sp.expand(meant))) == 0


@pytest.mark.parametrize(
    "latex",
    [
        r"\|a", r"\|a\|_3", r"\| \|a\| \|", r"KL", r"a +",
        r"\frac{1}{2", r"D", r"\unknown a", r"(a", r"a)",
        r"\log^2 a", r"a \quad \text{where}\; b = 1", "",
        r"\log(1 - a)^2", r"\nabla_\theta D(x)", r"\nabla_z D(G(z))", r"\nabla a", r"G(z)_0",
        r"E_{x \sim q}[D(x)]", r"E_{y \sim \nu}[D(y)]", r"\mathrm{dist}(a)",
        r"KL(q(z_j|x) \| p(z_j))",
        r"E_{z \sim p_z}[D(x)]", r"E_{x \sim p_{data}}[D(G(z))]", r"E_{x \sim p_z}[D(x)]",
        r"E_{z \sim p_{data}}[D(G(z))]", r"KL(q(z|x) \| q(z))", r"KL(p(z|x) \| p(z))",
        r"KL(q(z|x))", r"\mathrm{BCE}(x, y)", r"\mathrm{BCE}(D(x), 1, 2)",
        r"\mathrm{KL}(\mathcal{N}(\mu, \sigma^2) \| \mathcal{N}(0, 2))",
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


def test_a_sum_that_meets_no_size_is_so_many_times_the_mean() -> None:
    assert str(parse_expression(r"\sum_i D(x_i)")) == "batch_size*Mean(D(x))"
    assert str(parse_expression(r"\frac{1}{n} \sum_{i=1}^n D(x_i)")) == "Mean(D(x))"
