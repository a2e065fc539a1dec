"""Games of known spectra, and fields along a line."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dlcc.landscape import game as game_module
from dlcc.landscape import game_spectrum, path_angle
from dlcc.landscape.game import Player, field_jacobian_transposed

DOUBLE = torch.float64


def bilinear(size: int, seed: int = 0, own: float = 0.0) -> tuple[list[Player], Tensor]:
    """min over x, max over y of xᵀAy + own/2 (‖x‖² − ‖y‖²), and A."""
    drawn = torch.Generator().manual_seed(seed)
    a = torch.randn(size, size, generator=drawn, dtype=DOUBLE)
    x, y = (torch.randn(size, generator=drawn, dtype=DOUBLE).requires_grad_() for _ in range(2))

    def value() -> Tensor:
        return x @ a @ y + own / 2 * (x @ x - y @ y)

    return [(value, [x]), (lambda: -value(), [y])], a


@settings(max_examples=25, deadline=None)
@given(size=st.integers(1, 12), seed=st.integers(0, 99), own=st.sampled_from([0.0, 0.3, -1.0]))
def test_bilinear_games(size: int, seed: int, own: float) -> None:
    """Jacobian [[own, A], [−Aᵀ, own]]: eigenvalues own ± i σ(A)."""
    players, a = bilinear(size, seed, own)
    found = game_spectrum(players)
    sizes = np.linalg.svd(a.numpy())[1]
    expected = np.concatenate([own + 1j * sizes, own - 1j * sizes])
    assert found.complete
    assert (np.diff(np.abs(found.values)) <= 1e-12).all()
    for wanted in expected:
        assert np.abs(found.values - wanted).min() <= 1e-6
    assert found.rotation == pytest.approx(2 * sizes.sum() / np.abs(expected).sum(), rel=1e-6)
    assert abs(found.largest) == pytest.approx(np.abs(expected).max(), rel=1e-6)
    assert found.nearest_axis.real == pytest.approx(own, abs=1e-6)


def test_players_with_a_loss_in_common_do_not_turn() -> None:
    x = torch.randn(3, dtype=DOUBLE, requires_grad=True)
    y = torch.randn(2, dtype=DOUBLE, requires_grad=True)

    def loss() -> Tensor:
        return (x.sum() * y).square().sum() + x.pow(4).sum()

    found = game_spectrum([(loss, [x]), (loss, [y])])
    assert found.rotation == pytest.approx(0, abs=1e-7)
    vector = torch.cat([x, y]).detach()

    def of(v: Tensor) -> Tensor:
        return (v[:3].sum() * v[3:]).square().sum() + v[:3].pow(4).sum()

    whole = torch.autograd.functional.hessian(of, vector)  # type: ignore[no-untyped-call]
    expected = np.linalg.eigvalsh(whole.numpy())
    np.testing.assert_allclose(np.sort(found.values.real), expected, atol=1e-9)


def gan() -> tuple[list[Player], list[Tensor]]:
    torch.manual_seed(0)
    generator = nn.Sequential(nn.Linear(2, 5), nn.Tanh(), nn.Linear(5, 2)).double()
    critic = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1)).double()
    z, real = torch.randn(8, 2, dtype=DOUBLE), torch.randn(8, 2, dtype=DOUBLE) + 1
    g: list[Tensor] = list(generator.parameters())
    d: list[Tensor] = list(critic.parameters())

    def loss_g() -> Tensor:
        return F.softplus(-critic(generator(z))).mean()

    def loss_d() -> Tensor:
        return F.softplus(critic(generator(z))).mean() + F.softplus(-critic(real)).mean()

    return [(loss_g, g), (loss_d, d)], g + d


def dense_jacobian(players: list[Player], everything: list[Tensor]) -> NDArray[np.float64]:
    """Of the field, one row after the other."""
    rows = []
    for loss, params in players:
        gradients = torch.autograd.grad(loss(), list(params), create_graph=True)
        for number in torch.cat([s.flatten() for s in gradients]):
            found = torch.autograd.grad(number, everything, retain_graph=True, allow_unused=True)
            parts = [
                torch.zeros_like(p) if f is None else f
                for f, p in zip(found, everything, strict=True)
            ]
            rows.append(torch.cat([part.flatten() for part in parts]))
    return torch.stack(rows).numpy()


def test_a_gan_against_its_dense_jacobian() -> None:
    players, everything = gan()
    jacobian = dense_jacobian(players, everything)
    operator = field_jacobian_transposed(players)
    rows = operator.matmat(torch.eye(operator.size, dtype=DOUBLE)).T.numpy()
    np.testing.assert_allclose(rows, jacobian, atol=1e-12)
    exact = np.linalg.eigvals(jacobian)
    found = game_spectrum(players)
    assert found.products == len(jacobian)
    for value in exact:
        assert np.abs(found.values - value).min() <= 1e-8


def test_a_krylov_space_finds_the_outer_eigenvalues(monkeypatch: pytest.MonkeyPatch) -> None:
    players, everything = gan()
    exact = np.linalg.eigvals(dense_jacobian(players, everything))
    exact = exact[np.argsort(-np.abs(exact))]
    monkeypatch.setattr(game_module, "DENSE", 0)
    found = game_spectrum(players, vectors=25, seed=1)
    again = game_spectrum(players, vectors=25, seed=1)
    assert not found.complete
    assert found.products == len(found.values) == 25
    assert np.array_equal(found.values, again.values)
    assert abs(found.largest) == pytest.approx(abs(exact[0]), rel=1e-6)
    known = found.values[found.errors < 1e-8]
    assert len(known)
    for value in known:
        assert np.abs(exact - value).min() <= 1e-6
    whole = game_spectrum(players, vectors=1000)
    assert whole.complete
    assert len(whole.values) == len(exact)


def test_a_large_bilinear_game_turns() -> None:
    players, a = bilinear(320)
    found = game_spectrum(players, vectors=30)
    assert not found.complete
    assert found.rotation > 0.99
    assert abs(found.largest) == pytest.approx(np.linalg.svd(a.numpy())[1][0], rel=0.05)


def test_eigenvalues_of_no_use_do_not_count_as_near_the_axis() -> None:
    found = game_module.GameSpectrum(
        np.array([2 + 0j, 1 + 1j, 1e-3 + 1j]), np.array([0.0, 0.0, 0.5]), False, 3
    )
    assert found.nearest_axis == 1 + 1j
    unknown = game_module.GameSpectrum(np.array([2 + 0j, 1j]), np.array([1.0, 1.0]), False, 2)
    assert unknown.nearest_axis == 2


# --- along a line ---------------------------------------------------------------------------------


def test_towards_an_attractor_the_cosine_jumps() -> None:
    end = torch.tensor([1.0, 2.0], dtype=DOUBLE)
    found = path_angle(lambda v: v - end, torch.zeros(2, dtype=DOUBLE), end)
    assert found.at[0] == -0.25
    assert found.at[-1] == 1.25
    before, after = found.at < 1 - 1e-9, found.at > 1 + 1e-9
    np.testing.assert_allclose(found.cosine[before], 1)
    np.testing.assert_allclose(found.cosine[after], -1)
    np.testing.assert_allclose(found.norm, np.abs(found.at - 1) * math.sqrt(5), atol=1e-12)


def test_through_the_centre_of_a_rotation_the_field_is_square_to_the_line() -> None:
    end = torch.tensor([0.0, 0.0], dtype=DOUBLE)
    start = torch.tensor([3.0, 4.0], dtype=DOUBLE)
    turned = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=DOUBLE)
    found = path_angle(lambda v: turned @ v, start, end)
    np.testing.assert_allclose(found.cosine, 0, atol=1e-12)
    np.testing.assert_allclose(found.norm, 5 * np.abs(1 - found.at), atol=1e-12)


def test_beside_the_centre_of_a_rotation_the_cosine_has_a_bump() -> None:
    turned = torch.tensor([[0.0, 1.0], [-1.0, 0.0]], dtype=DOUBLE)
    start, end = torch.tensor([[-1.0, 0.1], [1.0, 0.1]], dtype=DOUBLE)
    found = path_angle(lambda v: turned @ v, start, end, 151)
    top = int(np.argmax(np.abs(found.cosine)))
    assert found.at[top] == pytest.approx(0.5)
    assert abs(found.cosine[top]) == pytest.approx(1)
    assert abs(found.cosine[0]) == pytest.approx(0.1 / math.hypot(1.5, 0.1))
    assert len(set(np.sign(found.cosine))) == 1


# --- bad input ------------------------------------------------------------------------------------


def test_games_that_are_none() -> None:
    x = torch.ones(2, requires_grad=True)
    y = torch.ones(2, requires_grad=True)
    far = torch.ones(2, requires_grad=True, device="meta")

    def loss() -> Tensor:
        return x @ y

    with pytest.raises(ValueError, match="players is empty"):
        game_spectrum([])
    with pytest.raises(ValueError, match=r"players\[0\] is function; expected a closure and its"):
        game_spectrum([loss])  # type: ignore[list-item]
    with pytest.raises(ValueError, match="belongs to two players"):
        game_spectrum([(loss, [x]), (loss, [x])])
    with pytest.raises(ValueError, match="cpu, meta"):
        game_spectrum([(loss, [x]), (loss, [far])])
    with pytest.raises(ValueError, match=r"does not depend on params\[0\]"):
        game_spectrum([(loss, [x]), (lambda: x.sum(), [y])])
    with pytest.raises(ValueError, match="the loss is nan"):
        game_spectrum([(loss, [x]), (lambda: -loss() * math.nan, [y])])
    with pytest.raises(ValueError, match=r"the loss is a tensor \[2\]"):
        game_spectrum([(loss, [x]), (lambda: x * y, [y])])
    with pytest.raises(ValueError, match="params is empty"):
        game_spectrum([(loss, [x]), (loss, [])])


def test_lines_that_are_none() -> None:
    a = torch.ones(2)
    with pytest.raises(ValueError, match="the same point"):
        path_angle(lambda v: v, a, a.clone())
    with pytest.raises(ValueError, match=r"start has the shape \[2\], end \[3\]"):
        path_angle(lambda v: v, a, torch.ones(3))
    with pytest.raises(ValueError, match=r"field gave a tensor \[1\] of .*; expected a tensor \["):
        path_angle(lambda v: v[:1], a, 2 * a)
    with pytest.raises(ValueError, match=r"field gave list of 2; expected a tensor \["):
        path_angle(lambda v: [v, v], a, 2 * a)  # type: ignore[arg-type, return-value]
