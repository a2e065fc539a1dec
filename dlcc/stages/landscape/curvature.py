"""Curvature over time: sharpness, rotation of the game, a discriminator that went flat."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from dlcc.findings import Finding
from dlcc.landscape.summary import PathSummary, PlayerSummary
from dlcc.records import Dossier
from dlcc.runs.snapshot_landscape import SnapshotLandscape

LEAST = 8
"""Summaries after the start, so that a quarter has two: between neighbours the largest eigenvalue
changes fivefold by the batch alone."""
SHARPER = 3.0
"""Factor by which every summary of the last quarter must exceed the first one and all of the first
quarter, errors off."""
ROUGHER = 3.0
"""Factor by which the loss must jump more from row to row than it did: a training that goes well
sharpens too, generators fivefold, but not until steps overshoot."""
BUMP = 0.08
"""Bump of the path-angle: 85 healthy runs stayed below .042, failed ones got to .86."""
TURNS = 0.02
"""Σ |Im λ| / Σ |λ| below which a bump comes from a player that stands still."""
ONLY_TURNS = 0.95
"""Rotation of a field that hardly does anything but turn. Healthy Wasserstein and hinge games
reached .93: rotation alone is no fault."""
FLAT = 0.01
"""Share of what curvature and gradient were at the start; no healthy run fell below .2."""


def curvature_findings(
    dossier: Dossier, summaries: Sequence[SnapshotLandscape]
) -> Iterator[Finding]:
    """Findings of summaries in ascending step; none where they are too few to tell a change."""
    after = [s for s in summaries if s.step > 0]
    if len(after) < LEAST:
        return
    players = set.intersection(*(set(s.survey.players) for s in summaries))
    for player in sorted(players):
        yield from _sharper(dossier, player, summaries[0], after)
    yield from _rotation(after)
    if "discriminator" in players:
        yield from _flat("discriminator", summaries[0], after)


def _quarters(after: Sequence[SnapshotLandscape]) -> tuple[Sequence[SnapshotLandscape], ...]:
    size = math.ceil(len(after) / 4)
    return after[:size], after[-size:]


def _sharper(
    dossier: Dossier, player: str, start: SnapshotLandscape, after: Sequence[SnapshotLandscape]
) -> Iterator[Finding]:
    first, last = _quarters(after)
    before = max(p.largest + p.largest_error for p in _of(player, [start, *first]))
    holds = [p.largest - p.largest_error > SHARPER * before for p in _of(player, after)]
    if before <= 0 or not all(holds[-len(last) :]):
        return
    was, became = (_jump(dossier, player, part[0].step, part[-1].step) for part in (first, last))
    if not became > ROUGHER * was:
        return
    sharpness = [float(np.median([p.largest for p in _of(player, q)])) for q in (first, last)]
    yield Finding(
        "LND001",
        f"The largest eigenvalue of its Hessian rose from {sharpness[0]:.3g} to "
        f"{sharpness[1]:.3g}, and its loss jumps by {became:.2g} a row where it did by {was:.2g}.",
        player=player,
        first_step=after[_since(holds)].step,
        last_step=after[-1].step,
        evidence={
            "sharpness": tuple(map(_short, sharpness)),
            "jump_of_loss": (_short(was), _short(became)),
        },
    )


def _of(player: str, summaries: Sequence[SnapshotLandscape]) -> list[PlayerSummary]:
    return [s.survey.players[player] for s in summaries]


def _jump(dossier: Dossier, player: str, first: int, last: int) -> float:
    """Median distance of a loss from one row to the next; NaN where it is not known."""
    if f"{player}/loss" not in dossier.names:
        return math.nan
    k = dossier.names.index(f"{player}/loss")
    rows = dossier.present[:, k] & (dossier.steps >= first) & (dossier.steps <= last)
    jumps = np.abs(np.diff(dossier.values[rows, k]))
    known = jumps[~np.isnan(jumps)]
    return float(np.median(known)) if len(known) else math.nan


def _rotation(after: Sequence[SnapshotLandscape]) -> Iterator[Finding]:
    _, last = _quarters(after)
    games = [s.survey.game for s in last]
    bumps = [b for s in last if s.survey.path and (b := bump(s.survey.path)) is not None]
    height = float(np.median(bumps)) if bumps else 0.0
    turns = [game.rotation for game in games if game]
    only_turns = len(turns) == len(last) and min(turns) >= ONLY_TURNS
    bumps_and_turns = height >= BUMP and bool(turns) and float(np.median(turns)) >= TURNS
    if not (bumps_and_turns or only_turns):
        return
    told = []
    if height >= BUMP:
        told.append(f"along the way between snapshots the path-angle has a bump of {height:.2f}")
    if turns:
        share = 100 * float(np.median(turns))
        told.append(f"imaginary parts make up {share:.0f} % of the game's eigenvalues")
    evidence: dict[str, float | tuple[float, ...]] = {"path_angle_bump": _short(height)}
    if turns:
        evidence["rotation"] = _short(float(np.median(turns)))
    if game := games[-1]:
        evidence["nearest_axis"] = (_short(game.nearest_axis[0]), _short(game.nearest_axis[1]))
    yield Finding(
        "LND002",
        f"Over the last quarter of the surveys the players turn around each other: "
        f"{'; '.join(told)}.",
        first_step=last[0].step,
        last_step=last[-1].step,
        evidence=evidence,
    )


def bump(path: PathSummary) -> float | None:
    """Rise of the cosine between the ends of the line above both of them; None of less than
    seven places.

    Berard et al. 2020 (section 4.2): a field that attracts makes the cosine fall from one end to
    the other, one that turns makes a bump.
    """
    seventh = len(path.at) // 7
    if not seventh:
        return None
    cosine = np.array(path.cosine)[np.argsort(path.at)]
    return float(cosine.max() - max(cosine[:seventh].max(), cosine[-seventh:].max()))


def _flat(
    player: str, start: SnapshotLandscape, after: Sequence[SnapshotLandscape]
) -> Iterator[Finding]:
    began = start.survey.players[player]
    curved = FLAT * max(abs(began.smallest), abs(began.largest))
    steep = FLAT * began.gradient_norm

    def is_flat(p: PlayerSummary) -> bool:
        size = max(abs(p.smallest) + p.smallest_error, abs(p.largest) + p.largest_error)
        return size <= curved and p.gradient_norm <= steep

    holds = [is_flat(s.survey.players[player]) for s in after]
    _, last = _quarters(after)
    if not (curved > 0 and steep > 0 and all(holds[-len(last) :])):
        return
    now = last[-1].survey.players[player]
    size = max(abs(now.smallest), abs(now.largest))
    yield Finding(
        "LND003",
        f"Its curvature fell from {curved / FLAT:.2g} to {size:.2g} and its gradient norm from "
        f"{began.gradient_norm:.2g} to {now.gradient_norm:.2g}.",
        player=player,
        first_step=after[_since(holds)].step,
        last_step=after[-1].step,
        evidence={"curvature": _short(size), "gradient_norm": _short(now.gradient_norm)},
    )


def _since(holds: Sequence[bool]) -> int:
    """Index at which the last unbroken stretch of True begins."""
    return len(holds) - next((k for k, held in enumerate(reversed(holds)) if not held), len(holds))


def _short(value: float) -> float:
    return float(f"{value:.4g}")
