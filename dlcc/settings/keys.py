"""Keys of a configuration, and what they mean: whose learning rate, which penalty, how often.

Meaning is told by a key's name, in the ways in which people write it (`lr_d`, `lrD`,
`discriminator_lr`, `optim.d.lr`); `dlcc.advice.heeding` corrects it by effect where the training
can be run.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from dlcc.settings.nested import flattened, is_number

Player = Literal["generator", "discriminator"]
Role = Literal[
    "rate", "beta1", "beta2", "optimizer", "loss", "penalty", "r2", "clip", "repeats", "every",
    "ema", "batch", "smoothing", "real_label", "warmup", "decay", "kl", "anneal", "free_bits",
    "latent", "kernel", "mmd", "init", "weight_decay", "dropout", "noise", "spectral",
    "relativistic", "optimistic", "d_weight", "multiplier",
]  # fmt: skip
"""Meaning of a key; of those that mean nothing to advice it is None."""

_PLAYERS: Mapping[Player, frozenset[str]] = {
    "generator": frozenset({"g", "gen", "generator"}),
    "discriminator": frozenset({"d", "dis", "disc", "discriminator", "critic", "discr"}),
}
_RUN_TOGETHER = {
    "lrd": "lr d", "lrg": "lr g", "dlr": "d lr", "glr": "g lr", "ncritic": "n critic",
    "netg": "g", "netd": "d", "zdim": "z dim", "nz": "z dim", "dimz": "z dim", "ndim": "dim",
    "batchsize": "batch", "minibatch": "batch", "bs": "batch", "lrate": "lr", "warmups": "warmup",
    "kld": "kl", "kldiv": "kl", "klw": "kl", "freebits": "free bits", "bw": "bandwidth",
    "optim": "optimizer", "opt": "optimizer", "optimiser": "optimizer",
    "wd": "weight decay", "lambd": "lambda",
    "lam": "lambda", "sn": "spectral", "spectralnorm": "spectral", "steps": "step", "lrs": "lr",
    "iters": "iter", "updates": "update", "latents": "latent", "repeats": "repeat",
    "averaging": "ema", "polyak": "ema", "smoothing": "smooth", "smoothness": "smooth",
    "iterations": "iter", "annealing": "anneal", "rates": "rate", "weights": "weight",
    "gradients": "gradient", "grad": "gradient", "labels": "label", "losses": "loss",
    "momentum": "beta 1", "mom": "beta 1", "b": "beta", "gp": "gradient penalty",
}  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Key:
    """Key of a configuration with its meaning.

    >>> [key] = keys_of({"optim": {"discriminator": {"learning_rate": 2e-4}}})
    >>> key.path, key.role, key.player
    ('optim.discriminator.learning_rate', 'rate', 'discriminator')
    """

    path: str
    """Path of its value; of a nested configuration the names are joined by dots."""
    role: Role
    """Meaning of the value."""
    player: Player | None
    """Player that the key names; None where it names none."""
    value: Any
    """Value that the run was trained with."""

    @property
    def number(self) -> float:
        """Value as a number; 0 where it is none."""
        return float(self.value) if is_number(self.value) else 0.0


def keys_of(config: Mapping[str, Any], kind: str = "adversarial") -> list[Key]:
    """Find the keys of a configuration that mean something to advice.

    Args:
        config: Whole configuration, nested or flat.
        kind: Sort of changes that are known: `adversarial`, `vae` or `maps`. `beta` weighs the
            divergence of a VAE and is Adam's first moment elsewhere; `gamma` and `lambda` weigh
            penalties of GANs.

    Returns:
        Keys with their meaning, in the configuration's order.

    >>> config = {"d_lr": 1e-3, "betas": [0.5, 0.999], "gamma": 0.0, "n_critic": 5, "seed": 0}
    >>> [key.path for key in keys_of(config)]
    ['d_lr', 'betas.0', 'betas.1', 'gamma', 'n_critic']
    >>> [key.role for key in keys_of(config)]
    ['rate', 'beta1', 'beta2', 'penalty', 'repeats']
    """
    found = []
    for path, value in flattened(config).items():
        words = words_of(path)
        role = _role(words, value, kind)
        if role is not None:
            found.append(Key(path, role, _player(words), value))
    return found


def words_of(path: str) -> list[str]:
    """Split a key into words, those that are written together included.

    >>> words_of("optim.lrD"), words_of("LAMBDA_GP"), words_of("zdim")
    (['optimizer', 'lr', 'd'], ['lambda', 'gradient', 'penalty'], ['z', 'dim'])
    """
    words = [word.lower() for word in _WORD.findall(path)]
    return " ".join(_RUN_TOGETHER.get(word, word) for word in words).split()


def _player(words: Collection[str]) -> Player | None:
    named = [player for player, names in _PLAYERS.items() if not names.isdisjoint(words)]
    return named[0] if len(named) == 1 else None


_Test = Callable[[set[str]], bool]


@dataclass(frozen=True)
class _Words:
    """Test whether any, or every one, of some words is there."""

    names: frozenset[str]
    every: bool

    def __call__(self, words: set[str]) -> bool:
        return words >= self.names if self.every else not words.isdisjoint(self.names)


def _has(*names: str) -> _Words:
    return _Words(frozenset(names), every=False)


def _all(*names: str) -> _Words:
    return _Words(frozenset(names), every=True)


_OF_A_SCHEDULE = _has("gamma", "min", "final", "end", "last")
_IS_RATE: Sequence[_Test] = (
    lambda words: _has("lr", "eta")(words) and not _OF_A_SCHEDULE(words),
    _all("learning", "rate"),
    _all("step", "size"),
)
_OF_A_PLAYER = _has(*_PLAYERS["generator"], *_PLAYERS["discriminator"])
_ALWAYS: Sequence[tuple[Role, Sequence[_Test]]] = (
    ("free_bits", (_all("free", "bits"), _all("kl", "min"), _all("kl", "floor"))),
    ("anneal", (lambda w: _has("kl", "beta")(w) and _has("anneal", "warmup", "cycle")(w),)),
    ("kl", (_has("kl"),)),
    ("warmup", (_has("warmup"), _all("warm", "up"))),
    ("ema", (_has("ema"),)),
    ("weight_decay", (_all("weight", "decay"),)),
    ("decay", (lambda w: _has("decay", "anneal", "schedule")(w), _all("final", "lr"))),
    ("rate", _IS_RATE),
    ("repeats", (_all("n", "critic"), _all("n", "disc"), _all("n", "dis"))),
    ("relativistic", (_has("relativistic", "rpgan", "ragan"),)),
    ("optimistic", (_has("optimistic", "extragradient", "oadam"),)),
    ("spectral", (_has("spectral"),)),
    ("real_label", (_all("real", "label"),)),
    ("smoothing", (_has("smooth"), _all("soft", "label"))),
    ("clip", (_has("clip", "clipping"), _all("max", "norm"))),
    ("penalty", (_has("penalty"), _all("r", "1"))),
    ("r2", (_all("r", "2"),)),
    ("beta1", (_all("beta", "1"), _all("betas", "0"))),
    ("beta2", (_all("beta", "2"), _all("betas", "1"))),
    ("batch", (_has("batch"),)),
    ("dropout", (_has("dropout"), _all("drop", "rate"))),
    ("latent", (_has("latent", "bottleneck"), _all("z", "dim"), _all("z", "size"),
                _all("code", "size"), _all("code", "dim"), _all("noise", "dim"))),
    ("noise", (_has("noise", "jitter"),)),
    ("init", (_has("init"),)),
)  # fmt: skip
_OF_KIND: Mapping[str, Sequence[tuple[Role, Sequence[_Test]]]] = {
    "adversarial": (
        ("d_weight", (lambda w: _has("weight", "scale")(w) and _OF_A_PLAYER(w),)),
        ("d_weight", (_all("adv", "weight"),)),
        ("penalty", (_has("gamma", "lambda"),)),
        ("beta1", (lambda w: w == {"beta"} or _all("adam", "beta")(w),)),
    ),
    "vae": (
        ("mmd", (_has("mmd"),)),
        ("kl", (_has("beta"),)),
        ("kernel", (_has("bandwidth", "kernel"),)),
    ),
    "maps": (
        ("kernel", (_has("bandwidth", "kernel", "sigma", "sigmas", "gamma", "scale", "scales"),)),
        ("penalty", (_has("lambda", "regularisation", "regularization", "reg"),)),
        ("mmd", (_has("mmd"),)),
    ),
}
_NAMES: Sequence[tuple[Role, _Test]] = (
    ("optimizer", _has("optimizer")),
    ("loss", _has("loss", "objective", "criterion", "mode")),
)
_FLAGS = ("decay", "ema", "spectral", "relativistic", "optimistic", "warmup", "anneal", "smoothing")
_IN_NO_ADVICE = _has("seed", "device", "epochs", "workers", "threads", "data", "dataset", "path",
                     "log", "save", "eval", "sample", "samples", "classes", "total")  # fmt: skip


def _role(path_words: Sequence[str], value: Any, kind: str) -> Role | None:
    """Meaning of a key by the words of its path, the last name first; None for none."""
    words = set(path_words)
    if _IN_NO_ADVICE(words):
        return None
    if isinstance(value, str):
        return next((role for role, test in _NAMES if test(words)), None)
    if not isinstance(value, bool) and not is_number(value):
        return None
    role = _times(words) or _by_tests(words, kind)
    if isinstance(value, bool):
        return role if role in _FLAGS else None
    return role


def _times(words: set[str]) -> Role | None:
    """Role of a key that says how often a player is updated; None for others."""
    if not _OF_A_PLAYER(words) or _has("reg", "penalty", "lr", "warmup", "size")(words):
        return None
    if _has("every", "interval", "period")(words):
        return "every"
    return "repeats" if _has("step", "iter", "update", "repeat", "times")(words) else None


def _by_tests(words: set[str], kind: str) -> Role | None:
    if _has("every", "interval", "period")(words):  # of a penalty, say: how it is spread, not it
        return None
    of_kind = _OF_KIND.get(kind, ())
    for role, tests in (*_ALWAYS, *of_kind):
        if any(test(words) for test in tests):
            return role
    return None
