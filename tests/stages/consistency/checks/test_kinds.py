"""Trainings of many kinds: the right formula is held in two wordings, wrong ones never are."""

from __future__ import annotations

import functools

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc.stages.consistency.steps.traced_steps import TracedSteps
from tests.stages.consistency.checks.kinds import (
    LATENTS,
    Beside,
    Training,
    adam,
    coders,
    made,
    minimise,
    noise,
    traced,
    verdict,
)
from tests.tracing.steps import DATA, ROWS, WIDE


def means(x: Tensor) -> Tensor:
    """Mean over rows of the sum over features."""
    return x.flatten(1).sum(1).mean()


@functools.cache
def quantised() -> TracedSteps:
    encoder, decoder = coders()
    codes = nn.Embedding(6, LATENTS)
    optimizer = adam(encoder, decoder, codes)

    def step(x: Tensor) -> None:
        z = encoder(x)
        e = codes(torch.cdist(z, codes.weight).argmin(1))
        y = decoder(z + (e - z).detach())
        apart = means((e - z.detach()).square()) + 0.25 * means((z - e.detach()).square())
        minimise(optimizer, means((y - x).square()) + apart)

    return traced(step, {"encoder": encoder, "decoder": decoder, "codes": codes})


@functools.cache
def conditional() -> TracedSteps:
    encoder, decoder = Beside(WIDE + 3, 2 * LATENTS), Beside(LATENTS + 3, WIDE)
    optimizer = adam(encoder, decoder)

    def step(x: Tensor) -> None:
        y = F.one_hot(torch.randint(3, (ROWS,)), 3)
        mu, lv = encoder(x, y).chunk(2, dim=1)
        out = decoder(mu + (lv / 2).exp() * torch.randn_like(mu), y)
        minimise(
            optimizer,
            0.5 * means((out - x).square()) + 0.5 * means(mu.square() + lv.exp() - 1 - lv),
        )

    return traced(step, {"encoder": encoder, "decoder": decoder})


@functools.cache
def denoising() -> TracedSteps:
    encoder, decoder = coders()
    optimizer = adam(encoder, decoder)

    def step(x: Tensor) -> None:
        out = decoder(encoder(x + 0.1 * torch.randn_like(x)))
        minimise(optimizer, means((out - x).square()))

    return traced(step, {"encoder": encoder, "decoder": decoder})


@functools.cache
def sparse() -> TracedSteps:
    encoder, decoder = coders()
    optimizer = adam(encoder, decoder)

    def step(x: Tensor) -> None:
        code = encoder(x)
        minimise(optimizer, means((decoder(code) - x).square()) + 0.1 * means(code.abs()))

    return traced(step, {"encoder": encoder, "decoder": decoder})


@functools.cache
def equilibrium() -> TracedSteps:
    generator, judge = made(LATENTS, WIDE), made(WIDE, WIDE)
    og, od = adam(generator), adam(judge)
    balance = torch.tensor(0.3)

    def step(x: Tensor) -> None:
        fake = generator(noise()).detach()
        minimise(od, (judge(x) - x).abs().mean() - balance * (judge(fake) - fake).abs().mean())
        fake = generator(noise())
        minimise(og, (judge(fake) - fake).abs().mean())

    return traced(step, {"generator": generator, "judge": judge})


@functools.cache
def both_ways() -> TracedSteps:
    """Training of ALI."""
    encoder, decoder = coders()
    judge = Beside(WIDE + LATENTS, 1)
    og, od = adam(encoder, decoder), adam(judge)

    def judged() -> tuple[Tensor, Tensor]:
        z = noise()
        return judge(DATA[:ROWS], encoder(DATA[:ROWS])), judge(decoder(z), z)

    def step(x: Tensor) -> None:
        real, fake = judged()
        minimise(od, F.softplus(-real).mean() + F.softplus(fake).mean())
        real, fake = judged()
        minimise(og, F.softplus(real).mean() + F.softplus(-fake).mean())

    return traced(step, {"encoder": encoder, "decoder": decoder, "judge": judge})


@functools.cache
def of_codes() -> TracedSteps:
    """Training of an adversarial autoencoder."""
    encoder, decoder = coders()
    judge = made(LATENTS, 1)
    oa, og, od = adam(encoder, decoder), adam(encoder), adam(judge)

    def step(x: Tensor) -> None:
        minimise(oa, means((decoder(encoder(x)) - x).square()))
        minimise(
            od, F.softplus(-judge(noise())).mean() + F.softplus(judge(encoder(x).detach())).mean()
        )
        minimise(og, F.softplus(-judge(encoder(x))).mean())

    return traced(step, {"encoder": encoder, "decoder": decoder, "judge": judge})


