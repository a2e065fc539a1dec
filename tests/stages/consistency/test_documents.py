"""Documents against the code: who may be accused, and who may not."""

from __future__ import annotations

import pytest
import sympy as sp

from dlcc.stages.consistency.documents import fair, of_several
from dlcc.stages.consistency.formula_check import Checked
from dlcc.stages.consistency.paper_losses import PaperLoss

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
