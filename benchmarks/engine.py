"""Two Ray nodes beside one, kills of nodes and drivers, and a model of a thousand nodes.

pip install 'dlcc[distributed]'; python benchmarks/engine.py [--jobs 40] [--kills 20]

Nodes are Ray nodes of one processor each on this machine. Results after kills are held against
those of this process, byte for byte. The model is a discrete simulation of nodes that take jobs of
the measured length from a driver of the measured rate.
"""

from __future__ import annotations

import argparse
import heapq
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from common import write_result
from engine_jobs import empty_jobs, jobs

from dlcc.engine.engines import Local, RayCluster
from dlcc.engine.results import complete

HERE = Path(__file__).parent
NODES = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000)
STEPS = 150


def contents(files: list[Path]) -> dict[str, bytes]:
    """Name to content of results."""
    return {file.name: file.read_bytes() for file in files}


class Nodes:
    """Cluster of nodes on this machine; the head has no processor for jobs."""

    def __init__(self, number: int) -> None:
        os.environ["PYTHONPATH"] = os.pathsep.join([str(HERE.parent), str(HERE)])
        from ray.cluster_utils import Cluster

        self.cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 0})
        self.workers = [self.cluster.add_node(num_cpus=1) for _ in range(number)]
        self.cluster.wait_for_nodes()

    def kill_one(self) -> None:
        """Kill a node and start another one in its place."""
        killed = self.workers.pop(random.randrange(len(self.workers)))
        self.cluster.remove_node(killed, allow_graceful=False)
        self.workers.append(self.cluster.add_node(num_cpus=1))

    def stop(self) -> None:
        """End the cluster."""
        import ray

        ray.shutdown()
        self.cluster.shutdown()

    @property
    def engine(self) -> RayCluster:
        """Engine on these nodes."""
        return RayCluster(self.cluster.address)


def timed(number: int, count: int, folder: Path) -> float:
    """Seconds for jobs on a number of nodes, which have done one each before."""
    nodes = Nodes(number)
    try:
        complete(jobs(count + 2 * number, STEPS)[count:], folder / f"warm-{number}", nodes.engine)
        start = time.perf_counter()
        complete(jobs(count, STEPS), folder / f"timed-{number}", nodes.engine)
        return time.perf_counter() - start
    finally:
        nodes.stop()


def node_kills(kills: int, count: int, folder: Path, every: float) -> dict[str, bytes]:
    """Results of jobs during which nodes are killed at random instants."""
    nodes = Nodes(2)
    over = threading.Event()

    def strike() -> None:
        for _ in range(kills):
            if over.wait(random.uniform(0.2, 1.8) * every):
                return
            nodes.kill_one()
            struck.append(time.perf_counter())

    struck: list[float] = []
    thread = threading.Thread(target=strike)
    thread.start()
    try:
        files = complete(jobs(count, STEPS), folder, nodes.engine)
        print(f"{len(struck)} nodes were killed while jobs ran", file=sys.stderr)
        return contents(files)
    finally:
        over.set()
        thread.join()
        nodes.stop()


def driver_kills(kills: int, count: int, folder: Path, every: float) -> dict[str, bytes]:
    """Results of jobs whose driver is killed at random instants and called again."""
    nodes = Nodes(2)
    code = (
        "import sys; from pathlib import Path; from engine_jobs import jobs\n"
        "from dlcc.engine.engines import RayCluster; from dlcc.engine.results import complete\n"
        "complete(jobs(int(sys.argv[1]), int(sys.argv[2])), Path(sys.argv[3]), "
        "RayCluster(sys.argv[4]))"
    )
    command = [
        sys.executable, "-c", code, str(count), str(STEPS), str(folder), nodes.cluster.address,
    ]  # fmt: skip
    done = 0
    try:
        for _ in range(kills):
            driver = subprocess.Popen(command, start_new_session=True, stderr=subprocess.DEVNULL)
            try:
                driver.wait(8 + random.uniform(0, 2) * every)  # connecting takes some seconds
                break
            except subprocess.TimeoutExpired:
                os.killpg(driver.pid, signal.SIGKILL)
                driver.wait()
                done += 1
        print(f"the driver was killed {done} times", file=sys.stderr)
        return contents(complete(jobs(count, STEPS), folder, nodes.engine))
    finally:
        nodes.stop()


def driver_rate(count: int, folder: Path) -> float:
    """Jobs a second that a driver hands out and keeps the results of."""
    nodes = Nodes(2)
    try:
        complete(empty_jobs(20), folder / "warm", nodes.engine)
        start = time.perf_counter()
        complete(empty_jobs(count), folder / "empty", nodes.engine)
        return count / (time.perf_counter() - start)
    finally:
        nodes.stop()


def simulated(nodes: int, job: float, rate: float, count: int) -> float:
    """Share of the ideal rate that nodes reach, jobs of `job` seconds, one driver of `rate`."""
    rng = random.Random(nodes)
    free = [0.0] * nodes
    driver, end = 0.0, 0.0
    for _ in range(count):
        driver = max(driver, free[0]) + 1 / rate  # handed out one after the other
        finished = driver + job * rng.lognormvariate(-0.045, 0.3)
        heapq.heapreplace(free, finished)
        end = max(end, finished)
    return count * job / (nodes * end)


def main() -> None:
    """Measure, and model what cannot be measured here."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=40)
    parser.add_argument("--kills", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        start = time.perf_counter()
        here = contents(complete(jobs(given.jobs, STEPS), folder / "here", Local()))
        job = (time.perf_counter() - start) / given.jobs
        one, two = timed(1, given.jobs, folder), timed(2, given.jobs, folder)
        after_nodes = node_kills(given.kills, given.jobs, folder / "nodes", job)
        after_drivers = driver_kills(given.kills, given.jobs, folder / "drivers", 2 * job)
        rate = driver_rate(400, folder)
    figures = {
        "seconds a job in this process": job,
        "one node, seconds": one,
        "two nodes, seconds": two,
        "two nodes, share of ideal": one / (2 * two),
        "after kills of nodes as here, byte for byte": after_nodes == here,
        "after kills of drivers as here, byte for byte": after_drivers == here,
        "jobs a second that a driver hands out": rate,
        "simulated share of the ideal by nodes": {
            f"jobs of {seconds:g} s": {
                str(n): round(simulated(n, seconds, rate, 20 * n), 3) for n in NODES
            }
            for seconds in (job, 25.0)
        },
    }
    write_result("engine", figures, {"kills": given.kills, "jobs": given.jobs})


if __name__ == "__main__":
    main()
