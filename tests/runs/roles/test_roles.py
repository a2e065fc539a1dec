"""Roles of columns: names word by word, and the series as second witnesses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from dlcc.runs.raw_table import RawColumn, RawTable
from dlcc.runs.roles import map_roles, role_of_name


def table(**columns: Sequence[float]) -> RawTable:
    cells = {name: RawColumn.of_cells([*values]) for name, values in columns.items()}
    return RawTable("CSV", (Path("a.csv"),), cells, rows=max(map(len, columns.values())))


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("lossD", "discriminator/loss"), ("errG", "generator/loss"),
        ("d_loss", "discriminator/loss"),
        ("train/gen_loss_epoch", "generator/loss"), ("criticLoss", "discriminator/loss"),
        ("Loss/scores/real", "discriminator/real"), ("D(x)", "discriminator/real"),
        ("D(G(z))", "discriminator/fake"), ("D(G(z)) (2)", "discriminator/fake_after"),
        ("loss_d_real", "discriminator/loss_real"), ("netD_grad_norm", "discriminator/grad_norm"),
        ("g_adv_loss", "generator/adversarial"), ("G_GAN", "generator/adversarial"),
        ("G_L1", "generator/reconstruction"), ("cycle_A", "generator_a/cycle"),
        ("D_B", "discriminator_b/loss"), ("Loss/r1_penalty", "discriminator/penalty"),
        ("gp", "discriminator/penalty"), ("kld_loss", "model/kl"),
        ("recon_loss", "model/reconstruction"),
        ("val_loss", "validation/loss"), ("eval_generator_loss", "validation/generator_loss"),
        ("FID", "metrics/fid"), ("fid50k_full", "metrics/fid"), ("val/psnr", "metrics/psnr"),
        ("Inception score", "metrics/is"), ("kid5k", "metrics/kid"),
        ("learning_rate", "lr"),  ("epoch_seconds", "time"), ("d_acc", "discriminator/accuracy"),
        ("判别器损失", "discriminator/loss"), ("generator/update_norm", "generator/update_norm"),
        ("loss", "model/loss"), ("D_real", "discriminator/real_or_loss"),
        ("lr-Adam", "lr"), ("lr-AdamW/pg1", "lr"), ("lr-SGD-1", "lr"),
        ("vq_perplexity", "model/perplexity"), ("perplexity", "metrics/perplexity"),
        ("codebook_usage", "model/codebook_usage"), ("n_used_codes", "model/codebook_usage"),
        ("Progress/augment", "augmentation"), ("ada/rt", "discriminator/sign_real"),
        ("convergence_measure", "discriminator/convergence"), ("balance", "discriminator/balance"),
    ],
)  # fmt: skip
def test_names(name: str, role: str) -> None:
    found, why = role_of_name(name)
    assert found is not None, why
    assert found.name == role


@pytest.mark.parametrize("name", ["zorp", "my_metric", "x", "42", "", "zorp_real_loss"])
def test_a_word_that_stays_unexplained_gives_no_role(name: str) -> None:
    assert role_of_name(name)[0] is None


@pytest.mark.parametrize("name", ["zorp_loss", "foo bar loss", "train_arcface_loss"])
def test_a_loss_of_an_unknown_name_is_a_part_that_is_not_read(name: str) -> None:
    found = map_roles(table(**{name: [1, 2], "d_loss": [1, 2], "g_loss": [1, 2]}))
    assert set(found.series()) == {"discriminator/loss", "generator/loss"}
    assert found.left_out == (name,)


def test_sides_that_add_up_to_the_loss_are_its_parts() -> None:
    rng = np.random.default_rng(0)
    real, fake = rng.uniform(0.1, 1, (2, 40))
    found = map_roles(table(D_loss=real / 2 + fake / 2, D_real=real, D_fake=fake, G_loss=fake))
    assert found.series()["discriminator/loss_real"] == "D_real"


def test_sides_below_zero_are_outputs() -> None:
    found = map_roles(table(D_loss=[1, 1, 1], D_real=[-2, 3, 1], D_fake=[-3, -4, 0]))
    assert found.series()["discriminator/real"] == "D_real"


def test_sides_beside_parts_of_the_loss_are_outputs() -> None:
    found = map_roles(table(l_d_real=[0.1, 0.2], l_d_fake=[0.1, 0.2], D_real=[2, 3], D_fake=[1, 0]))
    assert found.series()["discriminator/real"] == "D_real"
    assert found.series()["discriminator/loss_real"] == "l_d_real"


def test_a_side_of_held_out_rows_is_what_the_others_are() -> None:
    found = map_roles(
        table(D_loss=[1, 1, 1], D_real=[-2, 3, 1], D_fake=[-3, -4, 0], D_val_real=[-2, 1, 0])
    )
    assert found.series()["validation/discriminator_real"] == "D_val_real"


def test_a_perplexity_is_the_codebooks_where_there_is_one() -> None:
    found = map_roles(table(perplexity=[1, 2], commitment_loss=[1, 2], loss=[1, 2]))
    assert found.series()["model/perplexity"] == "perplexity"
    assert "metrics/perplexity" in map_roles(table(perplexity=[1, 2], loss=[1, 2])).series()


def test_m_beside_k_is_the_measure_of_a_boundary_equilibrium() -> None:
    found = map_roles(table(D_loss=[1, 2], G_loss=[1, 2], M=[1, 2], k=[0, 1]))
    assert found.series()["discriminator/convergence"] == "M"
    assert "discriminator/convergence" not in map_roles(table(D_loss=[1, 2], M=[1, 2])).series()


def test_sides_without_another_loss_are_its_parts() -> None:
    found = map_roles(table(G_GAN=[1, 2], G_L1=[50, 40], D_real=[0.1, 0.2], D_fake=[0.3, 0.2]))
    assert found.series()["discriminator/loss_real"] == "D_real"


def test_what_cannot_be_told_is_asked_for() -> None:
    found = map_roles(table(D_loss=[1, 1.1, 1.2], D_real=[0.5, 1.4, 0.6], D_fake=[0.7, 0.4, 0.6]))
    assert "discriminator/real" not in found.series()
    (question,) = found.questions
    assert "--map discriminator/real=D_real or --map discriminator/loss_real=D_real" in question
    settled = map_roles(
        table(D_loss=[1, 1.1, 1.2], D_real=[0.5, 1.4, 0.6]),
        mapping={"discriminator/real": "D_real"},
    )
    assert settled.series()["discriminator/real"] == "D_real"
    assert settled.questions == ()


def test_a_loss_of_no_player_is_the_generators_beside_a_discriminator() -> None:
    found = map_roles(table(loss=[3, 2], disc_loss=[1, 1]))
    assert found.series() == {"generator/loss": "loss", "discriminator/loss": "disc_loss"}


def test_a_sum_beside_the_adversarial_part() -> None:
    found = map_roles(table(aeloss=[3, 2], g_loss=[1, 1], disc_loss=[1, 1]))
    assert found.series()["generator/loss"] == "aeloss"
    assert found.series()["generator/adversarial"] == "g_loss"


def test_a_gen_loss_without_a_discriminator_is_the_reconstruction() -> None:
    found = map_roles(table(gen_loss=[3, 2], KLD=[1, 1], total_loss=[4, 3]))
    assert found.series() == {
        "model/reconstruction": "gen_loss", "model/kl": "KLD", "model/loss": "total_loss",
    }  # fmt: skip


def test_of_several_columns_of_one_role_one_is_read() -> None:
    cells = {name: RawColumn.of_cells([1.0, 2.0]) for name in ("loss_d", "loss_d (mean)")}
    found = map_roles(RawTable("log", (Path("a"),), cells, rows=2))
    assert found.series() == {"discriminator/loss": "loss_d"}
    (other,) = (c for c in found.columns if not c.used)
    assert "loss_d is read instead" in other.why
