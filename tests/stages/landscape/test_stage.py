"""The stage on dossiers made by hand: each finding where it holds and not where it does not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.findings import Finding
from dlcc.landscape.summary import PathSummary
from dlcc.records import Dossier, MeasuredLandscape, MeasuredSeries
from dlcc.runs.snapshot_landscape import SnapshotLandscape
from dlcc.stage import Case, Context, Deadline, NotApplicable, StageResult
from dlcc.stages.landscape import Landscape
from dlcc.stages.landscape.curvature import bump
from tests.landscape_summaries import game, path, player, record

LENGTH = 1_000
STEPS = range(0, 1_001, 100)


def dossier(
    summaries: tuple[SnapshotLandscape, ...] = (),
    series: dict[str, np.ndarray] | None = None,
    measured: dict[str, MeasuredSeries] | None = None,
    batch: int | None = 32,
) -> Dossier:
    """Of series that are known at every step."""
    columns = series or {}
    values = np.array(list(columns.values())).T if columns else np.zeros((LENGTH, 0))
    return Dossier(
        steps=np.arange(LENGTH),
        names=tuple(columns),
        values=values,
        present=np.ones(values.shape, dtype=bool),
        config={},
        blocks=(),
        formulas=(),
        functions=(),
        landscape=MeasuredLandscape({}, measured or {}, summaries, batch),
    )


def call(of: Dossier) -> StageResult:
    case = Case(Landscape(), {Dossier: of}, LENGTH, LENGTH)
    return Landscape()(case, Context(np.random.default_rng(0), Deadline(9), Path()))


def findings(of: Dossier) -> list[tuple[str, str | None, int | None]]:
    return [(f.code, f.player, f.first_step) for f in call(of).findings]


def loss(jumps: tuple[float, float]) -> np.ndarray:
    """To and fro, by one size in the first half and by another in the second."""
    size = np.where(np.arange(LENGTH) < LENGTH / 2, *jumps)
    return size * (np.arange(LENGTH) % 2)


def sharpening(last: float, since: int = 600, **changes: float) -> tuple[SnapshotLandscape, ...]:
    def at(step: int) -> float:
        return last if step >= since else 2.0

    return tuple(
        record(s, {"discriminator": player(largest=at(s), **changes), "generator": player()})
        for s in STEPS
    )


# --- what is there at all -------------------------------------------------------------------------


def test_without_anything_measured_it_says_which_lines_would_change_that() -> None:
    with pytest.raises(NotApplicable, match=r"`measure = rec\.measure.*`measure\(step"):
        call(replace(dossier(), landscape=None))


def test_it_feeds_no_term_and_gives_no_record() -> None:
    result = call(dossier(sharpening(9)))
    assert (dict(result.terms), list(result.records)) == ({}, [])
    assert result.details["surveys"] == len(STEPS)


def test_with_clouds_alone_there_are_details_and_how_to_get_more() -> None:
    result = call(dossier())
    assert not result.findings
    assert "rec.measure" in str(result.details["more"])
    assert "more" not in call(dossier(sharpening(2))).details


def test_a_landscape_that_stays_as_it_is_has_no_findings() -> None:
    quiet = tuple(record(s, way=path() if s else None) for s in STEPS)
    assert findings(dossier(quiet, {"discriminator/loss": loss((0.1, 0.1))})) == []


# --- sharpness ------------------------------------------------------------------------------------

JUMPY = {"discriminator/loss": loss((0.1, 0.5))}


def test_sharpness_that_rises_with_a_loss_that_jumps_is_said_with_its_steps() -> None:
    (found,) = call(dossier(sharpening(9), JUMPY)).findings
    assert (found.code, found.player) == ("LND001", "discriminator")
    assert (found.first_step, found.last_step) == (600, 1_000)
    assert found.evidence == {"sharpness": (2.0, 9.0), "jump_of_loss": (0.1, 0.5)}


@pytest.mark.parametrize(
    ("summaries", "series"),
    [
        (sharpening(5.9), JUMPY),  # not by the factor
        (sharpening(9, largest_error=2.0), JUMPY),  # not beyond the errors
        (sharpening(9, since=900), JUMPY),  # not the whole last quarter
        (sharpening(9)[:8], JUMPY),  # too few summaries
        (sharpening(9), {"discriminator/loss": loss((0.1, 0.2))}),  # no step overshoots
        (sharpening(9), {}),
        ((record(0, {"discriminator": player(largest=8.0)}), *sharpening(9)[1:]), JUMPY),
    ],
)
def test_sharpness_is_not_said_to_rise(summaries, series) -> None:
    assert findings(dossier(summaries, series)) == []


def test_a_player_that_is_not_always_there_is_left_out() -> None:
    some = list(sharpening(9))
    some[3] = record(300, {"generator": player()})
    assert findings(dossier(tuple(some), JUMPY)) == []


# --- rotation -------------------------------------------------------------------------------------


def turning(height: float = 0.0, eigenvalues: tuple[complex, ...] = ()) -> Dossier:
    return dossier(
        tuple(record(s, of_game=game(*eigenvalues), way=path(height)) for s in STEPS if s)
    )


def test_a_bump_of_the_path_angle_is_rotation() -> None:
    (found,) = call(turning(0.3)).findings
    assert (found.code, found.player, found.first_step) == ("LND002", None, 800)
    assert found.evidence["path_angle_bump"] == pytest.approx(0.3 - 0.075)
    assert findings(turning(0.05)) == []


def test_a_bump_without_an_imaginary_part_is_none() -> None:
    assert findings(turning(0.3, (2, 1, 0.5))) == []


def test_a_game_that_only_turns_is_rotation_without_a_path() -> None:
    assert findings(turning(0, (0.01 + 2j, 0.01 - 2j))) == [("LND002", None, 800)]
    assert findings(turning(0, (1 + 2j, 1 - 2j))) == []


def test_the_bump_of_fields_that_are_known() -> None:
    """Berard et al. 2020, figure 2: a field that attracts has a fall, one that turns a bump."""
    assert bump(path(fall=0.5)) == pytest.approx(0, abs=1e-12)
    assert bump(path(0.4, fall=0)) == pytest.approx(0.4, abs=0.01)
    assert bump(path(-0.4, fall=0)) == pytest.approx(0, abs=1e-9)


@given(st.lists(st.tuples(st.floats(-2, 2), st.floats(-1, 1)), max_size=40), st.randoms())
def test_a_bump_is_of_the_places_not_of_their_order(points, order) -> None:
    places = dict(points)
    at = list(places)

    def along(at: list[float]) -> PathSummary:
        return PathSummary(tuple(at), tuple(places[x] for x in at), (1.0,) * len(at))

    one = along(sorted(at))
    order.shuffle(at)
    assert bump(one) == bump(along(at))
    assert (bump(one) is None) == (len(at) < 7)
    assert bump(one) is None or 0 <= bump(one) <= 2


# --- a flat discriminator -------------------------------------------------------------------------


def flattening(since: int, **gone: float) -> Dossier:
    def at(step: int):
        if step < since:
            return player()
        return player(-0.001, 0.002, largest_error=0.0, smallest_error=0.0, **gone)

    return dossier(tuple(record(s, {"discriminator": at(s), "generator": player()}) for s in STEPS))


def test_a_discriminator_without_curvature_and_gradient_is_flat() -> None:
    assert findings(flattening(500, gradient_norm=1e-4)) == [("LND003", "discriminator", 500)]


def test_a_slope_or_a_late_summary_is_not_flat() -> None:
    assert findings(flattening(500)) == []
    assert findings(flattening(1_000, gradient_norm=1e-4)) == []
    assert findings(flattening(0, gradient_norm=1e-4)) == []  # it began so


def rows_of(discriminator: tuple[float, ...], generator: tuple[float, ...]) -> Dossier:
    return dossier(
        measured={
            f"{name}/sample_grad_norm": MeasuredSeries((9,) * 5, medians)
            for name, medians in (("discriminator", discriminator), ("generator", generator))
        }
    )


def test_gradients_of_rows_that_are_gone_for_both_players() -> None:
    fell, stays = (3.0, 2.0, 1.0, 0.1, 0.001), (3.0,) * 5
    assert findings(rows_of(fell, fell)) == [("LND003", "discriminator", 800)]
    assert findings(rows_of(fell, stays)) == []
    assert findings(rows_of(stays, fell)) == []
    exploded = (1e4, 7.0, 7.0, 7.0, 7.0)
    assert findings(rows_of(exploded, exploded)) == []
    unknown = (float("nan"),) * 5
    assert findings(rows_of(unknown, unknown)) == []


# --- noise ----------------------------------------------------------------------------------------


def noisy(scale: np.ndarray, batch: int | None = 32, spread: float = 1.0) -> Dossier:
    series = {
        "generator/grad_noise_scale": scale,
        "generator/grad_trace": np.full(LENGTH, spread),
    }
    measured = {name: MeasuredSeries((200,) * 5, (1.0,) * 5) for name in series}
    return dossier(series=series, measured=measured, batch=batch)


def mixed(share: float, high: float = np.inf) -> np.ndarray:
    """A share of the measurements high, the others at 10 rows."""
    return np.where(np.arange(LENGTH) % 100 < 100 * share, high, 10.0)


def test_noise_at_three_of_four_measurements_is_said() -> None:
    (found,) = call(noisy(mixed(0.8, 400))).findings
    assert (found.code, found.player, found.first_step, found.last_step) == (
        "LND004",
        "generator",
        800,
        999,
    )
    assert found.evidence == {"noise_scale": 400.0, "batch": 32, "measurements": 200}
    assert findings(noisy(mixed(0.8))) == [("LND004", "generator", 800)]


@pytest.mark.parametrize(
    "quiet",
    [
        noisy(mixed(0.7)),  # too few of them
        noisy(mixed(0.8, 100)),  # not by the factor
        noisy(mixed(0.8), batch=None),
        noisy(np.full(LENGTH, np.inf), spread=0.0),  # no gradients at all
        noisy(np.full(LENGTH, np.nan)),
    ],
)
def test_noise_is_not_said(quiet: Dossier) -> None:
    assert findings(quiet) == []


def test_few_measurements_reach_back_to_the_middle_and_no_farther() -> None:
    def rare(every: int) -> Dossier:
        whole = noisy(np.full(LENGTH, np.inf))
        return replace(whole, present=np.repeat(np.arange(LENGTH)[:, None] % every == 0, 2, axis=1))

    assert findings(rare(20)) == [("LND004", "generator", 600)]
    assert findings(rare(30)) == []


# --- what means harm ------------------------------------------------------------------------------

WILD = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(st.tuples(WILD, WILD, WILD, WILD), min_size=11, max_size=11))
def test_any_finite_numbers_are_judged_without_a_fault(numbers) -> None:
    summaries = tuple(
        record(
            step,
            {"discriminator": player(a, b, gradient_norm=c, largest_error=d, smallest_error=d)},
            game(),
            path(),
        )
        for step, (a, b, c, d) in zip(STEPS, numbers, strict=True)
    )
    result = call(dossier(summaries, JUMPY))
    assert all(isinstance(f, Finding) for f in result.findings)
