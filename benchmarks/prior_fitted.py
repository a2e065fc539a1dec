"""A small transformer that is fitted to a prior over tables, and tells rows by other rows.

    python benchmarks/prior_fitted.py --minutes 6 --work FOLDER

As prior-fitted networks do (Müller 2022; Hollmann 2023, TabPFN), it is trained once, on tables that
are drawn, to tell the labels of some rows from those of others, and then tells any table's without
a fit. Tables are drawn as structural causal models do: figures and label are nodes of a random
network (Hollmann 2023, section 4; nanoTabPFN trains on the like). Rows are tokens, and their
figures are turned to principal components. benchmarks/members.py holds it against other members.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional as F

Floats = NDArray[np.float64]
WIDTH, HEADS, LAYERS, WIDER = 64, 4, 3, 2
COMPONENTS, MOST_KNOWN, LEAST_KNOWN, ASKED, TABLES = 32, 400, 40, 48, 12
RATE, DECAY = 1e-3, 1e-2
WEIGHTS = "synthetic.safetensors"
"""Name of the file of weights."""


class _Layer(nn.Module):
    """Attention of all rows to those whose label is known, and two layers on each row."""

    def __init__(self) -> None:
        super().__init__()
        self.before, self.between = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.query, self.key = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.value, self.out = nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH)
        self.up, self.down = nn.Linear(WIDTH, WIDER * WIDTH), nn.Linear(WIDER * WIDTH, WIDTH)

    def forward(self, x: Tensor, known: int) -> Tensor:
        """Map rows [tables, n, WIDTH], the first `known` of which are attended to."""
        h = self.before(x)
        parts = (self.query(h), self.key(h[:, :known]), self.value(h[:, :known]))
        q, k, v = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in parts)
        heard = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        x = x + self.out(heard)
        mapped: Tensor = x + self.down(F.gelu(self.up(self.between(x))))
        return mapped


class Network(nn.Module):
    """Transformer over the rows of tables."""

    def __init__(self) -> None:
        super().__init__()
        self.row, self.label = nn.Linear(COMPONENTS, WIDTH), nn.Embedding(2, WIDTH)
        self.layers = nn.ModuleList(_Layer() for _ in range(LAYERS))
        self.last, self.decide = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, 1)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Compute logits [tables, n − known] of rows x [tables, n, COMPONENTS] whose first ones
        have labels y [tables, known]."""
        known = y.shape[1]
        told = F.pad(self.label(y), (0, 0, 0, x.shape[1] - known))
        h = self.row(x) + told
        for layer in self.layers:
            h = layer(h, known)
        logits: Tensor = self.decide(self.last(h[:, known:]))[..., 0]
        return logits


def components(known: Floats, every: Floats) -> Floats:
    """Principal components [n, COMPONENTS] of rows `every`, by the known ones; 0 beyond them.

    They are over the root of the mean variance, so that the first ones are the largest.
    """
    centred = known - known.mean(axis=0)
    _, sizes, axes = np.linalg.svd(centred, full_matrices=False)
    number = min(COMPONENTS, len(sizes))
    scale = np.sqrt((sizes[:number] ** 2).mean() / len(known)) + 1e-9
    turned = (every - known.mean(axis=0)) @ axes[:number].T / scale
    return np.pad(np.clip(turned, -8, 8), ((0, 0), (0, COMPONENTS - number)))


# --------------------------------------------------------------------------------------- prior


