"""Training of a GAN on images by drawn settings, recorded with `dlcc.Recorder`.

python benchmarks/image_gan_runs.py --out FOLDER --seed 1 --number 40 --style plain
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from dlcc import Recorder
from image_gans import players, truth
from image_gans.data import REFERENCE, images

SAMPLE_STEPS, SAMPLES = 24, 200
STYLES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "plain": {
        "data": ("mnist",),
        "architecture": ("dcgan", "dcgan_norm", "dense"),
        "loss": ("ns", "ls", "wgangp", "ns"),
        "steps": ("800", "1200"),
    },
    "foreign": {
        "data": ("fashion",),
        "architecture": ("residual",),
        "loss": ("hinge", "relativistic", "hinge"),
        "steps": ("1600", "2400"),
    },
}
"""Data, architectures, objectives and lengths of two code bases."""


@dataclass(frozen=True)
class Setting:
    """Setting of one training."""

    data: str
    architecture: str
    loss: str
    optimizer: str
    lr_g: float
    lr_d: float
    beta1: float
    batch: int
    width: int
    zdim: int
    d_steps: int
    steps: int
    seed: int


def draw(style: str, seed: int, number: int) -> Setting:
    """Draw setting `number` of a seed; about half of them are meant to fail."""
    rng = np.random.default_rng([seed, number, len(style)])
    choices = STYLES[style]
    data, architecture, loss = (
        str(rng.choice(choices[key])) for key in ("data", "architecture", "loss")
    )
    sound = rng.random() < 0.55
    rate = float(10 ** (rng.uniform(-3.7, -2.7) if sound else rng.uniform(-4.5, -1.2)))
    ratio = float(2 ** (rng.uniform(-1, 1) if sound else rng.uniform(-4, 4)))
    return Setting(
        data=data,
        architecture=architecture,
        loss=loss,
        optimizer=str(rng.choice(["adam", "adam", "rmsprop"])),
        lr_g=float(f"{rate:.3g}"),
        lr_d=float(f"{rate * ratio:.3g}"),
        beta1=float(rng.choice([0.0, 0.5] if sound else [0.5, 0.9])),
        batch=int(rng.choice([32, 48])),
        width=int(rng.choice([12, 16])),
        zdim=int(rng.choice([16, 64] if sound else [2, 16, 64])),
        d_steps=1 if sound else int(rng.choice([1, 1, 4])),
        steps=int(rng.choice(choices["steps"])),
        seed=int(rng.integers(1 << 31)),
    )


def networks(s: Setting) -> tuple[nn.Module, nn.Module]:
    """Make generator and discriminator."""
    if s.architecture == "dense":
        return players.dense_generator(s.zdim, s.width), players.dense_discriminator(s.width)
    if s.architecture == "residual":
        return players.ResidualGenerator(s.zdim, 2 * s.width), players.SpectralCritic(s.width)
    norm = s.architecture == "dcgan_norm" and s.loss != "wgangp"
    return players.dcgan_generator(s.zdim, s.width), players.dcgan_discriminator(s.width, norm=norm)


def loss_of_discriminator(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    """Compute the discriminator's loss of its outputs, without a penalty."""
    if loss == "ns":
        return functional.softplus(-real).mean() + functional.softplus(fake).mean()
    if loss == "relativistic":
        return functional.softplus(-(real - fake)).mean()
    if loss == "ls":
        return 0.5 * ((real - 1) ** 2).mean() + 0.5 * (fake**2).mean()
    if loss == "hinge":
        return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()
    return fake.mean() - real.mean()


def loss_of_generator(loss: str, real: Tensor, fake: Tensor) -> Tensor:
    """Compute the generator's loss of the discriminator's outputs."""
    if loss == "ns":
        return functional.softplus(-fake).mean()
    if loss == "relativistic":
        return functional.softplus(-(fake - real)).mean()
    if loss == "ls":
        return 0.5 * ((fake - 1) ** 2).mean()
    return -fake.mean()


def penalty(net: nn.Module, real: Tensor, fake: Tensor) -> Tensor:
    """Compute WGAN-GP's penalty, with weight 10."""
    share = torch.rand(len(real), 1, 1, 1)
    mixed = (share * real + (1 - share) * fake).requires_grad_()
    (gradient,) = torch.autograd.grad(net(mixed).sum(), mixed, create_graph=True)
    return 10 * ((gradient.flatten(1).norm(dim=1) - 1) ** 2).mean()


