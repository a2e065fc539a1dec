"""Steps run again outside: the same numbers as inside, and what was told of them found out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dlcc.errors import TraceError
from dlcc.tracing.graph import Leaf, Operation, StepGraph, Use, gradient_name, left_name
from dlcc.tracing.recorder import StepRecorder
from dlcc.tracing.rerun import Rerun, check_step, leaves_of
from tests.tracing.steps import DATA, ROWS, players, recorded


class Flipped(torch.autograd.Function):
    """Identity whose gradient is turned around."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        return -grads[0]


def convolutional() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.BatchNorm2d(6), nn.LeakyReLU(0.2), nn.MaxPool2d(2),
        nn.ConvTranspose2d(6, 4, 4, 2, 1), nn.GroupNorm(2, 4), nn.SiLU(), nn.Flatten(),
        nn.LayerNorm(4 * 64), nn.Linear(4 * 64, 3),
    )  # fmt: skip


@pytest.mark.parametrize(
    "loss",
    [
        lambda y: y.square().mean(),
        lambda y: torch.nn.functional.cross_entropy(y, torch.arange(5) % 3),
        lambda y: torch.logsumexp(y, 1).sum() + y.std() - torch.where(y > 0, y, 2 * y).amax(),
        lambda y: (
            torch.cdist(y, y).mean() + torch.linalg.vector_norm(y, dim=1).topk(2).values.sum()
        ),
        lambda y: (y - y.detach()).exp().sum() + y[:, 1].clamp(min=0.1).log().mean(),
    ],
)
def test_losses_and_gradients_are_those_of_autograd(loss: Callable[[Tensor], Tensor]) -> None:
    net = convolutional()
    images = torch.randn(5, 2, 8, 8)
    sgd = torch.optim.SGD(net.parameters(), 0.1)
    with StepRecorder({"net": net}) as recorder:
        made = loss(net(images))
        sgd.zero_grad()
        made.backward()
        sgd.step()
    graph, tensors = recorder.graph()
    leaves = leaves_of(graph, tensors)
    again = Rerun(graph, leaves).value(graph.roots[0].node)
    assert float(again.detach()) == pytest.approx(float(made.detach()), rel=1e-6)
    assert check_step(graph, leaves, tensors).faults == ("",)
    assert check_step(graph, leaves, tensors).scales == (1.0,)


def one_step(
    change: Callable[[nn.Module, Tensor], Tensor] | None = None,
    after: Callable[[nn.Module], None] | None = None,
    optimizer: Any = torch.optim.Adam,
    **options: Any,
) -> tuple[StepGraph, dict[str, Tensor]]:
    """Step of a discriminator, with something done to its output or its gradients."""
    nets = players()
    judge = nets["discriminator"]
    adam = optimizer(judge.parameters(), 1e-3, **options)

    def step(_: dict[str, nn.Module]) -> None:
        out = judge(DATA[:ROWS])
        adam.zero_grad()
        softplus(-(out if change is None else change(judge, out))).mean().backward()
        if after is not None:
            after(judge)
        adam.step()

    return recorded(step, nets)


def turn_gradients(judge: nn.Module) -> None:
    for p in judge.parameters():
        assert p.grad is not None
        p.grad.mul_(-1)


def hook(judge: nn.Module, out: Tensor) -> Tensor:
    out.register_hook(lambda g: g + 1)
    return out


def hook_of_weight(judge: nn.Module, out: Tensor) -> Tensor:
    for weight in judge.parameters():
        weight.register_hook(lambda g: g.sign())
    return out


@pytest.mark.parametrize(
    ("change", "after", "scale"),
    [
        (lambda judge, out: Flipped.apply(out), None, "its own"),
        (hook_of_weight, None, "its own"),
        (hook, None, "its own"),
        (None, lambda judge: judge[0].weight.grad.add_(0.1), "changed"),
        (None, lambda judge: nn.utils.clip_grad_value_(judge.parameters(), 1e-4), "changed"),
        (None, turn_gradients, "climbs"),
        (None, lambda judge: nn.utils.clip_grad_norm_(judge.parameters(), 1e-3), "less"),
        (lambda judge, out: 3 * out, None, 1.0),
    ],
)
def test_gradients_that_do_not_follow_are_found(change: Any, after: Any, scale: Any) -> None:
    graph, tensors = one_step(change, after)
    checked = check_step(graph, leaves_of(graph, tensors), tensors)
    if scale == "its own":
        assert checked.faults[0] == ""
        assert "by a function or a hook of its own" in checked.unknown[0]
    elif scale == "changed":
        assert checked.faults[0] == ""
        assert "the code changes its gradients" in checked.unknown[0]
    elif scale == "climbs":
        assert (checked.faults[0], checked.unknown[0]) == ("", "")
        assert checked.updates[0].maximises
    elif scale == "less":
        assert checked.faults[0] == ""
        assert 0 < (checked.scales[0] or 0) < 0.1
    elif scale < 0:
        assert "turned around" in checked.faults[0]
    else:
        assert checked.scales == (scale,)


