"""Decision whether P(healthy) is far enough from one half for a verdict in words.

The margins are set so that about one verdict in twenty is wrong, on past runs whose setting and,
where that is asked for, whose data set the fits had not seen (benchmarks/selective_risk.py,
benchmarks/verdicts_on_images.py).
"""

from __future__ import annotations

from dlcc.scoring.calibration import Probability

BY_SAMPLES = 0.25
"""Margin with samples that were held against data; it holds on data sets left out, too."""
BY_FEATURES = 0.4
"""Margin with samples that were compared in a space of features: GANs that are nearly good look
like good ones there (benchmarks/verdicts_on_images.py)."""
BY_FORECAST = 0.25
"""Margin by series alone, from the past runs that ran as this one did."""
BY_SERIES = 0.35
"""Margin by series alone, from a few of their figures, where no forecast was made."""
ON_OTHER_DATA = 0.4
"""Margin by series alone, on data that no past run was trained on."""


def is_decided(
    probability: Probability, *, by_samples: bool, known_data: bool, in_features: bool = False
) -> bool:
    """Tell whether a verdict can be given in words.

    Args:
        probability: P(healthy) of the run and what it comes from.
        by_samples: Whether samples were held against training data.
        known_data: Whether past runs were trained on the same data.
        in_features: Whether samples were compared in a space of features.

    Returns:
        True where P(healthy), were the record true, is at least the margin away from one half.

    >>> import numpy as np
    >>> likely = Probability(np.full(9, 0.8), np.ones(9), "the record")
    >>> is_decided(likely, by_samples=True, known_data=False)
    True
    >>> is_decided(likely, by_samples=True, known_data=False, in_features=True)
    False
    >>> is_decided(likely, by_samples=False, known_data=False)
    False
    """
    if by_samples:
        margin = BY_FEATURES if in_features else BY_SAMPLES
    elif not known_data:
        margin = ON_OTHER_DATA
    else:
        margin = BY_FORECAST if probability.by == "the forecast" else BY_SERIES
    return abs(float(probability.healthy.mean()) - 0.5) >= margin
