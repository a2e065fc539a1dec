"""Changes to a recorded run as a forger would make them: every checksum is put right again."""

from __future__ import annotations

import json
import shutil
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xxhash

from dlcc.runs.digests import Digests
from dlcc.runs.layout import RunLayout
from dlcc.runs.tensors import read_tensors, write_tensors

_BLOCK = struct.Struct("<4sIIIqdQQ")  # docs/run-format.md
Tensors = dict[str, np.ndarray]
"""Tensors of a file by name."""


def set_value(run: Path, name: str, step: int, value: float) -> float:
    """Put `value` in place of a logged one; returns what was there."""
    for path in sorted((run / "series").glob("*.series")):
        data = bytearray(path.read_bytes())
        size = int.from_bytes(data[12:16], "little")
        columns = json.loads(data[16 : 16 + size])["columns"]
        if name not in columns:
            continue
        old = _set_in_file(data, 16 + size + 8, len(columns), columns.index(name), step, value)
        path.write_bytes(data)  # the list knows its header alone
        return old
    raise KeyError(name)


def _set_in_file(
    data: bytearray, at: int, columns: int, column: int, step: int, value: float
) -> float:
    """Put `value` into a file's bytes, with its block's checksums; returns what was there."""
    row_bytes = 12 + 8 * columns
    while at < len(data):
        magic, number, session, rows, rewind, start, _, _ = _BLOCK.unpack_from(data, at)
        first, end = at + _BLOCK.size, at + _BLOCK.size + rows * row_bytes
        for row in range(first, end, row_bytes):
            if struct.unpack_from("<q", data, row)[0] == step:
                place = row + 12 + 8 * column
                (old,) = struct.unpack_from("<d", data, place)
                struct.pack_into("<d", data, place, value)
                checksum = xxhash.xxh3_64_intdigest(bytes(data[first:end]))
                head = struct.pack(
                    "<4sIIIqdQ", magic, number, session, rows, rewind, start, checksum
                )
                data[at:first] = head + struct.pack("<Q", xxhash.xxh3_64_intdigest(head))
                return float(old)
        at = end
    raise KeyError(step)


def change_tensors(
    run: Path, step: int, change: Callable[[Tensors], None], file: str = "players.safetensors"
) -> None:
    """Change the tensors of one file of a snapshot; `change` works on them in place."""
    folder = run / "snapshots" / f"{step:08d}"
    tensors = read_tensors(folder / file)
    change(tensors)
    arrays = {name: np.asarray(value) for name, value in tensors.items()}  # not numpy's scalars
    digest = write_tensors(folder / file, arrays)
    entry = {file: {"bytes": digest.bytes, "xxh3_128": digest.xxh3_128}}
    _edit_json(folder / "snapshot.json", lambda manifest: manifest["files"].update(entry))


def change_weight(run: Path, step: int, name: str, factor: float = 1.01) -> None:
    """Scale one weight `player/tensor` of a snapshot, in the players' file and in the state."""

    def scale(key: str) -> Callable[[Tensors], None]:
        """Make the change that scales one tensor."""
        return lambda tensors: tensors.update({key: tensors[key] * np.float32(factor)})

    change_tensors(run, step, scale(name))
    change_tensors(run, step, scale(f"state/{name}"), "state.safetensors")


def copy_snapshot(run: Path, step: int, to: int) -> None:
    """Put the state of one step in place of that of another."""
    folder, target = (run / "snapshots" / f"{s:08d}" for s in (step, to))
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(folder, target)
    _edit_json(target / "snapshot.json", lambda manifest: manifest.update(step=to))
    if (target / "landscape.json").exists():
        _list_again(target / "landscape.json")


def edit_source(run: Path, old: str, new: str, file: str = "source/train.py") -> int:
    """Replace a piece of code that occurs once; returns its line, from 1."""
    text = (run / file).read_text()
    assert text.count(old) == 1, f"{old!r} occurs {text.count(old)} times"
    (run / file).write_text(text.replace(old, new))
    _list_again(run / file)
    return text[: text.index(old)].count("\n") + 1


def edit_manifest(run: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change run.json; `change` works on it in place."""
    _edit_json(run / "run.json", change)


def _edit_json(path: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change a JSON file; `change` works on its content in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    _list_again(path)


def _list_again(path: Path) -> None:
    """Put the list of digests right, where the run has one."""
    run = next(folder for folder in path.parents if (folder / "run.json").exists())
    digests = Digests(RunLayout(run))
    if digests.there:
        digests.drop(path)
        digests.add(path)
