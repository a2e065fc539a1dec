"""Losses of documents: whose they are, parts put in, penalties beside, bounds turned around."""

from __future__ import annotations

import pytest

from dlcc.records import Formula
from dlcc.stages.consistency.formulas.paper_losses import paper_losses


def formulas(*latex: str) -> list[Formula]:
    return [Formula("a.md", k, text, True, "") for k, text in enumerate(latex)]


def test_parts_that_other_formulas_define_are_put_in() -> None:
    found = paper_losses(
        formulas(r"L_D = L_{adv} + \lambda L_{gp}", r"L_{adv} = -E[D(x)]",
                 r"L_{gp} = E\|\nabla D(x)\|^2")
    )  # fmt: skip
    assert str(found[0].expression) == "lambda*Mean(Norm(Gradient(D(x)))**2) - Mean(D(x))"


def test_penalties_beside_a_loss_are_tried_with_it_and_only_for_the_discriminator() -> None:
    found = paper_losses(
        formulas(
            r"L_D = -E[D(x)]", r"R = \frac{\gamma}{2} E\|\nabla D(x)\|^2", r"L_G = -E[D(G(z))]"
        )
    )
    assert [len(list(loss.readings())) for loss in found] == [2, 1]


def test_a_bound_that_is_maximised_is_turned_around() -> None:
    (found,) = paper_losses(formulas(r"\mathrm{ELBO} = -E\|x - \hat{x}\|^2"))
    assert str(found.expression) == "Mean(Norm(-hatx + x)**2)"


def test_what_is_not_understood_is_kept_with_its_reason() -> None:
    (found,) = paper_losses(formulas(r"L_D = \unknown D(x)"))
    assert found.expression is None
    assert "unknown" in found.reason


def test_formulas_that_define_each_other_end() -> None:
    found = paper_losses(formulas(r"L_D = L_a + 1", r"L_a = L_b", r"L_b = L_a"))
    assert found[0].expression is not None


def test_equations_side_by_side_are_taken_one_by_one() -> None:
    beside = (
        r"P = \lambda E\|\nabla D(\hat{x})\|^2,\quad \hat{x} = \epsilon x + (1 - \epsilon) G(z)"
    )
    (found,) = paper_losses(formulas(r"L_D = -E[D(x)]", beside))
    assert (len(found.penalties), found.unread) == (1, "")


def test_a_formula_that_may_be_a_penalty_and_is_not_understood_is_told() -> None:
    found = paper_losses(formulas(r"L_D = -E[D(x)]", r"P = \lambda \unknown", r"L_G = E[D(G(z))]"))
    assert [loss.unread for loss in found] == ["a.md:1", ""]


def test_what_is_decorated_is_another_name() -> None:
    (loss,) = paper_losses(formulas(r"L_D = E[D(x)] - E[D(\tilde x)]", r"\tilde x = G(z)"))
    assert str(loss.expression) == "Mean(D(x)) - Mean(D(G(z)))"


def test_a_size_that_is_called_like_a_loss_is_none() -> None:
    assert paper_losses(formulas("L = 1", "J = 4")) == []


@pytest.mark.parametrize(
    "latex",
    [
        r"\begin{aligned} L_D &= -E[D(x)] \\ &\quad + E[D(G(z))], \\"
        r" L_G &= -E[D(G(z))] \end{aligned}",
        r"\begin{align*} L_D = {} & -E[D(x)] \\[2pt] & + E[D(G(z))] \\"
        r" L_G = {} & -E[D(G(z))] \end{align*}",
        r"\begin{gathered} L_D = -E[D(x)] + E[D(G(z))], \\ L_G = -E[D(G(z))]. \end{gathered}",
    ],
)
def test_rows_of_one_formula_are_equations_of_their_own(latex: str) -> None:
    found = {loss.player: str(loss.expression) for loss in paper_losses(formulas(latex))}
    assert found == {
        "discriminator": "-Mean(D(x)) + Mean(D(G(z)))",
        "generator": "-Mean(D(G(z)))",
    }


