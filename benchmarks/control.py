"""What a live controller mends and harms, held out, and what it costs a step.

    python benchmarks/control.py [--each 40] [--cache FOLDER]

Settings that the library never saw are drawn (corpus seed 901, ring, grid9 and digits in turn, of
one shape) and trained; those that failed and those that were healthy are trained again with another
seed, all arms with the same one:

- seed: nothing else; the control that every share is to be held against
- rules: the rules of thumb from the record alone, from the run's own settings
- steer: by past runs, on the way, while windows do not look good
- start: by past runs, before the first step, and nothing live
- start_default: the same within the default bounds, which leave the update ratio as it is
- started_rules: the same start, and the rules of thumb where windows do not look good

All five settings may change, within the usual bounds. Labels are the truth's. Writes
benchmarks/results/control.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
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
from scipy.stats import beta, binomtest

from dlcc.advice.prior import ConfigPrior
from dlcc.control.adjustable import MemberSettings, SmallGANSettings, usual_bounds
from dlcc.control.rule_controller import EVERY, RuleController, controller_for
from dlcc.ensembles.ensemble import QUANTITIES, Ensemble
from dlcc.health.definitions import sample_steps
from dlcc.past_runs.build.settings import DATA, STEPS, draw_setting
from dlcc.past_runs.build.simulation import judge_member
from dlcc.past_runs.in_use import shipped_library
from dlcc.past_runs.store import Library
from dlcc.recipes import truth
from dlcc.recipes.small_gan import training as small_gan
from dlcc.recipes.small_gan.family import sample_dtype

CORPUS_SEED = 901
POOL = 80  # settings of each data set from which the failing and the healthy ones are taken
SHAPE = {"width": 32, "depth": 2, "zdim": 8, "batch": 32}
FAILING = ("collapsed", "oscillating", "diverged")
WORSE = {"healthy": 0, "weak": 1, "oscillating": 2, "collapsed": 3, "diverged": 4}
ARMS = ("seed", "rules", "steer", "start", "start_default", "started_rules")
Config = Mapping[str, Any]


def settings_of(data: str) -> list[dict[str, Any]]:
    """The pool of a data set."""
    first = DATA.index(data)
    return [
        {**draw_setting(CORPUS_SEED, number, data), **SHAPE, "data": data}
        for number in range(first, len(DATA) * POOL, len(DATA))
    ]


def trained_labels(
    configs: Sequence[Config], attach: Callable[[Ensemble], Sequence[RuleController | None]]
) -> tuple[list[str], list[list[int]]]:
    """Train the configurations together, each under its controller: the truth's labels, and the
    rules by which each was adjusted."""
    data = str(configs[0]["data"])
    ensemble = Ensemble(configs)
    controllers = list(attach(ensemble))
    at = sample_steps(STEPS, truth.SAMPLE_STEPS)
    values = torch.empty(STEPS, len(QUANTITIES), len(ensemble))
    samples = []
    for step in range(STEPS + 1):
        if step in at:
            drawn = ensemble.sample(truth.SAMPLES[data], seed=step)
            samples.append(drawn.to(sample_dtype(data)))
        if step == STEPS:
            break
        values[step] = ensemble.step_values(step)
        if (step + 1) % EVERY == 0:
            window = values[step + 1 - EVERY : step + 1].double().permute(2, 1, 0).numpy()
            for member, controller in enumerate(controllers):
                if controller is not None:
                    controller.decide(step, dict(zip(QUANTITIES, window[member], strict=True)))
    taken = torch.stack(samples, dim=1).numpy()
    series = values.double().permute(2, 1, 0).numpy()
    labels = [
        judge_member(data, STEPS, dict(zip(QUANTITIES, series[i], strict=True)), at, taken[i]).label
        for i in range(len(configs))
    ]
    rules = [[] if c is None else [action.rule for action in c.actions] for c in controllers]
    return labels, rules


def attached(library: Library, data: str) -> Callable[[str, Ensemble, int], RuleController | None]:
    """arm, ensemble, member -> its controller."""
    prior = ConfigPrior.fit(library, data)

    def attach(arm: str, ensemble: Ensemble, i: int) -> RuleController | None:
        if arm == "seed":
            return None
        member = MemberSettings(ensemble, i)
        allowed = usual_bounds(member.settings())
        if arm == "rules":
            return RuleController(member, allowed)
        config = {k: getattr(ensemble.configs[i], k) for k in small_gan.Config.__dataclass_fields__}
        found = controller_for(
            member, config, library, prior=prior, start=arm != "steer",
            bounds=None if arm == "start_default" else allowed, rules=arm == "started_rules",
        )  # fmt: skip
        if arm.startswith("start") and arm != "started_rules":
            found.course, found.rules = None, ()  # the start alone, nothing live
        return found

    return attach


def chosen(labels: Sequence[str], wanted: Sequence[str], most: int) -> list[int]:
    """The first settings of the pool with one of these labels."""
    return [i for i, label in enumerate(labels) if label in wanted][:most]


def compare(data: str, each: int, library: Library, cache: Path | None) -> list[dict[str, Any]]:
    """One row a setting: its label, and that of every arm."""
    pool = settings_of(data)
    name = f"{data}-{len(library)}"
    labels, _ = kept(cache, f"{name}-pool", lambda: trained_labels(pool, lambda e: [None] * len(e)))
    print(data, dict(Counter(labels)), file=sys.stderr, flush=True)
    picked = chosen(labels, FAILING, each) + chosen(labels, ("healthy",), each)
    again = [{**pool[i], "seed": pool[i]["seed"] + 500_000} for i in picked]
    attach = attached(library, data)
    rows: list[dict[str, Any]] = [
        {"data": data, "before": labels[i], "after": {}, "actions": {}} for i in picked
    ]

    def train(arm: str) -> tuple[list[str], list[list[int]]]:
        return trained_labels(again, lambda e: [attach(arm, e, i) for i in range(len(e))])

    for arm in ARMS:
        ends, rules = kept(cache, f"{name}-{each}-{arm}", partial(train, arm))
        for row, end, acted in zip(rows, ends, rules, strict=True):
            row["after"][arm], row["actions"][arm] = end, acted
    return rows


def kept(
    cache: Path | None, name: str, train: Callable[[], tuple[list[str], list[list[int]]]]
) -> tuple[list[str], list[list[int]]]:
    """What was trained already, or is now."""
    path = None if cache is None else cache / f"{name}.json"
    if path is not None and path.exists():
        labels, rules = json.loads(path.read_text())
        return labels, rules
    made = train()
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made))
    return made


def share(hits: int, total: int) -> dict[str, Any]:
    """A share with its Jeffreys interval, 90 %."""
    low, high = beta.ppf([0.05, 0.95], hits + 0.5, total - hits + 0.5)
    return {"share": hits / total, "low": float(low), "high": float(high), "of": total}


def paired(a: Sequence[bool], b: Sequence[bool], seed: int = 0) -> dict[str, Any]:
    """b less a: difference of shares, bootstrap 90 % interval over settings, exact McNemar."""
    x, y = np.array(a, dtype=float), np.array(b, dtype=float)
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(x), size=(4000, len(x)))
    low, high = np.quantile((y - x)[draws].mean(axis=1), [0.05, 0.95])
    won, lost = int((y > x).sum()), int((y < x).sum())
    p = binomtest(won, won + lost).pvalue if won + lost else 1.0
    return {
        "difference": float((y - x).mean()), "low": float(low), "high": float(high),
        "won": won, "lost": lost, "mcnemar_p": float(p),
    }  # fmt: skip


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Shares mended and harmed of every arm, and the pairs that matter."""
    failing = [row for row in rows if row["before"] in FAILING]
    healthy = [row for row in rows if row["before"] == "healthy"]
    mended = {arm: [row["after"][arm] == "healthy" for row in failing] for arm in ARMS}
    harmed = {arm: [row["after"][arm] != "healthy" for row in healthy] for arm in ARMS}
    figures: dict[str, Any] = {"failing": len(failing), "healthy": len(healthy), "arms": {}}
    for arm in ARMS:
        acted = [row["actions"][arm] for row in rows]
        figures["arms"][arm] = {
            "mended": share(sum(mended[arm]), len(failing)),
            "harmed": share(sum(harmed[arm]), len(healthy)),
            "mended_by_data": {
                data: round(
                    float(np.mean([r["after"][arm] == "healthy" for r in failing
                                   if r["data"] == data])), 3)
                for data in sorted({r["data"] for r in failing})
            },
            "ends_of_failing": dict(Counter(row["after"][arm] for row in failing)),
            "actions_a_run": float(np.mean([len(a) for a in acted])),
            "adjusted": {
                "failing": sum(bool(r["actions"][arm]) for r in failing),
                "healthy": sum(bool(r["actions"][arm]) for r in healthy),
            },
            "rules": dict(Counter(str(rule) for a in acted for rule in a)),
        }  # fmt: skip
    pairs = [("seed", arm) for arm in ARMS[1:]] + [("start", "started_rules")]
    figures["mended_paired"] = {f"{b} less {a}": paired(mended[a], mended[b]) for a, b in pairs}
    figures["harmed_paired"] = {f"{b} less {a}": paired(harmed[a], harmed[b]) for a, b in pairs}
    return figures


