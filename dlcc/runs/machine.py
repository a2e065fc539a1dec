"""Description of the machine and the software that a run is recorded with."""

from __future__ import annotations

import os
import platform
import sys
from importlib import metadata
from typing import Any

_RECORDED_PACKAGES = ("dlcc", "numpy", "torch")


def machine_fingerprint() -> dict[str, Any]:
    """Describe what decides whether floating-point results can agree bit for bit.

    Returns:
        `cpu` (model), `cores` (number that this process may use), `platform`, `threads` (number
        that torch uses; None where torch is not loaded) and `accelerator` (name of the current
        CUDA device, or None).

    >>> sorted(machine_fingerprint())
    ['accelerator', 'cores', 'cpu', 'platform', 'threads']
    """
    torch: Any = sys.modules.get("torch")
    cuda = torch is not None and torch.cuda.is_initialized()
    return {
        "cpu": _cpu_model(),
        "cores": _usable_cores(),
        "platform": platform.platform(),
        "threads": torch.get_num_threads() if torch is not None else None,
        "accelerator": torch.cuda.get_device_name() if torch is not None and cuda else None,
    }


def software_versions() -> dict[str, str]:
    """Versions of Python and of the packages that a training's numbers depend on."""
    versions = {"python": platform.python_version()}
    for package in _RECORDED_PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # used from a checkout
    return versions


def _usable_cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
