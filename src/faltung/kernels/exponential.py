"""The exponential of vectors.

    exp(x) = 2**n exp(r),   n the whole number next to x / log 2,   r = x - n log 2

So ``|r| <= log(2) / 2``, where the first terms of the series are enough. log 2 is taken off in two
parts, the first of which has so few bits that its product with n is exact; 2**n is put together
from its bits, in two factors, so that results below the smallest normal number are right too.
"""

from __future__ import annotations

import math
from typing import Any, Final, NamedTuple

from llvmlite import ir

from faltung.kernels.simd import I32, I64, Code, Vector


class _Type(NamedTuple):
    """What differs between single and double precision."""

    integer: ir.IntType
    fraction: int
    bias: int
    terms: int
    log2_high: float
    least: float
    most: float


_F32: Final = _Type(I32, 23, 127, 8, 0.693359375, -104.0, 89.0)
_F64: Final = _Type(I64, 52, 1023, 14, float.fromhex("0x1.62e42feep-1"), -746.0, 710.0)
_LOG2_LOW: Final = {
    # log 2 minus the parts above, from its digits: a difference of doubles would not have them.
    _F32.log2_high: -2.1219444005469057e-4,
    _F64.log2_high: 1.9082149292705877e-10,
}


def exp(code: Code, x: Vector) -> Vector:
    """Return e to the power of each lane, within two units in the last place; NaN of NaN."""
    kind = _F64 if code.itemsize == 8 else _F32
    inside = -code.maximum(-code.maximum(x, code.constant(kind.least)), code.constant(-kind.most))
    # Adding this number leaves no fraction, and the whole number stands in the lowest bits.
    shift = code.constant(1.5 * 2.0**kind.fraction)
    shifted = code.fma(inside, code.constant(1 / math.log(2)), shift)
    whole = shifted - shift
    rest = code.fma(whole, code.constant(-kind.log2_high), inside)
    rest = code.fma(whole, code.constant(-_LOG2_LOW[kind.log2_high]), rest)
    series = code.constant(1 / math.factorial(kind.terms - 1))
    for power in reversed(range(kind.terms - 1)):
        series = code.fma(series, rest, code.constant(1 / math.factorial(power)))
    return _times_power_of_2(code, kind, series, shifted, shift)


def logistic(code: Code, x: Vector) -> Vector:
    """Return ``1 / (1 + exp(-x))``, of exponents below 0 alone, so that nothing overflows."""
    zero, one = code.constant(0.0), code.constant(1.0)
    is_negative = code.build.fcmp_ordered("<", x.value, zero.value)
    e = exp(code, code.select(is_negative, x, zero - x))
    return code.select(is_negative, e, one) / (one + e)


def _times_power_of_2(code: Code, kind: _Type, series: Vector, n: Vector, shift: Vector) -> Vector:
    """Multiply by 2**n; `n` has n in its lowest bits, and `shift` there 0."""
    build = code.build
    integers = ir.VectorType(kind.integer, code.lanes)

    def every(value: int) -> Any:
        return ir.Constant(integers, [value] * code.lanes)

    number = build.sub(build.bitcast(n.value, integers), build.bitcast(shift.value, integers))
    half = build.ashr(number, every(1))
    for part in (half, build.sub(number, half)):
        bits = build.shl(build.add(part, every(kind.bias)), every(kind.fraction))
        series = series * Vector(build, build.bitcast(bits, code.vector))
    return series
