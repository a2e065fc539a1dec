"""Global random states of torch, numpy and random, as tensors and plain values."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any


def random_state() -> dict[str, Any]:
    """Read the current states; reading changes none."""
    import numpy as np
    import torch

    version, words, gauss = random.getstate()
    legacy: Any = np.random.get_state(legacy=False)
    state: dict[str, Any] = {
        "torch": torch.get_rng_state(),
        "python": {"version": version, "words": torch.tensor(words), "gauss": gauss},
        "numpy": {
            "kind": legacy["bit_generator"],
            "key": torch.from_numpy(legacy["state"]["key"].astype(np.int64)),
            "position": int(legacy["state"]["pos"]),
            "has_gauss": int(legacy["has_gauss"]),
            "gauss": float(legacy["gauss"]),
        },
    }
    if _uses_cuda():
        state["cuda"] = torch.cuda.get_rng_state_all()
    return state


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Set the global states to what `random_state` returned.

    CUDA states are restored for as many devices as both machines have.
    """
    import numpy as np
    import torch

    if not state:
        return
    torch.set_rng_state(state["torch"])
    python = state["python"]
    random.setstate((python["version"], tuple(python["words"].tolist()), python["gauss"]))
    legacy = state["numpy"]
    np.random.set_state(
        (
            legacy["kind"],
            legacy["key"].numpy().astype(np.uint32),
            legacy["position"],
            legacy["has_gauss"],
            legacy["gauss"],
        )
    )
    devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
    for device, words in enumerate(state.get("cuda", [])[:devices]):
        torch.cuda.set_rng_state(words, device)


@contextmanager
def torch_random_state_kept() -> Iterator[None]:
    """Undo, after the block, all draws that it made from torch's global generators."""
    import torch

    devices = range(torch.cuda.device_count()) if _uses_cuda() else ()
    with torch.random.fork_rng(devices=list(devices)):
        yield


def _uses_cuda() -> bool:
    import torch

    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]
