"""Checks that the windows share; each takes the subject and the id it has there."""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

from faltung.errors import GeometryError, message
from faltung.geometry.padding import Pads

MAX_AXES = 3


def refuse(subject: str, rule: str, values: dict[str, object], cure: str, constraint: str) -> None:
    """Raise the error of one constraint."""
    raise GeometryError(message(subject, rule, values, cure, constraint))


def check_rank(subject: str, x_shape: Sequence[int], constraint: str) -> None:
    """A batch, channels and 1 to 3 space axes are there."""
    if 3 <= len(x_shape) <= 2 + MAX_AXES:
        return
    cure = "Use shape (N, C, *space)"
    if len(x_shape) == 2:
        cure = "Use x[None, None], or faltung.correlate for a bare array"
    rule = "x must have a batch, channels and 1 to 3 space axes"
    refuse(subject, rule, {"x_shape": tuple(x_shape)}, cure, constraint)


def check_minimum(
    subject: str, name: str, values: Sequence[int], least: int, constraint: str
) -> None:
    """Every value is at least `least`."""
    if min(values) < least:
        rule = f"{name} must be at least {least}"
        shown = values[0] if len(values) == 1 else tuple(values)
        refuse(subject, rule, {name: shown}, f"Use {name}={least} or more", constraint)


def check_crop(subject: str, sizes: Sequence[int], pads: Pads, constraint: str) -> None:
    """Negative padding crops no more than there is, on either side or on both together."""
    for size, (lo, hi) in zip(sizes, pads, strict=True):
        if (lo < 0 or hi < 0) and min(lo, hi, lo + hi) < -size:
            rule = "negative padding must not crop more than the input has"
            values: dict[str, object] = {"padding": (lo, hi), "size": size}
            refuse(subject, rule, values, f"Crop at most {size}", constraint)


def check_divides(subject: str, name: str, channels: int, groups: int, constraint: str) -> None:
    """The channels split into groups of one size."""
    if channels % groups:
        rule = f"{name} must be divisible by groups"
        values: dict[str, object] = {name: channels, "groups": groups}
        listed = ", ".join(map(str, divisors(channels)))
        refuse(subject, rule, values, f"Use groups in {{{listed}}}", constraint)


def divisors(number: int) -> list[int]:
    """Return the divisors of a positive number, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    return small + [number // d for d in reversed(small) if d * d != number]
