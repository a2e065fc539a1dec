"""What a member-iteration costs in an ensemble, beside other ways to train many small GANs.

    python benchmarks/ensembles.py

writes benchmarks/results/ensembles.json. Trained are ring GANs of two hidden layers of 32 units,
batch 32, non-saturating loss, Adam, which differ in their seed, in four ways: stacked
(dlcc.ensembles), one solo training after the other (loop), the networks of the recipe under
torch.func.vmap (vmap), and the loop in two processes, half of the members each (pool). All draw
the same batches. Each has one thread of torch and trains whole chunks of 64 steps, so that the
drawing of batches is in. Figures are CPU seconds (of both processes for the pool), medians over
REPETITIONS with the smallest and the largest; repetitions of the ways alternate. Of more than 64
members the loop and the pool train 64.

Deviations are the largest, relative above 1, of anything recorded over 200 steps in double
precision, of members with five losses, three optimisers, penalties and players that rest.
"""

from __future__ import annotations

import json
import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
from common import write_result
from torch import Tensor
from torch.func import functional_call, grad_and_value, stack_module_state, vjp, vmap

from dlcc.ensembles import Ensemble
from dlcc.ensembles.batches import Batches
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.training import CHUNK

REPETITIONS = 3
CHUNKS = {1: 4, 8: 2, 32: 1, 128: 1, 512: 1}  # members → chunks of steps a repetition
LOOPED = 64  # solo trainings that the loop and the pool hold at most: from there their cost stays
PROFILED = (("ring", 64), ("ring", 128), ("digits", 64), ("digits", 128))

Step = Callable[[int], object]


def configs(members: int, data: str = "ring") -> list[dict[str, Any]]:
    return [{"data": data, "seed": seed} for seed in range(members)]


def stacked(members: int, data: str = "ring") -> Step:
    return Ensemble(configs(members, data)).step_values


def loop(seeds: range) -> Step:
    solos = [small_gan.build({"seed": seed}) for seed in seeds]

    def step(number: int) -> None:
        for solo in solos:
            solo.step(number)

    return step


