"""Reservations about verdicts: who may be accused, and what may not be said to hold."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sympy as sp

from dlcc.stages.consistency.checks.comparison import Checked
from dlcc.stages.consistency.checks.reservations import fair, of_several
from dlcc.stages.consistency.formulas.paper_losses import PaperLoss
from dlcc.stages.consistency.formulas.symbols import D, Gradient

HELD = Checked("held", "holds numerically at 25 points", {})
WRONG = Checked("refuted", "the formula gives 1 and the code 2", {})
VALUE = sp.Symbol("v")


def paper(place: str = "a.md:1", player: str = "discriminator", *, game: bool = False) -> PaperLoss:
    return PaperLoss(place, player, VALUE, "", game=game)


def test_a_formula_is_not_accused_where_another_one_of_its_player_holds() -> None:
    papers = [paper("a.md:1"), paper("a.md:9"), paper("a.md:12", "generator")]
    found = of_several(papers, [WRONG, HELD, WRONG])
    assert [checked.verdict for checked in found] == ["unknown", "held", "refuted"]
    assert "is the formula at a.md:9" in found[0].reason


def test_without_one_that_holds_every_wrong_formula_is_accused() -> None:
    assert of_several([paper("a.md:1"), paper("a.md:9")], [WRONG, WRONG]) == [WRONG, WRONG]


@pytest.mark.parametrize(
    ("player", "told", "verdict"),
    [
        ("generator", "", "unknown"),
        ("discriminator", "", "refuted"),
        ("discriminator", "We train with the hinge loss.", "unknown"),
    ],
)
def test_a_value_of_both_players_accuses_only_the_one_it_is_trained_by(
    player: str, told: str, verdict: str
) -> None:
    assert fair(WRONG, paper(player=player, game=True), told).verdict == verdict


def test_a_formula_of_its_own_is_accused_whatever_the_text_speaks_of() -> None:
    assert fair(WRONG, paper(), "Others use the hinge loss.").verdict == "refuted"


@pytest.mark.parametrize(
    ("told", "section", "part_of", "presumed"),
    [
        ("We seek the argmax over D.", "", "", False),
        ("It is to be as large as possible.", "", "", False),
        ("", "Paper > 2 Related work", "", False),
        ("", "Background", "", False),
        ("Up to a constant factor, it is this.", "", "", False),
        ("", "", "a.md:9", False),
        ("", "", "", True),
    ],
)
def test_a_formula_that_may_be_meant_otherwise_is_left_open(
    told: str, section: str, part_of: str, presumed: bool
) -> None:
    loss = replace(paper(), part_of=part_of, presumed=presumed)
    turned = replace(WRONG, negative=bool(told))
    assert fair(turned, paper(), "", "Method").verdict == "refuted"
    assert fair(turned, loss, told, section).verdict == "unknown"


def test_a_likelihood_is_the_one_that_the_document_names() -> None:
    held = Checked("held", "holds numerically at 25 points, p(x|z) normal", {})
    assert fair(held, paper(), "The likelihood p(x|z) is Bernoulli.").verdict == "unknown"
    assert fair(held, paper(), "The prior is normal.") == held


def test_the_weight_of_a_penalty_is_the_one_that_the_text_states() -> None:
    x = sp.Symbol("x", real=True)
    loss = replace(paper(), expression=sp.Symbol("lambda") * Gradient(D(x)))
    held = Checked("held", "holds numerically at 25 points, with lambda = 10", {"lambda": 10.0})
    assert fair(held, loss, "We set the gradient penalty coefficient to 5.").verdict == "unknown"
    assert fair(held, loss, "The penalty weight is 10 in all experiments.") == held
