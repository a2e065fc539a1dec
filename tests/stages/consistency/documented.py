"""Dossiers of documents' tables and series, and a record to hold them against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from dlcc.records import Block, DocumentSeries, Dossier, Series

CONFIG = {"lr_g": 0.0002, "lr_d": 0.0004, "batch": 64, "beta1": 0.5, "optimizer": "adam"}


def record(**columns: np.ndarray) -> Series:
    """Record with columns of values, `generator_loss` for `generator/loss`, a row a step."""
    return Series.from_start({n.replace("_", "/", 1): values for n, values in columns.items()})


def dossier(
    *tables: tuple[tuple[str, ...], ...],
    config: Mapping[str, str | int | float | bool | None] = CONFIG,
    series: tuple[DocumentSeries, ...] = (),
) -> Dossier:
    """Dossier of documents that hold tables and series."""
    return Dossier(
        steps=np.zeros(0),
        names=(),
        values=np.zeros((0, 0)),
        present=np.zeros((0, 0), bool),
        config=config,
        blocks=tuple(Block("table", "a.md", k, "", "", rows=rows) for k, rows in enumerate(tables)),
        formulas=(),
        functions=(),
        series=series,
    )
