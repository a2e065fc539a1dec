"""Changes are offered only if the code heeds them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dlcc.advice import heeding
from dlcc.advice.change import Change
from dlcc.advice.heeding import Replay, heeded_changes, is_exact, rates_by_effect
from dlcc.advice.offer import keys_by_effect
from dlcc.errors import ForeignCodeError
from dlcc.sandbox import Level
from dlcc.settings.keys import keys_of
from tests.advice.own_code import CODE, CONFIG
from tests.sandbox.in_process import InProcessSession


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Replay]:
    """A replay of the code of `own_code`."""
    (tmp_path / "train.py").write_text(CODE)
    files = {"source/train.py": tmp_path / "train.py"}
    with InProcessSession(files, Level.NONE) as session:
        yield Replay(session, "source/train.py:build", late=40)


def heeded(replay: Replay, *changes: dict[str, object]) -> heeding.Heeded:
    return heeded_changes([Change(c) for c in changes], CONFIG, keys_of(CONFIG), replay)


def test_what_changes_nothing_is_left_out_and_counted(replay: Replay) -> None:
    assert is_exact(replay, CONFIG)
    found = heeded(
        replay, {"opt.lrD": 0.001}, {"r1": 0.1}, {"loss": "hinge"}, {"lambda_gp": 1.0},
        {"betas.0": 0.0}, {"n_critic": 2}, {"ema_decay": 0.99}, {"opt.lrD": 9.0},
    )  # fmt: skip
    kept = [dict(change.fields) for change in found.changes]
    assert kept == [{"opt.lrD": 0.001}, {"betas.0": 0.0}, {"n_critic": 2}, {"ema_decay": 0.99}]
    assert (found.left_out, found.refused) == (3, 1)
    assert found.unheeded == ("lambda_gp", "loss", "r1")
    assert found.words.startswith("3 changes left out: the code does not heed them (lambda_gp")


def test_fields_that_change_nothing_are_left_out_of_larger_changes(replay: Replay) -> None:
    found = heeded(replay, {"alpha": 0.001, "r1": 0.1}, {"alpha": 0.001}, {"r1": 1.0, "loss": "ls"})
    assert [dict(change.fields) for change in found.changes] == [{"alpha": 0.001}]
    assert found.left_out == 1


def test_a_rate_is_told_by_its_effect(replay: Replay) -> None:
    found = rates_by_effect(CONFIG, ["alpha", "opt.lrD", "ema_decay", "betas.0"], replay)
    assert found["alpha"] == ("generator", True)
    assert found["opt.lrD"] == ("discriminator", True)
    assert not found["ema_decay"][1]


def test_a_factor_of_a_rate_is_no_rate(tmp_path: Path) -> None:
    rate = 'd.parameters(), config["alpha"] * config["ttur"]'
    (tmp_path / "t.py").write_text(CODE.replace('d.parameters(), config["opt"]["lrD"]', rate))
    config = {**CONFIG, "ttur": 0.25}
    with InProcessSession({"source/t.py": tmp_path / "t.py"}, Level.NONE) as session:
        keys = keys_by_effect(config, keys_of(config), Replay(session, "source/t.py:build"))
    assert {k.path: (k.role, k.player) for k in keys if k.path in ("alpha", "ttur")} == {
        "alpha": ("rate", None), "ttur": ("multiplier", "discriminator"),
    }  # fmt: skip


def test_no_time_offers_nothing(replay: Replay) -> None:
    found = heeded_changes([Change({"alpha": 0.1})], CONFIG, [], replay, lambda: False)
    assert (found.changes, found.left_out, found.words) == ((), 0, "")


def test_code_that_differs_from_time_to_time_proves_nothing(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text(
        CODE.replace("real = ", "import os; real = int.from_bytes(os.urandom(2)) + ")
    )
    with InProcessSession({"source/t.py": tmp_path / "t.py"}, Level.NONE) as session:
        assert not is_exact(Replay(session, "source/t.py:build"), CONFIG)


def test_code_that_refuses_its_own_configuration(tmp_path: Path) -> None:
    (tmp_path / "t.py").write_text("def build(config):\n    raise ValueError('no')\n")
    with InProcessSession({"source/t.py": tmp_path / "t.py"}, Level.NONE) as session:
        replay = Replay(session, "source/t.py:build")
        assert not is_exact(replay, CONFIG)
        session.alive = False
        with pytest.raises(ForeignCodeError):
            replay.first({"other": 1})
