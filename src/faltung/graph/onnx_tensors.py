"""What reading and writing ONNX share: element types, arrays, sizes, the shortest decimals."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import onnx
from numpy.typing import DTypeLike
from onnx import numpy_helper

from faltung.errors import ModelFileError, message
from faltung.ops.operator import Array, Dim, Shape
from faltung.ops.power import NARROW

STATE_KEY: Final = "faltung.state"
"""The metadata that lists, as JSON, which initializers are state."""

LARGEST_SIZE: Final = 2**40
"""No axis of an array in memory is longer; a file that declares one declares nothing."""

KEPT: Final = (
    "float32",
    "float64",
    "bool",
    *(f"{u}int{n}" for u in ("", "u") for n in (8, 16, 32, 64)),
)
WIDENED: Final = {"float16": "float32", "bfloat16": "float32", **NARROW}

_NAMES: Final[dict[int, str]] = {
    int(onnx.TensorProto.DataType.Value(theirs)): ours
    for theirs, ours in (
        {"FLOAT": "float32", "DOUBLE": "float64", "FLOAT16": "float16", "BFLOAT16": "bfloat16"}
        | {name.upper(): name for name in (*KEPT, *NARROW) if "float" not in name}
    ).items()
}


def dtype_name(element_type: int, subject: str) -> str:
    """Return the dtype in which a tensor of this element type is held.

    float32 and float64 stay what they are, shorter floats are widened to float32, integers of 2 or
    4 bits to 8.
    """
    name = _NAMES.get(element_type)
    if name is None:
        known = {v: k for k, v in onnx.TensorProto.DataType.items()}
        values = {"type": known.get(element_type, element_type)}
        cure = "Convert the model to float32"
        raise ModelFileError(message(subject, "its element type is not supported", values, cure))
    return WIDENED.get(name, name)


def declared_name(element_type: int) -> str:
    """Return what an element type is called; "" for one that is not held."""
    return _NAMES.get(element_type, "")


def element_type(dtype: DTypeLike) -> int:
    """Return ONNX's number for a dtype."""
    name = np.dtype(dtype).name
    return next(number for number, ours in _NAMES.items() if ours == name)


def stored_dtype(element_type: int) -> np.dtype[Any]:
    """Return the dtype in which a file holds a tensor of this element type, lowest byte first.

    bfloat16, which NumPy does not have, is the upper half of a float32: uint16 here.

    Raises
    ------
    ModelFileError
        Several values share a byte.
    """
    if _NAMES[element_type] in NARROW:
        rule = "integers of 2 or 4 bits are read from the model's own file alone"
        raise ModelFileError(message("model", rule, {"type": _NAMES[element_type]}))
    return np.dtype({"bfloat16": "uint16"}.get(name := _NAMES[element_type], name)).newbyteorder(
        "<"
    )


def widened(stored: Array, element_type: int, subject: str) -> Array:
    """Return an array of `stored_dtype` in the dtype in which it is held.

    >>> widened(np.array([0x3FC0], "<u2"), onnx.TensorProto.BFLOAT16, "w")
    array([1.5], dtype=float32)
    """
    if _NAMES[element_type] == "bfloat16":
        return (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(dtype_name(element_type, subject), copy=False)


def is_external(tensor: onnx.TensorProto) -> bool:
    """Whether a tensor's values lie in another file."""
    return tensor.data_location == onnx.TensorProto.EXTERNAL or bool(tensor.external_data)


def check_inside(tensor: onnx.TensorProto, subject: str) -> None:
    """Refuse a tensor whose values lie in another file, which only `load` can find."""
    if is_external(tensor):
        rule = "values in a file beside the model can be read of a model's initializers alone"
        cure = "Use faltung.load on the file, or save the model as one file"
        raise ModelFileError(message(subject, rule, {}, cure))


def to_array(tensor: onnx.TensorProto, subject: str) -> Array:
    """Return a tensor's values.

    Raises
    ------
    ModelFileError
        The values lie in another file, do not fill the shape, or are of a type that is not
        supported.
    """
    to = dtype_name(tensor.data_type, subject)
    check_inside(tensor, subject)
    try:
        # A negative size would be NumPy's "what is left".
        array = None if any(n < 0 for n in tensor.dims) else numpy_helper.to_array(tensor)
    except (ValueError, TypeError, OverflowError, MemoryError):
        array = None
    if array is None:
        values = {"shape": list(tensor.dims)}
        raise ModelFileError(message(subject, "its values must fill its shape", values))
    return array.astype(to, copy=False)


def to_tensor(name: str, array: Array) -> onnx.TensorProto:
    """Return the tensor of an array."""
    return numpy_helper.from_array(np.asarray(array, dtype=array.dtype.name), name)


def to_shape(value: onnx.ValueInfoProto) -> Shape:
    """Return the declared sizes; one that is open, or no size at all, gets a name."""
    dims = value.type.tensor_type.shape.dim
    return tuple(_size(dim, value.name, axis) for axis, dim in enumerate(dims))


def _size(dim: onnx.TensorShapeProto.Dimension, name: str, axis: int) -> Dim:
    if dim.WhichOneof("value") == "dim_value" and 0 <= dim.dim_value < LARGEST_SIZE:
        return int(dim.dim_value)
    return size_name(dim) or ("N" if axis == 0 else f"{name}_{axis}")


def size_name(dim: onnx.TensorShapeProto.Dimension) -> str:
    """Return what the file calls a size; "" where it only says that the size is open.

    Exporters of PaddlePaddle write "?" for several sizes that are not one.

    >>> size_name(onnx.TensorShapeProto.Dimension(dim_param="?"))
    ''
    """
    return str(dim.dim_param) if any(map(str.isalnum, dim.dim_param)) else ""


def shortest(value: float) -> float:
    """Return the shortest decimal that is this float32, so that 1e-5 stays 1e-5.

    >>> shortest(9.999999747378752e-06)
    1e-05
    """
    with np.errstate(over="ignore"):
        return float(str(np.float32(value)))
