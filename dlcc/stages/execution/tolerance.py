"""Tolerance: relative deviation up to which a replay agrees with the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcc.records import Config, ReplayKind
from dlcc.runs import machine_fingerprint
from dlcc.runs.machine import software_versions

SMALLEST = 1e-5
"""Smallest tolerance that is measured: what other kernels of the same operations differ by."""
LARGEST = 1e-2
"""Largest tolerance; beyond it a training is chaotic, and agreement would say nothing."""
PERTURBATION = 1e-7
"""Relative size of a perturbation: about the last bit of a float32."""
_SAFETY = 10.0


@dataclass(frozen=True)
class Tolerance:
    """Relative deviations that are allowed, by kind of comparison."""

    allowed: Mapping[ReplayKind, float]

    @property
    def exact(self) -> bool:
        """Whether equality to the last bit is asked for."""
        return not any(self.allowed.values())

    def decides(self, kind: ReplayKind) -> bool:
        """Whether a comparison of this kind under the tolerance would say anything."""
        return self.allowed[kind] <= LARGEST


EXACT = Tolerance({"weights": 0.0, "probe": 0.0, "steps": 0.0, "state": 0.0})


def same_machine(config: Config) -> bool:
    """Whether results can be expected to agree bit for bit: processor and versions are the same."""
    ours, versions = machine_fingerprint(), software_versions()
    return (
        config.machine.get("cpu") == ours["cpu"]
        and config.machine.get("accelerator") is None
        and all(config.versions.get(name) == versions.get(name) for name in ("torch", "numpy"))
    )


def measured(probe: float, steps: float) -> Tolerance:
    """Make the tolerance from the largest deviations that perturbed states led to."""
    of_probe, of_steps = (max(SMALLEST, _SAFETY * worst) for worst in (probe, steps))
    return Tolerance({"weights": 0.0, "probe": of_probe, "steps": of_steps, "state": of_steps})


def perturbed(data: bytes, rng: np.random.Generator) -> bytes:
    """Perturb the floating-point tensors of a state file by ± `PERTURBATION`, relative."""
    from safetensors.numpy import save

    from dlcc.runs.tensors import parse_tensors

    def off(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        signs = rng.choice([-1.0, 1.0], size=array.shape)
        return np.asarray(array * (1 + PERTURBATION * signs), dtype=array.dtype)

    tensors = parse_tensors(data, "state")
    return save(
        {
            name: off(array) if array.dtype.kind == "f" and name.startswith("state/") else array
            for name, array in tensors.items()
        }
    )
