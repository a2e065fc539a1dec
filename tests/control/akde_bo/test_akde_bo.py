"""AKDE-BO in a loop of one's own: what it adds, decides, records, takes back and resumes."""

from __future__ import annotations

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from dlcc.control import AkdeBo
from dlcc.control.akde_bo.modes import MODES
from dlcc.control.akde_bo.penalties import Part, row_gradients, slope_penalty, sparsity_penalty
from dlcc.control.akde_bo.quality import WORST, SampleQuality
from dlcc.control.step_budget import StepBudget
from dlcc.errors import OptionError
from dlcc.landscape.density import gradient_density, sparsity
from dlcc.landscape.last_layer import directions
from dlcc.recipes.adversarial_losses import ADVERSARIAL_LOSSES
from dlcc.runs.state import pack_state, unpack_state

ROWS = ADVERSARIAL_LOSSES["ns"]


class Loop:
    """GAN on two numbers, in the plain way."""

    def __init__(self, seed: int = 0, rate: float = 1e-3, **options: Any) -> None:
        torch.manual_seed(seed)
        self.generator = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 2))
        self.rival = nn.Sequential(nn.Linear(2, 8), nn.LeakyReLU(0.2), nn.Linear(8, 1))
        players = {"generator": self.generator, "discriminator": self.rival}
        self.optimizers = {
            name: torch.optim.Adam(net.parameters(), lr=rate) for name, net in players.items()
        }
        self.control = AkdeBo(players, self.optimizers, **{"every": 5, "windows": 4} | options)
        self.rows: list[dict[str, float]] = []

    def step(self, step: int) -> tuple[float, float]:
        draws = torch.Generator().manual_seed(step)
        real = torch.randn(16, 2, generator=draws) + 3
        fake = self.generator(torch.randn(16, 2, generator=draws))
        loss = ROWS.discriminator(self.rival(real), self.rival(fake.detach())).mean()
        added = self.control.penalty("discriminator", step, real=real, fake=fake.detach())
        self._descend("discriminator", self.rival, loss + added)
        self._descend("generator", self.generator, ROWS.generator(self.rival(fake)).mean())
        row = self.control.watch(step, {})
        if row:
            self.rows.append({"step": step, **row})
        return loss.item(), added.item()

    def _descend(self, name: str, net: nn.Module, loss: Tensor) -> None:
        for p, g in zip(
            net.parameters(), torch.autograd.grad(loss, list(net.parameters())), strict=True
        ):
            p.grad = g
        self.optimizers[name].step()

    def state(self) -> dict[str, Any]:
        return {
            "nets": [copy.deepcopy(net.state_dict()) for net in (self.generator, self.rival)],
            "optimizers": copy.deepcopy({k: o.state_dict() for k, o in self.optimizers.items()}),
            "control": self.control.state_dict(),
        }

    def go_to(self, state: dict[str, Any]) -> None:
        for net, weights in zip((self.generator, self.rival), state["nets"], strict=True):
            net.load_state_dict(weights)
        for name, optimizer in self.optimizers.items():
            optimizer.load_state_dict(state["optimizers"][name])
        self.control.load_state_dict(state["control"])


@pytest.mark.parametrize("mode", list(MODES))
@pytest.mark.parametrize("surrogate", ["gp", "random-walk"])
def test_it_resumes_to_the_bit_in_the_midst_of_a_window(mode: str, surrogate: str) -> None:
    loop, again = (Loop(rate=1e-5, mode=mode, surrogate=surrogate) for _ in range(2))
    for step in range(12):
        loop.step(step)
    tree, tensors = pack_state(loop.state())
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    again.go_to(unpack_state(json.loads(json.dumps(tree)), tensors))
    for step in range(12, 30):
        assert loop.step(step) == again.step(step)
    assert loop.control.actions == again.control.actions
    assert len(loop.control.actions) >= 2


def test_it_adds_a_penalty_every_fourth_step_that_counts_four_times() -> None:
    loop = Loop(mode="sculpt", windows=1, every=50)
    before = copy.deepcopy(loop.rival)
    added = [loop.step(step)[1] for step in range(9)]
    assert [value != 0 for value in added] == [step % 4 == 0 for step in range(9)]
    draws = torch.Generator().manual_seed(0)
    real = torch.randn(16, 2, generator=draws) + 3
    fake = Loop().generator(torch.randn(16, 2, generator=draws)).detach()
    parts = [Part(x, lambda model, rows: model(rows)[:, 0]) for x in (real, fake)]
    expected = 4 * slope_penalty(before, parts, of_outputs=True)
    assert added[0] == pytest.approx(expected.item())


