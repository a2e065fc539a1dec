"""One torch thread: the suite shares its cores, and the networks are small."""

import pytest
import torch


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """torch on one thread: what is compared to the last bit must not depend on cores."""
    torch.set_num_threads(1)
