"""Density of a batch's gradients, and the instability of the loss where they lie (AKDE-BO).

The source is section 3.1 of "Enhanced Loss Landscape Sculpting via Adaptive Kernel Density
Estimation and Bayesian Optimization for Deep Generative Models", called AKDE-BO here.
The gradients are projected to few directions first (`per_sample_gradients(..., project=P)` with P
orthonormal): in the space of all parameters the kernel is exactly 0 between any two. Everything is
computed in double precision and in logarithms, and comes back in the type of z; gradients flow back
to z, with the bandwidth held as a constant.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

HELD_PAIRS = 1 << 22
"""Pairs of points that are held at a time, 32 MB each of a few tensors; or one point of each set
with all of its set, where that is more."""
_FAR = 1e300
"""Largest squared distance, cut there so that sums stay finite."""
_FLOOR = 0.05
"""Least bandwidth, as a share of the standard deviation."""
_LIMIT = 3.0
"""Standard deviations at which the standardised sparsity is clipped."""


@dataclass(frozen=True)
class SignedLog:
    """Numbers that may be too small or too large for their type, by sign and logarithm.

    >>> import torch
    >>> tiny = SignedLog(torch.tensor([-1.0]), torch.tensor([-2000.0]))
    >>> tiny.value == 0, tiny.sign
    (tensor([True]), tensor([-1.]))
    """

    sign: Tensor
    """Signs −1, 0 or 1."""
    log: Tensor
    """Logarithms of the sizes; −inf for 0."""

    @property
    def value(self) -> Tensor:
        """Numbers themselves: 0 where they are too small.

        >>> import torch
        >>> SignedLog(torch.tensor([-1.0]), torch.tensor([0.0])).value
        tensor([-1.])
        """
        return self.sign * self.log.exp()


@dataclass(frozen=True)
class Sparsity:
    """Loneliness of each gradient among the others.

    >>> import torch
    >>> found = sparsity(torch.tensor([[0.0], [0.1], [0.2], [3.0]]))
    >>> int(found.raw.argmax())
    3
    """

    raw: Tensor
    """Sparsity o_i = log(n − 1) − log Σ_{j≠i} exp(−r_ij²/2), [..., n]: minus the logarithm of the
    density that the others make at z_i, without the kernel's constant; at least 0."""
    standardised: Tensor
    """Sparsity less its mean, over its standard deviation in the set, clipped to ±3; 0 where all
    are alike, [..., n]."""


@dataclass(frozen=True)
class GradientDensity:
    """Density, instability and sparsity at the gradients themselves.

    >>> import torch
    >>> found = gradient_density(torch.tensor([[0.0, 0.0], [1.0, 2.0], [2.0, 1.0]]))
    >>> found.bandwidth.shape, found.log_density.shape
    (torch.Size([2]), torch.Size([3]))
    """

    bandwidth: Tensor
    """Widths of the kernel, [..., k]."""
    log_density: Tensor
    """Logarithm of the density at each gradient, its own kernel included, in units of z; shape
    [..., n]."""
    instability: Tensor
    """Literal I at each gradient, [..., n]."""
    sparsity: Sparsity
    """Loneliness of each gradient."""

    @property
    def mean_instability(self) -> Tensor:
        """Mean of I over the set, [...]: the term that AKDE-BO adds to the loss.

        >>> import torch
        >>> found = gradient_density(torch.zeros(3, 2))  # all alike: I = k
        >>> round(found.mean_instability.item(), 3)
        2.0
        """
        return self.instability.mean(dim=-1)


