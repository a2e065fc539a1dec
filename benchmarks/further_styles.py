"""Further trainings and formulas: conditions, maps, noise on inputs, likelihoods, and batches that
are cut off. Beside right formulas each has wrong ones that differ in what they are *of*.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from training_styles import (
    BATCH,
    IMAGES,
    NOISE,
    NS,
    coding,
    losses,
    nets,
    noise,
    training,
    turn,
    vae_nets,
)

import dlcc


@dataclass(frozen=True)
class FurtherStyle:
    """Training, with formulas of its losses."""

    build: Callable[[Mapping[str, Any]], dlcc.Training]
    """Entry point."""
    right: tuple[str | tuple[str, ...], ...]
    """Formulas that it obeys, or documents: a loss, then what defines its parts."""
    wrong: tuple[str | tuple[str, ...], ...]
    """Formulas that it does not obey, though its numbers may look alike."""
    judged: bool = True
    """Whether a player judges."""


STYLES: dict[str, FurtherStyle] = {}
"""Name -> training."""


def style(right: tuple[str, ...], wrong: tuple[str, ...]) -> Callable[[Any], Any]:
    def add(build: Any) -> Any:
        STYLES[build.__name__.removeprefix("build_")] = FurtherStyle(build, right, wrong)
        return build

    return add


def softplus_losses(real: Tensor, fake: Tensor) -> Tensor:
    return F.softplus(-real).mean() + F.softplus(fake).mean()


@style(
    (
        r"L_D = -\mathbb{E}_{x \sim p_{\text{data}}}[\log D(x)]"
        r" - \mathbb{E}_{x \sim p_g}[\log(1 - D(x))]",
        r"L_D = -\mathbb{E}_{x \sim \mathbb{P}_r}[\log D(x)]"
        r" - \mathbb{E}_{\tilde{x} \sim \mathbb{P}_g}[\log(1 - D(\tilde{x}))]",
        r"L_D = -\frac{1}{m} \sum_{i=1}^{m} \log D(x^{(i)})"
        r" - \frac{1}{m} \sum_{i=1}^{m} \log(1 - D(G(z^{(i)})))",
        r"L_D = \mathrm{BCE}(D(x), 1) + \mathrm{BCE}(D(G(z)), 0)",
        r"L_G = \mathbb{E}_{z \sim \mathcal{N}(0, I)}[-\log D(G(z))]",
    ),
    (
        r"L_D = -\mathbb{E}_{x \sim p_g}[\log D(x)] - \mathbb{E}_{x \sim p_{data}}[\log(1 - D(x))]",
        r"L_D = -\mathbb{E}_{x \sim p_{data}}[\log D(x)]"
        r" - \mathbb{E}_{x \sim p_{data}}[\log(1 - D(x))]",
        r"L_D = -\mathbb{E}_{z \sim p_z}[\log D(x)] - \mathbb{E}_{x}[\log(1 - D(G(z)))]",
        r"L_D = \mathrm{BCE}(D(x), 0) + \mathrm{BCE}(D(G(z)), 1)",
    ),
)
def build_distributions(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        d = turn(od, softplus_losses(judge(x), judge(made(noise()).detach())))
        return losses(d, turn(og, F.softplus(-judge(made(noise()))).mean()))

    return training(made, judge, step)


class Judge(nn.Module):
    """Discriminator of an image and its class."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64 + 4, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        made: Tensor = self.body(torch.cat([x, F.one_hot(y, 4).float()], dim=1))
        return made


