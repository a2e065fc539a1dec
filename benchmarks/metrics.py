"""Memory and time of the metrics, on random features.

    OMP_NUM_THREADS=1 python benchmarks/metrics.py

Memory: each metric in a process of its own on two float32 arrays of ROWS × FEATURES; by how much
the peak of its resident memory passes what it held before, which were the inputs. Linux only. Most
of an hour with one thread; `--rows 21000` for a look that is not written.

Time: CPU seconds of one thread, the best of REPEATS, beside a peer where there is one, and both
values. Peers: torchmetrics (its Fréchet distance and KID with features in place of images),
`scipy.linalg.sqrtm`, scikit-learn's pairwise distances put together as the authors of density and
coverage do, `scipy.stats`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch
from common import write_result
from scipy.linalg import sqrtm
from scipy.stats import energy_distance as scipy_energy
from scipy.stats import wasserstein_distance
from sklearn.metrics import pairwise_distances
from sklearn.metrics.pairwise import rbf_kernel

from dlcc import metrics
from dlcc.metrics import frechet_distance

ROWS, FEATURES, REPEATS, SEED = 50_000, 2_048, 3, 0

MEASURED: dict[str, Callable[[Any, Any], Any]] = {
    "frechet_distance": metrics.frechet_distance,
    "frechet": metrics.frechet,
    "frechet, a draw": lambda x, y: metrics.frechet(x, y, reference="draw"),
    "frechet_infinity": metrics.frechet_infinity,
    "kid, blocks of 1,000": metrics.kid,
    "kid, all pairs": lambda x, y: metrics.kid(x, y, block=None),
    "squared_mmd": metrics.squared_mmd,
    "energy_distance": metrics.energy_distance,
    "permutation_test, 99": lambda x, y: metrics.permutation_test(x, y, permutations=99),
    "sliced_wasserstein, 128": metrics.sliced_wasserstein,
    "precision_recall": metrics.precision_recall,
    "density_coverage": metrics.density_coverage,
    "kl_divergence": metrics.kl_divergence,
    "information rate": lambda x, y: metrics.measured_information_rate(x, 0.1),
}


def features(rows: int, columns: int, seed: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Like those of a network: of unlike scales, not below 0, made without a second copy."""
    rng = np.random.default_rng(seed)
    made = rng.standard_normal((rows, columns), dtype=np.float32)
    made *= np.linspace(1, 0.1, columns, dtype=np.float32)
    np.maximum(made, 0, out=made)
    return made


