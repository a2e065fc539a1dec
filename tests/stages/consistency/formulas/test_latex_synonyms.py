"""Synonyms of LaTeX: what means the same is read as the same."""

from __future__ import annotations

import pytest

from dlcc.stages.consistency.formulas.latex import parse_equation
from dlcc.stages.consistency.formulas.latex_synonyms import with_usual_words

PLAIN = r"L_D = E_{x \sim p_r}[\log(1 + e^{-D(x)})] + 1"


@pytest.mark.parametrize(
    "latex",
    [
        PLAIN.replace("=", r"\triangleq"),
        PLAIN.replace("=", ":="),
        PLAIN.replace("=", r"\coloneqq"),
        PLAIN.replace("=", r"\overset{\text{def}}{=}"),
        PLAIN.replace("=", r"\stackrel{\mathrm{def}}{=}"),
        PLAIN.replace(r"E_{x \sim p_r}", r"\underset{x \sim p_r}{\mathbb{E}}"),
        PLAIN.replace(r"E_{x \sim p_r}", r"\operatorname*{\mathbb{E}}_{x \sim p_r}"),
        PLAIN.replace(r"E_{x \sim p_r}", r"\mathop{\mathbb{E}}\limits_{x \sim p_r}"),
        PLAIN.replace(r"{x \sim p_r}", r"{\substack{x \sim p_r}}"),
        PLAIN.replace(r"\log(1 + e^{-D(x)})", r"\zeta(-D(x))"),
        PLAIN.replace(r"\log(1 + e^{-D(x)})", r"\mathrm{softplus}(-D(x))"),
        PLAIN.replace("+ 1", r"+ \mathbf{1}"),
    ],
)
def test_a_synonym_is_read_as_the_usual_word(latex: str) -> None:
    assert parse_equation(with_usual_words(latex)) == parse_equation(PLAIN)


def test_the_usual_words_stay() -> None:
    assert with_usual_words(PLAIN) == PLAIN
