"""Letters of networks: who judges and who makes, whatever they are called."""

from __future__ import annotations

import pytest

from dlcc.stages.consistency.formulas.network_letters import with_usual_letters


@pytest.mark.parametrize(
    ("latex", "usual"),
    [
        ("E[C(x)] - E[C(G(z))]", "E[D(x)] - E[D(G(z))]"),
        (r"E[f_w(x)] - E[f_w(g_\theta(z))]", r"E[D_w(x)] - E[D_w(G_\theta(z))]"),
        (r"E[\mathrm{Disc}(x)]", "E[D(x)]"),
        # applied to data alone, it may be anything
        (r"E\|f_\theta(x_t, t) - x_0\|^2", r"E\|f_\theta(x_t, t) - x_0\|^2"),
        (r"E[\mathcal{D}(\hat{G}(z))]", "E[D(G(z))]"),
        (
            r"T_{\omega}(x) T_{\omega}\left(\tilde{x}\right)",
            r"D_{\omega}(x) D_{\omega}\left(\tilde{x}\right)",
        ),
        # D stands for itself: C is another network, f a function
        ("E[D(x)] + E[C(x)]", "E[D(x)] + E[C(x)]"),
        ("E[f(D(x))]", "E[f(D(x))]"),
        # two candidates: which of them judges cannot be told
        ("C(x) C(G(z)) T(x) T(G(z))", "C(x) C(G(z)) T(x) T(G(z))"),
        # a divergence is no network
        (r"C(x) C(G(z)) D_{KL}(q \| p)", r"D(x) D(G(z)) D_{KL}(q \| p)"),
        (r"L_{f}(x) = 1", r"L_{f}(x) = 1"),
    ],
)
def test_networks_are_called_by_their_usual_letters(latex: str, usual: str) -> None:
    assert with_usual_letters([latex]) == [usual]


def test_letters_are_those_of_the_whole_document() -> None:
    assert with_usual_letters(["E[C(x)]", "E[D(x)]"]) == ["E[C(x)]", "E[D(x)]"]
