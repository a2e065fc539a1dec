"""A training of a user's own step function goes on bit for bit, whatever its state lies in."""

from __future__ import annotations

import copy
import functools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

import dlcc
from dlcc.errors import OptionError, SnapshotError
from dlcc.runs import Run, Training
from dlcc.runs.seeding import built
from dlcc.runs.snapshots import Snapshot, write_snapshot
from dlcc.runs.step_training import StepTraining
from dlcc.runs.training import content_of

ROWS = torch.randn(50, 3, generator=torch.Generator().manual_seed(0))


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.2), nn.Linear(8, 3))


class Average:
    """An average of weights by hand, as in many a script."""

    def __init__(self, model: nn.Module) -> None:
        self.shadow = {name: p.detach().clone() for name, p in model.named_parameters()}
        self.updates = 0

    def update(self, model: nn.Module) -> None:
        self.updates += 1
        for name, p in model.named_parameters():
            self.shadow[name].lerp_(p.detach(), 1 / (self.updates + 1))


def scheduled(config: dict[str, Any]) -> StepTraining:
    """A schedule, clipping, noise of every generator, and a variable that the step assigns."""
    model = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    schedules = {"cosine": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)}
    mean, count = torch.zeros(()), 0

    def step(x: Tensor) -> dict[str, Any]:
        nonlocal mean, count
        noise = torch.randn_like(x) * np.random.rand() * random.random()
        loss = (model(x + noise) - x).square().mean() * (1 + 0.1 * float(mean))
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedules["cosine"].step()
        mean, count = 0.9 * mean + 0.1 * loss.detach(), count + 1
        return {"model/loss": loss, "model/count": count}

    return dlcc.Training.from_step({"model": model}, step, data=ROWS, batch=8)


def averaged(config: dict[str, Any]) -> StepTraining:
    """Averages of three makes, and generators of one's own."""
    model = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
    copied = copy.deepcopy(model).requires_grad_(False).eval()
    listed = [p.detach().clone() for p in model.parameters()]
    by_class = Average(model)
    generators = (torch.Generator().manual_seed(1), np.random.default_rng(2), random.Random(3))

    def update() -> None:
        for mine, p in zip(listed, model.parameters(), strict=True):
            mine.lerp_(p.detach(), 0.1)
        for q, p in zip(copied.parameters(), model.parameters(), strict=True):
            q.lerp_(p.detach(), 0.1)
        by_class.update(model)

    def step(x: Tensor) -> dict[str, Any]:
        on_torch, of_numpy, of_python = generators
        scale = float(of_numpy.random()) * of_python.random()
        noise = scale * torch.randn(x.shape, generator=on_torch)
        pull = sum((a - p).square().sum() for a, p in zip(listed, model.parameters(), strict=True))
        loss = (model(x + noise) - copied(x)).square().mean() + pull
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        update()
        return {"model/loss": loss, "model/far": by_class.shadow["0.bias"].norm()}

    return StepTraining({"model": model}, step, data=ROWS, batch=8)


def gathering(config: dict[str, Any]) -> StepTraining:
    """Gradients gathered over three steps, a scaler, and a schedule by the step's number."""
    model = net()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0, growth_interval=2)

    def step(x: Tensor, number: int) -> dict[str, Any]:
        loss = (model(x) - x).square().mean()
        scaler.scale(loss).backward()
        if number % 3 == 2:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        return {"model/loss": loss, "model/scale": scaler.get_scale()}

    return StepTraining({"model": model}, step, data=ROWS, batch=8)


class Trainer:
    """A class whose method is the step function."""

    def __init__(self) -> None:
        self.model, self.seen = net(), 0
        self.optimizers = [torch.optim.Adam(self.model.parameters(), lr=1e-2)]

    def step(self, batch: dict[str, Tensor]) -> dict[str, Any]:
        loss = (self.model(batch["x"]) - batch["y"]).square().mean() * (1 + self.seen / 100)
        self.optimizers[0].zero_grad()
        loss.backward()
        self.optimizers[0].step()
        self.seen += 1
        return {"model/loss": loss}


def of_a_class(config: dict[str, Any]) -> StepTraining:
    trainer = Trainer()
    data = {"x": ROWS.numpy(), "y": ROWS}
    return StepTraining({"model": trainer.model}, trainer.step, data=data, batch=8)


def accelerated(config: dict[str, Any]) -> StepTraining:
    """Hugging Face's Accelerate, which wraps the optimiser and the schedule."""
    accelerate = pytest.importorskip("accelerate")
    accelerator = accelerate.Accelerator(cpu=True)
    model = net()
    optimizer: Any = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule: Any = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
    model, optimizer, schedule = accelerator.prepare(model, optimizer, schedule)

    def step(x: Tensor) -> dict[str, Any]:
        loss = (model(x + torch.randn_like(x)) - x).square().mean()
        optimizer.zero_grad()
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        return {"model/loss": loss}

    return StepTraining({"model": model}, step, data=ROWS, batch=8)