def test_a_gradient_that_is_zeroed_before_the_step_is_a_fault() -> None:
    graph, tensors = one_step(after=lambda judge: judge.zero_grad(set_to_none=False))
    leaves = leaves_of(graph, tensors)
    checked = check_step(graph, leaves, tensors)
    assert "zeroed before the step" in checked.faults[0]
    left = {name: 0 * t if name.startswith("left/") else t for name, t in tensors.items()}
    vanished = check_step(graph, leaves, left)  # within backward, as numbers too small do
    assert vanished.faults == ("",)
    assert vanished.unknown[0]


def test_a_step_that_a_gradient_scaler_skips_is_no_fault() -> None:
    judge = players()["discriminator"]
    sgd = torch.optim.SGD(judge.parameters(), 1e-3)
    scaler = torch.amp.GradScaler("cpu", init_scale=1e38)

    def step(nets: dict[str, nn.Module]) -> None:
        sgd.zero_grad()
        scaler.scale(1e3 * nets["discriminator"](DATA[:ROWS]).square().sum()).backward()
        scaler.step(sgd)
        scaler.update()

    graph, tensors = recorded(step, {"discriminator": judge})
    assert check_step(graph, leaves_of(graph, tensors), tensors).faults == ()


@pytest.mark.parametrize("optimizer", [torch.optim.Adam, torch.optim.RMSprop, torch.optim.SGD])
@pytest.mark.parametrize("fused", [False, True])
def test_what_an_optimiser_writes_is_seen_by_the_next_loss(optimizer: Any, fused: bool) -> None:
    if fused and optimizer is torch.optim.RMSprop:
        fused_options: dict[str, Any] = {"foreach": True}
    else:
        fused_options = {"fused": fused}
        if optimizer is torch.optim.RMSprop:
            fused_options = {}
    nets = players()
    judge = nets["discriminator"]
    made = optimizer(judge.parameters(), 0.1, **fused_options)

    def step(_: dict[str, nn.Module]) -> None:
        for _number in range(2):
            made.zero_grad()
            softplus(-judge(DATA[:ROWS])).mean().backward()
            made.step()

    graph, tensors = recorded(step, nets)
    assert check_step(graph, leaves_of(graph, tensors), tensors).faults == ("", "")


