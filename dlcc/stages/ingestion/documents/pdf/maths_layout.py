"""LaTeX of a formula from the places of its glyphs: scripts, fractions, roots, limits, accents.

A formula is rebuilt whole or not at all: every glyph becomes a part of it exactly once, and what
stands at no place that is understood ends the attempt with the reason.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from statistics import median

from dlcc.stages.ingestion.documents.pdf.maths_items import Item, Unbuilt, item_of, with_accents
from dlcc.stages.ingestion.documents.pdf.sheet import Glyph, Rule

_UNSIZED = ("large", "root", "fence")  # kinds whose size tells nothing of their line
_SMALL = 0.87  # ratio of sizes under which a glyph is a script
_FUNCTIONS = frozenset(
    [
        "log",
        "ln",
        "exp",
        "sin",
        "cos",
        "tan",
        "tanh",
        "sinh",
        "cosh",
        "min",
        "max",
        "sup",
        "inf",
        "lim",
        "arg",
        "det",
        "dim",
        "Pr",
        "gcd",
        "ker",
    ]
)
_LIMITED = frozenset(["min", "max", "sup", "inf", "lim", "argmin", "argmax", "Pr"])
_FENCES = ("(", ")", "[", "]", "\\{", "\\}", "|", "\\|")
_DEEPEST = 12
_MOST_GLYPHS = 1_500


def build_latex(glyphs: Sequence[Glyph], rules: Sequence[Rule]) -> str:
    """Rebuild the LaTeX of a formula.

    Args:
        glyphs: All glyphs of the formula, without blanks.
        rules: Horizontal rules among them: of fractions and roots.

    Returns:
        LaTeX of the whole formula.

    Raises:
        Unbuilt: Something in it is not understood.

    >>> x = Glyph("x", "x", "CMMI10", 10.0, 0.0, 5.7, 0.0, -2.0, 7.0)
    >>> two = Glyph("2", "two", "CMR7", 7.0, 5.7, 9.7, 3.6, 2.2, 8.5)
    >>> build_latex([x, two], [])
    'x^{2}'
    """
    if not glyphs:
        raise Unbuilt("it has no signs")
    if len(glyphs) > _MOST_GLYPHS:
        raise Unbuilt(f"more than {_MOST_GLYPHS:,} signs")
    return _build(with_accents(glyphs), [r for r in rules if r.horizontal], 0)


def closed(latex: str) -> str:
    """Return LaTeX itself, whose brackets all close: what was cut off has some that do not.

    Raises:
        Unbuilt: A bracket is not closed, or closes nothing.
    """
    depth = 0
    for bracket in re.findall(r"\\[{}]|[()\[\]]", latex):
        depth += 1 if bracket in ("(", "[", "\\{") else -1
        if depth < 0:
            raise Unbuilt("a bracket that closes nothing")
    if depth:
        raise Unbuilt("a bracket that is not closed")
    return latex


def _build(parts: Sequence[Item | Glyph], rules: Sequence[Rule], depth: int) -> str:
    if depth > _DEEPEST:
        raise Unbuilt(f"nested more than {_DEEPEST} deep")
    items = [part if isinstance(part, Item) else item_of(part) for part in parts]
    left = sorted(rules, key=lambda r: -r.width)
    while left:
        rule = left.pop(0)
        within = [r for r in left if rule.x0 - 2 <= r.x0 and r.x1 <= rule.x1 + 2]
        items, used = _around(rule, items, within, depth)
        left = [r for r in left if all(r is not u for u in used)]
    if any(item.kind == "root" for item in items):
        raise Unbuilt("a root without its bar")
    items = _with_limits(items, depth)
    return _in_line(items, depth)


def _around(
    rule: Rule, items: list[Item], within: Sequence[Rule], depth: int
) -> tuple[list[Item], list[Rule]]:
    """Make a fraction or a root of what lies around a rule; with the rules that went into it."""
    root = next((i for i in items if i.kind == "root" and _is_bar(rule, i)), None)
    inside = [i for i in items if rule.x0 - 1.5 <= (i.x0 + i.x1) / 2 <= rule.x1 + 1.5]
    inside = [i for i in inside if i is not root]
    above = [i for i in inside if _height(i) > rule.y]
    below = [i for i in inside if _height(i) < rule.y]
    low_rules = [r for r in within if r.y < rule.y]
    high_rules = [r for r in within if r.y > rule.y]
    if root is not None:
        if not below:
            raise Unbuilt("a root of nothing")
        latex = f"\\sqrt{{{_build(below, low_rules, depth + 1)}}}"
        taken, used = [root, *below], low_rules
    elif above and below:
        parts = [_build(above, high_rules, depth + 1), _build(below, low_rules, depth + 1)]
        latex = f"\\frac{{{parts[0]}}}{{{parts[1]}}}"
        taken, used = [*above, *below], [*within]
    elif below and not above:
        latex = f"\\overline{{{_build(below, low_rules, depth + 1)}}}"
        taken, used = below, low_rules
    else:
        raise Unbuilt("a rule that belongs to nothing")
    size = max(i.size for i in taken)
    made = Item(
        latex,
        min(rule.x0, *(i.x0 for i in taken)),
        max(rule.x1, *(i.x1 for i in taken)),
        None if root is None and above else _baseline(below),
        rule.y,
        size,
        min(i.low for i in taken),
        max(i.high for i in taken),
        "composite",
    )
    return [i for i in items if all(i is not t for t in taken)] + [made], list(used)


def _is_bar(rule: Rule, root: Item) -> bool:
    """Whether a rule is the bar of a root's sign."""
    return abs(rule.x0 - root.x1) < 0.25 * root.size and rule.y > root.axis


