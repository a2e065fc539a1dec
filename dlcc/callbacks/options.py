"""Options that callbacks share."""

from __future__ import annotations

from dlcc.errors import OptionError


def check_snapshots(snapshots: int) -> None:
    """Refuse a number of snapshots that makes no sense.

    Raises:
        OptionError: The number is not a whole number of at least 1.
    """
    if type(snapshots) is not int or snapshots < 1:
        raise OptionError(
            f"snapshots={snapshots!r:.80}: expected a whole number of at least 1; give one"
        )