def gradient_norm(net: nn.Module) -> float:
    """Norm of a player's gradient."""
    parts = [p.grad.norm() for p in net.parameters() if p.grad is not None]
    return float(torch.stack(parts).norm())


def optimizer(s: Setting, net: nn.Module, rate: float) -> torch.optim.Optimizer:
    """Make a player's optimiser."""
    if s.optimizer == "adam":
        return torch.optim.Adam(net.parameters(), rate, betas=(s.beta1, 0.999))
    return torch.optim.RMSprop(net.parameters(), rate)


def train(s: Setting, folder: Path) -> None:
    """Train a setting, record it in a run folder, and write its truth beside the folder."""
    torch.manual_seed(s.seed)
    pixels = torch.from_numpy(images(s.data)[0])[:, None]
    generator, critic = networks(s)
    to_g, to_d = optimizer(s, generator, s.lr_g), optimizer(s, critic, s.lr_d)
    due = {s.steps * k // SAMPLE_STEPS for k in range(1, SAMPLE_STEPS + 1)}
    fixed = torch.randn(SAMPLES, s.zdim)
    classes, distances, finite = [], [], True
    with Recorder(
        folder,
        config=asdict(s),
        objective={"kind": "gan", "loss": s.loss},
        data={"name": s.data},
        seed=s.seed,
        length=s.steps,
        players={"generator": generator, "discriminator": critic},
        reference=pixels[:REFERENCE],
        track_updates=False,
    ) as recorder:
        for step in range(s.steps + 1):
            if step in due:
                drawn = sample(generator, fixed)
                recorder.samples(step, drawn)
                reached, distance = truth.seen(s.data, drawn[:, 0])
                classes.append(reached)
                distances.append(distance)
                finite &= bool(np.isfinite(drawn).all())
            if step == s.steps:
                break
            row = train_step(s, (generator, critic), (to_g, to_d), pixels)
            recorder.log(step, row)
            finite &= all(map(np.isfinite, row.values()))
    found = truth.verdict(classes, distances, finite=finite)
    about = {**asdict(s), "verdict": found, "classes": classes, "distances": distances}
    folder.with_suffix(".truth.json").write_text(json.dumps(about), encoding="utf-8")


def sample(
    generator: nn.Module, fixed: Tensor
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """Draw samples [n, 1, 28, 28] in evaluation mode."""
    generator.eval()
    with torch.no_grad():
        drawn = generator(fixed).numpy()
    generator.train()
    return np.asarray(drawn, dtype=np.float32)


def train_step(
    s: Setting,
    nets: tuple[nn.Module, nn.Module],
    optimizers: tuple[torch.optim.Optimizer, torch.optim.Optimizer],
    pixels: Tensor,
) -> dict[str, float]:
    """Update the generator once and its rival `d_steps` times, and give the row of the record."""
    generator, critic = nets
    for _ in range(s.d_steps):
        real = pixels[torch.randint(len(pixels), (s.batch,))]
        fake = generator(torch.randn(s.batch, s.zdim)).detach()
        on_real, on_fake = critic(real), critic(fake)
        loss_d = loss_of_discriminator(s.loss, on_real, on_fake)
        if s.loss == "wgangp":
            loss_d = loss_d + penalty(critic, real, fake)
        optimizers[1].zero_grad()
        loss_d.backward()
        norm_d = gradient_norm(critic)
        optimizers[1].step()
    scores = critic(generator(torch.randn(s.batch, s.zdim)))
    loss_g = loss_of_generator(s.loss, on_real.detach(), scores)
    optimizers[0].zero_grad()
    loss_g.backward()
    norm_g = gradient_norm(generator)
    optimizers[0].step()
    probability = torch.sigmoid if s.loss == "ns" else torch.nn.Identity()
    return {
        "generator/loss": loss_g.item(),
        "discriminator/loss": loss_d.item(),
        "generator/grad_norm": norm_g,
        "discriminator/grad_norm": norm_d,
        "discriminator/real": probability(on_real).mean().item(),
        "discriminator/fake": probability(on_fake).mean().item(),
    }
