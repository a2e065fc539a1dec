"""The model of links: a choice among functions and none, calibrated."""

from __future__ import annotations

import numpy as np
import pytest

from dlcc.stages.decomposition.evidence import FEATURES
from dlcc.stages.decomposition.link_model import LinkModel, calibration_inputs, shipped_model

MODEL = LinkModel(
    weights=np.array([4.0, *np.zeros(len(FEATURES) - 1)]),
    nothing=2.0,
    calibration=np.array([0.0, 1.0, *np.zeros(8)]),
    threshold=0.5,
)


def rows(*values: list[float]) -> np.ndarray:
    """Evidence of which only the first column is not zero."""
    found = np.zeros((len(values), len(values[0]), len(FEATURES)))
    found[:, :, 0] = values
    return found


def test_functions_and_none_share_one_probability() -> None:
    choice = MODEL.choice(rows([1.0, 0.5, 0.5], [0.0, 0.0, 0.0]))
    assert (choice.sum(axis=1) < 1).all()
    assert choice[0] == pytest.approx(np.exp([4, 2, 2]) / np.exp([4, 2, 2, 2]).sum())


def test_the_less_speaks_for_any_the_likelier_is_none() -> None:
    _, p = MODEL.best(rows([1.0, 0.0], [0.5, 0.0], [0.0, 0.0]), ["a", "b"])
    assert p[0] > p[1] > p[2]
    assert p[2] < 0.2


def test_a_rival_makes_a_link_less_likely() -> None:
    chosen, p = MODEL.best(rows([1.0, 0.0], [1.0, 0.9]), ["a", "b"])
    assert chosen.tolist() == [0, 0]
    assert p[0] > p[1]


def test_what_a_choice_looks_like_tells_its_class_from_rivals_elsewhere() -> None:
    choice = np.array([[0.4, 0.4, 0.1]])
    inputs = calibration_inputs(choice, np.array([0]), ["a", "a", "b"], np.array([True]))
    assert inputs[0, :5] == pytest.approx([1, np.log(2 / 3), np.log(4), np.log(1 / 9), 1])
    assert inputs[0, 5:] == pytest.approx(inputs[0, :5])
    unnamed = calibration_inputs(choice, np.array([0]), ["a", "a", "b"], np.array([False]))
    assert not unnamed[0, 5:].any()


@pytest.mark.parametrize("what", ["formula", "sentence"])
def test_the_shipped_model_links_nothing_to_what_it_shares_nothing_with(what: str) -> None:
    model = shipped_model(what)
    nothing = np.zeros((1, 6, len(FEATURES)))
    assert model.best(nothing, [*"abcdef"])[1][0] < model.threshold
    assert 0.5 <= model.threshold < 1
