"""Folders as a training script leaves them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Leave = Callable[..., Path]


@pytest.fixture
def leave(tmp_path: Path) -> Leave:
    """Makes a folder with metrics.csv of a text (or bytes), and config.json of a mapping."""

    def make(metrics: str | bytes, config: Any = None) -> Path:
        folder = tmp_path / "theirs"
        folder.mkdir(exist_ok=True)
        data = metrics if isinstance(metrics, bytes) else metrics.encode()
        (folder / "metrics.csv").write_bytes(data)
        if config is not None:
            text = config if isinstance(config, str) else json.dumps(config)
            (folder / "config.json").write_text(text)
        return folder

    return make
