"""Pow and Cast: arithmetic whose operands, or results, may be of different dtypes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import numpy as np

from faltung.errors import DTypeError, message
from faltung.ops.elementwise import AbstractBinary, AbstractElementwise, summed_to
from faltung.ops.operator import Array, Attribute, Example, Key, OnnxNode, Result, Shape

ONNX_DTYPES: Final[dict[int, str]] = {
    1: "float32",
    2: "uint8",
    3: "int8",
    4: "uint16",
    5: "int16",
    6: "int32",
    7: "int64",
    9: "bool",
    10: "float32",
    11: "float64",
    12: "uint32",
    13: "uint64",
    16: "float32",
    21: "uint4",
    22: "int4",
    25: "uint2",
    26: "int2",
}
"""Our dtypes by ONNX's numbers; its float16 and bfloat16 are held as float32, and see `NARROW`."""

NARROW: Final[dict[str, str]] = {"uint4": "uint8", "int4": "int8", "uint2": "uint8", "int2": "int8"}
"""Integers that NumPy does not have, and those that they are held as."""


def onnx_dtype(name: str) -> int:
    """Return ONNX's number of a dtype.

    >>> onnx_dtype("float32"), onnx_dtype("int4")
    (1, 22)
    """
    return next(number for number, ours in ONNX_DTYPES.items() if ours == name)


def narrow_limits(name: str) -> tuple[int, int]:
    """Return the least and the greatest of the `NARROW` integers.

    >>> narrow_limits("int4"), narrow_limits("uint2")
    ((-8, 7), (0, 3))
    """
    count = 2 ** int(name[-1])
    return (0, count - 1) if name[0] == "u" else (-count // 2, count // 2 - 1)


def narrow_opset(name: str) -> int:
    """Return the operator set that has the `NARROW` integers: 4 bits came before 2."""
    return 21 if name.endswith("4") else 25


def _cut(x: Array, name: str) -> Array:
    """Keep the lowest bits, of a whole number in two's complement."""
    least, greatest = narrow_limits(name)
    whole = (x.astype(np.int64) - least) & (greatest - least)
    return np.asarray(whole + least).astype(NARROW[name])


class Pow(AbstractBinary):
    """``a ** b`` in the dtype of a.

    The gradient of the exponent is 0 where a is not positive: only a power of a positive number
    can be differentiated by it.
    """

    onnx_type: ClassVar[str] = "Pow"
    onnx_kinds: ClassVar[str] = "fiu"

    def value(self, a: Array, b: Array) -> Array:
        """Compute the power."""
        with np.errstate(all="ignore"):
            if a.dtype.kind != "f":
                return np.power(a.astype(np.float64), b).astype(a.dtype)
            return np.asarray(np.power(a, b.astype(a.dtype)))

    def partials(self, a: Array, b: Array, dout: Array) -> tuple[Array, Array]:
        """Return ``dout b a**(b - 1)`` and ``dout a**b log(a)``."""
        with np.errstate(all="ignore"):
            da = np.where(b == 0, 0, dout * b * np.power(a, b - 1))
            db = np.where(a > 0, dout * np.power(a, b) * np.log(np.where(a > 0, a, 1)), 0)
        return da.astype(dout.dtype), db.astype(dout.dtype)

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return the gradients of base and exponent; integers have none."""
        a, b = saved
        if a.dtype.kind != "f":
            return None, None
        da, db = self.partials(a, b, douts[0])
        exponent = summed_to(db, b.shape).astype(b.dtype) if b.dtype.kind == "f" else None
        return summed_to(da, a.shape), exponent

    @classmethod
    def examples(cls) -> list[Example]:
        """Return positive bases, numbers without axes."""
        return [
            Example(cls(), ((2, 3, 4), (2, 3, 4)), positive=(0,)),
            Example(cls(), ((2, 3), ()), positive=(0,)),
            Example(cls(), ((4,), (2, 3, 1)), positive=(0,)),
        ]


@dataclass(frozen=True)
class Cast(AbstractElementwise):
    """Convert to another dtype: fractions are cut off, whatever is not 0 is true.

    Numbers that the dtype cannot hold become what the machine makes of them, as ONNX has it; of
    integers of 2 or 4 bits, which are held in 8, the lowest bits stay.
    """

    onnx_type: ClassVar[str] = "Cast"
    onnx_kinds: ClassVar[str] = "fiub"
    to: str = "float32"

    def __post_init__(self) -> None:
        if self.to not in ONNX_DTYPES.values():
            rule = "to must be a dtype that faltung holds"
            raise DTypeError(message(self.subject, rule, {"to": self.to}))

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return what it converts to."""
        return (np.dtype(NARROW.get(self.to, self.to)),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Convert the values."""
        x = inputs[0]
        with np.errstate(all="ignore"):
            y = _cut(x, self.to) if self.to in NARROW else x.astype(self.to)
        return (y,), {}, x.dtype

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return ``dout`` in the input's dtype where both are floats."""
        floats = self.to.startswith("float") and saved.kind == "f"
        return (douts[0].astype(saved) if floats else None,)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write the node; what is of 2 or 4 bits there is of 8 again behind it."""
        if self.to not in NARROW:
            return super().to_onnx(inputs, outputs, in_shapes)
        cut = f"{outputs[0]}.cut"
        narrow, held = {"to": onnx_dtype(self.to)}, {"to": onnx_dtype(NARROW[self.to])}
        first = OnnxNode("Cast", inputs, (cut,), narrow, opset=narrow_opset(self.to))
        return first, OnnxNode("Cast", (cut,), outputs, held)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return ONNX's number of the dtype."""
        return {"to": onnx_dtype(self.to)}

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read ONNX's number of the dtype."""
        number = node.integer("to", 0)
        if number not in ONNX_DTYPES:
            rule = "to must be a dtype that faltung holds"
            raise DTypeError(message("Cast", rule, {"to": number}))
        return cls(ONNX_DTYPES[number]), node.inputs

    @classmethod
    def examples(cls) -> list[Example]:
        """Return conversions between floats, integers and truth values."""
        return [
            Example(cls("float64"), ((2, 3, 4),)),
            Example(cls("int64"), ((2, 4),)),
            Example(cls("bool"), ((5,),)),
            Example(cls("float32"), ((2, 3),), dtypes=("int64",)),
            Example(cls("int32"), ((2, 3),), dtypes=("bool",)),
        ]
