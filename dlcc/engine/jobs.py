"""Job: work that depends on its arguments alone, with the address of its result."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import threadpoolctl
import xxhash

_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class Job:
    """Call of a function that anybody may make, in any process and on any machine.

    >>> job = Job(json.dumps, {"obj": [1, 2]}, version="1")
    >>> job(), job.address == Job(json.dumps, {"obj": [1, 2]}, version="1").address
    ('[1, 2]', True)
    >>> job.address == Job(json.dumps, {"obj": [1, 3]}, version="1").address
    False
    """

    function: Callable[..., Any]
    """Function of a module, which gives the result's bytes; they depend on its arguments alone."""
    arguments: Mapping[str, Any]
    """Arguments by name, as JSON has them."""
    places: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments that only say where something lies, such as folders of data; they do not
    count for the address."""
    content: str = ""
    """Hash of what lies there, where the result depends on more than the arguments."""
    version: str = ""
    """Version of what the function does: another version's results do not stand in."""

    @cached_property
    def address(self) -> str:
        """Name of the result, by all that it depends on."""
        name = f"{self.function.__module__}.{self.function.__qualname__}"
        said = [name, self.version, self.content, dict(self.arguments)]
        text = json.dumps(said, sort_keys=True, allow_nan=False)
        short = self.function.__qualname__.strip("_").replace("_", "-")
        return f"{short}-{xxhash.xxh3_128_hexdigest(text.encode())}"

    def __call__(self) -> Any:
        """Do the work on one thread, so that its last bits are the same everywhere."""
        with one_thread():
            return self.function(**self.arguments, **self.places)


_AT_WORK = threading.Event()


def do_in_worker(job: Job) -> Any:
    """Do a job in a process that an engine started for jobs, and that does nothing else."""
    _AT_WORK.set()
    return job()


def is_worker() -> bool:
    """Whether this process does an engine's jobs, one after the other, and nothing else.

    >>> is_worker()
    False
    """
    return _AT_WORK.is_set()


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Bind numerical libraries to one thread: those that are loaded, and those that will be."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    torch = sys.modules.get("torch")
    threads = None if torch is None else torch.get_num_threads()
    if torch is not None:
        torch.set_num_threads(1)
    try:
        with threadpoolctl.threadpool_limits(1):
            yield
    finally:
        if torch is not None:
            torch.set_num_threads(threads)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
