"""Extensions of argumentation frameworks, against their definitions and a brute-force oracle."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.debate.debate import Argument, Debate
from dlcc.debate.framework import Framework

NAMES = ("a", "b", "c", "d", "e")
ATTACKS = st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=12)


def subsets() -> Iterator[frozenset[str]]:
    for size in range(len(NAMES) + 1):
        yield from map(frozenset, combinations(NAMES, size))


def admissible(members: frozenset[str], attacks: list[tuple[str, str]]) -> bool:
    """No attack within, and every attacker attacked (Dung 1995, definitions 5 and 6)."""
    if any(a in members and b in members for a, b in attacks):
        return False
    attackers = {a for a, b in attacks if b in members}
    return all(any((m, x) in attacks for m in members) for x in attackers)


@given(ATTACKS)
def test_preferred_extensions_are_the_largest_admissible_sets(
    attacks: list[tuple[str, str]],
) -> None:
    known = [s for s in subsets() if admissible(s, attacks)]
    largest = {s for s in known if not any(s < other for other in known)}
    assert set(Framework(NAMES, tuple(attacks)).preferred) == largest


@given(ATTACKS)
def test_the_grounded_extension_is_the_least_complete_one(attacks: list[tuple[str, str]]) -> None:
    framework = Framework(NAMES, tuple(attacks))

    def defended(members: frozenset[str]) -> frozenset[str]:
        return frozenset(
            a
            for a in NAMES
            if all(any((m, x) in attacks for m in members) for x, y in attacks if y == a)
        )

    complete = [s for s in subsets() if admissible(s, attacks) and defended(s) == s]
    assert framework.grounded in complete
    assert all(framework.grounded <= other for other in complete)
    assert all(framework.grounded <= preferred for preferred in framework.preferred)


def test_many_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="40 at most"):
        _ = Framework(tuple(map(str, range(41))), ()).preferred


def test_lighter_evidence_does_not_answer_heavier() -> None:
    samples = Argument("1", "samples", "not healthy", "They cover a tenth.", 4)
    series = Argument("2", "series", "healthy", "Losses are calm.", 1)
    debate = Debate((samples, series))
    assert debate.outcome == "not healthy"
    assert [s.stands for s in debate.spoken()] == [True, False]
    assert debate.spoken()[1].answered_by == (samples,)


def test_a_doubtful_record_takes_the_ground_from_everybody() -> None:
    doubt = Argument("1", "record", "not healthy", "It does not replay.", 5, voids=("samples",))
    samples = Argument("2", "samples", "healthy", "They cover all.", 4)
    assert Debate((doubt, samples)).outcome == "not healthy"


def test_nobody_speaking_settles_nothing() -> None:
    assert Debate(()).outcome == "open"
    assert Debate((Argument("1", "x", "void", "No ground.", 3, voids=("y",)),)).outcome == "open"
