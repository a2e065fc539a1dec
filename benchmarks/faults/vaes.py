"""Variational autoencoder of the digits, as a plain loop; a fault is a subclass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faults.data import digits
from faults.games import Linear, mean, norms
from faults.training import CHECKPOINTS, AnySetting, Training
from faults.truth import distance

_HELD_OUT = 360


@dataclass(frozen=True, kw_only=True)
class VaeSetting(AnySetting):
    """Setting of the autoencoder."""

    recipe: str = "vae"
    data: str = "digits"
    objective: str = "vae"
    rate: float = 1e-3
    batch: int = 64
    length: int = 1_500
    width: int = 128
    latents: int = 8
    kl_weight: float = 1.0


class Vae(Training[VaeSetting]):
    """Training of a variational autoencoder, without a fault."""

    def __init__(self, setting: VaeSetting, seed: int, members: int = 1) -> None:
        super().__init__(setting, seed, members)
        s = self.setting
        self.encoder = nn.Sequential(
            Linear(members, 64, s.width), nn.ReLU(), Linear(members, s.width, 2 * s.latents)
        )
        self.decoder = nn.Sequential(
            Linear(members, s.latents, s.width), nn.ReLU(), Linear(members, s.width, 64)
        )
        self.optimiser = torch.optim.Adam(self.parameters(), lr=s.rate, fused=True)
        rows = self.scaled((digits() + 1) / 2)
        self.held_out, self.rows = rows[:_HELD_OUT], self.kept(rows[_HELD_OUT:])

    def scaled(self, rows: Tensor) -> Tensor:
        """Rows as they are fed."""
        return rows

    def kept(self, rows: Tensor) -> Tensor:
        """Rows that are trained on."""
        return rows

    def parameters(self) -> list[nn.Parameter]:
        """Parameters that the optimiser holds."""
        return [*self.encoder.parameters(), *self.decoder.parameters()]

    def train_step(self) -> Mapping[str, Tensor | float]:
        batch = self.batch()
        loss, reconstruction, kl = self.losses(batch, self.target(batch))
        norm = self.update(loss)
        row = {
            "loss": loss.detach(), "reconstruction": reconstruction.detach(),
            "kl": kl.detach(), "norm": norm, "lr": self.optimiser.param_groups[0]["lr"],
            "val_loss": float("nan"),
        }  # fmt: skip
        self.end_of_step()
        if self.due(2 * CHECKPOINTS):
            row["val_loss"] = self.validate()
        return row

    def batch(self) -> Tensor:
        """Batch of rows."""
        at = self.rng.integers(0, len(self.rows), (self.members, self.setting.batch))
        return self.rows[torch.from_numpy(at)]

    def target(self, batch: Tensor) -> Tensor:
        """Rows that a batch is to be reconstructed as."""
        return batch

    def encode(self, batch: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances of the latents."""
        centre, log_variance = self.encoder(batch).chunk(2, dim=2)
        return centre, log_variance

    def losses(self, batch: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Loss, reconstruction error and divergence, each a mean over rows."""
        centre, log_variance = self.encode(batch)
        latents = centre + torch.randn_like(centre) * torch.exp(0.5 * log_variance)
        reconstruction = self.reconstruction(self.decoder(latents), target)
        kl = self.divergence(centre, log_variance)
        return reconstruction + self.setting.kl_weight * kl, reconstruction, kl

    def reconstruction(self, logits: Tensor, target: Tensor) -> Tensor:
        """Cross-entropy, a sum over pixels."""
        found = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
        return mean(found.sum(dim=2))

    def divergence(self, centre: Tensor, log_variance: Tensor) -> Tensor:
        """Divergence of the latents from their prior, a sum over them."""
        return -0.5 * mean((1 + log_variance - centre**2 - log_variance.exp()).sum(dim=2))

    def update(self, loss: Tensor) -> Tensor:
        """One step of the optimiser, and the gradient's norm."""
        self.optimiser.zero_grad()
        loss.sum().backward()
        norm = torch.full((self.members,), float("nan"))
        if self.step % 10 == 0:
            norm = norms(nn.ModuleList([self.encoder, self.decoder]))
        self.before_the_step()
        self.optimiser.step()
        return norm

    def before_the_step(self) -> None:
        """Place where gradients can be changed."""

    def validate(self) -> Tensor:
        """Loss of each member on rows that were held out."""
        rows = self.held_out.expand(self.members, -1, -1)
        with torch.no_grad():
            return self.losses(rows, rows)[0]

    def truth(self) -> list[float]:
        """Worse of the samples' distance and the reconstructions' error over the variance."""
        state = torch.get_rng_state()
        torch.manual_seed(12345)
        rows = (digits()[:_HELD_OUT] + 1) / 2
        with torch.no_grad():
            noise = torch.randn(self.members, 512, self.setting.latents)
            samples = torch.sigmoid(self.decoder(noise))
            centre, _ = self.encode(self.scaled(rows).expand(self.members, -1, -1))
            again = torch.sigmoid(self.decoder(centre))
        torch.set_rng_state(state)
        variance = ((rows - rows.mean(dim=0)) ** 2).sum()
        found = []
        for member in range(self.members):
            error = float(((again[member] - rows) ** 2).sum() / variance)
            apart = distance("digits", 2 * samples[member] - 1)
            found.append(max(apart, error) if np.isfinite(error) else float("inf"))
        return found


VAE = VaeSetting()
