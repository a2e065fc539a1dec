"""Format of folders with metrics.csv and config.json, as a user's own training script may write."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import ClassVar

from dlcc.errors import RunError, SeriesError
from dlcc.runs.files import opened_regular
from dlcc.runs.formats.config_json import ConfigFile, read_config
from dlcc.runs.formats.csv_header import Header
from dlcc.runs.formats.csv_rows import CsvFile, CsvSeries
from dlcc.runs.formats.format import Contents
from dlcc.runs.formats.quoting import listed
from dlcc.runs.manifest import Manifest
from dlcc.runs.series import Series
from dlcc.runs.tree import files_under

_GAN = ("discriminator", "generator")


@dataclass(frozen=True)
class MetricsCsv:
    """Format with one row a step in metrics.csv; config.json beside it may say what was trained."""

    looks_for: ClassVar = "metrics.csv"

    def recognises(self, path: Path) -> bool:
        return os.path.lexists(path / self.looks_for)

    def open(self, path: Path, mapping: Mapping[str, str]) -> CsvFolder:
        metrics, config = path / self.looks_for, path / "config.json"
        for file in (metrics, config):
            if not Path(os.path.realpath(file)).is_relative_to(os.path.realpath(path)):
                raise RunError(
                    f"{file}: a link that leads out of the folder; replace it with a copy"
                )
        said = read_config(config)
        with opened_regular(metrics, SeriesError) as stream:
            header = CsvFile(metrics, stream, mapping).header
        return CsvFolder(metrics, mapping, _manifest(path, said, header), header, said)


@dataclass(frozen=True)
class CsvFolder(Contents):
    """Content of a folder with metrics.csv: series, and what config.json says."""

    metrics: Path
    mapping: Mapping[str, str]
    manifest: Manifest
    header: Header
    said: ConfigFile

    @property
    def notes(self) -> tuple[str, ...]:
        return tuple(self._notes())

    def series(self, until: int | None) -> Series:
        return self._read().table.before(until)

    def sources(self) -> Mapping[str, Path]:
        return files_under(self.metrics.parent, "source")

    def documents(self) -> Mapping[str, Path]:
        return files_under(self.metrics.parent, "documents")

    def _read(self) -> CsvSeries:
        try:
            stat = os.stat(self.metrics)
        except OSError as error:
            raise SeriesError(
                f"{self.metrics}: cannot be read ({error.strerror}); restore it from a copy"
            ) from error
        stamp = (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
        return _read(self.metrics, stamp, tuple(self.mapping.items()))

    def _notes(self) -> Iterator[str]:
        left_out = [*self.header.left_out, *self._read().text]
        if left_out:
            yield (
                f"{self.metrics}: left out {listed('column', left_out)}; take one in with "
                "--map PLAYER/QUANTITY=COLUMN"
            )
        if replaced := self._read().replaced:
            yield (
                f"{self.metrics}: its steps start anew in row {replaced + 1:,} of "
                f"{self._read().rows:,}: the {replaced:,} rows before are of another training and "
                f"are left out, the {self._read().rows - replaced:,} from there on are judged; "
                "keep each training in a folder of its own"
            )
        if self.header.steps is None:
            yield (
                f"{self.metrics}: has no column step, so its rows are steps 0, 1, 2, ...; name "
                "one with --map step=COLUMN"
            )
        missing = [player for player in _GAN if player not in self.header.players]
        if missing:
            yield (
                f"{self.metrics}: has no series of a {' or a '.join(missing)}, so it is not "
                f"judged as a GAN; name one with --map {missing[0]}/loss=COLUMN"
            )
        if self.said.left_out:
            yield (
                f"{self.metrics.with_name('config.json')}: left out "
                f"{listed('key', self.said.left_out)}: single values are taken, each from one key"
            )


@lru_cache(maxsize=1)
def _read(path: Path, stamp: tuple[int, ...], mapping: tuple[tuple[str, str], ...]) -> CsvSeries:
    """Read the file's series, remembered by `stamp`, which changes with the file.

    One file is remembered: an evaluation asks for the same series again and again.
    """
    with opened_regular(path, SeriesError) as stream:
        return CsvFile(path, stream, dict(mapping)).read()


def _manifest(path: Path, said: ConfigFile, header: Header) -> Manifest:
    """Make the manifest from config.json and the columns, with the keys of run.json.

    A manifest's players need the count of their parameters. Nothing here tells it, so the
    manifest has no players.
    """
    known = said.known
    objective = {"kind": "gan" if header.players.issuperset(_GAN) else "unknown"}
    if "loss" in known:
        objective["loss"] = known["loss"]
    return Manifest(
        name=path.resolve().name or "run",
        objective=objective,
        data={"name": known["dataset"]} if "dataset" in known else {},
        config=dict(said.values),
        seed=known.get("seed"),
        length=known.get("total_iterations"),
    )
