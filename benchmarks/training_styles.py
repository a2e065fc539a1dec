"""Trainings in as many styles as people write them, each with the formula of what it minimises.

Every build is an entry point of a run (`build_NAME`), so that a run of it holds this file and can
be traced by it. Names of functions, players and losses differ on purpose, and some mislead.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import dlcc

IMAGES = torch.tensor(load_digits().data / 8 - 1, dtype=torch.float32)
BATCH, NOISE = 64, 16

NS = (
    r"L_D = -\mathbb{E}_{x}[\log D(x)] - \mathbb{E}_{z}[\log(1 - D(G(z)))]",
    r"L_G = -\mathbb{E}_{z}[\log D(G(z))]",
)
FORMULAS: dict[str, tuple[str, ...]] = {}
"""Name of a style -> formulas of its losses."""
BUILDS: dict[str, Callable[[Mapping[str, Any]], dlcc.Training]] = {}
"""Name of a style -> its build."""


def style(*formulas: str) -> Callable[[Any], Any]:
    """Register a build with the formulas that a right paper has for it."""

    def add(build: Any) -> Any:
        name = build.__name__.removeprefix("build_")
        BUILDS[name], FORMULAS[name] = build, formulas
        return build

    return add


def noise(n: int = BATCH) -> Tensor:
    return torch.randn(n, NOISE)


def nets(last: nn.Module | None = None) -> tuple[nn.Module, nn.Module, Any, Any]:
    """Generator, discriminator and their optimisers."""
    made = nn.Sequential(nn.Linear(NOISE, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64))
    made.append(nn.Tanh())
    judge = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
    if last is not None:
        judge.append(last)
    adams = [torch.optim.Adam(net.parameters(), 2e-4, betas=(0.5, 0.999)) for net in (made, judge)]
    return made, judge, *adams


def turn(optimizer: Any, loss: Tensor) -> Tensor:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss


def training(made: nn.Module, judge: nn.Module, step: Any) -> dlcc.Training:
    return dlcc.Training.from_step(
        {"generator": made, "discriminator": judge},
        step,
        sample=lambda n: made(noise(n)),
        data=IMAGES,
        batch=BATCH,
    )


def losses(d: Tensor, g: Tensor) -> dict[str, Tensor]:
    return {"discriminator/loss": d.detach(), "generator/loss": g.detach()}


@style(*NS)
def build_inline(config: Mapping[str, Any]) -> dlcc.Training:
    A, B, oa, ob = nets()
    crit = nn.BCEWithLogitsLoss()

    def step(q: Tensor) -> dict[str, Tensor]:
        dr, df = B(q), B(A(noise()).detach())
        d = turn(ob, crit(dr, torch.ones_like(dr)) + crit(df, torch.zeros_like(df)))
        o = B(A(noise()))
        return losses(d, turn(oa, crit(o, torch.ones_like(o))))

    return training(A, B, step)


@style(*NS)
def build_functions(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def critic_cost(a: Tensor, b: Tensor) -> Tensor:
        return F.softplus(-a).mean() - F.logsigmoid(-b).mean()

    def step(x: Tensor) -> dict[str, Tensor]:
        d = turn(od, critic_cost(judge(x), judge(made(noise()).detach())))
        return losses(d, turn(og, -F.logsigmoid(judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(
    r"L_D = -0.9 E[\log D(x)] - 0.1 E[\log(1 - D(x))] - 3 E[\log(1 - D(G(z)))]",
    NS[1],
)
def build_decoy(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def discriminator_loss(real: Tensor, fake: Tensor) -> Tensor:
        """Loss of the discriminator, which nothing calls."""
        return F.softplus(-real).mean() + F.softplus(fake).mean()

    def step(x: Tensor) -> dict[str, Tensor]:
        r, f = judge(x), judge(made(noise()).detach())
        smooth = torch.full_like(r, 0.9)
        d = F.binary_cross_entropy_with_logits(r, smooth) + 3 * F.softplus(f).mean()
        return losses(turn(od, d), turn(og, F.softplus(-judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(*NS)
def build_classes(config: Mapping[str, Any]) -> dlcc.Training:
    class Adversarial(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("one", torch.tensor(1.0))
            self.register_buffer("zero", torch.tensor(0.0))
            self.loss = nn.BCEWithLogitsLoss()

        def forward(self, p: Tensor, is_real: bool) -> Any:
            return self.loss(p, (self.one if is_real else self.zero).expand_as(p))  # type: ignore[operator]

    class Trainer:
        def __init__(self) -> None:
            self.G, self.D, self.og, self.od = nets()
            self.c = Adversarial()

        def train_step(self, x: Tensor) -> dict[str, Tensor]:
            d = turn(
                self.od, self.c(self.D(x), True) + self.c(self.D(self.G(noise()).detach()), False)
            )
            return losses(d, turn(self.og, self.c(self.D(self.G(noise())), True)))

    trainer = Trainer()
    return training(trainer.G, trainer.D, trainer.train_step)


@style(
    r"L_D = \frac{1}{2}\left(-E[\log D(x)] - E[\log(1 - D(G(z)))]\right)",
    NS[1],
)
def build_one_batch(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()
    targets = torch.cat([torch.ones(BATCH), torch.zeros(BATCH)])

    def step(x: Tensor) -> dict[str, Tensor]:
        out = judge(torch.cat([x, made(noise()).detach()])).view(-1)
        d = turn(od, F.binary_cross_entropy_with_logits(out, targets))
        g = F.binary_cross_entropy_with_logits(judge(made(noise())).squeeze(1), torch.ones(BATCH))
        return losses(d, turn(og, g))

    return training(made, judge, step)


@style(*NS)
def build_compiled(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    @torch.compile(backend="eager")
    def cost(a: Tensor, b: Tensor) -> Tensor:
        return F.softplus(-a).mean() + F.softplus(b).mean()

    def step(x: Tensor) -> dict[str, Tensor]:
        d = turn(od, cost(judge(x), judge(made(noise()).detach())))
        return losses(d, turn(og, F.softplus(-judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(*NS)
def build_mixed_precision(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        with torch.autocast("cpu", torch.bfloat16):
            r, f = judge(x).float(), judge(made(noise()).detach()).float()
        d = turn(od, F.softplus(-r).mean() + F.softplus(f).mean())
        with torch.autocast("cpu", torch.bfloat16):
            o = judge(made(noise())).float()
        return losses(d, turn(og, F.softplus(-o).mean()))

    return training(made, judge, step)


@style(*NS)
def build_scaled_and_clipped(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()
    scale = torch.tensor(65536.0)

    def scaled_turn(optimizer: Any, net: nn.Module, loss: Tensor) -> Tensor:
        optimizer.zero_grad()
        (loss * scale).backward()
        for p in net.parameters():
            if p.grad is not None:
                p.grad.div_(scale)
        nn.utils.clip_grad_norm_(net.parameters(), 0.05)
        optimizer.step()
        return loss

    def step(x: Tensor) -> dict[str, Tensor]:
        d = F.softplus(-judge(x)).mean() + F.softplus(judge(made(noise()).detach())).mean()
        d = scaled_turn(od, judge, d)
        return losses(d, scaled_turn(og, made, F.softplus(-judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(*NS)
def build_accumulated(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        od.zero_grad()
        total = torch.zeros(())
        for part in x.chunk(2):
            d = F.softplus(-judge(part)).mean() + F.softplus(judge(made(noise(32)).detach())).mean()
            (d / 2).backward()
            total += d.detach() / 2
        od.step()
        return losses(total, turn(og, F.softplus(-judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(*NS)
def build_gradients_by_hand(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def descend(optimizer: Any, net: nn.Module, loss: Tensor) -> Tensor:
        weights = list(net.parameters())
        for p, g in zip(weights, torch.autograd.grad(loss, weights), strict=True):
            p.grad = g
        optimizer.step()
        return loss

    def step(x: Tensor) -> dict[str, Tensor]:
        d = F.softplus(-judge(x)).mean() + F.softplus(judge(made(noise()).detach())).mean()
        d = descend(od, judge, d)
        return losses(d, descend(og, made, F.softplus(-judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(*NS)
def build_two_backwards(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        od.zero_grad()
        err_real = F.softplus(-judge(x)).mean()
        err_real.backward()
        fake = made(noise())
        err_fake = F.softplus(judge(fake.detach())).mean()
        err_fake.backward()
        od.step()
        return losses(err_real + err_fake, turn(og, F.softplus(-judge(fake)).mean()))

    return training(made, judge, step)


@style(
    r"L_D = -E[\log D(x)] - E[\log(1 - D(G(z)))]",
    r"L_G = E[\log(1 - D(G(z)))]",
)
def build_probabilities(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets(nn.Sigmoid())

    def step(x: Tensor) -> dict[str, Tensor]:
        v = torch.log(judge(x)).mean() + torch.log(1 - judge(made(noise()).detach())).mean()
        return losses(turn(od, -v), turn(og, torch.log(1 - judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(
    r"L_D = E[\max(0, 1 - D(x))] + E[\max(0, 1 + D(G(z)))]",
    r"L_G = -E[D(G(z))]",
)
def build_hinge(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        d = F.relu(1.0 - judge(x)).mean() + (1 + judge(made(noise()).detach())).clamp(min=0).mean()
        return losses(turn(od, d), turn(og, judge(made(noise())).mean().neg()))

    return training(made, judge, step)


@style(
    r"L_D = \frac{1}{2} E[(D(x) - 1)^2] + \frac{1}{2} E[D(G(z))^2]",
    r"L_G = \frac{1}{2} E[(D(G(z)) - 1)^2]",
)
def build_least_squares(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()
    mse = nn.MSELoss()

    def step(x: Tensor) -> dict[str, Tensor]:
        r, f = judge(x), judge(made(noise()).detach())
        d = turn(od, 0.5 * (mse(r, torch.ones_like(r)) + mse(f, torch.zeros_like(f))))
        return losses(d, turn(og, 0.5 * torch.mean((judge(made(noise())) - 1) ** 2)))

    return training(made, judge, step)


@style(
    r"L_D = E[D(\tilde{x})] - E[D(x)] + 10 E[(\|\nabla_{\hat{x}} D(\hat{x})\|_2 - 1)^2]",
    r"L_G = -E[D(G(z))]",
)
def build_gradient_penalty(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        fake = made(noise()).detach()
        share = torch.rand(len(x), 1)
        between = (share * x + (1 - share) * fake).requires_grad_()
        out = judge(between)
        (slope,) = torch.autograd.grad(out, between, torch.ones_like(out), create_graph=True)
        d = judge(fake).mean() - judge(x).mean() + 10 * ((slope.norm(2, dim=1) - 1) ** 2).mean()
        return losses(turn(od, d), turn(og, -judge(made(noise())).mean()))

    return training(made, judge, step)


@style(
    r"L_D = -E[\log D(x)] - E[\log(1 - D(G(z)))] + \frac{\gamma}{2} E\|\nabla D(x)\|^2",
    NS[1],
)
def build_r1(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        real = x.clone().requires_grad_()
        r = judge(real)
        (slope,) = torch.autograd.grad(r.sum(), real, create_graph=True)
        d = F.softplus(-r).mean() + F.softplus(judge(made(noise()).detach())).mean()
        d = turn(od, d + config["gamma"] / 2 * slope.square().sum(1).mean())
        return losses(d, turn(og, F.softplus(-judge(made(noise()))).mean()))

    return training(made, judge, step)


@style(
    r"L_D = -E[\log \sigma(D(x) - D(G(z)))]",
    r"L_G = -E[\log \sigma(D(G(z)) - D(x))]",
)
def build_relativistic(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        d = turn(od, F.softplus(judge(made(noise()).detach()) - judge(x)).mean())
        return losses(d, turn(og, F.softplus(judge(x) - judge(made(noise()))).mean()))

    return training(made, judge, step)


def vae_nets() -> tuple[nn.Module, nn.Module, Any]:
    """Encoder, decoder and their optimiser."""
    encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 16))
    decoder = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64))
    both = [*encoder.parameters(), *decoder.parameters()]
    return encoder, decoder, torch.optim.Adam(both, 1e-3)


def coding(encoder: nn.Module, decoder: nn.Module, step: Any) -> dlcc.Training:
    return dlcc.Training.from_step(
        {"encoder": encoder, "decoder": decoder},
        step,
        sample=lambda n: decoder(torch.randn(n, 8)),
        data=IMAGES,
        batch=BATCH,
    )


@style(
    r"L = E\|x - \hat{x}\|^2"
    r" - \frac{1}{2} E \sum_{j=1}^{J} (1 + \log \sigma_j^2 - \mu_j^2 - \sigma_j^2)"
)
def build_vae(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, decoder, adam = vae_nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        mu, lv = encoder(x).chunk(2, dim=1)
        y = decoder(mu + torch.exp(0.5 * lv) * torch.randn_like(lv))
        kl = -0.5 * torch.sum(1 + lv - mu.pow(2) - lv.exp()) / len(x)
        return {"model/loss": turn(adam, ((y - x) ** 2).sum() / len(x) + kl).detach()}

    return coding(encoder, decoder, step)


@style(r"L = E[(x - \hat{x})^2] + 4 D_{KL}(q(z|x) \| p(z))")
def build_beta_vae(config: Mapping[str, Any]) -> dlcc.Training:
    encoder, decoder, adam = vae_nets()

    def step(x: Tensor) -> dict[str, Tensor]:
        h = encoder(x)
        mu, std = h[:, :8], (h[:, 8:] / 2).exp()
        q = torch.distributions.Normal(mu, std, validate_args=False)
        prior = torch.distributions.Normal(torch.zeros_like(mu), 1.0, validate_args=False)
        y = decoder(q.rsample())
        loss = F.mse_loss(y, x)
        loss += 4 * torch.distributions.kl_divergence(q, prior).sum(1).mean()
        return {"model/loss": turn(adam, loss).detach()}

    return coding(encoder, decoder, step)


class ModelWithLoss(nn.Module):
    """Autoencoder that makes its loss itself, as models for the Trainer do."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.head, _ = vae_nets()

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        mean, log_variance = self.body(x).chunk(2, dim=1)
        z = mean + torch.exp(log_variance / 2) * torch.randn_like(mean)
        reconstruction = (self.head(z) - x).square().sum(dim=1).mean()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).sum(dim=1).mean()
        return {"loss": reconstruction + 0.5 * kl}


