"""Vocabulary of formulas: what means, norms, gradients and divergences are as sympy sees them."""

from __future__ import annotations

import sympy as sp
from sympy.core.function import AppliedUndef

Mean = sp.Function("Mean")
"""Mean over the batch: linear, otherwise opaque."""
FeatureSum = sp.Function("FeatureSum")
"""Sum over the features of a row."""
FeatureMean = sp.Function("FeatureMean")
"""Mean over the features of a row."""
OverFeatures = sp.Function("OverFeatures")
"""Sum or mean over the features of a row, where a formula does not say which."""
Norm = sp.Function("Norm")
"""Euclidean norm over the features of a row."""
Norm1 = sp.Function("Norm1")
"""Sum of absolute values over the features of a row."""
Gradient = sp.Function("Gradient")
"""Gradient of a network's output in its input."""
D = sp.Function("D")
"""Network that judges."""
G = sp.Function("G")
"""Network that makes samples."""
StopGradient = sp.Function("StopGradient")
"""Argument through which no gradient passes."""
First = sp.Function("First")
"""Rows of the first of two independent draws, each against each row of the second."""
Second = sp.Function("Second")
"""Rows of the second of two independent draws."""
Distinct = sp.Function("Distinct")
"""Mean over pairs of two different rows of one batch."""
EachPair = sp.Function("EachPair")
"""Mean over pairs of rows, of which a formula says that a row is paired with itself, too."""
DIVERGENCE = sp.Symbol("KL", real=True)
"""Divergence of the latents of a row from their prior."""
REVERSE_DIVERGENCE = sp.Symbol("reverse KL", real=True)
"""Divergence of the prior from the latents of a row."""
LIKELIHOOD = sp.Symbol("log p(x|z)", real=True)
"""Logarithm of the likelihood of a row, of a distribution that the formula does not name."""

COUNTS = ("J", "K", "d", "k")
"""Names of the number of latents."""
LENGTH = "length of x"
"""Name of the number of features of data."""
RECONSTRUCTIONS = frozenset(
    ("hatx", "tildex", "barx", "primex", "x_hat", "x_recon", "hatx_i", "tilde_x")
)
"""Names of a reconstruction of x."""
_VOCABULARY = frozenset(
    ("Mean", "FeatureSum", "FeatureMean", "OverFeatures", "Norm", "Norm1", "Gradient", "BatchSum")
) | {f.__name__ for f in (StopGradient, First, Second, Distinct, EachPair)}
_DECORATIONS = ("hat", "tilde", "bar", "prime")
_SAMPLES = ("x_g", "x_f", "x_fake", "g", "tilde_x")
_CHANCE = ("z", "epsilon", "xi", "u", "eta")


def is_application(e: sp.Basic) -> bool:
    """Tell whether an expression is a network, or another function by name, of something.

    >>> x = sp.Symbol("x", real=True)
    >>> is_application(D(x)), is_application(sp.Function("F")(x)), is_application(Mean(x))
    (True, True, False)
    """
    return isinstance(e, AppliedUndef) and e.func.__name__ not in _VOCABULARY


def is_sample(name: str) -> bool:
    """Tell whether a symbol stands for a sample by its decoration, such as x̃ or x_g.

    >>> is_sample("tildex"), is_sample("x_r")
    (True, False)
    """
    return name.startswith(_DECORATIONS) or name.lower() in _SAMPLES


def is_chance(name: str) -> bool:
    """Tell whether a symbol stands for what is drawn by chance, such as z.

    >>> is_chance("z"), is_chance("x")
    (True, False)
    """
    return name in _CHANCE


def judged(output: sp.Expr, *, inside: bool = False) -> str:
    """Name what the network D is applied to in a formula.

    Args:
        output: Expression such as D(x), D(G(z)), D(x, y) or D(G(z), y): what is beside a sample
            or data, be it a class or an image, is a condition.
        inside: Whether it stands within a gradient. Papers write the points between data and
            samples as x̂ there; elsewhere x̂ and x̃ are samples.

    Returns:
        `D(x)`, `D(G(z))` or `D(mixed)`, `D(x + noise)` or `D(G(z) + noise)` where noise is added;
        empty where it is none of these.

    >>> x, z, y = sp.symbols("x z y", real=True)
    >>> judged(D(x)), judged(D(G(z), y)), judged(D(sp.Symbol("hatx")), inside=True), judged(D(z))
    ('D(x)', 'D(G(z))', 'D(mixed)', '')
    """
    if output.func != D or not output.args:
        return ""
    found = [_judged(argument, inside) for argument in output.args]
    if any(not name and argument.has(G) for name, argument in zip(found, output.args, strict=True)):
        return ""  # what is made of data is a sample, and no condition
    for name in ("D(mixed)", "D(G(z) + noise)", "D(G(z))"):
        if name in found:
            return name
    return found[0]


def _judged(argument: sp.Expr, inside: bool) -> str:
    if _is_disturbed(argument):
        (clean,) = [a for a in argument.args if not is_chance(getattr(a, "name", ""))]
        return {"D(x)": "D(x + noise)", "D(G(z))": "D(G(z) + noise)"}.get(
            _judged(clean, inside), ""
        )
    if argument.has(G):
        if argument.func != G:
            return "D(mixed)"
        given = argument.args[0]
        from_data = isinstance(given, sp.Symbol) and given.name[:1] in ("x", "y")
        return "" if from_data else "D(G(z))"  # what is translated is no draw
    if isinstance(argument, sp.Symbol):
        if inside and argument.name.startswith("hat"):
            return "D(mixed)"
        if is_sample(argument.name):
            return "D(G(z))"
        return "" if is_chance(argument.name) else "D(x)"
    return ""


def _is_disturbed(argument: sp.Expr) -> bool:
    """Whether it is one thing with noise added, such as x + ε."""
    if not isinstance(argument, sp.Add) or len(argument.args) != 2:
        return False
    plain = [a for a in argument.args if isinstance(a, sp.Symbol) or a.func == G]
    noise = [a for a in plain if is_chance(getattr(a, "name", ""))]
    return len(plain) == 2 and len(noise) == 1