def gradient_density(z: Tensor) -> GradientDensity:
    """Measure density, instability and sparsity at the gradients, in one pass over all pairs.

    Source: AKDE-BO, section 3.1, for density, bandwidth and instability, in k directions; the
    sparsity is this package's own.

    Args:
        z: projected gradients [n, k] in any unit, or m sets of them, [m, n, k]; n at least 2.

    Returns:
        Tensors [n] or [m, n] of the type of z, and the bandwidth [k] or [m, k] in units of z.

    Raises:
        ValueError: z has another shape, fewer than 2 gradients or one that is not finite.

    >>> import torch
    >>> found = gradient_density(torch.tensor([[-1.0], [0.0], [1.0]]))
    >>> int(found.log_density.argmax())
    1
    """
    _check(z)
    n, k = z.shape[-2:]
    h = bandwidth(z)
    sums = _kernel_sums(z, z, h, alone=True)
    others = sums.log_kernels
    with_own = torch.logaddexp(others, torch.zeros_like(others))  # its own kernel is exp(0)
    curved = sums.curved.sign * sums.curved.log.exp() + k  # of its own: k − 0
    return GradientDensity(
        h,
        (with_own - math.log(n) - _log_volume(h).unsqueeze(-1)).to(z.dtype),
        (curved / n).to(z.dtype),
        _sparsity(others, n, z.dtype),
    )


def bandwidth(z: Tensor) -> Tensor:
    """Choose the kernel's widths h_j = 1.05 · IQR_j · √k, at least 0.05 standard deviations.

    The quartiles are interpolated linearly, the deviation is that of a sample (n − 1). Where half
    of the gradients agree in a direction the floor holds; where all do, there is no scale to
    measure in, and h is 1.

    Source: AKDE-BO, section 3.1, bandwidth = 1.05 · IQR. The factor √k for k directions and the
    floor are this package's own.

    Args:
        z: projected gradients [n, k] in any unit, or m sets of them, [m, n, k]; n at least 2.

    Returns:
        Widths [k] or [m, k] in units of z, without a graph.

    Raises:
        ValueError: z has another shape, fewer than 2 gradients or one that is not finite.

    >>> import torch
    >>> bandwidth(torch.tensor([[0.0], [1.0], [2.0], [3.0], [4.0]]))
    tensor([2.1000])
    """
    _check(z)
    return _bandwidth(z).to(z.dtype)


def log_density(z: Tensor, at: Tensor | None = None, *, h: Tensor | None = None) -> Tensor:
    """Compute log KDE(v), KDE(v) = (1/n) Σ Π_j K((v_j − z_ij)/h_j)/h_j, K Gaussian, at points v.

    Source: AKDE-BO, section 3.1, the first equation, with a width for each direction.

    Args:
        z: projected gradients [n, k] in any unit, or m sets of them, [m, n, k]; n at least 2.
        at: points [q, k] or [m, q, k]; by default the gradients themselves.
        h: bandwidth [k] or [m, k] in units of z; by default `bandwidth(z)`.

    Returns:
        Logarithms [q] or [m, q] of densities in 1 / units of z; finite far below 1e-300.

    Raises:
        ValueError: z has another shape, fewer than 2 gradients or one that is not finite, or `at`
            or `h` does not go with z.

    >>> import torch
    >>> z, h = torch.zeros(2, 1), torch.ones(1)
    >>> round(log_density(z, torch.tensor([[2.0]]), h=h).item(), 3)  # of a normal distribution
    -2.919
    """
    v, h = _points(z, at), _widths(z, h)
    sums = _kernel_sums(z, v, h)
    found = sums.log_kernels - math.log(z.shape[-2]) - _log_volume(h).unsqueeze(-1)
    return found.to(z.dtype)


