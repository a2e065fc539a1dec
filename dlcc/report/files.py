"""Files of a report: report.html, report.json and series.csv, put into a folder all or none."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dlcc.engine.scratch import BESIDE, scratch_folder
from dlcc.errors import OutputError
from dlcc.records import Series
from dlcc.report.series_file import NAME as SERIES
from dlcc.report.series_file import write_series


@contextlib.contextmanager
def report_folder(run: Path, out: Path) -> Iterator[Path]:
    """Open a folder beside `out` whose files are moved there at the end, all or none.

    Made before any stage runs, so that a folder that cannot be written is known at once.

    Args:
        run: Folder of the run, in which nothing may be written.
        out: Folder of the report; made where it is missing.

    Raises:
        OutputError: `out` lies in the run, cannot be written, or has a folder where a file goes.
    """
    if out.resolve().is_relative_to(run.resolve()):
        raise OutputError(f"--out {out}: lies in the run itself; choose a folder outside it")
    stack = contextlib.ExitStack()
    try:
        out.mkdir(parents=True, exist_ok=True)
        beside = stack.enter_context(scratch_folder(BESIDE, out))
    except OSError as error:
        raise OutputError(
            f"--out {out}: cannot be written ({error.strerror}); choose another folder"
        ) from error
    with stack:
        yield beside
        made = sorted(beside.iterdir())
        for path in made:
            if (out / path.name).is_dir():
                raise OutputError(
                    f"{out / path.name}: a folder stands where the report should be; move it "
                    "away or choose another --out"
                )
        for path in made:
            os.replace(path, out / path.name)


def write_files(
    folder: Path, out: Path, texts: Mapping[str, str], series: Series | None = None
) -> None:
    """Write texts by file name, and the series, into the folder opened for `out`.

    Raises:
        OutputError: There is no room, or the folder is gone.
    """
    name = ""
    try:
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        if series is not None:
            name = SERIES
            write_series(folder / name, series)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot write {name} ({error.strerror}); make room or choose another --out"
        ) from error
