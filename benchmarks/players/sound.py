"""Players that hold at extremes, in the architectures of GANs, VAEs and diffusion models."""

import torch
from torch import nn
from torch.nn import functional as F
from training import OnePlayer

CLASSES = 10


def normal(*shape):
    return lambda g, n: torch.randn(n, *shape, generator=g)


def images(channels, side):
    return lambda g, n: torch.rand(n, channels, side, side, generator=g) * 2 - 1


def labels(g, n):
    return torch.randint(CLASSES, (n,), generator=g)


def mlp(c):
    w = c["width"]
    net = nn.Sequential(
        nn.Linear(8, w), nn.LeakyReLU(0.2), nn.Linear(w, w), nn.LeakyReLU(0.2), nn.Linear(w, 1)
    )
    return net, [normal(8)], {}


def conv_discriminator(c):
    w, norm = c["width"], nn.utils.parametrizations.spectral_norm
    net = nn.Sequential(
        norm(nn.Conv2d(3, w, 4, 2, 1)), nn.LeakyReLU(0.2), norm(nn.Conv2d(w, 2 * w, 4, 2, 1)),
        nn.LeakyReLU(0.2), nn.Flatten(), norm(nn.Linear(2 * w * (c["side"] // 4) ** 2, 1)),
    )  # fmt: skip
    return net, [images(3, c["side"])], {}


def conv_generator(c):
    w, s = c["width"], c["side"] // 4
    net = nn.Sequential(
        nn.Linear(16, 2 * w * s * s), nn.Unflatten(1, (2 * w, s, s)), nn.BatchNorm2d(2 * w),
        nn.ReLU(), nn.ConvTranspose2d(2 * w, w, 4, 2, 1), nn.BatchNorm2d(w), nn.ReLU(),
        nn.ConvTranspose2d(w, 3, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip
    return net, [normal(16)], {}


class ConditionalGenerator(nn.Module):
    def __init__(self, w, side):
        super().__init__()
        self.table = nn.Embedding(CLASSES, 8)
        self.first = nn.Linear(16 + 8, 2 * w * (side // 4) ** 2)
        self.rest = nn.Sequential(
            nn.Unflatten(1, (2 * w, side // 4, side // 4)), nn.BatchNorm2d(2 * w), nn.ReLU(),
            nn.ConvTranspose2d(2 * w, w, 4, 2, 1), nn.ReLU(),
            nn.ConvTranspose2d(w, 1, 4, 2, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, z, y):
        return self.rest(self.first(torch.cat([z, self.table(y)], 1)))


def conditional_generator(c):
    return ConditionalGenerator(c["width"], c["side"]), [normal(16)], {"y": labels}


class ProjectionDiscriminator(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(1, w, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(w, w, 4, 2, 1), nn.LeakyReLU(0.2)
        )
        self.head, self.table = nn.Linear(w, 1), nn.Embedding(CLASSES, w)

    def forward(self, x, y):
        h = self.body(x).mean((2, 3))
        return self.head(h).squeeze(1) + (self.table(y) * h).sum(1)


def projection_discriminator(c):
    return ProjectionDiscriminator(c["width"]), [images(1, c["side"]), labels], {}


class Transformer(nn.Module):
    def __init__(self, w):
        super().__init__()
        layer = nn.TransformerEncoderLayer(w, 2, 2 * w, batch_first=True, norm_first=True)
        self.place = nn.Parameter(0.02 * torch.randn(1, 12, w))
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(w, w)

    def forward(self, x, mask=None):
        return self.head(self.body(x + self.place, mask=mask))


def transformer(c):
    mask = torch.triu(torch.full((12, 12), float("-inf")), 1)
    return Transformer(c["width"]), [normal(12, c["width"])], {"mask": lambda g, n: mask}


class Tokens(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.table, self.lstm = nn.Embedding(30, w), nn.LSTM(w, w, batch_first=True)
        self.head = nn.Linear(w, 30)

    def forward(self, tokens):
        out, state = self.lstm(self.table(tokens))
        return self.head(out), state


def recurrent_tokens(c):
    return Tokens(c["width"]), [lambda g, n: torch.randint(30, (n, 7), generator=g)], {}


class UNet(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.time = nn.Sequential(nn.Linear(16, w), nn.SiLU(), nn.Linear(w, w))
        self.down, self.low = nn.Conv2d(3, w, 3, 2, 1), nn.Conv2d(w, w, 3, 2, 1)
        self.norm = nn.GroupNorm(2, w)
        self.up = nn.ConvTranspose2d(w, w, 4, 2, 1)
        self.out = nn.ConvTranspose2d(2 * w, 3, 4, 2, 1)

    def forward(self, x, t):
        rates = torch.exp(-torch.arange(8) / 2.0)
        angles = t[:, None].float() * rates
        e = self.time(torch.cat([angles.sin(), angles.cos()], 1))
        a = F.silu(self.down(x))
        b = F.silu(self.norm(self.low(a) + e[:, :, None, None]))
        return self.out(torch.cat([a, self.up(b)], 1))


def unet(c):
    times = {"t": lambda g, n: torch.randint(1000, (n,), generator=g)}
    return UNet(c["width"]), [images(3, c["side"])], times


class VAE(nn.Module):
    def __init__(self, w, clamp=True):
        super().__init__()
        self.encoder = nn.Sequential(nn.Flatten(), nn.Linear(64, w), nn.ReLU(), nn.Linear(w, 8))
        self.decoder = nn.Sequential(nn.Linear(4, w), nn.ReLU(), nn.Linear(w, 64))
        self.clamp = clamp

    def forward(self, x):
        mean, logvar = self.encoder(x).chunk(2, 1)
        if self.clamp:
            logvar = logvar.clamp(-20, 10)
        z = mean + torch.exp(logvar / 2) * torch.randn_like(mean)
        return self.decoder(z).sigmoid(), (mean, logvar)


def vae(c):
    return VAE(c["width"]), [lambda g, n: torch.rand(n, 1, 8, 8, generator=g)], {}


class FromDict(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.a, self.b = nn.Linear(6, w), nn.Linear(3, w)
        self.out = nn.Linear(w, 4)

    def forward(self, batch, scale=1.0):
        h = torch.tanh(self.a(batch["x"]) + self.b(batch["condition"]))
        return {"sample": scale * self.out(h), "features": h}


def from_dict(c):
    def batch(g, n):
        return {"x": normal(6)(g, n), "condition": normal(3)(g, n)}

    return FromDict(c["width"]), [batch], {"scale": lambda g, n: 0.5}


class ResNet(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.first = nn.Conv2d(3, w, 3, 1, 1)
        self.block = nn.Sequential(
            nn.InstanceNorm2d(w, affine=True), nn.ReLU(), nn.Conv2d(w, w, 3, 1, 1)
        )
        self.last = nn.Conv2d(w, 3, 3, 1, 1)

    def forward(self, x):
        h = self.first(x)
        return torch.tanh(self.last(h + self.block(h)))


def resnet(c):
    return ResNet(c["width"]), [images(3, c["side"])], {}


class Mapping(nn.Module):
    def __init__(self, w):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(w, w), nn.LeakyReLU(0.2), nn.Linear(w, w))

    def forward(self, z):
        return self.net(z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8))


def mapping(c):
    return Mapping(c["width"]), [normal(c["width"])], {}


class Spread(nn.Module):
    """Critic that sees how much a batch varies."""

    def __init__(self, w):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(8, w), nn.LayerNorm(w), nn.SiLU())
        self.head = nn.Linear(w + 1, 1)

    def forward(self, x):
        h = self.body(x)
        spread = (h.var(0, unbiased=False) + 1e-8).sqrt().mean().expand(len(h), 1)
        return self.head(torch.cat([h, spread], 1))


def minibatch_spread(c):
    return Spread(c["width"]), [normal(8)], {}


class Noised(nn.Module):
    """Denoiser that is told its noise, which is never zero, in half the precision."""

    def __init__(self, w):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(5, w), nn.SiLU(), nn.Dropout(0.1), nn.Linear(w, 4))

    def forward(self, x, sigma):
        c_in = 1 / (sigma**2 + 0.25).sqrt()
        return self.net(torch.cat([x * c_in, sigma.log() / 4], 1)) * c_in


def denoiser(c):
    sigma = {"sigma": lambda g, n: torch.rand(n, 1, generator=g) * 2 + 0.05}
    return Noised(c["width"]), [normal(4)], sigma


CASES = {
    case.__name__: case
    for case in (
        mlp, conv_discriminator, conv_generator, conditional_generator, projection_discriminator,
        transformer, recurrent_tokens, unet, vae, from_dict, resnet, mapping, minibatch_spread,
        denoiser,
    )
}  # fmt: skip


def build(config, cases=CASES):
    """Build the training of a case."""
    torch.manual_seed(config["seed"])
    player, args, kwargs = cases[config["case"]](config)

    def draw(generator):
        n = config["batch"]
        return [a(generator, n) for a in args], {k: a(generator, n) for k, a in kwargs.items()}

    return OnePlayer(player, draw)
