"""Traces of the truth of small GANs among the past runs, by training these again.

    python benchmarks/traces_anew.py --work FOLDER --groups 12

The past runs that ship know coverage and quality over time of GANs on images alone. The same
ensembles trained again give the rest; whether stability and quarters come out as they were is kept
beside. Other scripts read FOLDER/traces.npz.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from dlcc.ensembles import train_ensemble
from dlcc.health.definitions import sample_steps
from dlcc.past_runs.build.past_run import next_quarters, traces_of
from dlcc.past_runs.build.settings import SEEDS_APART
from dlcc.past_runs.build.simulation import OVERTRAIN, judge_member
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import Library
from dlcc.recipes import truth

OF_A_GROUP = 1_000  # seeds of the members of one ensemble


def ensembles(past: Library) -> list[NDArray[np.int64]]:
    """Runs that were trained together, in their order; recorded runs are none."""
    members: dict[int, list[int]] = {}
    for k, config in enumerate(past.configs):
        members.setdefault(int(config["seed"]) // OF_A_GROUP, []).append(k)
    build = [k // (SEEDS_APART // OF_A_GROUP) for k in members]
    seed = max(set(build), key=build.count)
    return [
        np.array(group) for of, group in zip(build, members.values(), strict=True) if of == seed
    ]


def main() -> None:
    """Train, judge and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--groups", type=int, default=12, help="ensembles to train, of 56 runs")
    options = parser.parse_args()
    torch.set_num_threads(1)
    past = shipped_library().untampered.as_given
    runs, traces, good, same = [], [], [], []
    for group in ensembles(past)[: options.groups]:
        configs = [past.configs[k] for k in group]
        length, data = int(configs[0]["steps"]), str(past.data[group[0]])
        trained = train_ensemble(
            configs,
            steps=round(length * OVERTRAIN),
            sample_steps=sample_steps(length, truth.SAMPLE_STEPS, OVERTRAIN),
            samples=truth.SAMPLES[data],
        )
        for i, k in enumerate(group):
            rows, samples = trained.member(i)
            judged = judge_member(data, length, rows, trained.sample_steps, samples)
            runs.append(k)
            traces.append(traces_of(judged))
            good.append(judged.good)
            quarters = next_quarters(judged.good)
            same.append(
                abs(judged.stability - past.stability[k]) < 1e-3
                and np.allclose(quarters, past.next_quarter[k], atol=1e-3)
            )
        print(data, len(runs), sum(same), flush=True)
    options.work.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        options.work / "traces.npz",
        first_rows=past.first_rows[runs],
        settings=past.settings[runs],
        traces=np.array(traces),
        good=np.array(good),
        same=np.array(same),
    )


if __name__ == "__main__":
    main()
