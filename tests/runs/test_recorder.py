"""What a recorder accepts, refuses and survives."""

from __future__ import annotations

import gc
import math
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from dlcc.errors import OptionError, RunError, RunLockedError
from dlcc.runs import Recorder, Run
from tests.runs.conftest import LOSS, column

# --- what can be logged ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", [2, 2.0, True + 1, np.float32(2), np.float64(2), np.int64(2), np.array(2.0),
              torch.tensor(2.0), torch.tensor([2]), torch.tensor(2.0, dtype=torch.bfloat16),
              torch.tensor(2.0, requires_grad=True)]
)  # fmt: skip
def test_numbers(tmp_path: Path, value: Any) -> None:
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, {"model/loss": value})
    assert column(tmp_path / "run", "model/loss") == [2]


class Accelerator:
    """Device of a tensor that only pretends."""

    type = "cuda"


class OnAccelerator(torch.Tensor):
    """CPU tensor that stands in for one of an accelerator."""

    device = Accelerator()  # type: ignore[assignment]

    def detach(self) -> torch.Tensor:
        return self.as_subclass(torch.Tensor).detach()


def test_numbers_on_an_accelerator_are_fetched_when_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CPU tensor stands in for one of an accelerator, and is changed in place afterwards."""

    loss = torch.tensor(1.5).as_subclass(OnAccelerator)
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, {"model/a": 1.0, "model/loss": loss, "model/b": loss})
        loss.as_subclass(torch.Tensor).mul_(0)
        recorder.log(1, {"model/a": 2.0, "model/loss": loss, "model/b": 3.0})
    assert column(tmp_path / "run", "model/a") == [1, 2]
    assert column(tmp_path / "run", "model/loss") == [1.5, 0]
    assert column(tmp_path / "run", "model/b") == [1.5, 3]


def test_nothing_waits_for_an_accelerator_at_a_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every way to read a number would wait; the thread that writes reads many at once."""

    waits = {"training": 0, "writing": 0}
    for name in ("item", "tolist", "cpu", "__float__", "__bool__"):
        plain = getattr(torch.Tensor, name)

        def counted(self: torch.Tensor, *args: Any, _plain: Any = plain, **kwargs: Any) -> Any:
            here = threading.current_thread() is threading.main_thread()
            waits["training" if here else "writing"] += 1
            return _plain(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, counted)
    losses = torch.arange(1000.0).as_subclass(OnAccelerator)
    with Recorder(tmp_path / "run") as recorder:
        for step in range(1000):
            recorder.log(step, {"generator/loss": losses[step], "discriminator/loss": 1.0})
        assert waits["training"] == 0
    assert waits["writing"] < 100
    monkeypatch.undo()
    assert column(tmp_path / "run", "generator/loss") == list(range(1000))


@pytest.mark.parametrize(
    ("step", "values", "what"),
    [
        (0, {"loss": 1.0}, "'loss'.*player/quantity"),
        (0, {"model/": 1.0}, "'model/'"),
        (0, {"model/a b": 1.0}, "'model/a b'"),
        (0, {3: 1.0}, "3: expected a name"),
        (0, {}, "expected quantities such as"),
        (0, [("model/loss", 1.0)], "expected quantities such as"),
        (0, {"model/loss": "high"}, "model/loss: expected a number, found 'high'"),
        (0, {"model/loss": None}, "model/loss: expected a number, found None"),
        (0, {"model/loss": 1j}, "model/loss: expected a number"),
        (0, {"model/loss": torch.ones(3)}, r"model/loss: expected one number.*\[3\]"),
        (0, {"model/loss": np.ones(1)}, "model/loss: expected a number"),
        (0, {"model/loss": 10**400}, "too large"),
        (-1, LOSS, "step: expected 0 or more, found -1"),
        (1.0, LOSS, "step: expected a whole number, found 1.0"),
        (True, LOSS, "step: expected a whole number, found True"),
        ("1", LOSS, "step: expected a whole number, found '1'"),
        (2**63, LOSS, "expected 0 or more"),
    ],
)
def test_refusals_leave_the_run_as_it_was(
    tmp_path: Path, step: Any, values: Any, what: str
) -> None:
    with Recorder(tmp_path / "run") as recorder:
        with pytest.raises(OptionError, match=what):
            recorder.log(step, values)
        recorder.log(0, LOSS)
        with pytest.raises(OptionError, match=what):
            recorder.log(step, values)
        recorder.log(np.int64(1), LOSS)  # type: ignore[arg-type]
    table = Run.open(tmp_path / "run").series()
    assert {name: c.steps.tolist() for name, c in table.columns.items()} == {"model/loss": [0, 1]}


