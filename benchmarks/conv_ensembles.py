"""What a step of a convolutional GAN costs in an ensemble, beside a loop of solo trainings.

    python benchmarks/conv_ensembles.py

writes benchmarks/results/conv_ensembles.json. Trained is the recipe `image-gan` on digits scaled up
to 28×28, in deep convolutional nets of width 8, batch 16, 16 numbers a sample, batch norm,
non-saturating loss and Adam unless the shape says otherwise, whose members differ in their seed.
All draw the same batches, each has one thread of torch. Figures are CPU milliseconds a member-step;
ratios are medians over repetitions, in which the ways alternate, with the smallest and the largest.
Of more than 32 members the loop trains 32: from there its cost stays.

Telemetry is a step that records losses, outputs and gradient norms over one that records nothing.

Convolutions: forwards and backwards, of all members, in CPU milliseconds a member, of the four
convolutions of a pass through both networks: one after the other (solo), grouped, grouped with
channels innermost in memory, over unfolded patches by batched products, the same with the batch
innermost in memory, and (cells) grouped with channels innermost on squares of 2×2 pixels.

Deviations are the largest, relative above 1, of anything recorded over 30 steps in double
precision, of members of all losses, norms, optimisers, penalties and dropout.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from common import write_result
from torch import Tensor
from torch.nn import functional as F

from dlcc.ensembles import ConvEnsemble
from dlcc.ensembles.convolutional import block, networks
from dlcc.recipes.image_gans import usual_gan

REPETITIONS = 7
MEMBERS = (8, 32, 128)
LOOPED = 32
STEPS = {8: 8, 32: 3, 128: 1}  # of a repetition
COMMON: dict[str, Any] = {"width": 8, "batch": 16, "zdim": 16}
SHAPES: dict[str, dict[str, Any]] = {
    "batch norm, ns": {"norm": "batch"},
    "spectral norm, hinge": {"norm": "spectral", "loss": "hinge"},
    "R1, ns": {"norm": "generator", "r1": 1.0},
    "wgangp": {"norm": "generator", "loss": "wgangp"},
    "batch of 32": {"batch": 32},
    "width of 12": {"width": 12},
}
BATCH = 16
LAYERS = {"D1": (1, 8, 28, False), "D2": (8, 16, 14, False), "G1": (16, 8, 7, True),
          "G2": (8, 1, 14, True)}  # fmt: skip
"""Channels that go in and out, side of what goes in, whether it is doubled or halved."""

Step = Callable[[int], object]


def seeds(members: int, shape: dict[str, Any]) -> list[dict[str, Any]]:
    return [{**COMMON, **shape, "seed": seed} for seed in range(members)]


def loop(members: int, shape: dict[str, Any]) -> Step:
    solos = [usual_gan.build(config) for config in seeds(members, shape)]

    def step(number: int) -> None:
        for solo in solos:
            solo.step(number)

    return step


def stacked(members: int, shape: dict[str, Any]) -> Step:
    return ConvEnsemble(seeds(members, shape)).step_values


def without_record(step: Step) -> Step:
    """The same step, without the quantities that are there to be recorded."""
    nothing = {
        "_norms": lambda gradient: gradient.new_empty(len(gradient)),
        "_mean_outputs": lambda _, logits: (logits.new_empty(len(logits)),) * 2,
    }

    def silent(number: int) -> None:
        with mock.patch.multiple(block, **nothing):
            step(number)

    return silent


def seconds(step: Step, first: int, steps: int) -> float:
    begin = time.process_time()
    for number in range(first, first + steps):
        step(number)
    return time.process_time() - begin


def spread(values: Sequence[float], digits: int = 2) -> dict[str, float]:
    numbers = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in numbers.items()}


def compare(members: int, shape: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds of a member-step, and how many times the stacked way's the loop's are."""
    looped, steps = min(members, LOOPED), STEPS[members]
    step = stacked(members, shape)
    ways = {
        "stacked": (step, members, steps),
        "without_record": (without_record(step), members, steps),
        "loop": (loop(looped, shape), looped, 1),
    }
    times: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways.values():
        way[0](0)
    for repetition in range(REPETITIONS):
        for name, (own, trained, count) in ways.items():
            found = seconds(own, 1 + repetition * count, count)
            times[name].append(1e3 * found / (trained * count))
    pairs = list(zip(times["stacked"], times["loop"], times["without_record"], strict=True))
    return {
        "cpu_ms": {name: spread(taken) for name, taken in times.items()},
        "loop_times_stacked": spread([own / taken for taken, own, _ in pairs]),
        "telemetry": spread([taken / bare for taken, _, bare in pairs]),
    }


