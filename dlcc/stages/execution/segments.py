"""Segments of a record, each replayed from its snapshots in a sandbox of its own, side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby

from dlcc.errors import DlccError
from dlcc.stages.execution.replay_log import Planned, ReplayLog, merged
from dlcc.stages.execution.rows import LoggedRows
from dlcc.typing import Progress

Replay = Callable[[Sequence[Planned], Progress, bool], ReplayLog]
"""Function that replays a segment; whether it is alone, and may have all the memory."""


def segments_of(planned: Sequence[Planned], count: int) -> list[list[Planned]]:
    """Divide a plan at snapshots into at most `count` segments of about as many steps.

    Args:
        planned: Checks in ascending order of their snapshots.
        count: Number of segments.

    Returns:
        Segments in their order; together they are the plan.
    """
    at_snapshots = [list(checks) for _, checks in groupby(planned, lambda one: one.stored.step)]
    steps = [1 + max(one.last for one in checks) - checks[0].stored.step for checks in at_snapshots]
    share = sum(steps) / max(1, count)
    found: list[list[Planned]] = []
    reached = 0.0
    for checks, n in zip(at_snapshots, steps, strict=True):
        if not found or (reached >= share * len(found) and len(found) < count):
            found.append([])
        found[-1] += checks
        reached += n
    return found


def replay_segments(
    segments: Sequence[Sequence[Planned]],
    rows: LoggedRows,
    replay_one: Replay,
    progress: Progress,
) -> ReplayLog:
    """Replay segments side by side; one whose process died is replayed once more, alone.

    Args:
        segments: Checks of each segment, in their order.
        rows: Logged quantities.
        replay_one: Function that replays a segment in a sandbox of its own.
        progress: Callback with the share of all checks that are done.

    Returns:
        Log of all, as one passage over the record would have left it.
    """
    done = [0.0] * len(segments)
    total = sum(map(len, segments))
    lock = threading.Lock()

    def telling(i: int) -> Progress:
        def tell(share: float, what: str) -> None:
            with lock:
                done[i] = share * len(segments[i])
                progress(sum(done) / total, what)

        return tell

    def attempted(i: int) -> ReplayLog | DlccError:
        try:
            return replay_one(segments[i], telling(i), len(segments) == 1)
        except DlccError as error:
            return error

    with ThreadPoolExecutor(len(segments), thread_name_prefix="dlcc-segment") as threads:
        logs = list(threads.map(attempted, range(len(segments))))
    whole: list[ReplayLog] = []
    for i, log in enumerate(logs):
        if isinstance(log, DlccError) or log.died:
            log = replay_one(segments[i], telling(i), True)
        whole.append(log)
    return merged(whole, rows)
