"""Players that break at inputs which a batch seldom brings: one fault each."""

import torch
from sound import (
    CLASSES,
    VAE,
    ConditionalGenerator,
    Mapping,
    Spread,
    Transformer,
    UNet,
    conv_generator,
    images,
    labels,
    mlp,
    normal,
)
from sound import build as build_of
from torch import nn

EXPECTED = {
    "log_of_sigmoid": ("EXE006", "EXE011"),
    "contrast_without_epsilon": ("EXE011",),
    "pixel_norm_without_epsilon": ("EXE011",),
    "squeezed_batch": ("EXE011",),
    "unbiased_spread": ("EXE011",),
    "batch_norm_of_one": ("EXE012",),
    "missing_class": ("EXE011",),
    "unclamped_vae": ("EXE006", "EXE011"),
    "softmax_by_hand": ("EXE006", "EXE011"),
    "division_by_maximum": ("EXE011",),
    "dead_generator": ("EXE013",),
    "saturated_judge": ("EXE013",),
    "jagged_judge": ("EXE014",),
    "all_padding": ("EXE011",),
    "condition_without_epsilon": ("EXE011",),
    "assertion_on_range": ("EXE011",),
}
"""Fault -> codes either of which finds it."""


class LogSigmoid(nn.Module):
    def __init__(self, body):
        super().__init__()
        self.body = body

    def forward(self, x):
        return torch.log(torch.sigmoid(self.body(x)))


def log_of_sigmoid(c):
    body, args, kwargs = mlp(c)
    return LogSigmoid(body), args, kwargs


class Contrast(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, w, 3), nn.Linear(w, 1)

    def forward(self, x):
        x = (x - x.mean((2, 3), keepdim=True)) / x.std((2, 3), keepdim=True)
        return self.head(self.conv(x).mean((2, 3)))


def contrast_without_epsilon(c):
    return Contrast(c["width"]), [images(3, c["side"])], {}


class BareMapping(Mapping):
    def forward(self, z):
        return self.net(z / z.norm(dim=1, keepdim=True))


def pixel_norm_without_epsilon(c):
    return BareMapping(c["width"]), [normal(c["width"])], {}


class Squeezed(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.conv, self.table, self.head = nn.Conv2d(1, w, 4, 2), nn.Embedding(10, w), None
        self.head = nn.Linear(2 * w, 1)

    def forward(self, x, y):
        h = self.conv(x).mean((2, 3), keepdim=True).squeeze()
        return self.head(torch.cat([h, self.table(y)], 1))


def squeezed_batch(c):
    return Squeezed(c["width"]), [images(1, c["side"])], {"y": labels}


class BareSpread(Spread):
    def forward(self, x):
        h = self.body(x)
        spread = h.std(0).mean().expand(len(h), 1)
        return self.head(torch.cat([h, spread], 1))


def unbiased_spread(c):
    return BareSpread(c["width"]), [normal(8)], {}


def batch_norm_of_one(c):
    w = c["width"]
    net = nn.Sequential(nn.Linear(8, w), nn.BatchNorm1d(w), nn.ReLU(), nn.Linear(w, 2))
    return net, [normal(8)], {}


class MissingClass(ConditionalGenerator):
    def forward(self, z, y):
        one_hot = nn.functional.one_hot(y, CLASSES - 1).float()
        return super().forward(z + one_hot.sum(1, keepdim=True), y)


def missing_class(c):
    few = {"y": lambda g, n: torch.randint(CLASSES - 1, (n,), generator=g)}
    return MissingClass(c["width"], c["side"]), [normal(16)], few


def unclamped_vae(c):
    vae = VAE(c["width"], clamp=False)
    return vae, [lambda g, n: torch.rand(n, 1, 8, 8, generator=g)], {}


class Attention(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.q, self.k, self.v = nn.Linear(w, w), nn.Linear(w, w), nn.Linear(w, w)

    def forward(self, x):
        weights = torch.exp(self.q(x) @ self.k(x).transpose(1, 2))
        return weights / weights.sum(2, keepdim=True) @ self.v(x)


def softmax_by_hand(c):
    return Attention(c["width"]), [normal(6, c["width"])], {}


class ByMaximum(UNet):
    def forward(self, x, t):
        return super().forward(x / x.abs().amax((1, 2, 3), keepdim=True), t)


def division_by_maximum(c):
    times = {"t": lambda g, n: torch.rand(n, generator=g)}
    return ByMaximum(c["width"]), [images(3, c["side"])], times


def dead_generator(c):
    net, args, kwargs = conv_generator(c)
    dead = nn.Sequential(*list(net)[:5], nn.ReLU(), nn.ConvTranspose2d(c["width"], 3, 4, 2, 1))
    with torch.no_grad():
        dead[4].bias.fill_(-1e3)
    return dead, args, kwargs


def saturated_judge(c):
    net, args, kwargs = mlp(c)
    with torch.no_grad():
        net[-1].bias.fill_(1e3)
    return nn.Sequential(*net, nn.Sigmoid()), args, kwargs


class Jagged(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(8, w), nn.Tanh(), nn.Linear(w, 1))

    def forward(self, x):
        return self.net(x) + 1e4 * torch.cos(32 * torch.pi * x).sum(1, keepdim=True)


def jagged_judge(c):
    pixels = [lambda g, n: torch.randint(17, (n, 8), generator=g) / 16]
    return Jagged(c["width"]), pixels, {}


class AllPadding(Transformer):
    def forward(self, x):
        padding = x.abs().sum(2) == 0
        return self.head(self.body(x + self.place, src_key_padding_mask=padding))


def all_padding(c):
    return AllPadding(c["width"]), [normal(12, c["width"])], {}


class Conditioned(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.a = nn.Linear(9, w)

    def forward(self, batch):
        condition = batch["condition"]
        unit = condition / condition.square().sum(1, keepdim=True).sqrt()
        return {"sample": self.a(torch.cat([batch["x"], unit], 1))}


def condition_without_epsilon(c):
    def batch(g, n):
        return {"x": normal(6)(g, n), "condition": normal(3)(g, n)}

    return Conditioned(c["width"]), [batch], {}


class Asserting(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.net = nn.Conv2d(3, w, 3)

    def forward(self, x):
        if x.max() <= x.min():
            raise ValueError("an image has no contrast")
        return self.net(x)


def assertion_on_range(c):
    return Asserting(c["width"]), [images(3, c["side"])], {}


CASES = {name: globals()[name] for name in EXPECTED}


def build(config):
    """Build the training of a case."""
    return build_of(config, CASES)
