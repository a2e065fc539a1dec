"""Fit of the linker's weights, calibration and threshold on the development packages alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from benchmarks.documented_code.cases import Case, right
from dlcc.stages.decomposition.evidence import FEATURES, evidence
from dlcc.stages.decomposition.link_model import LinkModel, calibration_inputs, named_in
from dlcc.stages.decomposition.links import calls_between, owner_of
from dlcc.stages.decomposition.passages import Passage, passages_of
from dlcc.typing import Floats

PENALTY = 2.0  # on squared weights
WANTED_PRECISION = 0.85  # on development packages, at the threshold, all ways together


@dataclass(frozen=True)
class Judged:
    """Passages of one kind in one case, with their evidence and what is right."""

    package: str
    case: str
    passages: tuple[Passage, ...]
    evidence: Floats
    """Evidence [n, m, k]."""
    strict: NDArray[np.bool_]
    """Whether each passage [n] was written for each function [m] itself."""
    right: NDArray[np.bool_]
    """Whether each passage [n] is about each function [m]; none for one whose code is not there."""
    owners: tuple[str, ...]
    """Class [m] of each function."""


def judged(case: Case, what: str, encode: Callable[[Sequence[str]], Floats]) -> Judged:
    """Take the evidence of a case for "formula" or "sentence"."""
    functions = case.dossier.functions
    passages = [p for p in passages_of(case.dossier) if p.id in case.truth]
    found = evidence(passages, functions, calls_between(functions, case.calls), encode)
    rows = [i for i, p in enumerate(passages) if p.id.startswith(f"{what}:")]
    names = [f"{f.file}:{f.name}" for f in functions]
    shape = len(rows), len(names)
    strict, whole = (
        np.array([[right(n, t[passages[i].id]) for n in names] for i in rows], bool).reshape(shape)
        for t in (case.strict, case.truth)
    )
    return Judged(
        package=case.name.partition("/")[0],
        case=case.name,
        passages=tuple(passages[i] for i in rows),
        evidence=found[rows].astype(np.float32),
        strict=strict,
        right=whole,
        owners=tuple(owner_of(f) for f in functions),
    )


def fit(cases: Sequence[Judged]) -> LinkModel:
    """Fit weights on all cases; calibration and threshold on what is left out by package."""
    model = _choice_fitted(cases)
    inputs, hits = [], []
    for package in dict.fromkeys(c.package for c in cases):
        others = _choice_fitted([c for c in cases if c.package != package])
        for case in (c for c in cases if c.package == package and len(c.passages)):
            choice = others.choice(case.evidence)
            chosen = choice.argmax(axis=1)
            inputs.append(
                calibration_inputs(choice, chosen, case.owners, named_in(case.evidence, chosen))
            )
            hits.append(case.right[np.arange(len(chosen)), chosen])
    x, y = np.concatenate(inputs), np.concatenate(hits)
    weights = _logistic(x, y)
    p = 1 / (1 + np.exp(-x @ weights))
    return replace(model, calibration=weights, threshold=_threshold(p, y))


def _choice_fitted(cases: Sequence[Judged]) -> LinkModel:
    """Conditional logit by maximum likelihood, a passage about any of its functions."""
    cases = [c for c in cases if len(c.passages)]

    def loss(values: Floats) -> tuple[float, Floats]:
        total, slope = 0.0, np.zeros_like(values)
        for case in cases:
            value, its = _case_loss(values, case)
            total += value
            slope += its
        total += PENALTY * float(values[:-1] @ values[:-1]) / 2
        slope[:-1] += PENALTY * values[:-1]
        return total, slope

    start = np.zeros(len(FEATURES) + 1)
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300})
    return LinkModel(found.x[:-1], float(found.x[-1]), np.zeros(10), 0.5)


def _case_loss(values: Floats, case: Judged) -> tuple[float, Floats]:
    scores = case.evidence @ values[:-1]
    whole = np.column_stack([scores, np.full(len(scores), values[-1])])
    top = whole.max(axis=1, keepdims=True)
    chances = np.exp(whole - top)
    chances /= chances.sum(axis=1, keepdims=True)
    meant = np.column_stack([case.right, ~case.right.any(axis=1)])
    hit = np.maximum((chances * meant).sum(axis=1, keepdims=True), 1e-300)
    pull = chances - chances * meant / hit
    slope = np.einsum("nm,nmk->k", pull[:, :-1], case.evidence)
    return -float(np.log(hit).sum()), np.append(slope, pull[:, -1].sum())


def _logistic(x: Floats, y: NDArray[np.bool_]) -> Floats:
    def loss(w: Floats) -> tuple[float, Floats]:
        z = x @ w
        value = float(np.logaddexp(0, z).sum() - z[y].sum() + 0.5 * w[1:] @ w[1:])
        slope = x.T @ (1 / (1 + np.exp(-z)) - y)
        slope[1:] += w[1:]
        return value, slope

    return np.asarray(minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B").x)


def _threshold(p: Floats, hit: NDArray[np.bool_]) -> float:
    """The lowest probability from which the wanted precision is had; at least one half."""
    order = np.argsort(-p, kind="stable")
    precision = np.cumsum(hit[order]) / np.arange(1, len(p) + 1)
    enough = np.flatnonzero(precision >= WANTED_PRECISION)
    return round(max(0.5, float(p[order][enough[-1]]) if len(enough) else 0.99), 3)


def as_json(model: LinkModel) -> Mapping[str, Any]:
    """Write a model as plain values."""
    return {
        "weights": {n: round(float(w), 4) for n, w in zip(FEATURES, model.weights, strict=True)},
        "nothing": round(model.nothing, 4),
        "calibration": [round(float(w), 4) for w in model.calibration],
        "threshold": model.threshold,
    }
