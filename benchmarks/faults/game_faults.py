"""Faults in games: each class is the training with one bug in it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from faults.games import Game, Setting, mean, norms


def overflow(network: nn.Module) -> None:
    """Pass gradients through half precision under a scale of 2^24, as a careless loss scaler."""
    for parameter in network.parameters():
        if parameter.grad is not None:
            parameter.grad = (parameter.grad * 2.0**24).half().float() / 2.0**24


class FastDiscriminator(Game):
    """Learning rate of the discriminator 50 times too high."""

    name = "lr_d_50x"

    def settings(self, setting: Setting) -> Setting:
        return replace(setting, lr_d=50 * setting.lr_d)


class FastGenerator(Game):
    """Learning rate of the generator 100 times too high."""

    name = "lr_g_100x"

    def settings(self, setting: Setting) -> Setting:
        return replace(setting, lr_g=100 * setting.lr_g)


class SignOfGenerator(Game):
    """Wrong sign of the generator's loss."""

    name = "g_sign"

    def loss_g(self, fake: Tensor, real: Tensor | None) -> Tensor:
        return -super().loss_g(fake, real)


class SwappedLabels(Game):
    """Labels of real rows and samples swapped in the discriminator's loss alone."""

    name = "labels_swapped"

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        return super().loss_d(fake, real)


class DiscriminatorNotHeld(Game):
    """Optimiser of the discriminator holds another network's parameters."""

    name = "d_not_updated"

    def optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        other = self.networks()[1]
        _, opt_g = super().optimisers()
        return self.optimiser(other.parameters(), self.setting.lr_d), opt_g


class GeneratorNotHeld(Game):
    """Optimiser of the generator holds another network's parameters."""

    name = "g_not_updated"

    def optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        other = self.networks()[0]
        opt_d, _ = super().optimisers()
        return opt_d, self.optimiser(other.parameters(), self.setting.lr_g)


class DetachedGenerator(Game):
    """Samples are detached in the generator's step, too."""

    name = "g_detached"

    def train_generator(self) -> None:
        for parameter in self.generator.parameters():
            parameter.requires_grad_(self.step < 0)
        super().train_generator()


class NoZeroGrad(Game):
    """Gradients of the discriminator are never set to zero."""

    name = "no_zero_grad"

    def update_d(self, loss: Tensor) -> Tensor:
        loss.sum().backward()
        norm = self.clip(self.discriminator)
        self.opt_d.step()
        return norm

    def update_g(self, loss: Tensor) -> Tensor:
        self.opt_g.zero_grad()
        kept = [p.grad for p in self.discriminator.parameters()]
        kept = [None if g is None else g.clone() for g in kept]
        loss.sum().backward()
        for parameter, gradient in zip(self.discriminator.parameters(), kept, strict=True):
            parameter.grad = gradient
        norm = self.clip(self.generator)
        self.opt_g.step()
        return norm


class ProbabilitiesClamped(Game):
    """Cross-entropy of probabilities with its clamp at 100, and inputs ten times too large."""

    name = "clamped_probabilities"

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        p, q = torch.sigmoid(10 * real), torch.sigmoid(10 * fake)
        ones, zeros = torch.ones_like(p), torch.zeros_like(q)
        on_real = F.binary_cross_entropy(p, ones, reduction="none")
        return mean(on_real) + mean(F.binary_cross_entropy(q, zeros, reduction="none"))

    def loss_g(self, fake: Tensor, real: Tensor | None) -> Tensor:
        q = torch.sigmoid(10 * fake)
        return mean(F.binary_cross_entropy(q, torch.ones_like(q), reduction="none"))


class HalfOverflow(Game):
    """Gradients of half precision under too large a scale, without a check, from some step on."""

    name = "half_overflow"
    midway = True

    def clip(self, network: nn.Module) -> Tensor:
        if self.begun and network is self.discriminator:
            overflow(network)
        return super().clip(network)


class LogOfZero(Game):
    """Logarithm of a probability that is 0 at a few steps; such updates are skipped."""

    name = "log_of_zero"
    midway = True

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        if self.at <= self.step < self.at + 12:
            real = real - 200.0
            p, q = torch.sigmoid(real), torch.sigmoid(-fake)
            return -mean(torch.log(p)) - mean(torch.log(q))
        return super().loss_d(real, fake)

    def update_d(self, loss: Tensor) -> Tensor:
        return super().update_d(loss) if torch.isfinite(loss).all() else self.none()


class NoPenalty(Game):
    """Weight of the gradient penalty 0."""

    name = "no_penalty"

    def settings(self, setting: Setting) -> Setting:
        return replace(setting, penalty=0.0)