def step_cost(library: Library, steps: int = 2500, rounds: int = 5) -> dict[str, float]:
    """CPU time of live steps with a controller, relative to those without.

    Both trainings go on by turns of 100 steps, so that a busy machine slows both alike.
    """
    ratios, plain = [], []
    for round_ in range(rounds):
        trainings = [small_gan.build({"data": "ring", "seed": round_}) for _ in range(2)]
        controller = RuleController(SmallGANSettings(trainings[1]), good=library.good)
        spent = [0.0, 0.0]
        for first in range(0, steps, 100):
            order = (0, 1) if first // 100 % 2 else (1, 0)
            for which in order:
                begun = time.process_time()
                for step in range(first, first + 100):
                    row = trainings[which].step(step)
                    if which:
                        controller.watch(step, row)
                spent[which] += time.process_time() - begun
        ratios.append(spent[1] / spent[0])
        plain.append(spent[0] / steps * 1e6)
    return {
        "ratio_median": statistics.median(ratios), "ratio_min": min(ratios),
        "ratio_max": max(ratios), "microseconds_a_plain_step": statistics.median(plain),
    }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--each", type=int, default=40, help="failing and healthy settings")
    parser.add_argument("--cache", type=Path, help="folder for what is trained already")
    parser.add_argument("--no-write", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    library = shipped_library()
    rows = []
    for k, data in enumerate(DATA):
        each = arguments.each // len(DATA) + (k < arguments.each % len(DATA))
        rows += compare(data, each, library, arguments.cache)
    figures = summary(rows) | {"step_cost": step_cost(library), "library_runs": len(library)}
    if arguments.no_write:
        print(json.dumps(figures, indent=1))
        return
    write_result("control", figures, seeds={"settings": CORPUS_SEED, "bootstrap": 0})


if __name__ == "__main__":
    main()
