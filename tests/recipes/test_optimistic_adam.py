"""Optimistic Adam against its formula, on a game that Adam circles."""

from __future__ import annotations

import copy

import torch

from dlcc.recipes.optimistic_adam import OptimisticAdam


def updates(cls: type[torch.optim.Adam], gradients: torch.Tensor) -> torch.Tensor:
    """Weights after every step of given gradients."""
    weight = torch.nn.Parameter(torch.zeros(3, dtype=torch.float64))
    optimizer = cls([weight], lr=0.1, betas=(0.5, 0.9))
    path = []
    for gradient in gradients:
        weight.grad = gradient.clone()
        optimizer.step()
        path.append(weight.detach().clone())
    return torch.stack(path)


def test_every_update_is_twice_adams_less_the_one_before() -> None:
    torch.manual_seed(0)
    gradients = torch.randn(6, 3, dtype=torch.float64)
    plain = updates(torch.optim.Adam, gradients)
    steps = torch.diff(plain, dim=0, prepend=torch.zeros(1, 3, dtype=torch.float64))
    ahead = 2 * steps - torch.cat([steps[:1], steps[:-1]])
    ours = updates(OptimisticAdam, gradients)
    assert torch.allclose(ours, ahead.cumsum(dim=0), atol=1e-12)


def test_it_nears_the_saddle_that_adam_circles() -> None:
    ends = {}
    for cls in (torch.optim.Adam, OptimisticAdam):
        x, y = (torch.nn.Parameter(torch.tensor([1.0])) for _ in range(2))
        optimizer = cls([x, y], lr=0.02, betas=(0.0, 0.9))
        for _ in range(2000):
            x.grad, y.grad = y.detach().clone(), -x.detach().clone()
            optimizer.step()
        ends[cls] = float((x**2 + y**2).detach())
    assert ends[OptimisticAdam] < 0.1 * ends[torch.optim.Adam]


def test_its_state_goes_on_to_the_bit() -> None:
    torch.manual_seed(0)
    weights = [torch.nn.Parameter(torch.zeros(2)) for _ in range(2)]
    first, second = (OptimisticAdam([weight], lr=0.1) for weight in weights)
    for _ in range(3):
        weights[0].grad = torch.randn(2)
        first.step()
    with torch.no_grad():
        weights[1].copy_(weights[0])
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for weight, optimizer in zip(weights, (first, second), strict=True):
        weight.grad = torch.ones(2)
        optimizer.step()
    assert torch.equal(*weights)
