"""Gradients of every row of a batch with respect to one parameter, a few rows at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from dlcc.landscape._engine.closed_forms import GradientForm, OuterProduct

CHUNK_NUMBERS = 1 << 22
"""Numbers that are made at a time: 16 MB in single precision."""
GRAM_COST = 1.0
"""Cost of a multiplication in a Gram matrix against one in the gradient itself."""


@dataclass(frozen=True)
class ParameterGradients:
    """Gradients g_i of n rows with respect to one parameter."""

    n: int
    """Rows of the batch."""
    size: int
    """Numbers in the parameter."""
    like: Tensor
    """Any tensor of the gradients' type and device."""
    forms: Sequence[GradientForm]
    """Forms of how rows add to it, one for each place at which the parameter is used."""

    def rows(self) -> Tensor:
        """Gradients g_i, [n, size]."""
        chunks = list(self._chunks())
        return chunks[0] if len(chunks) == 1 else torch.cat(chunks)

    def squared_norms(self) -> Tensor:
        """Squared norms ‖g_i‖², [n]."""
        if (products := self._by_gram()) is not None:
            return torch.cat([_gram_norms(products, part) for part in self._parts(products)])
        return torch.cat(
            [torch.linalg.vector_norm(rows, dim=1).square() for rows in self._chunks()]
        )

    def squared_norms_and_mean(self) -> tuple[Tensor, Tensor]:
        """Squared norms ‖g_i‖² [n], and the mean of the gradients [size]."""
        norms, total = [], self.like.new_zeros(self.size)
        if (products := self._by_gram()) is not None:
            for part in self._parts(products):
                norms.append(_gram_norms(products, part))
                for product in products:
                    total += product.total(part).reshape(-1)
        else:
            for rows in self._chunks():
                norms.append(torch.linalg.vector_norm(rows, dim=1).square())
                total += rows.sum(dim=0)
        return torch.cat(norms), total / self.n

    def projected(self, directions: Tensor) -> Tensor:
        """Products g_i · directions [k, size], [n, k]."""
        products = [
            form for form in self.forms if isinstance(form, OuterProduct) and form.places == 1
        ]
        if products and len(products) == len(self.forms):
            whole = slice(0, self.n)
            return torch.stack([f.projected(whole, directions) for f in products]).sum(dim=0)
        return torch.cat([rows @ directions.T for rows in self._chunks()])

    def _chunks(self) -> Iterator[Tensor]:
        """Gradients of some rows after the other, [c, size]."""
        if not self.forms:
            yield self.like.new_zeros(self.n, 1).expand(self.n, self.size)
            return
        widest = max([self.size, *(f.numbers for f in self.forms if isinstance(f, OuterProduct))])
        for part in _slices(self.n, widest):
            first, *others = (_as_matrix(form.rows(part)) for form in self.forms)
            for rows in others:
                first = first + rows
            yield first

    def _by_gram(self) -> list[OuterProduct] | None:
        """Forms of all calls, where norms come cheaper from Gram matrices than from gradients."""
        products = [form for form in self.forms if isinstance(form, OuterProduct)]
        if len(products) < len(self.forms) or not products:
            return None
        layouts = {(f.groups, f.q, f.p) for f in products}
        if len(layouts) > 1:
            return None
        places = sum(f.places for f in products)
        first = products[0]
        by_gram = GRAM_COST * places * (first.q + first.p)
        return products if by_gram < first.q * first.p else None

    def _parts(self, products: Sequence[OuterProduct]) -> Iterator[slice]:
        places = sum(f.places for f in products)
        widest = max(sum(f.numbers for f in products), 2 * products[0].groups * places**2)
        return _slices(self.n, widest)


def _as_matrix(gradients: Tensor) -> Tensor:
    """Reshape [c, *shape] to [c, size], also of a single number."""
    return gradients.reshape(len(gradients), -1)


def _slices(n: int, numbers: int) -> Iterator[slice]:
    """Parts of n rows that each have so many numbers."""
    step = max(1, CHUNK_NUMBERS // max(1, numbers))
    return (slice(k, min(n, k + step)) for k in range(0, n, step))


def _gram_norms(products: Sequence[OuterProduct], part: slice) -> Tensor:
    """Squared norms ‖Σ D Uᵀ‖² = Σ (DᵀD) ∘ (UᵀU), places of all calls side by side, [c]."""
    factors = [product.factors(part) for product in products]
    d = torch.cat([f[0] for f in factors], dim=3) if len(factors) > 1 else factors[0][0]
    u = torch.cat([f[1] for f in factors], dim=3) if len(factors) > 1 else factors[0][1]
    if d.shape[3] == 1:
        return (d.square().sum(dim=(2, 3)) * u.square().sum(dim=(2, 3))).sum(dim=1)
    of_outputs, of_inputs = d.transpose(2, 3) @ d, u.transpose(2, 3) @ u
    return of_outputs.mul_(of_inputs).sum(dim=(1, 2, 3))
