"""Options that callbacks share."""

from __future__ import annotations

from dlcc.errors import OptionError


def check_snapshots(snapshots: int) -> None:
    """Refuse a number of snapshots that makes no sense.

    Raises:
        OptionError: The number is not a whole number of at least 1.
    """
    check_whole("snapshots", snapshots)


def check_whole(name: str, number: int) -> None:
    """Refuse an option that is no whole number of at least 1.

    Raises:
        OptionError: It is not.
    """
    if type(number) is not int or number < 1:
        raise OptionError(f"{name}={number!r:.80}: expected a whole number of at least 1; give one")


def check_share(name: str, share: float) -> None:
    """Refuse a share of the training's time that makes no sense.

    Raises:
        OptionError: It is no number of at least 0.
    """
    if isinstance(share, bool) or not isinstance(share, int | float) or not share >= 0:
        raise OptionError(f"{name}={share!r:.80}: expected a number of 0 or more; give one")
