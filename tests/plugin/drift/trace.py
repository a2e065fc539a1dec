"""A format of one's own: `trace.txt` with a line a step, samples as .npy files, code in one file.

```
trace.txt            it=0 loss=1.25 grad_norm=0.4
fakes/000010.npy     samples [n, ...] taken before step 10
real.npy             training data [n, ...]
model.py             the code
```
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from dlcc.errors import OptionError, RunError, SeriesError, SnapshotError
from dlcc.runs.files import read_regular
from dlcc.runs.formats.format import Contents
from dlcc.runs.manifest import Manifest
from dlcc.runs.series import Column, Series

_MAX_BYTES = 64 << 20


class Trace:
    """One line a step in trace.txt."""

    looks_for: ClassVar = "trace.txt"

    def recognises(self, path: Path) -> bool:
        return (path / self.looks_for).is_file()

    def open(self, path: Path, mapping: Mapping[str, str]) -> "TraceFolder":
        if mapping:
            raise OptionError(f"{path}: names its columns itself; leave --map out")
        stated = {"kind": "drift", "loss": "moments"}
        return TraceFolder(path, Manifest(name=path.name, objective=stated))


@dataclass(frozen=True)
class TraceFolder(Contents):
    """What such a folder holds."""

    path: Path
    manifest: Manifest

    def series(self, until: int | None) -> Series:
        file = self.path / "trace.txt"
        rows = _rows(file)
        steps = np.array([step for step, _ in rows], dtype=np.int64)
        kept = slice(None) if until is None else steps < until
        names = sorted({name for _, values in rows for name in values})
        columns = {}
        for name in names:
            values = np.array([values.get(name, np.nan) for _, values in rows])
            if len(steps[kept]):
                clock = np.full(len(steps[kept]), np.nan)
                columns[f"model/{name}"] = Column(steps[kept], values[kept], clock)
        return Series(columns)

    def sample_steps(self, until: int | None) -> list[int]:
        steps = sorted(int(p.stem) for p in self.path.glob("fakes/[0-9]*.npy"))
        return [step for step in steps if until is None or step <= until]

    def samples(self, step: int) -> np.ndarray:
        return _array(self.path / "fakes" / f"{step:06d}.npy")

    def reference(self) -> np.ndarray | None:
        path = self.path / "real.npy"
        return _array(path) if path.is_file() else None

    def sources(self) -> Mapping[str, Path]:
        path = self.path / "model.py"
        return {"source/model.py": path} if path.is_file() else {}


def _rows(file: Path) -> list[tuple[int, dict[str, float]]]:
    rows = []
    text = read_regular(file, _MAX_BYTES, SeriesError).decode(errors="replace")
    for number, line in enumerate(text.splitlines(), 1):
        try:
            cells = dict(cell.split("=") for cell in line.split())
            step = int(cells.pop("it"))
            rows.append((step, {name: float(cell) for name, cell in cells.items()}))
        except (ValueError, KeyError):
            raise SeriesError(
                f"{file}: line {number}: expected it=STEP NAME=VALUE ..., found {line[:40]!r}; "
                "correct it or cut the file there"
            ) from None
    if not rows:
        raise RunError(f"{file}: holds no line; expected it=STEP NAME=VALUE ...")
    return rows


def _array(path: Path) -> np.ndarray:
    try:
        return np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise SnapshotError(
            f"{path}: not a whole .npy file of numbers ({error}); restore it from a copy"
        ) from None
