"""What live control mends and harms on three families of GANs, against what needs no control.

    python benchmarks/live_control.py --draw HASH [--family small|image|akde] [--cache FOLDER]

Settings are drawn by the hash of the commit that froze the policy, so that nothing was tuned on
them. They are trained once to tell which fail and which are healthy; those are trained again with
another seed, all arms with the same one:

- seed: nothing else; what every share is to be held against
- halved: both learning rates halved
- usual: usual rates, even updates and R1 before the first step, whatever the settings are; of small
  GANs alone
- start: begun where past runs did well, before the first step, nothing live
- rules: the rules of thumb, live, from the run's own settings
- learnt: the learnt policy, live, from the run's own settings
- learnt_at_start: the settings that `learnt` ended with, from the first step on; its static start
- start_learnt: begun where past runs did well, and the learnt policy live

All settings that a family offers may change, within the usual bounds. Labels are the truth's.
Families: small GANs (ring, grid9, digits; 2,500 steps), convolutional GANs on digits (500 steps,
width 8; rates and R1), and `akde-dcgan` (300 steps, width 8, batch 16, no batch norm in the
discriminator) from four bad starts and from its fixed recipe's, with two seeds each.
Writes benchmarks/results/live_control.json.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result
from control import paired, share

from dlcc.advice.prior import ConfigPrior
from dlcc.control.adjustable import ImageGANSettings, bounds_of, usual_bounds
from dlcc.control.learning.moves import MOVES, moved
from dlcc.control.learning.policy import Policy
from dlcc.control.learning.situation import WINDOWS
from dlcc.control.learnt_controller import LearntController
from dlcc.control.rule_controller import RuleController
from dlcc.control.settings_controller import SettingsController
from dlcc.control.steering import choose_target
from dlcc.past_runs.build.controlled_runs import draw_image_setting
from dlcc.past_runs.build.ensembled import Ensembled
from dlcc.past_runs.build.settings import DATA, draw_setting
from dlcc.past_runs.in_use import shipped_library
from dlcc.recipes import truth
from dlcc.recipes.data.images import smallest
from dlcc.recipes.image_gans import akde_dcgan
from dlcc.typing import Floats

ARMS = (
    "seed", "halved", "usual", "start", "rules", "learnt", "learnt_at_start", "start_learnt",
)  # fmt: skip
LEFT_OUT: Mapping[str, Sequence[str]] = {"image": ("usual",), "akde": ("usual",)}
"""Arms that a family does without, for the time that they take."""
FAILING = ("collapsed", "oscillating", "diverged")
SMALL_SHAPE = {"width": 32, "depth": 2, "zdim": 8, "batch": 32}
POOL = {"small": 80, "image": 44}  # settings: of each data set, and in all
EACH = {"small": 42, "image": 16}
AKDE_SHAPE = {"width": 8, "batch": 16, "steps": 300, "norm": "none"}
AKDE_STARTS: Mapping[str, Mapping[str, Any]] = {
    "slow": {"lr": 2e-4, "r1": 0.01},
    "slower": {"lr": 5e-5, "r1": 0.0},
    "fast": {"lr": 5e-2, "r1": 0.1},
    "uneven": {"lr": 2e-4, "rate_ratio": 16.0},
    "fixed": {"recipe": "fixed"},
}
AKDE_SEEDS = 2
AKDE_DATA = "digits"
USUAL = next(move for move in MOVES if move.name == "usual rates and R1")
Config = Mapping[str, Any]
Settings = Mapping[str, float]
FIELDS = ("lr_g", "lr_d", "r1", "g_every", "d_every")


# --- families -------------------------------------------------------------------------------------


def together(kind: str, configs: Sequence[Config]) -> Ensembled:
    """Put trainings of a family together; those of `akde-dcgan` one by one."""
    if kind == "small":
        return Ensembled.small(configs)
    return Ensembled.on_digits(configs) if kind == "image" else akde_together(configs)


def akde_together(configs: Sequence[Config]) -> Ensembled:
    """Trainings of `akde-dcgan`, one after the other in every step; samples are of the averages."""
    trainings = [akde_dcgan.build({"ema": akde_dcgan.DECAY, **config}) for config in configs]
    names = ("discriminator/real", "discriminator/fake", "discriminator/loss",
             "discriminator/grad_norm", "generator/loss", "generator/grad_norm")  # fmt: skip

    def step_values(step: int) -> torch.Tensor:
        """Train each for a step."""
        rows = [training.step(step) for training in trainings]
        return torch.tensor([[row[name] for row in rows] for name in names])

    def samples(step: int) -> Any:
        """Samples of each as 8×8 digits."""
        drawn = [2 * t.sample(truth.SAMPLES["digits"], step).numpy()[:, 0] - 1 for t in trainings]
        return np.array([smallest(images) for images in drawn])

    members = [ImageGANSettings(training) for training in trainings]
    return Ensembled(configs, AKDE_DATA, names, members, step_values, samples)


def pool_of(kind: str, draw: int) -> list[list[dict[str, Any]]]:
    """Settings of a family, in groups that train together."""
    if kind == "image":
        return [[draw_image_setting(draw, number) for number in range(POOL["image"])]]
    if kind == "akde":
        rng = np.random.default_rng([draw, 3])
        seeds = [int(seed) for seed in rng.integers(1 << 30, size=AKDE_SEEDS)]
        starts = AKDE_STARTS.values()
        return [[{**AKDE_SHAPE, **start, "seed": seed} for start in starts for seed in seeds]]
    return [
        [
            {**draw_setting(draw, number, data), **SMALL_SHAPE, "data": data}
            for number in range(first, len(DATA) * POOL["small"], len(DATA))
        ]
        for first, data in enumerate(DATA)
    ]


# --- arms -----------------------------------------------------------------------------------------


class Arms:
    """Arms of a family: what each does before the first step, and live."""

    def __init__(self, kind: str, policy: Policy) -> None:
        self.kind, self.policy = kind, policy
        self._library = shipped_library()
        self._priors: dict[str, ConfigPrior] = {}

    def trained(
        self, arm: str, configs: Sequence[Config], starts: Sequence[Settings] | None = None
    ) -> list[dict[str, Any]]:
        """Train configurations under an arm: label, settings at the end, and live actions."""
        game = together(self.kind, configs)
        first = [dict(member.settings()) for member in game.members]
        for i, member in enumerate(game.members):
            start = starts[i] if starts is not None else self._start(arm, configs[i], first[i])
            different = {f: v for f, v in start.items() if v != first[i][f]}
            if different:
                member.adjust(**different)
        controllers = [self._controller(arm, game, i) for i in range(len(configs))]
        every = game.length // WINDOWS

        def look(step: int, values: Floats) -> None:
            """Show each controller its window."""
            for i, controller in enumerate(controllers):
                if controller is not None:
                    rows = dict(zip(game.quantities, values[:, i], strict=True))
                    controller.decide(step, rows)

        ends = game.train(every, look)
        return [
            {
                "label": end.label,
                "good": end.good,
                "settings": dict(member.settings()),
                "actions": [] if c is None else [[a.step, a.rule] for a in c.actions],
            }
            for end, member, c in zip(ends, game.members, controllers, strict=True)
        ]

    def _start(self, arm: str, config: Config, now: Settings) -> dict[str, float]:
        """Settings that an arm begins with, of those that it changes."""
        bounds = bounds_of(now, usual_bounds(now))
        if arm == "halved":
            return {f: v / 2 for f, v in now.items() if f.startswith("lr_")}
        if arm == "usual":
            return moved(now, USUAL, bounds, str(config.get("optimizer", "adam")))
        if arm in ("start", "start_learnt"):
            target = choose_target(self._prior(config), config, now, bounds)
            return {} if target is None else dict(target.target)
        return {}

    def _prior(self, config: Config) -> ConfigPrior:
        """P(healthy) of configurations by past runs."""
        data = str(config.get("data", AKDE_DATA)) if self.kind == "small" else None
        key = str(data)
        if key not in self._priors:
            self._priors[key] = ConfigPrior.fit(self._library, data)
        return self._priors[key]

    def _controller(self, arm: str, game: Ensembled, i: int) -> SettingsController | None:
        """Live controller of an arm, or none."""
        member = game.members[i]
        bounds = usual_bounds(member.settings())
        if arm == "rules":
            return RuleController(member, bounds, every=game.length // WINDOWS)
        if arm in ("learnt", "start_learnt"):
            return LearntController(
                member, self.policy, length=game.length, config=game.configs[i], bounds=bounds
            )
        return None


def compare(kind: str, draw: int, policy: Policy, cache: Path | None) -> list[dict[str, Any]]:
    """One row a setting: its label, and what came of every arm."""
    arms, rows = Arms(kind, policy), []
    for number, pool in enumerate(pool_of(kind, draw)):
        name = f"{kind}-{number}"
        ends = kept(cache, f"{name}-pool", partial(arms.trained, "seed", pool))
        labels = [end["label"] for end in ends]
        print(name, dict(Counter(labels)), file=sys.stderr, flush=True)
        picked = picked_of(kind, labels, number)
        again = [{**pool[i], "seed": pool[i]["seed"] + 500_000} for i in picked]
        made: list[dict[str, Any]] = [
            {"data": pool[i].get("data", kind), "before": labels[i], "config": pool[i], "arms": {}}
            for i in picked
        ]
        for arm in arms_of(kind):
            starts = None
            if arm == "learnt_at_start":
                starts = [row["arms"]["learnt"]["settings"] for row in made]
            train = partial(arms.trained, arm, again, starts)
            found = kept(cache, f"{name}-{arm}", train)
            for row, end in zip(made, found, strict=True):
                row["arms"][arm] = end
        rows += made
    return rows


def picked_of(kind: str, labels: Sequence[str], number: int) -> list[int]:
    """The first failing and healthy settings of a pool, as many as are asked for; of `akde` all."""
    if kind == "akde":
        return list(range(len(labels)))
    each = EACH[kind]
    if kind == "small":
        each = each // len(DATA) + (number < each % len(DATA))
    failing = [i for i, label in enumerate(labels) if label in FAILING][:each]
    return failing + [i for i, label in enumerate(labels) if label == "healthy"][:each]


def kept(
    cache: Path | None, name: str, train: Callable[[], list[dict[str, Any]]]
) -> list[dict[str, Any]]:
    """What was trained already, or is now."""
    path = None if cache is None else cache / f"{name}.json"
    if path is not None and path.exists():
        found: list[dict[str, Any]] = json.loads(path.read_text())
        return found
    begun = time.process_time()
    made = train()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made))
    print(f"{name}: {time.process_time() - begun:.0f} s", file=sys.stderr, flush=True)
    return made


def arms_of(kind: str) -> list[str]:
    """Arms of a family."""
    return [arm for arm in ARMS if arm not in LEFT_OUT.get(kind, ())]


# --- figures --------------------------------------------------------------------------------------

PAIRS = (
    ("seed", "halved"), ("seed", "usual"), ("seed", "start"), ("seed", "rules"),
    ("seed", "learnt"), ("seed", "start_learnt"), ("learnt_at_start", "learnt"),
    ("usual", "learnt"), ("start", "learnt"), ("start", "start_learnt"),
)  # fmt: skip


def summary(kind: str, rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Shares mended and harmed of every arm with 90 % intervals, and the pairs that matter."""
    arms = arms_of(kind)
    failing = [row for row in rows if row["before"] in FAILING]
    healthy = [row for row in rows if row["before"] == "healthy"]
    mended = {a: [r["arms"][a]["label"] == "healthy" for r in failing] for a in arms}
    harmed = {a: [r["arms"][a]["label"] != "healthy" for r in healthy] for a in arms}
    figures: dict[str, Any] = {
        "failing": len(failing), "healthy": len(healthy), "arms": {},
        "failing_by": dict(Counter(row["before"] for row in failing)),
    }  # fmt: skip
    for arm in arms:
        figures["arms"][arm] = {
            "mended": share(sum(mended[arm]), len(failing)),
            "harmed": share(sum(harmed[arm]), len(healthy)) if healthy else None,
            "mended_by_data": of_data(failing, mended[arm]),
            "acted_on": {
                "failing": sum(bool(r["arms"][arm]["actions"]) for r in failing),
                "healthy": sum(bool(r["arms"][arm]["actions"]) for r in healthy),
            },
            "actions_a_run": float(np.mean([len(r["arms"][arm]["actions"]) for r in rows])),
        }
    pairs = [(a, b) for a, b in PAIRS if a in arms and b in arms]
    figures["mended_paired"] = {f"{b} less {a}": paired(mended[a], mended[b]) for a, b in pairs}
    if healthy:
        figures["harmed_paired"] = {f"{b} less {a}": paired(harmed[a], harmed[b]) for a, b in pairs}
    return figures


def of_data(failing: Sequence[Mapping[str, Any]], mended: Sequence[bool]) -> dict[str, str]:
    """How many of each data set's failing settings were mended."""
    data = [row["data"] for row in failing]
    hits = Counter(d for d, hit in zip(data, mended, strict=True) if hit)
    return {d: f"{hits[d]} of {n}" for d, n in sorted(Counter(data).items())}


def main() -> None:
    """Train what is not trained yet, compare, and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", required=True, help="hash of the commit that froze the policy")
    parser.add_argument("--family", nargs="*", default=["small", "image", "akde"])
    parser.add_argument("--policy", type=Path, help="default: the one that ships")
    parser.add_argument("--cache", type=Path, help="folder for what is trained already")
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    policy = Policy.read(arguments.policy) if arguments.policy else Policy.shipped()
    draw = int(arguments.draw[:8], 16)
    figures = {k: summary(k, compare(k, draw, policy, arguments.cache)) for k in arguments.family}
    if arguments.no_write:
        print(json.dumps(figures, indent=1))
        return
    write_result("live_control", figures, seeds={"settings": arguments.draw, "bootstrap": 0})


if __name__ == "__main__":
    main()