def _height(item: Item) -> float:
    return item.axis


def _baseline(items: Sequence[Item]) -> float:
    """Baseline of the largest signs."""
    standing = [i for i in items if i.y is not None and not i.kind.startswith(_UNSIZED)]
    if not standing:
        return median(i.axis - 0.25 * i.size for i in items)
    largest = max(i.size for i in standing)
    return float(median(i.y for i in standing if i.y is not None and i.size > _SMALL * largest))


def _with_limits(items: list[Item], depth: int) -> list[Item]:
    """Put what stands above and below large signs to them as scripts."""
    for sign in [i for i in items if i.kind == "large"]:
        items = _limited(sign, items, depth)
    for word in _words_with_limits(items):
        items = _limited(word, items, depth)
    return items


def _words_with_limits(items: Sequence[Item]) -> list[Item]:
    """Last letters' stand-ins for words such as max: from their first to their last letter."""
    found = []
    line = sorted((i for i in items if i.kind == "letter"), key=lambda i: i.x0)
    for k in range(len(line)):
        for length in (3, 6):
            its = line[k : k + length]
            word = "".join(i.latex for i in its)
            same = len({round(i.y or 0.0, 1) for i in its}) == 1
            close = all(b.x0 - a.x1 < 0.35 * a.size for a, b in itertools.pairwise(its))
            if word in _LIMITED and same and close:
                last = its[-1]
                found.append(replace(last, x0=its[0].x0, kind=f"word:{word}"))
    return found


def _limited(sign: Item, items: list[Item], depth: int) -> list[Item]:
    small = [i for i in items if i.size < _SMALL * sign.size and i.kind != "root"]
    margin = 0.15 * sign.size
    text = sign.kind.startswith("word")
    under = [i for i in small if i.high < sign.low + (2 if text else 1) * margin]
    over = [] if text else [i for i in small if i.low > sign.high - 2 * margin]
    below, above = _cluster(sign, under), _cluster(sign, over)
    if not below and not above:
        return items
    latex = ""
    if below:
        latex += f"_{{{_in_line(below, depth + 1)}}}"
    if above:
        latex += f"^{{{_in_line(above, depth + 1)}}}"
    taken = [*below, *above]
    rest = [i for i in items if all(i is not t for t in taken)]
    last = next(i for i in rest if (i.x1, i.y, i.size) == (sign.x1, sign.y, sign.size))
    made = replace(last, latex=last.latex + latex, kind=f"{last.kind}!")
    return [made if i is last else i for i in rest]


def _cluster(sign: Item, items: Sequence[Item]) -> list[Item]:
    """Select the unbroken row of items that lies across a sign."""
    runs: list[list[Item]] = []
    for item in sorted(items, key=lambda i: i.x0):
        if runs and item.x0 - max(i.x1 for i in runs[-1]) < 0.4 * sign.size:
            runs[-1].append(item)
        else:
            runs.append([item])
    middle = (sign.x0 + sign.x1) / 2
    for run in runs:
        x0, x1 = min(i.x0 for i in run), max(i.x1 for i in run)
        if abs((x0 + x1) / 2 - middle) < 0.5 * sign.size:
            return run
    return []


