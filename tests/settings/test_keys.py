"""What keys mean."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.settings.keys import keys_of
from dlcc.settings.nested import flattened, replaced

VALUES = st.one_of(st.integers(), st.floats(allow_nan=False), st.text(max_size=5), st.booleans())
CONFIGS = st.dictionaries(
    st.text("abc_", min_size=1, max_size=4),
    st.recursive(
        VALUES,
        lambda inner: st.one_of(
            st.lists(inner, min_size=1, max_size=3),
            st.dictionaries(st.text("abc_", min_size=1, max_size=4), inner, min_size=1, max_size=3),
        ),
        max_leaves=6,
    ),
    max_size=4,
)


@given(CONFIGS, st.data())
def test_a_replaced_value_is_found_again_and_nothing_else_changes(
    config: dict[str, Any], data: st.DataObject
) -> None:
    flat = flattened(config)
    if not flat:
        return
    path = data.draw(st.sampled_from(sorted(flat)))
    assert flattened(replaced(config, path, "new")) == {**flat, path: "new"}
    assert flattened(config) == flat


@pytest.mark.parametrize(
    ("path", "value", "role", "player"),
    [
        ("learning_rate_d", 1e-3, "rate", "discriminator"),
        ("d_lr", 1e-3, "rate", "discriminator"),
        ("discriminator_lr", 1e-3, "rate", "discriminator"),
        ("lrD", 1e-3, "rate", "discriminator"),
        ("optim.d.lr", 1e-3, "rate", "discriminator"),
        ("G.learning_rate", 1e-3, "rate", "generator"),
        ("lr", 1e-3, "rate", None),
        ("gamma", 1.0, "penalty", None),
        ("r1_gamma", 1.0, "penalty", None),
        ("gp_weight", 1.0, "penalty", None),
        ("lambda_gp", 1.0, "penalty", None),
        ("r2_gamma", 1.0, "r2", None),
        ("n_critic", 5, "repeats", "discriminator"),
        ("d_steps", 2, "repeats", "discriminator"),
        ("d_every", 2, "every", "discriminator"),
        ("critic_iters", 2, "repeats", "discriminator"),
        ("beta1", 0.5, "beta1", None),
        ("b1", 0.5, "beta1", None),
        ("momentum", 0.5, "beta1", None),
        ("ema", 0.9, "ema", None),
        ("ema_decay", 0.9, "ema", None),
        ("batch", 32, "batch", None),
        ("batch_size", 32, "batch", None),
        ("bs", 32, "batch", None),
        ("label_smoothing", 0.0, "smoothing", None),
        ("warmup_steps", 10, "warmup", None),
        ("weight_decay", 0.0, "weight_decay", None),
        ("z_dim", 8, "latent", None),
        ("latent", 8, "latent", None),
        ("gan_mode", "hinge", "loss", None),
        ("optimiser", "adam", "optimizer", None),
    ],
)
def test_keys_by_name(path: str, value: object, role: str, player: str | None) -> None:
    [key] = keys_of({path: value})
    assert (key.path, key.role, key.player) == (path, role, player)


@pytest.mark.parametrize(
    ("path", "value"),
    [("seed", 1), ("epochs", 5), ("width", 64), ("d_reg_every", 16), ("lr", "fast"), ("lr", True),
     ("lr", None), ("dataset", "x"), ("lr_gamma", 0.9), ("log_every", 10), ("steps", 100)],
)  # fmt: skip
def test_keys_that_mean_nothing_to_advice(path: str, value: object) -> None:
    assert [key.role for key in keys_of({path: value}) if key.role != "penalty"] == []


@pytest.mark.parametrize(
    ("path", "kind", "role"),
    [
        ("beta", "vae", "kl"),
        ("kl_weight", "vae", "kl"),
        ("kl_warmup", "vae", "anneal"),
        ("free_bits", "vae", "free_bits"),
        ("beta", "adversarial", "beta1"),
        ("bandwidth", "maps", "kernel"),
        ("sigma", "maps", "kernel"),
    ],
)
def test_some_keys_mean_another_thing_in_another_kind(path: str, kind: str, role: str) -> None:
    assert [key.role for key in keys_of({path: 0.5}, kind)] == [role]