@functools.cache
def cyclic() -> TracedSteps:
    there, back, judge_y, judge_x = (
        made(WIDE, WIDE),
        made(WIDE, WIDE),
        made(WIDE, 1),
        made(WIDE, 1),
    )
    og, oy, ox = adam(there, back), adam(judge_y), adam(judge_x)
    other = torch.randn(100, WIDE, generator=torch.Generator().manual_seed(3))

    def step(x: Tensor) -> None:
        y = other[torch.randint(100, (ROWS,))]
        cycle = means((back(there(x)) - x).abs()) + means((there(back(y)) - y).abs())
        fools = (judge_y(there(x)) - 1).square().mean() + (judge_x(back(y)) - 1).square().mean()
        minimise(og, fools + 10 * cycle)
        minimise(oy, (judge_y(y) - 1).square().mean() + judge_y(there(x)).square().mean())
        minimise(ox, (judge_x(x) - 1).square().mean() + judge_x(back(y)).square().mean())

    return traced(step, {"a": there, "b": back, "c": judge_y, "d": judge_x})


@functools.cache
def translated() -> TracedSteps:
    """Training of pix2pix."""
    generator, judge = made(WIDE, WIDE), Beside(2 * WIDE, 1)
    og, od = adam(generator), adam(judge)
    pairs = DATA.roll(1, 0)

    def step(x: Tensor) -> None:
        y = pairs[torch.randint(100, (ROWS,))]
        minimise(
            od,
            F.softplus(-judge(x, y)).mean() + F.softplus(judge(x, generator(x).detach())).mean(),
        )
        out = generator(x)
        minimise(og, F.softplus(-judge(x, out)).mean() + 100 * means((y - out).abs()))

    return traced(step, {"generator": generator, "judge": judge})


SHARES = torch.linspace(0.99, 0.02, 50)


def diffusing(target: str) -> TracedSteps:
    model = Beside(WIDE + 1, WIDE)
    optimizer = adam(model)

    def step(x: Tensor) -> None:
        t = torch.randint(0, 50, (ROWS,))
        a, b = SHARES[t].sqrt()[:, None], (1 - SHARES[t]).sqrt()[:, None]
        e = torch.randn_like(x)
        wanted = {"noise": e, "data": x, "velocity": a * e - b * x}[target]
        minimise(optimizer, F.mse_loss(model(a * x + b * e, t), wanted))

    return traced(step, {"model": model})


@functools.cache
def of_noise() -> TracedSteps:
    return diffusing("noise")


@functools.cache
def of_data() -> TracedSteps:
    return diffusing("data")


@functools.cache
def of_velocity() -> TracedSteps:
    return diffusing("velocity")


@functools.cache
def scores() -> TracedSteps:
    model = made(WIDE, WIDE)
    optimizer = adam(model)

    def step(x: Tensor) -> None:
        near = x + 0.5 * torch.randn_like(x)
        minimise(optimizer, 0.5 * means((model(near) + (near - x) / 0.25).square()))

    return traced(step, {"model": model})


@functools.cache
def flowing() -> TracedSteps:
    model = Beside(WIDE + 1, WIDE)
    optimizer = adam(model)

    def step(x: Tensor) -> None:
        e, t = torch.randn_like(x), torch.rand(ROWS, 1)
        minimise(optimizer, means((model((1 - t) * e + t * x, t) - (x - e)).square()))

    return traced(step, {"model": model})


@functools.cache
def energies() -> TracedSteps:
    model = made(WIDE, 1)
    optimizer = adam(model)

    def step(x: Tensor) -> None:
        low = torch.randn_like(x)
        for _ in range(3):
            low.requires_grad_()
            (slope,) = torch.autograd.grad(model(low).sum(), low)
            low = (low - 0.1 * slope + 0.01 * torch.randn_like(low)).detach()
        minimise(optimizer, model(x).mean() - model(low).mean())

    return traced(step, {"model": model})


@functools.cache
def least_squares() -> TracedSteps:
    generator, judge = made(LATENTS, WIDE), made(WIDE, 1)
    og, od = adam(generator), adam(judge)

    def step(x: Tensor) -> None:
        fake = judge(generator(noise()).detach())
        minimise(od, 0.5 * (judge(x) - 1).square().mean() + 0.5 * fake.square().mean())
        minimise(og, 0.5 * (judge(generator(noise())) - 1).square().mean())

    return traced(step, {"generator": generator, "judge": judge})


