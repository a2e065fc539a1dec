"""Grid of a picture: the size of its tiles and the lines between them, found from the picture."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dlcc.typing import Floats

Pixels = NDArray[np.uint8]

_ENOUGH = 2_048  # pixels of a line that are looked at
_SMALLEST = 8  # side of a tile
_WIDEST_LINE = 16
_NARROW = 4  # pixels of a usual line
_USUAL = frozenset((8, 16, 28, 32, 48, 64, 96, 128, 256, 512, 1024))
_FEWEST_TILES = 4
_ALIVE = 0.2  # share of the lines of a tile that show something
_STANDS_OUT = (1.25, 1.4)  # gradient at each edge of tiles, and at the middle one, over that beside
_REPEATS = 0.7  # share of a profile's variance that repeats from tile to tile
_FEWEST_REPEATS = 4
_UNEQUAL = 0.4  # share of such stretches by which they may differ
_BRIGHT = 200  # grey value of the ground of a figure
_QUIET = 0.2  # of the middle activity: edges of tiles with an even background


@dataclass(frozen=True)
class Cuts:
    """Cuts of a picture along one axis."""

    size: int
    """Length of a tile in pixels."""
    starts: tuple[int, ...]
    """First pixel of each tile."""
    length: int
    """Length of the picture."""

    def fitted(self, length: int) -> Cuts | None:
        """Cut a picture of another length into tiles of the same size.

        Args:
            length: Length of that picture in pixels.

        Returns:
            Cuts; None where no whole number of tiles fits.
        """
        if length == self.length:
            return self
        begin, tail = self.starts[0], self.length - self.starts[-1] - self.size
        period = self.starts[1] - begin if len(self.starts) > 1 else self.size + begin
        number, rest = divmod(length - begin - tail + period - self.size, period)
        regular = all(b - a == period for a, b in zip(self.starts, self.starts[1:], strict=False))
        if rest or number < 1 or not regular:
            return None
        return Cuts(self.size, tuple(begin + i * period for i in range(number)), length)


@dataclass(frozen=True)
class Grid:
    """Tiles of a picture.

    >>> picture = np.arange(34 * 66, dtype=np.uint8).reshape(34, 66)
    >>> Grid(Cuts(30, (2,), 34), Cuts(30, (2, 34), 66)).cut(picture).shape
    (2, 30, 30)
    """

    rows: Cuts
    columns: Cuts

    def fitted(self, picture: Pixels) -> Grid | None:
        """Fit the same tiles to a picture of another size; None where they do not fit."""
        rows, columns = self.rows.fitted(picture.shape[0]), self.columns.fitted(picture.shape[1])
        return None if rows is None or columns is None else Grid(rows, columns)

    def cut(self, picture: Pixels) -> Pixels:
        """Cut a picture of this size into tiles, without those at the end that were left empty.

        Args:
            picture: Picture [h, w] or [h, w, 3].

        Returns:
            Tiles [n, tile h, tile w] or [n, tile h, tile w, 3], row by row.
        """
        high, wide = self.rows.size, self.columns.size
        tiles = np.stack(
            [picture[y : y + high, x : x + wide] for y in self.rows.starts for x in self._across]
        )
        padded = self.rows.starts[0] > 0 or (len(self._across) > 1 and self._across[1] > wide)
        if not padded:
            return tiles
        line = picture[0, 0] if self.rows.starts[0] else picture[0, wide]
        used = len(tiles)
        while used > len(tiles) - len(self._across) + 1 and (tiles[used - 1] == line).all():
            used -= 1
        return tiles[:used]

    @property
    def _across(self) -> tuple[int, ...]:
        return self.columns.starts


def find_grid(pictures: Pixels, tolerance: float) -> Grid | None:
    """Find the grid that all pictures of one size share.

    Args:
        pictures: Pictures [k, h, w] in grey.
        tolerance: Difference up to which pixels of a line are one colour: 0 but for JPEG.

    Returns:
        Grid; None where none is found with confidence.
    """
    down, across = (-(-side // _ENOUGH) for side in pictures.shape[1:])
    upright = np.ascontiguousarray(pictures[:, ::down].transpose(0, 2, 1))
    rows = _Profile.of(pictures[:, :, ::across], tolerance)
    columns = _Profile.of(upright, tolerance)
    lined, celled = _lined(rows, columns), _celled(rows, columns)
    clean = [grid for grid in lined if rows.clean(grid.rows) and columns.clean(grid.columns)]
    bright = celled if rows.colour[:, 0].min() > _BRIGHT else None  # dark tiles have dark edges
    likeliest = clean[0] if clean else bright or (lined[0] if lined else celled)
    return likeliest or _bordering(rows, columns)


@dataclass(frozen=True)
class _Profile:
    """Summary of the lines of some pictures, along one axis of length n."""

    even: NDArray[np.bool_]
    """Whether a line is of one colour in all pictures, [n]."""
    colour: Floats
    """Mean of each line, [k, n]."""
    activity: Floats
    """Mean deviation within each line, [n]."""
    steps: Floats
    """Mean difference of each line from the one before, [n]; 0 at the first."""
    tolerance: float

    @classmethod
    def of(cls, pictures: Pixels, tolerance: float) -> _Profile:
        """Look at the lines along the first axis of each picture [k, n, m]."""
        k, n, _ = pictures.shape
        even, colour = np.ones(n, dtype=np.bool_), np.zeros((k, n))
        activity, steps = np.zeros(n), np.zeros(n)
        for at, picture in enumerate(pictures):
            colour[at] = picture.mean(axis=1)
            deviation = picture.std(axis=1, dtype=np.float32)
            spread = np.ptp(picture, axis=1) if tolerance == 0 else 2 * deviation
            even &= spread <= tolerance
            activity += deviation / k
            high, low = np.maximum(picture[1:], picture[:-1]), np.minimum(picture[1:], picture[:-1])
            steps[1:] += (high - low).mean(axis=1) / k
        return cls(even, colour, activity, steps, tolerance)

    @property
    def length(self) -> int:
        return len(self.even)

    def alike(self, lines: NDArray[np.int64]) -> bool:
        """Whether lines are of one colour, the same for all of them in each picture."""
        if not self.even[lines].all():
            return False
        return bool((np.ptp(self.colour[:, lines], axis=1) <= self.tolerance + 1e-9).all())

    def alive(self, cuts: Cuts) -> bool:
        """Whether each tile shows something."""
        return all((~self.even[s : s + cuts.size]).mean() >= _ALIVE for s in cuts.starts)

    def clean(self, cuts: Cuts) -> bool:
        """Whether all lines of the colour of those between tiles lie between tiles."""
        between = _lines_of(cuts, 1)
        if not len(between):
            return False
        unlike = np.abs(self.colour - self.colour[:, between[:1]]) > self.tolerance + 1e-9
        within = np.ones(self.length, dtype=np.bool_)
        within[between] = False
        return bool((~self.even | unlike.any(axis=0) | ~within).all())

    @property
    def block(self) -> int:
        """Side of the blocks that each pixel was enlarged to; 1 where it was not."""
        return int(np.gcd.reduce(np.append(np.flatnonzero(self.steps), self.length)))


def _cuts(size: int, line: int, margin: int, number: int, length: int) -> Cuts:
    starts = tuple(margin + i * (size + line) for i in range(number))
    return Cuts(size, starts, length)


def _lined(rows: _Profile, columns: _Profile) -> list[Grid]:
    """Grids whose tiles are parted by lines of one colour, or edged by them, likeliest first."""
    across: dict[tuple[int, int], list[Cuts]] = {}
    for line, margin, cuts in _with_lines(columns):
        across.setdefault((line, margin), []).append(cuts)
    found = [
        Grid(down, other)
        for line, margin, down in _with_lines(rows)
        for other in across.get((line, margin), ())
        if len(down.starts) * len(other.starts) >= _FEWEST_TILES
    ]
    return sorted(found, key=_oddity)


def _oddity(grid: Grid) -> tuple[bool, bool, bool, int]:
    """Order among grids that fit: square tiles, narrow lines, a usual size, the smallest."""
    size = grid.rows.size
    wide = len(grid.rows.starts) > 1 and grid.rows.starts[1] - grid.rows.starts[0] - size > _NARROW
    return size != grid.columns.size, wide, size not in _USUAL, size * grid.columns.size


def _with_lines(profile: _Profile) -> Iterator[tuple[int, int, Cuts]]:
    """Cuts that lines of one colour allow: width of a line, margin, cuts."""
    length = profile.length
    for period in range(_SMALLEST, length + 1):
        rest = length % period
        for line, margin in ((rest, rest), ((period - rest) % period, 0)):
            size = period - line
            if line > min(_WIDEST_LINE, period // 3) or size < _SMALLEST:
                continue
            number = (length - margin + (line if margin == 0 else 0)) // period
            if number < 1 or (line == 0 and margin == 0 and rest):
                continue
            cuts = _cuts(size, line, margin, number, length)
            if line == 0 and not _adds_up(profile.even, size):
                continue
            if profile.alike(_lines_of(cuts, line)) and profile.alive(cuts):
                yield line, margin, cuts


def _lines_of(cuts: Cuts, line: int) -> NDArray[np.int64]:
    """Lines between tiles; where there are none, the edges of the tiles."""
    covered = np.zeros(cuts.length, dtype=np.bool_)
    for start in cuts.starts:
        covered[start : start + cuts.size] = True
        if line == 0:
            covered[[start, start + cuts.size - 1]] = False
    return np.flatnonzero(~covered)


def _celled(rows: _Profile, columns: _Profile) -> Grid | None:
    """Grid of equal cells on a ground of one colour, with margins of any width: a figure."""
    down, across = _cells(rows), _cells(columns)
    if down is None or across is None:
        return None
    enough = len(down.starts) * len(across.starts) >= _FEWEST_TILES
    return Grid(down, across) if enough else None


def _cells(profile: _Profile) -> Cuts | None:
    """Equal stretches between lines of the ground; None where they are not equal."""
    ground = profile.even & (
        np.abs(profile.colour - profile.colour[:, :1]) <= profile.tolerance
    ).all(axis=0)
    if not ground[0] or not ground[-1]:
        return None
    edges = np.flatnonzero(np.diff(ground.astype(np.int8)))
    starts, ends = edges[::2] + 1, edges[1::2] + 1
    if not len(starts):
        return None
    sizes, gaps = ends - starts, starts[1:] - ends[:-1]
    uneven = np.ptp(sizes) > 1 or (len(gaps) and np.ptp(gaps) > 2)
    if uneven or sizes.min() < _SMALLEST:
        return None
    return Cuts(int(sizes.min()), tuple(starts.tolist()), profile.length)


def _bordering(rows: _Profile, columns: _Profile) -> Grid | None:
    """Grid of tiles without lines between them, told by the gradient at their edges."""
    down, across = _periods(rows), _periods(columns)
    pairs = [(h, w) for h in down for w in across if h == w]
    for h, w in sorted(pairs):
        high, wide = rows.length // h, columns.length // w
        if high * wide >= _FEWEST_TILES:
            return Grid(_cuts(h, 0, 0, high, rows.length), _cuts(w, 0, 0, wide, columns.length))
    return None


def _periods(profile: _Profile) -> list[int]:
    """Sizes of tiles whose edges all stand out, or all lie in an even background, or that
    repeat."""
    block = profile.block
    steps, activity = profile.steps[::block], profile.activity[::block]
    sizes = [s for s in range(1, len(steps) // 2 + 1) if len(steps) % s == 0]
    sizes = [s for s in sizes if s * block >= _SMALLEST]
    edged = {size for size in sizes if _has_edges(steps, activity, size)}
    return sorted(size * block for size in edged | _repeating(steps, activity, sizes))


def _has_edges(steps: Floats, activity: Floats, size: int) -> bool:
    """Whether the edges of all tiles of a size are unlike what lies beside them."""
    beside = np.ones(len(steps))
    beside[1:-1] = (steps[:-2] + steps[2:]) / 2
    edges = np.arange(size, len(steps), size)
    stand_out = steps[edges] / np.maximum(beside[edges], 1e-9)
    stand_out[steps[edges] < np.median(steps)] = 0.0
    if stand_out.min() >= _STANDS_OUT[0] and np.median(stand_out) >= _STANDS_OUT[1]:
        return all(
            steps[edges].mean() > steps[edges + d].mean()
            for d in (-3, -2, -1, 1, 2, 3)
            if abs(d) < size
        )
    usual = float(np.median(activity))
    quiet = activity <= _QUIET * usual
    calm = quiet[edges].all() and quiet[edges - 1].all() and quiet[[0, -1]].all()
    return bool(usual > 0 and calm and _adds_up(quiet, size))


def _adds_up(quiet: NDArray[np.bool_], size: int) -> bool:
    """Whether stretches of quiet lines between tiles are as long as those at the first and the last
    edge together, as they are where the tiles themselves have quiet edges."""
    number = len(quiet) // size
    if number < 2 or len(quiet) % size or quiet.all():
        return False
    first, last = int(np.argmin(quiet)), int(np.argmin(quiet[::-1]))
    inner = []
    for edge in range(size, len(quiet), size):
        before, after = quiet[edge - size : edge][::-1], quiet[edge : edge + size]
        inner.append(int(np.argmin(before)) + int(np.argmin(after)))
    return abs(float(np.median(inner)) - first - last) <= max(1.0, _UNEQUAL * (first + last))


def _repeating(steps: Floats, activity: Floats, sizes: list[int]) -> set[int]:
    """Sizes after which the profile repeats: tiles with objects at one place."""
    fits = {s: min(_repeats(steps, s), _repeats(activity, s)) for s in sizes}
    best = max(fits.values(), default=0.0)
    return {s for s, fit in fits.items() if best >= _REPEATS and fit >= best - (1 - best) / 2}


def _repeats(profile: Floats, size: int) -> float:
    """Share of a profile's variance that its mean over tiles explains, less what chance would."""
    number = len(profile) // size
    if number < _FEWEST_REPEATS or not profile.var():
        return 0.0
    folded = profile.reshape(number, size)[1:]  # the first has no line before it
    within = folded.var(axis=0, ddof=1).mean()
    return float(1 - within / folded.var())
