"""Bad input: one sentence that repeats what was given and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from dlcc import metrics
from dlcc.metrics import inputs
from tests.metrics.conftest import normal

PAIRS: list[Callable[[Any, Any], Any]] = [
    metrics.squared_mmd,
    metrics.energy_distance,
    metrics.kid,
    metrics.frechet,
    metrics.frechet_infinity,
    metrics.sliced_wasserstein,
    metrics.precision_recall,
    metrics.density_coverage,
    metrics.kl_divergence,
    metrics.permutation_test,
]
GOOD = np.random.default_rng(0).standard_normal((2500, 3))


def with_bad(value: float, dtype: type = np.float64) -> np.ndarray[Any, Any]:
    rows = GOOD.astype(dtype)
    rows[[3, 7], [0, 2]] = value
    return rows


@pytest.mark.parametrize("function", PAIRS, ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros(5), r"generated has the shape \[5\]; expected rows \[n, features\]"),
        (np.zeros((5, 0)), r"generated has the shape \[5, 0\]"),
        (np.zeros((9, 3, 8, 8)), r"\[9, 3, 8, 8\]; .*reshape images"),
        (GOOD[:1], r"generated has 1 rows; this needs at least \d: draw more"),
        (with_bad(np.nan), "2 of the 2500 rows of generated are not finite.*leave them out"),
        (with_bad(-np.inf, np.float16), "2 of the 2500 rows of generated are not finite"),
        (with_bad(1e21), "2 of the 2500 rows of generated are not finite, or beyond 1e20"),
        (GOOD * 1j, "generated is of type complex128; expected real numbers"),
        (np.array([["a", "b", "c"]] * 9), "generated is of type <U1"),
        (GOOD[:, :2], "generated has 2 features and data 3; expected the same"),
    ],
)
def test_rows_that_cannot_be_used(function: Callable[..., Any], rows: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        function(rows, GOOD)


@pytest.mark.parametrize("function", PAIRS, ids=lambda f: f.__name__)
def test_the_data_are_named_too(function: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="2 of the 2500 rows of data are not finite"):
        function(GOOD, with_bad(np.inf))


@pytest.mark.parametrize("function", PAIRS, ids=lambda f: f.__name__)
def test_inputs_of_any_real_type_are_left_as_they_are(function: Callable[..., Any]) -> None:
    x, y = np.round(GOOD * 50).astype(np.int16), np.round(normal(2500, 3, 1) * 50).astype(np.int16)
    x += np.arange(7500).reshape(2500, 3).astype(np.int16)  # no copies
    y += np.arange(7500).reshape(2500, 3).astype(np.int16)
    before = x.copy(), y.copy()
    whole = function(x, y)
    np.testing.assert_array_equal(x, before[0])
    np.testing.assert_array_equal(y, before[1])
    assert repr(function(x.astype(np.float64), y.tolist())) == repr(whole)


@pytest.mark.parametrize("function", PAIRS, ids=lambda f: f.__name__)
@pytest.mark.parametrize("scale", [1e-19, 1e19])
def test_rows_of_any_scale_stay_within_range(function: Callable[..., Any], scale: float) -> None:
    found = function(GOOD * scale, GOOD[::-1] * scale * 0.5)
    if isinstance(found, metrics.Measured):
        assert np.isfinite([found.value, found.error]).all()


@pytest.mark.parametrize(
    ("count", "words"),
    [
        (0, "k is 0; expected 1 or more"),
        (2.5, "k is 2.5; expected a whole number"),
        (True, "k is True; expected a whole number"),
    ],
)
def test_counts(count: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        metrics.precision_recall(GOOD, GOOD, k=count)


def test_blocks_hold_few_numbers_however_wide_the_rows() -> None:
    assert inputs.side(2) == inputs.BLOCK_ROWS
    assert inputs.side(1 << 20) * (1 << 20) <= inputs.BLOCK_VALUES
    assert inputs.side(1 << 30) == 1
    slices = list(inputs.parts(np.zeros((5000, 4))))
    assert [s.stop for s in slices[:-1]] == [s.start for s in slices[1:]]
    assert slices[-1].stop == 5000


def test_the_mean_is_summed_in_double_precision() -> None:
    rows = (1e4 + normal(20_000, 2, 0)).astype(np.float32)
    np.testing.assert_allclose(inputs.mean_of(rows), rows.mean(axis=0, dtype=np.float64))
