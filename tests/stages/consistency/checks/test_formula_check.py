"""Formulas held against losses by numbers: right ones hold, wrong ones are refuted and named."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import logsigmoid, softplus

from dlcc.stages.consistency.checks.formula_check import check_formula
from dlcc.stages.consistency.formulas.latex import parse_equation
from dlcc.tracing.losses import StepLoss
from tests.tracing.steps import DATA, ROWS, discriminator_step, players, recorded, step_loss


def cross_entropy(r: Tensor, f: Tensor) -> Tensor:
    return softplus(-r).mean() + softplus(f).mean()


NS = r"L_D = -E[\log D(x)] - E[\log(1 - D(G(z)))]"


def checked(latex: str, loss: StepLoss, **stated: float) -> tuple[str, str]:
    found = check_formula(parse_equation(latex).value, loss, stated)
    return found.verdict, found.reason


@pytest.mark.parametrize(
    ("latex", "loss", "words"),
    [
        (NS, cross_entropy, None),
        (r"L_D = -E[\log \sigma(D(x)) + \log(1 - \sigma(D(G(z))))]", cross_entropy, None),
        (r"L_D = E[\log D(x)] + E[\log(1 - D(G(z)))]", cross_entropy, "-1 times that weight"),
        (
            r"L_D = -E[\log D(x)] - 2 E[\log(1 - D(G(z)))]",
            cross_entropy,
            "0.5 times that weight",
        ),
        (r"L_D = -E[\log D(x)]", cross_entropy, "minimises E[softplus(-D(x))] + E[softplus(D(G"),
        (r"L_D = -E[\log(1 - D(x))] - E[\log D(G(z))]", cross_entropy, "the code minimises"),
        (
            r"L_D = -E[\log \sigma(D(x) - D(G(z)))]",
            lambda r, f: -logsigmoid(r - f).mean(),
            None,
        ),
        (
            r"L_D = E[\max(0, 1 - D(x))]",
            lambda r, f: (1 - r).mean(),  # a straight line, where the recorded outputs are below 1
            "the code",
        ),
        (r"L_D = E[D(x)^2] / 2", lambda r, f: r.square().sum() / (2 * ROWS), None),
    ],
)
def test_right_ones_hold_and_wrong_ones_are_named(
    latex: str, loss: Callable[[Tensor, Tensor], Tensor], words: str | None
) -> None:
    verdict, reason = checked(latex, discriminator_step(loss))
    assert verdict == ("held" if words is None else "refuted"), reason
    if words is not None:
        assert words in reason


def test_a_probability_that_the_player_returns_is_read_as_one() -> None:
    loss = discriminator_step(lambda r, f: -(r.log() + (1 - f).log()).mean(), nn.Sigmoid())
    assert checked(NS, loss)[0] == "held"


def penalised(weight: float) -> StepLoss:
    nets = players()
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        x = DATA[:ROWS].clone().requires_grad_()
        out = n["discriminator"](x)
        (slope,) = torch.autograd.grad(out.sum(), x, create_graph=True)
        adam.zero_grad()
        (softplus(-out).mean() + weight / 2 * slope.square().sum(1).mean()).backward()
        adam.step()

    return step_loss(*recorded(step, nets))


def test_constants_are_found_or_held_against_what_is_stated() -> None:
    latex = r"L_D = -E[\log D(x)] + \frac{\gamma}{2} E\|\nabla D(x)\|^2"
    assert checked(latex, penalised(10.0)) == (
        "held",
        "holds numerically at 25 points, with gamma = 10",
    )
    assert checked(latex, penalised(10.0), gamma=10.0)[0] == "held"
    verdict, reason = checked(latex, penalised(10.0), gamma=1.0)
    assert verdict == "refuted"
    assert "gamma is stated as 1, and is 10 in the code" in reason


def test_a_weight_that_would_be_negative_is_refuted() -> None:
    latex = r"L_D = -E[\log D(x)] - \frac{\gamma}{2} E\|\nabla D(x)\|^2"
    verdict, reason = checked(latex, penalised(10.0))
    assert verdict == "refuted"
    assert "a weight is positive" in reason


def test_equal_values_with_other_gradients_are_refuted() -> None:
    def blocked(r: Tensor, f: Tensor) -> Tensor:
        return softplus(-(r - f.detach().mean())).mean()

    latex = r"L_D = -E[\log \sigma(D(x) - E[D(G(z))])]"
    verdict, reason = checked(latex, discriminator_step(blocked))
    assert verdict == "refuted"
    assert "not the gradients" in reason
    assert (
        checked(latex, discriminator_step(lambda r, f: softplus(f.mean() - r).mean()))[0] == "held"
    )


@pytest.mark.parametrize(
    ("latex", "words"),
    [
        (r"L_D = E[D(x)] + a b c d", "stands for nothing"),
        (r"L_D = E[D(y_1 + 2)]", "stands for nothing"),
        (r"L = E\|x - \hat{x}\|^2", "stands for nothing"),
        (r"L_D = E[\mu^2]", "stands for nothing"),
    ],
)
def test_what_stands_for_nothing_is_undecided(latex: str, words: str) -> None:
    verdict, reason = checked(latex, discriminator_step(cross_entropy))
    assert verdict == "unknown"
    assert words in reason


def test_a_batch_that_may_not_be_data_accuses_nobody() -> None:
    from dlcc.tracing.rerun import leaves_of

    nets = players()
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        n["discriminator"](DATA[:ROWS]).square().mean().backward()
        adam.step()

    graph, tensors = recorded(step, nets)
    loss = StepLoss(graph, leaves_of(graph, tensors), graph.updates[0], None)
    verdict, reason = checked(r"L_D = E[D(x)]", loss)
    assert verdict == "unknown"
    assert "if the batch that no player made is training data" in reason


def test_constants_that_are_no_factors_are_searched_for_and_accuse_nobody() -> None:
    loss = discriminator_step(lambda r, f: (r - 0.9).square().mean() + (f + 1).square().mean())
    verdict, reason = checked(r"L_D = E[(D(x) - b)^2] + E[(D(G(z)) - a)^2]", loss)
    assert (verdict, reason.partition("with ")[2]) == ("held", "a = -1, b = 0.9")
    for other in (
        r"L_D = E[(D(x) - b)^2] - E[(D(G(z)) - a)^2]",
        r"L_D = E[(D(x) - b)^2] + 1.05 E[(D(G(z)) - a)^2]",
        r"L_D = E[|D(x) - b|] + E[|D(G(z)) - a|]",
        r"L_D = E[(D(x) - b)^2]",
    ):
        assert checked(other, loss)[0] == "unknown"


@pytest.mark.parametrize("network", ["D_1(x)", "D_i(x)", "s(D(x))", "f(-D(x))"])
def test_a_network_that_the_step_has_not_accuses_nobody(network: str) -> None:
    assert checked(f"L_D = E[{network}]", discriminator_step(cross_entropy))[0] == "unknown"


def test_targets_by_chance_accuse_nobody() -> None:
    def noisy(r: Tensor, f: Tensor) -> Tensor:
        return (r - torch.rand_like(r)).square().mean() + f.square().mean()

    verdict, reason = checked(r"L_D = E[(D(x) - 1)^2] + E[D(G(z))^2]", discriminator_step(noisy))
    assert verdict == "unknown"
    assert "chance enters the loss" in reason


def test_features_of_a_judge_are_not_its_outputs() -> None:
    nets = players()
    judge, adam = nets["discriminator"], torch.optim.Adam(nets["generator"].parameters())
    assert isinstance(judge, nn.Sequential)

    def step(n: dict[str, nn.Module]) -> None:
        fake = n["generator"](torch.randn(ROWS, 3))
        matched = (judge[:2](fake).mean(0) - judge[:2](DATA[:ROWS]).mean(0)).square().sum()
        (-judge(fake).mean() + matched).backward()
        adam.step()

    loss = step_loss(*recorded(step, nets))
    assert checked(r"L_G = -E[D(G(z))]", loss)[0] == "refuted"


def coded(fit: Callable[[Tensor, Tensor], Tensor], latents: int = 2) -> StepLoss:
    """Loss of a step of a VAE whose error of reconstruction is a function of (output, data)."""
    torch.manual_seed(1)
    nets: dict[str, nn.Module] = {
        "encoder": nn.Linear(5, 2 * latents),
        "decoder": nn.Linear(latents, 5),
    }
    adam = torch.optim.Adam([p for net in nets.values() for p in net.parameters()])

    def step(n: dict[str, nn.Module]) -> None:
        x = DATA[:ROWS]
        mu, lv = n["encoder"](x).chunk(2, dim=1)
        y = n["decoder"](mu + (lv / 2).exp() * torch.randn_like(lv))
        kl = 0.5 * (mu.square() + lv.exp() - 1 - lv).sum(dim=1).mean()
        adam.zero_grad()
        (fit(y, x) + kl).backward()
        adam.step()

    return step_loss(*recorded(step, nets))


@pytest.mark.parametrize(
    ("latex", "verdict", "words"),
    [
        (r"E\|x - \hat{x}\|^2 + \mathrm{KL}(q(z|x) \| p(z))", "held", ""),
        (r"E\|x - \hat{x}\|^2 + \mathrm{KL}(p(z) \| q(z|x))", "refuted", "minimises"),
        (r"-E[\log p(x|z)] + \mathrm{KL}(q(z|x) \| p(z))", "held", "precision = 1, p(x|z) normal"),
        (r"E[\log p(x|z)] + \mathrm{KL}(q(z|x) \| p(z))", "refuted", "precision = -1"),
        (r"-E[\log p(x|z)] + 2 \mathrm{KL}(q(z|x) \| p(z))", "unknown", "does not say"),
        (
            r"E\|x - \hat{x}\|^2 - \frac12 E\sum_j (1 + \log \sigma_j - \mu_j^2 - \sigma_j)",
            "unknown",
            "something else than what noise is multiplied with",
        ),
        (r"\mathrm{MSE}(x, \hat{x}) + \mathrm{KL}(q(z|x) \| p(z))", "held", "features summed"),
    ],
)
def test_what_a_likelihood_and_a_divergence_are_of(latex: str, verdict: str, words: str) -> None:
    found = checked(f"L = {latex}", coded(lambda y, x: (y - x).square().sum(dim=1).mean()))
    assert found[0] == verdict, found
    assert words in found[1]


def test_a_likelihood_of_another_weight_is_refuted() -> None:
    def averaged(y: Tensor, x: Tensor) -> Tensor:
        return nn.functional.binary_cross_entropy_with_logits(y, x.sigmoid())

    latex = r"L = -E[\log p(x|z)] + \mathrm{KL}(q(z|x) \| p(z))"
    assert checked(latex, coded(averaged))[0] == "unknown"  # of data that no formula speaks of


def test_a_decoder_of_more_latents_than_data_is_no_judge() -> None:
    loss = coded(lambda y, x: (y - x).square().sum(dim=1).mean(), latents=9)
    latex = r"L = E\|x - G(z)\|^2 + \mathrm{KL}(q(z|x) \| p(z))"
    assert checked(latex, loss)[0] == "held"


@pytest.mark.parametrize(
    ("latex", "words"),
    [
        (NS + r" + \lambda E[D(x)^2]", "lambda"),
        (NS + r" + \lambda \mathrm{GP}", "GP stands for nothing"),
        (r"L_D = -E[\log D(x)] - E[\log(1 - D(G(x)))]", "D(G(x)) stands for nothing"),
    ],
)
def test_what_is_fitted_is_a_constant_and_not_nothing(latex: str, words: str) -> None:
    verdict, reason = checked(latex, discriminator_step(cross_entropy))
    assert verdict == "unknown"
    assert words in reason
