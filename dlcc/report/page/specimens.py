"""Specimens: samples of a run at one step, or its real data, as something to look at or hear."""

from __future__ import annotations

import base64
import io
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from dlcc.charts.chart import Chart, Trace, drawable
from dlcc.records import HealthRecord, Samples
from dlcc.records.run_parts import modality_of
from dlcc.report.text import percent_alone
from dlcc.runs.formats.sample_rows import in_layout
from dlcc.typing import Floats

_ACROSS = 5
_POINTS = 400
_SOUNDS = 3
_RATE = 16_000  # samples a second, where the record does not say
_FROM_A_CORNER = np.array([[-0.5, -0.37], [0.87, -0.21], [0.0, 0.91]])  # of a box, from above
_OVER_TIME = 6
_MOMENTS = 3
_COLUMNS = 4  # of a table, in pair plots
_GOOD = 0.5
_AS_GOOD = 0.02  # of P(good): no sample step is told from another by less


@dataclass(frozen=True)
class Specimen:
    """Samples of one step, or real data."""

    title: str
    """Name, such as `Step 880, the best`."""
    note: str
    """Figure found of it, in a few words; empty for none."""
    image: str | None = None
    """Picture as the address of its own data; None for points."""
    across: int = 0
    """Pixels of the picture from left to right."""
    chart: Chart | None = None
    """Points in a plane; None for images and sounds."""
    sounds: tuple[str, ...] = ()
    """Sounds as addresses of their own data."""

    @property
    def words(self) -> str:
        """Description for who cannot see the picture."""
        return f"{self.title}. {self.note}".strip().removesuffix(".") + "."


@dataclass(frozen=True)
class Shown:
    """Specimens of a run."""

    first: tuple[Specimen, ...]
    """Real data, and the best step, the onset and the end."""
    over_time: tuple[Specimen, ...]
    """Real data, and steps evenly spread over the training."""
    best: int | None
    """Best sample step; None where none was judged."""
    reconstructions: tuple[Specimen, ...] = ()
    """Data, what an autoencoder made of them, and their latents."""
    pairs: tuple[Specimen, ...] = ()
    """Pairs of columns at the end, for rows that are neither images nor sounds nor points."""


def specimens(
    samples: Samples | None, health: HealthRecord | None, onset: int | None = None
) -> Shown | None:
    """Choose and picture samples of a run; None without samples.

    Args:
        samples: Samples of the run.
        health: Health of the run; None where it was not judged.
        onset: Onset of the verdict; None where it has none.

    >>> from dlcc.runs import Run
    >>> shown = specimens(Samples.of(Run.open("runs/ring-oscillating"), None), None)
    >>> [s.title for s in shown.first]
    ['Real data', 'Step 75, the first', 'Step 1,575', 'Step 3,000, the end']
    """
    if samples is None or not samples.steps:
        return None
    best = best_step(health)
    titles = _moments(samples, onset, best)
    spread = np.linspace(0, len(samples.steps) - 1, min(_OVER_TIME, len(samples.steps)))
    every = [samples.steps[int(i)] for i in np.unique(spread.round().astype(int))]
    real = _real(samples)
    return Shown(
        first=real + tuple(_at(samples, s, title, health) for s, title in titles.items()),
        over_time=real + tuple(_at(samples, s, f"Step {s:,}", health) for s in every),
        best=best,
        reconstructions=_reconstructions(samples),
        pairs=_pairs(samples, samples.steps[-1]),
    )


def at_the_end(samples: Samples | None) -> Specimen | None:
    """Picture the samples of the last step; None without samples."""
    if samples is None or not samples.steps:
        return None
    last = samples.steps[-1]
    return _at(samples, last, _titled(last, ["the end"]), None)


def real_data(samples: Samples | None) -> Specimen | None:
    """Picture the real data that a run names; None where it names none."""
    return next(iter(_real(samples)), None) if samples is not None else None


