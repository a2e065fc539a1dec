"""Pratt parser from tokens of LaTeX to sympy."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import sympy as sp

from dlcc.stages.consistency.formulas.distributions import (
    FONTS,
    averaged,
    divergence,
    drawn,
    is_likelihood,
    plain,
)
from dlcc.stages.consistency.formulas.latex_names import STOPS, WEIGHTS, is_encoder, is_function
from dlcc.stages.consistency.formulas.latex_stream import INDEX, Tokens
from dlcc.stages.consistency.formulas.latex_sums import Bounds
from dlcc.stages.consistency.formulas.latex_tokens import (
    DEEPEST,
    LARGEST_POWER,
    MOST_DIGITS,
    OPENING,
    UnknownFormula,
    small_enough,
)
from dlcc.stages.consistency.formulas.symbols import (
    LIKELIHOOD,
    D,
    FeatureSum,
    G,
    Gradient,
    Mean,
    Norm,
    Norm1,
    OverFeatures,
    StopGradient,
    is_sample,
)

_DECORATIONS = ("\\hat", "\\tilde", "\\bar")
_LOOKS = FONTS | set(_DECORATIONS)
_FUNCTIONS = {"\\log": sp.log, "\\ln": sp.log, "\\exp": sp.exp, "\\sqrt": sp.sqrt}
_NETWORKS = {"D": D, "G": G}
_BARS = {"|": "|", "\\vert": "\\vert", "\\lvert": "\\rvert"}
_NORMS = {"\\|", "\\Vert", "\\lVert", "\\rVert", "∥", "‖"}
GREEK = "alpha|beta|gamma|lambda|epsilon|mu|delta|eta|tau|theta|phi|kappa|omega|nu|rho|xi"
"""Greek letters that are read, as a pattern."""
_DIVERGENCES = {"KL", "D_KL", "DKL"}
_OF_ROW = re.compile(r"^t_?[ijknbm]$")  # the time of a row is a time
_NAMED_FUNCTIONS: Mapping[str, Callable[[sp.Expr], sp.Expr]] = {
    "softplus": lambda x: sp.log(1 + sp.exp(x)),
    "sp": lambda x: sp.log(1 + sp.exp(x)),
    "relu": lambda x: sp.Max(0, x),
    "sigmoid": lambda x: 1 / (1 + sp.exp(-x)),
    "sigm": lambda x: 1 / (1 + sp.exp(-x)),
    "logsigmoid": lambda x: -sp.log(1 + sp.exp(-x)),
    "mean": Mean,
}
_SEPARATORS = (",", ";", "|", "\\mid", "\\vert")
_COMPARISONS = {
    "BCE": "cross-entropy",
    "CE": "cross-entropy",
    "BCEWithLogits": "logits",
    "MSE": "squares",
}


class Reader(Tokens):
    """Pratt parser with binding powers: sums 10, products 20, powers 40; adjacency multiplies."""

    def __init__(self, tokens: Sequence[str]) -> None:
        super().__init__(tokens)
        self._depth = 0
        self._in_norm = False
        self._timed = _is_timed(self.tokens)

    def expression(self, power: int) -> sp.Expr:
        self._depth += 1
        if self._depth > DEEPEST:
            raise UnknownFormula(f"nested more than {DEEPEST} deep")
        value = self._infix(self._prefix(), power)
        self._depth -= 1
        return value

    def _infix(self, value: sp.Expr, power: int) -> sp.Expr:
        while True:
            token = self.here
            if token in ("+", "-") and power < 10:
                self.take()
                right = self.expression(10)
                value = value + right if token == "+" else value - right
            elif token in ("*", "/", "\\cdot", "\\times") and power < 20:
                self.take()
                right = self.expression(20)
                value = value / right if token == "/" else value * right
            elif token == "^" and self.take_transpose():
                value = FeatureSum(value * self.expression(20))
            elif token == "^" and power < 40:
                self.take()
                value = self._power(value, self._argument())
            elif token is not None and self._starts_factor(token) and power < 20:
                value = value * self.expression(20)
            else:
                return value

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> sp.Expr:
        """Raise to a power; a large exponent is refused before anything is computed."""
        if exponent.is_number and not abs(sp.re(exponent)) <= LARGEST_POWER:
            raise UnknownFormula("a large exponent")
        return small_enough(sp.Pow(base, exponent))

    def _starts_factor(self, token: str) -> bool:
        return (
            token in OPENING
            or token in _FUNCTIONS
            or token in _LOOKS
            or token
            in (
                "\\underbrace",
                "\\overbrace",
                "\\frac",
                "\\tfrac",
                "\\dfrac",
                "\\sum",
                "\\sigma",
                "\\max",
                "\\min",
                "\\langle",
                "\\lvert",
            )
            or token == "\\nabla"
            or (token in _NORMS and not self._in_norm)
            or bool(re.fullmatch(rf"[a-zA-Z]|\d.*|\\({GREEK})", token))
        )

    def _prefix(self) -> sp.Expr:
        token = self.take()
        if token == "-":
            return -self.expression(15)
        if token == "+":
            return self.expression(15)
        if re.fullmatch(r"\d+(\.\d+)?", token):
            if len(token) > MOST_DIGITS:
                raise UnknownFormula(f"a number of more than {MOST_DIGITS} digits")
            return sp.Rational(token)
        if token in OPENING:
            value = self.expression(0)
            self.take(OPENING[token])
            return sp.Max(0, value) if self.take_positive_part() else value
        if token in ("\\frac", "\\tfrac", "\\dfrac"):
            return self._argument() / self._argument()
        if token in ("\\underbrace", "\\overbrace"):
            value = self._argument()
            self.index()
            return value
        if token == "\\sum":
            bounds = self._bounds()
            return bounds.summed(self.expression(10 if self.here in ("[", "(") else 15))
        if token in _BARS:
            return self._absolute(_BARS[token])
        if token in _NORMS:
            return self._norm()
        if token == "\\nabla":
            return self._gradient()
        if token in ("\\max", "\\min"):
            arguments = self._call_arguments()
            return sp.Max(*arguments) if token == "\\max" else sp.Min(*arguments)
        if token in _FUNCTIONS:
            if _FUNCTIONS[token] is not sp.log:
                return _FUNCTIONS[token](self._operand())
            return LIKELIHOOD if self._take_likelihood() else sp.log(self._of_logarithm())
        if token == "\\sigma" and self.here in OPENING and self.tokens[self.at + 1] != "t":
            return 1 / (1 + sp.exp(-self._operand()))
        return self._name(token)

    def _name(self, token: str) -> sp.Expr:
        if token in ("\\mathbb", "E") and self._is_expectation(token):
            return self._expectation()
        if token == "\\langle":
            return self._product()
        greek = False
        if token in _LOOKS:
            decorated = token.removeprefix("\\") if token in ("\\hat", "\\tilde", "\\bar") else ""
            name = decorated + self.braced_text()
        elif token == "e" and self.here == "^":
            return sp.E
        elif re.fullmatch(r"[a-zA-Z]", token):
            name = token
        elif re.fullmatch(rf"\\({GREEK}|sigma)", token):
            name, greek = token.removeprefix("\\"), True
        else:
            raise UnknownFormula(token)
        self.skip_row()
        subscript = _OF_ROW.sub("t", self.subscript())
        self.skip_row()
        counts = _names_nothing(name, subscript) and not (self._timed and subscript == "t")
        if subscript and not counts:
            name += f"_{subscript}"
        if name == "K" and self.here == "L":
            self.take()
            name = "KL"
        if name in _DIVERGENCES:
            return divergence(self.bracketed())
        while self.here == "'":  # x', as good as a decoration
            self.take()
            name = f"prime{name}"
        name += self.take_sign_above()
        if name in STOPS and self.here in OPENING:
            return StopGradient(self._prefix())
        if name == "MMD":
            return self._discrepancy()
        if name in _NETWORKS and self.here in ("(", "["):
            made = _NETWORKS[name](*self._call_arguments())
            if self.here == "_" and not INDEX.fullmatch(feature := self.subscript()):
                raise UnknownFormula(f"the part {feature} of what {name} returns")
            return made
        if name in _NETWORKS:
            raise UnknownFormula(f"the network {name} without an argument")
        if name in _COMPARISONS and self.here == "(":
            return self._comparison(name)
        if self.here in ("(", "["):
            if name.lower() in _NAMED_FUNCTIONS:
                return _NAMED_FUNCTIONS[name.lower()](self._operand())
            if is_function(name, self.tokens[self.at :], greek=greek):
                return sp.Function(name)(*self._call_arguments())
            if (len(name) > 1 or self._is_applied()) and name.isalpha() and not greek:
                raise UnknownFormula(f"the function {name}")
        return sp.Symbol(name, real=True)

    def _is_applied(self) -> bool:
        """Whether brackets hold what a function is applied to: no sum or product."""
        depth = 0
        for token in self.tokens[self.at :]:
            depth += (token in OPENING) - (token in OPENING.values())
            if depth == 0:
                return True
            if depth == 1 and token in ("+", "-", "*", "/", "\\cdot", "\\times", "\\frac"):
                return False
        return False

    def _comparison(self, name: str) -> sp.Expr:
        """Read a loss between a prediction and its target, such as BCE(D(x), 1)."""
        arguments = self._call_arguments()
        if len(arguments) != 2:
            raise UnknownFormula(f"{name} of {len(arguments)} things")
        value, target = sorted(arguments, key=_is_target)
        if _is_target(value) or not _is_target(target):
            raise UnknownFormula(f"{name}, of which the target cannot be told")
        kind = _COMPARISONS[name]
        if kind == "squares":
            each = (value - target) ** 2
        elif kind == "logits":
            softplus = [sp.log(1 + sp.exp(-value)), sp.log(1 + sp.exp(value))]
            each = target * softplus[0] + (1 - target) * softplus[1]
        else:
            each = -target * sp.log(value) - (1 - target) * sp.log(1 - value)
        return each if value.has(D) else OverFeatures(each)

    def _gradient(self) -> sp.Expr:
        """Read a gradient; it must be one in what the network is applied to."""
        index = self.index()
        value = self.expression(30)
        if value.func != D:
            raise UnknownFormula(f"the gradient of {value}")
        if index:
            within = Reader(index)
            of = within.expression(0)
            like_data = isinstance(of, sp.Symbol) and (of.name == "x" or is_sample(of.name))
            if within.here is not None or not (of in value.args or like_data):
                raise UnknownFormula(f"a gradient of {value} in {plain(index)}")
        return Gradient(value)

    def _is_expectation(self, token: str) -> bool:
        ahead = self.tokens[self.at : self.at + 3]
        if token == "E":
            return not is_encoder(self.tokens, self.at)
        return ahead[:3] == ["{", "E", "}"] or ahead[:1] == ["E"]

    def _expectation(self) -> sp.Expr:
        if self.here == "{":
            self.braced_text()
        elif self.here == "E":
            self.take()
        over = drawn(self.index())
        closing = OPENING.get(self.here or "")
        if closing is None:
            return Mean(averaged(self.expression(15), over))
        self.take()
        value = self.expression(0)
        self.take(closing)
        if self.take_positive_part():  # the brackets are those of the positive part as well
            value = sp.Max(0, value)
        return Mean(averaged(value, over))

    def _norm(self) -> sp.Expr:
        """Read a norm up to its closing bars: by its subscript of absolute values or Euclidean."""
        if self._in_norm:
            raise UnknownFormula("a norm within a norm")
        self._in_norm = True
        value = self.expression(0)
        self._in_norm = False
        if self.here not in _NORMS:
            raise UnknownFormula("a norm that is not closed")
        self.take()
        order = self.subscript()
        if order not in ("", "1", "2", "F"):
            raise UnknownFormula(f"a norm of order {order}")
        return Norm1(value) if order == "1" else Norm(value)

    def _absolute(self, closing: str) -> sp.Expr:
        """Read an absolute value up to its closing bar; of images it says not whether features are
        summed."""
        value = self.expression(0)
        self.take(closing)
        return OverFeatures(sp.Abs(value))

    def _product(self) -> sp.Expr:
        """Read an inner product ⟨a, b⟩."""
        first = self.expression(0)
        self.take(",")
        second = self.expression(0)
        self.take("\\rangle")
        return FeatureSum(first * second)

    def _discrepancy(self) -> sp.Symbol:
        """Read a maximum mean discrepancy by its name, whatever it is said to be of."""
        self.subscript()
        squared = self.here == "^"
        if squared:
            self.take()
            above = self.braced() if self.here == "{" else [self.take()]
            if "2" not in above:
                raise UnknownFormula("a power of a discrepancy")
            self.subscript()
        if self.here in ("(", "["):
            self.bracketed()
        return sp.Symbol("MMD^2" if squared else "MMD", real=True)

    def _take_likelihood(self) -> bool:
        """Take what a logarithm is of, where it is the likelihood of data given latents."""
        rest = self.tokens[self.at :]
        if rest[:1] not in (["p"], ["P"]) or "(" not in rest:
            return False
        begin, depth = rest.index("("), 0
        for end in range(begin, len(rest)):
            depth += (rest[end] in OPENING) - (rest[end] in OPENING.values())
            if depth == 0 and is_likelihood(rest[: end + 1]):
                self.at += end + 1
                return True
            if depth == 0:
                break
        return False

    def _operand(self) -> sp.Expr:
        """Read the operand of a function: what is in brackets after it, else the next factor."""
        if self.here == "^":
            raise UnknownFormula("a power of a function's name")
        return self._prefix() if self.here in OPENING else self.expression(30)

    def _of_logarithm(self) -> sp.Expr:
        """Read the operand of a logarithm, and a power behind its brackets."""
        bracketed = self.here in OPENING
        value = self._operand()
        if not bracketed or self.here != "^":
            return value
        if not isinstance(value, sp.Symbol):
            raise UnknownFormula("a power behind the brackets of a logarithm")
        self.take()  # around one name, the brackets belong to the power: log (σ)² is log σ²
        return self._power(value, self._argument())

    def _argument(self) -> sp.Expr:
        """Read one braced group or token; of a bare number one digit: `\\frac12` is a half."""
        token = self.here or ""
        if re.fullmatch(r"\d\d+", token):
            self.tokens[self.at : self.at + 1] = [token[0], token[1:]]
        return self._prefix()

    def _call_arguments(self) -> list[sp.Expr]:
        closing = OPENING.get(self.here or "")
        if closing is None:
            raise UnknownFormula("a function without brackets")
        self.take()
        arguments = [self.expression(0)]
        while self.here in _SEPARATORS:
            self.take()
            arguments.append(self.expression(0))
        self.take(closing)
        return arguments

    def _bounds(self) -> Bounds:
        """Take the bounds of a sum."""
        below: list[str] = []
        count = ""
        while self.here in ("_", "^"):
            is_below = self.take() == "_"
            words = self.braced() if self.here == "{" else [self.take()]
            if is_below:
                below = words
            else:
                count = plain(words)
        return Bounds(below, count)


def _is_timed(tokens: Sequence[str]) -> bool:
    """Whether t counts no rows and is a time: of a network, or beside another one such as x_0."""
    text = "".join(token for token in tokens if token not in "{}")
    return bool(re.search(r"[,;|]t\)|x_[01](?!\d)", text))


def _names_nothing(name: str, subscript: str) -> bool:
    """Whether a subscript counts rows or features, or names the weights of a network."""
    if name in _NETWORKS:
        return WEIGHTS.fullmatch(subscript) is not None
    return INDEX.fullmatch(subscript) is not None


def _is_target(value: sp.Expr) -> bool:
    """Whether something is given, and not made by a network: a number, or data."""
    return bool(value.is_number) or (isinstance(value, sp.Symbol) and not is_sample(value.name))