def test_spectral_norm_is_followed() -> None:
    from torch.nn.utils.parametrizations import spectral_norm

    nets: dict[str, nn.Module] = {"net": nn.Sequential(spectral_norm(nn.Linear(5, 3)), nn.Tanh())}
    adam = torch.optim.Adam(nets["net"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        first = n["net"](DATA[:ROWS]).square().mean()
        (first + n["net"](DATA[ROWS:]).mean()).backward()  # writes its vectors once more
        adam.step()

    graph, tensors = recorded(step, nets)
    checked = check_step(graph, leaves_of(graph, tensors), tensors)
    assert (checked.faults, checked.unknown) == (("",), ("",))


def test_an_operation_that_is_not_known_is_no_fault() -> None:
    net = nn.Linear(5, 5)
    adam = torch.optim.Adam(net.parameters())

    def step(n: dict[str, nn.Module]) -> None:
        torch.special.i0e(n["net"](DATA[:ROWS])).mean().backward()
        adam.step()

    graph, tensors = recorded(step, {"net": net})
    checked = check_step(graph, leaves_of(graph, tensors), tensors)
    assert checked.faults == ("",)
    assert "i0e" in checked.unknown[0]


def test_an_optimiser_without_a_loss_is_found() -> None:
    nets = players()
    adam = torch.optim.Adam(nets["generator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        fake = n["generator"](torch.randn(ROWS, 3)).detach()
        softplus(n["discriminator"](fake)).mean().backward()
        adam.step()

    graph, tensors = recorded(step, nets)
    checked = check_step(graph, leaves_of(graph, tensors), tensors)
    assert graph.updates[0].players == ("generator",)
    assert "no loss was differentiated" in checked.faults[0]


def test_told_gradients_that_were_made_up_are_found() -> None:
    graph, tensors = one_step()
    name = gradient_name(0, graph.updates[0].parameters[0])
    made_up = {**tensors, name: torch.randn_like(tensors[name])}
    checked = check_step(graph, leaves_of(graph, tensors), made_up)
    assert checked.unknown[0]  # what the last differentiation left is told rightly, and differs
    left = left_name(0, graph.updates[0].parameters[0])
    twice = {**made_up, left: made_up[name]}
    faults = check_step(graph, leaves_of(graph, tensors), twice).faults
    assert "is not that of its loss" in faults[0]


def test_transforms_of_functions_are_said_not_to_be_seen() -> None:
    nets = players()

    def step(n: dict[str, nn.Module]) -> None:
        judge = n["discriminator"]
        weights = {k: v.detach() for k, v in judge.named_parameters()}
        found = torch.func.grad(lambda w: torch.func.functional_call(judge, w, (DATA,)).mean())(
            weights
        )
        for name, weight in judge.named_parameters():
            weight.grad = found[name]
        torch.optim.SGD(judge.parameters(), 0.1).step()

    graph, tensors = recorded(step, nets)
    with pytest.raises(TraceError, match=r"torch\.func"):
        check_step(graph, leaves_of(graph, tensors), tensors)


@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("aten::from_file", ("/etc/passwd",)),
        ("aten::randn", ([3],)),
        ("prims::add", (1, 2)),
        ("os::system", ("true",)),
        ("aten::no_such_thing", ()),
        ("aten::zeros", ([1 << 20, 1 << 20],)),
        ("aten::full", ([1 << 40], 1.0)),
        ("aten::add.Tensor", ("x", "y")),
        ("aten::mean.__class__", ()),
    ],
)
def test_operations_that_are_not_known_or_too_large_are_not_run(name: str, args: Any) -> None:
    graph = StepGraph((Operation(name, args, {}, 0, ()),), (), (), ())
    with pytest.raises(TraceError):
        Rerun(graph, {}).value(0)


def test_an_outer_product_that_is_too_large_is_refused_before_it_is_made() -> None:
    graph, _ = one_step()
    wide = torch.ones(1 << 15, 1)
    nodes = (
        Leaf("outside", ""),
        Operation("aten::t", (Use(0, False),), {}, 0, ()),
        Operation("aten::mm", (Use(0, False), Use(1, False)), {}, 0, ()),
    )
    with pytest.raises(TraceError, match="too much"):
        Rerun(replace(graph, nodes=nodes, calls=()), {0: wide}).value(2)


def test_long_chains_of_operations_are_run() -> None:
    net = nn.Linear(1, 1)

    def step(_: dict[str, nn.Module]) -> None:
        y = net(torch.ones(1, 1))
        for _number in range(3000):
            y = y + 0.001
        y.sum().backward()

    graph, tensors = recorded(step, {"net": net})
    assert Rerun(graph, leaves_of(graph, tensors)).value(graph.roots[0].node).numel() == 1


def test_an_optimiser_that_climbs_turns_the_loss_around() -> None:
    import numpy as np

    from dlcc.tracing.losses import StepLoss

    graph, tensors = one_step(maximize=True)
    leaves = leaves_of(graph, tensors)
    checked = check_step(graph, leaves, tensors)
    loss = StepLoss(graph, leaves, checked.updates[0], np.asarray(DATA))
    assert loss.recorded < 0
    assert float(loss({}).detach()) == pytest.approx(loss.recorded, rel=1e-5)


def test_numbers_of_half_precision_are_rounded_again_as_they_were() -> None:
    nets: dict[str, nn.Module] = {"net": nn.Linear(5, 3).bfloat16()}
    sgd = torch.optim.SGD(nets["net"].parameters(), 0.1)

    def step(n: dict[str, nn.Module]) -> None:
        drawn = torch.randn(8, 5, dtype=torch.bfloat16)
        n["net"](drawn).float().square().mean().backward()
        sgd.step()

    graph, tensors = recorded(step, nets)
    assert not any(t.dtype == torch.bfloat16 for n, t in tensors.items() if n.startswith("leaf/"))
    leaves = leaves_of(graph, tensors)
    assert Rerun(graph, leaves).value(graph.calls[0].outputs[0]).dtype == torch.bfloat16
    assert check_step(graph, leaves, tensors).faults == ("",)


@pytest.mark.parametrize("detached", [False, True])
def test_a_gradient_by_torch_func_is_one_as_any_other_where_it_is_of_the_weights(
    detached: bool,
) -> None:
    nets = players()
    judge = nets["discriminator"]
    sgd = torch.optim.SGD(judge.parameters(), 0.1)

    def loss(weights: dict[str, Tensor]) -> Tensor:
        out: Tensor = torch.func.functional_call(judge, weights, (DATA[:ROWS],))
        return softplus(-out).mean()

    def step(n: dict[str, nn.Module]) -> None:
        weights = {k: p.detach() if detached else p for k, p in judge.named_parameters()}
        found = torch.func.grad(loss)(weights)
        for name, weight in judge.named_parameters():
            weight.grad = found[name]
        sgd.step()

    graph, tensors = recorded(step, nets)
    leaves = leaves_of(graph, tensors)
    if detached:  # other tensors than the weights: what they are is not followed
        with pytest.raises(TraceError, match=r"torch\.func"):
            check_step(graph, leaves, tensors)
    else:
        checked = check_step(graph, leaves, tensors)
        assert (checked.faults, checked.scales) == (("",), (1.0,))
