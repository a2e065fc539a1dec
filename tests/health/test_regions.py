"""Regions of training data are sought once for the same data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from dlcc.health.regions import centres_of_regions


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_the_same_data_are_cut_once(
    kind: type[np.floating], own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    points = np.random.default_rng(0).standard_normal((40, 2)).astype(kind)
    found = centres_of_regions(points)
    monkeypatch.setattr("sklearn.cluster.KMeans", None)  # asked no more
    again = centres_of_regions(points)
    assert again.dtype == found.dtype
    np.testing.assert_array_equal(again, found)
    (entry,) = own_cache.glob("regions/*/*.json")
    entry.write_text("{")  # cut off: no entry
    with pytest.raises(TypeError, match="not callable"):
        centres_of_regions(points)
    with pytest.raises(TypeError, match="not callable"):
        centres_of_regions(points + 1)
