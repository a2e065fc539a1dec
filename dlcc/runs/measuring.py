"""Landscape measures taken while a training runs, within a budget of its time."""

from __future__ import annotations

import contextlib
import random
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from dlcc.errors import OptionError, SnapshotError, did_you_mean
from dlcc.landscape._engine.structure import ModelStructure
from dlcc.landscape._engine.vectors import flatten
from dlcc.landscape.batches import NotFiniteError, PerSampleLoss, count_rows, select_rows
from dlcc.landscape.density import gradient_density
from dlcc.landscape.measurement import PlayerLoss, measure_landscape
from dlcc.landscape.model_state import unchanged
from dlcc.landscape.per_sample import PerSampleBackward
from dlcc.runs.layout import RunLayout
from dlcc.runs.ranks import rank_and_size
from dlcc.runs.series_format import OVERHEAD
from dlcc.runs.snapshot_landscape import SCHEMA, SnapshotLandscape
from dlcc.runs.snapshots import Snapshot

MEASURES = ("norms", "noise", "density")
"""Names of the measures.

norms: mean and largest 2-norm of the rows' gradients. noise: trace of their covariance, and the
gradient-noise scale in rows. density: mean instability of their density, and the standard deviation
of how sparse it is around each, both in DIRECTIONS random directions that stay the same.
"""
DIRECTIONS = 4
DENSITY_EVERY = 4
"""Number of measurements from one of the density to the next, beside others: it costs as much as
they do."""


class _Records(Protocol):
    @property
    def layout(self) -> RunLayout: ...

    def log(self, step: int, values: Mapping[str, float]) -> None: ...

    def write_landscape(self, record: SnapshotLandscape) -> None: ...


