"""Sentence vectors by all-MiniLM-L6-v2: the few layers of it in torch.

sentence-transformers computes the same, to rounding, and takes four times as long to be imported as
this takes for the vectors of a run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn import functional as F

_LAYERS, _HEADS, _SMALLEST = 6, 12, 1e-12  # of its config.json; the last is layer_norm_eps
_LONGEST = 256  # tokens of a text that are looked at (sentence_bert_config.json)
_BATCH = 32


class MiniLM:
    """Encoder of texts: BERT of six layers, the mean over tokens, length 1.

    Source: Devlin 2019, section 3; Reimers 2019, section 3, for the mean.

    Args:
        folder: Folder with `model.safetensors` and `tokenizer.json`.
    """

    def __init__(self, folder: Path) -> None:
        self._weights: Mapping[str, Tensor] = load_file(folder / "model.safetensors")
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_LONGEST)
        self._tokenizer.no_padding()

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Encode n texts as unit vectors [n, 384]."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
        found = np.zeros((len(ids), self._weights["embeddings.LayerNorm.bias"].shape[0]))
        with torch.inference_mode():
            for start in range(0, len(order), _BATCH):
                batch = order[start : start + _BATCH]
                found[batch] = self._encoded([ids[i] for i in batch]).numpy()
        return found

    def _encoded(self, ids: Sequence[Sequence[int]]) -> Tensor:
        """Unit vectors [n, 384] of n texts as numbers of tokens."""
        longest = max(map(len, ids))
        tokens = torch.tensor([[*row, *[0] * (longest - len(row))] for row in ids])
        there = torch.arange(longest) < torch.tensor([[len(row)] for row in ids])
        positions = self._weights["embeddings.position_embeddings.weight"][:longest]
        h = F.embedding(tokens, self._weights["embeddings.word_embeddings.weight"])
        h = h + self._weights["embeddings.token_type_embeddings.weight"][0] + positions
        h = self._normalised(h, "embeddings.LayerNorm")
        for k in range(_LAYERS):
            h = self._layer(h, there, f"encoder.layer.{k}")
        mean = (h * there[:, :, None]).sum(dim=1) / there.sum(dim=1, keepdim=True)
        return F.normalize(mean, dim=1)

    def _layer(self, h: Tensor, there: Tensor, name: str) -> Tensor:
        heads = (*h.shape[:2], _HEADS, -1)
        query, key, value = (
            self._linear(h, f"{name}.attention.self.{part}").view(heads).transpose(1, 2)
            for part in ("query", "key", "value")
        )
        heard = F.scaled_dot_product_attention(query, key, value, there[:, None, None, :])
        heard = heard.transpose(1, 2).flatten(2)
        h = self._normalised(
            self._linear(heard, f"{name}.attention.output.dense") + h,
            f"{name}.attention.output.LayerNorm",
        )
        inner = F.gelu(self._linear(h, f"{name}.intermediate.dense"))
        return self._normalised(
            self._linear(inner, f"{name}.output.dense") + h, f"{name}.output.LayerNorm"
        )

    def _linear(self, h: Tensor, name: str) -> Tensor:
        return F.linear(h, self._weights[f"{name}.weight"], self._weights[f"{name}.bias"])

    def _normalised(self, h: Tensor, name: str) -> Tensor:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return F.layer_norm(h, weight.shape, weight, bias, _SMALLEST)