def peak(name: str, rows: int) -> dict[str, float]:
    """Of a process of its own."""
    program = str(Path(__file__).resolve())
    command = [sys.executable, program, "--one", name, "--rows", str(rows)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    print(name, found, flush=True)
    return found


def one(name: str, rows: int) -> None:
    """Measure a metric in this process."""
    x, y = features(rows, FEATURES, 1), features(rows, FEATURES, 2)
    before = psutil.Process().memory_info().rss
    start = time.process_time()
    MEASURED[name](x, y)
    taken = time.process_time() - start
    # not getrusage: its peak is inherited from the process that started this one
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    after = int(status.split("VmHWM:")[1].split()[0]) * 1024
    print(json.dumps({"growth_mb": round((after - before) / 2**20), "cpu_s": round(taken, 1)}))


# --- peers ----------------------------------------------------------------------------------------


class Same(torch.nn.Module):
    """Features as they are, in the place of a network."""

    num_features = FEATURES

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows


def torchmetrics_frechet(x: Any, y: Any) -> float:
    from torchmetrics.image.fid import FrechetInceptionDistance

    metric = FrechetInceptionDistance(feature=Same())
    metric.set_dtype(torch.float64)
    metric.update(torch.from_numpy(y).double(), real=True)
    metric.update(torch.from_numpy(x).double(), real=False)
    return float(metric.compute())


def sqrtm_frechet(x: Any, y: Any) -> float:
    a, b = np.cov(x.T, dtype=np.float64), np.cov(y.T, dtype=np.float64)
    shift = x.mean(0, dtype=np.float64) - y.mean(0, dtype=np.float64)
    return float(shift @ shift + np.trace(a + b - 2 * sqrtm(a @ b).real))


def torchmetrics_kid(x: Any, y: Any) -> float:
    from torchmetrics.image.kid import KernelInceptionDistance

    torch.manual_seed(SEED)
    metric = KernelInceptionDistance(feature=Same(), subsets=len(x) // 1000, subset_size=1000)
    metric.update(torch.from_numpy(y), real=True)
    metric.update(torch.from_numpy(x), real=False)
    return float(metric.compute()[0])


def whole_prdc(x: Any, y: Any) -> float:
    """The coverage, from whole matrices of distances."""
    own = np.partition(pairwise_distances(y), 5, axis=1)[:, 5]
    return float((pairwise_distances(y, x).min(axis=1) < own).mean())


def whole_mmd(x: Any, y: Any) -> float:
    g, n = 1 / metrics.median_bandwidth(y), len(x)
    xx, yy, xy = rbf_kernel(x, x, g), rbf_kernel(y, y, g), rbf_kernel(x, y, g)
    return float((xx.sum() + yy.sum() - 2 * n) / (n * (n - 1)) - 2 * xy.mean())


def loop_sliced(x: Any, y: Any) -> float:
    directions = np.random.default_rng(SEED).standard_normal((128, x.shape[1]))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    a, b = x @ directions.T, y @ directions.T
    return float(np.mean([wasserstein_distance(a[:, k], b[:, k]) for k in range(128)]))


def whole_energy(x: Any, y: Any) -> float:
    return float(scipy_energy(x[:, 0], y[:, 0]) ** 2)


def compared() -> dict[str, Any]:
    """Every metric with a peer: (rows, features, ours, theirs)."""
    cases: dict[str, tuple[int, int, Callable[..., Any], Callable[..., float]]] = {
        "frechet_distance, torchmetrics": (
            5_000, FEATURES, frechet_distance, torchmetrics_frechet,
        ),
        "frechet_distance, sqrtm": (5_000, FEATURES, frechet_distance, sqrtm_frechet),
        "kid, torchmetrics (other blocks)": (10_000, FEATURES, metrics.kid, torchmetrics_kid),
        "coverage, whole matrices": (5_000, FEATURES, metrics.density_coverage, whole_prdc),
        "squared_mmd, whole matrices": (5_000, FEATURES, metrics.squared_mmd, whole_mmd),
        "sliced_wasserstein, scipy.stats": (
            10_000, FEATURES, metrics.sliced_wasserstein, loop_sliced,
        ),
        "energy_distance, scipy.stats (one dimension)": (
            5_000, 1, lambda x, y: metrics.energy_distance(x, y, biased=True), whole_energy,
        ),
    }  # fmt: skip
    found = {}
    for name, (rows, columns, ours, theirs) in cases.items():
        x, y = features(rows, columns, 1), features(rows, columns, 2)
        x += 0.05
        seconds, values = {}, {}
        for who, work in (("ours", ours), ("theirs", theirs)):
            taken = []
            for _ in range(REPEATS):
                start = time.process_time()
                value = work(x, y)
                taken.append(time.process_time() - start)
                if taken[-1] > 60:
                    break
            seconds[who], values[who] = min(taken), plain(value)
        found[name] = {
            "rows": rows,
            "features": columns,
            "seconds": {who: float(f"{s:.3g}") for who, s in seconds.items()},
            "ratio": float(f"{seconds['ours'] / seconds['theirs']:.3g}"),
            "values": values,
        }
        print(name, found[name], flush=True)
    return found


def plain(value: Any) -> float:
    if isinstance(value, metrics.DensityCoverage):
        value = value.coverage
    return value.value if isinstance(value, metrics.Measured) else float(value)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--one", choices=list(MEASURED))
    given = parser.parse_args()
    if given.one:
        one(given.one, given.rows)
        return
    torch.set_num_threads(1)
    peers = compared()
    memory = {name: peak(name, given.rows) for name in MEASURED}
    figures = {"rows": given.rows, "features": FEATURES, "memory": memory, "peers": peers}
    if given.rows == ROWS:
        write_result("metrics", figures, seeds={"features": [1, 2], "ours": SEED})


if __name__ == "__main__":
    main()
