"""Policy learnt from controlled runs: what each move is worth in a situation, and how surely."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dlcc.control.adjustable import Bounds
from dlcc.control.learning.moves import MOVES, NOTHING, changes_of_moves
from dlcc.control.learning.situation import SITUATION_FIGURES, Situation
from dlcc.errors import OptionError
from dlcc.typing import Bools, Floats

SHIPPED = Path(__file__).parent / "policy.npz"
"""File of the policy that ships."""
LARGEST = 20.0
"""Largest figure that counts."""
SURE = 0.1
"""Quantile over bags of a move's gain that has to be above `LEAST_GAIN`."""
LEAST_GAIN = 0.02


@dataclass(frozen=True)
class Advice:
    """Move that a policy advises."""

    move: int
    """Index into `MOVES`."""
    gain: float
    """Expected gain over changing nothing, in the worth of how runs end, 0 to 1."""
    surely: float
    """Gain that is exceeded in nine bags of ten."""


@dataclass(frozen=True)
class Policy:
    """Policy as bags of boosted trees: the worth of a change is the sum of a bag's trees.

    Nodes of all trees stand one behind the other; what is at most the threshold goes left.
    """

    figures: NDArray[np.str_]
    """Names of the `SITUATION_FIGURES` that count, [k]; those of a change stand behind them."""
    feature: NDArray[np.int16]
    """Figure that a node looks at, −1 for a leaf, [nodes]."""
    threshold: NDArray[np.float32]
    """Threshold of a node, or the value of a leaf, [nodes]."""
    left: NDArray[np.int32]
    """Number of the left child, [nodes]."""
    right: NDArray[np.int32]
    """Number of the right child, [nodes]."""
    roots: NDArray[np.int32]
    """Roots of the trees of each bag, [bags, trees]."""
    baseline: Floats
    """Worth that each bag begins with, [bags]."""

    def advise(
        self,
        seen: Situation,
        bounds: Mapping[str, Bounds],
        refused: Sequence[int] = (),
    ) -> Advice:
        """Choose the move that gains most, of those whose gain is sure.

        Args:
            seen: Situation of the training.
            bounds: Setting -> bounds of those that may change.
            refused: Moves that are not to be made.

        Returns:
            The move; nothing where no other surely gains.
        """
        moves = changes_of_moves(seen.now, bounds, str(seen.config.get("optimizer", "adam")))
        place = [SITUATION_FIGURES.index(str(name)) for name in self.figures]
        worths = self.worths(seen.figures()[None, place], moves[None])
        allowed = np.ones((1, len(MOVES)), dtype=np.bool_)
        allowed[0, list(refused)] = False
        allowed[0] &= np.abs(moves).sum(axis=1) > 0
        gains, low = gains_of(worths)
        (move,) = chosen(gains, low, allowed)
        return Advice(int(move), float(gains[0, move]), float(low[0, move]))

    def worths(self, x: Floats, moves: Floats) -> Floats:
        """Predict what moves are worth in m situations, by every bag, [bags, m, moves].

        Args:
            x: Situations by `figures`, [m, k].
            moves: Changes by each move, [m, moves, 6].
        """
        m, count, _ = moves.shape
        table = beside(filled(x), moves)
        node = np.repeat(self.roots.ravel()[None, :], len(table), axis=0)
        row = np.arange(len(table))[:, None]
        while True:
            feature = self.feature[node]
            inner = feature >= 0
            if not inner.any():
                break
            below = table[row, np.maximum(feature, 0)] <= self.threshold[node]
            node = np.where(inner, np.where(below, self.left[node], self.right[node]), node)
        bags, trees = self.roots.shape
        found = self.threshold[node].astype(np.float64).reshape(m, count, bags, trees).sum(axis=3)
        return np.asarray(found.transpose(2, 0, 1) + self.baseline[:, None, None])

    def save(self, path: Path) -> None:
        """Write the policy to an .npz file."""
        np.savez_compressed(path, **{f.name: getattr(self, f.name) for f in fields(self)})

    @classmethod
    def shipped(cls) -> Policy:
        """Read the policy that ships, once."""
        return _shipped()

    @classmethod
    def read(cls, path: Path) -> Policy:
        """Read a policy that `save` wrote.

        Raises:
            OptionError: The file is missing or is none.
        """
        try:
            with path.open("rb") as stream, np.load(stream, allow_pickle=False) as table:
                return cls(**{f.name: table[f.name] for f in fields(cls)})
        except FileNotFoundError:
            raise OptionError(
                f"{path}: no such policy; make one with: python benchmarks/control_policy.py"
            ) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise OptionError(
                f"{path}: not a readable policy ({type(error).__name__}); make it anew with: "
                "python benchmarks/control_policy.py"
            ) from error


@cache
def _shipped() -> Policy:
    """Read the shipped policy once."""
    return Policy.read(SHIPPED)


def filled(x: Floats) -> Floats:
    """Put 0 for what is not known, and cut what is out of all proportion."""
    return np.clip(np.nan_to_num(x, nan=0.0, posinf=LARGEST, neginf=-LARGEST), -LARGEST, LARGEST)


def beside(x: Floats, moves: Floats) -> Floats:
    """Put situations [m, k] beside their changes [m, moves, 6], in rows [m · moves, k + 6]."""
    m, count, width = moves.shape
    return np.concatenate([np.repeat(x, count, axis=0), moves.reshape(m * count, width)], axis=1)


def gains_of(worths: Floats, counts: Bools | None = None) -> tuple[Floats, Floats]:
    """Compute gains over changing nothing by worths [bags, m, moves]: mean and lower quantile.

    Args:
        worths: What each bag holds each move to be worth.
        counts: Whether a bag counts for a situation, [bags, m]; by default all do.

    Returns:
        Mean over bags, and the gain that is exceeded in nine of ten, [m, moves] both.
    """
    gains = worths - worths[:, :, NOTHING : NOTHING + 1]
    if counts is not None:
        gains = np.where(counts[:, :, None], gains, np.nan)
    return np.nanmean(gains, axis=0), np.nanquantile(gains, SURE, axis=0)


def chosen(gains: Floats, low: Floats, allowed: Bools | None = None) -> NDArray[np.int64]:
    """Choose the move that gains most, [m], of those that surely gain; nothing where none does."""
    sure = low > LEAST_GAIN
    best = np.where(sure if allowed is None else sure & allowed, gains, -np.inf)
    best[:, NOTHING] = 0.0
    return np.asarray(best.argmax(axis=1))
