"""Score of a window: the quality of what the model makes, and the stability of its gradients."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from dlcc.control.akde_bo.quality import SAMPLES, SampleQuality
from dlcc.landscape.model_state import unchanged
from dlcc.recipes.averaged_weights import AveragedWeights

LEAST_TRACE, MOST_TRACE = 1e-12, 1e30
"""Traces of covariance between which stability is told apart."""


class WindowScore:
    """Measures of a window, gathered as it passes.

    Quality is the user's own; or minus the decimal logarithm of the reconstruction error, where
    errors were shown; or what a GAN's discriminator believes of samples, or how near these come to
    training rows.

    Args:
        rival: Discriminator that quality is judged by; None to compare with training rows.
        quality: Quality of the user's own.
        sample: Function of a number n and a seed that draws samples.
        average: Average that the samples are drawn from.

    >>> score = WindowScore()
    >>> for error in (0.2, 0.0):
    ...     score.see({"error": error})
    >>> score.note_trace(10.0)
    >>> score.figures(window=0)
    (1.0, -1.0)
    """

    def __init__(
        self,
        rival: nn.Module | None = None,
        quality: Callable[[], float] | None = None,
        sample: Callable[[int, int], Tensor] | None = None,
        average: AveragedWeights | None = None,
    ) -> None:
        self._rival, self._quality, self._sample, self._average = rival, quality, sample, average
        self._samples = SampleQuality()
        self._errors, self._traces = [0.0, 0.0], [0.0, 0.0]
        self.measures_errors = False
        """Whether quality is an error, which has no known scale."""

    def see(self, tensors: Mapping[str, Any]) -> None:
        """Take in what a step showed: `real`, `fake`, `error`.

        Args:
            tensors: Batches [n, ...], and the reconstruction error, a number.
        """
        self._samples.see(tensors.get("real"), None if self._sample else tensors.get("fake"))
        if "error" in tensors:
            error = tensors["error"]
            self._errors[0] += float(error.detach() if isinstance(error, Tensor) else error)
            self._errors[1] += 1

    def note_trace(self, trace: float) -> None:
        """Take in the trace of the rows' gradients' covariance in a step.

        Args:
            trace: The trace.
        """
        self._traces[0] += trace
        self._traces[1] += 1

    def figures(self, window: int) -> tuple[float, float]:
        """Score the window, and begin the next.

        Args:
            window: Number of the window, by which samples are drawn.

        Returns:
            Quality, NaN where it is no number; and stability, minus the decimal logarithm of the
            mean trace, 0 where none was noted.
        """
        if self._quality is not None:
            quality = float(self._quality())
        elif self._errors[1]:
            quality = -math.log10(max(self._errors[0] / self._errors[1], 1e-30))
            self.measures_errors = True
        elif self._rival is not None:
            quality = self._believed(self._rival, window)
        else:
            quality = self._samples.of(self._drawn(window))
        stability = 0.0
        if self._traces[1]:
            trace = self._traces[0] / self._traces[1]
            trace = MOST_TRACE if math.isnan(trace) else min(MOST_TRACE, max(trace, LEAST_TRACE))
            stability = -math.log10(trace)
        self._errors, self._traces = [0.0, 0.0], [0.0, 0.0]
        return quality, stability

    def _drawn(self, window: int) -> Tensor | None:
        """Samples of the window's end, of the averaged weights where there are such."""
        if self._sample is None:
            return None
        if self._average is None:
            return self._sample(SAMPLES, window)
        with self._average.applied():
            return self._sample(SAMPLES, window)

    def _believed(self, rival: nn.Module, window: int) -> float:
        """Mean probability that the discriminator gives samples (AKDE-BO, section 3.2)."""
        samples = self._drawn(window)
        samples = self._samples.last_fake if samples is None else samples
        if samples is None:
            return math.nan
        with unchanged(rival), torch.no_grad():
            return float(rival(samples).sigmoid().mean())

    def state_dict(self) -> dict[str, Any]:
        """Copy what was gathered."""
        return {
            "samples": self._samples.state_dict(),
            "errors": list(self._errors),
            "traces": list(self._traces),
            "measures_errors": self.measures_errors,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state of `state_dict`."""
        self._samples.load_state_dict(state["samples"])
        self._errors, self._traces = list(state["errors"]), list(state["traces"])
        self.measures_errors = state["measures_errors"]
