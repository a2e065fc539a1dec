"""Batches of a training: by (seed, step) from data that can be indexed, else from a loader."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from dlcc.errors import OptionError
from dlcc.runs.inputs import REFERENCE_ROWS
from dlcc.runs.ranks import rank_and_size
from dlcc.runs.seeding import BATCHES

if TYPE_CHECKING:
    from torch import Tensor


class Batches(Protocol):
    """Source of the batches of a training."""

    why_not_resumable: str | None
    """Reason why a batch cannot be drawn again; None where it can."""

    steps_of_an_epoch: int | None
    """Steps in which the data are gone through once; None where nobody knows."""

    def __call__(self, step: int) -> Any:
        """Batch of a step."""

    def reference(self) -> Tensor | None:
        """Training data `[n, ...]` to compare samples with; None where they are not at hand."""

    def state_dict(self) -> dict[str, Any]:
        """Collect what changes from batch to batch."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go back to a state that `state_dict` returned."""


def batches_of(data: Any, batch: int, seed: int) -> Batches:
    """Choose how batches are drawn from data.

    Args:
        data: Tensor or array `[n, ...]`, a tuple, list or mapping of such; a dataset with a length
            and items; a DataLoader, whose dataset is indexed where it shuffles or goes through
            it in order; or any other iterable of batches.
        batch: Number of rows of a batch; a DataLoader has its own.
        seed: Seed of the training.

    Raises:
        OptionError: The data have too few rows, or are none of these.
    """
    from torch.utils.data import DataLoader, TensorDataset

    if isinstance(data, TensorDataset):
        data = data.tensors
    rows = _arrays(data)
    if rows is not None:
        taken, count = rows
        return IndexedBatches(taken, count, batch, seed, lambda index: taken(index))
    if isinstance(data, DataLoader) and _is_indexable(data):
        return _of_dataset(data.dataset, int(data.batch_size or 1), seed, data.collate_fn)
    if hasattr(data, "__getitem__") and hasattr(data, "__len__"):
        from torch.utils.data import default_collate

        return _of_dataset(data, batch, seed, default_collate)
    if hasattr(data, "__iter__"):
        return LoadedBatches(data)
    raise OptionError(
        f"data: expected arrays, a dataset or a loader of batches, found {type(data).__name__}"
    )


