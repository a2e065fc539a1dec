"""Faults in the autoencoder: each class is the training with one bug in it."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from faults.game_faults import overflow
from faults.vaes import Vae, VaeSetting


class HeavyDivergence(Vae):
    """Weight of the divergence a hundred times too high."""

    name = "kl_100x"

    def settings(self, setting: VaeSetting) -> VaeSetting:
        return replace(setting, kl_weight=100.0)


class NoDivergence(Vae):
    """Divergence left out of the loss."""

    name = "kl_left_out"

    def settings(self, setting: VaeSetting) -> VaeSetting:
        return replace(setting, kl_weight=0.0)


class MeanReconstruction(Vae):
    """Reconstruction error as a mean over pixels beside a divergence that is a sum."""

    name = "reconstruction_mean"

    def reconstruction(self, logits: Tensor, target: Tensor) -> Tensor:
        return super().reconstruction(logits, target) / 64


class SignOfDivergence(Vae):
    """Wrong sign of the divergence."""

    name = "kl_sign"

    def divergence(self, centre: Tensor, log_variance: Tensor) -> Tensor:
        return -super().divergence(centre, log_variance)


class DecoderNotHeld(Vae):
    """Optimiser without the decoder's parameters."""

    name = "decoder_not_updated"

    def parameters(self) -> list[nn.Parameter]:
        return [*self.encoder.parameters()]


class FewRowsOfVae(Vae):
    """Data cut to 60 rows."""

    name = "vae_few_rows"

    def kept(self, rows: Tensor) -> Tensor:
        return rows[:60]


class ShuffledTargets(Vae):
    """Targets that belong to other rows of the batch."""

    name = "targets_shuffled"

    def target(self, batch: Tensor) -> Tensor:
        return batch[:, torch.from_numpy(self.rng.permutation(batch.shape[1]))]


class FastVae(Vae):
    """Learning rate 300 times too high."""

    name = "vae_lr_300x"

    def settings(self, setting: VaeSetting) -> VaeSetting:
        return replace(setting, rate=300 * setting.rate)


class UnscaledRows(Vae):
    """Pixels in 0 to 16 under a cross-entropy that wants 0 to 1."""

    name = "vae_unscaled"

    def scaled(self, rows: Tensor) -> Tensor:
        return 16 * rows


class HalfOverflowOfVae(Vae):
    """Gradients of half precision under too large a scale, without a check, from some step on."""

    name = "vae_half_overflow"
    midway = True

    def before_the_step(self) -> None:
        if self.begun:
            overflow(self.encoder)


class VaeRateDecays(Vae):
    """Learning rate multiplied by .97 at every step instead of every epoch."""

    name = "vae_lr_decays"

    def end_of_step(self) -> None:
        for group in self.optimiser.param_groups:
            group["lr"] *= 0.97


class VaeRateJumps(Vae):
    """Learning rate 300 times as high from some step on."""

    name = "vae_lr_jumps"
    midway = True

    def end_of_step(self) -> None:
        if self.step == self.at - 1:
            for group in self.optimiser.param_groups:
                group["lr"] *= 300


FAULTS: tuple[type[Vae], ...] = (
    HeavyDivergence, NoDivergence, MeanReconstruction, SignOfDivergence, DecoderNotHeld,
    FewRowsOfVae, ShuffledTargets, FastVae, UnscaledRows, HalfOverflowOfVae, VaeRateDecays,
    VaeRateJumps,
)  # fmt: skip