APART = r"\|\mathrm{sg}[z_e(x)] - e\|_2^2 + \beta \|z_e(x) - \mathrm{sg}[e]\|_2^2"
SHARE = r"\mathcal{L}(v) = |v - D(v)|"
CYCLE = r"E[\|F(G(x)) - x\|_1] + E[\|G(F(y)) - y\|_1]"
FOOLS = r"E[(D_Y(G(x)) - 1)^2] + E[(D_X(F(y)) - 1)^2]"
SCORE = r"\frac12 E\|s_\theta(\tilde x) + \frac{\tilde x - x}{\sigma^2}\|_2^2"
X_T = r"x_t = \sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t} \epsilon"
V = r"v = \sqrt{\bar\alpha_t} \epsilon - \sqrt{1 - \bar\alpha_t} x_0"

RIGHT: list[tuple[Training, tuple[str, ...]]] = [
    (quantised, (rf"L = \|x - \hat x\|_2^2 + {APART}",)),
    (quantised, (rf"L = -\log p(x | z_q(x)) + {APART}",)),
    (
        quantised,
        (
            r"L = E\|x - \hat x\|^2 + E\|\mathrm{sg}(E(x)) - z_q\|^2"
            r" + 0.25 E\|\mathrm{sg}(z_q) - E(x)\|^2",
        ),
    ),
    (
        conditional,
        (r"L = -E_{q_\phi(z|x,y)}[\log p_\theta(x|z,y)] + D_{KL}(q_\phi(z|x,y) \| p(z))",),
    ),
    (
        conditional,
        (r"L = \frac12 \mathbb{E}_{(x,y)}\|x - \hat x\|^2 + \mathrm{KL}(q(z|x,y) \| p(z))",),
    ),
    (denoising, (r"L = E\|x - g(f(\tilde x))\|_2^2",)),
    (denoising, (r"L_{DAE} = E\|x - g_\theta(f_\phi(x + \epsilon))\|_2^2",)),
    (sparse, (r"L = E\|x - \hat x\|^2 + \lambda E\|h\|_1",)),
    (sparse, (r"L = E\|x - g(f(x))\|^2 + 0.1 E\|f(x)\|_1",)),
    (equilibrium, (r"L_D = \mathcal{L}(x) - k_t \mathcal{L}(G(z_D))", SHARE)),
    (equilibrium, (r"L_G = \mathcal{L}(G(z_G))", SHARE)),
    (equilibrium, (r"L_D = E[\|x - D(x)\|_1] - 0.3 E[\|G(z) - D(G(z))\|_1]",)),
    (
        both_ways,
        (r"L_D = -\mathbb{E}_x[\log D(x, E(x))] - \mathbb{E}_z[\log(1 - D(G(z), z))]",),
    ),
    (
        both_ways,
        (r"L_{G,E} = -\mathbb{E}_x[\log(1 - D(x, E(x)))] - \mathbb{E}_z[\log D(G(z), z)]",),
    ),
    (
        of_codes,
        (r"L_D = -\mathbb{E}_{z \sim p(z)}[\log D(z)] - \mathbb{E}_x[\log(1 - D(E(x)))]",),
    ),
    (of_codes, (r"L_G = -\mathbb{E}_{x \sim p_{data}}[\log D(E(x))]",)),
    (cyclic, (rf"L_G = {FOOLS} + 10 ({CYCLE})",)),
    (cyclic, (rf"L_G = {FOOLS} + \lambda L_{{cyc}}", rf"L_{{cyc}} = {CYCLE}")),
    (cyclic, (r"L_{D_Y} = E[(D_Y(y) - 1)^2] + E[D_Y(G(x))^2]",)),
    (translated, (r"L_D = -E_{x,y}[\log D(x, y)] - E_x[\log(1 - D(x, G(x)))]",)),
    (translated, (r"L_G = -E_x[\log D(x, G(x))] + \lambda E_{x,y}[\|y - G(x)\|_1]",)),
    (
        of_noise,
        (
            r"L_{simple}(\theta) = \mathbb{E}_{t, x_0, \epsilon}\left[\left\|\epsilon -"
            r" \epsilon_\theta(\sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t} \epsilon, t)"
            r"\right\|^2\right]",
        ),
    ),
    (of_noise, (r"L = E\|\epsilon_\theta(x_t, t) - \epsilon\|_2^2", X_T)),
    (of_data, (r"L = E\|x_0 - x_\theta(x_t, t)\|^2", X_T)),
    (of_data, (r"L = \mathbb{E}_{t,x_0}\|\hat x_\theta(x_t, t) - x_0\|_2^2",)),
    (of_velocity, (r"L = E\|v - v_\theta(x_t, t)\|^2", V, X_T)),
    (of_velocity, (r"L = E\|v_\theta(x_t, t) - (\alpha_t \epsilon - \sigma_t x_0)\|_2^2",)),
    (scores, (f"L = {SCORE}",)),
    (scores, (r"L_{DSM} = \frac12 E\|s_\theta(x + \sigma\epsilon) + \frac{\epsilon}{\sigma}\|^2",)),
    (flowing, (r"L_{CFM} = E_{t,x_0,x_1}\|v_\theta(x_t, t) - (x_1 - x_0)\|^2",)),
    (flowing, (r"L = E\|v_\theta((1 - t) x_0 + t x_1, t) - (x_1 - x_0)\|^2",)),
    (energies, (r"L = E_{x \sim p_{data}}[E_\theta(x)] - E_{x^-}[E_\theta(x^-)]",)),
    (energies, (r"L = \mathbb{E}[E_\theta(x^+)] - \mathbb{E}[E_\theta(x^-)]",)),
    (least_squares, (r"L_D = \frac12 E[(D(x) - b)^2] + \frac12 E[(D(G(z)) - a)^2]",)),
    (least_squares, (r"L_G = \frac12 E[(D(G(z)) - c)^2]",)),
]