def instability(z: Tensor, at: Tensor | None = None, *, h: Tensor | None = None) -> SignedLog:
    """Compute the literal I(v) = (1/n) Σ (k − r_i²) exp(−r_i²/2), r_i = ‖(v − z_i)/h‖, at points v.

    It is −ΔKDE in units of h, without the kernel's constant: positive where the density bends down,
    at most k. Large where the gradients lie dense: added to a loss it drives them apart.

    Source: AKDE-BO, section 3.1, I(v) = −∂²KDE(v)/∂v², summed over the k directions.

    Args:
        z: projected gradients [n, k] in any unit, or m sets of them, [m, n, k]; n at least 2.
        at: points [q, k] or [m, q, k]; by default the gradients themselves.
        h: bandwidth [k] or [m, k] in units of z; by default `bandwidth(z)`.

    Returns:
        Signs and logarithms of the sizes, [q] or [m, q].

    Raises:
        ValueError: z has another shape, fewer than 2 gradients or one that is not finite, or `at`
            or `h` does not go with z.

    >>> import torch
    >>> z, h = torch.zeros(2, 1), torch.ones(1)
    >>> instability(z, torch.tensor([[0.0], [1.0]]), h=h).value
    tensor([1., 0.])
    """
    v, h = _points(z, at), _widths(z, h)
    curved = _kernel_sums(z, v, h).curved
    return SignedLog(curved.sign.to(z.dtype), (curved.log - math.log(z.shape[-2])).to(z.dtype))


def sparsity(z: Tensor, *, h: Tensor | None = None) -> Sparsity:
    """Measure how alone each gradient lies, from the density that the others make there.

    It is o_i = −[log Σ_{j≠i} exp(−r_ij²/2) − log(n − 1)], r_ij = ‖(z_i − z_j)/h‖, and the same
    standardised over the set: a measure of this package, not of AKDE-BO.

    Args:
        z: projected gradients [n, k] in any unit, or m sets of them, [m, n, k]; n at least 2.
        h: bandwidth [k] or [m, k] in units of z; by default `bandwidth(z)`.

    Returns:
        Sparsity [n] or [m, n], raw and standardised.

    Raises:
        ValueError: z has another shape, fewer than 2 gradients or one that is not finite, or `h`
            does not go with z.

    >>> import torch
    >>> sparsity(torch.tensor([[0.0], [1.0]]), h=torch.ones(1)).raw  # r²/2
    tensor([0.5000, 0.5000])
    """
    h = _widths(z, h)
    return _sparsity(_kernel_sums(z, z, h, alone=True).log_kernels, z.shape[-2], z.dtype)


# --- sums over pairs ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Sums:
    """Sums over the gradients, at each point."""

    log_kernels: Tensor
    """Logarithm of Σ exp(−r²/2), [..., q]."""
    curved: SignedLog
    """Sum Σ (k − r²) exp(−r²/2), [..., q]."""


