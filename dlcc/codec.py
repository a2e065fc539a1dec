"""Codec for values that go to another process or into the cache: JSON and safetensors, no pickle.

Any frozen dataclass whose fields are plain values, tuples, mappings, other dataclasses and
`Array`s can travel. Arrays leave the JSON and go to a safetensors file beside it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Hashable, Mapping
from functools import cache
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import PlainSerializer, PlainValidator, TypeAdapter, ValidationError
from pydantic import SerializationInfo as _Out
from pydantic import ValidationInfo as _In
from pydantic.errors import PydanticSchemaGenerationError, PydanticUserError

from dlcc.errors import StageDeclarationError

T = TypeVar("T")


def _array_out(array: NDArray[Any], info: _Out) -> dict[str, str]:
    name = f"array{len(info.context)}"  # type: ignore[arg-type]  # the context is our dict
    info.context[name] = np.ascontiguousarray(array)  # type: ignore[index]
    return {"array": name}


def _array_in(value: Any, info: _In) -> NDArray[Any]:
    array = value if isinstance(value, np.ndarray) else info.context[value["array"]]  # type: ignore[index]
    array.flags.writeable = False
    return array


Array = Annotated[NDArray[Any], PlainValidator(_array_in), PlainSerializer(_array_out)]
"""Type of a numpy array as the field of a record: read-only once it has travelled."""


def encode(value: object, kind: type[Any] | None = None) -> tuple[str, dict[str, NDArray[Any]]]:
    """Encode `value`, of type `kind`, as JSON text with sorted keys and the arrays it names."""
    arrays: dict[str, NDArray[Any]] = {}
    plain = _adapter(cast(Hashable, kind or type(value))).dump_python(
        value, mode="json", context=arrays
    )
    return json.dumps(plain, sort_keys=True, ensure_ascii=False), arrays


def decode(kind: type[T], text: str, arrays: Mapping[str, NDArray[Any]]) -> T:
    """Decode a value; ValueError where the text is not one of type `kind`."""
    try:
        value: T = _adapter(cast(Hashable, kind)).validate_python(
            json.loads(text), context=dict(arrays)
        )
    except (ValidationError, KeyError) as error:
        raise ValueError(f"not a {kind.__name__}: {error}") from error
    return value


def digest(value: object, kind: type[Any] | None = None) -> str:
    """Hash a value's content; the answer has 32 hexadecimal digits."""
    text, arrays = encode(value, kind)
    state = xxhash.xxh3_128(text.encode())
    for name in sorted(arrays):
        array = arrays[name]
        state.update(f"{name}{array.dtype.str}{array.shape}".encode())
        state.update(array.tobytes())
    return state.hexdigest()


def save(path: Path, value: object, kind: type[Any] | None = None) -> None:
    """Save a value as `path`.json and, where it has arrays, `path`.safetensors."""
    from safetensors.numpy import save_file

    text, arrays = encode(value, kind)
    if arrays:
        save_file(arrays, path.with_suffix(".safetensors"))
    path.with_suffix(".json").write_text(text, encoding="utf-8")


def load(path: Path, kind: type[T]) -> T:
    """Load a value that `save` wrote."""
    from safetensors.numpy import load_file

    tensors = path.with_suffix(".safetensors")
    arrays = load_file(tensors) if tensors.exists() else {}
    return decode(kind, path.with_suffix(".json").read_text(encoding="utf-8"), arrays)


@cache
def _adapter(kind: type[Any]) -> TypeAdapter[Any]:
    if not dataclasses.is_dataclass(kind):
        return TypeAdapter(kind)
    try:
        return TypeAdapter(kind)
    except (PydanticSchemaGenerationError, PydanticUserError) as error:
        raise StageDeclarationError(
            f"the record {kind.__name__} cannot travel between processes: its fields must be plain "
            f"values, tuples, mappings, frozen dataclasses or dlcc.codec.Array ({error})"
        ) from error
