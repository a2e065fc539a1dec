"""GAN of table rows: encoding, packs, penalties, going on, and what its truth is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr

from dlcc.errors import OptionError
from dlcc.recipes import get_recipe, truth
from dlcc.recipes.tables import judge, table_gan
from dlcc.recipes.tables.data import DATA, load_table
from dlcc.recipes.tables.encoding import Encoding
from dlcc.recipes.train import train
from dlcc.runs import Run

SMALL = {"width": 8, "batch": 12, "packed": 3, "zdim": 4, "steps": 40}


def built(**settings: Any) -> table_gan.TableGAN:
    return table_gan.build({**SMALL, **settings})


@pytest.mark.parametrize("name", DATA)
def test_encoded_rows_are_normal_scores_in_the_order_of_the_table(name: str) -> None:
    table = load_table(name)
    encoding = Encoding.of(table)
    coded = encoding.encode(table.rows)
    assert coded.shape == (len(table.rows), encoding.width)
    for k in range(table.measured.shape[1]):
        assert spearmanr(coded[:, k], table.measured[:, k]).statistic == pytest.approx(1, abs=1e-6)
    assert np.abs(coded[:, : table.measured.shape[1]].mean(axis=0)).max() < 0.3
    back = encoding.decode(coded)
    np.testing.assert_allclose(back, table.rows, rtol=1e-3, atol=1e-3 * np.ptp(table.rows))
    assert np.array_equal(back[:, -1], table.rows[:, -1])


@pytest.mark.parametrize("name", DATA)
def test_samples_are_rows_within_the_table(name: str) -> None:
    table = load_table(name)
    rows = built(data=name).sample(50, 0).numpy()
    assert rows.shape == (50, table.rows.shape[1])
    assert np.all(rows[:, :-1] >= table.measured.min(axis=0) - 1e-6)
    assert np.all(rows[:, :-1] <= table.measured.max(axis=0) + 1e-6)
    assert set(rows[:, -1]) <= set(range(table.number))


def test_the_penalty_is_that_of_packs() -> None:
    """Of a linear discriminator, whose slope is its weight everywhere."""
    training = built(loss="wgangp")
    weight = torch.full((1, 3 * training.encoding.width), 0.5)
    linear = torch.nn.Linear(weight.shape[1], 1)
    linear.weight.data.copy_(weight)
    training.discriminator = linear
    real, noise = training.batch(0)
    fake = training.generator(*noise).detach()
    expected = (weight.norm().item() - 1) ** 2
    assert training.penalty(real, fake, 0).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("settings", [{}, {"loss": "ns", "dropout": 0.5, "optimizer": "sgd"}])
def test_a_training_goes_on_from_its_state_as_if_it_had_never_stopped(
    settings: dict[str, Any],
) -> None:
    whole, first, second = (built(**settings) for _ in range(3))
    rows = [whole.step(step) for step in range(6)]
    for step in range(3):
        first.step(step)
    second.load_state_dict(first.state_dict())
    assert [second.step(step) for step in range(3, 6)] == rows[3:]
    assert torch.equal(second.sample(5, 1), whole.sample(5, 1))


@pytest.mark.parametrize("name", DATA)
def test_the_judge_knows_rows_from_what_is_none(name: str) -> None:
    table = load_table(name)
    rng = np.random.default_rng(0)
    assert judge.CLASSES[name] == table.number
    real = truth.judge_samples(name, 0, table.rows)
    assert real.coverage == 1
    assert real.frechet == pytest.approx(0, abs=1e-6)
    assert real.quality > 0.95
    mixed = np.column_stack([rng.permutation(column) for column in table.rows.T])
    seen = truth.judge_samples(name, 0, mixed)
    assert seen.frechet is not None
    assert seen.quality < 0.8 or seen.frechet > truth.GOOD_FRECHET[name]
    one = truth.judge_samples(name, 0, np.repeat(table.rows[:1], 100, axis=0))
    assert one.coverage == 1 / table.number
    assert truth.judge_samples(name, 0, np.full_like(table.rows, np.nan)).coverage == 0


def test_a_run_names_its_table_and_is_judged(tmp_path: Path) -> None:
    judged = train("table-gan", tmp_path / "run", SMALL)
    run = Run.open(tmp_path / "run")
    assert run.manifest.data["modality"] == "table"
    assert run.manifest.data["categorical"] == [13]
    assert judged is not None
    assert judged.data == "wine"
    page = (tmp_path / "run" / "documents" / "method.md").read_text()
    assert "GAN of the table wine" in page
    assert "gradient penalty" in page


def test_packs_that_do_not_divide_the_batch_are_refused() -> None:
    with pytest.raises(OptionError, match="multiple of packed 3"):
        get_recipe("table-gan").configure({**SMALL, "batch": 10})
    with pytest.raises(OptionError, match="table-gan"):
        get_recipe("table-gan").configure({"loss": "vae"})