def test_too_many_sets_of_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dlcc.runs.series_writer.MAX_FILES", 3)
    with Recorder(tmp_path / "run") as recorder:
        for i in range(3):
            recorder.log(0, {f"model/q{i}": 1.0})
        with pytest.raises(OptionError, match="log the same names at each step"):
            recorder.log(0, {"model/q3": 1.0})


# --- sessions -------------------------------------------------------------------------------------


def test_rows_reach_the_file_without_further_calls(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, LOSS)
        deadline = time.monotonic() + 5
        while not Run.open(tmp_path / "run").series().columns:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_recorder_that_was_dropped_is_closed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run")
    recorder.log(0, LOSS)
    del recorder
    gc.collect()
    assert column(tmp_path / "run", "model/loss") == [1]
    Recorder(tmp_path / "run").close()


def test_a_script_that_ends_without_closing(tmp_path: Path) -> None:
    code = f"""
from dlcc.runs import Recorder
recorder = Recorder({str(tmp_path / "run")!r})
recorder.log(0, {{"model/loss": 1.0}})
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert column(tmp_path / "run", "model/loss") == [1]


def test_closed_means_closed(tmp_path: Path) -> None:
    recorder = Recorder(tmp_path / "run")
    recorder.log(0, LOSS)
    recorder.close()
    recorder.close()
    for call in (
        lambda: recorder.log(1, LOSS),
        lambda: recorder.snapshot(1),
        lambda: recorder.samples(1, np.ones((1, 2))),
        recorder.flush,
    ):
        with pytest.raises(RunError, match="closed; open it again"):
            call()


def test_interrupted(tmp_path: Path) -> None:
    def training() -> None:
        with Recorder(tmp_path / "run") as recorder:
            for step in range(100):
                recorder.log(step, LOSS)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        training()
    assert len(column(tmp_path / "run", "model/loss")) == 100
    assert not [t for t in threading.enumerate() if t.name == "dlcc-series"]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    code = f"from dlcc.runs import Recorder; Recorder({str(tmp_path / 'run')!r})"
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, LOSS)
        with pytest.raises(RunLockedError, match="another recorder is writing to this run"):
            Recorder(tmp_path / "run")
        other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert "RunLockedError" in other.stderr
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_forked_child_neither_keeps_the_lock_nor_writes(tmp_path: Path) -> None:
    code = f"""
import os, sys, time
from dlcc.errors import RunError
from dlcc.runs import Recorder
recorder = Recorder({str(tmp_path / "run")!r})
for step in range(1000):
    recorder.log(step, {{"model/loss": 1.0}})
child = os.fork()
if child == 0:
    try:
        recorder.log(1000, {{"model/loss": 1.0}})
    except RunError as error:
        assert "belongs to process" in str(error), error
        recorder.close()
        time.sleep(3)
        os._exit(0)
    os._exit(1)
recorder.log(1000, {{"model/loss": 1.0}})
recorder.close()
Recorder({str(tmp_path / "run")!r}).close()  # the child lives and does not hold the lock
assert os.waitpid(child, os.WNOHANG) == (0, 0)
os.kill(child, 15)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    assert len(column(tmp_path / "run", "model/loss")) == 1001


# --- continuing a run -----------------------------------------------------------------------------


