"""Variational autoencoder of fully connected layers on digits."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import dlcc


class VAE(nn.Module):
    """Encoder and decoder."""

    def __init__(self, latent):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 2 * latent))
        self.dec = nn.Sequential(nn.Linear(latent, 96), nn.ReLU(), nn.Linear(96, 64))
        self.latent = latent

    def forward(self, x):
        """Compute logits, means and log variances."""
        mu, logvar = self.enc(x).chunk(2, dim=1)
        z = mu + torch.randn_like(mu) * (0.5 * logvar).exp()
        return self.dec(z), mu, logvar


def build(args):
    """Build the training of a configuration."""
    x = torch.from_numpy(load_digits().data).float() / 16
    net = VAE(args["latent_dim"])
    optimizer = torch.optim.Adam(net.parameters(), lr=args["lr"])

    def step(batch, number):
        logits, mu, logvar = net(batch)
        rec = F.binary_cross_entropy_with_logits(logits, batch, reduction="none").sum(1).mean()
        kl = 0.5 * (mu.square() + logvar.exp() - 1 - logvar).sum(1).mean()
        ramp = min(1.0, (number + 1) / args["kl_warmup"]) if args["kl_warmup"] else 1.0
        loss = rec + args["beta"] * ramp * kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"model/loss": loss, "model/reconstruction": rec, "model/kl": kl}

    def sample(n):
        return torch.sigmoid(net.dec(torch.randn(n, net.latent)))

    return dlcc.Training.from_step(
        {"model": net}, step, sample=sample, data=x, batch=args["batch_size"]
    )
