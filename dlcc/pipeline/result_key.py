"""Key of a stage's result in the cache: a hash of everything that the result depends on.

`dlcc.pipeline.runner` decides whether an entry may stand in.
"""

from __future__ import annotations

import contextlib
import sys
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import xxhash

from dlcc import cache, codec
from dlcc.pipeline import discovery
from dlcc.stage import Stage

_COMPUTING = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "networkx",
    "sympy",
    "sentence-transformers",
    "transformers",
    "markdown-it-py",
    "faiss-cpu",
    "shap",
)


@lru_cache(maxsize=1)
def _versions() -> tuple[str, ...]:
    """Versions of what else computes a stage's figures: another torch may give other last bits."""
    found = [sys.version]
    for package in _COMPUTING:
        with contextlib.suppress(PackageNotFoundError):
            found.append(f"{package} {version(package)}")
    return tuple(found)


def result_key(stage: Stage, digest: str, *given: str) -> str:
    """Hash everything a result depends on; `given` is what the pipeline adds to the records."""
    kind = type(stage)
    file = discovery.file_of(kind)
    code = xxhash.xxh3_128_hexdigest(file.read_bytes()) if file else _module_code(kind)
    parts = [
        cache.package_digest(),
        *_versions(),
        discovery.type_name(kind),
        str(stage.version),
        code,
    ]
    parts += [codec.encode(stage)[0], digest, *given]
    return xxhash.xxh3_128_hexdigest("\0".join(parts).encode())


def _module_code(kind: type[Any]) -> str:
    """Hash the file of a stage that is not ours; ours are in the package's digest."""
    module = sys.modules[kind.__module__]
    file = getattr(module, "__file__", None)
    if kind.__module__.startswith("dlcc.") or file is None:
        return ""
    read = getattr(module.__loader__, "get_data", lambda path: Path(path).read_bytes())
    return xxhash.xxh3_128_hexdigest(read(file))  # by its loader: it may lie in an archive
