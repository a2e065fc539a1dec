"""What is the same for all runs until a library or a judgement changes, kept in the cache."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import xxhash

from dlcc import cache


def kept(what: str, of: bytes, make: Callable[[], Any]) -> Any:
    """`make()`, plain values, or what it gave before for the same content `of`."""
    state = xxhash.xxh3_128(f"{cache.package_digest()}\0{what}\0".encode())
    state.update(of)
    key = state.hexdigest()
    if entry := cache.find("scores", key):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((entry / "score.json").read_text(encoding="utf-8"))
    made = make()
    with tempfile.TemporaryDirectory(prefix="dlcc-") as folder:
        text = json.dumps(made, ensure_ascii=False)
        (Path(folder) / "score.json").write_text(text, encoding="utf-8")
        cache.keep("scores", key, Path(folder))
    return made