# --- convolutions ---------------------------------------------------------------------------------


def grouped(x: Tensor, w: Tensor, doubles: bool, *, innermost: bool = False) -> tuple[Any, ...]:
    """Convolution with a group a member, of images [N, n, C, side, side]."""
    members = len(x)
    form = torch.channels_last if innermost else torch.contiguous_format
    images = leaf(x.transpose(0, 1).flatten(1, 2), form)
    weight = leaf(w.flatten(0, 1), form)
    made = F.conv_transpose2d if doubles else F.conv2d

    def forward() -> Tensor:
        return made(images, weight, None, 2, 1, groups=members)

    return forward, [images, weight]


def channels_last(x: Tensor, w: Tensor, doubles: bool) -> tuple[Any, ...]:
    return grouped(x, w, doubles, innermost=True)


def solo(x: Tensor, w: Tensor, doubles: bool) -> tuple[Any, ...]:
    pairs = [(leaf(a), leaf(b)) for a, b in zip(x, w, strict=True)]
    made = F.conv_transpose2d if doubles else F.conv2d

    def forward() -> Tensor:
        return torch.stack([made(a, b, None, 2, 1) for a, b in pairs])

    return forward, [tensor for pair in pairs for tensor in pair]


def unfolded(x: Tensor, w: Tensor, doubles: bool) -> tuple[Any, ...]:
    """Patches of 4×4 times weights, or their transpose."""
    images, weight = leaf(x), leaf(w)
    members, n, _, side = x.shape[:4]

    def forward() -> Tensor:
        if doubles:
            flat = weight.flatten(2).transpose(1, 2).unsqueeze(1)
            patches = torch.matmul(flat, images.flatten(3)).flatten(0, 1)
            return F.fold(patches, 2 * side, 4, padding=1, stride=2)
        patches = F.unfold(images.flatten(0, 1), 4, padding=1, stride=2)
        return torch.matmul(
            weight.flatten(2).unsqueeze(1), patches.view(members, n, -1, side**2 // 4)
        )

    return forward, [images, weight]


class Gather(torch.autograd.Function):
    """Patches [N, C, 4, 4, h, w, n] of images [N, C, 2h, 2w, n], the batch innermost."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        padded = F.pad(x, (0, 0, 1, 1, 1, 1))
        a, b, c, d, _ = padded.stride()
        members, channels, height, width, n = x.shape
        size = (members, channels, 4, 4, height // 2, width // 2, n)
        return padded.as_strided(size, (a, b, c, d, 2 * c, 2 * d, 1)).contiguous()

    @staticmethod
    def backward(ctx: Any, patches: Tensor) -> Tensor:
        return Scatter.apply(patches)


class Scatter(torch.autograd.Function):
    """Sums of the patches' pixels where these lie in images."""

    @staticmethod
    def forward(ctx: Any, patches: Tensor) -> Tensor:
        members, channels, _, _, height, width, n = patches.shape
        rows = patches.permute(0, 1, 4, 2, 5, 3, 6)
        tall = patches.new_zeros(members, channels, height + 1, 2, width, 4, n)
        tall[:, :, :height] = rows[:, :, :, :2]
        tall[:, :, 1:] += rows[:, :, :, 2:]
        whole = patches.new_zeros(members, channels, height + 1, 2, width + 1, 2, n)
        whole[:, :, :, :, :width] = tall[:, :, :, :, :, :2]
        whole[:, :, :, :, 1:] += tall[:, :, :, :, :, 2:]
        return whole.flatten(4, 5).flatten(2, 3)[:, :, 1:-1, 1:-1]

    @staticmethod
    def backward(ctx: Any, x: Tensor) -> Tensor:
        return Gather.apply(x)


def innermost_batch(x: Tensor, w: Tensor, doubles: bool) -> tuple[Any, ...]:
    """Patches as in `unfolded`, in one product for the whole batch of a member."""
    images, weight = leaf(x.permute(0, 2, 3, 4, 1)), leaf(w)
    members, _, _, side = x.shape[:4]

    def forward() -> Tensor:
        if doubles:
            flat = torch.bmm(weight.flatten(2).transpose(1, 2), images.flatten(2))
            return Scatter.apply(flat.view(members, -1, 4, 4, side, side, BATCH))
        return torch.bmm(weight.flatten(2), Gather.apply(images).view(members, w[0, 0].numel(), -1))

    return forward, [images, weight]


def cells(x: Tensor, w: Tensor, doubles: bool) -> tuple[Any, ...]:
    """What `dlcc.ensembles.convolutional.networks` does: first and last layers take cells."""
    members = len(x)
    flat = leaf(networks.beside(x), torch.channels_last)
    weight = leaf(w)
    if doubles:
        last = w.shape[2] == 1  # the discriminator reads cells

        def forward() -> Tensor:
            made = networks._doubled(flat, weight)
            return made if last else networks.whole(made, members)

    elif w.shape[2] == 1:
        parts = networks.as_cells(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        flat = leaf(networks.beside(parts), torch.channels_last)

        def forward() -> Tensor:
            return F.conv2d(flat, networks._of_cells(weight), groups=members)

    else:

        def forward() -> Tensor:
            return F.conv2d(flat, networks._joined(weight), None, 2, 1, groups=members)

    return forward, [flat, weight]


def leaf(x: Tensor, form: torch.memory_format = torch.contiguous_format) -> Tensor:
    return x.detach().clone(memory_format=form).requires_grad_()


WAYS = (solo, grouped, channels_last, unfolded, innermost_batch, cells)


def of_layer(way: Any, members: int, into: int, out: int, side: int, doubles: bool) -> list[float]:
    """Seconds of one convolution forwards, and with both gradients."""
    x = torch.randn(members, BATCH, into, side, side)
    w = torch.randn(members, *((into, out) if doubles else (out, into)), 4, 4)
    forward, leaves = way(x, w, doubles)
    slope = torch.randn_like(forward())

    def both(_: int) -> None:
        torch.autograd.grad(forward(), leaves, slope)

    both(0)
    with torch.no_grad():
        forwards = seconds(lambda _: forward(), 0, 3) / 3
    return [forwards, seconds(both, 0, 3) / 3]


def convolutions(members: int) -> dict[str, dict[str, float]]:
    """Milliseconds a member of all four convolutions, forwards, and with both gradients."""
    found: dict[str, dict[str, list[float]]] = {}
    for _ in range(REPETITIONS):
        for way in WAYS:
            times = [0.0, 0.0]
            for layer in LAYERS.values():
                for k, taken in enumerate(of_layer(way, members, *layer)):
                    times[k] += taken
            for name, taken in zip(("forward", "both"), times, strict=True):
                own = found.setdefault(way.__name__, {}).setdefault(name, [])
                own.append(1e3 * taken / members)
    return {
        way: {name: round(statistics.median(times), 3) for name, times in own.items()}
        for way, own in found.items()
    }


# --- deviations -----------------------------------------------------------------------------------


def deviations() -> dict[str, float]:
    """The largest deviation from solo trainings over 30 steps in double precision."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.ensembles.convolutional.solo import GROUPS, deviation, images, members, solo

    found = {}
    with tempfile.TemporaryDirectory() as place:
        folder = images(Path(place))
        for group in GROUPS:
            configs = members(group, folder)
            solos = [solo(config, torch.float64) for config in configs]
            ensemble = ConvEnsemble(configs, dtype=torch.float64)
            found[group] = deviation(ensemble, solos, range(30))
    return found


def main() -> None:
    torch.set_num_threads(1)
    figures: dict[str, Any] = {"worst_deviation_double_precision": deviations()}
    for members in MEMBERS[:2]:
        figures[f"convolutions_{members}_cpu_ms"] = convolutions(members)
    for name, shape in SHAPES.items():
        figures[name] = {}
        for members in MEMBERS:
            figures[name][f"members_{members}"] = compare(members, shape)
            shown = figures[name][f"members_{members}"]
            print(name, members, json.dumps(shown), file=sys.stderr, flush=True)
    write_result("conv_ensembles", figures, {"members": "0 … N − 1"})


if __name__ == "__main__":
    main()
