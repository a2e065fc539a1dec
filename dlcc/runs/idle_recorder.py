"""Recorder of a process that does not record: of a distributed training, all but that of rank 0."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dlcc.runs.build_source import Origin
from dlcc.runs.description import Description
from dlcc.runs.layout import RunLayout
from dlcc.runs.recorder import Recorder
from dlcc.runs.run import Run
from dlcc.runs.training import resume

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from dlcc.runs.inputs import Number
    from dlcc.runs.snapshot_landscape import SnapshotLandscape
    from dlcc.runs.watcher import Watcher


class IdleRecorder(Recorder):
    """Recorder that trains and resumes, and writes nothing; `Recorder` makes it where it is due."""

    def __init__(self, path: str | Path, **options: Any) -> None:
        names = ("build", "training", "config", "seed", "training_entry")
        origin = Origin.of(**{name: options.get(name) for name in names})
        self.layout = RunLayout(Path(path))
        self._training = origin.training
        players = options.get("players")
        if players is None:
            players = origin.training.players if origin.training is not None else {}
        self.players = dict(players)
        described = {name: options.get(name) for name in ("name", "objective", "data", "length")}
        description = Description(
            **described, players=self.players, config=origin.config, seed=origin.seed
        )
        self.manifest = description.manifest(self.layout.path)

    def resume(self) -> int:
        """Restore the training from the newest resumable snapshot, if there is a run."""
        training = self.training
        return resume(training, Run.open(self.path)) if self.layout.manifest.exists() else 0

    def log(self, step: int, values: Mapping[str, Number]) -> None:
        """Do nothing."""

    def control(self, watcher: Watcher) -> None:
        """Do nothing."""

    def snapshot(self, step: int, samples: Tensor | np.ndarray | None = None) -> None:
        """Do nothing."""

    def reconstructions(
        self,
        step: int,
        originals: Tensor | np.ndarray,
        reconstructed: Tensor | np.ndarray,
        latents: Tensor | np.ndarray | None = None,
    ) -> None:
        """Record nothing."""

    def samples(self, step: int, samples: Tensor | np.ndarray) -> None:
        """Do nothing."""

    def write_landscape(self, record: SnapshotLandscape) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""
