"""What the forecast saves as a pruner of a search, beside Optuna's MedianPruner.

    python benchmarks/tuning.py --seed COMMIT

Sixty random settings of small GANs (both rates, β1, R1) are trained on each of three data sets. A
search goes through them in a random order and pauses each at a quarter, a half and three quarters,
as `dlcc tune` does. It has arrived when it has trained to its end a setting within 0.02 of the best
quality of all sixty. The compute until then, in whole trainings, is that of the steps of all
settings on the way; where the pruner stopped all that were good enough, that of the whole search.
Both pruners see the same predictions, over the same thousand orders.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import xxhash
from common import write_result
from numpy.typing import NDArray

from dlcc.estimate import Estimate
from dlcc.forecast.stopping import COST, stopping
from dlcc.past_runs.build.simulation import reference_of
from dlcc.past_runs.in_use import shipped_library
from dlcc.recipes.small_gan.training import Config
from dlcc.records import Series
from dlcc.reruns.outcome import Judge, Recorded, steps_to_sample
from dlcc.reruns.plan import Rerun
from dlcc.reruns.pool import Paused
from dlcc.reruns.prediction import Predictor
from dlcc.reruns.programs import EnsembleProgram
from dlcc.stage import Deadline
from dlcc.tuning import quality

DATA, TRIALS, LENGTH, ORDERS = ("ring", "grid9", "digits"), 60, 2500, 1000
PAUSES, NEAR, STARTUP = (0.25, 0.5, 0.75), 0.02, 5
Table = NDArray[np.float64]
Pruner = Callable[[Sequence[int], int, int], bool]
"""Whether a pruner stops a trial: trials that were whole before, the trial, number of the pause."""


def drawn(data: str, number: int, seed: str) -> dict[str, Any]:
    """A random setting, as a search over `space_of` would draw it."""
    key = f"{seed} {data} {number}".encode()
    rng = np.random.default_rng(xxhash.xxh3_64_intdigest(key))
    given = {
        "data": data, "steps": LENGTH, "seed": int(rng.integers(2**31)),
        "lr_g": 1e-3 * 30 ** rng.uniform(-1, 1), "lr_d": 4e-3 * 30 ** rng.uniform(-1, 1),
        "beta1": rng.uniform(0, 0.9), "r1": 10 ** rng.uniform(-3, 1.4),
    }  # fmt: skip
    parsed = Config.parse(given)
    return {name: getattr(parsed, name) for name in Config.__dataclass_fields__}


def cut(recorded: Recorded, done: int) -> Recorded:
    """Record of a training as it was before a step."""
    columns = {n: c.values[:done] for n, c in recorded.series.columns.items()}
    seen = sum(step <= done for step in steps_to_sample(LENGTH))
    return Recorded(Series.from_start(columns), recorded.samples[:seen])


def trained(data: str, seed: str) -> tuple[Table, list[list[Estimate]]]:
    """Quality [60] of the settings, and predictions at each pause."""
    configs = [drawn(data, number, seed) for number in range(TRIALS)]
    program = EnsembleProgram(reference_of(data))
    plan = [Rerun("setting", config) for config in configs]
    made = program.run(plan, LENGTH, Deadline(3600), lambda share, what: None)
    predictor = Predictor(Judge(shipped_library(), program.reference))
    steps = steps_to_sample(LENGTH)
    pauses = [min(steps, key=lambda s, p=p: abs(s - p * LENGTH)) for p in PAUSES]
    found = np.array([quality(predictor, Paused(LENGTH, r), LENGTH) for r in made])
    predictions = [
        [predictor(cut(r, done), done, LENGTH, config) for done in pauses]
        for r, config in zip(made, configs, strict=True)
    ]
    return found, predictions


def pruners(predictions: list[list[Estimate]]) -> dict[str, Pruner]:
    means = np.array([[estimate.mean for estimate in row] for row in predictions])

    def forecast(before: Sequence[int], trial: int, pause: int) -> bool:
        return stopping(predictions[trial][pause], PAUSES[pause], COST).action == "stop"

    def median(before: Sequence[int], trial: int, pause: int) -> bool:
        """Optuna's: below the median of what whole trials reported there, after five of them."""
        if len(before) < STARTUP:
            return False
        return bool(means[trial, pause] < np.median(means[list(before), pause]))

    return {"forecast": forecast, "median": median, "none": lambda *_: False}


def compute(order: Sequence[int], found: Table, stops: Pruner) -> tuple[float, bool]:
    """Trainings' worth of steps until a setting nearly as good as the best, and whether it came."""
    goal, spent = found.max() - NEAR, 0.0
    whole: list[int] = []
    for trial in order:
        stopped = next((p for p in range(len(PAUSES)) if stops(whole, trial, p)), None)
        spent += 1.0 if stopped is None else PAUSES[stopped]
        if stopped is not None:
            continue
        whole.append(trial)
        if found[trial] >= goal:
            return spent, True
    return spent, False


def compared(data: str, seed: str) -> dict[str, Any]:
    found, predictions = trained(data, seed)
    rng = np.random.default_rng(0)
    orders = [list(rng.permutation(TRIALS)) for _ in range(ORDERS)]
    result: dict[str, Any] = {
        "best": float(found.max()),
        "good_enough": int((found >= found.max() - NEAR).sum()),
    }
    spent = {}
    for name, stops in pruners(predictions).items():
        rows = [compute(order, found, stops) for order in orders]
        spent[name] = np.array([row[0] for row in rows])
        result[name] = {
            "trainings": float(spent[name].mean()),
            "reached": float(np.mean([row[1] for row in rows])),
        }
    for other in ("median", "none"):
        result[f"forecast_over_{other}"] = float(spent["forecast"].mean() / spent[other].mean())
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", required=True, help="hash of the frozen commit")
    seed = parser.parse_args().seed
    torch.set_num_threads(1)
    write_result("tuning", {data: compared(data, seed) for data in DATA}, seeds={"settings": seed})


if __name__ == "__main__":
    main()
