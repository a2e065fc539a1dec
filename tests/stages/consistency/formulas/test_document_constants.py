"""Constants of documents: what is set is found, what might be is not."""

from __future__ import annotations

import pytest

from dlcc.records import Block, Formula
from dlcc.stages.consistency.formulas.document_constants import constants_for, document_constants


def inline(latex: str, sentence: str = "We train with it.", line: int = 5) -> Formula:
    return Formula("a.md", line, latex, False, sentence)


def sentence(text: str) -> Block:
    return Block("paragraph", "a.md", 9, text, "", (text,))


def found(*parts: Formula | Block) -> dict[str, float]:
    formulas = [p for p in parts if isinstance(p, Formula)]
    blocks = [p for p in parts if isinstance(p, Block)]
    return {c.name: c.value for c in document_constants(formulas, blocks)}


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (inline(r"\lambda = 10"), {"lambda": 10}),
        (inline(r"\lambda_{gp}=10"), {"lambda_gp": 10}),
        (inline(r"\alpha=0.5, \beta = 10^{-3}"), {"alpha": 0.5, "beta": 1e-3}),
        (inline(r"\beta = \frac{1}{4}"), {"beta": 0.25}),
        (inline(r"b = c = 1"), {"b": 1, "c": 1}),
        (sentence(r"where we set $\lambda_{gp}$ to 10."), {"lambda_gp": 10}),
        (sentence(r"The weight $\lambda$ that balances both is chosen as $20$."), {"lambda": 20}),
        (inline(r"\lambda{=}1.0"), {"lambda": 1}),
        (
            inline(r"\beta = 4", r"Higgins et al. use $\beta = 0.3$; we use $\beta = 4$."),
            {"beta": 4},
        ),
        (inline(r"\beta = 0.3", r"Higgins et al. use $\beta = 0.3$; we use $\beta = 4$."), {}),
        (sentence("The weight λ = 2.5 was used throughout."), {"lambda": 2.5}),
        (
            Block("table", "a.md", 2, "", "", (), (("name", "value"), (r"$\lambda$", "10"))),
            {"lambda": 10},
        ),
        # what is no assignment of a number
        (sentence("We take a set of 10 images, and the data is 2 GB."), {}),
        (inline(r"\lambda = \mu"), {}),
        (inline(r"x = 3 y"), {}),
        # what might be, and what is an optimiser's
        (inline(r"\beta = 1", "If it is one, the original VAE is recovered."), {}),
        (inline(r"\alpha = 0.0002", "Adam has this learning rate."), {}),
        (inline(r"\lambda = 1", r"Prior work on images uses $\lambda = 1$."), {}),
        (inline(r"\lambda = 1", r"Progressive GAN [4] uses $\lambda = 1$."), {}),
        (inline(r"\lambda = 1", r"Karras et al. set $\lambda = 1$, too weak for our data."), {}),
        (inline(r"\lambda = 1", r"As in [4], we take $\lambda = 1$."), {"lambda": 1}),
        (sentence(r"For $\beta = 4$ the latents collapse."), {}),
    ],
)  # fmt: skip
def test_a_constant_is_taken_where_it_is_set(
    part: Formula | Block, expected: dict[str, float]
) -> None:
    assert found(part) == pytest.approx(expected)


def test_beside_a_formula_it_is_that_formulas() -> None:
    displayed = Formula("a.md", 3, r"L_D = \lambda E[D(x)], \quad \lambda = 10", True, "")
    stated = document_constants([displayed, inline(r"\lambda = 5")], [])
    assert constants_for("a.md:3", "", stated, {}) == {"lambda": 10}
    # elsewhere in the document two values are given: neither can be chosen, nor the setting
    assert constants_for("a.md:7", "", stated, {"lambda": 1.0}) == {}
    # another document says nothing of it
    assert constants_for("b.md:7", "", stated, {"lambda": 1.0}) == {"lambda": 1.0}


def test_another_section_may_be_about_another_experiment() -> None:
    blocks = [
        Block("paragraph", "a.md", 2, "", "Toy data", ()),
        Block("paragraph", "a.md", 4, "", "Images", ()),
    ]
    stated = document_constants([inline(r"\lambda = 1", line=5)], blocks)
    assert constants_for("a.md:4", "Images", stated, {}) == {"lambda": 1}
    assert constants_for("a.md:3", "Toy data", stated, {}) == {}
