"""Nearest of 10^5 to 10^7 rows × 128: recall, speed, memory and build, beside hnswlib and usearch.

pip install hnswlib usearch
python benchmarks/neighbours.py [--sizes 100000 1000000 10000000] [--most-for-peers 1000000]

Every index is built and asked in a process of its own, on one thread. Rows lie near 24 directions
of falling weight, as figures of runs do. Peers search as widely as it takes to reach our recall.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

K, QUERIES, WIDTH, DIRECTIONS, PART = 10, 400, 128, 24, 250_000
Rows = NDArray[np.float32]


def parts(n: int) -> Iterator[Rows]:
    """Rows [n, 128] in parts."""
    for start in range(0, n, PART):
        yield rows(min(PART, n - start), start)


def rows(n: int, seed: int) -> Rows:
    """Rows [n, 128] of one part."""
    weights = np.random.default_rng(128).normal(size=(DIRECTIONS, WIDTH)).astype(np.float32)
    weights *= np.geomspace(1, 0.2, DIRECTIONS, dtype=np.float32)[:, None]
    rng = np.random.default_rng([7, seed])
    own = rng.standard_normal((n, DIRECTIONS), dtype=np.float32) @ weights
    return own + 0.3 * rng.standard_normal((n, WIDTH), dtype=np.float32)


def queries() -> Rows:
    """Rows that are asked for."""
    return rows(QUERIES, 2**40)


def exact(n: int) -> NDArray[np.int64]:
    """Numbers of the nearest rows [queries, 10], by brute force."""
    asked = queries()
    best = np.full((QUERIES, K), np.inf, dtype=np.float32)
    found = np.zeros((QUERIES, K), dtype=np.int64)
    for k, part in enumerate(parts(n)):
        squared = (part**2).sum(axis=1)[None, :] - 2 * asked @ part.T
        near = np.argpartition(squared, K, axis=1)[:, :K]
        both = np.hstack([best, np.take_along_axis(squared, near, axis=1)])
        numbers = np.hstack([found, near + k * PART])
        order = np.argsort(both, axis=1)[:, :K]
        best, found = (np.take_along_axis(a, order, axis=1) for a in (both, numbers))
    return found


def recall(found: NDArray[Any], truth: NDArray[np.int64]) -> float:
    """Share of the true neighbours that were found."""
    return float(
        np.mean([len({*a.tolist()} & {*b.tolist()}) / K for a, b in zip(found, truth, strict=True)])
    )


def asked(search: Any) -> tuple[NDArray[Any], float]:
    """What a search finds, and queries a CPU-second, the best of three."""
    taken = []
    for _ in range(3):
        start = time.process_time()
        found = search(queries())
        taken.append(time.process_time() - start)
    return found, QUERIES / min(taken)


def ours(n: int, truth: NDArray[np.int64], _: float) -> dict[str, float]:
    """Build and ask `dlcc.past_runs.neighbours.NeighbourIndex`."""
    import faiss

    from dlcc.past_runs.neighbours import NeighbourIndex

    faiss.omp_set_num_threads(1)
    start = time.process_time()
    index = None
    for part in parts(n):
        if index is None:
            index = NeighbourIndex.of(part)
        else:
            index.add(part)
    assert index is not None
    built = time.process_time() - start
    found, speed = asked(lambda x: index.search(x, K)[0])
    figures = {"recall": recall(found, truth), "queries": speed, "build": built}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows"
        index.save(path)
        figures["file"] = path.stat().st_size / 1e9
        start = time.perf_counter()
        NeighbourIndex.open(path)
        figures["open"] = time.perf_counter() - start
    return figures


def hnswlib(n: int, truth: NDArray[np.int64], wanted: float) -> dict[str, float]:
    """Build and ask hnswlib."""
    import hnswlib as peer

    index = peer.Index(space="l2", dim=WIDTH)
    index.init_index(max_elements=n, ef_construction=100, M=16)
    index.set_num_threads(1)
    start = time.process_time()
    for part in parts(n):
        index.add_items(part, num_threads=1)
    built = time.process_time() - start

    def search(ef: int) -> tuple[NDArray[Any], float]:
        index.set_ef(ef)
        return asked(lambda x: index.knn_query(x, K, num_threads=1)[0])

    return _as_wide_as_needed(search, truth, wanted, built)


def usearch(n: int, truth: NDArray[np.int64], wanted: float) -> dict[str, float]:
    """Build and ask usearch, whose rows are kept in 16 bits a figure."""
    from usearch.index import Index

    index = Index(ndim=WIDTH, metric="l2sq", dtype="f16", connectivity=16, expansion_add=100)
    start, at = time.process_time(), 0
    for part in parts(n):
        index.add(np.arange(at, at + len(part)), part, threads=1)
        at += len(part)
    built = time.process_time() - start

    def search(expansion: int) -> tuple[NDArray[Any], float]:
        index.expansion_search = expansion
        return asked(lambda x: index.search(x, K, threads=1).keys)

    return _as_wide_as_needed(search, truth, wanted, built)


def _as_wide_as_needed(
    search: Any, truth: NDArray[np.int64], wanted: float, built: float
) -> dict[str, float]:
    """Figures of the narrowest search that reaches a recall, or of the widest."""
    for width in (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024):
        found, speed = search(width)
        if recall(found, truth) >= wanted:
            break
    return {"recall": recall(found, truth), "queries": speed, "build": built, "ef": width}


INDEXES = {"ours": ours, "hnswlib": hnswlib, "usearch": usearch}


def peak_memory() -> float:
    """Largest memory of this process, in GB; getrusage would count that of its parent, too."""
    (peak,) = re.findall(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return int(peak) * 1024 / 1e9


def measured(name: str, n: int, truth: Path, wanted: float) -> dict[str, float]:
    """Figures of an index in a process of its own, with the memory that it took at most."""
    command = [sys.executable, __file__, "--one", name, str(n), str(truth), str(wanted)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=True)
    figures: dict[str, float] = json.loads(done.stdout)
    return figures


def main() -> None:
    """Measure every index at every size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", type=int, nargs="+", default=[10**5, 10**6, 10**7])
    parser.add_argument("--most-for-peers", type=int, default=10**6)
    parser.add_argument("--one", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        name, n, truth, wanted = given.one
        figures = INDEXES[name](int(n), np.load(truth), float(wanted))
        print(json.dumps({**figures, "memory": peak_memory()}))
        return
    from common import write_result

    result: dict[str, dict[str, dict[str, float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for n in given.sizes:
            truth = Path(folder) / f"{n}.npy"
            np.save(truth, exact(n))
            found = {"ours": measured("ours", n, truth, 0)}
            for peer in INDEXES.keys() - {"ours"} if n <= given.most_for_peers else ():
                found[peer] = measured(peer, n, truth, found["ours"]["recall"])
            result[f"{n:,}"] = found
            print(n, found, file=sys.stderr)
    write_result("neighbours", result, {"rows": 7, "directions": 128})


if __name__ == "__main__":
    main()
