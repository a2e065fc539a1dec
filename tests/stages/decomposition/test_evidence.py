"""What passages and functions share: signs of formulas and code, words, evidence of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from dlcc.stages.decomposition.evidence import FEATURES, evidence, shared_by
from dlcc.stages.decomposition.operators import signs_of_code, signs_of_latex
from dlcc.stages.decomposition.passages import Passage, states_something
from dlcc.stages.decomposition.terms import TABLE, words_of
from dlcc.stages.ingestion.code import parse_functions
from dlcc.stages.ingestion.documents.markdown import parse_markdown

CODE = """
def gradient_penalty(net, x, weight):
    return weight * (x.norm(2, dim=1) - 1).square().mean()

def kl_divergence(mu, log_var):
    return -0.5 * (1 + log_var - mu**2 - log_var.exp()).sum()

def draw(n):
    return n
"""
FUNCTIONS = parse_functions("source/t.py", CODE)


def words_alike(texts: Sequence[str]) -> NDArray[np.float64]:
    """Unit vectors by letters: enough of an encoder for what is tested here."""
    counts = np.array([[t.lower().count(c) for c in "abcdefghijklmnopqrstuvwxyz"] for t in texts])
    return counts / np.maximum(np.linalg.norm(counts, axis=1, keepdims=True), 1e-9)


def passage(latex: str, said: str = "", heading: str = "") -> Passage:
    return Passage("formula:m.md:1#0", latex, said, heading, "m.md#")


def of(name: str, found: NDArray[np.float64]) -> NDArray[np.float64]:
    column: NDArray[np.float64] = found[:, :, FEATURES.index(name)]
    return column


def test_operators_symbols_and_numbers_point_to_the_code_that_has_them() -> None:
    kl = passage(r"-\frac{1}{2}\sum_j (1 + s_j - \mu_j^2 - \exp(s_j))")
    found = evidence([kl], FUNCTIONS, {}, words_alike)
    for name in ("operators, both ways", "symbols", "numbers"):
        assert of(name, found)[0, 1] == of(name, found)[0].max() > 0, name


def test_operators_of_what_is_called_count_too() -> None:
    kl = passage(r"\exp(x)")
    alone = evidence([kl], FUNCTIONS, {}, words_alike)
    called = evidence([kl], FUNCTIONS, {2: [1]}, words_alike)
    assert of("operators", alone)[0, 2] == 0
    assert of("operators", called)[0, 2] == 1


def test_a_name_counts_less_where_others_are_named_beside_it() -> None:
    one = passage("x = 1", said="It is gradient_penalty.")
    two = passage("x = 1", said="It is gradient_penalty or kl_divergence.")
    found = of("named beside it", evidence([one, two], FUNCTIONS, {}, words_alike))
    assert found[0].tolist() == [1, 0, 0]
    assert 0 < found[1, 0] == found[1, 1] < 1


def test_evidence_does_not_depend_on_the_order_of_passages_and_functions() -> None:
    passages = [passage(r"\mu^2", "The divergence."), passage(r"\|g\|", heading="Penalty")]
    found = evidence(passages, FUNCTIONS, {2: [1]}, words_alike)
    turned = evidence(passages[::-1], FUNCTIONS[::-1], {0: [1]}, words_alike)
    assert turned[::-1, ::-1] == pytest.approx(found)


def test_what_is_shared_is_said_in_words() -> None:
    said = shared_by(passage(r"\mu^2 + \exp(s)", heading="kl_divergence"), FUNCTIONS[1])
    assert said[:3] == ("named: kl_divergence", "operators: exp, square", "symbols: mu ~ mu")


@pytest.mark.parametrize(
    ("latex", "code"),
    [
        (r"\log x", "torch.log(x)"), (r"\max(0, x)", "F.relu(x)"), (r"\|x\|", "x.norm()"),
        (r"\sqrt{x}", "x ** 0.5"), (r"x^2", "x ** 2"), (r"\frac{x}{y}", "x / y"),
        (r"\sum_i x_i", "x.sum()"), (r"\frac{1}{n}\sum_i x_i", "x.mean()"),
        (r"X^\top Y", "x.T"), (r"\sigma(x)", "torch.sigmoid(x)"), (r"|x|", "abs(x)"),
        (r"X^{-1}", "torch.linalg.inv(x)"), (r"\nabla f", "torch.autograd.grad(f, x)"),
    ],
)  # fmt: skip
def test_formulas_and_code_call_an_operator_the_same(latex: str, code: str) -> None:
    (function,) = parse_functions("a.py", f"def f(x, y, f):\n    return {code}\n")
    assert signs_of_latex(latex).operators & signs_of_code(function).operators


def test_words_are_one_whatever_their_ending_or_abbreviation() -> None:
    for one, other in (
        ("MSELoss", "mean squared errors loss"), ("kl_div", "Kullback-Leibler divergence"),
        ("normalized", "normalisation"), ("std", "standard deviation"), ("avg", "averaging"),
    ):  # fmt: skip
        assert set(words_of(one)) <= set(words_of(other)) | {"loss"}, one


def test_the_table_of_terms_names_only_operators_that_formulas_can_have() -> None:
    in_latex = {name for name, _ in TABLE["operators_in_latex"]}
    in_code = {part for words in TABLE["operators_in_code"].values() for part in words.split()}
    assert in_code - in_latex == set()


def test_a_symbol_alone_states_nothing() -> None:
    text = "With $x$ and $y = x + 1/2 + 3z$:\n\n$$\nz\n$$\n\n$$\nz = 1 + x\n$$\n"
    _, formulas = parse_markdown("m.md", text)
    found = {f.latex.strip(): states_something(f) for f in formulas}
    assert found == {"x": False, "y = x + 1/2 + 3z": True, "z": False, "z = 1 + x": True}