def decorated_step(config: dict[str, Any]) -> StepTraining:
    """An averaged model of torch's own, and a step behind a decorator."""
    model = net()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-2)
    average = torch.optim.swa_utils.AveragedModel(model)

    def decorated(function: Callable[[Tensor], Any]) -> Callable[[Tensor], Any]:
        @functools.wraps(function)
        def wrapper(x: Tensor) -> Any:
            return function(x)

        return wrapper

    @decorated
    def step(x: Tensor) -> dict[str, Any]:
        loss = (model(x) - average(x).detach() + torch.randn_like(x)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        average.update_parameters(model)
        return {"model/loss": loss}

    return StepTraining({"model": model}, step, data=ROWS, batch=8)


TRAININGS = [scheduled, averaged, gathering, of_a_class, accelerated, decorated_step]
Build = Callable[[dict[str, Any]], StepTraining]


def rows_of(training: StepTraining, steps: range) -> list[dict[str, float]]:
    return [{name: float(v) for name, v in training.step(step).items()} for step in steps]


@pytest.mark.parametrize("build", TRAININGS)
@pytest.mark.parametrize("middle", [4, 7])
def test_a_step_is_the_same_however_it_is_reached(
    build: Build, middle: int, tmp_path: Path
) -> None:
    through = built(build, {"seed": 3})
    assert isinstance(through, Training)
    first = rows_of(through, range(middle))
    write_snapshot(tmp_path / "s", content_of(middle, through.players, through))
    rest = rows_of(through, range(middle, 12))
    anew = built(build, {"seed": 3})
    assert rows_of(anew, range(middle)) == first
    resumed = built(build, {"seed": 3})
    rows_of(resumed, range(2))  # leaves a state of its own behind
    torch.rand(5)
    resumed.load_state_dict(Snapshot(tmp_path / "s", middle).state())
    assert rows_of(resumed, range(middle, 12)) == rest
    for name, tensor in through.players["model"].state_dict().items():
        assert torch.equal(tensor, resumed.players["model"].state_dict()[name]), name
    other = built(build, {"seed": 5})
    assert rows_of(other, range(middle)) != first


def test_the_callers_random_numbers_stay_as_they_were() -> None:
    training = built(scheduled, {})

    def draw() -> tuple[float, float, float]:
        return torch.rand(1).item(), float(np.random.rand()), random.random()

    def seed() -> None:
        torch.manual_seed(1)
        np.random.seed(1)
        random.seed(1)

    seed()
    plain = draw()
    seed()
    training.step(0)
    assert draw() == plain


def test_gradient_norms_are_those_that_the_optimiser_saw() -> None:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    seen = []

    def step(x: Tensor) -> dict[str, Any]:
        optimizer.zero_grad()
        loss = model(x).square().mean()
        loss.backward()
        seen.append(torch.cat([p.grad.flatten() for p in model.parameters()]).norm())  # type: ignore[union-attr]
        optimizer.step()
        return {"model/loss": loss}

    training = StepTraining({"model": model}, step, data=ROWS, batch=8)
    row = training.step(0)
    assert list(row) == ["model/grad_norm", "model/loss"]
    assert float(row["model/grad_norm"]) == pytest.approx(seen[0].item())


def test_sampling_changes_nothing() -> None:
    model = net()

    def step(x: Tensor) -> dict[str, Any]:
        return {"model/loss": model(x).square().mean()}

    def sample(n: int) -> Tensor:
        made: Tensor = model(torch.randn(n, 3))  # in training mode: the layer's means move
        model.eval()
        return made

    training = StepTraining({"model": model}, step, sample=sample, data=ROWS, batch=8)
    before = copy.deepcopy(training.state_dict())
    made = training.sample(20, seed=3)
    assert not made.requires_grad
    assert torch.equal(made, training.sample(20, seed=3))
    assert model.training
    for name, tensor in before["players"]["model"].items():
        assert torch.equal(tensor, model.state_dict()[name]), name


# --- data -----------------------------------------------------------------------------------------


def seen_by(data: Any, steps: range, **options: Any) -> list[Any]:
    seen: list[Any] = []
    model = nn.Linear(3, 1)

    def step(batch: Any) -> dict[str, Any]:
        seen.append(batch)
        return {"model/loss": 0.0}

    training = StepTraining({"model": model}, step, data=data, **options)
    for number in steps:
        training.step(number)
    return seen


@pytest.mark.parametrize(
    "data",
    [ROWS, TensorDataset(ROWS), DataLoader(TensorDataset(ROWS), batch_size=10, shuffle=True)],
)
def test_an_epoch_goes_through_all_rows_in_an_order_of_its_own(data: Any) -> None:
    batches = [b if isinstance(b, Tensor) else b[0] for b in seen_by(data, range(10), batch=10)]
    epochs = torch.cat(batches[:5]), torch.cat(batches[5:])
    assert not torch.equal(*epochs)
    for epoch in epochs:
        assert sorted(epoch[:, 0].tolist()) == sorted(ROWS[:, 0].tolist())


class Stream(IterableDataset[Tensor]):
    def __iter__(self) -> Iterator[Tensor]:
        yield from ROWS


class Stateful:
    """A loader that knows its place."""

    def __init__(self) -> None:
        self.place = 0

    def __iter__(self) -> Iterator[Tensor]:
        while self.place < len(ROWS) // 5:
            self.place += 1
            yield ROWS[5 * self.place - 5 : 5 * self.place]
        self.place = 0

    def state_dict(self) -> dict[str, Any]:
        return {"place": self.place}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.place = state["place"]


def of_loader(loader: Any) -> StepTraining:
    model = nn.Linear(3, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    def step(x: Tensor) -> dict[str, Any]:
        loss = model(x).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return {"model/loss": loss}

    return StepTraining({"model": model}, step, data=loader)


def test_a_loader_with_a_state_is_taken_up_where_it_was() -> None:
    training = of_loader(Stateful())
    rows_of(training, range(7))
    kept = copy.deepcopy(training.state_dict())
    rest = rows_of(training, range(7, 30))
    again = of_loader(Stateful())
    again.load_state_dict(kept)
    assert rows_of(again, range(7, 30)) == rest


def test_a_training_that_cannot_be_taken_up_says_so(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="place in a DataLoader without state_dict"):
        training = of_loader(DataLoader(Stream(), batch_size=5))
    with dlcc.Recorder(tmp_path / "run", training=training, length=30) as recorder:
        recorder.train(samples=0, snapshots=2)
    run = Run.open(tmp_path / "run")
    assert [s.resumable for s in run.snapshots()] == [False] * 3
    assert run.series()["model/loss"].steps.tolist() == list(range(30))

    batches, model = iter([ROWS]), nn.Linear(3, 1)

    def step() -> dict[str, Any]:
        return {"model/loss": model(next(batches)).mean()}

    with pytest.warns(UserWarning, match="place of the iterator 'batches'"):
        StepTraining({"model": model}, step)


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"players": {}}, "players: expected networks by name"),
        ({"players": {"model": 3}}, "players: model: expected a module, found int"),
        ({"step": lambda a, b, c: {}}, "step: expected a function of the batch"),
        ({"data": 3}, "data: expected arrays, a dataset or a loader"),
        ({"data": (ROWS, ROWS[:4])}, r"parts have \[4, 50\] rows"),
        ({"data": torch.zeros(())}, r"expected rows \[n, ...\]"),
        ({"batch": 51}, "batch=51: expected a whole number from 1 to 50"),
        ({"batch": 2.5}, "batch=2.5"),
        ({"optimizers": [3]}, "optimizers: 0: expected an object with state_dict"),
    ],
)
def test_bad_arguments(options: dict[str, Any], what: str) -> None:
    given: dict[str, Any] = {
        "players": {"model": nn.Linear(3, 1)}, "step": lambda batch: {}, "data": ROWS, "batch": 8,
        **options,
    }  # fmt: skip
    with pytest.raises(OptionError, match=what):
        StepTraining(given.pop("players"), given.pop("step"), **given)


