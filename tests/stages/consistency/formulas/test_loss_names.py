"""Names of losses: whose they are, which way they are wanted, and what is none."""

from __future__ import annotations

import pytest

from dlcc.stages.consistency.formulas.loss_names import loss_names, split_extremes


@pytest.mark.parametrize(
    ("latex", "player"),
    [
        (r"L_D = 1", "discriminator"),
        (r"\mathcal{L}_{D} = 1", "discriminator"),
        (r"\mathcal{L}_{\text{D}}(\theta) = 1", "discriminator"),
        (r"L^{(D)} = 1", "discriminator"),
        (r"J_C = 1", "discriminator"),
        (r"L_G = 1", "generator"),
        (r"\mathcal{L}_{\mathrm{VAE}} = 1", "training"),
        (r"\mathcal{L}(\theta, \phi; x) = 1", "training"),
        (r"\mathrm{ELBO} = 1", "training"),
        (r"L_{D,real} = 1", None),
        (r"L_D^{\text{adv}} = 1", None),
        (r"\mathcal{L}_{rec} = 1", None),
        (r"L_{GP} = 1", None),
        (r"L_D^r = 1", None),
        (r"n_D = 1", None),
        (r"\eta_D = 1", None),
        (r"-L_D = 1", "discriminator"),
        (r"L_{disc} = 1", "discriminator"),
        (r"\mathcal{L}_{\mathrm{critic}} = 1", "discriminator"),
        (r"\mathcal L_{\mathcal D} = 1", "discriminator"),
        (r"L_{\text{Gen}} = 1", "generator"),
        (r"\mathcal{L}(D) = 1", "discriminator"),
        (r"J(\theta^{(G)}) = 1", "generator"),
        (r"\min_D L_D = 1", "discriminator"),
        (r"\min_{\theta, \phi} \mathcal{L} = 1", "training"),
        (r"\min_D L_G = 1", None),
        (r"\mathcal{L}_{GAN}(G, D) = 1", None),
        (r"V(D, G) = 1", None),
        (r"L_{distance} = 1", None),
        (r"L_{general} = 1", None),
        (r"\frac{L_D}{2} = 1", None),
        (r"\max_D V(D) = 1", "discriminator"),
        (r"D^*_G(x) = 1", None),
        (r"\ell_D = 1", "discriminator"),
        (r"z = 1", None),
        (r"\sigma = 1", None),
        (r"p(x) = 1", None),
        (r"x_i \sim p", None),
    ],
)
def test_whose_loss_a_formula_is(latex: str, player: str | None) -> None:
    assert [name.player for name in loss_names(latex.partition("=")[0]) if not name.presumed] == (
        [player] if player else []
    )


@pytest.mark.parametrize(
    ("left", "wanted"),
    [
        (r"\min_D L_D", False),
        (r"\max_D V(D)", True),
        (r"-L_D", True),
        (r"\underset{D}{\max} V", None),
        (r"\operatorname*{arg\,max}_D V(D)", None),
    ],
)
def test_which_way_a_loss_is_wanted(left: str, wanted: bool | None) -> None:
    found = loss_names(left)
    assert [name.maximised for name in found] == ([] if wanted is None else [wanted])


def test_weights_under_an_extreme_are_those_of_the_network_that_has_them() -> None:
    found = loss_names(r"\min_\theta \max_{\psi}", r"E[D_\psi(x)] - E[D_\psi(G_{\theta}(z))]")
    assert [(name.player, name.maximised) for name in found] == [
        ("generator", False),
        ("discriminator", True),
    ]
    assert loss_names(r"\min_\theta \max_\psi", "E[D(x)] - E[D(G(z))]") == ()


def test_extremes_are_cut_off_with_what_they_are_over() -> None:
    assert split_extremes(r"\arg\min_{G}\;\max_{\|D\|_L \le 1} E[D(x)]") == (
        [("min", "{G}"), ("max", r"{\|D\|_L \le 1}")],
        "E[D(x)]",
    )
    assert split_extremes(r"\max(0, x)") == ([], r"\max(0, x)")
