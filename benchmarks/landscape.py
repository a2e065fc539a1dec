"""What landscape measures cost, in plain training steps and beside other libraries.

    python benchmarks/landscape.py

Gradients of rows: exact norms, norms with the trace and the noise scale, projections to four
orthonormal directions, of a convolutional discriminator and of a fully connected one at a batch of
128; beside them torch.func.vmap, and, where they are installed, BackPACK (BatchGrad, BatchL2) and
Opacus' grad sampler. Curvature: both ends of the Hessian's spectrum, to at most the residual that
PyHessian leaves at the one end that it finds by its own tolerance, on three nets.

One torch thread; CPU time; ways alternate, figures are ratios of medians over REPETITIONS with the
smallest and the largest ratio of a repetition. A plain step is forward, loss and backward.
"""

from __future__ import annotations

import importlib.util
import statistics
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch
from common import write_result
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn import functional as F

from dlcc.landscape import (
    gradient_noise,
    hessian,
    hessian_ends,
    per_sample_gradient_norms,
    per_sample_gradients,
)

BATCH, DIRECTIONS, REPETITIONS = 128, 4, 7
Way = Callable[[], object]


def convolutional() -> nn.Sequential:
    """954,093 parameters on 28 × 28 pictures."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 5, 1, 2), nn.LeakyReLU(0.3), nn.Conv2d(64, 128, 5, 2, 2),
        nn.LeakyReLU(0.3), nn.Conv2d(128, 230, 5, 2, 2), nn.LeakyReLU(0.3), nn.Flatten(),
        nn.Linear(230 * 49, 1),
    )  # fmt: skip


def fully_connected() -> nn.Sequential:
    """Four layers, 927,745 parameters."""
    return nn.Sequential(
        nn.Linear(784, 512), nn.LeakyReLU(0.3), nn.Linear(512, 512), nn.LeakyReLU(0.3),
        nn.Linear(512, 512), nn.LeakyReLU(0.3), nn.Linear(512, 1),
    )  # fmt: skip


def softplus(model: nn.Module, batch: Tensor) -> Tensor:
    """The non-saturating loss of each row."""
    return F.softplus(-model(batch)).flatten()


def timed(ways: Mapping[str, Way], repetitions: int = REPETITIONS) -> dict[str, list[float]]:
    """CPU seconds of each way, alternating, after one call that does not count."""
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for repetition in range(repetitions + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if repetition:
                taken[name].append(time.process_time() - start)
    return taken


def over(taken: Mapping[str, list[float]], base: str) -> dict[str, Any]:
    """Each way's time in those of `base`."""
    return {
        name: {
            "median": statistics.median(own) / statistics.median(taken[base]),
            "low": min(a / b for a, b in zip(own, taken[base], strict=True)),
            "high": max(a / b for a, b in zip(own, taken[base], strict=True)),
        }
        for name, own in taken.items()
    }


# --- gradients of rows ----------------------------------------------------------------------------


def of_rows(model: nn.Sequential, batch: Tensor) -> dict[str, Any]:
    size = sum(p.numel() for p in model.parameters())
    directions = torch.linalg.qr(torch.randn(size, DIRECTIONS))[0]

    def plain() -> None:
        model.zero_grad()
        softplus(model, batch).mean().backward()

    ways: dict[str, Way] = {
        "plain_step": plain,
        "norms": lambda: per_sample_gradient_norms(model, softplus, batch),
        "norms_and_noise": lambda: gradient_noise(model, softplus, batch),
        "projections": lambda: per_sample_gradients(model, softplus, batch, project=directions),
        "vmap": lambda: by_vmap(model, batch),
    }
    if importlib.util.find_spec("backpack"):
        ways |= by_backpack(model, batch)
    if importlib.util.find_spec("opacus"):
        ways["opacus"] = by_opacus(model, batch)
    return over(timed(ways), "plain_step")


