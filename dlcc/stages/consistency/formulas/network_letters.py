"""Letters of networks: which ones of a document judge and make, whatever they are called."""

from __future__ import annotations

import re
from collections.abc import Sequence

_OPENS = r"(?:\\left|\\[bB]igg?l?)?\s*[(\[]"
_INDEX = r"(?:\s*[_^]\s*(?:\{[^{}]*\}|\\?[a-zA-Z]+|\*))*"
_APPLIED = rf"(?={_INDEX}\s*{_OPENS})"
_FONT = r"\\(?:mathcal|mathrm|mathbf|mathsf|mathit|text|textrm|operatorname|boldsymbol|bm)"
_LOOK = r"(?:hat|tilde|bar|widehat|widetilde|overline)"
_WORDS = {
    "D": r"[Dd]isc(?:r(?:iminator)?)?|[Dd]is|[Cc]ritic",
    "G": r"[Gg]en(?:erator)?",
}
_JUDGES = ("C", "f", "F", "T")
_MAKERS = ("g",)
_ALONE = r"(?<![a-zA-Z\\_^])"
_DIVERGENCE = r"(?!\s*_\s*\{?\s*(?:\\[a-z]+\s*\{?\s*)?(?:KL|JS))"
_ARGUMENT = rf"{_INDEX}\s*{_OPENS}\s*"
# What data, samples and noise are called where a network is applied to them
_LIKE_DATA = (
    rf"(?:{_FONT}\s*\{{?\s*)?(?:\\{_LOOK}\s*\{{?\s*)?(?:{_FONT}\s*\{{?\s*)?[xX](?![a-zA-Z])"
)
_LIKE_SAMPLES = (
    rf"(?:G{_INDEX}\s*{_OPENS}|(?:{_FONT}\s*\{{?\s*)?\\{_LOOK}\s*\{{?\s*(?:{_FONT}\s*\{{?\s*)?x"
    r"|x\s*_\s*\{?\s*(?:\\[a-z]+\s*\{\s*)?(?:g|f|fake)(?![a-zA-Z]))"
)
_LIKE_NOISE = rf"(?:{_FONT}\s*\{{?\s*)?(?:z|\\xi|\\epsilon|\\varepsilon)(?![a-zA-Z])"


def with_usual_letters(formulas: Sequence[str]) -> list[str]:
    r"""Call the network that judges D and the one that makes samples G.

    A letter is taken for one only where the document has no D, or no G, and a single letter stands
    in its place: it judges if it is applied to data and to samples, and makes if it is applied to
    noise.

    Args:
        formulas: Displayed formulas of a document.

    >>> with_usual_letters([r"L = E[f_w(g_\theta(z))] - E[f_w(x)]"])
    ['L = E[D_w(G_\\theta(z))] - E[D_w(x)]']
    """
    named = [_without_looks(latex) for latex in formulas]
    whole = "\n".join(named)
    both = (_LIKE_DATA, _LIKE_SAMPLES)
    for usual, letters, like in (("G", _MAKERS, (_LIKE_NOISE,)), ("D", _JUDGES, both)):
        if re.search(rf"{_ALONE}{usual}{_DIVERGENCE}{_APPLIED}", whole):
            continue
        found = [
            letter
            for letter in letters
            if all(re.search(rf"{_ALONE}{letter}{_ARGUMENT}{given}", whole) for given in like)
        ]
        if len(found) == 1:
            pattern = re.compile(rf"{_ALONE}{found[0]}{_APPLIED}")
            named = [pattern.sub(usual, latex) for latex in named]
            whole = "\n".join(named)
    return named


def _without_looks(latex: str) -> str:
    """Take off fonts and decorations of networks, and put letters in the place of words."""
    for usual, words in _WORDS.items():
        letters = rf"{usual}|{words}"
        latex = re.sub(rf"{_FONT}\s*\{{\s*(?:{letters})\s*\}}{_APPLIED}", usual, latex)
        latex = re.sub(rf"{_FONT}\s+{usual}{_APPLIED}", usual, latex)
        latex = re.sub(rf"\\{_LOOK}\s*(?:\{{\s*{usual}\s*\}}|{usual}){_APPLIED}", usual, latex)
    return latex
