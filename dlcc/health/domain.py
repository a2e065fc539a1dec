"""Domain in which past runs may judge a training by its series alone, as benchmarks verified it.

Distances in the space of features do not tell: random series lie among past runs, which are of all
sorts. So the domain is declared, and outside of it only faults, quality metrics and samples that
are held against data speak.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from dlcc.health.windows import QUANTITIES
from dlcc.records import Config, Samples, Series

LOSSES = ("ns", "mm", "ls", "hinge", "wgangp")
"""Objectives of the past runs that verdicts by series were verified on."""
OPTIMIZERS = ("adam", "rmsprop", "sgd")
"""Optimisers of these past runs."""
FEWEST_ROWS = 200
"""Fewest rows of both players' losses over the whole length: of 2,500 steps every tenth."""
STEPS = (500, 10_000)
"""Configured lengths."""
RATES = (1e-6, 10.0)
"""Learning rates."""
MOST_FEATURES = 64
"""Numbers in a row of training data, and in a layer of the networks.

Series of GANs on images do not tell how these end: on 131 of them verdicts in words were wrong in
17 to 26 % (benchmarks/transfer.py)."""
DEPTH = 3
"""Hidden layers of the networks."""


@dataclass(frozen=True)
class Circumstances:
    """Circumstances of a training that its series do not tell."""

    length: int
    """Configured number of steps."""
    objective: Mapping[str, Any] = field(default_factory=dict)
    """Objective that the run declares."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """Configuration."""
    features: int | None = None
    """Numbers in a row of the training data; None where that is not known."""


def why_outside(series: Series, training: Circumstances) -> tuple[str, ...]:
    """Tell in what a training lies outside of the domain.

    Args:
        series: Logged quantities.
        training: Circumstances of the training.

    Returns:
        Reasons in words, none inside of the domain; each says what would have to be recorded.

    >>> why_outside(Series({}), Circumstances(2_500, {"loss": "ns"}))[0]
    'both losses are needed, generator/loss and discriminator/loss'
    """
    return (*_of_series(series, training.length), *_of_circumstances(training))


def circumstances_of(config: Config, samples: Samples | None) -> Circumstances:
    """Collect the circumstances of a run.

    Args:
        config: Configuration of the run.
        samples: Samples of the run; None without any.

    Returns:
        Its length, objective and configuration, and how wide a row of its training data is.
    """
    reference = None if samples is None else samples.reference
    width = None if reference is None else int(np.prod(reference.shape[1:]))
    return Circumstances(config.length, config.objective, config.config, width)


def _is_usual(rate: object) -> bool:
    """Whether a learning rate is one that past runs had."""
    if isinstance(rate, bool) or not isinstance(rate, int | float):
        return False
    return RATES[0] <= rate <= RATES[1]


def _are_small(config: Mapping[str, Any]) -> bool:
    """Whether the networks are no larger than those of past runs."""
    width, depth = config.get("width"), config.get("depth")
    return (
        isinstance(width, int)
        and isinstance(depth, int)
        and width <= MOST_FEATURES
        and depth <= DEPTH
    )


def _of_series(series: Series, length: int) -> Iterator[str]:
    losses = [name for name in QUANTITIES if name.endswith("/loss")]
    if any(name not in series for name in losses):
        yield f"both losses are needed, {' and '.join(losses)}"
        return
    rows = min(len(series[name].steps) for name in losses)
    in_all = round(rows * max(1.0, length / max(1, series.recorded)))
    if in_all < FEWEST_ROWS:
        yield (
            f"both losses are logged at a rate of {in_all:,} rows over the whole length, and "
            f"{FEWEST_ROWS} are needed"
        )


def _of_circumstances(training: Circumstances) -> Iterator[str]:
    config = training.config
    loss = training.objective.get("loss", config.get("loss"))
    if loss not in LOSSES:
        stated = "not stated" if loss is None else repr(str(loss))
        yield f"the objective is {stated}, and one of {', '.join(LOSSES)} is needed"
    if not STEPS[0] <= training.length <= STEPS[1]:
        yield f"the length is {training.length:,} steps; {STEPS[0]:,} to {STEPS[1]:,} were verified"
    rates = [config.get(key, config.get("lr")) for key in ("lr_g", "lr_d")]
    if not all(map(_is_usual, rates)):
        yield "the configuration names no learning rates lr_g and lr_d, or lr, that past runs had"
    optimizer = config.get("optimizer")
    if optimizer not in OPTIMIZERS:
        yield f"the configuration names no optimizer of {', '.join(OPTIMIZERS)}"
    if training.features is None and not _are_small(config):
        yield "neither the training data nor the networks' sizes are recorded"
    elif training.features is not None and training.features > MOST_FEATURES:
        yield (
            f"a row of the training data has {training.features:,} numbers; past runs that were "
            f"verified had up to {MOST_FEATURES}"
        )
