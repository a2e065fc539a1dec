"""Reservations about verdicts on formulas: what document and configuration say besides.

Algebra and numbers know a formula alone. Its document may give it for somebody else's loss, say
that it is maximised, or state a constant that the code does not have; then nothing is decided.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np

from dlcc.settings.nested import flattened, is_number
from dlcc.stages.consistency.checks.comparison import Checked
from dlcc.stages.consistency.formulas.document_constants import StatedConstant
from dlcc.stages.consistency.formulas.latex_sums import SIZE
from dlcc.stages.consistency.formulas.loss_names import GENERATOR
from dlcc.stages.consistency.formulas.paper_losses import PaperLoss
from dlcc.stages.consistency.formulas.symbols import Gradient

_MAXIMISED = re.compile(
    r"maximi[sz]|arg\s*max|\\max\s*_|ascen[dt]|as large as|reward|\bbound\b|\bELBO\b", re.IGNORECASE
)
_IN_WORDS = re.compile(r"penalt|regulari[sz]|\bR1\b", re.IGNORECASE)
_OTHER_LOSS = re.compile(
    r"hinge|least[- ]squares|LSGAN|Wasserstein|WGAN|relativis|non-?saturating|softplus|smooth",
    re.IGNORECASE,
)
_TO_A_FACTOR = re.compile(
    r"up to (?:a |an |the )?(?:\w+ )?(?:factor|scale|constant)|proportional to", re.IGNORECASE
)
_PENALTY_WEIGHT = re.compile(
    r"penalty (?:coefficient|weight|strength)s?[^.;\d]{0,40}?(\d+(?:\.\d+)?)", re.IGNORECASE
)
_OF_OTHERS = re.compile(
    r"background|related|prelim|previous|prior work|review|introduction|baseline|compar",
    re.IGNORECASE,
)
_LIKELIHOODS = {
    "normal": re.compile(r"Bernoulli|cross[- ]entropy|Laplace", re.IGNORECASE),
    "of Bernoulli": re.compile(
        r"(?:Gaussian|normal) (?:likelihood|decoder|observation)|squared error|Laplace",
        re.IGNORECASE,
    ),
    "of Laplace": re.compile(r"Bernoulli|cross[- ]entropy|squared error", re.IGNORECASE),
}
"""Distribution of a likelihood -> words that speak of another one."""


def fair(checked: Checked, paper: PaperLoss, told: str, section: str = "") -> Checked:
    """Leave a verdict open where the document may mean something else than its formula says.

    Args:
        checked: Outcome of the formula's check.
        paper: Formula.
        told: Sentences of the document.
        section: Headings that the formula stands under.
    """
    why = ""
    if checked.verdict == "refuted":
        why = _accusing(checked, paper, told, section)
    elif checked.verdict == "held":
        why = _likelihood(checked, told) or _penalty(checked, paper, told)
    return Checked("unknown", f"{checked.reason}; but {why}", {}) if why else checked


def _accusing(checked: Checked, paper: PaperLoss, told: str, section: str) -> str:
    """Reason not to accuse; empty for none."""
    if paper.presumed:
        return "whose loss it is, its name does not say"
    if checked.negative and (paper.maximised or _MAXIMISED.search(told)):
        maximised = "has the name of what is" if paper.maximised else "may be"
        return f"it is the negative of what is minimised, and {maximised} maximised"
    if paper.game and paper.player == GENERATOR:
        return "papers that give one value for both players often train the generator by another"
    if paper.game and _OTHER_LOSS.search(told):
        return "the document speaks of another loss in words"
    if _TO_A_FACTOR.search(told):
        return "the document speaks of a factor that is left out"
    if paper.part_of:
        return f"it is a part of the formula at {paper.part_of}"
    if _OF_OTHERS.search(section):
        return f"it stands under {section.rpartition(' > ')[2]}, and may be the loss of others"
    if paper.unread:
        return f"the formula at {paper.unread} is not understood and may belong to it"
    if paper.expression is not None and paper.expression.has(SIZE):
        return "papers often write a sum over the batch for its mean"
    has_none = paper.expression is not None and not paper.expression.has(Gradient)
    if has_none and "‖∇" in checked.reason and _IN_WORDS.search(told):
        return "the document speaks of a penalty in words"
    return ""


def _penalty(checked: Checked, paper: PaperLoss, told: str) -> str:
    """Weight of the penalty on gradients that the text states, where the code has another one;
    empty where it does not."""
    if paper.expression is None or not paper.expression.has(Gradient):
        return ""
    weights = [float(match[1]) for match in _PENALTY_WEIGHT.finditer(told)]
    found = list(checked.constants.values())
    if weights and found and not any(abs(w - v) < 1e-6 for w in weights for v in found):
        return f"the text states a weight of {weights[0]:g}"
    return ""


def _likelihood(checked: Checked, told: str) -> str:
    """Distribution of p(x|z) that the document names, where the formula holds with another one."""
    for name, words in _LIKELIHOODS.items():
        if f"p(x|z) {name}" in checked.reason:
            return next((f"the document speaks of {m[0]}" for m in words.finditer(told)), "")
    return ""


def of_several(papers: Sequence[PaperLoss], found: Sequence[Checked]) -> list[Checked]:
    """Accuse no formula where another one of the same player holds: a document may begin with the
    losses of others, and go on to its own."""
    holding = {
        paper.player: paper.place
        for paper, checked in zip(papers, found, strict=True)
        if checked.verdict in ("proved", "held")
    }
    return [
        Checked("unknown", f"{c.reason}; but the {p.player}'s loss is the formula at {place}", {})
        if c.verdict == "refuted" and (place := holding.get(p.player, p.place)) != p.place
        else c
        for p, c in zip(papers, found, strict=True)
    ]


def as_configured(checked: Checked, config: Mapping[str, object]) -> Checked:
    """Leave a formula open that holds with a constant other than the setting of that name.

    >>> held = Checked("held", "holds numerically at 25 points, with beta = 8", {"beta": 8.0})
    >>> as_configured(held, {"loss": {"beta": 4.0}}).reason
    'holds numerically at 25 points, with beta = 8; but the configuration states beta = 4'
    >>> as_configured(held, {"beta": 8}) == as_configured(held, {"lr": 1e-3}) == held
    True
    """
    settings = [(p.rpartition(".")[2].lower(), v) for p, v in flattened(config).items()]
    for name, value in checked.constants.items():
        same = [float(v) for key, v in settings if key.rstrip("_") == name and is_number(v)]
        if same and not np.isclose(same, value, rtol=1e-4).any():
            why = f"the configuration states {name} = {same[0]:g}"
            return Checked("unknown", f"{checked.reason}; but {why}", {})
    return checked


def as_told(checked: Checked, place: str, constants: Sequence[StatedConstant]) -> Checked:
    """Leave a formula open that holds with constants other than those that its document states.

    Args:
        checked: Outcome of the formula's check.
        place: File and line of the formula, such as `documents/method.md:11`.
        constants: Constants that documents state, in any section.

    >>> held = Checked("held", "holds numerically at 25 points, with a = -1", {"a": -1.0})
    >>> as_told(held, "a.md:3", [StatedConstant("a", 0.0, "a.md", 9)]).reason
    'holds numerically at 25 points, with a = -1; but the text states a = 0'
    >>> as_told(held, "a.md:3", [StatedConstant("a", 0.0, "b.md", 9)]) == held
    True
    """
    file = place.rpartition(":")[0]
    for name, value in checked.constants.items():
        stated = [c.value for c in constants if c.name == name and c.file == file]
        if stated and not np.isclose(stated, value, rtol=1e-4, atol=1e-9).any():
            why = f"the text states {name} = {stated[0]:g}"
            return Checked("unknown", f"{checked.reason}; but {why}", {})
    return checked
