"""Names of losses: whose a formula is by its left side, and which way each player wants it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from dlcc.stages.consistency.formulas.distributions import FONTS

DISCRIMINATOR, GENERATOR, TRAINING = "discriminator", "generator", "training"
"""Players that a loss may be of; `training` where one optimiser has all."""

_PLAYERS = (
    (re.compile(r"[DCd]|[Dd]is(?:c(?:r(?:iminator)?)?)?|[Cc]ritic"), DISCRIMINATOR),
    (re.compile(r"[Gg]|[Gg]en(?:erator)?"), GENERATOR),
)
_LETTER = r"[DGCdg]|[Dd]is(?:c(?:r(?:iminator)?)?)?|[Cc]ritic|[Gg]en(?:erator)?"
_SUBSCRIPT = re.compile(rf"[_^]+[^\w(]*\(?({_LETTER})(?![a-zA-Z])\)?")
_ARGUMENT = re.compile(r"[LJV]\(\W*_*\W*([DGC])\W*(?:;[^()]*)?\)\)?")
_BOTH = re.compile(r"[LJV](?:_?[A-Za-z]*)?\((?:D,G|G,D)\)")
_WHOLE = re.compile(
    r"L|J|ELBO|L_?(?:total|beta|model|theta|phi|thetaphi|elbo|gmmn|mmd"
    r"|w?ae|dae|[bcfw]?-?vae|infovae|vqvae|vq|iwae"
    r"|simple|simplified|ddpm|dsm|c?fm|rf|diffusion|ebm|score|cd)?(?:\(.*\))?",
    re.IGNORECASE,
)
_IS_PART = re.compile(
    r"adv|real|fake|rec|gp|reg|cls|aux|feat|fm|[lL]_?1|cyc|id|W|pen|gan|\^\W*[rf]\b|,\s*[rf]\b"
)
_IS_LOSS = re.compile(r"[LJV](?![a-z])|L_|ELBO|[Ll]oss|[Cc]ost")
# A left side that is more than a loss's name: a share of it, its best value, two of them
_IS_SOLVED = re.compile(r"\\frac|/|\+|\^\s*\{?\*|\\(?:arg)?(?:max|min)")
_FONT = re.compile("|".join(re.escape(font) + "(?![a-zA-Z])" for font in FONTS))
_MOST_EXTREMES = 4
_INDEX = r"(?:\\limits)?\s*_\s*(\{(?:[^{}]|\{[^{}]*\})*\}|\\[a-zA-Z]+|[a-zA-Z])"
_EXTREME = re.compile(
    rf"\s*(?:\\arg\s*(?:\\[,;!])*|\\arg)?\s*\\(?:operatorname\*?\s*\{{)?(?:arg)?(min|max)\}}?{_INDEX}"
    r"(?:\\[,;:! ]|~|\s)*"
)


@dataclass(frozen=True)
class LossName:
    """Loss of a player, as the left side of a formula names it."""

    player: str
    """Player: `discriminator`, `generator` or `training`."""
    maximised: bool = False
    """Whether the player wants it large."""
    game: bool = False
    """Whether it is one value that several players pull at."""
    bound: bool = False
    """Whether it is called a bound or a value, which one may maximise: its terms tell."""
    presumed: bool = False
    """Whether only its letter says that it is a loss, and nothing whose."""


def loss_names(left: str, networks: str = "") -> tuple[LossName, ...]:
    r"""Tell whose loss a formula gives, by its left side; nothing where it gives none.

    Args:
        left: Left side, in LaTeX, or all before the value, such as `\min_G \max_D V(D, G)`.
        networks: Right side, whose networks tell whose the weights under a minimum are.

    >>> loss_names(r"\mathcal{L}_{\mathrm{disc}}")
    (LossName(player='discriminator', maximised=False, game=False, bound=False, presumed=False),)
    >>> [(n.player, n.maximised) for n in loss_names(r"\min_G \max_D V(D, G)")]
    [('generator', False), ('discriminator', True)]
    """
    extremes, name = split_extremes(left)
    if extremes:
        return _of_extremes(extremes, name, networks)
    turned = name.startswith("-")
    found = _named(name[1:] if turned else name)
    if found is None:
        return ()
    return (replace(found, maximised=found.maximised != turned),)


def split_extremes(text: str) -> tuple[list[tuple[str, str]], str]:
    r"""Cut off leading minima and maxima.

    Returns:
        Pairs of `min` or `max` and what it is over, in LaTeX, and the rest.

    >>> split_extremes(r"\min_G\max_{D} V")
    ([('min', 'G'), ('max', '{D}')], 'V')
    """
    found: list[tuple[str, str]] = []
    rest = text.strip()
    while len(found) < _MOST_EXTREMES and (match := _EXTREME.match(rest)):
        found.append((match[1], match[2]))
        rest = rest[match.end() :]
    return found, rest.strip()


def _of_extremes(extremes: list[tuple[str, str]], name: str, networks: str) -> tuple[LossName, ...]:
    """Players of a formula that is minimised or maximised over something."""
    named = _named(name) if name else None
    if name and named is None and not _BOTH.fullmatch(_bare(name)):
        return ()
    players = [_moved(over, networks) for _, over in extremes]
    if named is not None and named.presumed:
        named = None
    if len(extremes) == 1 and named is not None and players[0] in (None, named.player):
        players = [named.player]
    if None in players or len(set(players)) != len(players):
        return ()
    if named is not None and named.player not in (*players, TRAINING):
        return ()
    game = len(players) > 1
    return tuple(
        LossName(str(player), extreme == "max", game)
        for player, (extreme, _) in zip(players, extremes, strict=True)
    )


def _moved(over: str, networks: str) -> str | None:
    """Player whose weights a minimum or a maximum is over; None where that cannot be told."""
    bare = _FONT.sub("", over)
    letters = set(re.findall(r"(?<![a-zA-Z\\])[DCGE](?![a-zA-Z])", bare))
    if letters & {"D", "C"}:
        return DISCRIMINATOR
    if "G" in letters:
        return GENERATOR
    weights = set(re.findall(r"\\[a-z]+|(?<![a-zA-Z\\])[a-z](?![a-zA-Z])", bare))
    for letter, player in (("D", DISCRIMINATOR), ("G", GENERATOR)):
        own = {
            weight.strip("{} ")
            for weight in re.findall(
                rf"(?<![a-zA-Z\\_^]){letter}\s*_\s*(\{{[^{{}}]*\}}|\\?[a-zA-Z]+)", networks
            )
        }
        if own & weights:
            return player
    return (
        TRAINING if len(weights) > 1 and not re.search(r"(?<![a-zA-Z\\])[DG]", networks) else None
    )


def _bare(text: str) -> str:
    """Name without fonts, Greek, spaces and braces."""
    text = _FONT.sub("", re.sub(r"\\ell(?![a-zA-Z])", "L", text))
    return re.sub(r"\\[a-zA-Z]+|[{}\s\\&~]", "", text)


def _named(name: str) -> LossName | None:
    """Player that a name without signs and minima names; None where it names no loss."""
    bare = _bare(name)
    if not _IS_LOSS.match(bare) or _IS_SOLVED.search(name):
        return None
    if match := _SUBSCRIPT.search(bare.partition("(")[0]) or _SUBSCRIPT.search(bare):
        if _IS_PART.search(bare[match.end(1) :]):
            return LossName(TRAINING, presumed=True)
        return LossName(_player(match[1]), bound=bare.startswith("V"))
    if match := _ARGUMENT.fullmatch(bare):
        return LossName(_player(match[1]), bound=bare.startswith("V"))
    if _WHOLE.fullmatch(bare) and not _BOTH.fullmatch(bare):
        return LossName(TRAINING, bound="ELBO" in bare.upper())
    return None if _BOTH.fullmatch(bare) else LossName(TRAINING, presumed=True)


def _player(letter: str) -> str:
    return next(player for pattern, player in _PLAYERS if pattern.fullmatch(letter))
