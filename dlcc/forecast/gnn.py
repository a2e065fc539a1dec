"""Graph network over the similarity graph of runs: a run is judged with its neighbours' labels.

Nodes are runs, each with its feature vector and, where it may be shown, its label; edges lead from
a run's nearest past runs to it. In training a random half of the past runs hides its label and is
predicted from the rest, which is what a new run looks like (GraphSAGE: Hamilton 2017, algorithm 1;
labels as inputs: Shi 2021, "Masked label prediction", section 3.2).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import xxhash
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from dlcc import cache
from dlcc.engine.scratch import scratch_folder
from dlcc.past_runs.similarity import Space
from dlcc.typing import Floats

HIDDEN = 32
"""Features of a node inside the network."""
_WEIGHTS = "network.safetensors"

Weights = Mapping[str, NDArray[np.float32]]
"""Weights of a network by name, as `trained_weights` gives them."""


@dataclass(frozen=True)
class OutcomeGNN:
    """Trained network and the graph that it was trained on."""

    weights: Weights
    space: Space

    @classmethod
    def fit(cls, space: Space, seed: int = 0) -> OutcomeGNN:
        """Train on the runs of a space; the same space gives the same network, and from the cache
        where it was trained before."""
        points, labels = np.asarray(space.points, np.float32), space.library.labels
        ends, neighbours = len(space.library.label_names), space.neighbours[0]
        key = _key(points, labels, neighbours, str(ends), str(seed))
        weights = _found(key, _shapes(points.shape[1], ends))
        if weights is None:
            from dlcc.forecast.gnn_training import trained_weights

            weights = trained_weights(space.points, labels, ends, neighbours, seed)
            _keep(weights, key)
        return cls(weights, space)

    def probabilities(self, points: Floats) -> Floats:
        """Compute probabilities [m, labels] of each label for new points [m, p] of the space."""
        past = len(self.space.points)
        found, _ = self.space.nearest(points, self.space.neighbours[0].shape[1])
        sources = np.concatenate([self.space.neighbours[0], found])
        x = np.concatenate([self.space.points, points]).astype(np.float32)
        ends = len(self.space.library.label_names)
        shown = np.zeros((len(x), ends + 1), np.float32)
        shown[np.arange(past), self.space.library.labels] = 1
        shown[:past, ends] = 1
        h = np.maximum(self._linear(np.hstack([x, shown]), "encode"), 0)
        for layer in ("first", "second"):
            heard = self._linear(mean_of_neighbours(h, sources), f"{layer}.lin_l")
            h = np.maximum(heard + h @ self.weights[f"{layer}.lin_r.weight"].T, 0) + h
        logits = self._linear(h[past:], "decide").astype(np.float64)
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        return np.asarray(shares / shares.sum(axis=1, keepdims=True))

    def _linear(self, h: NDArray[np.float32], name: str) -> NDArray[np.float32]:
        return h @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]


def mean_of_neighbours(
    h: NDArray[np.float32], neighbours: NDArray[np.int64]
) -> NDArray[np.float32]:
    """Average the features [n, p] of each node's neighbours, [n, k] numbers of nodes."""
    total = np.zeros_like(h)
    for column in neighbours.T:  # one after the other, as a sum over edges adds them
        total += h[column]
    return np.asarray(total / neighbours.shape[1])


def _key(*parts: NDArray[np.float32] | NDArray[np.int64] | str) -> str:
    """Hash of everything that the last bits of a trained network depend on."""
    state = xxhash.xxh3_128(f"{cache.package_digest()}\0{version('torch')}".encode())
    for part in parts:
        if isinstance(part, str):
            state.update(f"\0{part}".encode())
        else:
            state.update(f"\0{part.shape}".encode())
            state.update(np.ascontiguousarray(part).tobytes())
    return state.hexdigest()


def _shapes(features: int, ends: int) -> dict[str, tuple[int, ...]]:
    """Shape of each tensor of a network."""
    linear = {"encode": (HIDDEN, features + ends + 1), "decide": (ends, HIDDEN)}
    linear |= {f"{layer}.lin_l": (HIDDEN, HIDDEN) for layer in ("first", "second")}
    shapes: dict[str, tuple[int, ...]] = {}
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes | {f"{layer}.lin_r.weight": (HIDDEN, HIDDEN) for layer in ("first", "second")}


def _found(key: str, shapes: Mapping[str, tuple[int, ...]]) -> Weights | None:
    """Load the weights of a network from the cache; None where they are not there."""
    entry = cache.find("networks", key)
    if entry is None:
        return None
    try:
        kept: Weights = load_file(entry / _WEIGHTS)
    except (OSError, SafetensorError):
        return None
    return kept if {name: weights.shape for name, weights in kept.items()} == shapes else None


def _keep(weights: Weights, key: str) -> None:
    with scratch_folder() as folder:
        save_file(dict(weights), folder / _WEIGHTS)
        cache.keep("networks", key, folder)
