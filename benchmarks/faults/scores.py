"""Scores of a judge over judged trainings, with 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from faults.judging import ONSET_WITHIN, Judged, Said, hit, onset_error, right_kind, right_player

Figures = dict[str, Any]


def share(held: int, of: int) -> Figures:
    """A share with Wilson's 95 % interval."""
    if not of:
        return {"held": 0, "of": 0}
    z, p = 1.96, held / of
    middle = (p + z * z / (2 * of)) / (1 + z * z / of)
    half = z / (1 + z * z / of) * math.sqrt(p * (1 - p) / of + z * z / (4 * of * of))
    return {
        "held": held, "of": of, "share": round(p, 3),
        "low": round(max(0.0, middle - half), 3), "high": round(min(1.0, middle + half), 3),
    }  # fmt: skip


def scores(runs: Sequence[Judged], judge: str, *, kinds_matter: bool = True) -> Figures:
    """Scores of one judge; without `kinds_matter`, any alarm on a faulty run counts as found."""
    faulty = [one for one in runs if one.is_fault and one.shows]
    healthy = [one for one in runs if not one.is_fault and one.good]
    found: Callable[[Judged, Said], bool] = hit if kinds_matter else _alarm
    hits = [one for one in faulty if found(one, one.said[judge])]
    figures: Figures = {
        "recall": share(len(hits), len(faulty)),
        "any_alarm": _count(faulty, lambda one: _alarm(one, one.said[judge])),
        "faulty_called_healthy": _count(faulty, lambda one: one.said[judge].state == "healthy"),
        "healthy_with_error": _count(healthy, lambda one: "error" in one.said[judge].severities),
        "healthy_with_warning": _count(
            healthy, lambda one: one.said[judge].severities[:1] == ("warning",)
        ),
        "faults_that_do_not_show": sum(one.is_fault and not one.shows for one in runs),
        "healthy_runs_not_good": sum(not one.is_fault and not one.good for one in runs),
    }
    if not kinds_matter:
        return figures
    timed = [one for one in hits if one.onset is not None]
    return figures | {
        "kind_in_first_two": _count(faulty, lambda one: right_kind(one, one.said[judge], 2)),
        "player": _count(hits, lambda one: right_player(one, one.said[judge])),
        "player_strict": _count(hits, lambda one: right_player(one, one.said[judge], strict=True)),
        "onset": _count(timed, lambda one: _on_time(one, one.said[judge])),
    }


def by(runs: Iterable[Judged], key: Callable[[Judged], str], judge: str) -> Figures:
    """Recall, kind, player and onset of each group, briefly."""
    groups: dict[str, list[Judged]] = {}
    for one in runs:
        groups.setdefault(key(one), []).append(one)
    table = {}
    for name, members in sorted(groups.items()):
        full = scores(members, judge)
        brief = {
            figure: f"{value['held']}/{value['of']}"
            for figure, value in full.items()
            if isinstance(value, dict) and value["of"]
        }
        table[name] = brief | {
            "not_shown": full["faults_that_do_not_show"],
            "said": sorted(
                {code for one in members if one.is_fault for code in one.said[judge].codes}
            ),
        }
    return table


def _alarm(one: Judged, said: Said) -> bool:
    return said.state in ("failed", "suspect")


def _on_time(one: Judged, said: Said) -> bool:
    error = onset_error(one, said)
    return error is not None and error <= ONSET_WITHIN


def _count(runs: Sequence[Judged], holds: Callable[[Judged], bool]) -> Figures:
    return share(sum(map(holds, runs)), len(runs))
