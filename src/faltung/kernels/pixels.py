"""Numbers of other types than a kernel computes with: widened when read, rounded when written.

A kernel that sums in float32 reads 8-bit pixels and may write such: nothing is converted in memory.
Rounding goes to the nearest integer, halves to the even one, and what does not fit is clipped.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from llvmlite import ir

from faltung.kernels.simd import I64, NUMBERS, Code, Int, Pointer, Vector

WHOLE: Final[dict[str, np.dtype[Any]]] = {
    "u8": np.dtype(np.uint8),
    "i8": np.dtype(np.int8),
    "u16": np.dtype(np.uint16),
    "i16": np.dtype(np.int16),
    "i64": np.dtype(np.int64),
}
FLOATS: Final[dict[str, np.dtype[Any]]] = {"f32": np.dtype(np.float32), "f64": np.dtype(np.float64)}
KINDS: Final[dict[np.dtype[Any], str]] = {dtype: kind for kind, dtype in (WHOLE | FLOATS).items()}
"""What a kernel calls the types that it reads and writes."""


def typed(code: Code, address: Int, kind: str) -> Pointer:
    """Return an address as that of numbers of a kind."""
    place = code.address(address)
    return Pointer(code.build, place.value, _element(kind))


def widened(code: Code, place: Pointer, kind: str) -> Vector:
    """Read as many numbers as the kernel's vectors hold, as numbers of the kernel's type."""
    if kind == code.number:
        return code.load(place)
    vector = ir.VectorType(_element(kind), code.lanes)
    read = code.build.load(place.value, typ=vector, align=1)
    return Vector(code.build, _as_float(code, read, kind, code.vector))


def number(code: Code, place: Pointer, kind: str) -> Any:
    """Read one number, as one of the kernel's type."""
    read = code.build.load(place.value, typ=_element(kind), align=1)
    return read if kind == code.number else _as_float(code, read, kind, code.element)


def narrowed(code: Code, place: Pointer, vector: Vector, kind: str) -> None:
    """Write a vector as numbers of a kind.

    Integers must come as finite numbers; those of 64 bits must be whole already.
    """
    if kind == code.number:
        code.store(place, vector)
        return
    value = vector
    if kind != "i64":
        limits = np.iinfo(WHOLE[kind])
        low, high = code.constant(limits.min), code.constant(limits.max)
        value = code.select(code.build.fcmp_ordered(">", value.value, low.value), value, low)
        value = code.select(code.build.fcmp_ordered("<", value.value, high.value), value, high)
        # Where the unit of the last place is 1, adding rounds to a whole number.
        magic = code.constant(1.5 * 2.0 ** (23 if code.number == "f32" else 52))
        value = value + magic - magic
    wide = ir.VectorType(I64 if kind == "i64" else ir.IntType(32), code.lanes)
    whole = code.build.fptosi(value.value, wide)
    if kind != "i64":
        whole = code.build.trunc(whole, ir.VectorType(_element(kind), code.lanes))
    code.build.store(whole, place.value, align=1)


def copy_pixels(code: Code, source: Pointer, out: Pointer, count: Int, kind: str) -> None:
    """Copy so many numbers of a kind, and touch nothing else."""
    vector = ir.VectorType(_element(kind), code.lanes)
    whole = count // code.lanes * code.lanes
    with code.loop(whole, step=code.lanes) as i:
        code.build.store(
            code.build.load((source + i).value, typ=vector, align=1), (out + i).value, align=1
        )
    with code.loop(count, start=whole) as i:
        one = code.build.load((source + i).value, typ=_element(kind), align=1)
        code.build.store(one, (out + i).value, align=1)


def _element(kind: str) -> ir.Type:
    return NUMBERS[kind] if kind in NUMBERS else ir.IntType(8 * WHOLE[kind].itemsize)


def _as_float(code: Code, value: Any, kind: str, to: ir.Type) -> Any:
    if kind in NUMBERS:
        return (code.build.fpext if kind == "f32" else code.build.fptrunc)(value, to)
    return (code.build.uitofp if kind[0] == "u" else code.build.sitofp)(value, to)
