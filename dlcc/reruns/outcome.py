"""Outcome of a rerun, judged from its record alone, as the run itself is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from dlcc.errors import ForeignCodeError
from dlcc.health.curves import Curves, run_vector
from dlcc.health.definitions import sample_steps
from dlcc.health.feature_reference import FeatureReference
from dlcc.health.good import pattern_of
from dlcc.health.run_features import run_features
from dlcc.health.samples import AnyReference, sample_features
from dlcc.health.windows import window_features
from dlcc.kinds import TrainingKind
from dlcc.kinds.gan import GAN
from dlcc.past_runs.health_model import HealthModel
from dlcc.past_runs.store import COMPLETE, Library
from dlcc.records import Outcome, Samples, Series, most_probable
from dlcc.typing import Floats

SAMPLE_STEPS = 24


@dataclass(frozen=True)
class Recorded:
    """Record of a rerun that came to its end."""

    series: Series
    """Logged quantities of every step."""
    samples: Sequence[Floats]
    """Samples [n, ...] at each of `steps_to_sample`; empty where there is no training data to
    compare them with."""


@dataclass(frozen=True)
class Refused:
    """Rerun that the run's code did not bring to its end: it does not know the setting, say."""

    error: ForeignCodeError
    """Error of the run's code."""


def steps_to_sample(length: int) -> list[int]:
    """Steps before which a rerun is sampled, equally spaced, the last at its end."""
    return sorted({max(1, step) for step in sample_steps(length, SAMPLE_STEPS)})


@dataclass(frozen=True)
class Judge:
    """Judge of the reruns of one run."""

    library: Library
    """Past runs that the judgement is calibrated on."""
    reference: AnyReference | None
    """Training data to compare samples with; without it the series alone are judged."""
    kind: TrainingKind = GAN
    """Kind of the training."""

    @cached_property
    def _model(self) -> HealthModel:
        return HealthModel(self.library, self.reference is None, self.kind)

    def __call__(self, recorded: Recorded, length: int) -> Outcome:
        """Judge how a training of `length` steps ended."""
        samples = None
        if self.reference is not None:
            samples = np.array([sample_features(x, self.reference) for x in recorded.samples])
        curves = Curves(
            window_features(recorded.series, length, self.kind),
            samples,
            self.kind,
            isinstance(self.reference, FeatureReference),
        )
        return self._outcome(curves)

    def of_run(
        self, series: Series, samples: Samples | None, length: int, like: Recorded
    ) -> Outcome | None:
        """Judge how the run itself ended, by what its reruns are judged by.

        Args:
            series: Logged quantities of the run.
            samples: Its samples; None where there are none.
            length: Configured number of steps.
            like: Record of one of the reruns.

        Returns:
            The outcome; None where the run has not come to its end, has no samples to be held
            against data as those of its reruns are, or without samples logged less than these.
        """
        if series.recorded < COMPLETE * length:
            return None
        told = None if self.reference is None else samples
        features = run_features(series, told, length, kind=self.kind)
        if features.series_only != (self.reference is None):
            return None
        if features.series_only:
            theirs = window_features(like.series, length, self.kind)
            if pattern_of(features.curves.windows) != pattern_of(theirs):
                return None
        return self._outcome(features.curves)

    def _outcome(self, curves: Curves) -> Outcome:
        vector = run_vector(curves, self.library.good(curves))
        probabilities = self._model.labels(vector)
        return Outcome(most_probable(probabilities), probabilities["healthy"], vector["good_half"])
