"""Landscape measures while a training runs: their figures, their budget, what they leave alone."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dlcc import Recorder
from dlcc.errors import OptionError
from dlcc.landscape import gradient_noise
from dlcc.runs import Run, RunLayout
from dlcc.runs.measuring import MEASURES, Measuring, inner
from dlcc.runs.series_format import MEASURED
from dlcc.runs.snapshot_landscape import SnapshotLandscape

STEPS = 40


def loss_of_each(model: nn.Module, batch: Tensor) -> Tensor:
    out: Tensor = model(batch)
    return (out - 1).square().sum(dim=1)


def network() -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
    )


def trained(path: Path, what: tuple[str, ...] | None, **options: Any) -> nn.Module:
    """A network trained for a while, measured or not."""
    torch.manual_seed(0)
    model = network()
    descent = torch.optim.Adam(model.parameters(), lr=1e-2)
    with Recorder(path, players={"net": model}, length=STEPS) as rec:
        measure = None if what is None else rec.measure({"net": loss_of_each}, what=what, **options)
        for step in range(STEPS):
            batch = torch.randn(16, 3)
            loss = loss_of_each(model, batch).mean()
            descent.zero_grad()
            loss.backward()
            if measure is not None:
                measure(step, {"net": batch})
            descent.step()
            rec.log(step, {"net/loss": loss})
    return model


def test_the_training_is_the_same_to_the_bit(tmp_path: Path) -> None:
    plain = trained(tmp_path / "plain", None).state_dict()
    measured = trained(tmp_path / "measured", MEASURES, every=1, budget=1.0).state_dict()
    for name, value in plain.items():
        assert torch.equal(value, measured[name]), name
    losses = [Run.open(tmp_path / n).series().columns["net/loss"] for n in ("plain", "measured")]
    assert (losses[0].values == losses[1].values).all()


def test_every_measure_is_recorded_where_it_was_taken(tmp_path: Path) -> None:
    trained(tmp_path / "run", MEASURES, every=8, budget=1.0)
    columns = Run.open(tmp_path / "run").series().columns
    names = (
        "sample_grad_norm",
        "sample_grad_norm_max",
        "grad_trace",
        "grad_noise_scale",
        "instability",
        "sparsity_sd",
    )
    assert {name.partition("/")[2] for name in columns} >= {*names, "overhead"}
    assert {*names, "overhead"} == MEASURED
    for name in names:
        column = columns[f"net/{name}"]
        assert len(column.steps) >= 1
        assert not (column.steps % 8).any()
    overhead = columns["measuring/overhead"]
    assert (overhead.values > 0).all()


def test_the_figures_are_those_of_the_first_rows(tmp_path: Path) -> None:
    torch.manual_seed(1)
    model = network().eval()
    batch = torch.randn(50, 3)
    kept: dict[str, float] = {}

    class Kept:
        layout = RunLayout(tmp_path)

        def log(self, step: int, values: Mapping[str, float]) -> None:
            kept.update(values)

        def write_landscape(self, record: SnapshotLandscape) -> None:
            raise AssertionError("no landscape was asked for")

    measure = Measuring(
        Kept(), {"net": model}, {"net": loss_of_each}, every=1, budget=0.5, what=("noise",), rows=10
    )
    measure(0, {"net": batch})
    expected = gradient_noise(model, loss_of_each, batch[:10])
    assert kept["net/grad_trace"] == pytest.approx(expected.trace)
    assert kept["net/grad_noise_scale"] == pytest.approx(expected.scale)


def test_the_budget_thins_the_cadence(tmp_path: Path) -> None:
    """Steps that take no time leave room for the first measurement alone."""
    with Recorder(tmp_path / "run", players={"net": network()}, length=1000) as rec:
        measure = rec.measure({"net": loss_of_each}, every=1, budget=1e-6)
        for step in range(200):
            measure(step, {"net": torch.randn(8, 3)})
    column = Run.open(tmp_path / "run").series().columns["net/grad_trace"]
    assert column.steps.tolist() == [0]


def test_losses_that_are_not_finite_do_not_stop_the_training(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", players={"net": network()}, length=10) as rec:
        measure = rec.measure({"net": loss_of_each}, every=1, budget=1.0)
        measure(0, {"net": torch.full((8, 3), float("nan"))})
        time.sleep(0.3)  # the training's own time, of which the budget is a share
        measure(1, {"net": torch.randn(8, 3)})
    assert Run.open(tmp_path / "run").series().columns["net/grad_trace"].steps.tolist() == [1]


def test_what_changes_in_a_training_does_not_stop_it(tmp_path: Path) -> None:
    model = network()
    with Recorder(tmp_path / "run", players={"net": model}, length=10) as rec:
        measure = rec.measure({"net": loss_of_each}, every=1, budget=1.0, what=MEASURES)
        changes = (
            (0, lambda: model[0].requires_grad_(False), 16),
            (1, lambda: model[0].requires_grad_(True), 16),
            (2, lambda: model.requires_grad_(False), 16),
            (3, lambda: model.requires_grad_(True), 1),
            (4, lambda: None, 16),
        )
        for step, change, rows in changes:
            change()
            time.sleep(0.3)
            measure(step, {"net": torch.randn(rows, 3)})
    column = Run.open(tmp_path / "run").series().columns["net/grad_trace"]
    assert column.steps.tolist() == [0, 1, 4]


def test_the_module_behind_wrappers_is_measured() -> None:
    model = network()
    assert inner(cast(nn.Module, torch.compile(model))) is model
    assert inner(nn.DataParallel(model)) is model
    assert inner(model) is model


class Own(nn.Module):
    """A network of one's own with a part that happens to be called `module`."""

    def __init__(self) -> None:
        super().__init__()
        self.module = nn.Linear(2, 2)


