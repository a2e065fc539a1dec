"""A small GAN on a Gaussian mixture or on 8×8 digits: five losses, three optimisers.

This file is complete in itself: it is copied into every run it trains as `source/train.py`
and replayed from there, so it imports torch, numpy, scikit-learn and the standard library only.

    training = build({"data": "ring", "loss": "ns", "lr_g": 1e-3, "seed": 7})
    for step in range(2_500):
        row = training.step(step)

Everything random is a function of the configuration: the initial weights of `seed`, the batch of
`(seed, step)`, the samples of `(seed, the caller's seed)`. A training that is put back to the state
before step s therefore repeats step s bit for bit, on the same machine and library versions.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

# ---------------------------------------------------------------------------------------- losses
# One function a loss, on raw outputs ("logits") of the discriminator, both [batch].


def discriminator_loss_ns(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross-entropy: −mean[log σ(D(x))] − mean[log(1 − σ(D(G(z))))] (Goodfellow 2014, eq. 1)."""
    return torch.mean(F.softplus(-real_logits)) + torch.mean(F.softplus(fake_logits))


def generator_loss_ns(fake_logits: Tensor) -> Tensor:
    """Non-saturating: −mean[log σ(D(G(z)))] (Goodfellow 2014, section 3)."""
    return torch.mean(F.softplus(-fake_logits))


