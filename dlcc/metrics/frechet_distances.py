"""Fréchet distance between the normal fits of two sets of features, and its limit at 1/n = 0.

The distance of finite samples is biased upwards, by an amount that depends on the generator: two
models may change places with the number of rows (Chong and Forsyth 2020). `frechet` is the usual
figure with its error and its numbers of rows; `frechet_infinity` takes the bias off.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from dlcc.metrics.features import Features, extract, name_of
from dlcc.metrics.figures import Measured
from dlcc.metrics.inputs import block, checked, checked_count, side
from dlcc.typing import Floats, Rows

Reference = Literal["whole", "draw"]
"""Role of the data: the whole target, or a draw of it like the generated rows."""


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of a set of features: all that a Fréchet distance needs of it.

    Raises:
        ValueError: the shapes do not fit each other, or a number is not finite.

    >>> Moments(mean=np.zeros(2), covariance=np.eye(2), rows=100).rows
    100
    """

    mean: Floats
    """Mean of each feature, [d]."""
    covariance: Floats
    """Covariance of the features, [d, d], over n − 1."""
    rows: int
    """Number of rows that were averaged; 0 where that is not known."""

    def __post_init__(self) -> None:
        mean, covariance = np.shape(self.mean), np.shape(self.covariance)
        if len(mean) != 1 or covariance != mean * 2:
            raise ValueError(
                f"the mean has the shape {list(mean)} and the covariance {list(covariance)}; "
                "expected [d] and [d, d]"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.covariance).all()):
            raise ValueError(
                f"the moments of {self.rows} rows are not finite; leave out the rows that are not"
            )


@dataclass(frozen=True)
class Frechet(Measured):
    """Fréchet distance in squared units of the features, with its standard error."""

    features: str
    """Name of the features."""


@dataclass(frozen=True)
class FrechetInfinity(Frechet):
    """Fréchet distance without the bias of its number of rows; may be just below 0."""

    biased: Frechet
    """Distance at all rows, with the usual bias."""
    line: tuple[tuple[float, float], ...]
    """Points that the line was fitted to: (rows of generated, mean distance)."""


def moments(rows: ArrayLike) -> Moments:
    """Compute mean and covariance of features, summed in float64 a block at a time.

    Args:
        rows: Features [n, d], n ≥ 2.

    Returns:
        Mean [d], covariance [d, d] over n − 1, and the number of rows.

    Raises:
        ValueError: rows of another shape, fewer than 2, or ones that are not finite or beyond 1e20.

    >>> found = moments([[0.0, 1.0], [2.0, 1.0]])
    >>> found.mean.tolist(), found.covariance.tolist(), found.rows
    ([1.0, 1.0], [[2.0, 0.0], [0.0, 0.0]], 2)
    """
    return _moments(checked(rows, "rows"), None)


def frechet_distance(a: ArrayLike | Moments, b: ArrayLike | Moments) -> float:
    """Compute the Fréchet distance between the normal fits of two sets of features.

    It is ‖μ_a − μ_b‖² + tr(Σ_a + Σ_b − 2(Σ_a Σ_b)^½) (Heusel et al. 2017, eq. 6). The trace of the
    root is that of (Σ_a^½ Σ_b Σ_a^½)^½, which stays symmetric where a collapsed generator makes Σ_a
    singular.

    Args:
        a: Features [n, d], n ≥ 2, or their `moments`.
        b: Features [m, d], m ≥ 2, or their `moments`.

    Returns:
        The bare figure at these numbers of rows, in squared units of the features, at least 0 and
        biased upwards; `frechet` has its error.

    Raises:
        ValueError: rows of another shape, fewer than 2, ones that are not finite or beyond 1e20, or
            sets of different widths or of different features.

    >>> rows = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> round(frechet_distance(rows + [3.0, 4.0], rows), 6)  # shifted by a length of 5
    25.0
    """
    first, second = _given(a, "a"), _given(b, "b")
    _check_widths(first, second)
    return _distance(first, second, _root(first.covariance))


def frechet(
    generated: ArrayLike,
    data: ArrayLike | Moments,
    *,
    features: Features | str | None = None,
    reference: Reference = "whole",
) -> Frechet:
    """Estimate the Fréchet distance at these numbers of rows, with its standard error.

    It is the distance of Heusel et al. 2017, eq. 6, as `frechet_distance` computes it.

    Args:
        generated: Features [n, d], or images [n, ...] where `features` is a function.
        data: Features [m, d] or images [m, ...] of the target, or the `moments` of its features.
        features: Function of batches of images, or the name of the features that are given.
        reference: "whole" where the data are the target, as the FID has it: the error is then that
            of other generated rows. "draw" where they are a sample of the target like the generated
            rows: their own scatter is then added.

    Returns:
        The distance in squared units of the features; at least 0 and biased upwards. The error is
        the infinitesimal jackknife: the variance over rows x of the distance's derivative,
        2(μ_a − μ_b)·x + xᵀ(I − T)x with T the optimal map between the normal fits (Olkin and
        Pukelsheim 1982), over n. For equal distributions it is up to 1.5 times the scatter over
        draws; it tells nothing of the bias. Besides the features it takes some ten arrays [d, d].

    Raises:
        ValueError: rows of another shape, fewer than 2, ones that are not finite or beyond 1e20, or
            sets of different widths or of different features.

    >>> rng = np.random.default_rng(0)
    >>> data, generated = rng.standard_normal((500, 4)), rng.standard_normal((500, 4)) + 0.5
    >>> found = frechet(generated, data, features="coordinates")  # the truth is 1
    >>> print(found, "of", found.features)
    1.134 ± 0.094 of coordinates
    """
    x, y = _both(generated, data, features)
    _check_reference(reference, y)
    return _frechet(x, y, name_of(features), reference)