def by_vmap(model: nn.Module, batch: Tensor) -> Tensor:
    weights = {name: p.detach() for name, p in model.named_parameters()}

    def loss(own: Mapping[str, Tensor], row: Tensor) -> Tensor:
        return F.softplus(-functional_call(model, dict(own), (row.unsqueeze(0),))).squeeze()

    found = vmap(grad(loss), in_dims=(None, 0))(weights, batch)
    return sum(g.flatten(1).square().sum(dim=1) for g in found.values()).sqrt()


def by_backpack(model: nn.Sequential, batch: Tensor) -> dict[str, Way]:
    import copy

    from backpack import backpack, extend
    from backpack.extensions import BatchGrad, BatchL2Grad

    extended = extend(copy.deepcopy(model))
    loss = extend(nn.BCEWithLogitsLoss())
    ones = torch.ones(len(batch), 1)

    def with_extension(extension: Any) -> Way:
        def way() -> None:
            extended.zero_grad()
            with backpack(extension()):
                loss(extended(batch), ones).backward()

        return way

    return {"backpack_batch_l2": with_extension(BatchL2Grad),
            "backpack_batch_grad": with_extension(BatchGrad)}  # fmt: skip


def by_opacus(model: nn.Sequential, batch: Tensor) -> Way:
    import copy

    from opacus.grad_sample import GradSampleModule

    sampled = GradSampleModule(copy.deepcopy(model), loss_reduction="sum")

    def way() -> None:
        sampled.zero_grad()
        softplus(sampled, batch).sum().backward()
        for p in sampled.parameters():
            p.grad_sample.flatten(1).square().sum(dim=1)
            p.grad_sample = None

    return way


# --- curvature ------------------------------------------------------------------------------------


def small() -> nn.Sequential:
    """A discriminator of the ring: 1,185 parameters."""
    return nn.Sequential(
        nn.Linear(2, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1)
    )


def of_curvature(model: nn.Sequential, batch: Tensor) -> dict[str, Any]:
    """Both ends here, one end there."""
    from pyhessian import hessian as peer

    ones = torch.ones(len(batch), 1)
    criterion = nn.BCEWithLogitsLoss()
    found: dict[str, Any] = {}

    def theirs() -> None:
        made = peer(model, criterion, data=(batch, ones), cuda=False)
        values, vectors = made.eigenvalues(top_n=1)
        found["theirs"] = values[0], vectors[0]

    theirs()
    params = list(model.parameters())
    value, vector = found["theirs"]
    unit = torch.cat([part.flatten() for part in vector])
    unit = unit / unit.norm()
    product = hessian(lambda: criterion(model(batch), ones), params).times(unit)
    residual = float((product - value * unit).norm()) / abs(value)

    def ours() -> None:
        found["ours"] = hessian_ends(lambda: criterion(model(batch), ones), params, tol=residual)

    ratios = over(timed({"pyhessian_one_end": theirs, "both_ends": ours}, 3), "pyhessian_one_end")
    ends = found["ours"]
    return {
        "ratio": ratios["both_ends"],
        "pyhessian": {"value": value, "residual": residual},
        "both_ends": {
            "smallest": ends.smallest,
            "largest": ends.largest,
            "residuals": [ends.smallest_error, ends.largest_error],
            "products": ends.products,
        },
    }


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    warnings.simplefilter("ignore")
    pictures, points = torch.randn(BATCH, 1, 28, 28), torch.randn(BATCH, 2)
    figures: dict[str, Any] = {
        "rows": {
            "convolutional": of_rows(convolutional(), pictures),
            "fully_connected": of_rows(fully_connected(), pictures.flatten(1)),
        }
    }
    if importlib.util.find_spec("pyhessian"):
        figures["curvature"] = {
            "convolutional": of_curvature(convolutional(), pictures),
            "fully_connected": of_curvature(fully_connected(), pictures.flatten(1)),
            "ring": of_curvature(small(), points),
        }
    write_result("landscape", figures, seeds={"weights_and_batch": 0})


if __name__ == "__main__":
    main()