class Maker(nn.Module):
    """Generator of images of a class."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(NOISE + 4, 32), nn.ReLU(), nn.Linear(32, 64))

    def forward(self, z: Tensor, y: Tensor) -> Tensor:
        made: Tensor = self.body(torch.cat([z, F.one_hot(y, 4).float()], dim=1))
        return made.tanh()


def adams(*players: nn.Module) -> list[Any]:
    return [torch.optim.Adam(p.parameters(), 2e-4, betas=(0.5, 0.999)) for p in players]


@style(
    (
        r"L_D = -\mathbb{E}[\log D(x|y)] - \mathbb{E}[\log(1 - D(G(z|y)|y))]",
        r"L_D = -\mathbb{E}_{x,y}[\log D(x, y)] - \mathbb{E}_{z,y}[\log(1 - D(G(z, y), y))]",
        r"L_G = -\mathbb{E}[\log D(G(z \mid y) \mid y)]",
    ),
    (r"L_D = -\mathbb{E}[\log D(x|y)] - 2 \mathbb{E}[\log(1 - D(G(z|y)|y))]",),
)
def build_conditional(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge = Maker(), Judge()
    og, od = adams(made, judge)

    def step(x: Tensor) -> dict[str, Tensor]:
        y = torch.randint(4, (len(x),))
        d = turn(od, softplus_losses(judge(x, y), judge(made(noise(len(x)), y).detach(), y)))
        return losses(d, turn(og, F.softplus(-judge(made(noise(len(x)), y), y)).mean()))

    return dlcc.Training.from_step(
        {"generator": made, "discriminator": judge},
        step,
        sample=lambda n: made(noise(n), torch.arange(n) % 4),
        data=IMAGES,
        batch=BATCH,
    )


@style(
    (
        r"L_D = \mathbb{E}[(D(x) - 1)^2] + \mathbb{E}[D(G(z))^2]",
        r"L_G = \mathbb{E}[(D(G(z)) - 1)^2]",
    ),
    (r"L_D = \mathbb{E}[(D(x) - 1)^2] - \mathbb{E}[D(G(z))^2]", r"L_G = \mathbb{E}[D(G(z))^2]"),
)
def build_patches(config: Mapping[str, Any]) -> dlcc.Training:
    made = nn.Sequential(nn.Linear(NOISE, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    judge = nn.Sequential(
        nn.Conv2d(1, 8, 3, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(8, 1, 3, 1, 1)
    )  # a map of 4 x 4 verdicts
    og, od = adams(made, judge)

    def step(x: Tensor) -> dict[str, Tensor]:
        real, fake = judge(x), judge(made(noise()).detach())
        d = turn(od, (real - 1).square().mean() + fake.square().mean())
        return losses(d, turn(og, (judge(made(noise())) - 1).square().mean()))

    return dlcc.Training.from_step(
        {"generator": made, "discriminator": judge},
        step,
        sample=lambda n: made(noise(n)),
        data=IMAGES.reshape(-1, 1, 8, 8),
        batch=BATCH,
    )


@style(
    (
        r"L_D = -\mathbb{E}[\log D(x + \epsilon)] - \mathbb{E}[\log(1 - D(G(z) + \epsilon))]",
        r"L_G = -\mathbb{E}[\log D(G(z) + \epsilon)]",
    ),
    NS,
)
def build_noisy_inputs(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def seen(x: Tensor) -> Tensor:
        verdict: Tensor = judge(x + 0.1 * torch.randn_like(x))
        return verdict

    def step(x: Tensor) -> dict[str, Tensor]:
        d = turn(od, softplus_losses(seen(x), seen(made(noise()).detach())))
        return losses(d, turn(og, F.softplus(-seen(made(noise()))).mean()))

    return training(made, judge, step)


@style((), NS[1:])
def build_half_detached(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        d = turn(od, softplus_losses(judge(x), judge(made(noise()).detach())))
        fake = made(noise())
        fake = torch.cat([fake[: BATCH // 2].detach(), fake[BATCH // 2 :]])
        return losses(d, turn(og, F.softplus(-judge(fake)).mean()))

    return training(made, judge, step)


@style((), NS[:1])
def build_half_without_gradients(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        with torch.no_grad():
            first = judge(x[: BATCH // 2])
        real = torch.cat([first, judge(x[BATCH // 2 :])])
        d = turn(od, softplus_losses(real, judge(made(noise()).detach())))
        return losses(d, turn(og, F.softplus(-judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(
    (
        r"L_D = \mathbb{E}_{\tilde{x} \sim \mathbb{P}_g}[D(\tilde{x})]"
        r" - \mathbb{E}_{x \sim \mathbb{P}_r}[D(x)]"
        r" + 10 \, \mathbb{E}_{\hat{x} \sim \mathbb{P}_{\hat{x}}}"
        r"[(\|\nabla_{\hat{x}} D(\hat{x})\|_2 - 1)^2]",
    ),
    (
        r"L_D = \mathbb{E}_{\tilde{x} \sim \mathbb{P}_g}[D(\tilde{x})]"
        r" - \mathbb{E}_{x \sim \mathbb{P}_r}[D(x)]"
        r" + 10 \, \mathbb{E}_{\hat{x} \sim \mathbb{P}_{\hat{x}}}"
        r"[(\|\nabla_{\theta} D(\hat{x})\|_2 - 1)^2]",
        r"L_D = \mathbb{E}_{\tilde{x} \sim \mathbb{P}_r}[D(\tilde{x})]"
        r" - \mathbb{E}_{x \sim \mathbb{P}_g}[D(x)]"
        r" + 10 \, \mathbb{E}_{\hat{x} \sim \mathbb{P}_{\hat{x}}}"
        r"[(\|\nabla_{\hat{x}} D(\hat{x})\|_2 - 1)^2]",
    ),
)
def build_penalised(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        fake = made(noise()).detach()
        share = torch.rand(len(x), 1)
        between = (share * x + (1 - share) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
        penalty = (slope.norm(dim=1) - 1).square().mean()
        d = turn(od, judge(fake).mean() - judge(x).mean() + 10 * penalty)
        return losses(d, turn(og, -judge(made(noise())).mean()))

    return training(made, judge, step)


def coded(encoder: nn.Module, decoder: nn.Module, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Output of the decoder, mean and log-variance."""
    mu, lv = encoder(x).chunk(2, dim=1)
    return decoder(mu + torch.exp(0.5 * lv) * torch.randn_like(lv)), mu, lv


