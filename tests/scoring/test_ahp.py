"""AHP weights against closed forms, and judgement files that cannot be used."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dlcc.errors import OptionError
from dlcc.scoring.ahp import ahp_weights, principal_weights
from dlcc.scoring.value import SEED_TERMS


@given(st.lists(st.floats(0.2, 1.7), min_size=2, max_size=8))
def test_consistent_judgements_give_back_their_weights(raw: list[float]) -> None:
    w = np.array(raw) / sum(raw)
    weights, ratio = principal_weights(w[:, None] / w[None, :])
    assert weights == pytest.approx(w)
    assert ratio == pytest.approx(0, abs=1e-9)


def test_saatys_example_of_a_consistency_ratio() -> None:
    # Saaty (1980): 1, 3, 5 / 1, 3 / 1: largest eigenvalue 3.0385
    matrix = np.array([[1, 3, 5], [1 / 3, 1, 3], [1 / 5, 1 / 3, 1]])
    weights, ratio = principal_weights(matrix)
    assert weights == pytest.approx([0.637, 0.258, 0.105], abs=1e-3)
    assert ratio == pytest.approx(0.0385 / 2 / 0.58, abs=1e-3)


def test_the_default_file_weighs_every_term_of_the_formula() -> None:
    weights = ahp_weights()
    assert set(weights) == set(SEED_TERMS)
    assert sum(weights.values()) == pytest.approx(1)
    assert max(weights, key=lambda n: weights[n]) == "impact"


@pytest.mark.parametrize(
    ("judgements", "says"),
    [
        ({"a : b": 9, "b : c": 9, "a : c": "1/9"}, "consistency ratio"),
        ({"a : b": 3, "b : a": 3}, "reciprocal"),
        ({"a : b": 3, "c : d": 2}, "no judgement for 'a : c'"),
        ({"a : b": 0}, "1/9 to 9"),
        ({"a : b": "many"}, "1/9 to 9"),
        ({"a": 2}, "term : term"),
        ({}, "expected an object"),
        ([1], "expected an object"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(
    judgements: object, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "pairwise_judgements.json"
    path.write_text(json.dumps({"judgements": judgements}))
    with pytest.raises(OptionError, match=says) as error:
        ahp_weights(path)
    assert str(path) in str(error.value)


def test_a_file_that_is_no_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "j.json").write_text("{")
    with pytest.raises(OptionError, match=r"j\.json"):
        ahp_weights(tmp_path / "j.json")
