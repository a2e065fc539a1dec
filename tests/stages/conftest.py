"""A library that is fitted in a fraction of the time."""

import numpy as np
import pytest

from dlcc.past_runs.in_use import shipped_library


@pytest.fixture
def few_past_runs(monkeypatch: pytest.MonkeyPatch):
    """Every twelfth run of the library that ships, in its place."""
    whole = shipped_library()
    few = whole.select(np.arange(0, len(whole), 12))
    monkeypatch.setattr("dlcc.past_runs.in_use.library", lambda *group: few)
    return few
