"""What landscape measures cost, in plain training steps and beside other libraries.

    python benchmarks/landscape.py

Gradients of rows: exact norms, norms with the trace and the noise scale, projections to four
orthonormal directions, of a convolutional discriminator and of a fully connected one at a batch of
128; beside them torch.func.vmap, and, where they are installed, BackPACK (BatchGrad, BatchL2),
Opacus' grad sampler and a whole step tracked by Cockpit's economy configuration.

Curvature: both ends of the Hessian's spectrum, to at most the residual that PyHessian leaves at the
one end that it finds by its own tolerance, on three nets; and the memory that they take beyond a
product of the Hessian with a vector, over that of the 64 Krylov vectors held, all of them in use
and one restart: the peak of tensors alive. Of 64 sets of the small net's parameters: norms and
projections of rows, ends and traces of all at once, over those of one by one.

One torch thread; CPU time; ways alternate, figures are ratios of medians over seven repetitions,
three for curvature, with the smallest and the largest ratio of a repetition. A plain step is
forward, loss and backward.
"""

from __future__ import annotations

import importlib.util
import warnings
import weakref
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from clock import Way, over, timed
from common import write_result
from nets import BATCH, convolutional, fully_connected, ring, softplus
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from dlcc.landscape import (
    extreme_eigenvalues,
    extreme_eigenvalues_stacked,
    gradient_noise,
    hessian,
    per_sample_gradient_norms,
    per_sample_gradient_norms_stacked,
    per_sample_gradients,
    per_sample_gradients_stacked,
    trace,
    trace_stacked,
)

DIRECTIONS, SETS = 4, 64


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
    if importlib.util.find_spec("cockpit"):
        ways["cockpit_step"] = by_cockpit(model, batch)
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

    return {
        "backpack_batch_l2": with_extension(BatchL2Grad),
        "backpack_batch_grad": with_extension(BatchGrad),
    }


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


def by_cockpit(model: nn.Sequential, batch: Tensor) -> Way:
    """A step that its economy configuration tracks."""
    import copy
    import itertools

    from backpack import extend
    from cockpit import Cockpit
    from cockpit.utils.configuration import configuration

    extended, loss = extend(copy.deepcopy(model)), extend(nn.BCEWithLogitsLoss())
    ones, each = torch.ones(len(batch), 1), nn.BCEWithLogitsLoss(reduction="none")
    descent = torch.optim.SGD(extended.parameters(), lr=1e-4)
    cockpit = Cockpit(extended.parameters(), quantities=configuration("economy"))
    steps = itertools.count()

    def way() -> None:
        descent.zero_grad()
        out, step = extended(batch), next(steps)
        value, losses = loss(out, ones), each(out, ones).flatten().detach()
        info = {
            "batch_size": len(batch),
            "individual_losses": losses,
            "loss": value,
            "optimizer": descent,
        }
        with cockpit(step, info=info):
            value.backward(create_graph=cockpit.create_graph(step))
        descent.step()

    return way


# --- curvature ------------------------------------------------------------------------------------


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
    product = hessian(lambda: criterion(model(batch), ones), params).matvec(unit)
    residual = float((product - value * unit).norm()) / abs(value)

    def ours() -> None:
        found["ours"] = extreme_eigenvalues(
            hessian(lambda: criterion(model(batch), ones), params), tol=residual
        )

    ratios = over(timed({"pyhessian_one_end": theirs, "both_ends": ours}, 3), "pyhessian_one_end")
    both = found["ours"]
    return {
        "ratio": ratios["both_ends"],
        "pyhessian": {"value": value, "residual": residual},
        "memory": memory(model, batch),
        "both_ends": {
            "smallest": both.smallest,
            "largest": both.largest,
            "residuals": [both.smallest_error, both.largest_error],
            "products": both.products,
        },
    }


class Alive(TorchDispatchMode):
    """Counts the bytes of tensors that are made within it and alive."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.seen: set[int] = set()

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        given = {x.untyped_storage()._cdata for x in tree_leaves(args) if isinstance(x, Tensor)}
        for x in tree_leaves(out):
            own = x.untyped_storage() if isinstance(x, Tensor) else None
            if own is not None and own._cdata not in given | self.seen:
                self.seen.add(own._cdata)
                self.now += own.nbytes()
                weakref.finalize(own, self.free, own._cdata, own.nbytes())
        self.peak = max(self.peak, self.now)
        return out

    def free(self, storage: int, size: int) -> None:
        self.seen.remove(storage)
        self.now -= size


def memory(model: nn.Sequential, batch: Tensor, vectors: int = 64) -> float:
    params = list(model.parameters())

    def peak(products: int) -> int:
        with Alive() as alive:
            operator = hessian(lambda: softplus(model, batch).mean(), params)
            if products:
                extreme_eigenvalues(operator, 1e-12, vectors=vectors, products=products)
            else:
                operator.matvec(torch.ones(operator.size))
        return alive.peak

    size = 4 * sum(p.numel() for p in params)
    return (peak(vectors + 2) - peak(0)) / (size * vectors)


# --- sets of parameters ---------------------------------------------------------------------------


def of_sets(solos: list[nn.Sequential], batch: Tensor) -> dict[str, Any]:
    """All at once over one by one."""
    model, params = solos[0], stack_module_state(solos)[0]
    size = sum(p.numel() for p in model.parameters())
    project = torch.linalg.qr(torch.randn(size, DIRECTIONS))[0]

    def mean(net: nn.Module, rows: Tensor) -> Tensor:
        return softplus(net, rows).mean()

    def each(measure: Callable[[Callable[[], Tensor], list[Tensor]], object]) -> Way:
        return lambda: [measure(partial(mean, net, batch), list(net.parameters())) for net in solos]

    pairs: dict[str, tuple[Way, Way]] = {
        "norms": (
            lambda: per_sample_gradient_norms_stacked(model, params, softplus, batch),
            lambda: [per_sample_gradient_norms(net, softplus, batch) for net in solos],
        ),
        "projections": (
            lambda: per_sample_gradients_stacked(model, params, softplus, batch, project=project),
            lambda: [per_sample_gradients(net, softplus, batch, project=project) for net in solos],
        ),
        "both_ends": (
            lambda: extreme_eigenvalues_stacked(model, params, mean, batch),
            each(lambda loss, own: extreme_eigenvalues(hessian(loss, own))),
        ),
        "trace": (
            lambda: trace_stacked(model, params, mean, batch),
            each(lambda loss, own: trace(hessian(loss, own))),
        ),
    }
    return {
        name: over(timed({"at_once": at_once, "one_by_one": one_by_one}), "one_by_one")["at_once"]
        for name, (at_once, one_by_one) in pairs.items()
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
            "ring": of_curvature(ring(), points),
        }
    figures["sets"] = of_sets([ring() for _ in range(SETS)], points)
    write_result("landscape", figures, seeds={"weights_and_batch": 0})


if __name__ == "__main__":
    main()
