"""Losses as functions of outputs: roles by what went in, gradients as they flow, twins as one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from dlcc.errors import TraceError
from dlcc.tracing.graph import Update
from dlcc.tracing.losses import StepLoss
from dlcc.tracing.rerun import check_step, leaves_of
from tests.tracing.steps import DATA, ROWS, players, recorded, step_loss


def titles(step: object, reference: bool = True) -> set[str]:
    nets = players()
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def whole(n: dict[str, nn.Module]) -> None:
        adam.zero_grad()
        step(n).backward()  # type: ignore[operator]
        adam.step()

    graph, tensors = recorded(whole, nets)
    leaves = leaves_of(graph, tensors)
    update = check_step(graph, leaves, tensors).updates[-1]
    found = StepLoss(graph, leaves, update, np.asarray(DATA) if reference else None)
    return {v.title for v in found.variables}


def fake(n: dict[str, nn.Module]) -> Tensor:
    made: Tensor = n["generator"](torch.randn(ROWS, 3)).detach()
    return made


REAL, FAKE = "discriminator(real)", "discriminator(fake)"


def one_batch(n: dict[str, nn.Module]) -> Tensor:
    made: Tensor = n["discriminator"](torch.cat([DATA[:ROWS], fake(n)])).square().mean()
    return made


def slope(n: dict[str, nn.Module]) -> Tensor:
    x = (0.5 * DATA[:ROWS] + 0.5 * fake(n)).requires_grad_()
    (g,) = torch.autograd.grad(n["discriminator"](x).sum(), x, create_graph=True)
    return g.square().sum()


@pytest.mark.parametrize(
    ("step", "expected"),
    [
        (lambda n: n["discriminator"](DATA[:ROWS]).mean(), {REAL}),
        (lambda n: n["discriminator"](fake(n)).mean(), {FAKE}),
        (one_batch, {REAL, FAKE}),
        (
            lambda n: n["discriminator"](DATA[:ROWS] + 0.1 * torch.randn(ROWS, 5)).mean(),
            {"discriminator(real with noise)"},
        ),
        (
            lambda n: n["discriminator"](fake(n) + 0.1 * torch.randn(ROWS, 5)).mean(),
            {"discriminator(fake with noise)"},
        ),
        (slope, {"gradient of discriminator(mixed)"}),
        (lambda n: n["discriminator"](torch.randn(ROWS, 5)).mean(), {"discriminator(drawn)"}),
    ],
)
def test_roles_follow_from_what_went_in(step: object, expected: set[str]) -> None:
    assert titles(step) == expected


def test_what_no_player_made_is_only_assumed_to_be_data() -> None:
    def step(n: dict[str, nn.Module]) -> Tensor:
        made: Tensor = n["discriminator"](DATA[:ROWS]).mean()
        return made

    assert titles(step, reference=False) == {"discriminator(assumed real)"}


def test_a_second_call_on_the_same_batch_is_the_same_quantity() -> None:
    def step(n: dict[str, nn.Module]) -> Tensor:
        d = n["discriminator"]
        made: Tensor = softplus(-d(DATA[:ROWS])).mean() + d(DATA[:ROWS]).square().mean()
        return made

    assert titles(step) == {REAL}


def test_players_that_gradients_reach_are_named() -> None:
    nets = players()
    adam = torch.optim.Adam(nets["generator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        softplus(-n["discriminator"](n["generator"](torch.randn(ROWS, 3)))).mean().backward()
        adam.step()

    assert step_loss(*recorded(step, nets)).reached == ("discriminator", "generator")


def test_an_operation_of_ones_own_makes_the_loss_opaque() -> None:
    @torch.library.custom_op("dlcctest::cost", mutates_args=())
    def cost(x: Tensor) -> Tensor:
        return softplus(-x).mean()

    def setup(ctx: object, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.x = inputs[0]  # type: ignore[attr-defined]

    cost.register_autograd(lambda ctx, g: -g * torch.sigmoid(-ctx.x) / ROWS, setup_context=setup)
    nets = players()
    adam = torch.optim.Adam(nets["discriminator"].parameters())

    def step(n: dict[str, nn.Module]) -> None:
        cost(n["discriminator"](DATA[:ROWS])).backward()
        adam.step()

    graph, tensors = recorded(step, nets)
    found = StepLoss(graph, leaves_of(graph, tensors), graph.updates[0], np.asarray(DATA))
    assert found.opaque == ("dlcctest::cost",)


def test_a_step_without_a_loss_has_none() -> None:
    graph, tensors = recorded(lambda n: n["discriminator"](DATA).sum().backward(), players())
    with pytest.raises(TraceError, match="no loss"):
        StepLoss(graph, leaves_of(graph, tensors), Update(("discriminator",), (), ()), None)


def test_a_module_that_makes_the_loss_itself_is_cut_at_its_parts() -> None:
    class VAE(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder, self.decoder = nn.Linear(5, 4), nn.Linear(2, 5)

        def forward(self, x: Tensor) -> dict[str, Tensor]:
            mean, spread = self.encoder(x).chunk(2, dim=1)
            y = self.decoder(mean + spread.exp() * torch.randn_like(mean))
            return {"loss": (y - x).square().sum(1).mean() + mean.square().mean()}

    model = VAE()
    sgd = torch.optim.SGD(model.parameters(), 0.1)

    def step(n: dict[str, nn.Module]) -> None:
        n["model"](DATA[:ROWS])["loss"].backward()
        sgd.step()

    found = step_loss(*recorded(step, {"model": model}))
    assert {v.title for v in found.variables} == {
        "model.encoder(real)", "model.decoder(fake with noise)", "data",
    }  # fmt: skip


@pytest.mark.parametrize("scale", [8.0, 1000.0, 65536.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_a_gradient_scaler_multiplies_with_and_divides_again_is_no_part_of_the_loss(
    scale: float, dtype: torch.dtype
) -> None:
    nets = players()
    judge = nets["discriminator"]
    adam = torch.optim.Adam(judge.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)  # makes its scale at the first use

    def step(n: dict[str, nn.Module]) -> None:
        adam.zero_grad()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            loss = softplus(-judge(DATA[:ROWS])).mean()
        scaler.scale(loss).backward()
        scaler.step(adam)
        scaler.update()

    graph, tensors = recorded(step, nets)
    leaves = leaves_of(graph, tensors)
    checked = check_step(graph, leaves, tensors)
    loss = StepLoss(graph, leaves, checked.updates[-1], np.asarray(DATA), checked.scales[-1])
    assert loss.scale == scale
    assert StepLoss(graph, leaves, checked.updates[-1], np.asarray(DATA), 1.0).scale in (1, 65536)
