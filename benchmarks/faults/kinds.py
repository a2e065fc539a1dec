"""Kinds of faults: in which recipes, which player is at fault, and which findings say so.

All of it was written before any log was judged; to two kinds of the development part, d_freezes and
no_zero_grad, codes were added that had been left out (a gradient of 0, a discriminator that loses).

`players` are those that a finding may name as the one at fault: the first has the bug; a second is
there where a log cannot tell the two apart, as of a discriminator that wins because the generator
stands still. An empty name stands for a fault of no player (data, schedule, metric): any answer, or
none, is right.
"""

from __future__ import annotations

from dataclasses import dataclass

from faults.game_faults import FAULTS as OF_GAMES
from faults.games import Game
from faults.vae_faults import FAULTS as OF_VAES
from faults.vaes import Vae

D, G, M = "discriminator", "generator", "model"
LOST = ("ADV001", "ADV006", "ADV004")  # by the generator
WON = ("ADV005", "ADV004")  # by the generator: ADV005 is new here
TOGETHER = ("ADV007",)  # both players win: new here
DIVERGED = ("DIV001", "GRD002", "NAN001")
WORSE = ("QLT001", "QLT003", "QLT004")
STILL = ("GRD001", "PRG002", "LRN002", "QLT004")


@dataclass(frozen=True)
class Kind:
    """Kind of fault."""

    name: str
    recipes: tuple[str, ...]
    players: tuple[str, ...]
    codes: tuple[str, ...]
    of_record: bool = False
    """Whether the samples stay good, and the fault is what the log shows."""
    metric: bool = False
    """Whether a quality metric is logged by every run of the kind."""


KINDS = (
    Kind("lr_d_50x", ("ring", "dcgan"), (D,), (*LOST, *DIVERGED, "OSC001", *WORSE)),
    Kind("lr_g_100x", ("ring", "digits"), (G, D), (*LOST, *DIVERGED, "OSC001", *WORSE)),
    Kind("g_sign", ("digits",), (G, D), (*TOGETHER, *LOST, *DIVERGED)),
    Kind("labels_swapped", ("ring", "digits"), (D, G), (*TOGETHER, "LGG003", *DIVERGED)),
    Kind("d_not_updated", ("ring", "wgangp"), (D, G), (*WON, *DIVERGED, *STILL)),
    Kind("g_not_updated", ("digits", "wgangp"), (G, D), (*LOST, *STILL)),
    Kind("g_detached", ("ring", "dcgan"), (G, D), (*LOST, *STILL)),
    Kind("no_zero_grad", ("digits", "wgangp"), (D,), (*LOST, *WON, *DIVERGED, "OSC001", *WORSE)),
    Kind("clamped_probabilities", ("ring", "digits"), (D, G), (*LOST, *WORSE)),
    Kind("half_overflow", ("ring",), (D,), ("NAN001",)),
    Kind("log_of_zero", ("digits",), (D,), ("NAN002",), of_record=True),
    Kind("no_penalty", ("wgangp",), (D,), (*DIVERGED, *WORSE)),
    Kind("few_rows", ("digits", "dcgan"), (D, ""), (*LOST, *WORSE, "OVF001")),
    Kind("lr_decays", ("ring",), ("",), ("LRN001", *STILL)),
    Kind("weight_decay_d", ("ring",), (D,), ("ADV002", "ADV008", *STILL)),
    Kind("unnormalised", ("digits",), ("",), (*LOST, *DIVERGED, *WORSE)),
    Kind("constant_data", ("ring", "digits"), ("",), (*LOST, *DIVERGED, *WORSE)),
    Kind("constant_noise", ("ring", "digits"), (G, D), (*LOST, *WORSE, "OSC001")),
    Kind("clipped_to_nothing", ("ring",), ("",), (*STILL, "ADV002", "ADV008")),
    Kind("momentum_99", ("ring", "wgangp"), ("",), ("OSC001", *LOST, *DIVERGED, *WORSE)),
    Kind("lr_jumps", ("ring", "digits", "dcgan"), ("",), (*LOST, *DIVERGED, *WORSE, "OSC001")),
    Kind("d_freezes", ("ring", "digits"), (D, G), (*WON, *DIVERGED, *WORSE, *STILL)),
    Kind("g_freezes", ("digits", "wgangp"), (G, D), (*LOST, *WORSE, *STILL)),
    Kind("critic_sign", ("wgangp",), (D, G), (*TOGETHER, "LGG003", *DIVERGED)),
    Kind("g_optimiser_holds_both", ("ring", "digits"), (G, D), (*WON, *TOGETHER, *DIVERGED)),
    Kind("regularisation_sign", ("digits",), (D,), (*DIVERGED, *LOST)),
    Kind("impossible_metric", ("digits", "dcgan"), ("",), ("QLT002",), True, metric=True),
    Kind("kl_100x", ("vae",), (M,), ("VAE001", "VAE002")),
    Kind("kl_left_out", ("vae",), (M,), ("VAE003", "VAE004", "DIV001")),
    Kind("reconstruction_mean", ("vae",), (M,), ("VAE001", "VAE002")),
    Kind("kl_sign", ("vae",), (M,), ("VAE003", *DIVERGED)),
    Kind("decoder_not_updated", ("vae",), (M,), ("VAE001", *STILL)),
    Kind("vae_few_rows", ("vae",), (M,), ("OVF001",)),
    Kind("targets_shuffled", ("vae",), (M,), ("VAE001", "VAE002")),
    Kind("vae_lr_300x", ("vae",), (M,), (*DIVERGED, "NAN002", "VAE001", *STILL)),
    Kind("vae_unscaled", ("vae",), ("",), (*DIVERGED, "VAE005")),
    Kind("vae_half_overflow", ("vae",), (M,), ("NAN001",)),
    Kind("vae_lr_decays", ("vae",), ("",), ("LRN001", *STILL)),
    Kind("vae_lr_jumps", ("vae",), ("",), (*DIVERGED, "VAE001", "NAN002")),
)
"""All kinds. ADV008: a discriminator that does not move at the level of guessing; QLT004: a metric
that never got better; LRN002: nothing was learnt; VAE003: a negative divergence; VAE004: a
divergence without bound; VAE005: a cross-entropy that cannot be. None of these is there yet: what
exists when the bench was written says *unknown* there."""
TRAININGS: dict[str, type[Game] | type[Vae]] = {t.name: t for t in (*OF_GAMES, *OF_VAES)}
