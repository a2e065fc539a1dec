"""Formulas, identifiers and docstrings in the plain words that sentence encoders know."""

from __future__ import annotations

import re

from dlcc.records import Function
from dlcc.stages.decomposition.passages import Passage

# What an encoder cannot guess: how the field writes things, and what it calls them.
_SYMBOLS = (
    (r"\\mathcal\{L\}|\\mathcal L|\bL(?=_|\b)|\bJ(?=_)", " loss "),
    (r"_\{?\s*(?:D|disc|\\text\{D\}|\\mathrm\{D\})\s*\}?", " of the discriminator "),
    (r"_\{?\s*(?:G|gen|\\text\{G\}|\\mathrm\{G\})\s*\}?", " of the generator "),
    (r"D\s*\(\s*G\s*\(", " discriminator output on generated fake samples ("),
    (r"D\s*\(", " discriminator output on real data ("),
    (r"G\s*\(", " generator ("),
    (r"\\log|\\ln", " log "),
    (r"\\sigma", " sigmoid "),
    (r"\\max", " maximum relu "),
    (r"\\nabla", " gradient "),
    (r"\\lambda", " penalty weight "),
    (r"\\hat\{?x\}?", " interpolated sample "),
    (r"\\mathbb\{?E\}?|\\frac\{1\}\{m\}\\sum|\\sum", " mean "),
    (r"\\\|", " norm "),
    (r"\^\{?2\}?", " squared "),
)
_SYNONYMS = (
    ("ns", "non-saturating cross-entropy"),
    ("mm", "minimax cross-entropy"),
    ("ls", "least squares"),
    ("wgangp", "Wasserstein with gradient penalty"),
    ("wgan", "Wasserstein"),
    ("bce", "binary cross-entropy"),
    ("gp", "gradient penalty"),
    ("lr", "learning rate"),
    ("opt", "optimiser"),
    ("netd", "discriminator"),
    ("netg", "generator"),
    ("d", "discriminator"),
    ("g", "generator"),
    ("z", "latent noise"),
)
_SYNONYM = dict(_SYNONYMS)


def passage_in_words(passage: Passage) -> str:
    """Describe a passage: its heading, the sentence that brings it in, and its formula's words."""
    maths = "" if passage.id.startswith("sentence") else latex_in_words(passage.latex)
    return f"{passage.heading}. {_plain(passage.said)} {maths}".strip()


def latex_in_words(latex: str) -> str:
    """Read LaTeX out loud, roughly."""
    text = latex
    for pattern, words in _SYMBOLS:
        text = re.sub(pattern, words, text)
    text = re.sub(r"\\[a-zA-Z]+|[{}$&\\^_]", " ", text)
    return " ".join(text.split())


def function_in_words(function: Function) -> str:
    """Describe a function by its name, parameters and docstring in words."""
    name = _identifier(function.name)
    parameters = ", ".join(_identifier(p) for p in function.parameters if p != "self")
    doc = function.docstring.split("\n\n")[0]
    return f"{name} of {parameters}. {' '.join(doc.split())}"


def _identifier(name: str) -> str:
    words = re.sub(r"([a-z])([A-Z])", r"\1 \2", name.replace(".", " ").replace("_", " ")).split()
    return " ".join(_SYNONYM.get(word.lower(), word.lower()) for word in words)


def _plain(text: str) -> str:
    return re.sub(r"\$([^$]*)\$", lambda m: latex_in_words(m[1]), text)
