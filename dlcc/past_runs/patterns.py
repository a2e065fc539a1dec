"""Patterns of what records have: for each a forest ships, so that none is grown at a call.

A record is forecast by the figures of the richest pattern that it has all of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dlcc.health.curves import OF_ROWS_AS_GIVEN
from dlcc.past_runs.configuration import CONFIG_FEATURES

Lacking = tuple[str, ...]
"""Names of `PARTS` that the records of a pattern lack."""

PARTS: Mapping[str, Callable[[str], bool]] = {
    "configuration": lambda name: name in CONFIG_FEATURES,
    "rows as given": lambda name: name in OF_ROWS_AS_GIVEN,
    "gradients and outputs": lambda name: any(
        part in name for part in ("_grad", "gradient_", "margin")
    ),
    "deviations": lambda name: "_sd_" in name,
}
"""Part of a record to whether a figure needs it.

Figures of samples compared as rows are given mean something else in a space of features; deviations
within windows mean something else in records of sparse rows.
"""

WITH_SAMPLES: Sequence[Lacking] = (
    (),
    ("configuration",),
    ("rows as given",),
    ("configuration", "rows as given"),
    ("configuration", "rows as given", "deviations"),
    ("configuration", "rows as given", "gradients and outputs"),
    ("configuration", "rows as given", "gradients and outputs", "deviations"),
)
"""Patterns of records with samples, the richest first."""
SERIES_ONLY: Sequence[Lacking] = (
    (),
    ("configuration",),
    ("deviations",),
    ("gradients and outputs",),
    ("gradients and outputs", "deviations"),
    ("configuration", "deviations"),
    ("configuration", "gradients and outputs"),
    ("configuration", "gradients and outputs", "deviations"),
)
"""Patterns of records without samples, the richest first."""


SPACE = ("all but figures in a space of features",)
"""Name of the forest for runs whose samples are compared in a space of features: by these figures
alone, of past runs that have them. Windows, and small GANs beside them, make it worse."""


CONFIGURATION = "configuration"
"""Name of the forest on `CONFIGURED` of past runs of all sorts, however far they are."""
CONFIGURED = tuple(
    name
    for name in CONFIG_FEATURES
    if name in ("lr_g", "lr_d", "lr_ratio", "beta1", "batch")
    or name.startswith(("loss_", "optimizer_"))
)
"""Figures of the configuration that any GAN has, of whatever networks."""


def patterns(*, series_only: bool) -> Sequence[Lacking]:
    """Patterns of records with samples, or of those without, the richest first."""
    return SERIES_ONLY if series_only else WITH_SAMPLES


def figures_of(lacking: Lacking, names: Sequence[str]) -> tuple[str, ...]:
    """Select the figures of a pattern.

    Without gradients or outputs P(good) is none that past runs have, so that it is left out of what
    has no samples.

    Args:
        lacking: Parts that the pattern lacks.
        names: Names of all figures, those of the configuration included.

    Returns:
        Those that need none of these parts, in their order.

    >>> names = ("good_last", "generator_loss_last", "margin_last", "lr_g")
    >>> figures_of(("configuration",), names)
    ('good_last', 'generator_loss_last', 'margin_last')
    >>> figures_of(("gradients and outputs",), names)
    ('generator_loss_last', 'lr_g')
    """
    with_samples = "coverage_last" in names
    partial = not with_samples and {"gradients and outputs", "deviations"} & {*lacking}
    return tuple(
        name
        for name in names
        if not any(PARTS[part](name) for part in lacking)
        and not (partial and name.startswith("good_"))
    )
