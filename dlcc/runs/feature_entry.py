"""Entry point of the function in which a run wants its samples compared."""

from __future__ import annotations

import re
from pathlib import Path

from dlcc.errors import OptionError

FEATURES = "features"
"""Key of `data` in run.json that names the function."""
_ENTRY = re.compile(r"source/[^:\x00]+\.py:[A-Za-z_]\w*")
PRETRAINED = "pretrained"
"""Name of the network of the extra `images`, in place of a function."""


def is_feature_entry(value: object) -> bool:
    """Tell whether a value of run.json names a function in the run's own code.

    >>> is_feature_entry("source/embedding.py:embed"), is_feature_entry("/etc/passwd:embed")
    (True, False)
    """
    return isinstance(value, str) and _ENTRY.fullmatch(value) is not None


def recorded_entry(features: str) -> tuple[Path | None, str]:
    """Turn the argument of a recorder into the file to copy and what run.json says.

    Args:
        features: `FILE.py:FUNCTION`, or `pretrained`.

    Returns:
        File, None for `pretrained`; and entry point in the run.

    Raises:
        OptionError: There is no such file, or the text has another form.

    >>> recorded_entry("pretrained")
    (None, 'pretrained')
    """
    if features == PRETRAINED:
        return None, features
    text, _, function = features.rpartition(":")
    file = Path(text)
    entry = f"source/{file.name}:{function}"
    if not text or not is_feature_entry(entry):
        raise OptionError(
            f"features {features!r:.200}: expected FILE.py:FUNCTION or {PRETRAINED!r}"
        )
    if not file.is_file():
        raise OptionError(f"features {features!r:.200}: there is no file {text}")
    return file, entry
