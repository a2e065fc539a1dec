"""What recording adds to a step of the deep convolutional GAN.

    python benchmarks/cloud_steps.py

`dlcc.recipes.train.train` trains lgc-dcgan on digits as a user has it trained: recorded, without
measures of its landscape. After each of its steps a plain loop without a Recorder does the same
step, with the same networks, batches and losses, and nothing that is only there to be recorded
(norms of gradients, accuracies). CPU seconds on one thread, in turn; medians of the ratios of
blocks of steps, with the smallest and the largest.

At batch 16 a whole training of STEPS steps, in blocks of the steps between two sample steps: with
all that falls into them, and without the steps that take samples or a snapshot; and whether both
end in the same bits. At batch 128, of which a whole training takes long, FULL steps after the
first, none of which takes any.
"""

from __future__ import annotations

import contextlib
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result

from dlcc.health.definitions import sample_steps
from dlcc.recipes import get_recipe, truth
from dlcc.recipes.image_gans import loss_gradient_clouds as lgc
from dlcc.recipes.optimised import STREAM_LAYERS, seeded
from dlcc.recipes.train import train
from dlcc.runs import Run

RECIPE, SEED, STEPS, FULL, SNAPSHOTS = "lgc-dcgan", 0, 2000, 5, 10
BLOCK = STEPS // truth.SAMPLE_STEPS


class Enough(Exception):  # noqa: N818  # no error
    """All steps that were to be timed are done."""


class InTurn:
    """Called after each recorded step: takes its CPU seconds, and those of the plain one."""

    def __init__(self, settings: Mapping[str, Any], steps: int) -> None:
        self.plain = lgc.build(get_recipe(RECIPE).configure(settings))
        self.steps = steps
        self.recorded_seconds: list[float] = []
        self.plain_seconds: list[float] = []
        self.since = time.process_time()

    def __call__(self, done: int, total: int) -> None:
        ended = time.process_time()
        self.recorded_seconds.append(ended - self.since)
        plain_step(self.plain, done - 1)
        self.since = time.process_time()
        self.plain_seconds.append(self.since - ended)
        if done == self.steps < total:
            raise Enough


def plain_step(training: lgc.CloudGAN, step: int) -> None:
    """The step of the recipe as a loop has it that keeps nothing."""
    loss, players = training.config.loss, training.players
    real, z = training.batch(step)
    with seeded(training.seed, STREAM_LAYERS, step):
        fake = players["generator"](z)
        of_real, of_fake = players["discriminator"](real), players["discriminator"](fake)
    losses = {
        "discriminator": lgc.discriminator_loss(loss, of_real, of_fake),
        "generator": lgc.generator_loss(loss, of_fake),
    }
    weights = {player: list(players[player].parameters()) for player in losses}
    slopes = {
        player: torch.autograd.grad(losses[player], weights[player], retain_graph=True)
        for player in losses
    }
    for player, gradients in slopes.items():
        for parameter, gradient in zip(weights[player], gradients, strict=True):
            parameter.grad = gradient
        training.optimizers[player].step()


def ratios(in_turn: InTurn, blocks: Sequence[Sequence[int]]) -> dict[str, float]:
    """Recorded over plain, of blocks of steps."""
    recorded, plain = (
        [sum(steps[step] for step in block) for block in blocks]
        for steps in (in_turn.recorded_seconds, in_turn.plain_seconds)
    )
    found = [a / b for a, b in zip(recorded, plain, strict=True)]
    return {
        "blocks": len(found),
        "median": round(statistics.median(found), 4),
        "min": round(min(found), 4),
        "max": round(max(found), 4),
    }


def seconds(values: Sequence[float]) -> float:
    return round(statistics.median(values), 4)


def whole(folder: Path) -> dict[str, Any]:
    """A training of STEPS steps at batch 16."""
    settings = {"batch": 16, "steps": STEPS, "seed": SEED}
    in_turn = InTurn(settings, STEPS)
    train(RECIPE, folder, settings, snapshots=SNAPSHOTS, progress=in_turn)
    kept = {STEPS * k // SNAPSHOTS for k in range(SNAPSHOTS)} | set(
        sample_steps(STEPS, truth.SAMPLE_STEPS)
    )
    # step 0 also opens the folder; what is taken after the last step falls into none
    blocks = [range(first, min(first + BLOCK, STEPS)) for first in range(1, STEPS, BLOCK)]
    bare = [[step for step in block if step not in kept] for block in blocks]
    return {
        "steps": STEPS,
        "seconds_a_plain_step": seconds(in_turn.plain_seconds),
        "a_step": ratios(in_turn, bare),
        "with_samples_and_snapshots": ratios(in_turn, blocks),
        "same_bits": same_bits(Run.open(folder), in_turn.plain),
    }


def same_bits(run: Run, plain: lgc.CloudGAN) -> bool:
    """Whether the weights and buffers of the last snapshot are those of the plain loop."""
    recorded = run.snapshots()[-1].weights()
    mine = {
        f"{player}/{name}": tensor.numpy()
        for player, net in plain.players.items()
        for name, tensor in net.state_dict().items()
    }
    return all(np.array_equal(recorded[name], mine[name]) for name in recorded)


def full_size(folder: Path) -> dict[str, Any]:
    """FULL steps of a training at batch 128, after its first."""
    settings = {"batch": 128, "seed": SEED}
    in_turn = InTurn(settings, FULL + 1)
    with contextlib.suppress(Enough):
        train(RECIPE, folder, settings, snapshots=SNAPSHOTS, progress=in_turn)
    return {
        "steps": FULL,
        "seconds_a_plain_step": seconds(in_turn.plain_seconds[1:]),
        "a_step": ratios(in_turn, [[step] for step in range(1, FULL + 1)]),
    }


def main() -> None:
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        figures = {
            "batch_128": full_size(Path(name) / "full"),
            "batch_16": whole(Path(name) / "whole"),
        }
    write_result("cloud_steps", figures, seeds={"training": SEED})


if __name__ == "__main__":
    main()