def test_the_slope_penalty_is_that_of_the_jacobian() -> None:
    rival, rows = Loop().rival.double(), torch.randn(6, 2, dtype=torch.float64)
    slopes = torch.stack([torch.autograd.functional.jacobian(rival, row)[0] for row in rows])
    part = Part(rows, lambda model, x: model(x)[:, 0].square())
    found = slope_penalty(rival, [part], of_outputs=True)
    assert found.item() == pytest.approx(slopes.square().sum(1).mean().item() / 2)
    of_loss = slope_penalty(rival, [part], of_outputs=False)
    scaled = slopes * 2 * rival(rows).detach()
    assert of_loss.item() == pytest.approx(scaled.square().sum(1).mean().item() / 2)


@pytest.mark.parametrize(("mode", "sign"), [("literal", 1.0), ("flipped", -1.0)])
def test_the_literal_penalty_is_the_mean_of_i_over_last_layer_gradients(
    mode: str, sign: float
) -> None:
    loop = Loop(mode=mode, penalty=0.2, interval=1)
    rival = loop.rival
    real, fake = torch.randn(16, 2), torch.randn(16, 2)
    gradients = []
    for rows, of in ((real, ROWS.real), (fake, ROWS.fake)):
        for row in rows:
            weight, bias = torch.autograd.grad(of(rival(row)).sum(), list(rival[2].parameters()))
            gradients.append(torch.cat([weight[0], bias]))
    project = directions(rival[2], 4, seed=0).flatten(1)
    instability = gradient_density(torch.stack(gradients) @ project.T).mean_instability
    added = loop.control.penalty("discriminator", 0, real=real, fake=fake)
    assert added.item() == pytest.approx(sign * 0.2 * instability.item(), rel=1e-4)
    (slope,) = torch.autograd.grad(added, rival[0].weight)
    assert slope.any()


def test_reweighting_is_a_loss_with_weights_by_sparsity() -> None:
    rival = Loop().rival
    x = torch.randn(32, 2)
    rows = row_gradients(rival, [Part(x, lambda model, rows: ROWS.real(model(rows))[:, 0])])
    weights = sparsity(rows.gradients(4).detach()).standardised
    expected = (weights * ROWS.real(rival(x))[:, 0]).mean()
    assert sparsity_penalty(rows).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_first_window_is_told_and_every_action_is_a_row_within_bounds() -> None:
    bounds = {"penalty": (0.5, 2.0), "rate": (0.25, 4.0)}
    loop = Loop(rate=1e-6, bounds=bounds, windows=6)
    for step in range(40):
        loop.step(step)
    told = loop.control.state_dict()["search"]["points"]
    assert told[0] == [0.0, 0.0]  # as it was set: penalty 1, rate 1
    assert len(told) == 6  # frozen afterwards
    assert loop.rows[0]["control/rule"] == 0
    acted = [row for row in loop.rows if row["control/rule"] in (20, 22)]
    assert len(acted) == sum(action.rule in (20, 22) for action in loop.control.actions)
    for row in loop.rows:
        assert 0.5 <= row["control/penalty"] <= 2
        assert 0.25 <= row["control/rate"] <= 4
        assert row.keys() == loop.rows[0].keys()
    factor = loop.control.settings["rate"]
    assert loop.optimizers["generator"].param_groups[0]["lr"] == 1e-6 * factor


def test_undo_restores_the_settings_exactly_and_ends_the_search() -> None:
    loop = Loop(rate=3e-6)
    for step in range(6):
        loop.step(step)
    (action,) = loop.control.actions
    assert loop.control.settings == action.after
    loop.control.undo()
    assert loop.control.settings == action.before == {"penalty": 1.0, "rate": 1.0}
    assert loop.optimizers["generator"].param_groups[0]["lr"] == 3e-6
    for step in range(6, 30):
        loop.step(step)
    assert loop.control.actions == []
    assert 90 in [row["control/rule"] for row in loop.rows]
    with pytest.raises(OptionError, match="nothing to undo"):
        loop.control.undo()


def test_a_dry_run_changes_nothing_and_says_what_it_would_do() -> None:
    plain, dry = Loop(rate=1e-5, dry_run=True), Loop(rate=1e-5, dry_run=True)
    plain.control.penalty = lambda *_args, **_options: torch.zeros(())  # type: ignore[method-assign]
    for step in range(20):
        assert plain.step(step) == dry.step(step)
    assert dry.control.actions
    assert dry.control.settings == {"penalty": 1.0, "rate": 1.0}
    assert {"control/would_rate", "control/would_rule"} <= dry.rows[-1].keys()
    assert dry.rows[-1]["control/would_rate"] != 1


def test_a_quality_that_is_not_a_number_leaves_the_training_uncontrolled() -> None:
    seen = iter([0.1, math.nan])
    loop = Loop(rate=1e-6, quality=lambda: next(seen))
    added = [loop.step(step)[1] for step in range(30)]
    assert loop.optimizers["generator"].param_groups[0]["lr"] == 1e-6
    assert loop.rows[-1]["control/rule"] == 92
    assert loop.rows[-1]["control/penalty"] == 1
    assert not any(added[10:])
    assert loop.rows[-1]["step"] == 10


