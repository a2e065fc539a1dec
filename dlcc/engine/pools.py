"""Worker processes that end with the process that started them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait

__all__ = ["process_pool"]


@contextlib.contextmanager
def process_pool(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """Make a pool of `jobs` workers, each forked from a server that has no threads.

    Ctrl-C kills them: what they were at is lost, and nothing waits for it.

    Args:
        jobs: Number of workers, 1 or more.

    Yields:
        The pool; what was not begun when the block ends is left undone.

    Raises:
        ValueError: `jobs` is below 1.

    >>> with process_pool(2) as pool:
    ...     list(pool.map(abs, [-1, -2, 3]))
    [1, 2, 3]
    """
    others = set(active_children())
    pool = ProcessPoolExecutor(
        jobs, mp_context=get_context("forkserver"), initializer=_end_with_parent
    )
    try:
        yield pool
    except KeyboardInterrupt:
        for worker in set(active_children()) - others:
            worker.kill()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Have a worker end when the process that made the pool does.

    The kernel cannot see to it, as to other children (`dlcc.engine.guard`): the worker's parent is
    the server, which lives as long as a worker does.
    """
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)

    threading.Thread(target=watch, name="dlcc-parent", daemon=True).start()
