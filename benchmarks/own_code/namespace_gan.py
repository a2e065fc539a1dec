"""GAN on digits whose options are attributes; paired or plain losses, penalties on both sides."""

import itertools
from types import SimpleNamespace

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import softplus

import dlcc

defaults = {"d_lr": 1e-3, "g_lr": 1e-3, "relativistic": False, "gamma": 0.0, "r2_gamma": 0.0,
            "minibatch": 32, "mom": 0.0, "d_steps": 1, "units": 64}  # fmt: skip


def dense(*sizes):
    """Layers with leaky ReLU between them."""
    layers = []
    for i, o in itertools.pairwise(sizes):
        layers += [nn.Linear(i, o), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers[:-1])


def squared_slope(net, x):
    """Mean squared gradient norm at x."""
    x = x.detach().requires_grad_()
    (slope,) = torch.autograd.grad(net(x).sum(), x, create_graph=True)
    return slope.square().sum(1).mean()


def build(options):
    """Build the training of a configuration."""
    a = SimpleNamespace(**{**defaults, **options})
    rows = torch.tensor(load_digits().data / 8 - 1, dtype=torch.float32)
    g = nn.Sequential(dense(10, a.units, a.units, 64), nn.Tanh())
    d = dense(64, a.units, a.units, 1)
    gopt = torch.optim.Adam(g.parameters(), a.g_lr, (a.mom, 0.99))
    dopt = torch.optim.Adam(d.parameters(), a.d_lr, (a.mom, 0.99))

    def losses(real, fake):
        if a.relativistic:
            return softplus(fake - real).mean(), softplus(real - fake).mean()
        return softplus(-real).mean() + softplus(fake).mean(), softplus(-fake).mean()

    def step(real):
        for _ in range(a.d_steps):
            fake = g(torch.randn(len(real), 10)).detach()
            d_loss = losses(d(real), d(fake))[0]
            if a.gamma:
                d_loss = d_loss + a.gamma / 2 * squared_slope(d, real)
            if a.r2_gamma:
                d_loss = d_loss + a.r2_gamma / 2 * squared_slope(d, fake)
            dopt.zero_grad()
            d_loss.backward()
            dopt.step()
        g_loss = losses(d(real), d(g(torch.randn(len(real), 10))))[1]
        gopt.zero_grad()
        g_loss.backward()
        gopt.step()
        return {"discriminator/loss": d_loss, "generator/loss": g_loss}

    return dlcc.Training.from_step(
        {"generator": g, "discriminator": d}, step, data=rows, batch=a.minibatch,
        sample=lambda n: g(torch.randn(n, 10)),
    )  # fmt: skip