def discriminator_loss_mm(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Cross-entropy: −mean[log σ(D(x))] − mean[log(1 − σ(D(G(z))))] (Goodfellow 2014, eq. 1)."""
    return torch.mean(F.softplus(-real_logits)) + torch.mean(F.softplus(fake_logits))


def generator_loss_mm(fake_logits: Tensor) -> Tensor:
    """Minimax: mean[log(1 − σ(D(G(z))))] (Goodfellow 2014, eq. 1)."""
    return -torch.mean(F.softplus(fake_logits))


def discriminator_loss_ls(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Least squares: ½ mean[(D(x) − 1)²] + ½ mean[D(G(z))²] (Mao 2017, eq. 2, a = 0, b = 1)."""
    return 0.5 * torch.mean((real_logits - 1) ** 2) + 0.5 * torch.mean(fake_logits**2)


def generator_loss_ls(fake_logits: Tensor) -> Tensor:
    """Least squares: ½ mean[(D(G(z)) − 1)²] (Mao 2017, eq. 2, c = 1)."""
    return 0.5 * torch.mean((fake_logits - 1) ** 2)


def discriminator_loss_hinge(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Hinge: mean[max(0, 1 − D(x))] + mean[max(0, 1 + D(G(z)))] (Lim and Ye 2017, eq. 14)."""
    return torch.mean(F.relu(1 - real_logits)) + torch.mean(F.relu(1 + fake_logits))


def generator_loss_hinge(fake_logits: Tensor) -> Tensor:
    """Hinge: −mean[D(G(z))] (Lim and Ye 2017, eq. 15)."""
    return -torch.mean(fake_logits)


def discriminator_loss_wgangp(real_logits: Tensor, fake_logits: Tensor) -> Tensor:
    """Wasserstein: mean[D(G(z))] − mean[D(x)] (Gulrajani 2017, eq. 3, without its penalty)."""
    return torch.mean(fake_logits) - torch.mean(real_logits)


def generator_loss_wgangp(fake_logits: Tensor) -> Tensor:
    """Wasserstein: −mean[D(G(z))] (Gulrajani 2017, algorithm 1)."""
    return -torch.mean(fake_logits)


def r1_penalty(discriminator: nn.Module, real: Tensor) -> Tensor:
    """½ mean[‖∇D(x)‖²] over real x [batch, features] (Mescheder 2018, eq. 9), to weigh by γ."""
    x = real.detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return 0.5 * torch.mean(torch.sum(slope**2, dim=1))


def gradient_penalty(
    discriminator: nn.Module, real: Tensor, fake: Tensor, mixing: Tensor
) -> Tensor:
    """mean[(‖∇D(x̂)‖ − 1)²] at x̂ = ε·x + (1 − ε)·G(z) (Gulrajani 2017, eq. 3), to weigh by λ.

    `real` and `fake` are [batch, features], `mixing` is ε, [batch, 1], uniform on [0, 1).
    """
    x = (mixing * real + (1 - mixing) * fake).detach().requires_grad_()
    (slope,) = torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)
    return torch.mean((torch.linalg.vector_norm(slope, dim=1) - 1) ** 2)


LOSSES = {
    "ns": (discriminator_loss_ns, generator_loss_ns),
    "mm": (discriminator_loss_mm, generator_loss_mm),
    "ls": (discriminator_loss_ls, generator_loss_ls),
    "hinge": (discriminator_loss_hinge, generator_loss_hinge),
    "wgangp": (discriminator_loss_wgangp, generator_loss_wgangp),
}
PROBABILITY_LOSSES = ("ns", "mm")  # their D states a probability, σ of its raw output
GRADIENT_PENALTY_WEIGHT = 1.0  # lambda of "wgangp"; 10 as in the paper is for images

# ------------------------------------------------------------------------------------------ data


class Mixture(NamedTuple):
    """Gaussians in the plane, equally likely."""

    centres: tuple[tuple[float, float], ...]
    sd: float


def _circle(modes: int, radius: float) -> tuple[tuple[float, float], ...]:
    angles = [2 * math.pi * k / modes for k in range(modes)]
    return tuple((radius * math.cos(a), radius * math.sin(a)) for a in angles)


def _grid(side: int, spacing: float) -> tuple[tuple[float, float], ...]:
    line = [(k - (side - 1) / 2) * spacing for k in range(side)]
    return tuple((x, y) for x in line for y in line)


MIXTURES = {
    "ring": Mixture(_circle(modes=8, radius=2.0), sd=0.15),
    "grid9": Mixture(_grid(side=3, spacing=2.0), sd=0.15),
    "grid25": Mixture(_grid(side=5, spacing=1.0), sd=0.10),
}
DATA = (*MIXTURES, "digits")

STREAM_WEIGHTS, STREAM_BATCHES, STREAM_SAMPLES = range(3)  # keep the draws of a seed apart


@lru_cache(maxsize=1)
def load_digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """scikit-learn's digits: images x/8 − 1, [1797, 64] in [−1, 1], and their classes [1797]."""
    from sklearn import datasets  # slow to import, and mixtures do without

    bunch = datasets.load_digits()
    return (bunch.data / 8 - 1).astype(np.float32), bunch.target.astype(np.int64)


def draw_data(data: str, shape: Sequence[int], rng: np.random.Generator) -> NDArray[np.float32]:
    """Independent draws of the training data: [*shape, features]."""
    if data == "digits":
        images, _ = load_digits()
        return images[rng.integers(len(images), size=shape)]
    centres, sd = MIXTURES[data]
    chosen = np.asarray(centres, dtype=np.float32)[rng.integers(len(centres), size=shape)]
    noise = rng.standard_normal(chosen.shape, dtype=np.float32)
    return chosen + np.float32(sd) * noise


def reference(data: str) -> NDArray[np.float32]:
    """What a generator is compared with: 2,048 draws of a mixture, or all digits; [n, features]."""
    if data == "digits":
        return load_digits()[0]
    return draw_data(data, (2048,), np.random.default_rng(0))


# ----------------------------------------------------------------------------------- configuration


def _option(
    default: Any,
    help: str,
    *,
    choices: Sequence[str] = (),
    low: float = -math.inf,
    high: float = math.inf,
) -> Any:
    return field(
        default=default,
        metadata={"help": help, "choices": tuple(choices), "low": low, "high": high},
    )


@dataclass(frozen=True)
class Config:
    """The configuration, with its defaults and ranges; both ends of a range are allowed."""

    data: str = _option("ring", "what is learned", choices=DATA)
    loss: str = _option("ns", "the players' losses", choices=tuple(LOSSES))
    optimizer: str = _option("adam", "of both players", choices=("adam", "rmsprop", "sgd"))
    lr_g: float = _option(1e-3, "learning rate of the generator", low=0, high=10)
    lr_d: float = _option(4e-3, "learning rate of the discriminator", low=0, high=10)
    beta1: float = _option(0.5, "Adam's β1, momentum of SGD", low=0, high=0.9999)
    beta2: float = _option(0.999, "Adam's β2, α of RMSprop", low=0, high=0.99999)
    g_every: int = _option(1, "the generator is updated every so many steps", low=1, high=100)
    d_every: int = _option(1, "the discriminator is updated every so many steps", low=1, high=100)
    r1: float = _option(0.0, "weight γ of the R1 penalty on the discriminator", low=0, high=1000)
    batch: int = _option(32, "rows a step", low=2, high=4096)
    width: int = _option(32, "units of a hidden layer", low=1, high=1024)
    depth: int = _option(2, "hidden layers of each network", low=1, high=16)
    zdim: int = _option(8, "width of the noise z", low=1, high=1024)
    init: float = _option(1.0, "initial weights are uniform within ± init/√fan-in", low=0, high=100)
    steps: int = _option(2500, "configured length of the training", low=40, high=10_000_000)
    seed: int = _option(0, "of weights, batches and samples", low=0, high=2**63 - 1)

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """The configuration of plain values; those left out take their defaults.

        Raises ValueError for an unknown key, or a value of the wrong type or out of range, with
        what is right.
        """
        known = {option.name: option for option in fields(cls)}
        for key in values:
            if key not in known:
                raise ValueError(f"unknown key {key!r}: the keys are {', '.join(known)}")
        return cls(**{key: _checked(known[key], value) for key, value in values.items()})


def _checked(option: Any, value: Any) -> Any:
    """`value` in the option's type, or ValueError."""
    choices, low, high = (option.metadata[key] for key in ("choices", "low", "high"))
    if choices:
        if value not in choices:
            raise ValueError(f"{option.name} is {value!r}: choose one of {', '.join(choices)}")
        return value
    whole = isinstance(option.default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        kind = "a whole number" if whole else "a number"
        raise ValueError(f"{option.name} is {value!r}: give {kind}")
    if not low <= value <= high:  # NaN fails too
        raise ValueError(f"{option.name} is {value!r}: give a value from {low:g} to {high:g}")
    return value if whole else float(value)


# --------------------------------------------------------------------------------------- networks


def _layers(sizes: Sequence[int], activation: nn.Module) -> Iterator[nn.Module]:
    for fan_in, fan_out in pairwise(sizes[:-1]):
        yield nn.Linear(fan_in, fan_out)
        yield activation
    yield nn.Linear(sizes[-2], sizes[-1])


def _initialise(network: nn.Module, init: float, rng: np.random.Generator) -> None:
    for layer in network.modules():
        if isinstance(layer, nn.Linear):
            bound = init / math.sqrt(layer.in_features)
            for parameter in (layer.weight, layer.bias):
                drawn = rng.uniform(-bound, bound, size=parameter.shape)
                with torch.no_grad():
                    parameter.copy_(torch.from_numpy(drawn))


def make_players(config: Config) -> dict[str, nn.Module]:
    """Generator [n, zdim] → [n, features] and discriminator [n, features] → [n, 1], initialised."""
    features = 64 if config.data == "digits" else 2
    hidden = [config.width] * config.depth
    squash = [nn.Tanh()] if config.data == "digits" else []  # pixels lie in [−1, 1]
    generator = nn.Sequential(*_layers([config.zdim, *hidden, features], nn.ReLU()), *squash)
    discriminator = nn.Sequential(*_layers([features, *hidden, 1], nn.LeakyReLU(0.2)))
    rng = np.random.default_rng([config.seed, STREAM_WEIGHTS])
    _initialise(generator, config.init, rng)
    _initialise(discriminator, config.init, rng)
    return {"generator": generator, "discriminator": discriminator}


def make_optimizer(config: Config, network: nn.Module, lr: float) -> torch.optim.Optimizer:
    """The configured optimiser of one player."""
    parameters = list(network.parameters())
    if config.optimizer == "adam":
        betas = (config.beta1, config.beta2)
        return torch.optim.Adam(parameters, lr=lr, betas=betas, fused=True)
    if config.optimizer == "rmsprop":
        return torch.optim.RMSprop(parameters, lr=lr, alpha=config.beta2, foreach=True)
    return torch.optim.SGD(parameters, lr=lr, momentum=config.beta1, fused=True)


# --------------------------------------------------------------------------------------- training

CHUNK = 64  # steps drawn at once: a generator's start costs as much as a dozen steps' numbers


class Batch(NamedTuple):
    """What a step reads."""

    real: Tensor  # [batch, features]
    noise: Tensor  # z, [batch, zdim], standard normal
    mixing: Tensor  # ε of the gradient penalty, [batch, 1], uniform on [0, 1)


def draw_chunk(config: Config, chunk: int) -> Batch:
    """The batches of the steps chunk·CHUNK … (chunk + 1)·CHUNK − 1, stacked: [CHUNK, batch, …]."""
    rng = np.random.default_rng([config.seed, STREAM_BATCHES, chunk])
    shape = (CHUNK, config.batch)
    real = draw_data(config.data, shape, rng)
    noise = rng.standard_normal((*shape, config.zdim), dtype=np.float32)
    mixing = rng.random((*shape, 1), dtype=np.float32)
    return Batch(*map(torch.from_numpy, (real, noise, mixing)))


class SmallGAN:
    """Two players and their optimisers; one `step` is one iteration of alternating updates.

    Step s draws the batch of (seed, s) and makes G(z) once. First the discriminator is updated on
    x and G(z), then the generator on D(G(z)) with the discriminator as it is *after* its update.
    A player that `g_every` or `d_every` lets rest in a step is measured all the same.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.players: Mapping[str, nn.Module] = make_players(config)
        self.generator = self.players["generator"]
        self.discriminator = self.players["discriminator"]
        self.optimizers = {
            "generator": make_optimizer(config, self.generator, config.lr_g),
            "discriminator": make_optimizer(config, self.discriminator, config.lr_d),
        }
        self.discriminator_loss, self.generator_loss = LOSSES[config.loss]
        self.parameters = {name: list(net.parameters()) for name, net in self.players.items()}
        self._chunk = -1
        self._drawn: Batch | None = None

    def batch(self, step: int) -> Batch:
        """The batch of step `step`: a function of (seed, step) alone."""
        chunk, row = divmod(step, CHUNK)
        if self._drawn is None or chunk != self._chunk:
            self._chunk, self._drawn = chunk, draw_chunk(self.config, chunk)
        return Batch(*(drawn[row] for drawn in self._drawn))

    def step(self, step: int) -> dict[str, float]:
        """One iteration; returns what is recorded of it.

        `discriminator/loss`, `real` and `fake` and its `grad_norm` are of the state before the
        step; `generator/loss` and its `grad_norm` see the updated discriminator, as its update
        does. `real` and `fake` are D's mean outputs: probabilities for the losses "ns" and "mm",
        raw for the others. Gradient norms are Euclidean over all weights of the player. Losses are
        what is minimised; where a penalty is part of that, `discriminator/penalty` is its share,
        weight included.
        """
        batch = self.batch(step)
        fake = self.generator(batch.noise)
        real_logits, fake_logits = self._judge(batch.real, fake.detach())
        row = self._mean_outputs(real_logits, fake_logits)

        d_loss = self.discriminator_loss(real_logits, fake_logits)
        penalty = self._penalty(batch, fake)
        if penalty is not None:
            d_loss = d_loss + penalty
            row["discriminator/penalty"] = penalty
        row["discriminator/loss"] = d_loss
        due = step % self.config.d_every == 0
        row["discriminator/grad_norm"] = self._descend("discriminator", d_loss, due)

        g_loss = self.generator_loss(self.discriminator(fake).squeeze(1))
        row["generator/loss"] = g_loss
        due = step % self.config.g_every == 0
        row["generator/grad_norm"] = self._descend("generator", g_loss, due)

        values = torch.stack([value.detach() for value in row.values()]).tolist()  # one transfer
        return dict(zip(row, values, strict=True))

    def probe(self, step: int) -> dict[str, Tensor]:
        """Losses and raw outputs on the batch of `step`, all of the present state, which stays.

        `discriminator/real`, `discriminator/fake`: raw D(x) and D(G(z)), [batch];
        `discriminator/loss` (penalty included, which is repeated as `discriminator/penalty`) and
        `generator/loss`: scalars. Called before step s, the discriminator's loss equals the one
        that `step(s)` returns; the generator's does not, for there D has been updated first.
        """
        batch = self.batch(step)
        with torch.no_grad():
            fake = self.generator(batch.noise)
            real_logits, fake_logits = self._judge(batch.real, fake)
            outputs = {
                "discriminator/real": real_logits,
                "discriminator/fake": fake_logits,
                "discriminator/loss": self.discriminator_loss(real_logits, fake_logits),
                "generator/loss": self.generator_loss(fake_logits),
            }
        penalty = self._penalty(batch, fake)
        if penalty is not None:
            outputs["discriminator/penalty"] = penalty.detach()
            outputs["discriminator/loss"] = outputs["discriminator/loss"] + penalty.detach()
        return outputs

    def sample(self, n: int, seed: int) -> Tensor:
        """G(z) for n draws of z made from (the training's seed, `seed`): [n, features]."""
        rng = np.random.default_rng([self.config.seed, STREAM_SAMPLES, seed])
        noise = rng.standard_normal((n, self.config.zdim), dtype=np.float32)
        with torch.no_grad():
            drawn: Tensor = self.generator(torch.from_numpy(noise))
        return drawn

    def state_dict(self) -> dict[str, Any]:
        """Copies of all weights and of the optimisers' tensors."""
        state: dict[str, Any] = {}
        for name, network in self.players.items():
            weights = network.state_dict()
            state[name] = {key: tensor.detach().clone() for key, tensor in weights.items()}
            state[f"{name}_optimizer"] = _optimizer_state(self.optimizers[name])
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Back to a state of `state_dict`."""
        for name, network in self.players.items():
            network.load_state_dict(state[name])
            _load_optimizer_state(self.optimizers[name], state[f"{name}_optimizer"])

    def _judge(self, real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
        """Raw D(x) and D(G(z)), [batch] each, in one pass."""
        real_logits, fake_logits = self.discriminator(torch.cat([real, fake])).squeeze(1).chunk(2)
        return real_logits, fake_logits

    def _penalty(self, batch: Batch, fake: Tensor) -> Tensor | None:
        """The weighted penalties of the discriminator's loss; None without any."""
        penalty = None
        if self.config.loss == "wgangp":
            penalty = GRADIENT_PENALTY_WEIGHT * gradient_penalty(
                self.discriminator, batch.real, fake, batch.mixing
            )
        if self.config.r1 > 0:
            r1 = self.config.r1 * r1_penalty(self.discriminator, batch.real)
            penalty = r1 if penalty is None else penalty + r1
        return penalty

    def _mean_outputs(self, real_logits: Tensor, fake_logits: Tensor) -> dict[str, Tensor]:
        if self.config.loss in PROBABILITY_LOSSES:
            real_logits, fake_logits = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
        return {
            "discriminator/real": torch.mean(real_logits),
            "discriminator/fake": torch.mean(fake_logits),
        }

    def _descend(self, name: str, loss: Tensor, due: bool) -> Tensor:
        """Update the player if it is due; returns the norm of its gradient either way."""
        parameters = self.parameters[name]
        gradients = torch.autograd.grad(loss, parameters)
        if due:
            for parameter, gradient in zip(parameters, gradients, strict=True):
                parameter.grad = gradient
            self.optimizers[name].step()
        norm: Tensor = torch.linalg.vector_norm(torch.cat([g.flatten() for g in gradients]))
        return norm


def _optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """The optimiser's tensors, named `<number of the parameter>.<name>`."""
    return {
        f"{number}.{name}": tensor.detach().clone()
        for number, entry in optimizer.state_dict()["state"].items()
        for name, tensor in entry.items()
        if tensor is not None  # SGD without momentum keeps an empty buffer
    }


def _load_optimizer_state(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    state: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        state.setdefault(int(number), {})[name] = tensor.clone()
    groups = optimizer.state_dict()["param_groups"]  # rates and the like come from the config
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def build(config: Mapping[str, Any]) -> SmallGAN:
    """The training of a configuration, before its first step.

    Raises ValueError for a key or a value that is not in `Config`.
    """
    return SmallGAN(Config.parse(config))
