"""Offer of changes to a run: those of the catalogue that its code heeds."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from dlcc import cache
from dlcc.advice.change import Change
from dlcc.advice.heeding import Heeded, Replay, heeded_changes, is_exact, rates_by_effect
from dlcc.advice.remedies import candidates
from dlcc.advice.source_keys import SourceKeys
from dlcc.errors import DlccError, ForeignCodeError
from dlcc.records import Config, Samples, Sources
from dlcc.reruns.plan import is_positive
from dlcc.sandbox import Bounds, Level, Session
from dlcc.settings.keys import Key, keys_of
from dlcc.settings.nested import flattened
from dlcc.stage import Deadline

_LARGEST_UNNAMED = 0.5  # numbers up to here may be learning rates by an unusual name
_MOST_UNNAMED = 6


@dataclass(frozen=True)
class Offer:
    """Changes that may be tried on a run."""

    keys: tuple[Key, ...]
    """Keys of its configuration with their meaning."""
    heeded: Heeded
    """Changes that its code heeds, as far as that can be told."""


def offer_by_source(
    config: Config, sources: Sources | None, samples: Samples | None, remedies: str
) -> Offer:
    """Offer the changes of keys that the run's code provably reads.

    Args:
        config: Configuration of the run.
        sources: Files of its code; None where none came with it, so that nothing can be proved and
            every known key counts.
        samples: Samples of the run with its training data, whose images' size counts; or None.
        remedies: Name of the known changes.

    Returns:
        The changes, and how many were left out.
    """
    code = _texts(sources)
    keys = keys_of(config.config, remedies)
    pixels, length = pixels_of(samples), config.length
    every = _candidates(config, code, remedies, keys, pixels)
    if not code:
        # names of losses and optimisers are those of somebody's code, which nobody has seen
        numbers = {key.path for key in keys if not isinstance(key.value, str)}
        kept = [change for change in every if change.fields.keys() <= numbers]
        how = "no code came with the run, so that nobody can tell which keys it heeds"
        return Offer(tuple(keys), Heeded(tuple(kept), how=how))
    read = SourceKeys.of(code)
    known = [key for key in keys if read.reads(key.path)]
    kept = candidates(
        config.config, code, remedies=remedies, keys=known, length=length, pixels=pixels
    )
    unread = sorted({key.path for key in keys} - {key.path for key in known})
    left_out = sum(not change.fields.keys().isdisjoint(unread) for change in every)
    how = "its code reads the keys"
    return Offer(tuple(known), Heeded(tuple(kept), tuple(unread), left_out, how=how))


def offer_by_replay(
    config: Config,
    sources: Sources,
    samples: Samples | None,
    remedies: str,
    level: Level,
    deadline: Deadline,
) -> Offer | None:
    """Offer the changes that show in the training's first steps.

    Args:
        config: Configuration of the run, with its entry point.
        sources: Files of its code.
        samples: Samples of the run with its training data; or None.
        remedies: Name of the known changes.
        level: Level of the sandbox.
        deadline: Time that may be used; what was not looked at by then is not offered.

    Returns:
        The changes; None where steps cannot be replayed to the same bits.
    """
    assert config.training is not None
    names = sorted(sources.files)
    what = f"{config.training} {config.length} {remedies} {names} {config.config!r}"
    code = "\0".join(sources.files[name] for name in names).encode()
    known = cache.find_values("heeding", what, code)
    if known is not None:
        return _unpacked(known)
    with contextlib.suppress(ForeignCodeError), _replay(config, sources, level, deadline) as replay:
        if not is_exact(replay, config.config):
            return None
        keys = keys_of(config.config, remedies)
        if remedies == "adversarial":
            keys = keys_by_effect(config.config, keys, replay)
        every = _candidates(config, _texts(sources), remedies, keys, pixels_of(samples))
        heeded = heeded_changes(
            every, config.config, keys, replay, lambda: deadline.remaining > 0.0
        )
        offer = Offer(tuple(keys), heeded)
        if deadline.remaining:
            cache.keep_values("heeding", what, code, _packed(offer))
        elif not heeded.changes:
            return None
        return offer
    return None


def _packed(offer: Offer) -> dict[str, Any]:
    """Offer as plain values."""
    heeded = offer.heeded
    return {
        "keys": [[key.path, key.role, key.player, key.value] for key in offer.keys],
        "changes": [dict(change.fields) for change in heeded.changes],
        "unheeded": list(heeded.unheeded),
        "counts": [heeded.left_out, heeded.refused],
        "how": heeded.how,
    }


def _unpacked(values: Mapping[str, Any]) -> Offer:
    """Offer of which `_packed` made plain values."""
    left_out, refused = values["counts"]
    changes = tuple(Change(fields) for fields in values["changes"])
    return Offer(
        tuple(Key(*parts) for parts in values["keys"]),
        Heeded(changes, tuple(values["unheeded"]), left_out, refused, values["how"]),
    )


@contextlib.contextmanager
def _replay(config: Config, sources: Sources, level: Level, deadline: Deadline) -> Iterator[Replay]:
    limits = Bounds(seconds=2 * deadline.remaining + 30)
    with Session(sources.paths, level, limits) as session:
        assert config.training is not None
        yield Replay(session, config.training, max(2, config.length - 1))


def keys_by_effect(config: Mapping[str, Any], keys: Sequence[Key], replay: Replay) -> list[Key]:
    """Correct whose learning rate is whose, and find rates by unusual names and factors of rates.

    Args:
        config: Configuration of an adversarial training.
        keys: Its keys with their meaning by name.
        replay: Replay of the run's code.

    Returns:
        Keys, with the players whose steps they lengthen, and those that were found.

    Raises:
        ForeignCodeError: The session is over.
    """
    rates = [key.path for key in keys if key.role == "rate" and is_positive(key.value)]
    named = {key.path for key in keys}
    unnamed = [
        path
        for path, value in flattened(config).items()
        if path not in named and isinstance(value, float) and 0 < value <= _LARGEST_UNNAMED
    ]
    found = rates_by_effect(config, [*rates, *unnamed[:_MOST_UNNAMED]], replay)
    corrected = []
    for key in keys:
        player, is_rate = found.get(key.path, (key.player, False))
        corrected.append(replace(key, player=player) if is_rate else key)
    flat = flattened(config)
    for path, (player, is_rate) in found.items():
        if is_rate and path not in named:
            rated = any(k.role == "rate" and k.player in (None, player) for k in corrected)
            # beside a rate of the same player's it is a factor of that, and no rate itself
            corrected.append(Key(path, "multiplier" if rated else "rate", player, flat[path]))
    return corrected


def _candidates(
    config: Config, code: Collection[str], remedies: str, keys: Sequence[Key], pixels: int
) -> list[Change]:
    """Changes of every key, read or not; names of losses as the code has them."""
    return candidates(
        config.config,
        code,
        remedies=remedies,
        keys=keys,
        length=config.length,
        pixels=pixels,
        read_alone=False,
    )


def pixels_of(samples: Samples | None) -> int:
    """Number of pixels of the images that a run was trained on.

    Args:
        samples: Samples of the run; None where there are none.

    Returns:
        Height times width; 0 where the data are no images.
    """
    if samples is None or samples.reference is None:
        return 0
    try:
        shape = np.shape(samples.reference)
    except DlccError:
        return 0
    return int(shape[-1] * shape[-2]) if len(shape) >= 3 else 0


def _texts(sources: Sources | None) -> Collection[str]:
    """Texts of a run's own files."""
    return () if sources is None else [*sources.files.values()]