def best_step(health: HealthRecord | None) -> int | None:
    """Sample step that covers most of the data, of those whose P(good) is as good as the largest.

    None where no samples were held against training data, or none were good.
    """
    if health is None or not len(health.checkpoints) or np.isnan(health.coverage).all():
        return None
    good = np.nan_to_num(np.asarray(health.good, dtype=np.float64))
    if good.max() < _GOOD:
        return None
    covered = np.nan_to_num(np.asarray(health.coverage, dtype=np.float64), nan=-1.0)
    as_good = np.where(good >= good.max() - _AS_GOOD, covered, -2.0)
    return int(health.checkpoints[np.flatnonzero(as_good == as_good.max())[-1]])


def _moments(samples: Samples, onset: int | None, best: int | None) -> dict[int, str]:
    """Steps to show first, ascending, with what each is."""
    steps = samples.steps
    named: dict[int, list[str]] = {steps[-1]: ["the end"]}
    if best in steps:
        named.setdefault(int(best or 0), []).insert(0, "the best")
    if onset in steps:
        named.setdefault(int(onset or 0), []).insert(0, "the onset")
    for step, words in ((steps[0], ["the first"]), (steps[len(steps) // 2], [])):
        if len(named) < _MOMENTS:
            named.setdefault(step, words)
    return {step: _titled(step, words) for step, words in sorted(named.items())}


def _titled(step: int, words: list[str]) -> str:
    return f"Step {step:,}, {' and '.join(words)}" if words else f"Step {step:,}"


def _real(samples: Samples) -> tuple[Specimen, ...]:
    reference = samples.reference
    if reference is None or not len(reference):
        return ()
    rows = reference[np.linspace(0, len(reference) - 1, _POINTS).astype(int)]  # of every class
    return (_pictured(samples, rows, "Real data", "what it should look like", "real", "dim"),)


def _at(samples: Samples, step: int, title: str, health: HealthRecord | None) -> Specimen:
    return _pictured(samples, samples.at(step), title, _note(step, health), str(step), "c1")


def _note(step: int, health: HealthRecord | None) -> str:
    if health is None:
        return ""
    at = np.flatnonzero(np.asarray(health.checkpoints) == step)
    covered = float(health.coverage[at[0]]) if len(at) else np.nan
    if not np.isfinite(covered):
        return ""
    if health.relative:
        return f"coverage {covered:.2f} (held-out real data: 1)"
    return f"{percent_alone(covered)} of the data's regions reached"


def _pictured(
    samples: Samples, rows: Floats, title: str, note: str, key: str, colour: str
) -> Specimen:
    """Picture rows [n, ...] as what they are: sounds, images, or points."""
    rows = in_layout(rows)
    sound = modality_of(samples.data) == "sound"
    if sound and rows.ndim in (2, 3):
        heard = rows.reshape(len(rows), -1)
        return Specimen(title, note, *_spectrogram(heard[0]), sounds=_waves(heard, samples.data))
    if shape := image_shape(rows, samples.data):
        sheet = _sheet(rows, *shape, black=_black(samples))
        return Specimen(title, note, _png(sheet), sheet.shape[1])
    return Specimen(title, note, chart=_plane(samples, rows, title, key, colour))


def image_shape(rows: Floats, data: Mapping[str, Any]) -> tuple[int, int, int] | None:
    """Channels, height and width of the images that rows [n, ...] are; None where they are none.

    Rows of numbers are images where they fill a square, and are said to be nothing else.

    >>> image_shape(np.zeros((5, 3, 8, 6)), {}), image_shape(np.zeros((5, 64)), {})
    ((3, 8, 6), (1, 8, 8))
    >>> image_shape(np.zeros((5, 64)), {"modality": "table"}) is None
    True
    """
    if rows.ndim == 4 and rows.shape[1] in (1, 3) and min(rows.shape[2:]) > 0:
        return rows.shape[1], rows.shape[2], rows.shape[3]
    if rows.ndim == 3 and min(rows.shape[1:]) >= 4:
        return 1, rows.shape[1], rows.shape[2]
    pixels = int(np.prod(rows.shape[1:]))
    side = round(pixels**0.5)
    plain = modality_of(data) in ("", "image")
    return (1, side, side) if plain and side * side == pixels and side >= 4 else None


def _sheet(rows: Floats, channels: int, height: int, width: int, black: float) -> Floats:
    """Sheet of 25 images with a line between them, [height, width, channels] in [0, 1]."""
    count = _ACROSS * _ACROSS
    tiles = np.full((count, channels, height + 1, width + 1), np.nan)
    images = rows[:count].reshape(-1, channels, height, width)
    tiles[: len(images), :, :height, :width] = np.nan_to_num(images, posinf=1, neginf=black)
    ordered = tiles.reshape(_ACROSS, _ACROSS, channels, height + 1, width + 1)
    sheet = ordered.transpose(0, 3, 1, 4, 2).reshape(
        _ACROSS * (height + 1), _ACROSS * (width + 1), channels
    )[:-1, :-1]
    shades = ((sheet - black) / (1 - black)).clip(0, 1)
    return np.where(np.isnan(sheet), 0.5, shades)


def _black(samples: Samples) -> float:
    """Value of black pixels, where 1 is white: 0 where the data never lie below it, else -1."""
    reference = samples.reference
    rows = samples.at(samples.steps[0]) if reference is None else reference
    return 0.0 if len(rows) and np.nanmin(rows) >= 0 else -1.0


def _png(shades: Floats) -> str:
    from PIL import Image

    grey = np.rint(255 * shades).astype(np.uint8)
    picture = Image.fromarray(grey.squeeze(-1) if grey.shape[-1] == 1 else grey)
    file = io.BytesIO()
    picture.save(file, format="png", optimize=True)
    return _address("image/png", file.getvalue())


def _address(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"


def _spectrogram(sound: Floats) -> tuple[str, int]:
    """Picture of a sound: loudness in decibels over time and frequency; and its width."""
    from scipy.signal import stft

    window = int(min(256, len(sound)))
    _, _, spectrum = stft(np.nan_to_num(sound), nperseg=window)
    loudness = 20 * np.log10(np.abs(spectrum) + 1e-6)
    shades = ((loudness - loudness.max()) / 80 + 1).clip(0, 1)[::-1, :, None]
    return _png(shades), shades.shape[1]


def _waves(sounds: Floats, data: Mapping[str, Any]) -> tuple[str, ...]:
    rate = data.get("sample_rate")
    rate = rate if type(rate) is int and 1_000 <= rate <= 400_000 else _RATE
    return tuple(_wave(sound[: 10 * rate], rate) for sound in sounds[:_SOUNDS])


def _wave(sound: Floats, rate: int) -> str:
    loudest = float(np.abs(np.nan_to_num(sound)).max()) or 1.0
    levels = (np.nan_to_num(sound) / max(1.0, loudest) * 32_767).astype("<i2")
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate)
        written.writeframes(levels.tobytes())
    return _address("audio/wav", file.getvalue())


def _plane(samples: Samples, rows: Floats, title: str, key: str, colour: str) -> Chart:
    """Points of rows over those of the real data, in the plane that shows most of the latter."""
    flat = drawable(rows.reshape(len(rows), -1)[:_POINTS])
    reference = samples.reference
    comparable = reference is not None and reference.shape[1:] == rows.shape[1:] and len(reference)
    if comparable and reference is not None:
        base = drawable(reference.reshape(len(reference), -1))
        base = base[np.linspace(0, len(base) - 1, min(len(base), 600)).astype(int)]
    else:
        base = flat
    x_label, y_label, project = _projection(base)
    under, over = project(base), project(flat)
    seen = under[np.isfinite(under).all(axis=1)]
    seen = seen if len(seen) else np.zeros((1, 2))  # of a run that diverged nothing is left to draw
    middle = (seen.min(axis=0) + seen.max(axis=0)) / 2
    span = 1.25 * float(np.abs(seen - middle).max()) or 1.0
    limits = (float(middle[1] - span), float(middle[1] + span))
    traces = (
        [Trace("real data", under[:, 0], under[:, 1], colour="dim", style="dots")]
        if comparable
        else []
    )
    if colour != "dim":
        traces.append(Trace("samples", over[:, 0], over[:, 1], colour=colour, style="dots"))
    return Chart(
        f"samples-{key}", title, "", x_label, y_label, tuple(traces),
        x_limits=(float(middle[0] - span), float(middle[0] + span)), y_limits=limits,
    )  # fmt: skip


def _reconstructions(samples: Samples) -> tuple[Specimen, ...]:
    """Data beside what an autoencoder made of them, and their latents over the standard normal."""
    made = samples.reconstructions
    if made is None:
        return ()
    originals, reconstructed = (
        np.asarray(rows, dtype=np.float64) for rows in (made.originals, made.reconstructed)
    )
    error = float(np.nanmean(np.square(originals - reconstructed)))
    share = error / (float(np.nanvar(originals)) or 1.0)
    found = [
        _pictured(samples, originals, "Originals", "rows of the data", "originals", "c2"),
        _pictured(
            samples, reconstructed, f"Reconstructed, step {made.step:,}",
            f"squared error {percent_alone(share)} of the data's variance", "reconstructed", "c1",
        ),
    ]  # fmt: skip
    if made.latents is not None and made.latents.shape[1] > 1:
        latents = drawable(np.asarray(made.latents, dtype=np.float64))
        spread = np.argsort(-np.nan_to_num(latents.var(axis=0)), kind="stable")[:2]
        x, y = spread[0], spread[1]
        traces = (Trace("latents", latents[:, x], latents[:, y], colour="c1", style="dots"),)
        labels = (f"latent {x + 1}", f"latent {y + 1}")
        chart = Chart("latents", "Latents of these rows", "", labels[0], labels[1], traces)
        found.append(Specimen("Latents", "the two that vary most", chart=chart))
    return tuple(found)


def _pairs(samples: Samples, step: int) -> tuple[Specimen, ...]:
    """Scatter plots of the first columns against each other, real rows below the samples."""
    rows, reference = samples.at(step), samples.reference
    sound = modality_of(samples.data) == "sound"
    if reference is None or rows.shape[1:] != reference.shape[1:] or rows.ndim != 2 or sound:
        return ()
    if rows.shape[1] < 4 or image_shape(rows, samples.data):
        return ()
    real, drawn = drawable(reference[:_POINTS]), drawable(rows[:_POINTS])
    found = []
    for i, j in combinations(range(min(_COLUMNS, rows.shape[1])), 2):
        traces = (
            Trace("real data", real[:, i], real[:, j], colour="dim", style="dots"),
            Trace("samples", drawn[:, i], drawn[:, j], colour="c1", style="dots"),
        )
        title = f"column {j + 1} over column {i + 1}"
        chart = Chart(f"pair-{i}-{j}", title, "", "", "", traces)
        found.append(Specimen(title, "", chart=chart))
    return tuple(found)


def _projection(base: Floats) -> tuple[str, str, Any]:
    """Names of a plane's axes, and the function from rows [n, d] to points [n, 2] in it."""
    columns = base.shape[1]
    if columns == 1:
        return "value", "", lambda rows: np.column_stack([rows[:, 0], np.zeros(len(rows))])
    if columns == 2:
        return "first coordinate", "second coordinate", lambda rows: rows
    if columns == 3:
        return "seen from a corner", "", lambda rows: rows @ _FROM_A_CORNER
    return "first principal component", "second principal component", _components(base)


def _components(base: Floats) -> Callable[[Floats], Floats]:
    """Function from rows [n, d] to the first two principal components of `base`, [n, 2]; rows
    without any number become NaN."""
    told = base[np.isfinite(base).any(axis=1)]
    told = told if len(told) else np.zeros_like(base[:1])
    centre, scale = np.nanmean(told, axis=0), np.nanstd(told, axis=0) + 1e-12
    _, _, axes = np.linalg.svd(np.nan_to_num((told - centre) / scale), full_matrices=False)
    axes = np.vstack([axes, np.zeros((2, base.shape[1]))])[:2]  # one row alone has one component

    def project(rows: Floats) -> Floats:
        known = np.isfinite(rows).any(axis=1, keepdims=True)
        return np.where(known, np.nan_to_num((rows - centre) / scale) @ axes.T, np.nan)

    return project
