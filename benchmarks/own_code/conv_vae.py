"""Convolutional variational autoencoder on digits upsampled to 16 x 16."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import dlcc


def build(c):
    """Build the training of a configuration."""
    images = torch.from_numpy(load_digits().images).float()[:, None] / 16
    images = F.interpolate(images, size=16, mode="bilinear")
    z = c["model"]["z_dim"]
    encoder = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 4, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(512, 2 * z),
    )  # fmt: skip
    decoder = nn.Sequential(
        nn.Linear(z, 512), nn.ReLU(), nn.Unflatten(1, (32, 4, 4)),
        nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(16, 1, 4, 2, 1),
        nn.Sigmoid(),
    )  # fmt: skip
    both = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(both, lr=c["train"]["learning_rate"],
                                 weight_decay=c["train"]["weight_decay"])  # fmt: skip

    def step(x):
        mean, logvar = encoder(x).chunk(2, 1)
        out = decoder(mean + torch.exp(logvar / 2) * torch.randn_like(mean))
        reconstruction = (out - x).square().flatten(1).sum(1).mean() / (2 * 0.05)
        divergence = 0.5 * (mean**2 + logvar.exp() - 1 - logvar)
        kept = divergence.mean(0).clamp(min=c["loss"]["free_bits"]).sum()
        loss = reconstruction + c["loss"]["kl_weight"] * kept
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"model/loss": loss, "model/reconstruction": reconstruction,
                "model/kl": divergence.sum(1).mean()}  # fmt: skip

    return dlcc.Training.from_step(
        {"model": nn.ModuleDict({"encoder": encoder, "decoder": decoder})}, step, data=images,
        sample=lambda n: decoder(torch.randn(n, z)), batch=c["train"]["bs"],
    )  # fmt: skip
