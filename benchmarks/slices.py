"""What slices of a loss cost and how near they are, beside loss-landscapes (PyPI).

    python benchmarks/slices.py

A line and a plane of filter-normalised random directions, of the discriminators of
benchmarks/landscape.py at a batch of 128: the same points, the directions made beforehand. Errors
are the largest relative ones against a copy of the net at every point. Theirs on a plane is not
rounding: rows are walked there and back, and the way back is one step off.

On the convolutional net nine tenths of our time are products at the processor's speed. Theirs
depends on the allocator: where it returns the layers' outputs to the system and asks for them anew
at every point, as is usual, a point takes a quarter more. On the fully connected net both do the
same: parameters are set, and the net is called as it was written. The ring's net goes
by vmap.

One torch thread; CPU time; ways alternate, figures are ratios of medians over seven repetitions
with the smallest and the largest ratio of a repetition.
"""

from __future__ import annotations

import copy
import importlib.util
import statistics
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from clock import Way, over, timed
from common import write_result
from nets import BATCH, convolutional, fully_connected, ring, softplus
from torch import Tensor, nn

from dlcc.landscape import ModelLoss, filter_normalised, random_direction, slice_1d, slice_2d
from dlcc.typing import Floats

LINE, SIDE = 25, 11
"""Points on the line, and on a side of the plane."""
LENGTH = 0.1
"""Of the directions, in lengths of the filters."""


def moved(model: nn.Module, places: Sequence[float], directions: Sequence[list[Tensor]]) -> Any:
    """A copy, elsewhere."""
    found = copy.deepcopy(model)
    with torch.no_grad():
        for place, direction in zip(places, directions, strict=True):
            for p, along in zip(found.parameters(), direction, strict=True):
                p.add_(along, alpha=place)
    return found


def measured(model: nn.Module, batch: Tensor) -> dict[str, Any]:
    params = list(model.parameters())
    drawn = (filter_normalised(random_direction(params, seed), params) for seed in (1, 2))
    one, two = ([LENGTH * along for along in direction] for direction in drawn)
    loss = ModelLoss(model, softplus, batch, per_sample=True)
    on_line, on_side = (np.arange(1, n + 1) / n for n in (LINE, SIDE))
    before = on_side - 1 / SIDE  # theirs begin at the net along the first direction
    found: dict[str, Floats] = {}

    def line() -> None:
        found["line"] = slice_1d(loss, params, one, on_line).losses

    def plane() -> None:
        found["plane"] = slice_2d(loss, params, (one, two), before, on_side).losses

    direct = {
        "line": [value(moved(model, [a], [one]), batch) for a in on_line],
        "plane": [
            [value(moved(model, [a, b], [one, two]), batch) for b in on_side] for a in before
        ],
    }
    figures: dict[str, Any] = {}
    for name, ours in {"line": line, "plane": plane}.items():
        ways: dict[str, Way] = {"ours": ours}
        if importlib.util.find_spec("loss_landscapes"):
            ways["theirs"] = theirs(model, batch, one, two, found)[name]
        taken, exact = timed(ways), np.array(direct[name])
        figures[name] = {
            "points": exact.size,
            "ratio": over(taken, "theirs")["ours"] if "theirs" in ways else None,
            "milliseconds_a_point": {
                way: 1e3 * statistics.median(own) / exact.size for way, own in taken.items()
            },
            "error": float(np.abs(found[name] / exact - 1).max()),
        }
        if "theirs" in ways:
            figures[name]["error_of_theirs"] = float(
                np.abs(found[f"their {name}"] / exact - 1).max()
            )
    return figures


def value(model: nn.Module, batch: Tensor) -> float:
    with torch.no_grad():
        return softplus(model, batch).mean().item()


def theirs(
    model: nn.Module, batch: Tensor, one: list[Tensor], two: list[Tensor], found: dict[str, Floats]
) -> dict[str, Way]:
    import loss_landscapes
    from loss_landscapes.metrics import Loss

    ones = torch.ones(len(batch), 1)
    metric = Loss(nn.BCEWithLogitsLoss(), batch, ones)
    ends = moved(model, [1], [one]), moved(model, [1], [two])

    def line() -> None:
        found["their line"] = loss_landscapes.linear_interpolation(
            model, ends[0], metric, LINE, deepcopy_model=True
        )

    def plane() -> None:
        found["their plane"] = loss_landscapes.planar_interpolation(
            model, *ends, metric, SIDE, deepcopy_model=True
        )

    return {"line": line, "plane": plane}


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    pictures, points = torch.randn(BATCH, 1, 28, 28), torch.randn(BATCH, 2)
    figures = {
        "convolutional": measured(convolutional(), pictures),
        "fully_connected": measured(fully_connected(), pictures.flatten(1)),
        "ring": measured(ring(), points),
    }
    seeds = {"weights_and_batch": 0, "directions": [1, 2]}
    write_result("slices", figures, seeds=seeds)


if __name__ == "__main__":
    main()
