"""What advice does: failed settings after the first advice and within three, by fields changed.

    python benchmarks/mend.py --cache /tmp/mend --failed 60 --healthy 40

Settings that no library run has are drawn, trained and judged by the truth; of the first that
failed and the first that were healthy each gets advice (`dlcc.advice.advice`, which never sees
the truth), and what it says is trained with a new seed and judged by the truth: the three best
changes of one or two fields, the three best of any size. Beside it, from the same start: another
seed, both rates halved, and the best fixed remedies of the literature: both rates at 2e-3, and the
known good recipe. A healthy setting is harmed where its label gets worse. Settings done are kept in
--cache.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import write_result

from dlcc.advice.advice import advise
from dlcc.advice.catalogue.adversarial import SOUND_RATE
from dlcc.advice.change import MOST_FIELDS, Change
from dlcc.advice.remedies import GOOD_RECIPE
from dlcc.ensembles import by_shape, train_ensemble
from dlcc.health.definitions import sample_steps
from dlcc.past_runs.build.settings import draw_group
from dlcc.past_runs.build.simulation import judge_member, reference_of
from dlcc.past_runs.in_use import shipped_library
from dlcc.recipes import truth
from dlcc.recipes.small_gan.training import Config
from dlcc.records import LABELS
from dlcc.reruns.programs import EnsembleProgram
from dlcc.stage import Deadline

SEED, GROUP, SHOWN = 803, 20, 3
FAILED = ("collapsed", "oscillating", "diverged")
Setting = Mapping[str, Any]


def labels_of(configs: Sequence[Setting]) -> list[str]:
    """How trainings of these configurations end, by the truth."""
    found = [""] * len(configs)
    for members in by_shape(configs):
        part = [configs[i] for i in members]
        data, length = str(part[0]["data"]), int(part[0]["steps"])
        steps = sample_steps(length, truth.SAMPLE_STEPS)
        made = train_ensemble(part, length, sample_steps=steps, samples=truth.SAMPLES[data])
        for k, i in enumerate(members):
            rows, samples = made.member(k)
            found[i] = judge_member(data, length, rows, steps, samples).label
    return found


def settings(failed: int, healthy: int, cache: Path) -> tuple[list[Setting], list[Setting]]:
    """The first failed and the first healthy ones of the drawn settings."""
    chosen: tuple[list[Setting], list[Setting]] = ([], [])
    for group in _groups(cache):
        for config, label in group:
            if label in FAILED and len(chosen[0]) < failed:
                chosen[0].append(config)
            if label == "healthy" and len(chosen[1]) < healthy:
                chosen[1].append(config)
        if len(chosen[0]) >= failed and len(chosen[1]) >= healthy:
            return chosen
    raise AssertionError("groups never end")


def _groups(cache: Path) -> Iterator[list[tuple[Setting, str]]]:
    number = 0
    while True:
        file = cache / f"group-{number:03d}.json"
        if not file.exists():
            configs = [_whole(config) for config in draw_group(SEED, number, GROUP)]
            file.write_text(json.dumps(list(zip(configs, labels_of(configs), strict=True))))
        yield [(config, label) for config, label in json.loads(file.read_text())]
        number += 1


def _whole(config: Setting) -> dict[str, Any]:
    parsed = Config.parse(config)
    return {key: getattr(parsed, key) for key in Config.__dataclass_fields__}


def mend(config: Setting, number: int) -> dict[str, Any]:
    """Advice on one setting, and what became of it."""
    rng = np.random.default_rng([SEED, number])
    data = str(config["data"])
    advised = advise(
        config, int(config["steps"]), shipped_library(), EnsembleProgram(reference_of(data)),
        data=data, rng=rng, deadline=Deadline(3600),
    )  # fmt: skip
    small = [a.change for a in advised.ranked if a.change.size <= MOST_FIELDS][:SHOWN]
    anything = [a.change for a in advised.ranked][:SHOWN]
    rate = SOUND_RATE[str(config["optimizer"])]
    fixed = {
        "another_seed": Change({}),
        "half_rates": Change({"lr_g": config["lr_g"] / 2, "lr_d": config["lr_d"] / 2}),
        "sound_rates": Change({"lr_g": rate, "lr_d": rate}),
        "good_recipe": Change(dict(GOOD_RECIPE)),
    }
    changes = [*small, *anything, *fixed.values()]
    tried = [{**change.applied(config), "seed": int(rng.integers(2**31))} for change in changes]
    labels = labels_of(tried)
    return {
        "data": data,
        "small": labels[:SHOWN],
        "any": labels[SHOWN : 2 * SHOWN],
        "any_fields": [change.size for change in anything],
        "words": [change.words(config) for change in [*small, *anything]],
        "expected": [a.expected.mean for a in advised.ranked if a.change in small][:SHOWN],
        **dict(zip(fixed, labels[2 * SHOWN :], strict=True)),
    }


def kept(name: str, configs: Sequence[Setting], cache: Path) -> list[dict[str, Any]]:
    """Each setting's outcome, from the cache where it was made before."""
    rows = []
    for number, config in enumerate(configs):
        file = cache / f"{name}-{number:03d}.json"
        if not file.exists():
            file.write_text(json.dumps(mend(config, number)))
        rows.append(json.loads(file.read_text()))
        print(f"\r{name} {number + 1} of {len(configs)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return rows


def share(flags: Sequence[bool]) -> dict[str, float]:
    """A share with its 90 % interval (Jeffreys)."""
    from scipy.stats import beta

    hits, n = sum(flags), len(flags)
    low, high = beta.ppf([0.05, 0.95], hits + 0.5, n - hits + 0.5)
    return {"share": hits / max(1, n), "low": float(low), "high": float(high), "of": n}


def mended(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Shares of failed settings that became healthy."""
    fixed = ("another_seed", "half_rates", "sound_rates", "good_recipe")
    return {
        "small_first": share([r["small"][0] == "healthy" for r in rows]),
        "small_within_three": share(["healthy" in r["small"] for r in rows]),
        "any_first": share([r["any"][0] == "healthy" for r in rows]),
        "any_within_three": share(["healthy" in r["any"] for r in rows]),
        "any_first_fields_mean": float(np.mean([r["any_fields"][0] for r in rows])),
        **{name: share([r[name] == "healthy" for r in rows]) for name in fixed},
    }


def harmed(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Shares of healthy settings whose label got worse."""
    worse = {label: label != "healthy" for label in LABELS}
    return {
        "small_first": share([worse[r["small"][0]] for r in rows]),
        "any_first": share([worse[r["any"][0]] for r in rows]),
        "another_seed": share([worse[r["another_seed"]] for r in rows]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="folder for settings done")
    parser.add_argument("--failed", type=int, default=60)
    parser.add_argument("--healthy", type=int, default=40)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.cache.mkdir(parents=True, exist_ok=True)
    failed, healthy = settings(arguments.failed, arguments.healthy, arguments.cache)
    write_result(
        "mend",
        {
            "mended": mended(kept("failed", failed, arguments.cache)),
            "harmed": harmed(kept("healthy", healthy, arguments.cache)),
        },
        seeds={"settings": SEED},
    )


if __name__ == "__main__":
    main()
