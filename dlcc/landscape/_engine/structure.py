"""Structure of a model, found once and of use while the model stays as it is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from dlcc.landscape._engine.closed_forms import is_known
from dlcc.landscape.model_state import copied_buffers, device_of

Buffer = tuple[nn.Module, str, Tensor]
"""Module, the name of a buffer of it, and its numbers."""


class ModelStructure:
    """Layers, parameters and buffers of a model, and where the rows are.

    To look for them takes as long as a pass through a small net: who measures one net again and
    again keeps its structure.

    Args:
        model: network to be measured.
        beside: networks that the losses go through too. Their batch normalisations are held as the
            model's are.

    Raises:
        ValueError: nothing of the model is trained, or it lies on two devices.
    """

    def __init__(self, model: nn.Module, beside: Sequence[nn.Module] = ()) -> None:
        self.model = model
        self.trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
        if not self.trained:
            raise ValueError(
                "no parameter of the model requires a gradient: nothing of it is trained"
            )
        self.layers = [m for m in model.modules() if is_known(m)]
        """Layers with closed forms."""
        seen = dict.fromkeys(m for network in (model, *beside) for m in network.modules())
        self.batch_norms = [m for m in seen if isinstance(m, _BatchNorm)]
        self.calls: list[nn.Module] | None = None
        """Layers in the order in which a pass called them; None before the first."""
        self.by_rows: list[bool] = []
        """Whether the first dimension of what goes in is the batch's rows, for each call."""
        self.entries_per_call: dict[str, int] = {}
        """Places at which a parametrised tensor's parameter enters into it, once looked at."""
        self._device = device_of(model)
        self._modules = list(model.modules())
        self._parts = self._parts_now()

    def fits(self) -> bool:
        """Whether the model still has these modules and parameters, and trains those."""
        return self._parts_now() == self._parts

    def buffers(self) -> list[Buffer]:
        """Copies of all buffers, two of one that is registered twice."""
        return [
            (m, name, b.clone())
            for m in self._modules
            for name, b in m._buffers.items()
            if b is not None
        ]

    @contextmanager
    def unchanged(self) -> Iterator[None]:
        """Passes write to copies of the buffers, and torch's random state is put back."""
        with copied_buffers(self._modules, self._device):
            yield

    def _parts_now(self) -> list[tuple[int, ...]]:
        return [
            (
                *map(id, module._modules.values()),
                *(id(p) for p in module._parameters.values() if p is not None and p.requires_grad),
            )
            for module in self._modules
        ]
