"""Reading weights: a header in JSON that says where each tensor lies, then the numbers.

Format: 8 bytes with the header's length, little-endian; the header; the data. Nothing in the file is believed before
it was compared with the file's size: a file that lies about itself is refused, and costs no memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from chrysalis_memory.errors import ModelError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

__all__ = ["Place", "read_tensor", "tensor_places"]

Place: TypeAlias = "tuple[int, tuple[int, ...]]"
"""Where a tensor's numbers begin in the file, and its shape."""

_HEADER_BYTES_MAX: Final = 1 << 20
_TENSORS_MAX: Final = 4096
_FLOAT_BYTES: Final = 4


def tensor_places(path: Path, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Place]:
    """Where the tensors named in `shapes` lie.

    Raises `ModelError` if one is missing, is no 32-bit floats, has another shape or lies outside the file.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if size < 8 or length > min(_HEADER_BYTES_MAX, size - 8):
            raise _malformed(path, f"its header says that it is {length} bytes long")
        header = _header(path, file.read(length))
    begin = 8 + length
    return {name: (begin + _start(path, name, header, shape, size - begin), shape) for name, shape in shapes.items()}


def _header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = json.loads(text)
    except (ValueError, RecursionError):
        raise _malformed(path, "its header is no JSON") from None
    if not isinstance(header, dict) or len(header) > _TENSORS_MAX:
        raise _malformed(path, "its header is no table of tensors")
    return header


def _start(path: Path, name: str, header: dict[str, Any], shape: tuple[int, ...], data_bytes: int) -> int:
    match header.get(name):
        case {"dtype": "F32", "shape": list(found), "data_offsets": [int(start), int(end)]}:
            if tuple(found) != shape:
                raise _malformed(path, f"{name} has the shape {found} instead of {list(shape)}")
            if end - start != _FLOAT_BYTES * math.prod(shape) or not 0 <= start < end <= data_bytes:
                raise _malformed(path, f"{name} lies outside the file")
            return start
        case None:
            raise _malformed(path, f"{name} is missing")
        case _:
            raise _malformed(path, f"{name} is not described as 32-bit floats")


def read_tensor(path: Path, place: Place) -> NDArray[numpy.float32]:
    """The numbers at a place that `tensor_places` gave, without a copy: the file is mapped."""
    import numpy

    start, shape = place
    return numpy.memmap(path, dtype="<f4", mode="r", offset=start, shape=shape)


def _malformed(path: Path, what: str) -> ModelError:
    return ModelError(f"{path.name} holds no weights of this model: {what}", code="model_damaged", path=str(path))
