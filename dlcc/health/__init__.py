"""Health of a training as figures: run features, samples against data, P(good), and its words.

Names are imported when they are first used, so that importing this package is quick.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dlcc.lazy import lazy_names

if TYPE_CHECKING:
    from dlcc.health.definitions import label_of as label_of
    from dlcc.health.judgeable import NotJudgeableError as NotJudgeableError
    from dlcc.health.judgeable import judgeable_features as judgeable_features
    from dlcc.health.judgeable import judgeable_kind as judgeable_kind
    from dlcc.health.run_features import RunFeatures as RunFeatures
    from dlcc.health.samples import Reference as Reference
    from dlcc.health.samples import sample_features as sample_features

_HOMES = {
    "NotJudgeableError": "dlcc.health.judgeable",
    "Reference": "dlcc.health.samples",
    "RunFeatures": "dlcc.health.run_features",
    "judgeable_features": "dlcc.health.judgeable",
    "judgeable_kind": "dlcc.health.judgeable",
    "label_of": "dlcc.health.definitions",
    "sample_features": "dlcc.health.samples",
}
__all__ = list(_HOMES)
__getattr__, __dir__ = lazy_names(__name__, _HOMES)
