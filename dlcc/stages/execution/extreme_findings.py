"""Findings about players that break on inputs which no batch brought."""

from __future__ import annotations

from collections.abc import Sequence

from dlcc.findings import Finding
from dlcc.findings.finding import Evidence
from dlcc.stages.execution.extremes import TRAINING, PlayerExtremes
from dlcc.stages.execution.inputs import ONE_ROW

_NAMED = 4


def extreme_findings(tried: Sequence[PlayerExtremes], step: int, place: str) -> list[Finding]:
    """Make the findings for what was tried.

    Args:
        tried: Outputs of each player.
        step: Step of the snapshot whose players were tried.
        place: Place of it in the run.

    Returns:
        EXE011 for inputs like those that were recorded, else EXE006 for larger ones; EXE012 for a
        batch of one in training, EXE013 for outputs that depend on nothing, EXE014 for exploding
        gradients, EXE015 for what was not tried.
    """
    found = []

    def add(code: str, player: PlayerExtremes, says: str, **evidence: Evidence) -> None:
        found.append(
            Finding(
                code,
                f"the {player.player} of step {step:,} {says}",
                player=player.player.partition(".")[0],
                first_step=step,
                place=place,
                evidence=evidence,
            )
        )

    for one in tried:
        if one.failing:
            add("EXE011", one, _how(one, one.failing), **_shares(one, one.failing))
        elif one.overflowing:
            add("EXE006", one, _how(one, one.overflowing), **_shares(one, one.overflowing))
        if one.one_row_fails:
            add("EXE012", one, _how(one, (ONE_ROW + TRAINING,)))
        if one.is_constant:
            add("EXE013", one, "gives the same outputs for all recorded inputs, which differ")
        if one.explodes and one.slopes is not None:
            growth = one.slopes.growth
            size = "is not finite" if growth == float("inf") else f"grows {growth:,.0f}-fold"
            add("EXE014", one, f"has a gradient that {size} under noise of 1 % on its inputs")
    untried = [one for one in tried if one.reason is not None]
    if untried:
        told = "; ".join(f"{one.player}: {one.reason}" for one in untried[:_NAMED])
        more = f"; and {len(untried) - _NAMED} more" if len(untried) > _NAMED else ""
        says = f"not tried on all extreme inputs: {told}{more}"
        found.append(Finding("EXE015", says, first_step=step, place=place))
    return found


def _how(player: PlayerExtremes, names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    listed = ", ".join(names[:_NAMED]) + more
    raised = next((player.errors[name] for name in names if name in player.errors), None)
    if raised is not None:
        return f"fails on {listed}: {raised}"
    return f"gives outputs that are not finite on finite inputs ({listed})"


def _shares(player: PlayerExtremes, names: Sequence[str]) -> dict[str, Evidence]:
    return {name: player.finite.get(name, 0.0) for name in names}
