"""What ingestion makes of clouds, measured series and summaries."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc import evaluate
from dlcc.landscape.clouds import gradient_cloud
from dlcc.pipeline import run_stages
from dlcc.records import Column, Dossier, MeasuredLandscape, Series, Snapshots
from dlcc.runs import Run
from dlcc.runs.layout import RunLayout
from dlcc.stages.ingestion import Ingestion
from dlcc.stages.ingestion.landscape import (
    MOST_NUMBERS,
    MOST_POINTS,
    batch_size,
    measured_landscape,
)
from tests.landscape_summaries import put_summaries, spoil

pytestmark = pytest.mark.usefixtures("in_process")


def column(values: np.ndarray, every: int = 1) -> Column:
    return Column(np.arange(len(values)) * every, values, np.full(len(values), np.nan))


def series(**quantities: np.ndarray) -> Series:
    """`generator__loss=` is generator/loss."""
    return Series({name.replace("__", "/"): column(v) for name, v in quantities.items()})


def measured(of: Series, length: int = 100, **config: object) -> MeasuredLandscape | None:
    return measured_landscape(of, None, config, length)[0]


def of_run(run: Path) -> Dossier:
    (outcome,) = run_stages(Run.open(run), [Ingestion()], until=10_000)
    assert outcome.status == "scored"
    (dossier,) = outcome.records
    return dossier


def test_a_cloud_is_that_of_the_room_landscape() -> None:
    rng = np.random.default_rng(0)
    loss, norm = rng.normal(size=80), rng.exponential(size=80)
    found = measured(series(generator__loss=loss, generator__grad_norm=norm), length=100)
    assert found is not None
    expected = gradient_cloud(loss, norm, np.arange(80), length=100)
    np.testing.assert_equal(found.clouds["generator"].whole, expected.whole)
    assert [f.points for f in found.clouds["generator"].fifths] == [20, 20, 20, 20, 0]


@pytest.mark.parametrize(
    "of",
    [
        series(generator__loss=np.ones(9), generator__grad_norm=np.ones(9)),
        series(generator__loss=np.ones(50)),
        series(generator__loss=np.ones(50), discriminator__grad_norm=np.ones(50)),
        series(generator__loss=np.ones(50), generator__grad_norm=-np.ones(50)),
        series(generator__loss=np.full(50, np.nan), generator__grad_norm=np.ones(50)),
    ],
)
def test_without_a_cloud_there_is_nothing(of: Series) -> None:
    assert measured(of) is None


def test_numbers_of_a_run_that_diverged_are_taken_in() -> None:
    loss = np.logspace(0, 307, 60)
    loss[50:] = np.inf
    found = measured(series(generator__loss=loss, generator__grad_norm=np.logspace(0, 300, 60)))
    assert found is not None
    assert found.clouds["generator"].left_out == 10


def test_long_series_are_thinned_evenly() -> None:
    n = 2 * MOST_POINTS + 1
    loss = np.random.default_rng(0).normal(size=n)
    found = measured(series(generator__loss=loss, generator__grad_norm=np.abs(loss)), length=n)
    assert found is not None
    assert 0.5 * MOST_POINTS < found.clouds["generator"].whole.points <= MOST_POINTS


@given(st.lists(st.floats() | st.just(np.inf), min_size=1, max_size=60), st.integers(1, 80))
def test_medians_are_of_numbers_and_rows_are_all_counted(values: list[float], length: int) -> None:
    found = measured(series(generator__grad_noise_scale=np.array(values)), length)
    assert found is not None
    its = found.measured["generator/grad_noise_scale"]
    assert sum(its.rows) == np.sum(~np.isnan(values))
    for k, (rows, median) in enumerate(zip(its.rows, its.medians, strict=True)):
        own = [v for i, v in enumerate(values) if min(int(5 * (i / length)), 4) == k]
        known = sorted(v for v in own if not np.isnan(v))
        assert rows == len(known)
        assert np.isnan(median) if not known else median == known[(len(known) - 1) // 2]


def test_the_share_of_time_that_measuring_took_is_no_landscape() -> None:
    assert measured(series(measuring__overhead=np.ones(20))) is None


@pytest.mark.parametrize(
    ("config", "batch"),
    [
        ({"batch": 32}, 32),
        ({"data.batch_size": 8, "model.batch": 8}, 8),
        ({"batch_size": 8, "eval.batch_size": 64}, None),
        ({"batch": 0}, None),
        ({"batch": True}, None),
        ({"batch": "32"}, None),
        ({"minibatch": 4}, None),
    ],
)
def test_the_batch_that_a_configuration_names(config: dict[str, object], batch: int | None) -> None:
    assert batch_size(config) == batch


# --- summaries ------------------------------------------------------------------------------------


def test_summaries_come_in_their_order_with_their_steps(small_run: Path) -> None:
    steps = put_summaries(small_run)
    landscape = of_run(small_run).landscape
    assert landscape is not None
    assert [s.step for s in landscape.surveys] == steps
    assert landscape.batch == 32
    assert landscape.surveys[-1].survey.players["generator"].curvature_class == "saddle"


def test_what_is_after_until_is_not_read(small_run: Path) -> None:
    put_summaries(small_run)
    run = Run.open(small_run)
    found, _ = measured_landscape(Series.of(run, 50), Snapshots.of(run, 50), {}, run.length)
    assert found is not None
    assert max(s.step for s in found.surveys) <= 50


HUGE = [0.0] * (MOST_NUMBERS + 1)
DAMAGE = {
    "a number that is none": {"survey__players__generator__largest": float("nan")},
    "text": {"survey__players__generator__largest": "<script>"},
    "lists that differ": {"survey__game__real": [1.0]},
    "another step": {"step": 4},
    "a later version": {"schema": 99},
    "nothing": {"survey": None},
    "too many eigenvalues": {
        "survey__game__real": HUGE,
        "survey__game__imaginary": HUGE,
        "survey__game__errors": HUGE,
    },
    "a slice without end": {
        "survey__players__generator__slice_at": HUGE,
        "survey__players__generator__slice_losses": HUGE,
    },
    "players without end": {"survey__players": None},
    "a player of a wrong name": {"survey__players": None},
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_landscape_is_a_finding_and_the_others_stand(
    damage: str, small_run: Path
) -> None:
    import json

    steps = put_summaries(small_run)
    file = RunLayout(small_run).snapshot(steps[2]).landscape
    changes = dict(DAMAGE[damage])
    if "survey__players" in changes:
        one = json.loads(file.read_text())["survey"]["players"]["generator"]
        names = map(str, range(17)) if "end" in damage else ["<b>$\\frac\x1b"]
        changes["survey__players"] = dict.fromkeys(names, one)
    spoil(file, **changes)
    report = evaluate(small_run, only=["landscape"]).report
    (found,) = (f for f in report.findings if f.code == "REC007")
    assert found.place == f"snapshots/{steps[2]:08d}/landscape.json"
    assert found.first_step == steps[2]
    assert str(small_run) not in found.message
    assert report.landscape is not None
    assert [s.step for s in report.landscape.surveys] == [*steps[:2], *steps[3:]]
    assert [s.status for s in report.stages if s.status == "failed"] == []


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"0" * (5 << 20)])
def test_what_is_no_json_is_a_finding(content: bytes, small_run: Path) -> None:
    steps = put_summaries(small_run)
    RunLayout(small_run).snapshot(steps[0]).landscape.write_bytes(content)
    dossier = of_run(small_run)
    assert [place for place, _ in dossier.skipped] == [f"snapshots/{0:08d}/landscape.json"]
    assert dossier.landscape is not None
    assert len(dossier.landscape.surveys) == len(steps) - 1


def test_of_many_snapshots_some_are_read_over_the_whole_run(
    small_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = put_summaries(small_run)
    monkeypatch.setattr("dlcc.stages.ingestion.landscape.MOST_SUMMARIES", 3)
    run = Run.open(small_run)
    found, _ = measured_landscape(Series.of(run, 10_000), Snapshots.of(run, 10_000), {}, run.length)
    assert found is not None
    assert [s.step for s in found.surveys] == [steps[0], steps[len(steps) // 2], steps[-1]]


def test_the_process_that_ingests_imports_no_torch(small_run: Path) -> None:
    put_summaries(small_run)
    code = (
        "import sys\n"
        "from dlcc.records import Series, Snapshots\n"
        "from dlcc.runs import Run\n"
        "from dlcc.stages.ingestion.landscape import measured_landscape\n"
        "import dlcc.stages.ingestion, dlcc.stages.landscape\n"
        f"run = Run.open({str(small_run)!r})\n"
        "found, _ = measured_landscape(Series.of(run, 999), Snapshots.of(run, 999), {}, 200)\n"
        "assert found.surveys and found.clouds\n"
        "print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
