"""Space of features in which samples are held against data, by what these are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dlcc.metrics.features import Features
from dlcc.metrics.image_features import UntrainedConvolutions, is_images
from dlcc.metrics.sound_features import LogSpectra
from dlcc.metrics.table_features import TableColumns
from dlcc.records.run_parts import modality_of
from dlcc.typing import Rows

_SHORTEST_SOUND = 64


def features_of(reference: Rows, data: Mapping[str, Any]) -> Features | None:
    """Choose the features in which samples are held against training data.

    Args:
        reference: Training data [n, ...], finite.
        data: Description of the data, as in `run.json`: its `modality` (`image`, `sound`, `table`
            or `vector`; by default images are told by their shape), and of a table the numbers of
            its `categorical` columns.

    Returns:
        Features; None for vectors, whose rows are compared as they are.

    >>> import numpy as np
    >>> features_of(np.zeros((30, 64)), {}) is None
    True
    >>> features_of(np.zeros((30, 1, 28, 28)), {}).name
    'an untrained convolutional network'
    """
    space = space_of(reference.shape[1:], data)
    return None if space is None else space(reference)


def space_of(shape: tuple[int, ...], data: Mapping[str, Any]) -> Callable[[Rows], Features] | None:
    """Choose how features are made of training data, without making them.

    Args:
        shape: Shape of a row of the training data.
        data: Description of the data, as for `features_of`.

    Returns:
        Function that makes the features of training data [n, ...]; None for vectors.

    >>> space_of((1, 28, 28), {}) == UntrainedConvolutions.of, space_of((64,), {}) is None
    (True, True)
    """
    modality = modality_of(data)
    if modality == "sound" and len(shape) in (1, 2) and shape[-1] >= _SHORTEST_SOUND:
        return LogSpectra.of
    if modality == "table" and len(shape) == 1:
        given = data.get("categorical")
        listed = given if isinstance(given, list) else []
        columns = [k for k in listed if type(k) is int and 0 <= k < shape[0]]
        return lambda reference: TableColumns.of(reference, columns)
    if modality in ("", "image") and is_images(shape):
        return UntrainedConvolutions.of
    return None
