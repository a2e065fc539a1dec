"""What a kind is refused for as it is made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dlcc.errors import PluginError
from dlcc.kinds import HealthLabel, Mark, Objective, PastRuns, Quantity
from dlcc.kinds.gan import GAN

FAULTS: list[tuple[type[Any], tuple[Any, ...], str]] = [
    (PastRuns, ("../x/y", ("gan",)), "group is named '../x/y'"),
    (PastRuns, ("", ("gan",)), "group is named ''"),
    (PastRuns, (None, ("gan",)), "group is named None"),
    (PastRuns, ("alone", ("gan",)), "'alone' is taken"),
    (PastRuns, ("own", ()), "forecast names no group"),
    (PastRuns, ("own", ("gan", "gan")), "twice"),
    (Quantity, ("a/b c", "odd"), "named 'a/b c'"),
    (Quantity, ("loss", "odd", (), -1.0), "must be above 0"),
    (Mark, ("margin_last",), "needs a range with an end"),
    (Mark, ("margin_last", 2.0, 1.0), "needs a range"),
    (HealthLabel, ("healthy", "healthy", None, (Mark("margin_last", 0.0),)), "has no marks"),
    (HealthLabel, ("fine", "healthy"), "no others, are called so"),
    (HealthLabel, ("healthy", "failed", "GAN001"), "no others, are called so"),
    (HealthLabel, ("lost", "failed"), "names no finding"),
    (HealthLabel, ("lost", "bad", "GAN001"), "expected one of healthy, suspect, failed"),
    (HealthLabel, ("Lost\x1b", "failed", "GAN001"), "is named"),
    (Objective, ("ns", "odd", {"g": "x"}, {"d": 1.0}), "levels of 'd', but no formula"),
    (Objective, ("ns", "odd", {"g": "x"}, {"g": -1.0}, {}, {"g": 0.0}), "out of its bounds"),
]


@pytest.mark.parametrize(("kind", "arguments", "words"), FAULTS)
def test_a_part_that_makes_no_sense_is_refused(
    kind: type[Any], arguments: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(PluginError, match=words):
        kind(*arguments)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Gan"}, "kind is named 'Gan'"),
        ({"name": 3}, "kind is named 3"),
        ({"players": "generator"}, "must be a tuple"),
        ({"players": ("a b/c",)}, "player is named"),
        ({"labels": GAN.labels[1:]}, "first label must be healthy"),
        ({"labels": (*GAN.labels, GAN.labels[1])}, "twice"),
        ({"objectives": (*GAN.objectives, GAN.objectives[0])}, "twice"),
        ({"quantities": (*GAN.quantities, GAN.quantities[0])}, "twice"),
    ],
)
def test_a_kind_that_makes_no_sense_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(PluginError, match=words):
        replace(GAN, **changes)