def test_of_a_chain_of_equal_sides_the_last_is_taken_and_sides_that_differ_are_not() -> None:
    (same,) = paper_losses(formulas(r"L_D = L_{adv} = 2 E[D(x)] - E[D(x)] = E[D(x)]"))
    assert str(same.expression) == "Mean(D(x))"
    (other,) = paper_losses(formulas(r"L_D = E[D(x)] = 2 E[D(x)]"))
    assert other.expression is None
    assert "not seen to be equal" in other.reason


def test_a_positive_part_is_a_maximum() -> None:
    for mark in ("_+", "_{+}"):
        (loss,) = paper_losses(formulas(rf"L_D = E[[1 - D(x)]{mark}] + E[(1 + D(G(z))){mark}]"))
        assert str(loss.expression) == "Mean(Max(0, 1 - D(x))) + Mean(Max(0, D(G(z)) + 1))"


@pytest.mark.parametrize(
    "before",
    [
        r"&\quad + ", r"& \, + ", r"&\phantom{=}\; + ", r"& {} + ", r"&\!+ ", r"&\hspace{1em} + ",
        r"\mathrel{+} ", r"{}+ ",
    ],
)  # fmt: skip
def test_a_row_that_goes_on_is_never_left_out(before: str) -> None:
    """Whatever it is moved by, and though a sum in it has an = of its own."""
    rest = r"\frac1N\sum_{i=1}^N D(G(z_i))"
    (loss,) = paper_losses(
        formulas(r"\begin{aligned} L_D &= -E[D(x)] \\ " + before + rest + r"\end{aligned}")
    )
    assert str(loss.expression) == "-Mean(D(x)) + Mean(D(G(z)))"


@pytest.mark.parametrize("side", [r"\lambda", "c", "x", "L_G", r"\theta = L_{adv}"])
def test_a_side_that_names_no_loss_of_the_player_makes_the_formula_unknown(side: str) -> None:
    (loss,) = paper_losses(formulas(rf"L_D = {side} = -E[D(x)] + E[D(G(z))]"))
    assert loss.expression is None


def test_a_name_on_the_way_is_held_against_what_defines_it() -> None:
    whole = r"L_D = L_{adv} = -E[D(x)] + E[D(G(z))]"
    told = paper_losses(formulas(whole, r"L_{adv} = -2 E[D(x)] + E[D(G(z))]"))[0]
    assert "in another way" in told.reason
    same = paper_losses(formulas(whole, r"L_{adv} = E[D(G(z))] - E[D(x)]"))[0]
    assert same.expression is not None


@pytest.mark.parametrize(
    ("real", "fake"),
    [
        ("x_+", "x_-"),
        ("x_1", "x_2"),
        ("x_p", "x_n"),
        ("x", "y"),
        ("x_i", "x_j"),
        (r"x_{\text{data}}", "x_t"),
    ],
)
def test_data_and_samples_that_look_alike_are_not_told_apart_by_guess(real: str, fake: str) -> None:
    (loss,) = paper_losses(formulas(rf"L_D = -E[\log D({real})] - E[\log (1 - D({fake}))]"))
    assert loss.expression is None
    assert "are data cannot be told" in loss.reason


def test_a_part_is_found_whatever_its_capitals_and_a_missing_one_is_not_fitted() -> None:
    whole, part = r"L_D = -E[D(x)] + \lambda L_{GP}", r"L_{gp} = E[(\|\nabla D(\hat x)\| - 1)^2]"
    assert "Gradient" in str(paper_losses(formulas(whole, part))[0].expression)
    (alone,) = paper_losses(formulas(whole))
    assert "L_GP is not given" in alone.reason


VALUE = r"E_{x\sim p_{data}}[\log D(x)] + E_{z\sim p_z}[\log(1 - D(G(z)))]"


