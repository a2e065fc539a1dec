"""The session gives what the code computes, bit for bit, and says where it failed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcc.errors import ForeignCodeError, IsolationError
from dlcc.past_runs.build import doctoring
from dlcc.runs import Run
from dlcc.sandbox import Bounds, Level, Session, best_level, levels
from dlcc.sandbox.seccomp import Kind
from dlcc.stages.recorded_state import read_recorded_state


def test_a_training_is_stepped_as_it_was_recorded(small_run: Path, level: Level) -> None:
    run = Run.open(small_run)
    snapshot = read_recorded_state(run.snapshots()[3])
    series = run.series().columns
    with Session(run.source_files(), level) as session:
        players = session.build(str(run.manifest.training), run.manifest.config)
        assert players == ["discriminator", "generator"]
        session.load(snapshot.tree, snapshot.data)
        weights = session.weights()
        assert all(np.array_equal(weights[name], snapshot.weights[name]) for name in weights)
        probe = session.probe(snapshot.step)
        assert all(np.array_equal(probe[name], snapshot.probe[name]) for name in snapshot.probe)
        names = ["generator/loss", "no/such", "discriminator/grad_norm"]
        watch = ("generator/0.bias", weights["generator/0.bias"].nbytes)
        stepped = session.step(snapshot.step, 5, names, watch)
        assert stepped.present.tolist() == [[True, False, True]] * 5
        for j in (0, 2):
            recorded = series[names[j]].values[snapshot.step : snapshot.step + 5]
            assert np.array_equal(stepped.values[:, j], recorded)
        assert stepped.watched is not None
        assert np.array_equal(stepped.watched[-1], session.weights()["generator/0.bias"])
        assert session.forward("generator", np.zeros((3, 8), np.float32)).shape == (3, 2)
        with pytest.raises(ForeignCodeError, match="raised KeyError"):
            session.forward("encoder", np.zeros((3, 8), np.float32))
        assert session.alive  # an error that the code raised is no end
        tree, state = session.state()
        assert tree.keys() == snapshot.tree["state"].keys()
        assert state.keys() == snapshot.state.keys()
    assert session.ended is not None
    assert session.ended.peak_memory > 100 << 20


def test_an_error_names_its_line(small_run: Path, level: Level) -> None:
    line = doctoring.edit_source(small_run, "import math\n", "1 / 0\n")
    run = Run.open(small_run)
    with Session(run.source_files(), level) as session:
        with pytest.raises(ForeignCodeError, match="ZeroDivisionError") as caught:
            session.build("source/train.py:build", {})
        assert caught.value.place == f"source/train.py:{line}"


def test_adamw_and_a_second_thread_work_inside(tmp_path: Path, level: Level) -> None:
    (tmp_path / "train.py").write_text(
        "import torch\n"
        "class T:\n"
        "    def __init__(self):\n"
        "        net = torch.nn.Linear(256, 256)\n"
        "        self.players = {'model': net}\n"
        "        self.o = torch.optim.AdamW(net.parameters())\n"
        "    def step(self, s):\n"
        "        loss = self.players['model'](torch.ones(512, 256)).square().mean()\n"
        "        self.o.zero_grad(); loss.backward(); self.o.step()\n"
        "        return {'model/loss': loss.item()}\n"
        "def build(config): return T()\n"
    )
    with Session({"source/train.py": tmp_path / "train.py"}, level) as session:
        session.build("source/train.py:build", {}, threads=2)
        values = session.step(0, 3, ["model/loss"]).values
    assert values[2] < values[0]


def test_an_answer_beyond_what_is_expected_is_refused(tmp_path: Path, level: Level) -> None:
    (tmp_path / "train.py").write_text(
        "import torch\n"
        "class T:\n"
        "    players = {}\n"
        "    def probe(self, step): return {'a': torch.zeros(1 << 20)}\n"
        "def build(config): return T()\n"
    )
    with Session({"source/train.py": tmp_path / "train.py"}, level) as session:
        session.build("source/train.py:build", {})
        assert session.probe(0)["a"].size == 1 << 20
        with pytest.raises(ForeignCodeError, match="claims an answer"):
            session.probe(0, expected=100)


def test_files_cannot_leave_the_staged_folder(tmp_path: Path, level: Level) -> None:
    (tmp_path / "a.py").touch()
    with pytest.raises(ValueError, match="leads out"):
        Session({"../a.py": tmp_path / "a.py"}, level).__enter__()


def test_without_isolation_only_trust_runs_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(levels, "available_levels", lambda: ())
    with pytest.raises(IsolationError, match=r"install bubblewrap.*--trust"):
        best_level()
    assert best_level(trust=True) is Level.NONE


def test_trusted_code_runs_without_isolation(small_run: Path) -> None:
    run = Run.open(small_run)
    with Session(run.source_files(), Level.NONE, Bounds(60)) as session:
        assert session.build("source/train.py:build", run.manifest.config)


@pytest.mark.parametrize("kind", ["contained", "locked"])
def test_the_filters_are_those_that_the_script_makes(kind: Kind) -> None:
    pyseccomp = pytest.importorskip("pyseccomp", reason="libseccomp builds the filters")
    from dlcc.sandbox.seccomp import build, program

    assert program(kind) == build.compiled(kind, pyseccomp.system_arch())


def test_what_wants_a_cache_folder_can_be_imported(tmp_path: Path) -> None:
    source = tmp_path / "train.py"
    asks = "import matplotlib, tempfile\nmatplotlib.get_cachedir(), tempfile.gettempdir()"
    source.write_text(f"{asks}\n\ndef embed(x):\n    return x\n")
    with Session({"source/train.py": source}, best_level(trust=True)) as session:
        rows = np.ones((3, 2), np.float32)
        assert np.array_equal(session.features("source/train.py:embed", rows), rows)


PLAYER = """
import time
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.norm = nn.Embedding(5, 2), nn.BatchNorm1d(2)

    def forward(self, batch, y=None):
        if float(batch["x"].max()) > 9:
            time.sleep(60)
        return self.norm(batch["x"]) + self.table(y), batch["words"]

