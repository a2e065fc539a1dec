"""Terms that losses of the field are sums of, to say in words what a step minimises."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from dlcc.typing import Floats

Quantities = Mapping[str, Tensor]
_MOST = 4  # terms of a loss that are looked for
_EXACT = 1e-7


@dataclass(frozen=True)
class Term:
    """Term of a loss."""

    words: str
    """Term as one writes it, E for the mean over the batch."""
    needs: frozenset[str]
    """Quantities that it is made of."""
    value: Callable[[Quantities], Tensor]
    """Function from quantities to its value."""


@dataclass(frozen=True)
class NamedLoss:
    """Loss as a sum of terms with factors."""

    factors: tuple[float, ...]
    """Factor of each term."""
    terms: tuple[Term, ...]
    """Terms."""

    @property
    def words(self) -> str:
        """Sum as one writes it, such as `E[softplus(-D(x))] + 3 E[softplus(D(G(z)))]`."""
        text = ""
        for factor, term in zip(self.factors, self.terms, strict=True):
            sign = "-" if factor < 0 else "+" if text else ""
            size = "" if abs(factor) == 1 and term.words else f"{abs(factor):.6g} "
            text += f" {sign} {size}{term.words}" if text else f"{sign}{size}{term.words}"
        return text.strip() or "0"


def _of(name: str, words: str, function: Callable[[Tensor], Tensor]) -> Term:
    return Term(f"E[{words.format(name)}]", frozenset((name,)), lambda q: function(q[name]).mean())


def _outputs(name: str) -> list[Term]:
    return [
        _of(name, "{}", lambda v: v),
        _of(name, "softplus(-{})", lambda v: softplus(-v)),
        _of(name, "softplus({})", softplus),
        _of(name, "log {}", torch.log),
        _of(name, "log(1 - {})", lambda v: torch.log(1 - v)),
        _of(name, "{}²", torch.square),
        _of(name, "max(0, 1 - {})", lambda v: torch.relu(1 - v)),
        _of(name, "max(0, 1 + {})", lambda v: torch.relu(1 + v)),
    ]


def _gradients(name: str) -> list[Term]:
    def norms(v: Tensor) -> Tensor:
        return v.square().sum(dim=1).sqrt()

    whole = f"gradient {name}"
    short = f"‖∇{name}‖"
    return [
        Term(f"E[{short}²]", frozenset((whole,)), lambda q: norms(q[whole]).square().mean()),
        Term(
            f"E[({short} - 1)²]",
            frozenset((whole,)),
            lambda q: (norms(q[whole]) - 1).square().mean(),
        ),
        Term(
            f"E[max(0, {short} - 1)²]",
            frozenset((whole,)),
            lambda q: torch.relu(norms(q[whole]) - 1).square().mean(),
        ),
        Term(f"E[{short}]", frozenset((whole,)), lambda q: norms(q[whole]).mean()),
    ]


_PAIR = frozenset(("D(x)", "D(G(z))"))
_RELATIVISTIC = [
    Term(
        "E[softplus(-(D(x) - D(G(z))))]",
        _PAIR,
        lambda q: softplus(q["D(G(z))"] - q["D(x)"]).mean(),
    ),
    Term(
        "E[softplus(-(D(G(z)) - D(x)))]",
        _PAIR,
        lambda q: softplus(q["D(x)"] - q["D(G(z))"]).mean(),
    ),
    Term(
        "E[softplus(-(D(x) - E D(G(z))))]",
        _PAIR,
        lambda q: softplus(q["D(G(z))"].mean() - q["D(x)"]).mean(),
    ),
    Term(
        "E[softplus(D(G(z)) - E D(x))]",
        _PAIR,
        lambda q: softplus(q["D(G(z))"] - q["D(x)"].mean()).mean(),
    ),
]
_DATA = frozenset(("x", "hatx"))
_RECONSTRUCTION = [
    Term("E‖x - x̂‖²", _DATA, lambda q: (q["x"] - q["hatx"]).square().sum(dim=1).mean()),
    Term("E‖x - x̂‖₁", _DATA, lambda q: (q["x"] - q["hatx"]).abs().sum(dim=1).mean()),
    Term(
        "E[cross-entropy(x, x̂)]",
        _DATA,
        lambda q: (softplus(q["hatx"]) - q["x"] * q["hatx"]).sum(dim=1).mean(),
    ),
    Term(
        "E[KL]",
        frozenset(("mu", "sigma")),
        lambda q: (
            0.5
            * (q["mu"].square() + q["sigma"].square() - 1 - 2 * q["sigma"].log()).sum(dim=1).mean()
        ),
    ),
]
_ONE = Term("", frozenset(), lambda q: torch.ones((), dtype=torch.float64))
TERMS: Sequence[Term] = (
    *_outputs("D(x)"),
    *_outputs("D(G(z))"),
    *itertools.chain(*(_gradients(n) for n in ("D(x)", "D(G(z))", "D(mixed)"))),
    *_RELATIVISTIC,
    *_RECONSTRUCTION,
)


def named_loss(values: Floats, quantities: Sequence[Quantities]) -> NamedLoss | None:
    """Find the sum of few terms that a loss is at all points; None where there is none.

    Args:
        values: Loss at each point, [n].
        quantities: Quantities at each point.

    Returns:
        Terms with their factors, as few as explain the loss to seven digits.

    >>> points = [{"D(x)": torch.randn(8, 1, dtype=torch.float64)} for _ in range(12)]
    >>> made = np.array([float(2 * softplus(-q["D(x)"]).mean() - 1) for q in points])
    >>> named_loss(made, points).words
    '2 E[softplus(-D(x))] - 1'
    """
    known = frozenset(quantities[0])
    alike = {len(quantities[0][name]) for name in _PAIR & known}
    terms = [
        term
        for term in TERMS
        if term.needs <= known and (len(alike) < 2 or term not in _RELATIVISTIC)
    ]
    table = np.array([[float(t.value(q)) for t in terms] for q in quantities])
    usable = [k for k in range(len(terms)) if np.isfinite(table[:, k]).all()]
    scale = float(np.abs(values).max()) + 1e-12
    for count in range(1, _MOST + 1):
        for chosen in itertools.combinations(usable, count):
            for constant in (False, True):
                columns = table[:, chosen]
                if constant:
                    columns = np.column_stack([columns, np.ones(len(values))])
                if columns.shape[1] >= len(values):
                    continue
                factors, *_ = np.linalg.lstsq(columns, values, rcond=None)
                if np.abs(columns @ factors - values).max() <= _EXACT * scale:
                    found = [terms[k] for k in chosen] + ([_ONE] if constant else [])
                    tidy = _tidy(factors, found)
                    if tidy is not None:
                        return tidy
    return None


def _tidy(factors: Floats, terms: Sequence[Term]) -> NamedLoss | None:
    """Round factors to what a person wrote, and leave out those that are nothing."""
    rounded = [float(f"{factor:.3g}") for factor in factors]
    if not np.allclose(rounded, factors, rtol=1e-6, atol=1e-6):
        return None  # nobody wrote such numbers: it only looks like this
    kept = [(f, t) for f, t in zip(rounded, terms, strict=True) if abs(f) > 1e-6]
    return NamedLoss(tuple(f for f, _ in kept), tuple(t for _, t in kept)) if kept else None
