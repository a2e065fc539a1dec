"""Density of gradients against a loop over pairs in exact arithmetic."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from dlcc.landscape import bandwidth, gradient_density, instability, log_density, sparsity
from dlcc.landscape import density as density_module

DOUBLE = torch.float64


def gradients(n: int, k: int, seed: int = 0, *sets: int) -> Tensor:
    """Of a student's heavy tails, in directions of unlike scale."""
    rng = np.random.default_rng(seed)
    scales = np.exp(rng.normal(size=k))
    return torch.as_tensor(rng.standard_t(3, size=(*sets, n, k)) * scales + 5)


def brute_bandwidth(z: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    low, high = np.quantile(z, [0.25, 0.75], axis=0)
    wide = np.maximum(1.05 * (high - low) * math.sqrt(z.shape[1]), 0.05 * z.std(axis=0, ddof=1))
    return np.where(z.max(axis=0) == z.min(axis=0), 1.0, wide)


def brute_force(
    z: np.ndarray[Any, Any], at: np.ndarray[Any, Any], h: np.ndarray[Any, Any]
) -> tuple[list[float], list[float], list[float]]:
    """Log density, I and o at each point: one pair after the other, sums by `math.fsum`."""
    n, k = z.shape
    logs, curved, alone = [], [], []
    for i, v in enumerate(at):
        squared = [
            math.fsum(((a - b) / w) ** 2 for a, b, w in zip(v, row, h, strict=True)) for row in z
        ]
        volume = math.fsum(math.log(w * math.sqrt(2 * math.pi)) for w in h)
        logs.append(float(logsumexp([-s / 2 for s in squared])) - math.log(n) - volume)
        curved.append(math.fsum((k - s) * math.exp(-s / 2) for s in squared) / n)
        others = [-s / 2 for j, s in enumerate(squared) if j != i]
        alone.append(math.log(n - 1) - float(logsumexp(others)))
    return logs, curved, alone


def close(found: Tensor, expected: Any, tolerance: float) -> None:
    wanted = np.asarray(expected)
    size = np.maximum(np.abs(wanted), 1.0)
    assert float(np.max(np.abs(found.double().numpy() - wanted) / size)) <= tolerance


@settings(max_examples=40, deadline=None)
@given(
    n=st.integers(2, 40),
    k=st.integers(1, 6),
    seed=st.integers(0, 1000),
    single=st.booleans(),
    offset=st.sampled_from([0.0, 1e3]),
)
def test_against_brute_force(n: int, k: int, seed: int, single: bool, offset: float) -> None:
    z = gradients(n, k, seed) + offset
    z = z.float() if single else z
    exact = z.double().numpy()
    tolerance = 1e-5 if single else 1e-10
    h = brute_bandwidth(exact)
    logs, curved, alone = brute_force(exact, exact, h)
    found = gradient_density(z)
    assert found.log_density.dtype == z.dtype
    np.testing.assert_allclose(found.bandwidth.double().numpy(), h, rtol=tolerance)
    close(found.log_density, logs, tolerance)
    close(found.instability, curved, tolerance)
    close(found.sparsity.raw, alone, tolerance)
    close(log_density(z), logs, tolerance)
    close(instability(z).value, curved, tolerance)
    spread = np.std(alone, ddof=1)
    if spread > 1e-6:
        standardised = np.clip((np.array(alone) - np.mean(alone)) / spread, -3, 3)
        close(found.sparsity.standardised, standardised, 1e-5 if single else 1e-8)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_sets_side_by_side_are_as_one_after_the_other(dtype: torch.dtype) -> None:
    z = gradients(13, 4, 1, 5).to(dtype)
    at = gradients(3, 4, 2, 5).to(dtype)
    together = gradient_density(z)
    for m in range(5):
        alone = gradient_density(z[m])
        for a, b in (
            (together.bandwidth[m], alone.bandwidth),
            (together.log_density[m], alone.log_density),
            (together.instability[m], alone.instability),
            (together.mean_instability[m], alone.mean_instability),
            (together.sparsity.standardised[m], alone.sparsity.standardised),
            (log_density(z, at)[m], log_density(z[m], at[m])),
            (instability(z, at).log[m], instability(z[m], at[m]).log),
            (sparsity(z).raw[m], sparsity(z[m]).raw),
        ):
            assert a.dtype == dtype
            torch.testing.assert_close(a, b)


def test_densities_far_below_the_smallest_number() -> None:
    z = gradients(20, 3)
    h = bandwidth(z)
    at = z.mean(dim=0) + h * torch.tensor([[0.0] * 3, [40.0] * 3, [1e4] * 3, [1e8] * 3])
    exact, wide = z.numpy(), h.numpy()
    logs = brute_force(exact, at.numpy(), wide)[0]
    close(log_density(z, at), logs, 1e-10)
    assert logs[1] < math.log(1e-300)
    found = instability(z, at)
    scaled = ((at[:, None] - z) / h).square().sum(dim=2).numpy()
    expected = [float(logsumexp(-s / 2, b=(s - 3) / 20)) for s in scaled[1:]]
    close(found.log[1:], expected, 1e-10)
    assert found.sign.tolist() == [1, -1, -1, -1]
    assert found.value[-1] == 0
    assert torch.isfinite(log_density(z, torch.full((1, 3), 1e200, dtype=DOUBLE))).all()


def test_a_gradient_alone_stays_finite_and_is_clipped() -> None:
    z = gradients(400, 2)
    z[0] += 1e6
    found = sparsity(z, h=torch.ones(2, dtype=DOUBLE))
    assert found.raw[0] > 1e11
    assert found.standardised[0] == 3
    assert found.standardised.abs().max() <= 3


class LargestTensor(TorchDispatchMode):
    """Notes how many numbers the largest tensor has that torch makes within it."""

    def __init__(self) -> None:
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for each in made if isinstance(made, tuple | list) else (made,):
            if isinstance(each, Tensor):
                self.numel = max(self.numel, each.numel())
        return made


@pytest.mark.parametrize("pairs", [1, 7, 100])
def test_any_cut_gives_the_same(monkeypatch: pytest.MonkeyPatch, pairs: int) -> None:
    z = gradients(23, 4)
    whole = gradient_density(z)
    monkeypatch.setattr(density_module, "HELD_PAIRS", pairs)
    cut = gradient_density(z)
    torch.testing.assert_close(cut.log_density, whole.log_density, rtol=1e-14, atol=1e-14)
    torch.testing.assert_close(cut.sparsity.raw, whole.sparsity.raw, rtol=1e-14, atol=1e-14)


def test_4096_gradients_are_never_all_pairs_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(density_module, "HELD_PAIRS", 1 << 20)
    with LargestTensor() as made:
        gradient_density(gradients(4096, 1))
    assert made.numel <= 1 << 20


# --- bandwidth ------------------------------------------------------------------------------------


def test_where_half_agree_the_floor_holds_and_where_all_do_h_is_1() -> None:
    z = torch.zeros(8, 3, dtype=DOUBLE)
    z[0, 1] = 4.0
    z[:, 2] = torch.arange(8)
    h = bandwidth(z)
    assert h[0] == 1
    assert h[1].item() == pytest.approx(0.05 * z[:, 1].std().item())
    assert h[2].item() == pytest.approx(1.05 * 3.5 * math.sqrt(3))
    found = gradient_density(torch.full((6, 2), 0.1))
    assert found.bandwidth.tolist() == [1, 1]
    assert found.sparsity.raw.tolist() == found.sparsity.standardised.tolist() == [0] * 6
    assert found.instability.tolist() == [2] * 6


@pytest.mark.parametrize("scale", [1e-200, 1e-30, 1e100])
def test_what_is_in_units_of_h_does_not_move_with_the_scale(scale: float) -> None:
    z = gradients(15, 3)
    a, b = gradient_density(z), gradient_density(z * scale)
    torch.testing.assert_close(a.instability, b.instability, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(a.sparsity.raw, b.sparsity.raw, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(a.log_density - 3 * math.log(scale), b.log_density)


# --- meaning --------------------------------------------------------------------------------------


def test_the_density_integrates_to_1_and_the_instability_is_its_second_derivative() -> None:
    z = gradients(12, 1)
    h = float(bandwidth(z))
    v = torch.linspace(float(z.min()) - 12 * h, float(z.max()) + 12 * h, 40_001, dtype=DOUBLE)
    values = log_density(z, v[:, None]).exp()
    assert torch.trapezoid(values, v).item() == pytest.approx(1, abs=1e-9)
    step = float(v[1] - v[0])
    bent = (values[2:] - 2 * values[1:-1] + values[:-2]) / step**2
    literal = instability(z, v[1:-1, None]).value / (math.sqrt(2 * math.pi) * h**3)
    torch.testing.assert_close(literal, -bent, rtol=0, atol=1e-5 * float(bent.abs().max()))


def test_the_mean_instability_can_be_derived_with_the_bandwidth_held() -> None:
    z = gradients(6, 2).requires_grad_()
    h = bandwidth(z)

    def term(rows: Tensor) -> Tensor:
        return instability(rows, h=h).value.mean()

    assert torch.autograd.gradcheck(term, (z,))
    (direct,) = torch.autograd.grad(gradient_density(z).mean_instability, z)
    (held,) = torch.autograd.grad(term(z), z)
    torch.testing.assert_close(direct, held)
    assert torch.autograd.gradcheck(lambda rows: sparsity(rows, h=h).raw, (z,))


# --- bad input ------------------------------------------------------------------------------------

NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("z", "words"),
    [
        (torch.zeros(3), r"z is \[3\]; expected projected gradients"),
        (torch.zeros(3, 0), r"z is \[3, 0\]"),
        (torch.zeros(0, 3, 2), r"z is \[0, 3, 2\]"),
        (torch.zeros(1, 3), "z has 1 gradients; a density needs at least 2"),
        (torch.zeros(3, 2, dtype=torch.int64), "of type torch.int64"),
        (torch.tensor([[0.0], [NAN], [INF]]), "2 of the 3 rows of z are not finite"),
        ("z", "z is str"),
    ],
)
def test_bad_gradients(z: Any, words: str) -> None:
    functions: list[Callable[[Any], Any]] = [
        gradient_density,
        bandwidth,
        log_density,
        instability,
        sparsity,
    ]
    for function in functions:
        with pytest.raises(ValueError, match=words):
            function(z)


@pytest.mark.parametrize(
    ("at", "h", "words"),
    [
        (torch.zeros(4, 3), None, r"at has the shape \[4, 3\]; expected \[q, 2\]"),
        (torch.full((1, 2), INF), None, "1 of the 1 rows of at are not finite"),
        (None, torch.ones(3), r"h has the shape \[3\]; expected \[2\]"),
        (None, torch.tensor([1.0, 0.0]), "not above 0"),
    ],
)
def test_bad_points_and_widths(at: Tensor | None, h: Tensor | None, words: str) -> None:
    z = torch.randn(5, 2)
    with pytest.raises(ValueError, match=words):
        log_density(z, at, h=h)
    with pytest.raises(ValueError, match=words):
        instability(z, at, h=h)
