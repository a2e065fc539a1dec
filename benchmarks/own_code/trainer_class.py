"""GAN on a spiral of Gaussians, written as a class with a nested configuration."""

import torch
from torch import nn
from torch.nn import functional as F

import dlcc

MODES, SPREAD = 10, 0.08


def centres():
    """Centres of the Gaussians, [10, 2]."""
    at = torch.arange(MODES) / MODES
    return torch.stack([at.add(0.4) * torch.cos(5 * at), at.add(0.4) * torch.sin(5 * at)], 1) * 2


def mlp(inputs, outputs, width):
    """Three layers."""
    return nn.Sequential(
        nn.Linear(inputs, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(),
        nn.Linear(width, outputs),
    )  # fmt: skip


class Trainer:
    """Networks, optimisers and losses."""

    def __init__(self, cfg):
        self.cfg = cfg
        self.G, self.D = mlp(4, 2, cfg["width"]), mlp(2, 1, cfg["width"])
        self.opt = {
            name: torch.optim.Adam(
                net.parameters(), lr=cfg["optim"][name]["lr"],
                betas=(cfg["optim"][name]["momentum"], 0.99),
            )
            for name, net in (("gen", self.G), ("disc", self.D))
        }  # fmt: skip
        self.adv = cfg["gan_mode"]

    def real_data(self, n):
        """Draw data [n, 2]."""
        return centres()[torch.randint(MODES, (n,))] + SPREAD * torch.randn(n, 2)

    def losses(self, on_real, on_fake):
        """Losses of both players."""
        if self.adv == "hinge":
            return F.relu(1 - on_real).mean() + F.relu(1 + on_fake).mean()
        if self.adv == "lsgan":
            return (on_real - 1).square().mean() + on_fake.square().mean()
        real = F.binary_cross_entropy_with_logits(on_real, torch.ones_like(on_real))
        return real + F.binary_cross_entropy_with_logits(on_fake, torch.zeros_like(on_fake))

    def penalty(self, x):
        """Squared gradient of the discriminator."""
        x = x.detach().requires_grad_()
        (g,) = torch.autograd.grad(self.D(x).sum(), x, create_graph=True)
        return g.square().sum(1).mean()

    def fool(self, on_fake):
        """Loss of the generator."""
        if self.adv == "hinge":
            return -on_fake.mean()
        if self.adv == "lsgan":
            return (on_fake - 1).square().mean()
        return F.softplus(-on_fake).mean()

    def train_step(self):
        """Update both."""
        n = self.cfg["batch_size"]
        real, fake = self.real_data(n), self.G(torch.randn(n, 4))
        loss = self.losses(self.D(real), self.D(fake.detach()))
        if self.cfg["reg"]["gradient_penalty"]:
            loss = loss + self.cfg["reg"]["gradient_penalty"] * self.penalty(real)
        self.opt["disc"].zero_grad()
        loss.backward()
        self.opt["disc"].step()
        g_loss = self.fool(self.D(fake))
        self.opt["gen"].zero_grad()
        g_loss.backward()
        self.opt["gen"].step()
        return {"generator/loss": g_loss, "discriminator/loss": loss}


def build(config):
    """Build the training of a configuration."""
    t = Trainer(config)
    return dlcc.Training.from_step(
        {"generator": t.G, "discriminator": t.D},
        lambda: t.train_step(),
        sample=lambda n: t.G(torch.randn(n, 4)),
        optimizers=t.opt,
    )
