"""Features of sounds: the logarithm of their spectra in bands, its mean and its changes in time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from dlcc.typing import Floats, Rows

_BANDS, _FRAME = 32, 256
_QUIET = 1e-4  # of the loudest band: what lies below it is silence


@dataclass(frozen=True)
class LogSpectra:
    """Features of sounds [n, t] or [n, channels, t]: level and change of each band of frequencies.

    Frames of 256 values overlap by half under a Hann window; bands are equally wide in the
    logarithm of the frequency. The features are the mean over time and the standard deviation of
    each band's log power.

    >>> time = np.arange(2_000) / 8_000
    >>> tones = np.sin(2 * np.pi * np.array([[200.0], [2_000.0]]) * time)
    >>> features = LogSpectra.of(tones)(tones)
    >>> levels = features[:, : features.shape[1] // 2]
    >>> bool(levels[0].argmax() < levels[1].argmax())
    True
    """

    scale: float
    """Root mean square of the reference."""
    name: str = "log spectra"
    """Name that reports show."""

    @classmethod
    def of(cls, reference: Rows) -> LogSpectra:
        """Make the features for sounds as loud as a reference.

        Args:
            reference: Sounds [n, t] or [n, channels, t], finite, t at least 64.

        Returns:
            Features.
        """
        return cls(max(float(np.sqrt(np.mean(np.square(reference)))), 1e-12))

    def __call__(self, sounds: Rows) -> Floats:
        """Compute features.

        Args:
            sounds: Sounds [n, t] or [n, channels, t], finite.

        Returns:
            Features [n, 2 · bands · channels], with up to 32 bands.
        """
        waves = np.asarray(sounds, dtype=np.float64) / self.scale
        waves = waves[:, None] if waves.ndim == 2 else waves
        length = waves.shape[-1]
        frame = min(_FRAME, length)
        frames = np.lib.stride_tricks.sliding_window_view(waves, frame, axis=-1)
        frames = frames[..., :: max(1, frame // 2), :] * np.hanning(frame)
        power = np.abs(np.fft.rfft(frames, axis=-1)) ** 2 / frame
        bins = power.shape[-1]
        edges = np.unique(np.geomspace(1, bins, min(_BANDS, bins - 1) + 1).round().astype(int))
        bands = np.add.reduceat(power, edges[:-1], axis=-1)
        logs = np.log(bands + _QUIET)
        found = np.concatenate([logs.mean(axis=-2), logs.std(axis=-2)], axis=-1)
        return np.asarray(found.reshape(len(waves), -1))
