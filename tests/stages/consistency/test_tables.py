"""Tables of documents against the configuration and the series."""

from __future__ import annotations

import numpy as np
import pytest

from dlcc.stages.consistency.ledger import Ledger
from dlcc.stages.consistency.tables import check_tables
from tests.stages.consistency.documented import dossier, record

LOSS = np.linspace(3.0, 0.5, 400)
FID = np.concatenate([np.linspace(90, 20, 300), np.linspace(20, 30, 100)])


def verdicts(*rows: tuple[str, ...], head: tuple[str, ...] = ("setting", "value")) -> list[str]:
    ledger = Ledger()
    check_tables(ledger, record(generator_loss=LOSS, metrics_fid=FID), dossier((head, *rows)))
    return [o.verdict for o in ledger.obligations]


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("batch", "64", "proved"),
        ("batch size", "64", "proved"),
        ("Batch size", "128", "refuted"),
        ("learning rate of the generator", "2e-4", "proved"),
        ("generator learning rate", r"$2 \cdot 10^{-4}$", "proved"),
        ("discriminator learning rate", "2e-4", "refuted"),
        ("learning rate", "2e-4", "unknown"),  # of whom?
        ("learning rate", "1e-3", "refuted"),
        (r"$\beta_1$", "0.5", "proved"),
        ("optimiser", "Adam", "proved"),
        ("optimiser", "SGD", "refuted"),
        ("batch size", "large", "unknown"),
    ],
)
def test_settings(name: str, value: str, verdict: str) -> None:
    assert verdicts((name, value)) == [verdict]


@pytest.mark.parametrize(
    ("name", "value", "verdict"),
    [
        ("final FID", "30.0", "held"),
        ("best FID", "20.0", "held"),
        ("FID ↓", "20.0 ± 0.2", "held"),
        ("final FID", "25.0", "unknown"),
        ("FID", "3.1", "refuted"),
        ("final generator loss", "0.50", "held"),
        ("generator loss", "7.5", "refuted"),
    ],
)
def test_results(name: str, value: str, verdict: str) -> None:
    assert verdicts((name, value), head=("metric", "value")) == [verdict]


def test_of_several_models_only_ours_is_compared() -> None:
    assert verdicts(("WGAN", "3.1"), ("ours", "30.0"), head=("model", "FID")) == ["held"]
    wide = ("WGAN", "3.1", "1"), ("ours", "3.1", "1")
    assert verdicts(*wide, head=("model", "FID", "x")) == ["refuted"]


def test_names_that_mean_nothing_here_are_left_alone() -> None:
    assert verdicts(("hardware", "8"), ("temperature", "300")) == []
