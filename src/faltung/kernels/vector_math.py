"""The hyperbolic tangent and the error function of vectors.

Near 0 both are x times a quotient of polynomials in x²; further away they are 1 minus something
small, made from an exponential, so that only its rounding is left:

    tanh(x) = 1 - 2 / (exp(2 |x|) + 1),    erf(x) = 1 - exp(-x²) (polynomials' quotient in |x|)

Both are computed for every lane, and each lane takes its own.

Sources: S. Moshier, *Cephes* (tanh); W. J. Cody, *Rational Chebyshev approximations for the error
function*, Mathematics of Computation 23 (1969), pages 631 to 637.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from llvmlite import ir

from faltung.kernels.error_function import FAR, MIDDLE, NEAR, ONE_FROM
from faltung.kernels.exponential import exp
from faltung.kernels.simd import I32, I64, Code, Vector

_TANH: Final = (
    (-9.64399179425052238628e-1, -9.92877231001918586564e1, -1.61468768441708447952e3),
    (1.0, 1.12811678491632931402e2, 2.23548839060100448583e3, 4.84406305325125486048e3),
)
_TANH_NEAR: Final = 0.625
"""Up to here the quotient of polynomials is taken."""


def tanh(code: Code, x: Vector) -> Vector:
    """Return the hyperbolic tangent, within two units in the last place; NaN of NaN."""
    size, one = _absolute(code, x), code.constant(1.0)
    far = one - code.constant(2.0) / (exp(code, size + size) + one)
    square = size * size
    near = code.fma(size * square, _quotient(code, _TANH, square), size)
    is_near = code.build.fcmp_ordered("<", size.value, code.constant(_TANH_NEAR).value)
    return _signed_as(code, code.select(is_near, near, far), x)


def erf(code: Code, x: Vector) -> Vector:
    """Return the error function, within six units in the last place; NaN of NaN."""
    one = code.constant(1.0)
    size = -code.maximum(-_absolute(code, x), code.constant(-ONE_FROM))
    inverse = one / (size * size)
    root = code.constant(1 / math.sqrt(math.pi))
    far = (root - inverse * _quotient(code, FAR, inverse)) / size
    is_middle = code.build.fcmp_ordered("<=", size.value, code.constant(4.0).value)
    scaled = code.select(is_middle, _quotient(code, MIDDLE, size), far)
    beyond = _signed_as(code, one - scaled * exp(code, -(size * size)), x)
    near = x * _quotient(code, NEAR, x * x)
    is_near = code.build.fcmp_ordered("<=", size.value, code.constant(0.46875).value)
    return code.select(is_near, near, beyond)


def _quotient(
    code: Code, polynomials: tuple[Sequence[float], Sequence[float]], x: Vector
) -> Vector:
    above, below = (_polynomial(code, coefficients, x) for coefficients in polynomials)
    return above / below


def _polynomial(code: Code, coefficients: Sequence[float], x: Vector) -> Vector:
    """Return a polynomial by Horner's rule; the highest power comes first."""
    value = code.constant(coefficients[0])
    for coefficient in coefficients[1:]:
        value = code.fma(value, x, code.constant(coefficient))
    return value


def _bits(code: Code) -> tuple[ir.VectorType, Any]:
    """Return the type of lanes as integers, and the mask of their signs."""
    kind = I64 if code.itemsize == 8 else I32
    integers = ir.VectorType(kind, code.lanes)
    sign = 1 << (8 * code.itemsize - 1)
    return integers, ir.Constant(integers, [sign] * code.lanes)


def _absolute(code: Code, x: Vector) -> Vector:
    integers, sign = _bits(code)
    bits = code.build.and_(code.build.bitcast(x.value, integers), code.build.not_(sign))
    return Vector(code.build, code.build.bitcast(bits, code.vector))


def _signed_as(code: Code, size: Vector, x: Vector) -> Vector:
    """Return numbers that are at least 0 with the signs of others."""
    integers, sign = _bits(code)
    signs = code.build.and_(code.build.bitcast(x.value, integers), sign)
    bits = code.build.or_(code.build.bitcast(size.value, integers), signs)
    return Vector(code.build, code.build.bitcast(bits, code.vector))