def test_over_its_budget_it_skips_penalties_and_says_so() -> None:
    loop = Loop(interval=1)
    now = [0.0]
    loop.control.budget = StepBudget(0.1, clock=lambda: now[0])
    with loop.control.budget.spending():
        now[0] = 50.0
    added = [loop.step(step)[1] for step in range(8)]
    assert added == [0.0] * 8
    assert 91 in [row["control/rule"] for row in loop.rows]


def test_weights_that_fell_far_are_put_back() -> None:
    """After two good windows quality falls by decades: the best state comes back."""
    seen = iter([-0.2, -0.1, -3.0, -3.0, -3.0])
    loop = Loop(rate=1e-5, quality=lambda: next(seen), windows=20)
    for step in range(10):
        loop.step(step)
    before = copy.deepcopy(loop.rival.state_dict())
    for step in range(10, 16):
        loop.step(step)
    assert 23 in [row["control/rule"] for row in loop.rows]
    best = loop.control.best_state
    assert best is not None
    assert best.step == 10
    assert all(torch.equal(best.players["discriminator"][k], v) for k, v in before.items())
    assert any(action.rule == 23 for action in loop.control.actions)


def test_batch_norms_and_random_numbers_are_left_as_they_were() -> None:
    rival = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 1))
    control = AkdeBo(
        {"discriminator": rival}, {"discriminator": torch.optim.Adam([*rival.parameters()])}
    )
    before, random = copy.deepcopy(rival.state_dict()), torch.random.get_rng_state()
    added = control.penalty("discriminator", 0, real=torch.randn(8, 2), fake=torch.randn(8, 2))
    torch.random.set_rng_state(random)
    control.penalty("discriminator", 1, real=torch.randn(8, 2), fake=torch.randn(8, 2))
    assert added > 0
    assert all(torch.equal(before[k], v) for k, v in rival.state_dict().items())


def test_a_model_with_a_loss_of_rows_is_penalised_by_it() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 3))
    optimizer = torch.optim.Adam(model.parameters())

    def loss(net: nn.Module, x: Tensor) -> Tensor:
        """Squared error of each row."""
        return (net(x) - x).square().sum(1)

    for mode in MODES:
        control = AkdeBo({"model": model}, {"model": optimizer}, mode=mode, losses={"model": loss})
        added = control.penalty("model", 0, batch=torch.randn(8, 3), error=torch.tensor(0.1))
        assert torch.isfinite(added)
        assert torch.autograd.grad(added, model[0].weight)[0].any()


def refused(change: Callable[[Loop], object] | None = None, **options: Any) -> str:
    def attempt() -> None:
        loop = Loop(**options)
        if change is not None:
            change(loop)

    with pytest.raises(OptionError) as caught:
        attempt()
    return str(caught.value)


def test_what_cannot_be_used_is_said_in_a_sentence() -> None:
    x = torch.zeros(4, 2)
    assert "no mode 'litral' (did you mean literal?)" in refused(mode="litral")
    assert "penalty is 1, outside of its bounds 2..3" in refused(bounds={"penalty": (2, 3)})
    assert "'rate' is no setting" in refused(mode="literal", bounds={"rate": (0.1, 3)})
    assert "above 0" in refused(penalty=0.0)
    assert "every is 1" in refused(every=1)
    assert "no player 'critic'" in refused(lambda loop: loop.control.penalty("critic", 0, real=x))
    message = refused(lambda loop: loop.control.penalty("discriminator", 0, real=x))
    assert "was given real; give real= and fake=" in message


def test_quality_sees_a_missing_mode_and_ranks() -> None:
    draws = torch.Generator().manual_seed(0)
    centres = torch.tensor([[-3.0, 0.0], [3.0, 0.0]])

    def two(n: int, share: float = 0.5) -> Tensor:
        which = (torch.rand(n, generator=draws) < share).long()
        return centres[which] + 0.3 * torch.randn(n, 2, generator=draws)

    quality = SampleQuality()
    assert math.isnan(quality.of())
    for _ in range(8):
        quality.see(real=two(64), fake=two(64))
    whole, skewed, half = quality.of(two(256)), quality.of(two(256, 0.8)), quality.of(two(256, 1.0))
    assert whole > -0.6
    assert whole > skewed > half
    assert quality.of() > -0.6
    assert quality.of(torch.full((8, 2), math.nan)) == WORST
    alike = SampleQuality()
    alike.see(real=torch.ones(64, 2), fake=two(64))
    assert math.isnan(alike.of())


@pytest.mark.parametrize("mode", ["literal", "reweight"])
def test_a_training_that_diverged_gets_no_penalty_and_no_traceback(mode: str) -> None:
    loop = Loop(mode=mode, interval=1)
    for step in range(4):
        loop.step(step)
    loop.rival[0].weight.data.fill_(math.nan)
    added = [loop.step(step)[1] for step in range(4, 12)]
    assert added == [0.0] * 8
    assert loop.rows[-1]["control/rule"] == 92  # its discriminator believes nothing
