"""Adversarial recipes: plain loops over a generator and a discriminator.

Each step of the loop is a method, so that a fault is a subclass that overrides one or two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faults.data import digits, fashion, ring
from faults.training import AnySetting, Training
from faults.truth import distance

_SAMPLES = 512


@dataclass(frozen=True, kw_only=True)
class Setting(AnySetting):
    """Setting of a game."""

    objective: str = "ns"
    """Objective: ns, hinge, ls, relativistic or wgangp."""
    lr_d: float = 1e-3
    lr_g: float = 1e-3
    beta1: float = 0.5
    batch: int = 128
    length: int = 2_000
    width: int = 64
    latents: int = 16
    critic_steps: int = 1
    penalty: float = 0.0
    """Weight of the gradient penalty at interpolations."""


RECIPES = {
    "ring": Setting(recipe="ring", data="ring", lr_d=2e-3, lr_g=1e-3, length=1_500),
    "digits": Setting(
        recipe="digits", data="digits", lr_d=5e-4, lr_g=5e-4, batch=64, width=128, length=1_500,
    ),
    "dcgan": Setting(
        recipe="dcgan", data="fashion", lr_d=4e-4, lr_g=1e-3, batch=24, width=16, length=300,
    ),
    "wgangp": Setting(
        recipe="wgangp", data="digits", objective="wgangp",
        lr_d=1e-3, lr_g=5e-4, penalty=10.0, batch=64, width=128, length=1_500,
    ),
}  # fmt: skip


class Linear(nn.Module):
    """Linear layers of several members, [members, n, inputs] to [members, n, outputs]."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        one = [nn.Linear(inputs, outputs) for _ in range(members)]
        self.weight = nn.Parameter(torch.stack([layer.weight.detach().T for layer in one]))
        self.bias = nn.Parameter(torch.stack([layer.bias.detach()[None] for layer in one]))

    def forward(self, rows: Tensor) -> Tensor:
        return torch.baddbmm(self.bias, rows, self.weight)


class One(nn.Module):
    """Network of a single member."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, rows: Tensor) -> Tensor:
        return self.network(rows[0])[None]


def mean(values: Tensor) -> Tensor:
    """Mean of each member [members]."""
    return values.flatten(1).mean(dim=1)


def norms(network: nn.Module) -> Tensor:
    """Norm of each member's gradient [members]; NaN without one."""
    gradients = [p.grad for p in network.parameters() if p.grad is not None]
    if not gradients:
        return torch.full((1,), float("nan"))
    if isinstance(network, One):
        return torch.stack([(g**2).sum() for g in gradients]).sum()[None].sqrt()
    return torch.stack([(g**2).flatten(1).sum(dim=1) for g in gradients]).sum(dim=0).sqrt()


def mlp(
    members: int, inputs: int, width: int, outputs: int, *, tanh: bool = False
) -> nn.Sequential:
    """Two hidden layers."""
    layers = [Linear(members, inputs, width), nn.LeakyReLU(0.2), Linear(members, width, width)]
    layers += [nn.LeakyReLU(0.2), Linear(members, width, outputs)]
    return nn.Sequential(*layers, *([nn.Tanh()] if tanh else []))


def image_generator(latents: int, width: int) -> nn.Sequential:
    """From [n, latents] to images [n, 1, 28, 28]."""
    return nn.Sequential(
        nn.Linear(latents, 2 * width * 49),
        nn.Unflatten(1, (2 * width, 7, 7)),
        nn.BatchNorm2d(2 * width),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1),
        nn.Tanh(),
    )


def image_discriminator(width: int) -> nn.Sequential:
    """From images [n, 1, 28, 28] to logits [n, 1]."""
    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1),
        nn.BatchNorm2d(2 * width),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(2 * width * 49, 1),
    )


