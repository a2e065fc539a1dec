"""Recording of a step, whatever its style; the training's own numbers stay as they are."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dlcc.tracing.recorder import StepRecorder
from tests.tracing.steps import DATA, ROWS, discriminator_step, players


def in_place_sum(r: Tensor, f: Tensor) -> Tensor:
    total = softplus(-r).mean()
    total += softplus(f).mean()
    total *= 2
    return total


def in_place_relu(r: Tensor, f: Tensor) -> Tensor:
    a = 1 - r
    a.relu_()
    return a.mean() + torch.nn.functional.relu(1 + f, inplace=True).mean()


def write_through_a_view(r: Tensor, f: Tensor) -> Tensor:
    a = softplus(-r).clone()
    a[:8] *= 3
    return a.mean() + softplus(f).mean()


def write_below_a_view(r: Tensor, f: Tensor) -> Tensor:
    a = r.clone()
    view = a.view(-1)
    a.mul_(2)
    return softplus(-view).mean() + softplus(f).mean()


def masked(r: Tensor, f: Tensor) -> Tensor:
    return softplus(-r[r > r.median()]).mean() + softplus(f).mean()


def without_gradient(r: Tensor, f: Tensor) -> Tensor:
    with torch.no_grad():
        weight = torch.sigmoid(f)
    return (weight * softplus(-r)).mean() + softplus(f).mean()


def shuffled(r: Tensor, f: Tensor) -> Tensor:
    return softplus(-(r[torch.randperm(ROWS)] - f)).mean()


def pairs(r: Tensor, f: Tensor) -> Tensor:
    return (r - f.T).abs().mean()


def listed(r: Tensor, f: Tensor) -> Tensor:
    return torch.stack([softplus(-r).mean(), 3 * softplus(f).mean()]).sum()


@pytest.mark.parametrize(
    "loss",
    [in_place_sum, in_place_relu, masked, without_gradient, shuffled, pairs, listed],
)
def test_a_traced_loss_is_the_function_that_was_written(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    found = discriminator_step(loss)
    assert found.opaque == ()
    real, fake = sorted(found.variables[:2], key=lambda v: v.role, reverse=True)
    generator = torch.Generator().manual_seed(0)
    if loss is shuffled:
        assert float(found({}).detach()) == pytest.approx(found.recorded, rel=1e-6)
        return
    for _ in range(5):
        r, f = torch.randn(2, ROWS, 1, generator=generator, dtype=torch.float64)
        mine = float(loss(r.clone(), f.clone()))
        assert float(found({real: r, fake: f}).detach()) == pytest.approx(mine, rel=1e-9)


@pytest.mark.parametrize("loss", [write_through_a_view, write_below_a_view])
def test_what_cannot_be_followed_is_opaque_and_never_wrong(
    loss: Callable[[Tensor, Tensor], Tensor],
) -> None:
    from tests.tracing.steps import recorded, step_loss

    nets = players()
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        fake = n["generator"](torch.randn(ROWS, 3)).detach()
        adam.zero_grad()
        loss(n["discriminator"](DATA[:ROWS]), n["discriminator"](fake)).backward()
        adam.step()

    graph, tensors = recorded(step, nets)
    try:
        found = step_loss(graph, tensors)
    except AssertionError:
        return  # the gradients show that something was not seen
    assert found.opaque


def test_recording_changes_nothing_of_the_training() -> None:
    def weights(record: bool) -> list[Tensor]:
        nets = players()
        adam = torch.optim.Adam([p for n in nets.values() for p in n.parameters()], 0.01)
        torch.manual_seed(3)

        def step() -> None:
            adam.zero_grad()
            softplus(nets["discriminator"](nets["generator"](torch.randn(8, 3)))).mean().backward()
            adam.step()

        for _ in range(2):
            if record:
                with StepRecorder(nets):
                    step()
            else:
                step()
        return [p.detach() for n in nets.values() for p in n.parameters()]

    for a, b in zip(weights(True), weights(False), strict=True):
        assert torch.equal(a, b)


def test_everything_is_put_back_even_after_an_error() -> None:
    before = torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad
    nets = players()
    with pytest.raises(ZeroDivisionError), StepRecorder(nets):
        raise ZeroDivisionError
    assert before == (torch.Tensor.backward, torch.autograd.backward, torch.autograd.grad)
    assert not nets["discriminator"]._forward_hooks


def test_data_that_a_batch_is_picked_from_are_not_carried_along() -> None:
    nets = players()
    with StepRecorder(nets) as recorder:
        nets["discriminator"](DATA[torch.arange(4)]).mean().backward()
    _, tensors = recorder.graph()
    assert max(t.numel() for t in tensors.values()) < DATA.numel()
