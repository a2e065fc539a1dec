"""Synonyms of LaTeX: what papers write in several ways, brought to the one that is read."""

from __future__ import annotations

import re
from collections.abc import Callable

_GROUP = r"\{((?:[^{}]|\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})*)\}"  # three deep
_END = r"(?![a-zA-Z])"

_SYNONYMS: tuple[tuple[re.Pattern[str], str | Callable[[re.Match[str]], str]], ...] = (
    (re.compile(rf"\\(?:triangleq|coloneqq|coloneq|equiv|doteq|eqdef){_END}|:\s*="), "="),
    (re.compile(rf"\\(?:over|under)set\s*{_GROUP}\s*(?:{{\s*=\s*}}|=)"), "="),
    (re.compile(rf"\\stackrel\s*{_GROUP}\s*(?:{{\s*=\s*}}|=)"), "="),
    (re.compile(rf"\\underset\s*{_GROUP}\s*{_GROUP}"), lambda m: f"{m[2]}_{{{m[1]}}}"),
    (re.compile(rf"\\substack\s*{_GROUP}"), lambda m: re.sub(r"\\\\(?:\[[^\]]*\])?", ", ", m[1])),
    (re.compile(rf"\\(?:operatorname\s*\*|mathop)\s*{_GROUP}(?:\s*\\nolimits)?"), r"\1"),
    (re.compile(rf"\\[lr]vert{_END}"), "|"),
    (re.compile(rf"\\(?:lVert|rVert|Vert){_END}"), r"\|"),
    (re.compile(rf"\\zeta{_END}(?=\s*[(\[]|\s*\\left)"), r"\\operatorname{softplus}"),
    (re.compile(r"\\(?:vec)?(?:mathbf|boldsymbol|bm|mathbbm|mathds)\s*\{\s*([01])\s*\}"), r"\1"),
)


def with_usual_words(latex: str) -> str:
    r"""Put the usual command in the place of others that mean the same.

    >>> with_usual_words(r"L \triangleq \underset{x \sim p}{\mathbb{E}}[\zeta(x)] + \mathbf{1}")
    'L = \\mathbb{E}_{x \\sim p}[\\operatorname{softplus}(x)] + 1'
    """
    for pattern, usual in _SYNONYMS:
        latex = pattern.sub(usual, latex)
    return latex
