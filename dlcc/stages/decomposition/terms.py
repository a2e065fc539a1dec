"""Terms of the field: what texts, formulas and identifiers call the same thing."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

TABLE: Mapping[str, Any] = json.loads(
    Path(__file__).with_name("terms.json").read_text(encoding="utf-8")
)
"""Table of the field's terms, abbreviations, symbols and operators."""
SYMBOLS: Mapping[str, list[str]] = TABLE["symbols"]
"""Symbols of formulas -> words in identifiers that stand for them."""
_SPELT_OUT: Mapping[str, str] = TABLE["spelt_out"]
_STOP = frozenset(TABLE["left_out_words"].split())
_ENDINGS = (
    ("sses", "ss"),
    ("isation", "ise"), ("ization", "ise"), ("izing", "ise"), ("ising", "ise"), ("ized", "ise"),
    ("ised", "ise"), ("izer", "ise"), ("iser", "ise"), ("ize", "ise"), ("ations", "ate"),
    ("ation", "ate"), ("ating", "ate"), ("ated", "ate"), ("ators", "ate"), ("ator", "ate"),
    ("ings", ""), ("ing", ""), ("ies", "y"), ("ives", "ive"), ("ed", ""), ("ers", "er"),
    ("es", "e"), ("s", ""), ("ly", ""),
)  # fmt: skip
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[A-Za-z][A-Za-z0-9]*")


def words_of(text: str) -> list[str]:
    """List the words of a text or identifier, spelt out and without their endings.

    >>> words_of("KLDivLoss"), words_of("the averaged losses")
    (['kullback', 'leibler', 'divergenc', 'divergenc', 'loss'], ['mean', 'loss'])
    """
    words = _WORD.findall(_CAMEL.sub(" ", text))
    return [part for word in words for part in _spelt_out(word.lower())]


def symbol_words(symbols: Iterable[str]) -> frozenset[str]:
    """Collect the words that may stand for symbols in identifiers."""
    return frozenset(word for symbol in symbols for word in SYMBOLS.get(symbol, (symbol,)))


@cache
def _spelt_out(word: str) -> tuple[str, ...]:
    if word in _STOP:
        return ()
    whole = _SPELT_OUT.get(word) or _by_stem().get(_stem(word)) or word
    return tuple(_stem(part) for part in whole.split() if len(part) > 1 and part not in _STOP)


@cache
def _by_stem() -> dict[str, str]:
    return {_stem(word): words for word, words in _SPELT_OUT.items()}


def _stem(word: str) -> str:
    """Cut endings off, so that words of one stem are one word."""
    if word.endswith("ss") or len(word) < 4:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: len(word) - len(ending)] + instead
            break
    return word[:-1] if word.endswith("e") and len(word) > 4 else word
