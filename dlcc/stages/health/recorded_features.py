"""Feature function that the run names for its samples, called inside the sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from dlcc.errors import ForeignCodeError, IsolationError, OptionError
from dlcc.health.feature_reference import checked_features
from dlcc.health.user_features import load_features
from dlcc.metrics.features import Features, Named
from dlcc.records import Samples, Sources
from dlcc.runs.feature_entry import FEATURES, PRETRAINED, is_feature_entry
from dlcc.sandbox import Bounds, Session, best_level
from dlcc.stage import Context

_SHARE_OF_TIME = 0.5  # the rest is kept for judging without them
_FEW = 8


class FeaturesRefusedError(Exception):
    """Error for a run whose own features cannot be used: the message is half a sentence."""


@contextmanager
def recorded_features(
    samples: Samples, sources: Sources | None, ctx: Context
) -> Iterator[Features | None]:
    """Offer the feature function that a run names, as long as the context lasts.

    Args:
        samples: Samples of the run, and its training data.
        sources: Code that came with the run.
        ctx: Context of the stage: its time, and whether the run's code is trusted.

    Yields:
        The function; None for a run that names none.

    Raises:
        FeaturesRefusedError: The run names what is no such function, nothing isolates its code, or
            the function fails; on leaving the context, too, where it fails later.
    """
    entry, reference = samples.data.get(FEATURES), samples.reference
    if entry is None or reference is None:
        yield None
        return
    try:
        if entry == PRETRAINED:
            yield load_features(PRETRAINED, reference)
            return
        if not is_feature_entry(entry):
            raise OptionError(f"expected source/FILE.py:FUNCTION or {PRETRAINED}")
        paths = {} if sources is None else sources.paths
        if entry.rpartition(":")[0] not in paths:
            raise OptionError("the run brought no such file")
        bounds = Bounds(max(1.0, ctx.deadline.remaining * _SHARE_OF_TIME))
        with Session(paths, best_level(ctx.trust), bounds) as session:
            features = Named(f"{entry}, which came with the run", partial(session.features, entry))
            checked_features(features, reference[:_FEW])
            yield features
    except (OptionError, IsolationError, ForeignCodeError) as error:
        raise FeaturesRefusedError(
            f"The run names {str(entry)[:200]!r} to compare its samples in, which cannot be used; "
            f"they are compared as those of other runs are: {error}"
        ) from None
