"""Names of files that a training writes pictures and arrays to: what they hold, and their count."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from dlcc.runs.axis.step_axis import what_counts

PICTURES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".webp"))
ARRAYS = frozenset((".npy", ".npz"))

_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_HASH = re.compile(r"[_-][0-9a-f]{16,64}$")  # loggers append one of the content
_STYLEGAN = re.compile(r"fakes\d{6}")
_UNITS = frozenset(("step", "epoch", "kimg", "batch", "tick"))
_LONGEST_NUMBER = 15  # digits: beyond, it is a time or a hash
_REAL = frozenset(("real", "reals", "groundtruth", "gt", "original", "originals"))
_GENERATED = frozenset(
    (
        "fake", "fakes", "gen", "generated", "generation", "generations", "generator", "sample",
        "samples", "synthetic", "synth", "synthesized",
    )
)  # fmt: skip
_PICTURE = frozenset(
    ("image", "images", "img", "imgs", "grid", "grids", "picture", "pictures", "pic", "pics",
     "result", "results", "output", "outputs", "out", "visual", "visuals")
)  # fmt: skip
_BETWEEN = frozenset(("at", "the", "of", "on", "from", "fixed", "noise", "ema", "train", "init"))
_OTHER = frozenset(
    (
        "loss", "losses", "curve", "curves", "plot", "plots", "hist", "histogram", "chart",
        "graph", "metric", "metrics", "fid", "kid", "score", "scores", "confusion", "matrix",
        "roc", "tsne", "umap", "pca", "mask", "masks", "input", "inputs", "label", "labels",
        "seg", "cond", "condition", "edge", "edges", "depth", "source", "src", "target", "logo",
        "architecture", "diagram", "screenshot", "recon", "recons", "reconstruction",
        "reconstructions", "reconstructed", "rec", "interp", "interpolation", "walk", "mixing",
        "truncation", "attention", "grad", "grads", "gradient", "lr", "accuracy", "acc", "latent",
        "latents", "distribution", "comparison", "compare", "history", "weights", "filter",
        "filters", "feature", "features", "activations", "figure", "fig",
    )
)  # fmt: skip
_DATA = frozenset(("data", "dataset", "datasets", "train", "test", "val", "valid", "validation"))
_ON_THE_WAY = frozenset(("media", "web", "files", "log", "logs", "visuals", "progress"))


@dataclass(frozen=True)
class SampleName:
    """Path of a file in a run, and what its words say.

    >>> name = SampleName.of("samples/image_at_epoch_0003.png")
    >>> name.numbers, name.units, name.family
    ((3,), ('epoch',), 'samples/image_at_epoch_#.png')
    >>> SampleName.of("fakes000200.png").units, SampleName.of("x_real.png").real
    (('kimg',), True)
    """

    path: str
    """Path in the run, with slashes."""
    numbers: tuple[int, ...]
    """Numbers in the path, those of folders first."""
    units: tuple[str | None, ...]
    """Unit that the word beside each number names."""
    family: str
    """Path with `#` in place of numbers: the same for the files of one series."""
    real: bool
    """Whether the file or its folder speaks of real data."""
    rank: int
    """Rank of what the name says for samples, 0 to 3; -1 where it speaks of something else."""

    @classmethod
    def of(cls, path: str) -> SampleName:
        """Read a path.

        Args:
            path: Path in the run, with slashes.

        Returns:
            The name.
        """
        parts = PurePosixPath(path)
        numbers: list[int] = []
        units: list[str | None] = []
        family = []
        for piece in (*parts.parts[:-1], parts.stem):
            its, named, shape = _counts(_HASH.sub("", piece))
            numbers += its
            units += named
            family.append(shape)
        words, around = _words(parts.stem), _words(" ".join(parts.parts[:-1]))
        return cls(
            path,
            tuple(numbers),
            tuple(units),
            "/".join(family) + parts.suffix.lower(),
            _is_real(words) or _is_real(around),
            _rank(words, bool(around), parts.suffix.lower()),
        )


def leads_to_samples(folder: str) -> bool:
    """Tell whether a folder of this name can hold samples, or folders with samples.

    Args:
        folder: Name of the folder, without those above it.

    Returns:
        False for folders of data, code or other things.

    >>> leads_to_samples("training_samples_64"), leads_to_samples("data")
    (True, False)
    """
    words = _words(folder)
    if words & _OTHER or (words & _DATA and not words & (_GENERATED | _REAL)):
        return False
    counts = any(what_counts(word) in _UNITS for word in words)
    return counts or not words or bool(words & (_REAL | _GENERATED | _PICTURE | _ON_THE_WAY))


def _words(text: str) -> set[str]:
    return {piece.lower() for piece in _PIECE.findall(text) if not piece.isdigit()}


def _is_real(words: set[str]) -> bool:
    """Whether words speak of real data: `x_real`, and `data_grid` too."""
    return bool(words & _REAL) or ("data" in words and words <= {"data"} | _PICTURE | _GENERATED)


def _rank(words: set[str], in_folder: bool, suffix: str) -> int:
    if words & _OTHER:
        return -1
    if words & _GENERATED:
        return 3
    if _is_real(words):
        return 2
    known = words & _PICTURE or any(what_counts(word) in _UNITS for word in words)
    if suffix in ARRAYS:  # as often a curve or weights
        return 1 if in_folder and (known or not words) else -1
    if words - _PICTURE - _BETWEEN - _DATA and not known:
        return 0 if in_folder else -1
    return 2 if known else 1


def _counts(stem: str) -> tuple[list[int], list[str | None], str]:
    """Numbers of a name, their units, and the name with `#` in place of them."""
    if stem.endswith("init") and stem[:-4].rstrip("_-").isalpha():
        return [0], [None], stem[:-4].rstrip("_-") + "#"
    numbers: list[int] = []
    units: list[str | None] = []
    pieces = list(_PIECE.finditer(stem))
    for at, piece in enumerate(pieces):
        if piece[0].isdigit() and len(piece[0]) <= _LONGEST_NUMBER:
            numbers.append(int(piece[0]))
            beside = pieces[at - 1][0] if at else ""
            after = pieces[at + 1] if at + 1 < len(pieces) else None
            touches = after is not None and after.start() == piece.end()
            unit = _unit(beside) or (_unit(after[0]) if touches and after is not None else None)
            units.append("kimg" if _STYLEGAN.fullmatch(stem) else unit)
    return numbers, units, re.sub(r"\d+", "#", stem)


def _unit(word: str) -> str | None:
    if word.lower() == "snapshot":
        return None
    what = what_counts(word.lower())
    return what if what in _UNITS and word.lower() not in ("i", "idx", "index") else None
