"""Wasserstein GAN on a cross of Gaussians: the critic is trained several times a step."""

import torch
from torch import nn

import dlcc

ARMS = torch.tensor([[x, 0.0] for x in (-3, -2, -1, 0, 1, 2, 3)]
                    + [[0.0, y] for y in (-3, -2, -1, 1, 2, 3)])  # fmt: skip
SPREAD = 0.12


def data(n):
    """Draw data [n, 2]."""
    return ARMS[torch.randint(len(ARMS), (n,))] + SPREAD * torch.randn(n, 2)


def build(hp):
    """Build the training of a configuration."""
    h = hp["hidden"]
    gen = nn.Sequential(nn.Linear(6, h), nn.ReLU(), nn.Linear(h, h), nn.ReLU(), nn.Linear(h, 2))
    critic = nn.Sequential(nn.Linear(2, h), nn.LeakyReLU(0.2), nn.Linear(h, h),
                           nn.LeakyReLU(0.2), nn.Linear(h, 1))  # fmt: skip
    adam = {"betas": (hp["b1"], 0.99)}
    gen_opt = torch.optim.Adam(gen.parameters(), hp["gen_lr"], **adam)
    critic_opt = torch.optim.Adam(critic.parameters(), hp["critic_lr"], **adam)

    def penalty(a, b):
        t = torch.rand(len(a), 1)
        mixed = (t * a + (1 - t) * b).requires_grad_()
        (g,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
        return (g.norm(dim=1) - 1).square().mean()

    def step():
        for _ in range(hp["critic_iters"]):
            real, fake = data(hp["batch"]), gen(torch.randn(hp["batch"], 6)).detach()
            w = critic(fake).mean() - critic(real).mean()
            total = w + hp["gp_weight"] * penalty(real, fake)
            critic_opt.zero_grad()
            total.backward()
            critic_opt.step()
        loss = -critic(gen(torch.randn(hp["batch"], 6))).mean()
        gen_opt.zero_grad()
        loss.backward()
        gen_opt.step()
        return {"discriminator/loss": total, "generator/loss": loss}

    return dlcc.Training.from_step(
        {"generator": gen, "discriminator": critic}, step,
        sample=lambda n: gen(torch.randn(n, 6)),
    )  # fmt: skip