WRONG: list[tuple[Training, tuple[str, ...], str]] = [
    (
        quantised,
        (
            r"L = \|x - \hat x\|^2 + \|z_e(x) - \mathrm{sg}[e]\|^2"
            r" + 0.25 \|\mathrm{sg}[z_e(x)] - e\|^2",
        ),
        "refuted",
    ),
    (quantised, (rf"L = \|x - \hat x\|^2 + {APART}".replace(r"\beta", "0.2625"),), "refuted"),
    (quantised, (r"L = \|x - \hat x\|^2 + \|\mathrm{sg}[z_e(x)] - e\|^2",), "refuted"),
    (quantised, (r"L = \|x - \hat x\|^2 + 1.25 \|z_e(x) - e\|^2",), "refuted"),
    (
        conditional,
        (r"L = \frac12 E\|x - \hat x\|^2 + \mathrm{KL}(p(z) \| q(z|x,y))",),
        "refuted",
    ),
    (
        conditional,
        (r"L = -E_{q(z|x,y)}[\log p(x|z,y)] - \mathrm{KL}(q(z|x,y) \| p(z))",),
        "refuted or unknown",
    ),
    (
        conditional,
        (r"L = -E_{q(z|x,y)}[\log p(x|z,y)] + \mathrm{KL}(q(z|x,y) \| p(z|y))",),
        "unknown",
    ),
    (denoising, (r"L = E\|\tilde x - g(f(\tilde x))\|_2^2",), "refuted"),
    (denoising, (r"L = 1.05 E\|x - g(f(\tilde x))\|_2^2",), "refuted"),
    (denoising, (r"L = E\|x - g(f(x))\|_2^2",), "unknown"),
    (sparse, (r"L = E\|x - g(f(x))\|^2 + 0.105 E\|f(x)\|_1",), "refuted"),
    (sparse, (r"L = E\|x - g(f(x))\|^2 - \lambda E\|f(x)\|_1",), "refuted"),
    (sparse, (r"L = E\|x - g(f(x))\|^2",), "refuted"),
    (equilibrium, (r"L_D = \mathcal{L}(x) + 0.3 \mathcal{L}(G(z))", SHARE), "refuted"),
    (equilibrium, (r"L_D = \mathcal{L}(x) - 0.315 \mathcal{L}(G(z))", SHARE), "refuted"),
    (equilibrium, (r"L_D = \mathcal{L}(G(z)) - k_t \mathcal{L}(x)", SHARE), "refuted"),
    (equilibrium, (r"L_D = \mathcal{L}(x)", SHARE), "refuted"),
    (equilibrium, (r"L_G = -\mathcal{L}(G(z))", SHARE), "refuted"),
    (
        both_ways,
        (r"L_D = -\mathbb{E}_x[\log(1 - D(x, E(x)))] - \mathbb{E}_z[\log D(G(z), z)]",),
        "refuted",
    ),
    (
        both_ways,
        (r"L_D = -\mathbb{E}_x[\log D(x, E(x))] - 1.05 \mathbb{E}_z[\log(1 - D(G(z), z))]",),
        "refuted",
    ),
    (both_ways, (r"L_D = -\mathbb{E}_x[\log D(x, E(x))]",), "unknown"),
    (of_codes, (r"L_D = -\mathbb{E}_x[\log D(E(x))] - \mathbb{E}_z[\log(1 - D(z))]",), "refuted"),
    (of_codes, (r"L_G = \mathbb{E}_x[\log(1 - D(E(x)))]",), "refuted"),
    (cyclic, (rf"L_G = {FOOLS} + 10.5 ({CYCLE})",), "refuted"),
    (cyclic, (rf"L_G = {FOOLS} - 10 ({CYCLE})",), "refuted"),
    (cyclic, (r"L_{D_Y} = E[D_Y(y)^2] + E[(D_Y(G(x)) - 1)^2]",), "unknown"),
    (translated, (r"L_D = -E_{x,y}[\log D(x, G(x))] - E_x[\log(1 - D(x, y))]",), "refuted"),
    (translated, (r"L_G = -E_x[\log D(x, G(x))] + 105 E_{x,y}[\|y - G(x)\|_1]",), "refuted"),
    (of_noise, (r"L = E\|\epsilon_\theta(x_t, t) + \epsilon\|^2", X_T), "refuted"),
    (of_noise, (r"L = 1.05 E\|\epsilon_\theta(x_t, t) - \epsilon\|^2", X_T), "refuted"),
    (of_noise, (r"L = E\|\epsilon_\theta(x_t, t) - \epsilon\|_1", X_T), "refuted"),
    (of_noise, (r"L = E\|x_0 - x_\theta(x_t, t)\|^2", X_T), "unknown"),
    (
        of_noise,
        (
            r"L = E\|\epsilon - \epsilon_\theta(\sqrt{1 - \bar\alpha_t} x_0"
            r" + \sqrt{\bar\alpha_t} \epsilon, t)\|^2",
        ),
        "unknown",
    ),
    (of_data, (r"L = E\|x_0 + x_\theta(x_t, t)\|^2",), "refuted"),
    (of_data, (r"L = E\|\epsilon - \epsilon_\theta(x_t, t)\|^2",), "unknown"),
    (of_velocity, (r"L = E\|v - v_\theta(x_t, t)\|^2", V.replace(" - ", " + ", 1)), "refuted"),
    (of_velocity, (r"L = E\|\epsilon - v_\theta(x_t, t)\|^2",), "unknown"),
    (scores, (f"L = {SCORE}".replace("+", "-"),), "refuted"),
    (scores, (f"L = {SCORE}".replace(r"\frac12 ", ""),), "refuted"),
    (scores, (f"L = {SCORE}".replace(r"\sigma^2", r"\sigma"),), "refuted"),
    (scores, (f"L = {SCORE}".replace(r"\sigma^2", "0.2625"),), "refuted"),
    (flowing, (r"L = E\|v_\theta(x_t, t) - (x_0 - x_1)\|^2",), "refuted"),
    (flowing, (r"L = E\|v_\theta(x_t, t) - (x_1 - 1.05 x_0)\|^2",), "refuted"),
    (flowing, (r"L = E\|v_\theta(x_t, t) - x_1\|^2",), "unknown"),
    (flowing, (r"L = E\|v_\theta(t x_0 + (1 - t) x_1, t) - (x_1 - x_0)\|^2",), "unknown"),
    (energies, (r"L = E[E_\theta(x^-)] - E[E_\theta(x)]",), "unknown"),  # or a player returns −E
    (energies, (r"L = E[E_\theta(x)] - 1.05 E[E_\theta(x^-)]",), "refuted"),
    (energies, (r"L = E[E_\theta(x)]",), "refuted"),
    (least_squares, (r"L_D = \frac12 E[(D(x) - b)^2] - \frac12 E[(D(G(z)) - a)^2]",), "unknown"),
    (least_squares, (r"L_D = \frac12 E[(D(x) - b)^2] + 0.525 E[(D(G(z)) - a)^2]",), "unknown"),
    (least_squares, (r"L_G = E[(D(G(z)) - c)^2]",), "unknown"),
]


@pytest.mark.parametrize(("training", "formulas"), RIGHT)
def test_the_right_formula_holds(training: Training, formulas: tuple[str, ...]) -> None:
    outcome, reason = verdict(training(), *formulas)
    assert outcome == "held", reason


@pytest.mark.parametrize(("training", "formulas", "expected"), WRONG)
def test_a_wrong_formula_does_not_hold(
    training: Training, formulas: tuple[str, ...], expected: str
) -> None:
    outcome, reason = verdict(training(), *formulas)
    assert outcome in expected.split(" or "), reason
