"""LaTeX of single glyphs of formulas, by their character, their name and their font."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

_GREEK = {
    "α": "alpha", "β": "beta", "γ": "gamma", "δ": "delta", "ϵ": "epsilon", "ε": "epsilon",
    "ζ": "zeta", "η": "eta", "θ": "theta", "ϑ": "theta", "ι": "iota", "κ": "kappa",
    "λ": "lambda", "μ": "mu", "ν": "nu", "ξ": "xi", "π": "pi", "ρ": "rho", "ϱ": "rho",
    "σ": "sigma", "ς": "varsigma", "τ": "tau", "υ": "upsilon", "φ": "phi", "ϕ": "phi",
    "χ": "chi", "ψ": "psi", "ω": "omega", "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta",
    "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi", "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
_SIGNS = {
    "−": "-", "–": "-", "·": "\\cdot", "⋅": "\\cdot", "×": "\\times", "∗": "*", "±": "\\pm",
    "∇": "\\nabla", "∼": "\\sim", "~": "\\sim", "∈": "\\in", "∉": "\\notin", "≤": "\\leq",
    "≥": "\\geq", "≠": "\\neq", "≈": "\\approx", "≡": "\\equiv", "∝": "\\propto",
    "→": "\\to", "←": "\\leftarrow", "⇒": "\\Rightarrow", "↦": "\\mapsto", "∞": "\\infty",
    "∂": "\\partial", "∥": "\\|", "‖": "\\|", "∣": "|", "{": "\\{", "}": "\\}", "⟨": "\\langle",
    "⟩": "\\rangle", "〈": "\\langle", "〉": "\\rangle", "′": "'", "…": "\\dots", "⋯": "\\cdots",
    "∪": "\\cup", "∩": "\\cap", "⊂": "\\subset", "⊆": "\\subseteq", "∀": "\\forall",
    "∃": "\\exists", "◦": "\\circ", "∘": "\\circ", "⊙": "\\odot", "⊗": "\\otimes", "ℓ": "\\ell",
    "†": "\\dagger", "⊤": "\\top", "⟂": "\\perp", "≪": "\\ll", "≫": "\\gg", "%": "\\%",
    "∅": "\\emptyset", "⌊": "\\lfloor", "⌋": "\\rfloor", "∖": "\\setminus", "‚": ",",
}  # fmt: skip
LARGE = {"∑": "\\sum", "∏": "\\prod", "∫": "\\int", "⋃": "\\bigcup", "⋂": "\\bigcap"}
_LARGE_NAMES = {
    "summation": "∑",
    "product": "∏",
    "integral": "∫",
    "union": "⋃",
    "intersection": "⋂",
}
_DELIMITER_NAMES = {
    "parenleft": "(", "parenright": ")", "bracketleft": "[", "bracketright": "]",
    "braceleft": "{", "braceright": "}", "angbracketleft": "⟨", "angbracketright": "⟩",
    "slash": "/", "floorleft": "⌊", "floorright": "⌋", "vextendsingle": "∣", "vextenddouble": "∥",
    "radical": "√",
}  # fmt: skip
_CMEX = {  # names by code of a font of large signs, where the file gives codes alone
    start + k: f"{name}{size}"
    for size, start, names in (
        ("big", 0, "paren bracket floor ceiling brace angbracket"),
        ("Big", 16, "paren"),
        ("bigg", 18, "paren bracket floor ceiling brace angbracket"),
        ("Bigg", 32, "paren bracket floor ceiling brace angbracket"),
        ("Big", 68, "angbracket"),
        ("Big", 104, "bracket floor ceiling brace"),
    )
    for k, name in enumerate(f"{n}{side}" for n in names.split() for side in ("left", "right"))
}
_CMEX |= {12: "vextendsingle", 13: "vextenddouble", 14: "slashbig", 30: "slashbigg"}
_CMEX |= {44: "slashBigg", 46: "slashBig", 98: "hatwide", 101: "tildewide"}
_CMEX |= {
    start + k: f"{name}{style}"
    for style, start in (("text", 80), ("display", 88))
    for k, name in enumerate(("summation", "product", "integral", "union", "intersection"))
}
_CMEX |= {112 + k: f"radical{size}" for k, size in enumerate(("big", "Big", "bigg", "Bigg"))}
_CMMI_MISREAD = {";": ",", ":": ".", "=": "/", "`": "ℓ"}  # such a font has none of these signs
_CMMI = {34: "ε", 36: "ϑ", 37: "ϖ", 38: "ϱ", 39: "ς", 58: ".", 59: ",", 60: "<", 61: "/", 62: ">"}
ACCENTS = {
    "ˆ": "\\hat", "^": "\\hat", "̂": "\\hat", "˜": "\\tilde", "̃": "\\tilde", "¯": "\\bar",
    "̄": "\\bar", "ˉ": "\\bar", "˙": "\\dot", "̇": "\\dot", "⃗": "\\vec", "⃗ ": "\\vec",
}  # fmt: skip
_ACCENT_NAMES = {"hatwide": "ˆ", "tildewide": "˜", "vector": "⃗", "circumflex": "ˆ", "macron": "¯"}
_NAMES = {
    "minus": "−", "bardbl": "∥", "nabla": "∇", "gradient": "∇", "multiply": "×", "element": "∈",
    "lambda": "λ", "mu": "μ", "similar": "∼", "periodcentered": "·", "lessequal": "≤",
    "greaterequal": "≥", "approxequal": "≈", "arrowright": "→", "infinity": "∞", "prime": "′",
    "asteriskmath": "∗", "radical": "√", "partialdiff": "∂", "theta": "θ", "sigma": "σ",
    "phi": "φ", "epsilon": "ϵ", "epsilon1": "ϵ", "alpha": "α", "beta": "β", "gamma": "γ",
    "delta": "δ", "eta": "η", "tau": "τ", "omega": "ω", "rho": "ρ", "psi": "ψ", "kappa": "κ",
    "proportional": "∝", "Gamma": "Γ", "Delta": "Δ", "Theta": "Θ", "Lambda": "Λ", "Xi": "Ξ",
    "Pi": "Π", "Sigma": "Σ", "Phi": "Φ", "Psi": "Ψ", "Omega": "Ω", "lscript": "ℓ",
    "braceleft": "{", "braceright": "}", "bar": "|",
}  # fmt: skip
_STIX = dict(zip("\ue154\ue155\ue156\ue157\ue158", "𝔸𝔹𝔼𝔽𝔾", strict=True)) | {
    chr(0xE22D + k): chr(0x1D49C + k) for k in range(26)
}
"""Letters that fonts of STIX hold at places of their own: double-struck, and script."""
_TEX_MATHS = re.compile(r"cmmi|cmsy|cmbsy|cmmib", re.IGNORECASE)
_SURE = re.compile(r"[A-Z]|[^\x00-\xff]|[+=/<>.,()\[\]0-9]")  # what no code is mistaken for
_DEPTHS = {"Bigg": 3.0, "bigg": 2.4, "Big": 1.8, "big": 1.2, "text": 1.0, "display": 1.4}

_MOST_FONTS = 512
_MATHS_FONT = re.compile(
    r"cmmi|cmsy|cmex|cmbsy|cmmib|msam|msbm|eufm|eusm|rsfs|math|stix.*(size|nonuni)|symbol"
    r"|lmmi|lmsy|lmex|txmi|txsy|txex|pxmi|bbold|dsrom|fplmbb|fplmr|pazomath|mtmi|mtsy|mtex|rmtmi",
    re.IGNORECASE,
)
_CALLIGRAPHIC = re.compile(r"cmsy|cmbsy|eusm|rsfs|lmsy|txsy|mtsy", re.IGNORECASE)
_BLACKBOARD = re.compile(r"msbm|bbold|dsrom|bbm|fplmbb|blackboard", re.IGNORECASE)
_FRAKTUR = re.compile(r"eufm|eufb", re.IGNORECASE)
_EXTENSION = re.compile(r"cmex|lmex|txex|mtex", re.IGNORECASE)
_BOLD = re.compile(r"bold|cmbx|cmssbx|black|heavy|[-,]b\b|nimbus.*medi|cmmib|-bd", re.IGNORECASE)
_MONOSPACED = re.compile(
    r"cmtt|mono|nimbusmon|courier|consol|typewriter|lmtt|ectt|sftt", re.IGNORECASE
)
_SMALL_CAPS = re.compile(r"cmcsc|smallcap|lmcsc|[-,]sc\b", re.IGNORECASE)
_SIZED = re.compile(r"size(?:one|two|three|four|five|\d)|dejavusansdisplay", re.IGNORECASE)
_ITALIC = re.compile(r"ital|obli|cmti|cmmi", re.IGNORECASE)


@lru_cache(maxsize=_MOST_FONTS)
def is_maths_font(font: str) -> bool:
    """Whether a font holds signs of formulas."""
    return _MATHS_FONT.search(font) is not None


@lru_cache(maxsize=_MOST_FONTS)
def is_bold(font: str) -> bool:
    """Whether a font is bold."""
    return _BOLD.search(font) is not None


@lru_cache(maxsize=_MOST_FONTS)
def is_small_caps(font: str) -> bool:
    """Whether a font has small capitals for letters."""
    return _SMALL_CAPS.search(font) is not None


@lru_cache(maxsize=_MOST_FONTS)
def is_sized(font: str) -> bool:
    """Whether a font holds brackets of several sizes, which stand where their size has them."""
    return _SIZED.search(font) is not None


@lru_cache(maxsize=_MOST_FONTS)
def is_monospaced(font: str) -> bool:
    """Whether all letters of a font have one width, as in code."""
    return _MONOSPACED.search(font) is not None


@lru_cache(maxsize=_MOST_FONTS)
def is_italic(font: str) -> bool:
    """Whether a font is italic."""
    return _ITALIC.search(font) is not None


@lru_cache(maxsize=_MOST_FONTS)
def hangs(font: str, name: str) -> float:
    """Depth of a sign that hangs from its top, in ems; 0 for one that stands on the baseline.

    >>> hangs("CMEX10", "summationdisplay"), hangs("CMMI10", "x")
    (1.4, 0.0)
    """
    if not _EXTENSION.search(font):
        return 1.0 if name == "radical" and _CALLIGRAPHIC.search(font) else 0.0
    if name in _ACCENT_NAMES:
        return 0.0
    if name.startswith("integral"):
        return 2.22 if name.endswith("display") else 1.11
    return next((depth for end, depth in _DEPTHS.items() if name.endswith(end)), 1.0)


def character(font: str, name: str, text: str, code: int) -> tuple[str, str]:
    """Tell the character and the name of a glyph; an empty character for one that is not known.

    >>> character("CMEX10", "summationdisplay", "", 88), character("CMEX10", "", "", 16)
    (('∑', 'summationdisplay'), ('(', 'parenleftBig'))
    """
    if not name and not text and _EXTENSION.search(font):
        name = _CMEX.get(code, "")
    if not name and not text and re.search("cmmi|lmmi", font, re.IGNORECASE):
        return _CMMI.get(code, ""), ""
    if name in _ACCENT_NAMES:
        return _ACCENT_NAMES[name], name
    if name in _NAMES:
        return _NAMES[name], name
    if name and _TEX_MATHS.search(font) and (known := _unicode_of(name)):
        return known, name
    if "STIXNonUnicode" in font:
        return _STIX.get(text, ""), name
    if re.search("cmmi|lmmi", font, re.IGNORECASE) and text in _CMMI_MISREAD:
        return _CMMI_MISREAD[text], name  # such a font has no others
    if not _EXTENSION.search(font):
        sure = _SURE.fullmatch(text) or (text.isascii() and text.isalpha() and "mi" in font.lower())
        return (text if name or sure or not _TEX_MATHS.search(font) else ""), name
    if not name:
        return "", ""  # text of such a font is a code, and another one with each maker
    bare = re.sub(r"(?:big+|Big+|text|display)$", "", name)
    return _LARGE_NAMES.get(bare) or _DELIMITER_NAMES.get(bare) or text, name


@lru_cache(maxsize=_MOST_FONTS)
def _unicode_of(name: str) -> str:
    """Character of a glyph's name in Adobe's list; empty for one that is not there."""
    from pdfminer.glyphlist import glyphname2unicode

    return str(glyphname2unicode.get(name, ""))


def latex_of(text: str, font: str) -> str | None:
    """Write a single character of a formula in LaTeX; None for one that is not known.

    >>> latex_of("E", "MSBM10"), latex_of("λ", "CMMI7"), latex_of("𝔼", "STIX"), latex_of("￾", "X")
    ('\\\\mathbb{E}', '\\\\lambda', '\\\\mathbb{E}', None)
    """
    letter = text.isascii() and text.isalpha()
    if letter and _BLACKBOARD.search(font):
        return f"\\mathbb{{{text}}}"
    if letter and text.isupper() and _CALLIGRAPHIC.search(font):
        return f"\\mathcal{{{text}}}"
    if letter and _FRAKTUR.search(font):
        return f"\\mathfrak{{{text}}}"
    if text in _SIGNS:
        return _SIGNS[text]
    styled = _styled(text)
    if styled is not None:
        return styled
    plain = unicodedata.normalize("NFKC", text)
    if plain in _GREEK:
        return f"\\{_GREEK[plain]}"
    if plain in _SIGNS:
        return _SIGNS[plain]
    if len(plain) == 1 and plain.isascii() and plain.isprintable() and plain not in '\\$#&_^~`"':
        return plain
    return None


def _styled(text: str) -> str | None:
    """Letter of one of Unicode's mathematical alphabets, with the command of its style."""
    if len(text) != 1 or text.isascii():
        return None
    if 0x1D49C <= ord(text) < 0x1D49C + 26:  # some of these have names of their own elsewhere
        return f"\\mathcal{{{chr(ord('A') + ord(text) - 0x1D49C)}}}"
    name = unicodedata.name(text, "")
    plain = unicodedata.normalize("NFKC", text)
    if not (plain.isascii() and plain.isalpha()):
        return None
    if "DOUBLE-STRUCK" in name:
        return f"\\mathbb{{{plain}}}"
    if "SCRIPT CAPITAL" in name or "BOLD SCRIPT" in name:
        return f"\\mathcal{{{plain}}}"
    if "FRAKTUR" in name or "BLACK-LETTER" in name:
        return f"\\mathfrak{{{plain}}}"
    if "MATHEMATICAL BOLD" in name:
        return f"\\mathbf{{{plain}}}"
    return plain