def test_a_part_called_module_is_no_wrapper() -> None:
    own = Own()
    assert inner(own) is own


@pytest.mark.parametrize(
    ("losses", "options", "words"),
    [
        ({"d": loss_of_each}, {}, "no player 'd'; there are net"),
        ({"net": loss_of_each}, {"what": ["sharpness"]}, "no measure 'sharpness'; there are norms"),
        ({"net": loss_of_each}, {"every": 0}, "every=0"),
        ({"net": loss_of_each}, {"budget": 0}, "budget=0"),
        ({"net": loss_of_each}, {"rows": 1}, "rows=1"),
        ({"net": loss_of_each}, {"every": 1.5}, "every=1.5"),
        ({"net": loss_of_each}, {"what": []}, r"what=\[\]"),
        ({"net": loss_of_each}, {"what": "norms"}, "what='norms'"),
    ],
)
def test_arguments_that_make_no_sense(
    tmp_path: Path, losses: Any, options: Any, words: str
) -> None:
    with (
        Recorder(tmp_path / "run", players={"net": network()}) as rec,
        pytest.raises(OptionError, match=words),
    ):
        rec.measure(losses, **options)


def run_with(path: Path, wrapped: Any, model: nn.Module, measured: bool, autocast: bool) -> None:
    """A training through a wrapper, two batches a step, maybe in half precision."""
    descent = torch.optim.SGD(model.parameters(), lr=1e-2)
    with Recorder(path, players={"net": wrapped}, length=10) as rec:
        measure = rec.measure({"net": loss_of_each}, every=2, budget=1.0, what=MEASURES)
        for step in range(10):
            descent.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                for _ in range(2):
                    batch = torch.randn(16, 3)
                    torch.autograd.backward(loss_of_each(wrapped, batch).mean() / 2)
                if measured:
                    measure(step, {"net": batch})
            descent.step()
            rec.log(step, {"net/step": step})


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("wrapper", ["none", "compiled", "distributed"])
@pytest.mark.parametrize("autocast", [False, True])
def test_trainings_of_many_kinds_stay_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrapper: str, autocast: bool
) -> None:
    monkeypatch.setattr(Measuring, "is_due", lambda self, step: step % 2 == 0)
    ends = []
    if wrapper == "distributed":
        store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
        torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        for measured in (False, True):
            torch.manual_seed(0)
            model: nn.Module = network()
            wrapped: Any = {
                "none": lambda m: m,
                "compiled": lambda m: torch.compile(m, backend="eager"),
                "distributed": lambda m: nn.parallel.DistributedDataParallel(m),
            }[wrapper](model)
            run_with(tmp_path / str(measured), wrapped, model, measured, autocast)
            ends.append(model.state_dict())
            del wrapped  # before the process group, which it waits for when it goes
    finally:
        if wrapper == "distributed":
            torch.distributed.destroy_process_group()
    for name, value in ends[0].items():
        assert torch.equal(value, ends[1][name]), name
    columns = Run.open(tmp_path / "True").series().columns
    assert columns["net/grad_trace"].steps.tolist() == [0, 2, 4, 6, 8]
    assert not Run.open(tmp_path / "False").series().columns.keys() & {"net/grad_trace"}


def test_other_ranks_measure_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Recorder(tmp_path / "run", players={"net": network()}, length=10) as rec:
        monkeypatch.setenv("RANK", "1")
        measure = rec.measure({"net": loss_of_each}, every=1, budget=1.0)
        measure(0, {"net": torch.randn(8, 3)})
        rec.snapshot(1)
        measure.landscape(1, {"net": torch.randn(8, 3)})
        assert Run.open(rec.path).snapshots()[0].landscape() is None
    assert not Run.open(tmp_path / "run").series().columns


def test_random_numbers_that_are_not_of_torch_stay_the_same(tmp_path: Path) -> None:
    def noisy(model: nn.Module, batch: Tensor) -> Tensor:
        return loss_of_each(model, batch + random.random() + np.random.rand())

    with Recorder(tmp_path / "run", players={"net": nn.Linear(3, 2)}, length=10) as rec:
        measure = rec.measure({"net": noisy}, every=1)
        rec.snapshot(0)
        before = random.getstate(), np.random.get_state()[2]
        measure.landscape(0, {"net": torch.randn(4, 3)})
        measure(0, {"net": torch.randn(4, 3)})
        assert (random.getstate(), np.random.get_state()[2]) == before


def test_batches_of_players_that_have_no_loss(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run", players={"net": network()}, length=10) as rec:
        measure = rec.measure({"net": loss_of_each})
        with pytest.raises(
            OptionError, match=r"batches for nets, of which no loss was given; .*net"
        ):
            measure(0, {"nets": torch.randn(8, 3)})
