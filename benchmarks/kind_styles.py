"""Trainings of other kinds than GANs and VAEs of the plain sort, each with documents of its loss.

A document is a tuple of formulas, the first of which is the loss; the others define what is in it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from further_styles import STYLES, FurtherStyle, adams, softplus_losses
from torch import Tensor, nn
from torch.nn import functional as F
from training_styles import BATCH, IMAGES, NOISE, losses, noise, turn

import dlcc

Document = tuple[str, ...]
WIDE, LATENTS = 64, 8


def kind(right: tuple[Document, ...], wrong: tuple[Document, ...], *, judged: bool = False) -> Any:
    def add(build: Any) -> Any:
        name = build.__name__.removeprefix("build_")
        STYLES[name] = FurtherStyle(build, right, wrong, judged=judged)
        return build

    return add


def net(wide: int, out: int) -> nn.Module:
    return nn.Sequential(nn.Linear(wide, 32), nn.Tanh(), nn.Linear(32, out))


class Beside(nn.Module):
    """Network of several things that are put beside each other."""

    def __init__(self, wide: int, out: int) -> None:
        super().__init__()
        self.body = net(wide, out)

    def forward(self, *given: Tensor) -> Tensor:
        made: Tensor = self.body(torch.cat([g.float().reshape(len(g), -1) for g in given], dim=1))
        return made


def joint(*players: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.Adam([w for player in players for w in player.parameters()], 1e-3)


def rows(x: Tensor) -> Tensor:
    return x.flatten(1).sum(dim=1).mean()


def alone(players: Mapping[str, nn.Module], step: Any, sample: Any) -> dlcc.Training:
    return dlcc.Training.from_step(players, step, sample=sample, data=IMAGES, batch=BATCH)


def squares(a: Tensor, b: Tensor) -> Tensor:
    return (a[:, None] - b[None]).square().sum(dim=-1)


SQUARE = r"\mathrm{MMD}^2(P, Q) = E[k(x, x')] + E[k(y, y')] - 2 E[k(x, y)]"
KERNEL = r"k(a, b) = \sum_{\sigma \in \{2, 4, 8\}} \exp\left(-\frac{\|a - b\|^2}{2 \sigma^2}\right)"


@kind(
    (
        (r"L = \mathrm{MMD}^2(p_{data}, p_g)", SQUARE, KERNEL),
        (
            r"L_G = E_{x,x'}[k(x, x')] - 2 E_{x,z}[k(x, G(z))] + E_{z,z'}[k(G(z), G(z'))]",
            KERNEL,
        ),
    ),
    (
        (r"L = -\mathrm{MMD}^2(p_{data}, p_g)", SQUARE, KERNEL),
        (r"L = E[k(x, x')] + E[k(y, y')] - 2.1 E[k(x, y)]", KERNEL),
        (r"L = E[k(x, x')] - 2 E[k(x, y)]", KERNEL),
        (r"L = \mathrm{MMD}^2(p_{data}, p_g)", SQUARE, KERNEL.replace("8", "8.4")),
    ),
)
def build_moment_matching(config: Mapping[str, Any]) -> dlcc.Training:
    made = net(NOISE, WIDE)
    (optimizer,) = adams(made)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        total = torch.zeros(())
        for width in (2.0, 4.0, 8.0):
            total = total + torch.exp(-squares(a, b) / (2 * width**2))
        return total

    def step(x: Tensor) -> dict[str, Tensor]:
        y = made(noise())
        loss = kernel(x, x).mean() + kernel(y, y).mean() - 2 * kernel(x, y).mean()
        return {"model/loss": turn(optimizer, loss).detach()}

    return alone({"generator": made}, step, lambda n: made(noise(n)))


CODES = r"\mathrm{MMD}^2(q, p) = E[k(z, z')] + E[k(\tilde z, \tilde z')] - 2 E[k(z, \tilde z)]"
MULTIQUADRIC = r"k(a, b) = \frac{16}{16 + \|a - b\|_2^2}"


@kind(
    (
        (r"L = E\|x - \hat x\|^2 + \lambda \mathrm{MMD}^2(q(z), p(z))", CODES, MULTIQUADRIC),
        (r"L = E\|x - G(E(x))\|^2 + 10 \mathrm{MMD}_k^2(Q_Z, P_Z)", CODES, MULTIQUADRIC),
    ),
    (
        (r"L = E\|x - \hat x\|^2 - \lambda \mathrm{MMD}^2(q(z), p(z))", CODES, MULTIQUADRIC),
        (r"L = E\|x - \hat x\|^2 + 10.5 \mathrm{MMD}^2(q(z), p(z))", CODES, MULTIQUADRIC),
        (r"L = E\|x - \hat x\|^2",),
    ),
)
def build_wasserstein(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, decoder = net(WIDE, LATENTS), net(LATENTS, WIDE)
    optimizer = joint(encoder, decoder)

    def apart(a: Tensor, b: Tensor) -> Tensor:
        return 16 / (16 + squares(a, b))

    def own_out(table: Tensor) -> Tensor:
        return (table.sum() - table.diagonal().sum()) / (len(table) * (len(table) - 1))

    def step(x: Tensor) -> dict[str, Tensor]:
        code, drawn = encoder(x), torch.randn(len(x), LATENTS)
        gap = own_out(apart(code, code)) + own_out(apart(drawn, drawn))
        gap = gap - 2 * apart(code, drawn).mean()
        loss = rows((decoder(code) - x).square()) + 10 * gap
        return {"model/loss": turn(optimizer, loss).detach()}

    players = {"encoder": encoder, "decoder": decoder}
    return alone(players, step, lambda n: decoder(torch.randn(n, LATENTS)))


APART = r"\|\mathrm{sg}[z_e(x)] - e\|_2^2 + \beta \|z_e(x) - \mathrm{sg}[e]\|_2^2"


@kind(
    (
        (rf"L = \|x - \hat x\|_2^2 + {APART}",),
        (rf"L = -\log p(x | z_q(x)) + {APART}",),
    ),
    (
        (
            r"L = \|x - \hat x\|^2 + \|z_e(x) - \mathrm{sg}[e]\|^2"
            r" + 0.25 \|\mathrm{sg}[z_e(x)] - e\|^2",
        ),
        (rf"L = \|x - \hat x\|^2 + {APART}".replace(r"\beta", "0.2625"),),
        (r"L = \|x - \hat x\|^2 + \|\mathrm{sg}[z_e(x)] - e\|^2",),
    ),
)
def build_quantised(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, decoder, codes = net(WIDE, LATENTS), net(LATENTS, WIDE), nn.Embedding(12, LATENTS)
    optimizer = joint(encoder, decoder, codes)

    def step(x: Tensor) -> dict[str, Tensor]:
        z = encoder(x)
        e = codes(torch.cdist(z, codes.weight).argmin(dim=1))
        fit = rows((decoder(z + (e - z).detach()) - x).square())
        loss = fit + rows((e - z.detach()).square()) + 0.25 * rows((z - e.detach()).square())
        return {"model/loss": turn(optimizer, loss).detach()}

    players = {"encoder": encoder, "decoder": decoder, "codes": codes}
    return alone(players, step, lambda n: decoder(codes(torch.arange(n) % 12)))


@kind(
    (
        (r"L = -E_{q_\phi(z|x,y)}[\log p_\theta(x|z,y)] + D_{KL}(q_\phi(z|x,y) \| p(z))",),
        (r"L = \frac12 \mathbb{E}_{(x,y)}\|x - \hat x\|^2 + \mathrm{KL}(q(z|x,y) \| p(z))",),
    ),
    (
        (r"L = \frac12 E\|x - \hat x\|^2 + \mathrm{KL}(p(z) \| q(z|x,y))",),
        (r"L = \frac12 E\|x - \hat x\|^2 + 1.05 \mathrm{KL}(q(z|x,y) \| p(z))",),
    ),
)
def build_conditional_coding(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, decoder = Beside(WIDE + 4, 2 * LATENTS), Beside(LATENTS + 4, WIDE)
    optimizer = joint(encoder, decoder)

    def step(x: Tensor) -> dict[str, Tensor]:
        y = F.one_hot(torch.randint(4, (len(x),)), 4)
        mu, lv = encoder(x, y).chunk(2, dim=1)
        out = decoder(mu + (lv / 2).exp() * torch.randn_like(mu), y)
        kl = 0.5 * rows(mu.square() + lv.exp() - 1 - lv)
        loss = 0.5 * rows((out - x).square()) + kl
        return {"model/loss": turn(optimizer, loss).detach()}

    def sample(n: int) -> Tensor:
        made: Tensor = decoder(torch.randn(n, LATENTS), F.one_hot(torch.arange(n) % 4, 4))
        return made

    return alone({"encoder": encoder, "decoder": decoder}, step, sample)


ERROR = r"\mathcal{L}(v) = |v - D(v)|"


@kind(
    (
        (r"L_D = \mathcal{L}(x) - k_t \mathcal{L}(G(z_D))", ERROR),
        (r"L_G = \mathcal{L}(G(z_G))", ERROR),
    ),
    (
        (r"L_D = \mathcal{L}(x) + 0.3 \mathcal{L}(G(z))", ERROR),
        (r"L_D = \mathcal{L}(x)", ERROR),
        (r"L_G = -\mathcal{L}(G(z))", ERROR),
    ),
    judged=True,
)
def build_equilibrium(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge = net(NOISE, WIDE), net(WIDE, WIDE)
    og, od = adams(made, judge)
    balance = torch.tensor(0.3)

    def error(v: Tensor) -> Tensor:
        return (judge(v) - v).abs().mean()

    def step(x: Tensor) -> dict[str, Tensor]:
        d = turn(od, error(x) - balance * error(made(noise()).detach()))
        return losses(d, turn(og, error(made(noise()))))

    players = {"generator": made, "discriminator": judge}
    return alone(players, step, lambda n: made(noise(n)))


@kind(
    (
        (r"L_D = -\mathbb{E}_x[\log D(x, E(x))] - \mathbb{E}_z[\log(1 - D(G(z), z))]",),
        (r"L_{G,E} = -\mathbb{E}_x[\log(1 - D(x, E(x)))] - \mathbb{E}_z[\log D(G(z), z)]",),
    ),
    (
        (r"L_D = -\mathbb{E}_x[\log(1 - D(x, E(x)))] - \mathbb{E}_z[\log D(G(z), z)]",),
        (r"L_D = -\mathbb{E}_x[\log D(x, E(x))] - 1.05 \mathbb{E}_z[\log(1 - D(G(z), z))]",),
    ),
    judged=True,
)
def build_both_ways(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, made, judge = net(WIDE, NOISE), net(NOISE, WIDE), Beside(WIDE + NOISE, 1)
    og, od = joint(encoder, made), joint(judge)

    def judged(x: Tensor) -> tuple[Tensor, Tensor]:
        z = noise()
        return judge(x, encoder(x)), judge(made(z), z)

    def step(x: Tensor) -> dict[str, Tensor]:
        d = turn(od, softplus_losses(*judged(x)))
        real, fake = judged(x)
        return losses(d, turn(og, softplus_losses(fake, real)))

    players = {"generator": made, "encoder": encoder, "discriminator": judge}
    return alone(players, step, lambda n: made(noise(n)))


@kind(
    (
        (r"L_D = -\mathbb{E}_{z \sim p(z)}[\log D(z)] - \mathbb{E}_x[\log(1 - D(E(x)))]",),
        (r"L_G = -\mathbb{E}_{x \sim p_{data}}[\log D(E(x))]",),
    ),
    (
        (r"L_D = -\mathbb{E}_x[\log D(E(x))] - \mathbb{E}_z[\log(1 - D(z))]",),
        (r"L_G = \mathbb{E}_x[\log(1 - D(E(x)))]",),
    ),
    judged=True,
)
def build_adversarial_codes(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, decoder, judge = net(WIDE, LATENTS), net(LATENTS, WIDE), net(LATENTS, 1)
    oa, og, od = joint(encoder, decoder), joint(encoder), joint(judge)

    def step(x: Tensor) -> dict[str, Tensor]:
        turn(oa, rows((decoder(encoder(x)) - x).square()))
        d = softplus_losses(judge(torch.randn(len(x), LATENTS)), judge(encoder(x).detach()))
        return losses(turn(od, d), turn(og, F.softplus(-judge(encoder(x))).mean()))

    players = {"encoder": encoder, "decoder": decoder, "discriminator": judge}
    return alone(players, step, lambda n: decoder(torch.randn(n, LATENTS)))


SHARES = torch.linspace(0.99, 0.02, 50)
X_T = r"x_t = \sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t} \epsilon"
V = r"v = \sqrt{\bar\alpha_t} \epsilon - \sqrt{1 - \bar\alpha_t} x_0"


def diffusing(target: str) -> dlcc.Training:
    model = Beside(WIDE + 1, WIDE)
    optimizer = joint(model)

    def step(x: Tensor) -> dict[str, Tensor]:
        t = torch.randint(0, 50, (len(x),))
        a, b = SHARES[t].sqrt()[:, None], (1 - SHARES[t]).sqrt()[:, None]
        e = torch.randn_like(x)
        wanted = {"noise": e, "data": x, "velocity": a * e - b * x}[target]
        return {"model/loss": turn(optimizer, F.mse_loss(model(a * x + b * e, t), wanted)).detach()}

    return alone({"model": model}, step, lambda n: model(torch.randn(n, WIDE), torch.zeros(n)))


@kind(
    (
        (
            r"L_{simple}(\theta) = \mathbb{E}_{t, x_0, \epsilon}\left[\left\|\epsilon -"
            r" \epsilon_\theta(\sqrt{\bar\alpha_t} x_0 + \sqrt{1 - \bar\alpha_t} \epsilon, t)"
            r"\right\|^2\right]",
        ),
        (r"L = E\|\epsilon_\theta(x_t, t) - \epsilon\|_2^2", X_T),
    ),
    (
        (r"L = E\|\epsilon_\theta(x_t, t) + \epsilon\|_2^2", X_T),
        (r"L = 1.05 E\|\epsilon_\theta(x_t, t) - \epsilon\|_2^2", X_T),
        (r"L = E\|x_0 - x_\theta(x_t, t)\|^2", X_T),
        (r"L = E\|v - v_\theta(x_t, t)\|^2", V, X_T),
    ),
)
def build_denoising_noise(config: Mapping[str, Any]) -> dlcc.Training:
    return diffusing("noise")


@kind(
    (
        (r"L = E\|x_0 - x_\theta(x_t, t)\|^2", X_T),
        (r"L = \mathbb{E}_{t,x_0}\|\hat x_\theta(x_t, t) - x_0\|_2^2",),
    ),
    (
        (r"L = E\|x_0 + x_\theta(x_t, t)\|^2", X_T),
        (r"L = E\|\epsilon - \epsilon_\theta(x_t, t)\|^2", X_T),
    ),
)
def build_denoising_data(config: Mapping[str, Any]) -> dlcc.Training:
    return diffusing("data")


@kind(
    (
        (r"L = E\|v - v_\theta(x_t, t)\|^2", V, X_T),
        (r"L = E\|v_\theta(x_t, t) - (\alpha_t \epsilon - \sigma_t x_0)\|_2^2",),
    ),
    (
        (r"L = E\|v - v_\theta(x_t, t)\|^2", V.replace(" - ", " + ", 1), X_T),
        (r"L = E\|\epsilon - \epsilon_\theta(x_t, t)\|^2", X_T),
    ),
)
def build_denoising_velocity(config: Mapping[str, Any]) -> dlcc.Training:
    return diffusing("velocity")


SCORE = r"\frac12 E\|s_\theta(\tilde x) + \frac{\tilde x - x}{\sigma^2}\|_2^2"


@kind(
    (
        (f"L = {SCORE}",),
        (r"L_{DSM} = \frac12 E\|s_\theta(x + \sigma\epsilon) + \frac{\epsilon}{\sigma}\|^2",),
    ),
    (
        (f"L = {SCORE}".replace("+", "-"),),
        (f"L = {SCORE}".replace(r"\frac12 ", ""),),
        (f"L = {SCORE}".replace(r"\sigma^2", "0.2625"),),
    ),
)
def build_scores(config: Mapping[str, Any]) -> dlcc.Training:
    model = net(WIDE, WIDE)
    optimizer = joint(model)

    def step(x: Tensor) -> dict[str, Tensor]:
        near = x + 0.5 * torch.randn_like(x)
        loss = 0.5 * rows((model(near) + (near - x) / 0.25).square())
        return {"model/loss": turn(optimizer, loss).detach()}

    return alone({"model": model}, step, lambda n: model(torch.randn(n, WIDE)))


@kind(
    (
        (r"L_{CFM} = E_{t,x_0,x_1}\|v_\theta(x_t, t) - (x_1 - x_0)\|^2",),
        (r"L = E\|v_\theta((1 - t) x_0 + t x_1, t) - (x_1 - x_0)\|^2",),
    ),
    (
        (r"L = E\|v_\theta(x_t, t) - (x_0 - x_1)\|^2",),
        (r"L = E\|v_\theta(x_t, t) - (x_1 - 1.05 x_0)\|^2",),
        (r"L = E\|v_\theta(x_t, t) - x_1\|^2",),
    ),
)
def build_flow_matching(config: Mapping[str, Any]) -> dlcc.Training:
    model = Beside(WIDE + 1, WIDE)
    optimizer = joint(model)

    def step(x: Tensor) -> dict[str, Tensor]:
        e, t = torch.randn_like(x), torch.rand(len(x), 1)
        loss = (model((1 - t) * e + t * x, t) - (x - e)).square().mean()
        return {"model/loss": turn(optimizer, loss).detach()}

    return alone({"model": model}, step, lambda n: model(torch.randn(n, WIDE), torch.zeros(n, 1)))


@kind(
    (
        (r"L = E_{x \sim p_{data}}[E_\theta(x)] - E_{x^-}[E_\theta(x^-)]",),
        (r"L = \mathbb{E}[E_\theta(x^+)] - \mathbb{E}[E_\theta(x^-)]",),
    ),
    (
        (r"L = E[E_\theta(x^-)] - E[E_\theta(x)]",),
        (r"L = E[E_\theta(x)] - 1.05 E[E_\theta(x^-)]",),
        (r"L = E[E_\theta(x)]",),
    ),
)
def build_energies(config: Mapping[str, Any]) -> dlcc.Training:
    model = net(WIDE, 1)
    optimizer = joint(model)

    def walked(x: Tensor) -> Tensor:
        for _ in range(3):
            x.requires_grad_()
            with torch.enable_grad():
                (slope,) = torch.autograd.grad(model(x).sum(), x)
            x = (x - 0.1 * slope + 0.01 * torch.randn_like(x)).detach()
        return x

    def step(x: Tensor) -> dict[str, Tensor]:
        loss = model(x).mean() - model(walked(torch.randn_like(x))).mean()
        return {"model/loss": turn(optimizer, loss).detach()}

    return alone({"model": model}, step, lambda n: walked(torch.randn(n, WIDE)))


@kind(
    (
        (r"L_D = \frac12 E[(D(x) - b)^2] + \frac12 E[(D(G(z)) - a)^2]",),
        (r"L_G = \frac12 E[(D(G(z)) - c)^2]",),
    ),
    (
        (r"L_D = \frac12 E[(D(x) - b)^2] - \frac12 E[(D(G(z)) - a)^2]",),
        (r"L_D = \frac12 E[(D(x) - b)^2] + 0.525 E[(D(G(z)) - a)^2]",),
    ),
    judged=True,
)
def build_labels_by_letters(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge = net(NOISE, WIDE), net(WIDE, 1)
    og, od = adams(made, judge)

    def step(x: Tensor) -> dict[str, Tensor]:
        fake = judge(made(noise()).detach())
        d = turn(od, 0.5 * (judge(x) - 1).square().mean() + 0.5 * fake.square().mean())
        return losses(d, turn(og, 0.5 * (judge(made(noise())) - 1).square().mean()))

    players = {"generator": made, "discriminator": judge}
    return alone(players, step, lambda n: made(noise(n)))