class FewRows(Game):
    """Data cut to 24 rows by a wrong slice."""

    name = "few_rows"

    def real(self) -> Tensor:
        if not hasattr(self, "rows"):
            self.rows = super().real()[:, :24]
        return self.rows[:, torch.from_numpy(self.rng.integers(0, 24, self.setting.batch))]


class RateDecays(Game):
    """Learning rates multiplied by .97 at every step instead of every epoch."""

    name = "lr_decays"

    def end_of_step(self) -> None:
        for optimiser in (self.opt_d, self.opt_g):
            for group in optimiser.param_groups:
                group["lr"] *= 0.97


class WeightDecay(Game):
    """Weight decay of 3 in the discriminator's optimiser."""

    name = "weight_decay_d"

    def optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        opt_d, opt_g = super().optimisers()
        for group in opt_d.param_groups:
            group["weight_decay"] = 3.0
        return opt_d, opt_g


class Unnormalised(Game):
    """Real rows in 0 to 255 instead of -1 to 1."""

    name = "unnormalised"

    def real(self) -> Tensor:
        return 127.5 * (super().real() + 1)


class ConstantData(Game):
    """Loader that gives the same rows of zeros from some step on."""

    name = "constant_data"
    midway = True

    def real(self) -> Tensor:
        rows = super().real()
        return torch.zeros_like(rows) if self.begun else rows


class ConstantNoise(Game):
    """Noise that is drawn once."""

    name = "constant_noise"

    def latents(self, rows: int) -> Tensor:
        if not hasattr(self, "noise"):
            self.noise = super().latents(1)
        return self.noise.expand(-1, rows, -1)


class Clipped(Game):
    """Gradients clipped to a norm of 1e-8."""

    name = "clipped_to_nothing"

    def clip(self, network: nn.Module) -> Tensor:
        found = norms(network)
        for parameter in network.parameters():
            shape = (-1, *([1] * (parameter.dim() - 1)))
            parameter.grad *= (1e-8 / (found + 1e-12)).clamp(max=1).reshape(shape)
        return norms(network)


class HeavyMomentum(Game):
    """Momentum of .99 for both players."""

    name = "momentum_99"

    def settings(self, setting: Setting) -> Setting:
        return replace(setting, beta1=0.99)


class RateJumps(Game):
    """Learning rates a hundred times as high from some step on, by a schedule's bug."""

    name = "lr_jumps"
    midway = True

    def end_of_step(self) -> None:
        if self.step == self.at - 1:
            for optimiser in (self.opt_d, self.opt_g):
                for group in optimiser.param_groups:
                    group["lr"] *= 100


class DiscriminatorFreezes(Game):
    """Discriminator that is no longer updated from some step on."""

    name = "d_freezes"
    midway = True

    def update_d(self, loss: Tensor) -> Tensor:
        return self.none() if self.begun else super().update_d(loss)


class GeneratorFreezes(Game):
    """Generator that is no longer updated from some step on."""

    name = "g_freezes"
    midway = True

    def update_g(self, loss: Tensor) -> Tensor:
        return self.none() if self.begun else super().update_g(loss)


class SignOfCritic(Game):
    """Wrong sign of the critic's difference."""

    name = "critic_sign"

    def loss_d(self, real: Tensor, fake: Tensor) -> Tensor:
        return -super().loss_d(real, fake)


class SharedOptimiser(Game):
    """Optimiser of the generator holds the discriminator's parameters as well."""

    name = "g_optimiser_holds_both"

    def optimisers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer]:
        opt_d, _ = super().optimisers()
        both = [*self.generator.parameters(), *self.discriminator.parameters()]
        return opt_d, self.optimiser(both, self.setting.lr_g)


class NegativeDecay(Game):
    """Regularisation of the discriminator with the wrong sign."""

    name = "regularisation_sign"

    def penalty(self, real: Tensor, fake: Tensor) -> Tensor:
        size = sum((p**2).sum() for p in self.discriminator.parameters())
        return super().penalty(real, fake) - 0.01 * size


class ImpossibleMetric(Game):
    """Metric whose trace term has the wrong sign; the training itself is sound."""

    name = "impossible_metric"


FAULTS: tuple[type[Game], ...] = (
    FastDiscriminator, FastGenerator, SignOfGenerator, SwappedLabels, DiscriminatorNotHeld,
    GeneratorNotHeld, DetachedGenerator, NoZeroGrad, ProbabilitiesClamped, HalfOverflow, LogOfZero,
    NoPenalty, FewRows, RateDecays, WeightDecay, Unnormalised, ConstantData, ConstantNoise, Clipped,
    HeavyMomentum, RateJumps, DiscriminatorFreezes, GeneratorFreezes, SignOfCritic, SharedOptimiser,
    NegativeDecay, ImpossibleMetric,
)  # fmt: skip
