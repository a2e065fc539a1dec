"""Memo of results that stay the same until a library or a judgement changes, in the cache."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any

import xxhash

from dlcc import cache
from dlcc.engine.scratch import scratch_folder


def kept(what: str, of: bytes, make: Callable[[], Any]) -> Any:
    """Call `make`, or return what it gave before for the same content `of`: plain values."""
    state = xxhash.xxh3_128(f"{cache.package_digest()}\0{what}\0".encode())
    state.update(of)
    key = state.hexdigest()
    if entry := cache.find("scores", key):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((entry / "score.json").read_text(encoding="utf-8"))
    made = make()
    with scratch_folder() as folder:
        text = json.dumps(made, ensure_ascii=False)
        (folder / "score.json").write_text(text, encoding="utf-8")
        cache.keep("scores", key, folder)
    return made