def _kernel_sums(z: Tensor, v: Tensor, h: Tensor, *, alone: bool = False) -> _Sums:
    """Sums at points v; at the gradients themselves, over all others, if `alone`."""
    wide = h.double().unsqueeze(-2)
    centre = z.detach().double().mean(dim=-2, keepdim=True)
    sources, points = (z.double() - centre) / wide, (v.double() - centre) / wide
    n, k = z.shape[-2:]
    step = max(1, HELD_PAIRS // (n * math.prod(z.shape[:-2])))
    parts = []
    for start in range(0, v.shape[-2], step):
        some = points[..., start : start + step, :]
        squared = _squared_distances(some, sources).clamp(max=_FAR)
        if alone:
            squared.diagonal(start, -2, -1).fill_(math.inf)
        nearest = squared.detach().amin(dim=-1, keepdim=True)
        kernels = (-0.5 * (squared - nearest)).exp()
        weights = torch.where(squared.isinf(), 0.0, k - squared) * kernels
        curved, shift = weights.sum(dim=-1), -0.5 * nearest.squeeze(-1)
        parts.append((kernels.sum(dim=-1).log() + shift, curved.sign(), curved.abs().log() + shift))
    logs, signs, sizes = (torch.cat(part, dim=-1) for part in zip(*parts, strict=True))
    return _Sums(logs, SignedLog(signs, sizes))


def _squared_distances(a: Tensor, b: Tensor) -> Tensor:
    """Squared distances [..., q, n] of a [..., q, k] from b [..., n, k]: by differences, since
    products would lose the distance of near points."""
    total = (a[..., :, None, 0] - b[..., None, :, 0]).square()
    for j in range(1, a.shape[-1]):
        total = total + (a[..., :, None, j] - b[..., None, :, j]).square()
    return total


def _sparsity(others: Tensor, n: int, dtype: torch.dtype) -> Sparsity:
    raw = (math.log(n - 1) - others).clamp(min=0)
    mean, deviation = raw.mean(dim=-1, keepdim=True), raw.std(dim=-1, keepdim=True)
    alike = deviation <= 1e-12 * (1 + mean.abs())
    standardised = (raw - mean) / torch.where(alike, math.inf, deviation)
    return Sparsity(raw.to(dtype), standardised.clamp(-_LIMIT, _LIMIT).to(dtype))


def _log_volume(h: Tensor) -> Tensor:
    """Logarithm of Π h_j √(2π), [...]."""
    return (h.double().log() + 0.5 * math.log(2 * math.pi)).sum(dim=-1)


def _bandwidth(z: Tensor) -> Tensor:
    """Bandwidth in double precision, [..., k]."""
    z = z.detach().double()
    low, high = z.amin(dim=-2, keepdim=True), z.amax(dim=-2, keepdim=True)
    span = high - low
    constant = span == 0
    ordered = ((z - low) / torch.where(constant, 1.0, span)).sort(dim=-2).values
    quartiles = (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) * math.sqrt(z.shape[-1])
    widths = torch.maximum(1.05 * quartiles, _FLOOR * ordered.std(dim=-2))
    return torch.where(constant.squeeze(-2), 1.0, widths * span.squeeze(-2))


def _quantile(ordered: Tensor, share: float) -> Tensor:
    """Quantile of rows in ascending order, interpolated linearly, since `torch.quantile` is limited
    in size."""
    place = share * (ordered.shape[-2] - 1)
    below = ordered[..., math.floor(place), :]
    return below + (place - math.floor(place)) * (ordered[..., math.ceil(place), :] - below)


# --- what is given --------------------------------------------------------------------------------


def _check(z: Tensor) -> None:
    if not isinstance(z, Tensor) or z.ndim not in (2, 3) or z.shape[-1] == 0 or 0 in z.shape[:-2]:
        shape = list(z.shape) if isinstance(z, Tensor) else type(z).__name__
        raise ValueError(f"z is {shape}; expected projected gradients [n, k] or [m, n, k]")
    if not z.is_floating_point():
        raise ValueError(f"z is of type {z.dtype}; expected floating-point numbers")
    if z.shape[-2] < 2:
        raise ValueError(f"z has {z.shape[-2]} gradients; a density needs at least 2")
    _check_finite(z, "z")


def _check_finite(x: Tensor, name: str) -> None:
    bad = ~x.isfinite().all(dim=-1)
    if bad.any():
        raise ValueError(
            f"{int(bad.sum())} of the {bad.numel()} rows of {name} are not finite; leave them out, "
            "or measure before the training diverges"
        )


def _points(z: Tensor, at: Tensor | None) -> Tensor:
    _check(z)
    if at is None:
        return z
    if at.ndim != z.ndim or at.shape[:-2] != z.shape[:-2] or at.shape[-1] != z.shape[-1]:
        expected = [*map(str, z.shape[:-2]), "q", str(z.shape[-1])]
        raise ValueError(f"at has the shape {list(at.shape)}; expected [{', '.join(expected)}]")
    _check_finite(at, "at")
    return at


def _widths(z: Tensor, h: Tensor | None) -> Tensor:
    """Bandwidth in double precision, that of z where none is given."""
    _check(z)
    if h is None:
        return _bandwidth(z)
    expected = [*z.shape[:-2], z.shape[-1]]
    if list(h.shape) != expected:
        raise ValueError(f"h has the shape {list(h.shape)}; expected {expected}")
    if not bool((h.isfinite() & (h > 0)).all()):
        raise ValueError("h has numbers that are not above 0 and finite; expected bandwidths")
    return h.detach().double()
