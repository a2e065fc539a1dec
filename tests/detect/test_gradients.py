"""Players that get no gradient, or whose weights stand still."""

from __future__ import annotations

import numpy as np

from dlcc.detect import TrainingRecord, detect
from dlcc.findings import Finding
from dlcc.runs.series import Series
from dlcc.typing import Floats

N = 100


def found(**series: Floats) -> list[Finding]:
    columns = {name.replace("__", "/"): values for name, values in series.items()}
    record = TrainingRecord(Series.from_start(columns), "gan")
    return [f for f in detect(record).findings if f.code.startswith("GRD")]


def positive(seed: int) -> Floats:
    return np.asarray(np.random.default_rng(seed).uniform(0.5, 2, size=N))


def test_a_norm_of_0_beside_one_that_is_not() -> None:
    norms = {"generator__grad_norm": np.zeros(N), "discriminator__grad_norm": positive(0)}
    (finding,) = found(**norms, generator__loss=positive(1))
    assert (finding.code, finding.player, finding.first_step) == ("GRD001", "generator", 0)
    assert found(**norms, generator__loss=np.zeros(N)) == []  # satisfied: a hinge at 0


def test_norms_that_are_read_after_they_were_set_to_0_are_no_fault() -> None:
    norms = {"generator__grad_norm": np.zeros(N), "discriminator__grad_norm": np.zeros(N)}
    assert found(**norms, generator__loss=positive(1)) == []


def test_weights_that_stand_still_from_some_step_on() -> None:
    still = np.where(np.arange(N) < 60, positive(0), 0.0)
    (finding,) = found(generator__update_norm=positive(1), discriminator__update_norm=still)
    assert (finding.code, finding.player) == ("GRD003", "discriminator")
    assert finding.first_step == 60


def test_a_player_that_is_updated_seldom_is_no_fault() -> None:
    seldom = np.where(np.arange(N) % 10 == 0, positive(0), 0.0)
    assert found(generator__update_norm=seldom, discriminator__update_norm=positive(1)) == []
    ended = np.where(np.arange(N) < 60, positive(0), 0.0)
    assert found(generator__update_norm=ended, discriminator__update_norm=ended) == []
