"""Generators and discriminators of images, in the styles of two code bases."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


def dcgan_generator(z: int, width: int) -> nn.Module:
    """Transposed convolutions with batch norm, [n, z] to [n, 1, 28, 28]."""
    return nn.Sequential(
        nn.Linear(z, 2 * width * 49), nn.Unflatten(1, (2 * width, 7, 7)),
        nn.BatchNorm2d(2 * width), nn.ReLU(),
        nn.ConvTranspose2d(2 * width, width, 4, 2, 1), nn.BatchNorm2d(width), nn.ReLU(),
        nn.ConvTranspose2d(width, 1, 4, 2, 1), nn.Tanh(),
    )  # fmt: skip


def dcgan_discriminator(width: int, *, norm: bool) -> nn.Module:
    """Strided convolutions, [n, 1, 28, 28] to [n, 1]."""
    middle = [nn.BatchNorm2d(2 * width)] if norm else []
    return nn.Sequential(
        nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2),
        nn.Conv2d(width, 2 * width, 4, 2, 1), *middle, nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(2 * width * 49, 1),
    )  # fmt: skip


def dense_generator(z: int, width: int) -> nn.Module:
    """Fully connected layers, [n, z] to [n, 1, 28, 28]."""
    return nn.Sequential(
        nn.Linear(z, 4 * width), nn.LeakyReLU(0.2), nn.Linear(4 * width, 8 * width),
        nn.BatchNorm1d(8 * width), nn.LeakyReLU(0.2),
        nn.Linear(8 * width, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)),
    )  # fmt: skip


def dense_discriminator(width: int) -> nn.Module:
    """Fully connected layers, [n, 1, 28, 28] to [n, 1]."""
    return nn.Sequential(
        nn.Flatten(), nn.Linear(784, 8 * width), nn.LeakyReLU(0.2),
        nn.Linear(8 * width, 4 * width), nn.LeakyReLU(0.2), nn.Linear(4 * width, 1),
    )  # fmt: skip


class UpBlock(nn.Module):
    """Residual block that doubles the side."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.BatchNorm2d(inputs), nn.ReLU(), nn.Upsample(scale_factor=2),
            nn.Conv2d(inputs, outputs, 3, padding=1),
        )  # fmt: skip
        self.skip = nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.Upsample(scale_factor=2))

    def forward(self, x: Tensor) -> Tensor:
        """Map [n, inputs, s, s] to [n, outputs, 2 s, 2 s]."""
        out: Tensor = self.main(x) + self.skip(x)
        return out


class ResidualGenerator(nn.Module):
    """Residual blocks with nearest upsampling, [n, z] to [n, 1, 28, 28]."""

    def __init__(self, z: int, width: int) -> None:
        super().__init__()
        self.stem = nn.Linear(z, width * 49)
        self.width = width
        self.blocks = nn.Sequential(UpBlock(width, width), UpBlock(width, width // 2))
        self.head = nn.Sequential(nn.ReLU(), nn.Conv2d(width // 2, 1, 3, padding=1), nn.Tanh())

    def forward(self, z: Tensor) -> Tensor:
        """Draw images."""
        x = self.stem(z).view(-1, self.width, 7, 7)
        out: Tensor = self.head(self.blocks(x))
        return out


class SpectralCritic(nn.Module):
    """Convolutions under spectral norm, sums over space, [n, 1, 28, 28] to [n, 1]."""

    def __init__(self, width: int) -> None:
        super().__init__()
        sizes = [(1, width, 3, 1), (width, width, 4, 2), (width, 2 * width, 4, 2)]
        layers: list[nn.Module] = []
        for inputs, outputs, kernel, stride in sizes:
            layers += [
                spectral_norm(nn.Conv2d(inputs, outputs, kernel, stride, 1)),
                nn.LeakyReLU(0.1),
            ]
        self.body = nn.Sequential(*layers)
        self.score = spectral_norm(nn.Linear(2 * width, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Score images."""
        out: Tensor = self.score(self.body(x).sum(dim=(2, 3)))
        return out