class Measuring:
    """Measures of the landscape of players, taken now and then; made by `Recorder.measure`.

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
        if isinstance(what, str) or not what:
            raise OptionError(
                f"measure: what={what!r}; expected a list of at least one of {', '.join(MEASURES)}"
            )
        for name in what:
            if name not in MEASURES:
                raise OptionError(
                    f"measure: there is no measure {name!r}{did_you_mean(name, MEASURES)}; "
                    f"there are {', '.join(MEASURES)}"
                )
        whole = type(every) is int and type(rows) is int
        if not whole or every < 1 or rows < 2 or not 0 < budget <= 1:
            raise OptionError(
                f"measure: every={every}, budget={budget}, rows={rows}; expected whole "
                "numbers every at least 1 and rows at least 2, and a budget above 0 and at most 1"
            )
        self.recorder = recorder
        self.players = {name: inner(player) for name, player in players.items()}
        self._recorded = dict(players)
        self.losses = dict(losses)
        self.every, self.budget, self.what, self.rows = every, budget, tuple(what), rows
        self._structures: dict[str, ModelStructure] = {}
        self._directions: dict[str, Tensor] = {}
        self._taken = 0  # measurements
        self._density_every = DENSITY_EVERY if len(self.what) > 1 else 1
        self._began = time.perf_counter()
        self._spent = 0.0
        self._apart = 0.0  # seconds of landscapes, which count neither as measuring nor as training
        self._last = 0.0  # seconds that the last measurement took

    @property
    def overhead(self) -> float:
        """Seconds spent on measuring, as a share of those that the training itself took."""
        return self._spent / max(self._rest(), 1e-9)

    def is_due(self, step: int) -> bool:
        """Whether a call at this step measures: a multiple of `every`, and within the budget."""
        if step % self.every or not _is_first_rank():
            return False
        return self._spent + self._last <= self.budget * self._rest() or self._spent == 0

    def __call__(self, step: int, batches: Mapping[str, Any]) -> None:
        """Measure, where it is due, and record the measures at this step, with the overhead so far.

        Losses that are not finite are left to the training: nothing is measured of them.

        Args:
            step: Step of the training.
            batches: Player to what its loss takes; the first `rows` rows of it are used.

        Raises:
            OptionError: A player has no loss here.
            ValueError: A loss is not one number a row.
        """
        self._check_players(batches)
        if not self.is_due(step):
            return
        start = _now()
        values: dict[str, float] = {}
        with self._players_unchanged():
            for player, loss in self.losses.items():
                if player in batches and _is_trained(self.players[player]):
                    rows = select_rows(batches[player], slice(self.rows))
                    with contextlib.suppress(NotFiniteError):
                        values |= self._of(player, loss, rows)
        self._taken += 1
        measured = time.perf_counter() - start
        self._spent += measured
        if values:
            self.recorder.log(step, {**values, OVERHEAD: self.overhead})
        self._last = time.perf_counter() - start
        self._spent += self._last - measured  # to record it

    def landscape(
        self,
        step: int,
        batches: Mapping[str, Any],
        losses: Mapping[str, PerSampleLoss] | None = None,
    ) -> None:
        """Measure the landscape around the snapshot of a step, and record it beside the snapshot.

        Measured are both ends of every player's Hessian, its trace and a slice; of several players
        also the game's eigenvalues, and their field on the way from the snapshot before. This takes
        the time of some hundred passes: not within the budget, but as often as it is called. A
        snapshot that was measured already is left as it is. Losses that are not finite are left to
        the training: nothing is recorded.

        Args:
            step: Step of the snapshot, which was just taken.
            batches: Player to what its loss takes; the first `rows` rows of it are used. In a game
                a player's loss has to depend on the others as it does in the training.
            losses: Losses of the players, where they are not those that are measured, as with a
                penalty that takes gradients itself.

        Raises:
            OptionError: There is no snapshot of that step.
            ValueError: A loss is not one number a row, or does not depend on what the player
                trains.
        """
        if not _is_first_rank():
            return
        snapshot = self.recorder.layout.snapshot(step)
        if not snapshot.path.exists():
            raise OptionError(
                f"landscape({step}): there is no snapshot of that step; take it first"
            )
        if snapshot.landscape.exists():
            return
        start = _now()
        given = {
            name: PlayerLoss(self.players[name], loss, select_rows(batches[name], slice(self.rows)))
            for name, loss in (losses or self.losses).items()
            if name in batches and _is_trained(self.players[name])
        }
        if not given:
            return
        with contextlib.suppress(NotFiniteError), self._players_unchanged():
            since, before = self._parameters_before(step, given)
            device = next(iter(given.values())).params[0].device.type
            with torch.autocast(device, enabled=False):
                found = measure_landscape(given, before)
            taken = time.perf_counter() - start
            counted = [count_rows(player_loss.batch) for player_loss in given.values()]
            rows = max((n for n in counted if n is not None), default=self.rows)
            record = SnapshotLandscape(SCHEMA, step, rows, taken, since, found)
            self.recorder.write_landscape(record)
        self._apart += time.perf_counter() - start

    @contextlib.contextmanager
    def _players_unchanged(self) -> Iterator[None]:
        """Put back every player's buffers, and random states that are not torch's, after the block.

        Buffers of every player, for a player's loss may go through the others.
        """
        of_python, of_numpy = random.getstate(), np.random.get_state()
        try:
            with contextlib.ExitStack() as stack:
                for player in self.players.values():
                    if any(True for _ in player.buffers()):
                        stack.enter_context(unchanged(player))
                yield
        finally:
            random.setstate(of_python)
            np.random.set_state(of_numpy)

    def _check_players(self, batches: Mapping[str, Any]) -> None:
        if not batches.keys() <= self.losses.keys():
            unknown = ", ".join(sorted(batches.keys() - self.losses.keys()))
            raise OptionError(
                f"measure: batches for {unknown}, of which no loss was given; there are losses of "
                f"{', '.join(self.losses) or 'no player'}"
            )

    def _rest(self) -> float:
        """Seconds that the training itself took so far."""
        return time.perf_counter() - self._began - self._spent - self._apart

    def _parameters_before(
        self, step: int, losses: Mapping[str, PlayerLoss]
    ) -> tuple[int | None, dict[str, Tensor] | None]:
        """Find the snapshot before that of `step`, and the parameters of its players.

        There are none where that snapshot is damaged or holds other parameters.
        """
        steps = [s for s in self.recorder.layout.snapshot_steps() if s < step]
        if not steps:
            return None, None
        snapshot, vectors = Snapshot(self.recorder.layout.snapshot(steps[-1]).path, steps[-1]), {}
        for name, player_loss in losses.items():
            try:
                weights = snapshot.torch_weights(name)
            except SnapshotError:
                return None, None
            # wrapped or not, as it was recorded
            names = {id(p): n for n, p in self._recorded[name].named_parameters()}
            found = [weights.get(names[id(p)]) for p in player_loss.params]
            both = zip(found, player_loss.params, strict=True)
            if any(w is None or w.shape != p.shape for w, p in both):
                return None, None
            vectors[name] = flatten(found, player_loss.params)
        return steps[-1], vectors

    def _of(self, player: str, loss: PerSampleLoss, batch: Any) -> dict[str, float]:
        found: dict[str, float] = {}
        device = next(self.players[player].parameters()).device.type
        with torch.autocast(device, enabled=False):
            done = PerSampleBackward.of(self._structure_of(player), loss, batch)
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
            if "density" in self.what and self._taken % self._density_every == 0:
                projected = done.projected(self._directions_of(player))
                if not torch.isfinite(projected).all():
                    raise NotFiniteError(f"gradients of {player} are not finite")
                density = gradient_density(projected)
                found["instability"] = float(density.mean_instability)
                found["sparsity_sd"] = float(density.sparsity.raw.std())
        return {f"{player}/{name}": value for name, value in found.items()}

    def _structure_of(self, player: str) -> ModelStructure:
        """Structure of a player, taken anew where the player is no longer what it was."""
        kept = self._structures.get(player)
        if kept is None or not kept.fits():
            others = [p for name, p in self.players.items() if name != player]
            kept = self._structures[player] = ModelStructure(self.players[player], others)
        return kept

    def _directions_of(self, player: str) -> Tensor:
        """Orthonormal directions [parameters, DIRECTIONS]; the same while as many are trained."""
        trained = [p for p in self.players[player].parameters() if p.requires_grad]
        size = sum(p.numel() for p in trained)
        directions = self._directions.get(player)
        if directions is None or len(directions) != size:
            generator = torch.Generator().manual_seed(0)
            drawn = torch.randn(size, min(DIRECTIONS, size), generator=generator)
            directions = torch.linalg.qr(drawn)[0].to(trained[0])
            self._directions[player] = directions
        return directions


def _now() -> float:
    """Read the clock, when the training has no work left in an accelerator's queue."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _is_trained(model: nn.Module) -> bool:
    """Whether any parameter is trained: while one player steps, another may be frozen."""
    return any(p.requires_grad for p in model.parameters())


def inner(model: nn.Module) -> nn.Module:
    """Find the module itself, behind a compiled or a distributed one."""
    for name in ("_orig_mod", "module"):
        wrapped = model._modules.get(name)
        if wrapped is not None and type(model).__module__.startswith("torch."):
            return inner(wrapped)
    return model


def _is_first_rank() -> bool:
    return rank_and_size()[0] == 0
