"""Convolutional GAN on digits upsampled to 16 x 16, with a critic and its penalty."""

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

import dlcc

nz = 16


def build(opt):
    """Build the training of a configuration."""
    X = torch.from_numpy(load_digits().images).float()[:, None] / 8 - 1
    X = F.interpolate(X, scale_factor=2, mode="bilinear")
    netG = nn.Sequential(
        nn.Linear(nz, 32 * 16), nn.Unflatten(1, (32, 4, 4)), nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    netD = nn.Sequential(
        nn.Conv2d(1, 16, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(16, 32, 4, 2, 1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(512, 1),
    )  # fmt: skip
    optG = torch.optim.Adam(netG.parameters(), lr=opt["lrG"], betas=(opt["beta1"], 0.999))
    optD = torch.optim.Adam(netD.parameters(), lr=opt["lrD"], betas=(opt["beta1"], 0.999))

    def gp(real, fake):
        t = torch.rand(len(real), 1, 1, 1)
        x = (t * real + (1 - t) * fake).requires_grad_()
        (g,) = torch.autograd.grad(netD(x).sum(), x, create_graph=True)
        return (g.flatten(1).norm(dim=1) - 1).square().mean()

    def step(real, i):
        fake = netG(torch.randn(len(real), nz)).detach()
        if opt["loss_type"] == "wgan-gp":
            errD = netD(fake).mean() - netD(real).mean()
        else:
            errD = F.softplus(-netD(real)).mean() + F.softplus(netD(fake)).mean()
        if opt["lambda_gp"] > 0:
            errD = errD + opt["lambda_gp"] * gp(real, fake)
        optD.zero_grad()
        errD.backward()
        optD.step()
        row = {"discriminator/loss": errD}
        if i % opt["n_critic"] == 0:
            out = netD(netG(torch.randn(len(real), nz)))
            errG = -out.mean() if opt["loss_type"] == "wgan-gp" else F.softplus(-out).mean()
            optG.zero_grad()
            errG.backward()
            optG.step()
            row["generator/loss"] = errG
        return row

    return dlcc.Training.from_step(
        {"generator": netG, "discriminator": netD}, step,
        sample=lambda n: netG(torch.randn(n, nz)), data=X, batch=opt["batchSize"],
    )  # fmt: skip
