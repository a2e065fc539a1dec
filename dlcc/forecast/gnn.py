"""Graph network over the similarity graph of runs: a run is judged with its neighbours' labels.

Nodes are runs, each with its feature vector and, where it may be shown, its label; edges lead from
a run's nearest past runs to it. In training a random half of the past runs hides its label and is
predicted from the rest, which is what a new run looks like (GraphSAGE: Hamilton 2017, algorithm 1;
labels as inputs: Shi 2021, "Masked label prediction", section 3.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import xxhash
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc import cache
from dlcc.engine.scratch import scratch_folder
from dlcc.past_runs.similarity import Space
from dlcc.typing import Floats

HIDDEN, EPOCHS, RATE, DECAY, DROPOUT = 32, 120, 1e-2, 1e-3, 0.3
_WEIGHTS = "network.safetensors"
FEATURE_DROPOUT = 0.2  # so that no single figure decides where a run is unlike the library


class NeighbourMean(nn.Module):
    """Layer that maps a node's features and the mean of its neighbours', each by its own weights.

    Source: Hamilton 2017, algorithm 1, with the mean as aggregator.

    Args:
        features: Number of features of a node, before and after.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.lin_l = nn.Linear(features, features)
        self.lin_r = nn.Linear(features, features, bias=False)
        self.lin_l.reset_parameters()  # drawn twice, as the networks of past versions were
        self.lin_r.reset_parameters()

    def forward(self, x: Tensor, edges: Tensor) -> Tensor:
        """Map features [n, features]; `edges` [2, e] lead from neighbours to nodes."""
        sources, targets = edges
        messages = x.index_select(0, sources)
        total = torch.zeros_like(x).scatter_add_(0, targets[:, None].expand_as(messages), messages)
        count = torch.bincount(targets, minlength=len(x)).clamp(min=1)
        mapped: Tensor = self.lin_l(total / count[:, None]) + self.lin_r(x)
        return mapped


class OutcomeNetwork(nn.Module):
    """Two rounds of messages; node features [n, p] and shown labels [n, labels + 1] to logits."""

    def __init__(self, features: int, labels: int) -> None:
        super().__init__()
        self.encode = nn.Linear(features + labels + 1, HIDDEN)
        self.first = NeighbourMean(HIDDEN)
        self.second = NeighbourMean(HIDDEN)
        self.decide = nn.Linear(HIDDEN, labels)

    def forward(self, x: Tensor, shown: Tensor, edges: Tensor) -> Tensor:
        """Compute logits [n, labels]; `edges` [2, e] lead from neighbours to nodes."""
        x = F.dropout(x, FEATURE_DROPOUT, self.training)
        h = F.relu(self.encode(torch.cat([x, shown], dim=1)))
        h = F.dropout(h, DROPOUT, self.training)
        h = F.relu(self.first(h, edges)) + h
        h = F.relu(self.second(h, edges)) + h
        logits: Tensor = self.decide(F.dropout(h, DROPOUT, self.training))
        return logits


@dataclass(frozen=True)
class OutcomeGNN:
    """Trained network and the graph that it was trained on."""

    network: OutcomeNetwork
    space: Space

    @classmethod
    def fit(cls, space: Space, seed: int = 0) -> OutcomeGNN:
        """Train on the runs of a space; the same space gives the same network, and from the cache
        where it was trained before."""
        x = torch.tensor(space.points, dtype=torch.float32)
        ends, labels = len(space.library.label_names), torch.tensor(space.library.labels)
        edges = _edges(space.neighbours[0], 0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = OutcomeNetwork(x.shape[1], ends)
            key = _key(x, labels, edges, str(ends), str(seed))
            if not _found(network, key):
                _train(network, x, labels, edges)
                _keep(network, key)
        network.eval()
        return cls(network, space)

    def probabilities(self, points: Floats) -> Floats:
        """Compute probabilities [m, labels] of each label for new points [m, p] of the space."""
        past = len(self.space.points)
        found, _ = self.space.nearest(points, self.space.neighbours[0].shape[1])
        x = torch.tensor(np.concatenate([self.space.points, points]), dtype=torch.float32)
        ends, labels = len(self.space.library.label_names), torch.tensor(self.space.library.labels)
        shown = torch.cat(
            [
                _shown(labels, torch.ones(past, dtype=torch.bool), ends),
                torch.zeros(len(points), ends + 1),
            ]
        )
        edges = torch.cat([_edges(self.space.neighbours[0], 0), _edges(found, past)], dim=1)
        with torch.no_grad():
            logits = self.network(x, shown, edges)[past:]
        return np.asarray(F.softmax(logits.double(), dim=1).numpy())


def _train(network: OutcomeNetwork, x: Tensor, labels: Tensor, edges: Tensor) -> None:
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=DECAY)
    for _ in range(EPOCHS):
        hidden = torch.rand(len(labels)) < 0.5
        logits = network(x, _shown(labels, ~hidden, network.decide.out_features), edges)
        loss = F.cross_entropy(logits[hidden], labels[hidden])
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def _key(x: Tensor, labels: Tensor, edges: Tensor, *settings: str) -> str:
    """Hash of everything that the last bits of a trained network depend on."""
    threads = str(torch.get_num_threads())
    parts = (cache.package_digest(), torch.__version__, threads, *settings)
    state = xxhash.xxh3_128("\0".join(parts).encode())
    for tensor in (x, labels, edges):
        state.update(f"{tuple(tensor.shape)}".encode())
        state.update(tensor.numpy().tobytes())
    return state.hexdigest()


def _found(network: OutcomeNetwork, key: str) -> bool:
    """Load the weights of a network from the cache; whether they were there."""
    entry = cache.find("networks", key)
    if entry is None:
        return False
    try:
        kept = load_file(entry / _WEIGHTS)
    except (OSError, SafetensorError):
        return False
    own = network.state_dict()
    if {n: t.shape for n, t in kept.items()} != {n: t.shape for n, t in own.items()}:
        return False
    network.load_state_dict(kept)
    return True


def _keep(network: OutcomeNetwork, key: str) -> None:
    with scratch_folder() as folder:
        save_file(network.state_dict(), folder / _WEIGHTS)
        cache.keep("networks", key, folder)


def _edges(neighbours: NDArray[np.int64], first: int) -> Tensor:
    """Edges [2, m·k] from the neighbours [m, k] to the nodes first, first + 1, ..."""
    targets = np.repeat(np.arange(first, first + len(neighbours)), neighbours.shape[1])
    return torch.tensor(np.stack([neighbours.ravel(), targets]))


def _shown(labels: Tensor, visible: Tensor, ends: int) -> Tensor:
    """One-hot labels and a flag, [n, labels + 1]; zeros for runs that hide their label."""
    flags = torch.cat([F.one_hot(labels, ends), torch.ones(len(labels), 1)], dim=1)
    return flags * visible[:, None]
