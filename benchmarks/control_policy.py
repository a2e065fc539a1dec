"""The learnt controller's policy: controlled runs, which fit of them carries over, and the fit.

    python benchmarks/control_policy.py [--out FILE] [--cache FOLDER] [--no-write]

makes 3,552 controlled runs in some forty minutes of one core: small GANs as the library's builds
draw them, and convolutional GANs on digits. A first round draws all moves but those that begin
anew, a second one mostly follows the policy that the first one teaches, a third one begins anew as
well. Compared are, on runs that were left out,
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
from dlcc.control.learning.policy import SHIPPED, chosen, filled, gains_of
from dlcc.control.learning.situation import (
    DECISIONS,
    RECORD_FIGURES,
    SITUATION_FIGURES,
    Situation,
)
from dlcc.past_runs.build.controlled_runs import Choose, controlled, image_group, small_group
from dlcc.records import LABELS
from dlcc.typing import Floats

SMALL_GROUPS = {701: (0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 14)}
IMAGE_GROUPS = {711: (0, 1, 2, 3, 4)}
"""Seed -> groups of the first round, in which no training begins anew."""
FOLLOWING_GROUPS = {721: (0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 12, 14, 15)}
"""Those of the second round, which follow the first one's policy."""
SMALL_ANEW_GROUPS = {731: (0, 1, 2, 3, 5, 6, 8, 9, 11)}
IMAGE_ANEW_GROUPS = {741: (0, 1, 2, 3)}
P_ANEW = 0.3
"""Those of the third round, and the probability with which they begin anew at a decision."""
SMALL_SIZE, IMAGE_SIZE = 96, 32
FOLDS, BAGS = 2, 3
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


def round_of(
    kind: str,
    groups: Mapping[int, Sequence[int]],
    cache: Path | None,
    choose: Choose | None = None,
    anew: float = 0.0,
) -> list[ControlledRuns]:
    """Make the groups of a round, or read those that are made already."""
    return [
        made(kind, seed, group, cache, choose, anew)
        for seed, numbers in groups.items()
        for group in numbers
    ]


def made(
    kind: str, seed: int, group: int, cache: Path | None, choose: Choose | None, anew: float
) -> ControlledRuns:
    """Make a group of controlled runs, or read it."""
    path = None if cache is None else cache / f"{kind}-{seed}-{group}.npz"
    if path is not None and path.exists():
        return ControlledRuns.read(path)
    begun = time.process_time()
    draw, size = (image_group, IMAGE_SIZE) if kind == "image" else (small_group, SMALL_SIZE)
    rng = np.random.default_rng([seed, group, 7])
    runs = controlled(draw(seed, group, size), rng, choose, anew=anew)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        runs.save(path)
    print(f"{kind} {group}: {time.process_time() - begun:.0f} s", file=sys.stderr, flush=True)
    return runs


def all_rounds(cache: Path | None) -> list[ControlledRuns]:
    """Make the three rounds."""
    first = round_of("small", SMALL_GROUPS, cache) + round_of("image", IMAGE_GROUPS, cache)
    policy = policy_of(fit(ControlledRuns.joined(first)), SITUATION_FIGURES)

    def choose(seen: Situation, bounds: Mapping[str, Bounds]) -> int:
        """Move that the first round's policy advises, which knows of no beginning anew."""
        return policy.advise(seen, bounds, [k for k, m in enumerate(MOVES) if m.anew]).move

    return [
        *first,
        *round_of("small", FOLLOWING_GROUPS, cache, choose),
        *round_of("small", SMALL_ANEW_GROUPS, cache, anew=P_ANEW),
        *round_of("image", IMAGE_ANEW_GROUPS, cache, anew=P_ANEW),
    ]


Split = tuple[ControlledRuns, ControlledRuns]
"""Runs to fit on, and runs that are left out."""


def splits(runs: ControlledRuns) -> list[Split]:
    """Leave each part of the runs out once."""
    fold = np.random.default_rng(0).permutation(len(runs)) % FOLDS
    return [(some(runs, fold != k), some(runs, fold == k)) for k in range(FOLDS)]


def left_out(parts: Sequence[Split], figures: Sequence[str], grow: Grow) -> dict[str, Any]:
    """Fit on half of the runs, and say what holds on the others."""
    place = [SITUATION_FIGURES.index(name) for name in figures]
    errors, gains, acts = [], [], []
    for known, others in parts:
        fitted = fit(known, figures, grow, bags=BAGS)
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
    rounds = all_rounds(arguments.cache)
    runs = ControlledRuns.joined(rounds)
    parts = splits(runs)
    compared = {name: left_out(parts, *how) for name, how in FITS.items()}
    final = policy_of(fit(runs), SITUATION_FIGURES)
    final.save(arguments.out)
    figures = {
        "runs": len(runs),
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
    rounds_of = (SMALL_GROUPS, IMAGE_GROUPS, FOLLOWING_GROUPS, SMALL_ANEW_GROUPS, IMAGE_ANEW_GROUPS)
    seeds = {"rounds": [seed for groups in rounds_of for seed in groups], "folds and bags": 0}
    write_result("control_policy", figures, seeds=seeds)


if __name__ == "__main__":
    main()