class Game(Training[Setting]):
    """Training of a generator against a discriminator, without a fault."""

    def __init__(self, setting: Setting, seed: int, members: int = 1) -> None:
        super().__init__(setting, seed, members)
        self.generator, self.discriminator = self.networks()
        self.opt_d, self.opt_g = self.optimisers()
        self.row: dict[str, Tensor | float] = {}

    # --- what is set up

    def networks(self) -> tuple[nn.Module, nn.Module]:
        """Generator and discriminator."""
        s = self.setting
        if s.recipe == "dcgan":
            return One(image_generator(s.latents, s.width)), One(image_discriminator(s.width))
        features = 2 if s.data == "ring" else 64
        tanh = s.data == "digits"
        return (
            mlp(self.members, s.latents, s.width, features, tanh=tanh),
            mlp(self.members, features, s.width, 1),
        )

    def optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        """Optimisers of the discriminator and of the generator."""
        s = self.setting
        return (
            self.optimiser(self.discriminator.parameters(), s.lr_d),
            self.optimiser(self.generator.parameters(), s.lr_g),
        )

    def optimiser(self, parameters: object, rate: float) -> torch.optim.Optimizer:
        """Optimiser of one player."""
        return torch.optim.Adam(parameters, lr=rate, betas=(self.setting.beta1, 0.999), fused=True)

    # --- the loop

    def train_step(self) -> Mapping[str, Tensor | float]:
        for _ in range(self.setting.critic_steps):
            self.train_discriminator()
        self.train_generator()
        self.end_of_step()
        return self.row

    def train_discriminator(self) -> None:
        """One step of the discriminator."""
        real = self.real()
        fake = self.fake(real.shape[1]).detach()
        on_real, on_fake = self.discriminator(real), self.discriminator(fake)
        loss = self.loss_d(on_real, on_fake)
        total = loss + self.penalty(real, fake)
        norm = self.update_d(total)
        self.row |= {
            "d_loss": total.detach(),
            "d_real": mean(on_real.detach()),
            "d_fake": mean(on_fake.detach()),
            "p_real": mean(torch.sigmoid(on_real.detach())),
            "p_fake": mean(torch.sigmoid(on_fake.detach())),
            "d_norm": norm,
        }

    def train_generator(self) -> None:
        """One step of the generator."""
        real = self.real() if self.setting.objective == "relativistic" else None
        fake = self.fake(self.setting.batch)
        on_real = None if real is None else self.discriminator(real).detach()
        loss = self.loss_g(self.discriminator(fake), on_real)
        norm = self.update_g(loss)
        self.row |= {
            "g_loss": loss.detach(),
            "g_norm": norm,
            "lr_d": self.opt_d.param_groups[0]["lr"],
            "lr_g": self.opt_g.param_groups[0]["lr"],
        }

    # --- its parts

    def real(self) -> Tensor:
        """Batch of real rows."""
        s = self.setting
        if s.data == "ring":
            return ring(self.members * s.batch, self.rng).reshape(self.members, s.batch, 2)
        rows = digits() if s.data == "digits" else fashion()
        return rows[torch.from_numpy(self.rng.integers(0, len(rows), (self.members, s.batch)))]

    def latents(self, rows: int) -> Tensor:
        """Noise [members, rows, latents]."""
        return torch.randn(self.members, rows, self.setting.latents)

    def fake(self, rows: int) -> Tensor:
        """Samples."""
        return self.generator(self.latents(rows))

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        """Loss of the discriminator from its outputs."""
        match self.setting.objective:
            case "hinge":
                return mean(F.relu(1 - real)) + mean(F.relu(1 + fake))
            case "ls":
                return 0.5 * mean((real - 1) ** 2) + 0.5 * mean(fake**2)
            case "relativistic":
                return mean(F.softplus(fake - real))
            case "wgangp":
                return mean(fake) - mean(real)
        return mean(F.softplus(-real)) + mean(F.softplus(fake))

    def loss_g(self, fake: Tensor, real: Tensor | None) -> Tensor:
        """Loss of the generator from the discriminator's outputs."""
        match self.setting.objective:
            case "hinge" | "wgangp":
                return -mean(fake)
            case "ls":
                return 0.5 * mean((fake - 1) ** 2)
            case "relativistic":
                assert real is not None
                return mean(F.softplus(real - fake))
        return mean(F.softplus(-fake))

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        """Gradient penalty at interpolations, 0 without one."""
        s = self.setting
        if not s.penalty:
            return torch.zeros(self.members)
        share = torch.rand(self.members, real.shape[1], *([1] * (real.dim() - 2)))
        between = (share * real + (1 - share) * fake).detach().requires_grad_()
        (slope,) = torch.autograd.grad(
            self.discriminator(between).sum(), between, create_graph=True
        )
        return s.penalty * mean((slope.flatten(2).norm(dim=2) - 1) ** 2)

    def update_d(self, loss: Tensor) -> Tensor:
        """Update the discriminator, and give its gradient's norm."""
        return self.update(self.opt_d, self.discriminator, loss)

    def update_g(self, loss: Tensor) -> Tensor:
        """Update the generator, and give its gradient's norm."""
        return self.update(self.opt_g, self.generator, loss)

    def update(self, optimiser: torch.optim.Optimizer, network: nn.Module, loss: Tensor) -> Tensor:
        """One step of an optimiser."""
        optimiser.zero_grad()
        if loss.requires_grad:
            loss.sum().backward()
        norm = self.clip(network)
        optimiser.step()
        return norm

    def clip(self, network: nn.Module) -> Tensor:
        """Norms of the gradient of every tenth step, clipped where the training does so."""
        return self.none() if self.step % 10 else norms(network)

    def none(self) -> Tensor:
        """Norms that were not computed."""
        return torch.full((self.members,), float("nan"))

    # --- truth

    def truth(self) -> list[float]:
        state = torch.get_rng_state()
        torch.manual_seed(12345)
        with torch.no_grad():
            samples = self.fake(_SAMPLES)
        torch.set_rng_state(state)
        return [distance(self.setting.data, rows) for rows in samples]