def test_the_configuration_must_agree(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with Recorder(path, config={"lr": 0.1, "betas": (0.5, 0.9)}, seed=3) as recorder:
        recorder.log(0, LOSS)
    Recorder(path).close()
    Recorder(path, config={"lr": 0.1, "betas": (0.5, 0.9)}, seed=3).close()
    with pytest.raises(RunError, match=r"run\.json: key config\.lr: recorded as 0\.1, now 0\.2"):
        Recorder(path, config={"lr": 0.2, "betas": (0.5, 0.9)})
    with pytest.raises(RunError, match=r"key config\.betas: recorded as .* missing now"):
        Recorder(path, config={"lr": 0.1})
    with pytest.raises(RunError, match="key seed: recorded as 3, now 4"):
        Recorder(path, seed=4)
    with pytest.raises(RunError, match="holds a run already"):
        Recorder(path, resume=False)


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ({"config": {"model": {"layers": [1, {2}]}}}, r"config\.model\.layers\[1\]: .* found set"),
        ({"config": {"lr": math.nan}}, r"config\.lr: expected a finite number"),
        ({"config": {1: 2}}, "config: expected text as keys, found 1"),
        ({"seed": 1.5}, "seed: expected a whole number, found 1.5"),
        ({"length": 0}, "length: expected a whole number of at least 1, found 0"),
        ({"players": {"a b": nn.Linear(1, 1)}}, "players: 'a b'"),
        ({"training_entry": "source/train.py"}, "training_entry: expected 'source/train.py:build'"),
        ({"training_entry": "source/train.py:build"}, "there is no source/train.py in the run"),
        ({"sources": ["absent.py"]}, "absent.py: no such file"),
        ({"sources": "absent.py"}, "expected a sequence of paths"),
        ({"reference": np.zeros((0, 2))}, r"reference: expected .* at least one row"),
    ],
)
def test_arguments_that_make_no_sense(tmp_path: Path, arguments: Any, what: str) -> None:
    with pytest.raises(OptionError, match=what):
        Recorder(tmp_path / "run", **arguments)
    Recorder(tmp_path / "other").close()


def test_a_folder_that_holds_something_else(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(RunError, match=r"holds thesis\.tex and no run"):
        Recorder(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="cannot be written"):
        Recorder(tmp_path / "file")


def test_sources_and_documents(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("def build(config): ...\n")
    (tmp_path / "package" / "__pycache__").mkdir(parents=True)
    (tmp_path / "package" / "model.py").write_text("")
    (tmp_path / "package" / "__pycache__" / "model.pyc").write_text("")
    (tmp_path / "method.md").write_text("# Method\n")
    arguments: dict[str, Any] = {
        "sources": [tmp_path / "train.py", tmp_path / "package"],
        "documents": [tmp_path / "method.md"],
        "training_entry": "source/train.py:build",
    }
    Recorder(tmp_path / "run", **arguments).close()
    run = Run.open(tmp_path / "run")
    assert list(run.source_files()) == ["source/package/model.py", "source/train.py"]
    assert run.document_files()["documents/method.md"].read_text() == "# Method\n"
    Recorder(tmp_path / "run", **arguments).close()
    (tmp_path / "train.py").write_text("def build(config): return 1\n")
    with pytest.raises(RunError, match=r"train\.py: differs from .*source/train\.py"):
        Recorder(tmp_path / "run", **arguments)


def test_reference_rows_are_spread_over_the_data(tmp_path: Path) -> None:
    data = np.arange(20_000, dtype=np.float32).reshape(10_000, 2)
    Recorder(tmp_path / "run", reference=torch.from_numpy(data)).close()
    reference = Run.open(tmp_path / "run").reference()
    assert reference is not None
    assert reference.shape == (4096, 2)
    assert reference.dtype == np.float32
    assert reference[0].tolist() == [0, 1]
    assert reference[-1].tolist() == [19_998, 19_999]


def test_opening_takes_no_lock_when_a_series_is_damaged(tmp_path: Path) -> None:
    with Recorder(tmp_path / "run") as recorder:
        recorder.log(0, LOSS)
    path = tmp_path / "run" / "series" / "000.series"
    data = path.read_bytes()
    path.write_bytes(b"x" + data[1:])
    with pytest.raises(RunError, match=r"000\.series"):
        Recorder(tmp_path / "run")
    path.write_bytes(data)
    Recorder(tmp_path / "run").close()


def test_recording_changes_no_bit_of_the_training(tmp_path: Path, make_training: Any) -> None:
    def train(recorded: bool) -> tuple[list[float], list[torch.Tensor], torch.Tensor]:
        torch.manual_seed(0)
        training = make_training()
        losses = []
        if recorded:
            with Recorder(tmp_path / "run", training=training, seed=0) as recorder:
                for step in range(20):
                    if step % 5 == 0:
                        recorder.snapshot(step, samples=training.sample(3, step))
                    row = training.step(step)
                    recorder.log(step, row)
                    losses.append(row["model/loss"])
        else:
            losses = [training.step(step)["model/loss"] for step in range(20)]
        return losses, list(training.model.state_dict().values()), torch.get_rng_state()

    plain, recorded = train(recorded=False), train(recorded=True)
    assert plain[0] == recorded[0]
    assert all(torch.equal(a, b) for a, b in zip(plain[1], recorded[1], strict=True))
    assert torch.equal(plain[2], recorded[2])
