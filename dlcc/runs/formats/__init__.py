"""The formats in which a run can be read: our own, and folders that other tools left.

A further format is one module here: a class that follows `Format`, added to `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from dlcc.errors import RunError
from dlcc.runs.formats.format import Contents, Format
from dlcc.runs.formats.metrics_csv import MetricsCsv
from dlcc.runs.formats.native import Native

FORMATS: tuple[Format, ...] = (Native(), MetricsCsv())
"""In the order in which they are asked; the first that recognises a folder reads it."""


def open_folder(path: Path, mapping: Mapping[str, str]) -> Contents:
    """What the folder holds, by the first format that recognises it.

    Raises:
        RunError: no format does, or what it should read first is damaged.
        OptionError: the format has no use for the mapping.
    """
    for format_ in FORMATS:
        if format_.recognises(path):
            return format_.open(path, mapping)
    if not any(path.iterdir()):
        raise RunError(f"{path}: the folder is empty; record a run into it or name another")
    native, *others = FORMATS
    raise RunError(
        f"{path / native.looks_for}: not found, so this is not a run folder, and there is no "
        f"{' or '.join(f.looks_for for f in others)} of another tool either; "
        "record a run with dlcc.Recorder or name the folder that holds one of these files"
    )
