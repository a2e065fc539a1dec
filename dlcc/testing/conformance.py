"""Parts that all kits share: the error, and what a folder holds."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path


class NonConformance(AssertionError):  # noqa: N818  # an assertion about a plug-in, in words
    """Breach of a contract by what was to follow it; the message names the fault."""


def fingerprint(folder: Path) -> dict[str, str]:
    """Digest of each file of a folder, by its path in it."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    """Name the files that differ between two fingerprints."""
    return ", ".join(sorted(p for p in {*before, *after} if before.get(p) != after.get(p)))