def divergence(mu: Tensor, lv: Tensor) -> Tensor:
    return 0.5 * (mu.square() + lv.exp() - 1 - lv).sum(dim=1).mean()


@style(
    (
        r"L = -\mathbb{E}_{q_\phi(z|x)}[\log p_\theta(x|z)] + D_{KL}(q_\phi(z|x) \| p(z))",
        r"L = \mathbb{E}\Big[-\sum_{j=1}^{d} (x_{ij} \log \hat{x}_{ij}"
        r" + (1 - x_{ij}) \log(1 - \hat{x}_{ij}))\Big]"
        r" - \frac{1}{2} \mathbb{E} \sum_{j=1}^{J}"
        r" (1 + \log (\sigma_j^{(i)})^2 - (\mu_j^{(i)})^2 - (\sigma_j^{(i)})^2)",
        r"L = \mathrm{BCE}(x, \hat{x}) + \mathrm{KL}(q(z|x) \| \mathcal{N}(0, I))",
    ),
    (
        r"L = \mathbb{E}_{q_\phi(z|x)}[\log p_\theta(x|z)] + D_{KL}(q_\phi(z|x) \| p(z))",
        r"L = -\mathbb{E}_{q_\phi(z|x)}[\log p_\theta(x|z)] + D_{KL}(p(z) \| q_\phi(z|x))",
        r"L = -\mathbb{E}_{q_\phi(z|x)}[\log p_\theta(x|z)] + D_{KL}(p(z|x) \| p(z))",
        r"L = -\mathbb{E}_{q_\phi(z|x)}[\log p_\theta(x|z)] + 2 D_{KL}(q_\phi(z|x) \| p(z))",
    ),
)
def build_cross_entropy_vae(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, decoder, adam = vae_nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        y, mu, lv = coded(encoder, decoder, x)
        target = (x + 1) / 2
        fit = F.binary_cross_entropy_with_logits(y, target, reduction="sum") / len(x)
        return {"model/loss": turn(adam, fit + divergence(mu, lv)).detach()}

    return coding(encoder, decoder, step)


@style(
    (
        r"L = -\mathbb{E}_{z \sim q(z|x)}[\log p(x|z)] + \mathrm{KL}(q(z|x) \,\|\, p(z))",
        r"L = \frac{1}{2} \mathbb{E}\|\mathbf{x} - \hat{\mathbf{x}}\|_2^2"
        r" + \mathbb{E}[D_{KL}(q_\phi(\mathbf{z}|\mathbf{x}) \| p(\mathbf{z}))]",
        r"L = \frac{1}{2} E\|x - \hat{x}\|^2"
        r" - \frac{1}{2} E \sum_{j} (1 + \log \sigma_j^2 - \mu_j^2 - \sigma_j^2)",
    ),
    (
        r"L = \mathbb{E}_{z \sim q(z|x)}[\log p(x|z)] + \mathrm{KL}(q(z|x) \,\|\, p(z))",
        r"L = \frac{1}{2} E\|x - \hat{x}\|^2 + E[D_{KL}(p(z) \| q(z|x))]",
        r"L = \frac{1}{2} E\|x - \hat{x}\|^2"
        r" - \frac{1}{2} E \sum_{j} (1 + \log \sigma_j - \mu_j^2 - \sigma_j)",
        r"L = \frac{1}{2} E\|x - \hat{x}\|^2 + E[D_{KL}(q(z|x) \| q(z))]",
    ),
)
def build_normal_vae(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, decoder, adam = vae_nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        y, mu, lv = coded(encoder, decoder, x)
        fit = 0.5 * (y - x).square().sum(dim=1).mean()
        return {"model/loss": turn(adam, fit + divergence(mu, lv)).detach()}

    return coding(encoder, decoder, step)
