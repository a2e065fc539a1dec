"""Runs in the file store of MLflow: a folder a run, a file a metric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

from dlcc.errors import RunError
from dlcc.runs.files import read_regular
from dlcc.runs.formats.log_config import scalar_of
from dlcc.runs.formats.mlflow_points import MOST_POINTS, Points, table_of
from dlcc.runs.formats.quoting import listed, one_line, short
from dlcc.runs.formats.reader import FoundFile, FoundRecord, Listing, Reader
from dlcc.runs.formats.text_lines import TextLines
from dlcc.runs.raw_table import RawTable, Scalar

_META = "meta.yaml"
_NAME_TAG = "tags/mlflow.runName"
_MOST_PARAMETERS = 2_000
_PARAMETER_BYTES = 1 << 16


class MlflowFiles(Reader):
    """Reader of a run's folder in the file store."""

    title: ClassVar = "MLflow file store"
    rank: ClassVar = 14

    def find(self, listing: Listing) -> Iterator[FoundRecord]:
        runs = {f.path.parent: f for f in listing.files if _is_run(f)}
        files: dict[Path, list[Path]] = {folder: [] for folder in runs}
        for file in listing.files:
            folder = next((p for p in file.path.parents if p in runs), None)
            inner = file.path.relative_to(folder).parts[0] if folder is not None else ""
            if folder is not None and inner in ("metrics", "params", "tags"):
                files[folder].append(file.path)
        names = {folder: _name(folder, meta, files[folder]) for folder, meta in runs.items()}
        measured = [folder for folder in runs if _inside(folder, files[folder], "metrics")]
        said = _about_the_rest(listing.root, [f for f in runs if f not in measured], names)
        for number, folder in enumerate(measured):
            inside = listing.root == folder or listing.root in folder.parents
            above = inside and listing.root != folder
            yield FoundRecord(
                self,
                folder.parent if above else folder,
                (folder / _META, *files[folder]),
                part=names[folder] + (" (deleted)" if _deleted(runs[folder]) else ""),
                said=said if number == 0 else (),
            )

    def read(self, record: FoundRecord) -> RawTable:
        folder = record.files[0].parent
        notes: list[str] = []
        points: dict[str, Points] = {}
        total = 0
        metrics = tuple(_inside(folder, record.files, "metrics"))
        for path in metrics:
            own = _points(path, notes)
            total += len(own.values)
            if total > MOST_POINTS:
                raise RunError(
                    f"{folder}: more than {MOST_POINTS:,} values; take away metrics that are not "
                    "needed"
                )
            points[path.relative_to(folder / "metrics").as_posix()] = own
        config = _parameters(folder, _inside(folder, record.files, "params"))
        return table_of(self.title, metrics, points, config, tuple(notes))


def _is_run(file: FoundFile) -> bool:
    """Whether a file is the description of a run, rather than that of an experiment."""
    return file.name == _META and b"run_id:" in file.head and b"artifact_uri:" in file.head


def _deleted(meta: FoundFile) -> bool:
    return b"lifecycle_stage: deleted" in meta.head


def _inside(folder: Path, files: Sequence[Path], name: str) -> list[Path]:
    """Files in one of the folders of a run."""
    return [path for path in files if folder / name in path.parents]


def _name(folder: Path, meta: FoundFile, files: Sequence[Path]) -> str:
    """Name of a run as its tag or its description says it; its id without one."""
    if folder / _NAME_TAG in files:
        said = FoundFile(folder / _NAME_TAG).head.decode("utf-8", errors="replace").strip()
        if said:
            return one_line(said[:100])
    for line in meta.head.decode("utf-8", errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key == "run_name" and isinstance(name := scalar_of(value), str) and name:
            return one_line(name[:100])
    return folder.name


def _about_the_rest(root: Path, folders: Sequence[Path], names: dict[Path, str]) -> tuple[str, ...]:
    """Sentence on the runs that are no records."""
    if not folders:
        return ()
    shown = [f"{names[f]} ({f.name[:8]})" if names[f] != f.name else f.name for f in folders]
    return (f"{root}: {listed('run', shown)} without metrics: left out",)


def _points(path: Path, notes: list[str]) -> Points:
    """Points of one metric: rows `milliseconds value step`."""
    points = Points()
    lines = TextLines(path)
    wrong, first, cut = 0, (0, ""), ""
    for number, line in lines:
        parts = line.split(" ")
        try:
            points.add(float(parts[0]), float(parts[1]), int(parts[2]) if len(parts) > 2 else 0)
        except (ValueError, IndexError):
            wrong += 1
            first = first if first[0] else (number, line)
            continue
        cut = line
    if not lines.ended and cut and not (wrong and first[1] == line):
        for column in (points.times, points.values, points.steps):
            column.pop()
        notes.append(f"{path}: ends within its last line {short(cut)}, which is left out")
    if wrong:
        notes.append(
            f"{path}: line {first[0]:,}: expected milliseconds, a value and a step, found "
            f"{short(first[1])}; {wrong:,} such lines are left out"
        )
    notes += lines.notes
    return points


def _parameters(folder: Path, paths: Sequence[Path]) -> dict[str, Scalar]:
    found: dict[str, Scalar] = {}
    for path in paths[:_MOST_PARAMETERS]:
        try:
            raw = read_regular(path, _PARAMETER_BYTES, RunError)
        except RunError:
            continue
        name = path.relative_to(folder / "params").as_posix()
        found[name] = scalar_of(raw.decode("utf-8", errors="replace")[:1_000])
    return found