def _in_line(items: Sequence[Item], depth: int) -> str:
    """Write items that stand in one line, with their scripts."""
    if depth > _DEEPEST:
        raise Unbuilt(f"nested more than {_DEEPEST} deep")
    standing = [i for i in items if i.y is not None and not i.kind.startswith(_UNSIZED)]
    if standing:
        size = max(i.size for i in standing)
        base = _baseline(items)
    else:
        size = max(i.size for i in items)
        base = median(i.axis for i in items) - 0.25 * size
    words: list[str] = []
    scripts: dict[str, list[Item]] = {}
    previous: Item | None = None
    end = 0.0
    for item in sorted(items, key=lambda i: (i.x0, i.x1)):
        level = _level(item, base, size)
        if level:
            if previous is None:
                raise Unbuilt("a script of nothing")
            scripts.setdefault(level, []).append(item)
            end = max(end, item.x1)
            continue
        if previous is not None:
            _close(words, scripts, depth)
            scripts = {}
            overlap = min(previous.x1, item.x1) - item.x0
            if overlap > 0.4 * max(0.01, min(previous.x1 - previous.x0, item.x1 - item.x0)):
                raise Unbuilt("signs that lie on each other")
        _append(words, item, previous, end)
        previous, end = item, max(end, item.x1)
    _close(words, scripts, depth)
    return _spelled(words)


def _level(item: Item, base: float, size: float) -> str:
    """Place of an item in its line: '' on it, '^' above, '_' below."""
    if item.kind == "fence" and item.low - 0.5 * size < base + 0.25 * size < item.high + size:
        return ""
    if item.y is None or item.kind.startswith("large"):
        off = (item.axis - 0.25 * size - base) / size
        if abs(off) < 0.17:
            return ""
        if item.size < _SMALL * size:
            return "^" if off > 0 else "_"
        raise Unbuilt("a part that stands at no line")
    off = (item.y - base) / size
    if item.size >= _SMALL * size:
        if abs(off) < 0.12:
            return ""
        raise Unbuilt("a sign that stands at no line")
    if off > 0.2:
        return "^"
    if off < -0.06 or item.size < 0.65 * size:
        return "_"
    if item.kind == "composite":
        return ""
    raise Unbuilt("a small sign that stands at no line")


def _close(words: list[str], scripts: dict[str, list[Item]], depth: int) -> None:
    """Write the scripts of what was written last."""
    for level in ("_", "^"):
        if level in scripts:
            latex = _in_line(scripts[level], depth + 1)
            if latex.strip() in _FENCES:
                raise Unbuilt("a bracket that stands at no line")
            bare = latex.replace(" ", "").replace("'", "")
            words.append(latex.replace(" ", "") if not bare else f"{level}{{{latex}}}")


def _append(words: list[str], item: Item, previous: Item | None, end: float) -> None:
    """Write an item, joined to the word or number before it where it goes on."""
    gap, size = item.x0 - end, item.size
    if previous is not None and gap > 0.9 * size:
        words.append("\\quad")
    kind = item.kind.partition("!")[0]
    before = previous.kind if previous is not None else ""
    if kind == before and kind in ("letter", "digit") and gap < 0.2 * size:
        words[-1] += item.latex
    elif kind == "letter":
        words.append(f"\x03{item.latex}")
    else:
        words.append(item.latex)


_WORD = re.compile(r"\x03([A-Za-z]+)(.*)", re.DOTALL)


def _spelled(words: Sequence[str]) -> str:
    """Join words: upright letters are the name of a function, or stand in \\mathrm."""
    said: list[str] = []
    for word in words:
        match = _WORD.fullmatch(word)
        if match is None:
            said.append(word)
        elif match[1] in _FUNCTIONS:
            said.append(f"\\{match[1]}{match[2]}")
        elif match[1] in ("argmin", "argmax"):
            said.append(f"\\arg\\{match[1][3:]}{match[2]}")
        else:
            said.append(f"\\mathrm{{{match[1]}}}{match[2]}")
    latex = ""
    for word in said:
        glued = word[:1] in "_^'" or not latex
        latex += word if glued else f" {word}"
    return latex