def draw_table(rng: np.random.Generator, n: int) -> tuple[Floats, NDArray[np.bool_]]:
    """Draw a table whose figures and label are nodes of a random network of causes."""
    figures, causes = int(rng.integers(6, 80)), int(rng.integers(2, 16))
    h = rng.standard_normal((n, causes))
    if rng.random() < 0.4:  # rows of few sorts, as data sets are
        h += rng.standard_normal((int(rng.integers(2, 6)), causes))[rng.integers(0, 2, n)]
    nodes = []
    for _ in range(int(rng.integers(1, 4))):
        width = int(rng.integers(8, 48))
        weights = rng.standard_normal((h.shape[1], width)) * (rng.random((h.shape[1], width)) < 0.5)
        h = h @ weights / np.sqrt(np.maximum(1, (weights != 0).sum(axis=0)))
        h = _bent(rng, h + rng.standard_normal(width) * 0.5)
        h = h + rng.standard_normal(h.shape) * rng.choice([0.02, 0.1, 0.3])
        nodes.append(h)
    every = np.concatenate(nodes, axis=1)
    chosen = rng.integers(0, every.shape[1], figures)
    x = every[:, chosen] + 0.1 * rng.standard_normal((n, figures))
    target = every @ (rng.standard_normal(every.shape[1]) * (rng.random(every.shape[1]) < 0.15))
    target = target + rng.choice([0.05, 0.3, 0.8]) * target.std() * rng.standard_normal(n)
    target = target if rng.random() < 0.7 else np.abs(target - np.quantile(target, rng.random()))
    y = target > np.quantile(target, rng.uniform(0.35, 0.9))
    scaled = (x - x.mean(axis=0)) / (x.std(axis=0) + 1e-9)
    x = np.clip(scaled, -4, 4)
    x[:, rng.random(figures) < rng.choice([0.0, 0.1, 0.3])] = 0.0  # figures that are missing
    return x, y


def _bent(rng: np.random.Generator, h: Floats) -> Floats:
    kind = rng.integers(5)
    if kind == 0:
        return np.tanh(h)
    if kind == 1:
        return np.maximum(h, 0)
    if kind == 2:
        return np.sin(2 * h)
    return h if kind == 3 else np.where(h > 0, 1.0, -0.3) + 0.2 * h


# ------------------------------------------------------------------------------------ training


def trained(minutes: float, seed: int = 0) -> Network:
    """Train a network on tables that are drawn, for some minutes of CPU."""
    torch.manual_seed(seed)
    rng, network = np.random.default_rng(seed), Network()
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
    start, step, recent = time.process_time(), 0, 0.7
    while (done := (time.process_time() - start) / (60 * minutes)) < 1:
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 200) * 0.5 * (1 + np.cos(np.pi * done))
        known = int(np.exp(rng.uniform(np.log(LEAST_KNOWN), np.log(MOST_KNOWN))))
        rows, labels = [], []
        while len(rows) < TABLES:
            x, y = draw_table(rng, known + ASKED)
            if y[:known].any() and not y[:known].all():
                rows.append(components(x[:known], x))
                labels.append(y)
        y = torch.tensor(np.array(labels))
        logits = network(torch.tensor(np.array(rows), dtype=torch.float32), y[:, :known].long())
        loss = F.binary_cross_entropy_with_logits(logits, y[:, known:].float())
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimizer.step()
        recent += 0.01 * (float(loss.detach()) - recent)
        step += 1
        if step % 200 == 0:
            print(f"step {step}, {TABLES * step} tables, loss {recent:.4f}", flush=True)
    return network


@dataclass(frozen=True)
class PriorFitted:
    """Trained network, kept in half precision."""

    network: Network

    @classmethod
    def read(cls, path: Path) -> PriorFitted:
        """Read a network's weights."""
        network = Network()
        network.load_state_dict({name: w.float() for name, w in load_file(str(path)).items()})
        return cls(network.eval())

    def save(self, path: Path) -> None:
        """Write them."""
        save_file({name: w.half() for name, w in self.network.state_dict().items()}, str(path))

    def __call__(self, x: Floats, y: NDArray[np.bool_], asked: Floats) -> Floats:
        """P [m] of rows asked [m, p], by known rows x [n, p] with labels y [n], as many at once as
        it was trained on; logits of the parts are averaged."""
        parts = -(-len(x) // MOST_KNOWN)
        order, logits = np.random.default_rng(0).permutation(len(x)), []
        for part in np.array_split(order, parts):
            table = components(x[part], np.vstack([x[part], asked]))
            with torch.no_grad():
                found = self.network(
                    torch.tensor(table[None], dtype=torch.float32),
                    torch.tensor(y[part][None]).long(),
                )
            logits.append(found[0].double().numpy())
        return np.asarray(1 / (1 + np.exp(-np.mean(logits, axis=0))))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=6.0, help="minutes of CPU")
    parser.add_argument("--work", type=Path, required=True)
    options = parser.parse_args()
    torch.set_num_threads(1)
    path = options.work / WEIGHTS
    PriorFitted(trained(options.minutes)).save(path)
    print(path, path.stat().st_size)


if __name__ == "__main__":
    main()
