"""What convolutional members are compared with: the recipe's own training, in either precision."""

import numpy as np
import torch

from dlcc.recipes import optimised
from dlcc.recipes.data.images import load_images
from dlcc.recipes.image_gans import usual_gan

ROWS, BATCH = 21, 8  # so that every third batch is short
GROUPS = {
    "batch norm of both": (
        {"norm": "batch"},
        {"loss": "relativistic", "ema": 0.9, "dropout": 0.4},
        {"loss": "hinge", "optimizer": "rmsprop", "lr_d": 1e-3},
        {"loss": "mm", "dropout": 0.2, "beta1": 0.9, "ema": 0.5},
        {"loss": "ls", "optimizer": "sgd", "lr_g": 0.02, "lr_d": 0.03},
        {"loss": "relativistic", "optimizer": "sgd", "beta1": 0.0},
    ),
    "batch norm of the generator": (
        {"norm": "generator", "loss": "wgangp", "dropout": 0.3},
        {"norm": "generator", "loss": "relativistic", "r1": 0.2, "r2": 0.1, "dropout": 0.1},
        {"norm": "generator", "loss": "wgangp", "r2": 2.0, "beta1": 0.0},
        {"norm": "generator", "loss": "ns", "r1": 1.0},
        {"norm": "generator", "loss": "hinge"},
    ),
    "spectral norm": (
        {"norm": "spectral", "loss": "hinge"},
        {"norm": "spectral", "loss": "wgangp", "dropout": 0.3},
        {"norm": "spectral", "loss": "relativistic", "r1": 1.0, "seed": 0},
    ),
    "two updates of the discriminator": (
        {"d_steps": 2, "loss": "relativistic"},
        {"d_steps": 2, "dropout": 0.2, "ema": 0.99},
    ),
}
"""Members of each shape, which differ in all in which members may differ."""


def images(folder):
    """Write coloured images where the configurations find them."""
    rows = np.random.default_rng(5).uniform(-1, 1, (ROWS, 3, 8, 8)).astype(np.float32)
    np.save(folder / "images.npy", rows)
    return str(folder)


def members(group, folder):
    common = {"data": "npy", "folder": folder, "width": 3, "zdim": 5, "batch": BATCH, "lr_g": 1e-3}
    return [{**common, "seed": i, **own} for i, own in enumerate(GROUPS[group])]


class DoubleGAN(usual_gan.UsualGAN):
    """The recipe's training in double precision, from the same weights, batches and draws."""

    def __init__(self, config, rows):
        super().__init__(config, rows)
        self.images = self.images.double()
        self.double()

    def double(self):
        """Put all that is in single precision, such as a state that was loaded, in double."""
        for network in self.players.values():
            network.double()
        if self.average is not None:
            like = self.generator.state_dict()
            self.average = {name: x.to(like[name].dtype) for name, x in self.average.items()}

    def noise(self, stream, number, n):
        return super().noise(stream, number, n).double()

    def step(self, step):
        with optimised.seeded(self.seed, optimised.STREAM_LAYERS, step):
            row = self.iterate(step)
        return {name: value.item() for name, value in row.items()}


def solo(config, dtype):
    kind = {torch.float64: DoubleGAN, torch.float32: usual_gan.UsualGAN}[dtype]
    parsed = usual_gan.Config.parse(config)
    return kind(parsed, load_images(parsed.data, parsed.folder))


def deviation(ensemble, solos, steps):
    """The largest deviation of any recorded number, relative where it is above 1; trains both."""
    worst = 0.0
    for step in steps:
        row = {name: values.tolist() for name, values in ensemble.step(step).items()}
        for i, one in enumerate(solos):
            own = one.step(step)
            assert [*own] == [*row]
            for name, wanted in own.items():
                worst = max(worst, abs(row[name][i] - wanted) / max(1.0, abs(wanted)))
    return worst


def state_deviation(found, wanted):
    """The largest deviation of any number of nested states of the same form, relative above 1."""
    if isinstance(wanted, dict):
        assert found.keys() == wanted.keys()
        return max((state_deviation(found[key], wanted[key]) for key in wanted), default=0.0)
    if isinstance(wanted, torch.Tensor):
        assert found.shape == wanted.shape
        scale = wanted.abs().clamp_min(1.0)
        return ((found - wanted) / scale).abs().max().item()
    if isinstance(wanted, list):
        pairs = zip(found, wanted, strict=True)
        return max((state_deviation(*pair) for pair in pairs), default=0.0)
    assert found == wanted
    return 0.0
