"""Least-squares GAN on digits as images, one rate for both, an averaged generator."""

import copy

import torch
from sklearn.datasets import load_digits
from torch import nn

import dlcc


class Discriminator(nn.Module):
    """Convolutional discriminator."""

    def __init__(self, width):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, width, 3, 2, 1), nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 3, 2, 1), nn.LeakyReLU(0.2),
        )  # fmt: skip
        self.last = nn.Linear(8 * width, 1)

    def forward(self, x):
        """Compute scores [n, 1]."""
        return self.last(self.body(x).flatten(1))


def build(config):
    """Build the training of a configuration."""
    images = torch.from_numpy(load_digits().images).float().unsqueeze(1) / 8 - 1
    g = nn.Sequential(nn.Linear(12, 128), nn.LeakyReLU(0.2), nn.Linear(128, 128),
                      nn.LeakyReLU(0.2), nn.Linear(128, 64), nn.Tanh(),
                      nn.Unflatten(1, (1, 8, 8)))  # fmt: skip
    d = Discriminator(16)
    average = copy.deepcopy(g)
    make = {"adam": torch.optim.Adam, "sgd": torch.optim.SGD, "rmsprop": torch.optim.RMSprop}
    make = make[config["optimiser"]]
    og, od = make(g.parameters(), config["lr"]), make(d.parameters(), config["lr"] * config["ttur"])
    decay = config["ema_decay"]

    def step(real):
        noisy = real + config["instance_noise"] * torch.randn_like(real)
        fake = g(torch.randn(len(real), 12))
        target = 1 - config["label_smoothing"]
        ld = 0.5 * (d(noisy) - target).square().mean() + 0.5 * d(fake.detach()).square().mean()
        od.zero_grad()
        ld.backward()
        od.step()
        lg = 0.5 * (d(fake) - 1).square().mean()
        og.zero_grad()
        lg.backward()
        og.step()
        with torch.no_grad():
            for a, p in zip(average.parameters(), g.parameters(), strict=True):
                a.mul_(decay).add_(p, alpha=1 - decay)
        return {"generator/loss": lg, "discriminator/loss": ld}

    return dlcc.Training.from_step(
        {"generator": g, "discriminator": d}, step, data=images, batch=config["batch"],
        sample=lambda n: average(torch.randn(n, 12)), optimizers=[og, od],
    )  # fmt: skip