@pytest.mark.parametrize(
    "latex",
    [
        rf"\min_G \max_D V(D, G) = {VALUE}",
        rf"\min_{{\theta}} \max_{{\phi}} {VALUE}".replace("D(", r"D_\phi(").replace(
            "G(", r"G_\theta("
        ),
        rf"G^*, D^* = \arg\min_G \max_{{D \in \mathcal{{D}}}} {VALUE}",
        rf"\underset{{G}}{{\min}}\,\underset{{D}}{{\max}}\; V(G, D) = {VALUE}",
    ],
)
def test_of_one_value_each_player_takes_its_side(latex: str) -> None:
    found = {loss.player: loss for loss in paper_losses(formulas(latex))}
    assert {p: str(loss.expression) for p, loss in found.items()} == {
        "discriminator": "-Mean(log(1 - D(G(z)))) - Mean(log(D(x)))",
        "generator": "Mean(log(1 - D(G(z))))",
    }
    assert all(loss.game for loss in found.values())


def test_a_value_of_both_is_left_where_a_player_has_its_own_loss() -> None:
    value, own = rf"\min_G \max_D V(D, G) = {VALUE}", r"L_D = E[D(G(z))] - E[D(x)]"
    found = [(loss.player, loss.game) for loss in paper_losses(formulas(value, own))]
    assert found == [("generator", True), ("discriminator", False)]


def test_parts_of_a_value_by_the_name_of_both_players_are_put_in() -> None:
    whole = r"G^* = \arg\min_G\max_D L_{cGAN}(G, D) + \lambda L_{1}(G)"
    parts = rf"L_{{cGAN}}(G, D) = {VALUE}", r"L_{1}(G) = E[\|y - G(z)\|_1]"
    found = {loss.player: str(loss.expression) for loss in paper_losses(formulas(whole, *parts))}
    assert found["discriminator"] == "-Mean(log(1 - D(G(z)))) - Mean(log(D(x)))"
    assert found["generator"].startswith("lambda*Mean(Norm1(y - G(z)))")


@pytest.mark.parametrize("sign", ["", "-"])
def test_a_plain_loss_with_a_penalty_on_gradients_is_the_critics(sign: str) -> None:
    value = r"(E[D(\tilde x)] - E[D(x)] + 10 E[(\|\nabla_{\hat x} D(\hat x)\|_2 - 1)^2])"
    (loss,) = paper_losses(formulas(f"L = {sign}{value}"))
    assert loss.player == "discriminator"
    assert str(loss.expression).endswith("Mean(D(tildex)) - Mean(D(x))")


def test_what_is_maximised_is_turned_around_and_a_negative_bound_is_not() -> None:
    for latex in (rf"\max_D V(D) = {VALUE}", rf"-L_D = {VALUE}"):
        (loss,) = paper_losses(formulas(latex))
        assert str(loss.expression) == "-Mean(log(1 - D(G(z)))) - Mean(log(D(x)))"
    (bound,) = paper_losses(formulas(r"-\mathrm{ELBO} = \|x - \hat x\|^2"))
    assert str(bound.expression) == "Norm(-hatx + x)**2"


def test_what_sets_constants_behind_a_formula_is_no_part_of_it() -> None:
    (loss,) = paper_losses(formulas(r"L_D = E[\max(0, 1 - D(x))] \lambda, \lambda = 10, a = b = 1"))
    assert str(loss.expression) == "lambda*Mean(Max(0, 1 - D(x)))"
    assert loss.unread == ""


def test_which_of_p_and_q_the_data_are_drawn_from_is_not_guessed() -> None:
    (loss,) = paper_losses(formulas(r"L_D = -E_{q(x)}[\log D(x)] - E_{p(x)}[\log(1 - D(x))]"))
    assert loss.expression is None
    assert "which of p and q" in loss.reason


def test_what_is_too_long_to_be_read_is_told() -> None:
    (loss,) = paper_losses(formulas("L_D = " + "E[D(x)] + " * 1_000 + "1"))
    assert loss.expression is None
    assert "longer than 8,000 characters" in loss.reason
