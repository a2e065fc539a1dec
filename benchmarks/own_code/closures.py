"""GAN of fully connected networks on digits, written with closures."""

import numpy as np
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import softplus

import dlcc


def build(config):
    """Build the training of a configuration."""
    pixels = load_digits().data.astype(np.float32) / 8 - 1
    generator = nn.Sequential(
        nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.Tanh()
    )
    critic = nn.Sequential(nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64),
                           nn.LeakyReLU(0.2), nn.Linear(64, 1))  # fmt: skip
    betas = tuple(config["betas"])
    opt_g = torch.optim.Adam(generator.parameters(), config["learning_rate_g"], betas)
    opt_d = torch.optim.Adam(critic.parameters(), config["learning_rate_d"], betas)
    gamma = config.get("r1_gamma", 0.0)

    def step(real):
        fake = generator(torch.randn(len(real), 16))
        real = real.requires_grad_()
        on_real, on_fake = critic(real), critic(fake.detach())
        d_loss = softplus(-on_real).mean() + softplus(on_fake).mean()
        if gamma > 0:
            (slope,) = torch.autograd.grad(on_real.sum(), real, create_graph=True)
            d_loss = d_loss + gamma / 2 * slope.square().sum(1).mean()
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()
        g_loss = softplus(-critic(fake)).mean()
        opt_g.zero_grad()
        g_loss.backward()
        opt_g.step()
        return {"generator/loss": g_loss, "discriminator/loss": d_loss}

    def sample(n):
        return generator(torch.randn(n, 16))

    players = {"generator": generator, "discriminator": critic}
    return dlcc.Training.from_step(
        players, step, sample=sample, data=torch.from_numpy(pixels), batch=config["bs"]
    )
