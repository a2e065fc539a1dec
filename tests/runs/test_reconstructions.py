"""Reconstructions in a run folder: written whole, read back, and refused where they do not fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import dlcc
from dlcc.errors import OptionError, SnapshotError
from dlcc.runs import Run
from dlcc.runs.tensors import write_tensors

ROWS = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)


def test_the_last_ones_are_read_back(tmp_path: Path) -> None:
    with dlcc.Recorder(tmp_path / "run") as rec:
        rec.reconstructions(10, ROWS, ROWS / 2)
        rec.reconstructions(20, torch.from_numpy(ROWS), torch.from_numpy(ROWS) / 3, ROWS[:, :2])
    found = Run.open(tmp_path / "run").reconstructions()
    assert found is not None
    assert found.step == 20
    assert np.array_equal(found.originals, ROWS)
    assert np.allclose(found.reconstructed, ROWS / 3)
    assert found.latents is not None
    assert Run.open(tmp_path / "run").sample_steps() == []


@pytest.mark.parametrize(
    ("originals", "made", "latents"),
    [
        (ROWS, ROWS[:, :2], None), (ROWS, ROWS, ROWS[:2]), (ROWS[:0], ROWS[:0], None),
        (ROWS, "x", None), (np.array([["a"]]), ROWS, None),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(
    tmp_path: Path, originals: np.ndarray, made: np.ndarray, latents: np.ndarray | None
) -> None:
    with dlcc.Recorder(tmp_path / "run") as rec, pytest.raises(OptionError):
        rec.reconstructions(0, originals, made, latents)


@pytest.mark.parametrize(
    "tensors",
    [
        {"step": np.zeros(1, np.int64)},
        {"step": np.zeros(2, np.int64), "originals": ROWS, "reconstructed": ROWS},
        {"step": np.zeros(1, np.int64), "originals": ROWS, "reconstructed": ROWS[:2]},
        {"step": np.zeros(1, np.int64), "originals": ROWS, "reconstructed": ROWS,
         "latents": ROWS[:1]},
    ],
)  # fmt: skip
def test_a_file_that_is_not_what_it_claims_is_refused(
    tmp_path: Path, tensors: dict[str, np.ndarray]
) -> None:
    with dlcc.Recorder(tmp_path / "run") as rec:
        rec.log(0, {"model/loss": 1.0})
    (tmp_path / "run" / "digests.txt").unlink()
    write_tensors(tmp_path / "run" / "samples" / "reconstructions.safetensors", tensors)
    with pytest.raises(SnapshotError, match="expected step"):
        Run.open(tmp_path / "run").reconstructions()