class Vmapped:
    """The recipe's networks and losses over stacked parameters; fused Adam, one rate a player."""

    def __init__(self, members: int) -> None:
        parsed = [small_gan.Config.parse(config) for config in configs(members)]
        built = [small_gan.make_players(config) for config in parsed]
        self.nets = {
            name: net.to("meta") for name, net in small_gan.make_players(parsed[0]).items()
        }
        self.weights = {
            name: stack_module_state([players[name] for players in built])[0]
            for name in ("generator", "discriminator")
        }
        rates = {"generator": parsed[0].lr_g, "discriminator": parsed[0].lr_d}
        betas = (parsed[0].beta1, parsed[0].beta2)
        self.adam = {
            name: torch.optim.Adam(weights.values(), lr=rates[name], betas=betas, fused=True)
            for name, weights in self.weights.items()
        }
        self.batches = Batches(parsed, torch.float32)
        self.d_slope = vmap(grad_and_value(self.d_loss, has_aux=True))
        self.g_slope = vmap(grad_and_value(self.g_loss))

    def judge(self, weights: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(self.nets["discriminator"], weights, (x,)).squeeze(1)

    def d_loss(
        self, weights: Mapping[str, Tensor], real: Tensor, fake: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        on_real, on_fake = self.judge(weights, torch.cat([real, fake])).chunk(2)
        means = torch.sigmoid(on_real).mean(), torch.sigmoid(on_fake).mean()
        return small_gan.discriminator_loss_ns(on_real, on_fake), means

    def g_loss(self, fake: Tensor, weights: Mapping[str, Tensor]) -> Tensor:
        return small_gan.generator_loss_ns(self.judge(weights, fake))

    def step(self, number: int) -> Tensor:
        batch = self.batches.at(number)
        held = {
            name: {k: w.detach() for k, w in kept.items()} for name, kept in self.weights.items()
        }

        def generate(weights: Mapping[str, Tensor]) -> Tensor:
            def one(own: Mapping[str, Tensor], noise: Tensor) -> Tensor:
                return functional_call(self.nets["generator"], own, (noise,))

            return vmap(one)(weights, batch.noise)

        fake, back = vjp(generate, held["generator"])
        slope, (d_loss, means) = self.d_slope(held["discriminator"], batch.real, fake)
        d_norm = self.descend("discriminator", slope)
        by_fake, g_loss = self.g_slope(fake, held["discriminator"])
        g_norm = self.descend("generator", back(by_fake)[0])
        return torch.stack([*means, d_loss, d_norm, g_loss, g_norm])

    def descend(self, name: str, slope: Mapping[str, Tensor]) -> Tensor:
        for key, weight in self.weights[name].items():
            weight.grad = slope[key].contiguous()  # fused Adam walks both alike
        self.adam[name].step()
        flat = torch.cat([part.flatten(1) for part in slope.values()], dim=1)
        return torch.linalg.vector_norm(flat, dim=1)


def measured(step: Step, chunks: int) -> dict[str, float]:
    """CPU and wall seconds of whole chunks, after a few steps that do not count."""
    for number in range(3):
        step(number)
    cpu, wall = time.process_time(), time.perf_counter()
    for number in range(CHUNK, CHUNK * (1 + chunks)):
        step(number)
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


def in_a_process(seeds: range, chunks: int) -> dict[str, float]:
    torch.set_num_threads(1)
    return measured(loop(seeds), chunks)


def pool(executor: ProcessPoolExecutor, members: int, chunks: int) -> dict[str, float]:
    half = members // 2
    shares = [range(half), range(half, members)]
    halves = list(executor.map(in_a_process, shares, [chunks] * 2))
    return {"cpu": sum(h["cpu"] for h in halves), "wall": max(h["wall"] for h in halves)}


def spread(values: list[float], digits: int) -> dict[str, float]:
    numbers = {"median": statistics.median(values), "min": min(values), "max": max(values)}
    return {name: round(value, digits) for name, value in numbers.items()}


def compare(executor: ProcessPoolExecutor, members: int) -> dict[str, Any]:
    """Microseconds a member-iteration, and how many times the stacked way's they are."""
    chunks, looped = CHUNKS[members], min(members, LOOPED)
    times: dict[str, list[dict[str, float]]] = {}

    def keep(way: str, trained: int, seconds: dict[str, float]) -> None:
        scale = 1e6 / (trained * chunks * CHUNK)
        times.setdefault(way, []).append({clock: s * scale for clock, s in seconds.items()})

    for _ in range(REPETITIONS):
        keep("stacked", members, measured(stacked(members), chunks))
        keep("vmap", members, measured(Vmapped(members).step, chunks))
        keep("loop", looped, measured(loop(range(looped)), chunks))
        if 1 < members <= 2 * LOOPED:
            keep("pool", looped, pool(executor, looped, chunks))
    figures: dict[str, Any] = {
        f"{clock}_us": {way: spread([t[clock] for t in taken], 1) for way, taken in times.items()}
        for clock in ("cpu", "wall")
    }
    for clock in ("cpu", "wall"):
        figures[f"{clock}_times_stacked"] = {
            way: spread(
                [t[clock] / s[clock] for t, s in zip(taken, times["stacked"], strict=True)], 2
            )
            for way, taken in times.items()
            if way != "stacked"
        }
    return figures


def deviations() -> dict[str, float]:
    """The largest deviation from solo trainings over 200 steps in double precision."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    from tests.ensembles.solo import deviation, double, mixed

    found = {}
    for data in ("ring", "digits"):
        members = mixed(data)
        solos = [double(config) for config in members]
        found[data] = deviation(Ensemble(members, dtype=torch.float64), solos, range(200))
    step = Vmapped(4).step  # the peer trains the same
    own = Ensemble(configs(4))
    rows = [(step(s)[2], own.step(s)["discriminator/loss"]) for s in range(5)]
    found["vmap_single_precision_5_steps"] = max((a - b).abs().max().item() for a, b in rows)
    return found


def main() -> None:
    torch.set_num_threads(1)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as executor:
        figures = {}
        for members in CHUNKS:
            figures[f"members_{members}"] = compare(executor, members)
            print(members, json.dumps(figures[f"members_{members}"]), file=sys.stderr, flush=True)
    figures["stacked_cpu_us"] = {
        f"{data}_{members}": spread(
            [
                measured(stacked(members, data), 1)["cpu"] * 1e6 / (members * CHUNK)
                for _ in range(REPETITIONS)
            ],
            1,
        )
        for data, members in PROFILED
    }
    figures["worst_deviation_double_precision"] = deviations()
    write_result("ensembles", figures, {"members": "0 … N − 1"})


if __name__ == "__main__":
    main()
