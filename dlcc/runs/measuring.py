"""Landscape measures taken while a training runs, within a budget of its time."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from dlcc.errors import OptionError
from dlcc.landscape.density import gradient_density
from dlcc.landscape.per_sample import RowPass
from dlcc.landscape.taps import NotFiniteError, PerSampleLoss, with_rows

MEASURES = ("norms", "noise", "density")
"""norms: mean and largest 2-norm of the rows' gradients. noise: trace of their covariance, and the
gradient-noise scale in rows. density: mean instability of their density, and the standard deviation
of how sparse it is around each, both in DIRECTIONS random directions that stay the same."""
DIRECTIONS = 4
OVERHEAD = "measuring/overhead"
"""Logged with every measurement: the share of the training's own time that these took so far."""


class _Records(Protocol):
    def log(self, step: int, values: Mapping[str, float]) -> None: ...


class Measuring:
    """Measures players now and then; made by `Recorder.measure`.

    Nothing of the training changes: weights, gradients, buffers and random numbers are the same
    bits with and without. Measured are the module behind a compiled or distributed one, without
    autocast, and the parameters that are not frozen; in a distributed training, by rank 0. Batch
    normalisations in training are measured with the batch's statistics held fixed.
    """

    def __init__(
        self,
        recorder: _Records,
        players: Mapping[str, nn.Module],
        losses: Mapping[str, PerSampleLoss],
        *,
        every: int,
        budget: float,
        what: Sequence[str],
        rows: int,
    ) -> None:
        for player in losses:
            if player not in players:
                raise OptionError(
                    f"measure: there is no player {player!r}; there are {', '.join(players)}"
                )
        for name in what:
            if name not in MEASURES:
                raise OptionError(
                    f"measure: there is no measure {name!r}; there are {', '.join(MEASURES)}"
                )
        if every < 1 or rows < 2 or not 0 < budget <= 1:
            raise OptionError(
                f"measure: every={every}, budget={budget}, rows={rows}; expected every at least "
                "1, rows at least 2, and a budget above 0 and at most 1"
            )
        self.recorder = recorder
        self.players = {name: inner(players[name]) for name in losses}
        self.losses = dict(losses)
        self.every, self.budget, self.what, self.rows = every, budget, tuple(what), rows
        self._directions: dict[str, Tensor] = {}
        self._began = time.perf_counter()
        self._spent = 0.0
        self._last = 0.0  # seconds that the last measurement took

    @property
    def overhead(self) -> float:
        """Seconds spent on measuring, as a share of those spent on everything else."""
        elapsed = time.perf_counter() - self._began
        return self._spent / max(elapsed - self._spent, 1e-9)

    def is_due(self, step: int) -> bool:
        """Whether a call at this step measures: a multiple of `every`, and within the budget."""
        if step % self.every or not _is_first_rank():
            return False
        rest = time.perf_counter() - self._began - self._spent
        return self._spent + self._last <= self.budget * rest or self._spent == 0

    def __call__(self, step: int, batches: Mapping[str, Any]) -> None:
        """Measure, where it is due, and record it at this step, with the overhead so far.

        Args:
            step: the training's.
            batches: player -> what its loss takes; the first `rows` rows of it are used.

        Raises:
            ValueError: a loss is not one number a row. Losses that are not finite are left to the
                training: nothing is measured of them.
        """
        if not self.is_due(step):
            return
        if torch.cuda.is_available():
            torch.cuda.synchronize()  # what the training left in the queue is not measuring's time
        start = time.perf_counter()
        values: dict[str, float] = {}
        for player, loss in self.losses.items():
            if player in batches and _is_trained(self.players[player]):
                with contextlib.suppress(NotFiniteError):
                    values |= self._of(player, loss, with_rows(batches[player], slice(self.rows)))
        self._last = time.perf_counter() - start
        self._spent += self._last
        if values:
            self.recorder.log(step, {**values, OVERHEAD: self.overhead})

    def _of(self, player: str, loss: PerSampleLoss, batch: Any) -> dict[str, float]:
        model, found = self.players[player], {}
        device = next(model.parameters()).device.type
        with torch.autocast(device, enabled=False):
            done = RowPass.of(model, loss, batch)
            if done.n < 2:  # the rest of an epoch
                return {}
            if "norms" in self.what or "noise" in self.what:
                noise = done.noise()
            if "norms" in self.what:
                found["sample_grad_norm"] = float(noise.norms.mean())
                found["sample_grad_norm_max"] = float(noise.norms.max())
            if "noise" in self.what:
                found["grad_trace"] = noise.trace
                found["grad_noise_scale"] = noise.scale
            if "density" in self.what:
                projected = done.projected(self._directions_of(player))
                if not torch.isfinite(projected).all():
                    raise NotFiniteError(f"gradients of {player} are not finite")
                density = gradient_density(projected)
                found["instability"] = float(density.mean_instability)
                found["sparsity_sd"] = float(density.sparsity.raw.std())
        return {f"{player}/{name}": value for name, value in found.items()}

    def _directions_of(self, player: str) -> Tensor:
        """Orthonormal directions [parameters, DIRECTIONS]: the same while as many are trained."""
        trained = [p for p in self.players[player].parameters() if p.requires_grad]
        size = sum(p.numel() for p in trained)
        directions = self._directions.get(player)
        if directions is None or len(directions) != size:
            generator = torch.Generator().manual_seed(0)
            drawn = torch.randn(size, min(DIRECTIONS, size), generator=generator)
            directions = torch.linalg.qr(drawn)[0].to(trained[0])
            self._directions[player] = directions
        return directions


def _is_trained(model: nn.Module) -> bool:
    """Whether anything of it is: while one player steps, another may be frozen."""
    return any(p.requires_grad for p in model.parameters())


def inner(model: nn.Module) -> nn.Module:
    """The module itself, behind a compiled or a distributed one."""
    for name in ("_orig_mod", "module"):
        wrapped = model._modules.get(name)
        if wrapped is not None and type(model).__module__.startswith("torch."):
            return inner(wrapped)
    return model


def _is_first_rank() -> bool:
    return not (dist.is_available() and dist.is_initialized()) or dist.get_rank() == 0
