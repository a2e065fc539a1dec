"""The learnt controller's policy: controlled runs, which fit of them carries over, and the fit.

    python benchmarks/control_policy.py [--out FILE] [--cache FOLDER] [--no-write]

makes some two thousand controlled runs in half an hour of one core: small GANs as the library's
builds draw them, and convolutional GANs on digits. A first round draws all moves, a second one
mostly follows the policy that the first one teaches. Compared are, on runs that were left out,
boosted trees and extra trees, on figures without scale alone and on those with the settings: the
squared error of how runs end, and, by the doubly robust estimate (Dudik 2011) with the known
probabilities of the moves, what a decision of the policy gains over changing nothing, where
everybody goes on at random afterwards.

The policy is fitted on all runs and written to FILE. Writes benchmarks/results/control_policy.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result

from dlcc.control.adjustable import Bounds
from dlcc.control.learning.controlled_runs import ControlledRuns
from dlcc.control.learning.fitting import Grow, fit, grow_trees, policy_of, worth
from dlcc.control.learning.moves import MOVES, NOTHING
from dlcc.control.learning.policy import SHIPPED, Policy, chosen, filled, gains_of
from dlcc.control.learning.situation import (
    DECISIONS,
    RECORD_FIGURES,
    SITUATION_FIGURES,
    Situation,
)
from dlcc.past_runs.build.controlled_runs import Choose, controlled, image_group, small_group
from dlcc.records import LABELS
from dlcc.typing import Floats

SMALL, IMAGES, FOLLOWING = 701, 711, 721
"""Seeds of the first round's small GANs and GANs on images, and of the second round's."""
SMALL_GROUPS: Sequence[int] = ()
IMAGE_GROUPS: Sequence[int] = ()
FOLLOWING_GROUPS: Sequence[int] = ()
SMALL_SIZE, IMAGE_SIZE = 96, 32
FOLDS, BAGS = 3, 8
Z90 = 1.645


def grow_extra(seed: int) -> Any:
    """Make extra trees (Geurts 2006), in place of boosted ones."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(20, min_samples_leaf=5, random_state=seed)


FITS: Mapping[str, tuple[Sequence[str], Grow]] = {
    "boosted, without scale": (RECORD_FIGURES, grow_trees),
    "boosted, and settings": (SITUATION_FIGURES, grow_trees),
    "extra trees, and settings": (SITUATION_FIGURES, grow_extra),
}


def first_round(cache: Path | None) -> list[ControlledRuns]:
    """Runs whose moves are all drawn."""
    small = [made("small", SMALL, group, cache, None) for group in SMALL_GROUPS]
    return small + [made("image", IMAGES, group, cache, None) for group in IMAGE_GROUPS]


def second_round(cache: Path | None, policy: Policy) -> list[ControlledRuns]:
    """Runs that mostly follow a policy."""

    def choose(seen: Situation, bounds: Mapping[str, Bounds]) -> int:
        """Move that the policy advises."""
        return policy.advise(seen, bounds).move

    return [made("small", FOLLOWING, group, cache, choose) for group in FOLLOWING_GROUPS]


def made(
    kind: str, seed: int, group: int, cache: Path | None, choose: Choose | None
) -> ControlledRuns:
    """Make a group of controlled runs, or read it."""
    path = None if cache is None else cache / f"{kind}-{seed}-{group}.npz"
    if path is not None and path.exists():
        return ControlledRuns.read(path)
    begun = time.process_time()
    draw, size = (image_group, IMAGE_SIZE) if kind == "image" else (small_group, SMALL_SIZE)
    runs = controlled(draw(seed, group, size), np.random.default_rng([seed, group, 7]), choose)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        runs.save(path)
    print(f"{kind} {group}: {time.process_time() - begun:.0f} s", file=sys.stderr, flush=True)
    return runs


def left_out(runs: ControlledRuns, figures: Sequence[str], grow: Grow) -> dict[str, Any]:
    """Fit on two thirds of the runs, and say what holds on the others."""
    fold = np.random.default_rng(0).permutation(len(runs)) % FOLDS
    place = [SITUATION_FIGURES.index(name) for name in figures]
    errors, gains, acts = [], [], []
    for k in range(FOLDS):
        fitted = fit(some(runs, fold != k), figures, grow, bags=BAGS)
        others = some(runs, fold == k)
        y = worth(others)
        for decision in range(len(DECISIONS)):
            x = filled(others.situations[:, decision][:, place])
            worths = fitted.worths(x, others.possible_changes[:, decision])
            error, gain, act = judged(worths, others, decision, y)
            errors.append(error)
            gains.append(gain)
            acts.append(act)
    gain = np.concatenate(gains)
    return {
        "squared_error": float(np.mean(np.concatenate(errors))),
        "acts": float(np.mean(np.concatenate(acts))),
        "gain_of_a_decision": float(gain.mean()),
        "90_percent_half_width": float(Z90 * gain.std() / np.sqrt(len(gain))),
    }


def judged(
    worths: Floats, runs: ControlledRuns, decision: int, y: Floats
) -> tuple[Floats, Floats, Floats]:
    """Squared error, doubly robust gain, and whether the policy acts, [n] each."""
    mean, row = worths.mean(axis=0), np.arange(len(y))
    move, done = chosen(*gains_of(worths)), runs.moves[:, decision]
    off = (y - mean[row, done]) / runs.probabilities[:, decision]
    gain = (
        mean[row, move]
        - mean[:, NOTHING]
        + off * ((done == move).astype(float) - (done == NOTHING))
    )
    return (y - mean[row, done]) ** 2, gain, (move != NOTHING).astype(float)


def some(runs: ControlledRuns, mask: Any) -> ControlledRuns:
    """Select runs by a mask [n]."""
    return ControlledRuns(**{f.name: getattr(runs, f.name)[mask] for f in fields(runs)})


def main() -> None:
    """Make what is not made yet, compare, fit and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=SHIPPED, help="file of the policy")
    parser.add_argument("--cache", type=Path, help="folder for runs that are made already")
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    first = first_round(arguments.cache)
    drawn = ControlledRuns.joined(first)
    policy = policy_of(fit(drawn, bags=BAGS), SITUATION_FIGURES)
    runs = ControlledRuns.joined([*first, *second_round(arguments.cache, policy)])
    compared = {name: left_out(runs, *how) for name, how in FITS.items()}
    final = policy_of(fit(runs), SITUATION_FIGURES)
    final.save(arguments.out)
    figures = {
        "runs": {"first round": len(drawn), "both rounds": len(runs)},
        "labels": dict(zip(LABELS, np.bincount(runs.labels, minlength=5).tolist(), strict=True)),
        "moves": {
            move.name: int(n)
            for move, n in zip(
                MOVES, np.bincount(runs.moves.ravel(), minlength=len(MOVES)), strict=True
            )
        },
        "left_out": compared,
        "bytes": arguments.out.stat().st_size,
    }
    if arguments.no_write:
        print(json.dumps(figures, indent=1))
        return
    seeds = {"first round": [SMALL, IMAGES], "second round": FOLLOWING, "folds and bags": 0}
    write_result("control_policy", figures, seeds=seeds)


if __name__ == "__main__":
    main()