class T:
    def __init__(self):
        self.players = {"model": Net()}
    def step(self, s):
        x = torch.linspace(0, 1, 8).reshape(4, 2).half().float()
        self.players["model"]({"x": x, "words": "kept"}, y=torch.arange(4))
        return {}
def build(config): return T()
"""


def test_a_call_is_recorded_and_made_again_in_bounded_time(tmp_path: Path, level: Level) -> None:
    (tmp_path / "train.py").write_text(PLAYER)
    with Session({"source/train.py": tmp_path / "train.py"}, level) as session:
        session.build("source/train.py:build", {})
        (call,) = session.calls(0)
        assert (call.name, call.training) == ("model", True)
        assert call.tensors is not None
        told = [(t.name, t.dtype, t.classes, t.values.shape) for t in call.tensors]
        assert told == [("[0]['x']", "float32", None, (4, 2)), ("['y']", "int64", 5, (4,))]
        x, y = (t.values for t in call.tensors)
        before = session.weights()
        (out,), slopes = session.call(0, (x, y), training=True, weights=[np.ones_like(x)])
        assert out.shape == slopes[0].shape == (4, 2)
        after = session.weights()
        assert all(np.array_equal(before[name], after[name]) for name in before)  # its buffers too
        with pytest.raises(ForeignCodeError, match="IndexError"):
            session.call(0, (x, y + 2))
        session.set(threads=1, products="bfloat16", deterministic=True)
        session.set()
        with session.within(1.0), pytest.raises(ForeignCodeError, match="not done after 1 s"):
            session.call(0, (10 * x, y))
        assert session.ended is None or session.ended.seconds < 60