def frechet_infinity(
    generated: ArrayLike,
    data: ArrayLike | Moments,
    *,
    features: Features | str | None = None,
    reference: Reference = "whole",
    parts: int = 5,
    seed: int = 0,
) -> FrechetInfinity:
    """Extrapolate the Fréchet distance to infinitely many rows, with its standard error.

    A line is fitted by least squares to distances at several numbers of rows n over 1/n; its value
    at 0 is the result (Chong and Forsyth 2020, section 3). They take 15 random subsets; here the
    shuffled rows are cut into 1, 2, ... `parts` equal parts and the distances of each cut are
    averaged, so that every row has the same weight and the line adds no noise of first order to
    that of the usual distance.

    Args:
        generated: Features [n, d] or images [n, ...], as for `frechet`; at least `parts` · 2d rows,
            since the line bends below. At the least it takes off some nine tenths of the bias, at
            twice as many nearly all.
        data: Features [m, d], images [m, ...] or `moments` of the target, as for `frechet`.
        features: Function of batches of images, or the name of the features that are given.
        reference: "whole": the data's moments are the target's, only generated rows are cut.
            "draw": both are, in proportion, so that the data's own bias comes off too; the data
            need as many rows as the generated ones then.
        parts: Finest cut, 2 to 16; parts · (parts + 1) / 2 distances are computed.
        seed: Seed of the shuffle.

    Returns:
        The distance in squared units of the features, unbiased up to terms of 1/n²; the error is
        that of the usual distance (its first-order part, which the line keeps).

    Raises:
        ValueError: rows of another shape, too few of them for the line, ones that are not finite or
            beyond 1e20, or sets of different widths or of different features.

    >>> rng = np.random.default_rng(0)
    >>> generated = rng.standard_normal((300, 8))
    >>> target = Moments(np.zeros(8), np.eye(8), 0)  # the truth is 0
    >>> found = frechet_infinity(generated, target)
    >>> print(found, "and with the usual bias", round(found.biased.value, 3))
    -0.007997 ± 0.029 and with the usual bias 0.084
    """
    checked_count(parts, "parts", 2, 16)
    x, y = _both(generated, data, features)
    _check_reference(reference, y)
    draws = reference == "draw"
    least = parts * 2 * x.shape[1]
    for name, rows in (("generated", x), ("data", y)):
        if isinstance(rows, Moments) or (name == "data" and not draws):
            continue
        if len(rows) < least:
            raise ValueError(
                f"{name} has {len(rows)} rows of {x.shape[1]} features; a line over {parts} cuts "
                f"needs {least}: draw more, choose fewer parts or features, or take frechet, which "
                "is biased"
            )
    rng = np.random.default_rng(seed)
    biased = _frechet(x, y, name_of(features), reference)
    order = rng.permutation(len(x))
    other = rng.permutation(len(y)) if draws and not isinstance(y, Moments) else None
    target = _given(y, "data") if other is None else None
    line = [(float(len(x)), biased.value)]
    for count in range(2, parts + 1):
        distances = []
        for number in range(count):
            second = target if target is not None else _part(y, other, number, count)
            first = _part(x, order, number, count)
            distances.append(_distance(second, first, _root(second.covariance)))
        line.append((len(x) / count, float(np.mean(distances))))
    inverse = np.array([1 / rows for rows, _ in line])
    _, value = np.polyfit(inverse / inverse[0], [distance for _, distance in line], 1)
    return FrechetInfinity(
        float(value),
        biased.error,
        f"{biased.method}; line over 1/n",
        biased.rows,
        biased.features,
        biased=biased,
        line=tuple(line),
    )


# --- moments --------------------------------------------------------------------------------------


def _moments(x: Rows, order: NDArray[np.intp] | None) -> Moments:
    """Moments of the rows in `order`, or of all."""
    n, d = (len(x) if order is None else len(order)), x.shape[1]
    pieces = list(_pieces(n, d, order))
    mean = np.zeros(d)
    for piece in pieces:
        mean += block(x, piece).sum(axis=0)
    mean /= n
    covariance = np.zeros((d, d))
    for piece in pieces:
        centred = block(x, piece, mean)
        covariance += centred.T @ centred
    covariance /= n - 1
    return Moments(mean, covariance, n)


def _pieces(n: int, d: int, order: NDArray[np.intp] | None) -> Sequence[slice | NDArray[np.intp]]:
    """Rows in pieces of one block each, in an order where one is given."""
    step = side(d)
    slices = [slice(start, min(start + step, n)) for start in range(0, n, step)]
    return slices if order is None else [order[piece] for piece in slices]


