"""One evaluation, which all tests of the report share."""

from __future__ import annotations

import pytest

from dlcc.evaluation import Evaluation, evaluate
from tests.conftest import example, one_process_at_a_time, session_cache


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    """The collapsed example, its health and its record judged, without its slow graph."""
    with (
        pytest.MonkeyPatch.context() as patch,
        one_process_at_a_time(tmp_path_factory, "evaluated"),  # the second one finds the cache full
    ):
        patch.setenv("DLCC_CACHE_DIR", str(session_cache(tmp_path_factory)))
        return evaluate(
            example("digits-collapsed"), only=["health", "consistency"], skip=["decomposition"]
        )
