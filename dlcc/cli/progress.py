"""Progress bars on stderr."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import TaskID

    from dlcc.typing import StageProgress


@contextlib.contextmanager
def bars() -> Iterator[StageProgress]:
    """Show bars on stderr where that is a terminal, and nothing elsewhere."""
    if not sys.stderr.isatty():
        yield lambda task, share, what: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from dlcc.report.text import one_line

    columns = (
        TextColumn("{task.description:>14}"),
        BarColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[what]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bars:
        tasks: dict[str, TaskID] = {}

        def update(task: str, share: float, what: str) -> None:
            what = escape(one_line(what))  # it may be the name of a folder
            if task not in tasks:
                tasks[task] = bars.add_task(task, total=1.0, what=what)
            bars.update(tasks[task], completed=share, what=what)

        yield update
