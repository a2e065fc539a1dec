"""Cache of stages' results, parts of scores, fits to data and pictures of reports, by content.

The cache is a folder of the user's and never in a run: a folder from elsewhere could forge entries.
An entry that cannot be read is no entry.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, Literal

import xxhash

from dlcc.engine.scratch import BESIDE, scratch_folder


def cache_folder() -> Path:
    """Folder of the cache: `$DLCC_CACHE_DIR`, else `$XDG_CACHE_HOME/dlcc`, else `~/.cache/dlcc`."""
    if chosen := os.environ.get("DLCC_CACHE_DIR"):
        return Path(chosen)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dlcc"


Kind = Literal["stages", "scores", "networks", "forests", "priors", "regions", "figures", "heeding"]

_VALUES = "values.json"


def find(kind: Kind, key: str) -> Path | None:
    """Find the folder of an entry; None where there is none."""
    entry = cache_folder() / kind / key
    return entry if entry.is_dir() else None


def keep(kind: Kind, key: str, folder: Path) -> None:
    """Move the files of `folder` in as an entry; a cache that cannot be written is no error."""
    entry = cache_folder() / kind / key
    with contextlib.suppress(OSError):
        entry.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(BESIDE, entry.parent) as beside:
            shutil.copytree(folder, beside, dirs_exist_ok=True)
            beside.rename(entry)


def kept(kind: Kind, what: str, of: bytes, make: Callable[[], Any]) -> Any:
    """Call `make`, or return what it gave before for the same content `of`: plain values."""
    found = find_values(kind, what, of)
    if found is not None:
        return found
    made = make()
    keep_values(kind, what, of, made)
    return made


def find_values(kind: Kind, what: str, of: bytes) -> Any:
    """Find plain values that were kept for the same content `of`; None where none were."""
    if entry := find(kind, _key(what, of)):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((entry / _VALUES).read_text(encoding="utf-8"))
    return None


def keep_values(kind: Kind, what: str, of: bytes, values: Any) -> None:
    """Keep plain values for the content `of`."""
    with scratch_folder() as folder:
        (folder / _VALUES).write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")
        keep(kind, _key(what, of), folder)


def _key(what: str, of: bytes) -> str:
    state = xxhash.xxh3_128(f"{package_digest()}\0{what}\0".encode())
    state.update(of)
    return state.hexdigest()


@cache
def package_digest() -> str:
    """Hash this package's own files: another version of a stage's code is another result."""
    root = Path(__file__).parent
    state = xxhash.xxh3_128()
    for path in sorted(p for p in root.rglob("*") if p.is_file() and "__pycache__" not in p.parts):
        state.update(str(path.relative_to(root)).encode())
        state.update(path.read_bytes())
    return state.hexdigest()