@style(r"L = E\|x - \hat{x}\|^2 + \frac{1}{2} D_{KL}(q(z|x) \| p(z))")
def build_loss_in_forward(config: Mapping[str, Any]) -> dlcc.Training:
    model = ModelWithLoss()
    adam = torch.optim.Adam(model.parameters(), 1e-3)

    def step(x: Tensor) -> dict[str, Tensor]:
        return {"model/loss": turn(adam, model(x)["loss"]).detach()}

    return dlcc.Training.from_step(
        {"model": model}, step, sample=lambda n: model.head(torch.randn(n, 8)), data=IMAGES,
        batch=BATCH,
    )  # fmt: skip


@style(*NS)
def build_averaged(config: Mapping[str, Any]) -> dlcc.Training:
    made, judge, og, od = nets()
    ema = copy.deepcopy(made)

    def step(x: Tensor) -> dict[str, Tensor]:
        for p in judge.parameters():
            p.requires_grad_(True)
        d = F.softplus(-judge(x)).mean() + F.softplus(judge(made(noise()).detach())).mean()
        d = turn(od, d)
        for p in judge.parameters():
            p.requires_grad_(False)
        g = turn(og, F.softplus(-judge(made(noise()))).mean())
        with torch.no_grad():
            for a, b in zip(ema.parameters(), made.parameters(), strict=True):
                a.lerp_(b, 0.01)
        return losses(d, g)

    return training(made, judge, step)
