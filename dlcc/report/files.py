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

OWNER = ".run"
"""File beside a report that holds the path of its run: names of runs repeat."""


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


def folder_of_run(reports: Path, run: Path, part: str | None = None) -> Path:
    """Name the folder in `reports` for the report of a run.

    It is named after the run, and after the folders above it too where the report of another run
    has that name: no report takes the place of another run's. One of several runs in a folder is
    named by `part`.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as made:
    ...     reports = Path(made)
    ...     (reports / "seed-1").mkdir()
    ...     _ = (reports / "seed-1" / ".run").write_text("/runs/ring/seed-1")
    ...     folders = [folder_of_run(reports, Path(f"/runs/{d}/seed-1")) for d in ("ring", "grid")]
    ...     [folder.name for folder in folders]
    ['seed-1', 'grid-seed-1']
    """
    whole = run.resolve() / (part or "")
    parts = [part for part in whole.parts if part != whole.anchor]
    for depth in range(1, len(parts)):
        folder = reports / "-".join(parts[-depth:])
        owner = _owner(folder)
        if owner is None or owner == whole or whole in owner.parents:
            return folder
    return reports / "-".join(parts)


def _owner(folder: Path) -> Path | None:
    """Path of the run whose report a folder holds; None where it holds none that says so."""
    try:
        return Path((folder / OWNER).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError):
        return None


def write_files(
    folder: Path, out: Path, of: Path, texts: Mapping[str, str], series: Series | None = None
) -> None:
    """Write texts by file name, the series, and the path `of` the run into the folder for `out`.

    Raises:
        OutputError: There is no room, or the folder is gone.
    """
    name = ""
    try:
        (folder / OWNER).write_text(str(of), encoding="utf-8")
        for name, text in texts.items():
            (folder / name).write_text(text, encoding="utf-8")
        if series is not None:
            name = SERIES
            write_series(folder / name, series)
    except OSError as error:
        raise OutputError(
            f"{out}: cannot write {name} ({error.strerror}); make room or choose another --out"
        ) from error
