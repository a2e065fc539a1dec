"""Jobs for benchmarks/engine.py, which nodes of a cluster import."""

from __future__ import annotations

from dlcc.engine.jobs import Job
from dlcc.past_runs.build.part_files import part_of
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import simulate


def small_ensemble(seed: int, steps: int) -> bytes:
    """Train four small GANs for some steps, and keep what a library needs of them."""
    configs = [{**config, "steps": steps} for config in draw_group(seed, 0, 4)]
    return part_of(simulate(configs))


def nothing(number: int) -> bytes:
    """Do nothing: what is left is the engine's own cost."""
    return b"%d" % number


def jobs(number: int, steps: int) -> list[Job]:
    """Trainings that take seconds each."""
    return [Job(small_ensemble, {"seed": seed, "steps": steps}) for seed in range(number)]


def empty_jobs(number: int) -> list[Job]:
    """Jobs that do nothing."""
    return [Job(nothing, {"number": k}) for k in range(number)]