def _part(rows: Rows | Moments, order: NDArray[np.intp] | None, number: int, count: int) -> Moments:
    """Moments of part `number` of `count` in an order of the rows."""
    assert order is not None
    assert not isinstance(rows, Moments)
    return _moments(rows, order[number::count])


# --- distance -------------------------------------------------------------------------------------


def _root(covariance: Floats) -> Floats:
    """Square root [d, d] of a covariance, symmetric and positive."""
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)


def _distance(a: Moments, b: Moments, root_a: Floats) -> float:
    """Fréchet distance of moments, with the root of a's covariance."""
    eigenvalues = np.linalg.eigvalsh(root_a @ b.covariance @ root_a)
    return _assembled(a, b, float(np.sqrt(np.maximum(eigenvalues, 0)).sum()))


def _assembled(a: Moments, b: Moments, trace_root: float) -> float:
    """Fréchet distance of moments, with the trace of the root of Σ_a Σ_b."""
    shift = a.mean - b.mean
    traces = np.trace(a.covariance) + np.trace(b.covariance)
    return float(max(shift @ shift + traces - 2 * trace_root, 0.0))


def _frechet(x: Rows, y: Rows | Moments, name: str, reference: Reference) -> Frechet:
    """Fréchet distance of checked features with its error."""
    a, b = _moments(x, None), _given(y, "data")
    # of the smaller rank first, so that its inverse on its own range is all that is needed
    values, vectors = np.linalg.eigh(a.covariance)
    kept = values > max(values[-1], 0.0) * len(values) * np.finfo(np.float64).eps
    scales = np.sqrt(np.where(kept, values, 0))
    inverse = np.where(kept, 1 / np.where(kept, scales, 1), 0)
    root = (vectors * scales) @ vectors.T
    root_inverse = (vectors * inverse) @ vectors.T
    roots, between = np.linalg.eigh(root @ b.covariance @ root)
    roots = np.sqrt(np.maximum(roots, 0))
    distance = _assembled(a, b, float(roots.sum()))
    shift = a.mean - b.mean
    there = root_inverse @ (between * roots) @ between.T @ root_inverse
    variance = _influence(x, a.mean, shift, there) / a.rows
    method = "infinitesimal jackknife over generated rows, the data held fixed"
    if reference == "draw" and not isinstance(y, Moments):
        small = roots <= roots[-1] * (len(roots) * np.finfo(np.float64).eps) ** 0.5
        back = root @ (between * np.where(small, 0, 1 / np.where(small, 1, roots))) @ between.T
        variance += _influence(y, b.mean, -shift, back @ root) / b.rows
        method = "infinitesimal jackknife over the rows of both"
    return Frechet(distance, math.sqrt(variance), method, (a.rows, b.rows), features=name)


def _influence(x: Rows, mean: Floats, shift: Floats, to_other: Floats) -> float:
    """Variance over rows of the derivative 2·shift·c + cᵀ(I − T)c, c the centred row."""
    bend = np.eye(len(mean)) - to_other
    derivatives = []
    for piece in _pieces(len(x), x.shape[1], None):
        centred = block(x, piece, mean)
        curved = np.einsum("ij,ij->i", centred @ bend, centred)
        derivatives.append(2 * (centred @ shift) + curved)
    return float(np.concatenate(derivatives).var(ddof=1))


# --- what is given --------------------------------------------------------------------------------


def _given(rows: ArrayLike | Moments, name: str) -> Moments:
    """Moments of features; those that are given stay as they are."""
    return rows if isinstance(rows, Moments) else _moments(checked(rows, name), None)


def _both(
    generated: ArrayLike, data: ArrayLike | Moments, features: Features | str | None
) -> tuple[Rows, Rows | Moments]:
    """Check features of both sets, extracted where `features` is a function."""
    if callable(features):
        generated = extract(features, generated)
        data = data if isinstance(data, Moments) else extract(features, data)
    x = checked(generated, "generated")
    y = data if isinstance(data, Moments) else checked(data, "data")
    widths = x.shape[1], len(y.mean) if isinstance(y, Moments) else y.shape[1]
    _raise_unless_equal(*widths)
    return x, y


def _check_widths(a: Moments, b: Moments) -> None:
    """Check that both moments are of as many features."""
    _raise_unless_equal(len(a.mean), len(b.mean), "a", "b")


def _raise_unless_equal(x: int, y: int, first: str = "generated", second: str = "data") -> None:
    """Raise ValueError where two numbers of features differ."""
    if x != y:
        raise ValueError(
            f"{first} has {x} features and {second} {y}; expected the same: take both from the "
            "same function"
        )


def _check_reference(reference: Reference, data: Rows | Moments) -> None:
    """Raise ValueError for an unknown role of the data, or one that needs their rows."""
    if reference not in ("whole", "draw"):
        raise ValueError(f'reference is {reference!r}; expected "whole" or "draw"')
    if reference == "draw" and isinstance(data, Moments):
        raise ValueError(
            'data are moments, whose rows are not known; give rows, or reference="whole"'
        )
