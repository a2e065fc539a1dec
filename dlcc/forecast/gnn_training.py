"""Training of the graph network, in torch: importing it takes a second, so only who trains does."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc.engine.jobs import one_thread
from dlcc.forecast.gnn import HIDDEN
from dlcc.typing import Floats

EPOCHS, RATE, DECAY, DROPOUT = 120, 1e-2, 1e-3, 0.3
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


def trained_weights(
    points: Floats, labels: NDArray[np.int64], ends: int, neighbours: NDArray[np.int64], seed: int
) -> dict[str, NDArray[np.float32]]:
    """Train a network on runs: its weights by name.

    Args:
        points: Points of the runs [n, p].
        labels: Labels of the runs [n], below `ends`.
        ends: Number of labels.
        neighbours: Nearest runs of each run [n, k].
        seed: Seed of the weights and of what is hidden.
    """
    x, known = torch.tensor(points, dtype=torch.float32), torch.tensor(labels)
    targets = np.repeat(np.arange(len(neighbours)), neighbours.shape[1])
    edges = torch.tensor(np.stack([neighbours.ravel(), targets]))
    with torch.random.fork_rng(devices=[]), one_thread():  # as a stage's worker
        torch.manual_seed(seed)
        network = OutcomeNetwork(x.shape[1], ends)
        optimizer = torch.optim.Adam(network.parameters(), lr=RATE, weight_decay=DECAY)
        for _ in range(EPOCHS):
            hidden = torch.rand(len(known)) < 0.5
            logits = network(x, _shown(known, ~hidden, ends), edges)
            loss = F.cross_entropy(logits[hidden], known[hidden])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def _shown(labels: Tensor, visible: Tensor, ends: int) -> Tensor:
    """One-hot labels and a flag, [n, labels + 1]; zeros for runs that hide their label."""
    flags = torch.cat([F.one_hot(labels, ends), torch.ones(len(labels), 1)], dim=1)
    return flags * visible[:, None]
