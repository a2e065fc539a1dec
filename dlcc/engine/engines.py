"""Engines: where jobs run. In this process, in processes of this machine, or on a Ray cluster.

All give the same bytes for the same job. A worker or a node that dies costs the jobs that it was
at, which are done again; an error that a job raises ends the work.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any, Protocol

from dlcc.engine.jobs import Job, do_in_worker
from dlcc.engine.pools import process_pool
from dlcc.errors import LimitExceeded, OptionError

_RAY = "ray"
_DEATHS = 10  # of the worker or node that was at it, which a job survives
_AT_HAND = 3  # jobs that a processor of a cluster has before it, so that it never waits


class Engine(Protocol):
    """Engine that does jobs; `engine_of` chooses one.

    >>> import json
    >>> engine = engine_of("local")
    >>> jobs = [Job(json.dumps, {"obj": k}) for k in range(3)]
    >>> engine.words, list(engine.run(jobs))
    ('in this process', [(0, '0'), (1, '1'), (2, '2')])
    """

    @property
    def words(self) -> str:
        """Place where the jobs run, in words."""

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Any]]:
        """Do jobs, in any order.

        Args:
            jobs: Jobs that do not depend on each other.

        Yields:
            Number of a job and its result, as soon as it is there.

        Raises:
            OptionError: The cluster cannot be reached.
            LimitExceeded: A worker died over and over.
        """


@dataclass(frozen=True)
class Local:
    """Engine that does jobs in this process, one after the other."""

    words: str = "in this process"

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Any]]:
        """Do jobs in their order."""
        for number, job in enumerate(jobs):
            yield number, job()


@dataclass(frozen=True)
class Processes:
    """Engine that does jobs in processes of this machine."""

    number: int
    """Number of processes."""

    @property
    def words(self) -> str:
        """Number of processes in words."""
        return f"in {self.number} processes"

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Any]]:
        """Do jobs as processes become free."""
        left = dict(enumerate(jobs))
        deaths = 0
        while left:
            try:
                for number, result in _in_pool(self.number, left):
                    del left[number]
                    deaths = 0
                    yield number, result
            except BrokenProcessPool:  # a worker was killed; what it was at is done again
                deaths += 1
                if deaths > 2:
                    raise LimitExceeded(
                        "a worker process died three times in a row, perhaps for want of memory; "
                        "what is done is kept: call again, with fewer --jobs"
                    ) from None


def _in_pool(number: int, jobs: dict[int, Job]) -> Generator[tuple[int, Any]]:
    """Do jobs in a pool that lives as long as its workers do."""
    with process_pool(number) as pool:
        futures = {pool.submit(do_in_worker, job): k for k, job in jobs.items()}
        try:
            for future in as_completed(futures):
                yield futures[future], future.result()
        finally:
            for future in futures:  # the pool forgets to, where it is left by an exception
                future.cancel()


@dataclass(frozen=True)
class RayCluster:
    """Engine that does jobs on a Ray cluster, on as many processors as its nodes have."""

    address: str = ""
    """Address of the cluster, `ray://HOST:PORT` or `HOST:PORT`; empty for the one of this machine,
    which is started where none is there."""

    @property
    def words(self) -> str:
        """Place of the cluster in words."""
        return f"on the Ray cluster {self.address}".rstrip()

    def run(self, jobs: Sequence[Job]) -> Generator[tuple[int, Any]]:
        """Do jobs as processors become free."""
        ray = _imported_ray()
        with _connected(ray, self.address):
            task = ray.remote(num_cpus=1, max_retries=_DEATHS)(do_in_worker)
            waiting = iter(enumerate(jobs))
            running: dict[Any, int] = {}
            try:
                while True:
                    most = _AT_HAND * max(1, int(ray.cluster_resources().get("CPU", 1)))
                    while len(running) < most and (following := next(waiting, None)) is not None:
                        running[task.remote(following[1])] = following[0]
                    if not running:
                        return
                    ready, _ = ray.wait([*running], num_returns=1)
                    yield running.pop(ready[0]), _result(ray, ready[0])
            finally:
                for reference in running:
                    with contextlib.suppress(Exception):  # the cluster may be gone
                        ray.cancel(reference, force=True)


def _result(ray: Any, reference: Any) -> Any:
    """Result of a job; an error that it raised is raised as it was."""
    try:
        return ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from None
    except (ray.exceptions.WorkerCrashedError, ray.exceptions.NodeDiedError):
        raise LimitExceeded(
            f"a job lost its worker or node {_DEATHS + 1} times, perhaps for want of memory; what "
            "is done is kept: call again"
        ) from None


def _imported_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise OptionError(
            "--engine ray needs the package ray; install it with: pip install 'dlcc[distributed]'"
        ) from None
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """Connect to a cluster for the time of the block; one that is connected already stays so."""
    if ray.is_initialized():
        yield
        return
    try:
        if address:
            ray.init(address=address, log_to_driver=False, logging_level="error")
        else:
            ray.init(include_dashboard=False, log_to_driver=False, logging_level="error")
    except (ConnectionError, RuntimeError, ValueError, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise OptionError(
            f"--engine {address or _RAY}: no Ray cluster can be reached there ({reason:.200}); "
            "start one with: ray start --head"
        ) from None
    try:
        yield
    finally:
        ray.shutdown()


def processors() -> int:
    """Count the processors that this process may use, 1 or more.

    >>> processors() >= 1
    True
    """
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def engine_of(text: str, jobs: int | None = None) -> Engine:
    """Choose an engine by its name.

    Args:
        text: `local`, `processes`, `ray`, or `ray://HOST:PORT`.
        jobs: Number of processes; by default as many as there are processors.

    Returns:
        The engine; nothing is started or connected yet.

    Raises:
        OptionError: There is no such engine.

    >>> engine_of("processes", 2).words, engine_of("ray://head:10001").words
    ('in 2 processes', 'on the Ray cluster ray://head:10001')
    """
    match text:
        case "local":
            return Local()
        case "processes":
            return Processes(jobs or processors())
        case "ray":
            return RayCluster()
    if text.startswith("ray://") and len(text) > len("ray://"):
        return RayCluster(text)
    raise OptionError(f"--engine {text}: expected local, processes, ray or ray://HOST:PORT")