class IndexedBatches:
    """Batches without replacement: every epoch goes through the rows in an order of its own.

    The order is a function of (seed, epoch); rows left over at an epoch's end are left out. Of
    several processes each takes batches of its own, in turn.
    """

    why_not_resumable: str | None = None

    def __init__(
        self,
        rows: Callable[[Tensor], Any],
        count: int,
        batch: int,
        seed: int,
        batch_of: Callable[[Tensor], Any],
    ) -> None:
        if type(batch) is not int or not 1 <= batch <= count:
            raise OptionError(
                f"batch={batch!r:.80}: expected a whole number from 1 to {count:,}, the rows of "
                "the data; choose another"
            )
        self._rows, self._count, self._batch, self._seed = rows, count, batch, seed
        self._batch_of = batch_of
        self._rank, self._size = rank_and_size()
        self.steps_of_an_epoch: int | None = max(1, count // (batch * self._size))
        self._epoch = -1
        self._order: Tensor | None = None

    def __call__(self, step: int) -> Any:
        """Batch of a step: a function of (seed, step)."""
        import torch

        epoch, place = divmod(step * self._size + self._rank, self._count // self._batch)
        if self._order is None or epoch != self._epoch:
            rng = np.random.default_rng([self._seed & (2**64 - 1), BATCHES, epoch])
            self._order, self._epoch = torch.from_numpy(rng.permutation(self._count)), epoch
        return self._batch_of(self._order[place * self._batch : (place + 1) * self._batch])

    def reference(self) -> Tensor | None:
        """Rows of the data `[n, ...]`, up to 4,096, evenly spaced; of several parts the first."""
        import torch

        few = min(self._count, REFERENCE_ROWS)
        rows = self._rows(torch.from_numpy(np.linspace(0, self._count - 1, few).astype(np.int64)))
        while isinstance(rows, list | tuple | Mapping) and rows:
            rows = next(iter(rows.values())) if isinstance(rows, Mapping) else rows[0]
        return rows if isinstance(rows, torch.Tensor) and rows.ndim else None

    def state_dict(self) -> dict[str, Any]:
        """Nothing: the step says all."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Do nothing: the step says all."""


class LoadedBatches:
    """Batches of a loader, taken one after the other, the loader begun again at its end."""

    def __init__(self, loader: Any) -> None:
        self._loader = loader
        self.steps_of_an_epoch: int | None = None
        self._left: Any = None
        self._stateful = all(hasattr(loader, f"{name}state_dict") for name in ("", "load_"))
        self.why_not_resumable = (
            None
            if self._stateful
            else f"data: the place in a {type(loader).__name__} without state_dict cannot be "
            "recorded; pass arrays, a dataset, or a loader with state_dict"
        )

    def __call__(self, step: int) -> Any:
        """Batch that comes next, whatever the step."""
        for _ in range(2):
            if self._left is None:
                self._left = iter(self._loader)
            try:
                return next(self._left)
            except StopIteration:
                self._left = None
        raise OptionError(f"data: the {type(self._loader).__name__} gives no batch")

    def reference(self) -> Tensor | None:
        """Nothing: a loader is not gone through twice."""
        return None

    def state_dict(self) -> dict[str, Any]:
        """State of the loader."""
        return {"loader": self._loader.state_dict()} if self._stateful else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Set the loader to a state; its iterator is made anew."""
        if self._stateful:
            self._loader.load_state_dict(state["loader"])
            self._left = None


def _arrays(data: Any) -> tuple[Callable[[Tensor], Any], int] | None:
    """Function from an index to rows, and their number; None where data are no arrays."""
    import torch

    if isinstance(data, np.ndarray | torch.Tensor):
        rows = torch.as_tensor(data)
        if not rows.ndim or not len(rows):
            raise OptionError(f"data: expected rows [n, ...], found an array {list(rows.shape)}")
        return (lambda index: rows[index.to(rows.device)]), len(rows)
    if not isinstance(data, list | tuple | Mapping) or not data:
        return None
    named = dict(data) if isinstance(data, Mapping) else dict(enumerate(data))
    if not all(isinstance(part, np.ndarray | torch.Tensor) for part in named.values()):
        return None
    parts = {name: _arrays(part) for name, part in named.items()}
    taken = {name: part[0] for name, part in parts.items() if part is not None}
    counts = {part[1] for part in parts.values() if part is not None}
    if len(counts) != 1:
        raise OptionError(f"data: its parts have {sorted(counts)} rows; give them as many each")
    if isinstance(data, Mapping):
        return (lambda index: {name: of(index) for name, of in taken.items()}), counts.pop()
    return (lambda index: tuple(of(index) for of in taken.values())), counts.pop()


def _of_dataset(
    dataset: Any, batch: int, seed: int, collate: Callable[[list[Any]], Any]
) -> IndexedBatches:
    def rows(index: Tensor) -> Any:
        return collate([dataset[i] for i in index.tolist()])

    return IndexedBatches(rows, len(dataset), batch, seed, rows)


def _is_indexable(loader: Any) -> bool:
    """Whether a DataLoader goes through a dataset in order or shuffled, and keeps no state."""
    from torch.utils.data import BatchSampler, RandomSampler, SequentialSampler

    sampler = loader.sampler
    return (
        hasattr(loader.dataset, "__getitem__")
        and not hasattr(loader, "state_dict")
        and loader.batch_size is not None
        and type(loader.batch_sampler) is BatchSampler
        and type(sampler) in (RandomSampler, SequentialSampler)
        and not getattr(sampler, "replacement", False)
    )
