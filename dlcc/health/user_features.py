"""Feature function of the user's own, in which samples are held against data."""

from __future__ import annotations

from pathlib import Path

import xxhash

from dlcc.engine.modules import import_file
from dlcc.errors import OptionError
from dlcc.metrics.features import Features, Named
from dlcc.metrics.pretrained_features import PretrainedConvolutions
from dlcc.runs.feature_entry import PRETRAINED
from dlcc.typing import Rows

_PREFIX = "dlcc_features_"


def load_features(argument: str, reference: Rows) -> Features:
    """Load a feature function from a file that the user names, which is run, or a pretrained one.

    Args:
        argument: `FILE.py:FUNCTION`; the function takes rows [n, ...] and gives features [n, d].
            Or `pretrained`, for a network of the extra `images` that was trained on ImageNet.
        reference: Training data [n, ...], finite, whose range such a network is to see.

    Returns:
        The function, under a name that changes with the file's text.

    Raises:
        OptionError: There is no such file or function, the file cannot be run, or the extra is not
            installed.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "mine.py"
    ...     _ = file.write_text("def corners(images): return images[:, [0, -1], 0]")
    ...     load_features(f"{file}:corners", np.zeros((30, 8, 8))).name[:15]
    'mine.py:corners'
    """
    if argument == PRETRAINED:
        return PretrainedConvolutions.of(reference)
    text, _, function = argument.rpartition(":")
    path = Path(text)
    if not text or not function.isidentifier():
        raise OptionError(f"--features {argument}: expected FILE.py:FUNCTION or {PRETRAINED}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OptionError(
            f"--features {argument}: {path} cannot be read ({error.strerror})"
        ) from None
    digest = xxhash.xxh3_64_hexdigest(content)
    name = _PREFIX + xxhash.xxh3_64_hexdigest(f"{path.resolve()} {digest}".encode())
    try:
        module = import_file(path, name)
    except (Exception, SystemExit) as error:  # the file may raise anything
        raise OptionError(
            f"--features {argument}: {path} cannot be run ({type(error).__name__}: {error})"
        ) from None
    found = getattr(module, function, None)
    if not callable(found):
        raise OptionError(f"--features {argument}: {path} has no function {function!r}")
    return Named(f"{path.name}:{function} ({digest[:8]})", found)