def test_what_is_given_and_what_is_found_may_have_one_name() -> None:
    model, other = net(), nn.Linear(3, 1)
    ema = copy.deepcopy(model)

    def step(x: Tensor) -> dict[str, Any]:
        return {"model/loss": ema(x).square().mean()}

    training = StepTraining({"model": model}, step, optimizers={"ema": other}, data=ROWS, batch=8)
    assert sorted(training.state_dict()["objects"]) == ["ema", "ema of step"]


def test_a_state_of_other_code_is_refused() -> None:
    state = built(scheduled, {}).state_dict()
    with pytest.raises(SnapshotError, match=r"objects are .*cosine.*resume with the code"):
        built(decorated_step, {}).load_state_dict(state)


def test_bad_answers() -> None:
    players = {"model": nn.Linear(3, 1)}
    with pytest.raises(OptionError, match="returned NoneType: expected quantities"):
        StepTraining(players, lambda: None).step(0)  # type: ignore[arg-type, return-value]
    with pytest.raises(OptionError, match="draws no samples"):
        StepTraining(players, dict).sample(4, 0)
    with pytest.raises(OptionError, match=r"sample\(4\): expected a tensor \[4, ...\]"):
        StepTraining(players, dict, sample=lambda n: torch.ones(3)).sample(4, 0)


def test_frozen_networks_that_are_only_looked_up_are_not_kept() -> None:
    model, judge = net(), nn.Linear(3, 500).requires_grad_(False).eval()

    def step(x: Tensor) -> dict[str, Any]:
        return {"model/loss": judge(model(x)).square().mean()}

    assert StepTraining({"model": model}, step, data=ROWS, batch=8).state_dict()["objects"] == {}
