"""Trainings with one silent error each, put in from a step on; and the same training without.

Each is an entry point of a run that reads its fault from the configuration, so that a run of it can
be replayed. The errors are those that people report: nothing crashes, and losses look plausible.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn import functional as F

import dlcc

DIGITS = load_digits()
IMAGES = torch.tensor(DIGITS.data / 8 - 1, dtype=torch.float32)
BY_CLASS = IMAGES[torch.tensor(DIGITS.target).argsort(stable=True)]
BATCH, NOISE = 32, 8
GAN_PAPER = """# Method

The discriminator minimises

$$L_D = -\\mathbb{E}_x[\\log D(x)] - \\mathbb{E}_z[\\log(1 - D(G(z)))]$$

and the generator

$$L_G = -\\mathbb{E}_z[\\log D(G(z))]$$
"""
R1_PAPER = """# Method

The discriminator minimises

$$L_D = -\\mathbb{E}_x[\\log D(x)] - \\mathbb{E}_z[\\log(1 - D(G(z)))]
 + 5 \\mathbb{E}_x[\\|\\nabla_x D(x)\\|^2]$$

and the generator

$$L_G = -\\mathbb{E}_z[\\log D(G(z))]$$
"""
VAE_PAPER = """# Method

The autoencoder minimises

$$L = \\mathbb{E}\\|x - \\hat{x}\\|^2 + \\mathrm{KL}(q(z|x) \\| p(z))$$
"""


@dataclass(frozen=True)
class Silent:
    """Silent error."""

    family: str
    """Training that it is put into: `gan`, `r1` or `vae`."""
    codes: tuple[str, ...]
    """Codes of findings that name it right."""


SILENT: dict[str, Silent] = {
    # gradients
    "no zero_grad of the discriminator": Silent("gan", ("LOG010",)),
    "generator's samples detached": Silent("gan", ("LOG010",)),
    "half of the samples detached": Silent("gan", ("LOG004",)),
    "real batch without gradients": Silent("gan", ("LOG004", "LOG010")),
    "gradient scale not undone": Silent("gan", ("LOG010",)),
    "penalty without its graph": Silent("r1", ("LOG004", "LOG010")),
    "discriminator's gradient turned around": Silent("gan", ("LOG010", "LOG004", "LOG005")),
    "clipped before backward": Silent("gan", ("LOG013",)),
    # optimisers
    "generator never stepped": Silent("gan", ("LOG011",)),
    "optimiser of a model built anew": Silent("gan", ("LOG011", "LOG010")),
    "optimiser without the last layer": Silent("gan", ("LOG011",)),
    "generator's optimiser holds both": Silent("gan", ("LOG011",)),
    "stepped twice": Silent("gan", ("LOG011",)),
    "decoder left out": Silent("vae", ("LOG011",)),
    # settings
    "rate ten times the stated one": Silent("gan", ("LOG013",)),
    "betas not passed on": Silent("gan", ("LOG013",)),
    "weight decay not passed on": Silent("gan", ("LOG013",)),
    "schedule not stepped": Silent("gan", ("LOG013",)),
    # modes and moments
    "generator in evaluation mode": Silent("gan", ("LOG015",)),
    "discriminator in evaluation mode": Silent("gan", ("LOG015",)),
    "data and samples normalised together": Silent("gan", ("LOG015",)),
    # data and chance
    "same noise at each step": Silent("gan", ("LOG012",)),
    "same batch at each step": Silent("gan", ("LOG012",)),
    "seed set at each step": Silent("gan", ("LOG012",)),
    "sorted data not shuffled": Silent("gan", ("LOG016",)),
    "targets of other rows": Silent("vae", ("LOG016",)),
    "latents never drawn": Silent("vae", ("LOG016", "LOG004")),
    # losses against the paper
    "labels swapped": Silent("gan", ("LOG004", "LOG005")),
    "loss three times": Silent("gan", ("LOG004",)),
    "label smoothing left in": Silent("gan", ("LOG004",)),
    "penalty of the wrong weight": Silent("r1", ("LOG004",)),
    "penalty on samples": Silent("r1", ("LOG004",)),
    "divergence of the wrong sign": Silent("vae", ("LOG004",)),
    "reconstruction averaged over pixels": Silent("vae", ("LOG004",)),
    "log-variance taken for log-deviation": Silent("vae", ("LOG004",)),
    # averages
    "average never updated": Silent("gan", ("LOG014",)),
    "average takes the weights whole": Silent("gan", ("LOG014",)),
}


def config_of(name: str, onset: int, seed: int) -> dict[str, Any]:
    """Configuration of a training with an error from a step on; none where the name is empty."""
    return {
        "lr": 2e-4,
        "beta1": 0.5,
        "weight_decay": 1e-4,
        "grad_clip": 0.05 if name == "clipped before backward" else 100.0,
        "lr_schedule": "cosine",
        "fault": name,
        "onset": onset,
        "seed": seed,
    }


class Clock:
    """Number of steps done, kept in snapshots."""

    def __init__(self) -> None:
        self.steps = 0

    def state_dict(self) -> dict[str, int]:
        return {"steps": self.steps}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        self.steps = state["steps"]


def networks() -> tuple[nn.Module, nn.Module]:
    made = nn.Sequential(
        nn.Linear(NOISE, 32), nn.BatchNorm1d(32), nn.ReLU(), nn.Linear(32, 64), nn.Tanh()
    )
    judge = nn.Sequential(
        nn.Linear(64, 32), nn.BatchNorm1d(32), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(32, 1)
    )
    return made, judge


def build_gan(config: Mapping[str, Any]) -> dlcc.Training:
    """GAN with batch normalisation, an average of the generator, clipping and a schedule."""
    torch.manual_seed(config["seed"])
    fault, onset, penalised = config["fault"], config["onset"], config.get("penalised", False)
    made, judge = networks()
    average = copy.deepcopy(made)
    clock = Clock()
    scaled = torch.tensor(1024.0)  # as a gradient scaler keeps it

    def adam(weights: Any) -> Any:
        return torch.optim.Adam(
            list(weights),
            config["lr"] * (10 if fault == "rate ten times the stated one" else 1),
            betas=(0.9 if fault == "betas not passed on" else config["beta1"], 0.999),
            weight_decay=0 if fault == "weight decay not passed on" else config["weight_decay"],
        )

    of_judge = list(judge.parameters())
    if fault == "optimiser without the last layer":
        of_judge = of_judge[:-2]
    if fault == "optimiser of a model built anew":
        of_judge = list(networks()[1].parameters())
    of_made = list(made.parameters())
    if fault == "generator's optimiser holds both":
        of_made += list(judge.parameters())
    og, od = adam(of_made), adam(of_judge)
    schedules = [torch.optim.lr_scheduler.CosineAnnealingLR(o, 1000) for o in (og, od)]

    def step(x: Tensor) -> dict[str, Tensor]:
        now = fault if clock.steps >= onset else ""
        data = BY_CLASS if config.get("sorted") else IMAGES
        if now == "same batch at each step":
            x = IMAGES[:BATCH]
        if now == "sorted data not shuffled":
            start = clock.steps * BATCH % (len(data) - BATCH)
            x = data[start : start + BATCH]
        if now == "seed set at each step":
            torch.manual_seed(0)
        clock.steps += 1
        made.train(now != "generator in evaluation mode")
        judge.train(now != "discriminator in evaluation mode")

        def noise() -> Tensor:
            if now == "same noise at each step":
                torch.manual_seed(7)
            return torch.randn(BATCH, NOISE)

        d = step_of_judge(x, noise, now)
        g = step_of_maker(noise, now)
        if now != "schedule not stepped" and fault != "schedule not stepped":
            for schedule in schedules:
                schedule.step()
        if now != "average never updated":
            with torch.no_grad():
                for a, b in zip(average.parameters(), made.parameters(), strict=True):
                    a.lerp_(b, 1.0 if now == "average takes the weights whole" else 0.05)
        return {"discriminator/loss": d.detach(), "generator/loss": g.detach()}

    def step_of_judge(x: Tensor, noise: Any, now: str) -> Tensor:
        fake = made(noise()).detach()
        if now == "data and samples normalised together":
            real_out, fake_out = judge(torch.cat([x, fake])).chunk(2)
        elif now == "real batch without gradients":
            with torch.no_grad():
                real_out = judge(x)
            fake_out = judge(fake)
        else:
            real_out, fake_out = judge(x), judge(fake)
        if now == "labels swapped":
            real_out, fake_out = fake_out, real_out
        smooth = 0.8 if now == "label smoothing left in" else 1.0
        real_loss = smooth * F.softplus(-real_out) + (1 - smooth) * F.softplus(real_out)
        loss = real_loss.mean() + F.softplus(fake_out).mean()
        if penalised:
            loss = loss + penalty(x, fake, now)
        if now == "loss three times":
            loss = 3 * loss
        if now != "no zero_grad of the discriminator":
            od.zero_grad()
        if now == "clipped before backward":
            nn.utils.clip_grad_norm_(judge.parameters(), config["grad_clip"])
        (loss * scaled if now == "gradient scale not undone" else loss).backward()
        if now == "discriminator's gradient turned around":
            for weight in judge.parameters():
                weight.grad = None if weight.grad is None else -weight.grad
        if now != "clipped before backward":
            nn.utils.clip_grad_norm_(judge.parameters(), config["grad_clip"])
        od.step()
        if now == "stepped twice":
            od.step()
        return loss

    def penalty(x: Tensor, fake: Tensor, now: str) -> Tensor:
        at = (fake if now == "penalty on samples" else x).clone().requires_grad_()
        (slope,) = torch.autograd.grad(
            judge(at).sum(), at, create_graph=now != "penalty without its graph"
        )
        weight = 6.5 if now == "penalty of the wrong weight" else 5.0
        return weight * slope.square().sum(dim=1).mean()

    def step_of_maker(noise: Any, now: str) -> Tensor:
        fake = made(noise())
        if now == "generator's samples detached":
            fake = fake.detach()
        if now == "half of the samples detached":
            fake = torch.cat([fake[: BATCH // 2].detach(), fake[BATCH // 2 :]])
        loss = F.softplus(-judge(fake)).mean()
        og.zero_grad()
        if now == "clipped before backward":
            nn.utils.clip_grad_norm_(made.parameters(), config["grad_clip"])
        loss.backward()
        if now != "clipped before backward":
            nn.utils.clip_grad_norm_(made.parameters(), config["grad_clip"])
        if now != "generator never stepped" and fault != "generator never stepped":
            og.step()
        return loss

    def sample(n: int) -> Tensor:
        made.eval()
        with torch.no_grad():
            return made(torch.randn(n, NOISE))

    return dlcc.Training.from_step(
        {"generator": made, "discriminator": judge},
        step,
        sample=sample,
        data=BY_CLASS if config.get("sorted") else IMAGES,
        batch=BATCH,
    )


def build_vae(config: Mapping[str, Any]) -> dlcc.Training:
    """VAE of digits."""
    torch.manual_seed(config["seed"])
    fault, onset = config["fault"], config["onset"]
    encoder = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 8))
    decoder = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 64))
    weights = [*encoder.parameters(), *decoder.parameters()]
    if fault == "decoder left out":
        weights = [*encoder.parameters(), *decoder[0].parameters()]
    adam = torch.optim.Adam(
        weights, config["lr"], betas=(config["beta1"], 0.999), weight_decay=config["weight_decay"]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, 1000)
    clock = Clock()

    def step(x: Tensor) -> dict[str, Tensor]:
        now = fault if clock.steps >= onset else ""
        clock.steps += 1
        mu, lv = encoder(x).chunk(2, dim=1)
        spread = lv.exp() if now == "log-variance taken for log-deviation" else (lv / 2).exp()
        z = mu if now == "latents never drawn" else mu + spread * torch.randn_like(mu)
        y = decoder(z)
        target = x[torch.randperm(len(x))] if now == "targets of other rows" else x
        error = (y - target).square()
        averaged = now == "reconstruction averaged over pixels"
        fit = error.mean() if averaged else error.sum(dim=1).mean()
        kl = 0.5 * (mu.square() + lv.exp() - 1 - lv).sum(dim=1).mean()
        loss = fit - kl if now == "divergence of the wrong sign" else fit + kl
        adam.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(weights, config["grad_clip"])
        adam.step()
        schedule.step()
        return {"model/loss": loss.detach()}

    return dlcc.Training.from_step(
        {"encoder": encoder, "decoder": decoder},
        step,
        sample=lambda n: decoder(torch.randn(n, 4)),
        data=IMAGES,
        batch=BATCH,
    )
