"""Judge of generated table rows: whether a row has the class that its measurements say.

The classifier is a logistic regression on standardised measurements, fitted to the table; it and
the distance know nothing of the ranks and products in which health compares rows.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dlcc.metrics.frechet_distances import frechet_distance
from dlcc.recipes.tables.data import DATA, load_table

CLASSES = {"wine": 3, "breast_cancer": 2}
"""Name of the table to its number of classes."""
SURE = 0.5
"""Probability of its own class from which on a row is good."""


class Seen(NamedTuple):
    """Sight of rows."""

    histogram: NDArray[np.int64]
    """Number of good rows of each class."""
    distance: float
    """Fréchet distance of standardised measurements to the table's, over their number."""


@lru_cache(maxsize=len(DATA))
def _classifier(name: str) -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    table = load_table(name)
    fitted = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2_000))
    return fitted.fit(table.measured, table.classes)


def see(name: str, rows: NDArray[Any]) -> Seen:
    """See classes, and the distance to the table, in finite rows [n, d].

    >>> seen = see("wine", load_table("wine").rows)
    >>> seen.histogram.tolist(), round(seen.distance, 6)
    ([59, 71, 48], 0.0)
    """
    table, classifier = load_table(name), _classifier(name)
    given = np.asarray(rows, dtype=np.float64)
    own = given[:, -1].astype(np.int64)
    p = classifier.predict_proba(given[:, :-1])[np.arange(len(given)), own]
    scale = classifier[0].transform
    distance = frechet_distance(scale(given[:, :-1]), scale(table.measured))
    counts = np.bincount(own[p >= SURE], minlength=table.number)
    return Seen(counts.astype(np.int64), float(distance / table.measured.shape[1]))
