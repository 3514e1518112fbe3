"""Checks that the windows share; each takes the subject and the id that its constraint has there.

The ids are those of ``docs/spec/conv.md``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from operator import index
from typing import NoReturn

from faltung.errors import GeometryError, message

MAX_AXES = 3


def refuse(
    subject: str, rule: str, values: Mapping[str, object], cure: str, constraint: str
) -> NoReturn:
    """Raise the error of one constraint."""
    raise GeometryError(message(subject, rule, values, cure, constraint))


def refuse_axis(size: int, kernel: int, stride: int, dilation: int) -> NoReturn:
    """Raise for an axis that cannot be; windows name the value at fault before they make one."""
    rule = "size must be at least 0; kernel, stride and dilation at least 1"
    values = {"size": size, "kernel": kernel, "stride": stride, "dilation": dilation}
    refuse("axis", rule, values, "", "axis A1")


def whole(name: str, values: Sequence[int]) -> tuple[int, ...]:
    """Return the values as Python's ints, which do not overflow; refuse anything else."""
    try:
        return tuple(map(index, values))
    except TypeError:
        cure = "Give each a number, without a decimal point"
        refuse(name, "all of it must be ints", {name: repr(values)}, cure, "axis A4")


def check_rank(subject: str, x_shape: Sequence[int], constraint: str) -> None:
    """A batch, channels and 1 to 3 space axes are there."""
    if 3 <= len(x_shape) <= 2 + MAX_AXES:
        return
    cure = "Use shape (N, C, *space)"
    if len(x_shape) == 2:
        cure = "Use x[None, None], or faltung.correlate for a bare array"
    rule = f"x must have a batch, channels and 1 to {MAX_AXES} space axes"
    refuse(subject, rule, {"x_shape": tuple(x_shape)}, cure, constraint)


def check_w_rank(
    subject: str, layout: str, x_shape: Sequence[int], w_shape: Sequence[int], constraint: str
) -> None:
    """`w` has as many axes as `x`."""
    if len(w_shape) != len(x_shape):
        values = {"x_shape": tuple(x_shape), "w_shape": tuple(w_shape)}
        cure = f"Use w of shape ({layout}, *kernel_size)"
        refuse(subject, "w must have as many axes as x", values, cure, constraint)


def check_minimum(
    subject: str, name: str, values: Sequence[int], least: int, constraint: str
) -> None:
    """Every value is at least `least`."""
    if min(values) < least:
        shown = values[0] if len(values) == 1 else tuple(values)
        cure = f"Use {name}={least} or more"
        refuse(subject, f"{name} must be at least {least}", {name: shown}, cure, constraint)


def check_sizes(subject: str, x_shape: Sequence[int], constraint: str) -> None:
    """Sizes may be 0: an empty batch or image has an empty output."""
    if min(x_shape) < 0:
        values = {"x_shape": tuple(x_shape)}
        refuse(subject, "every size of x must be at least 0", values, "Use 0 or more", constraint)


def check_slide(
    subject: str,
    kernel: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    constraints: tuple[str, str, str],
) -> None:
    """Kernel, stride and dilation are at least 1 on every axis."""
    check_minimum(subject, "kernel_size", kernel, 1, constraints[0])
    check_minimum(subject, "stride", strides, 1, constraints[1])
    check_minimum(subject, "dilation", dilations, 1, constraints[2])


def check_crop(
    subject: str, sizes: Sequence[int], pads: Sequence[tuple[int, int]], constraint: str
) -> None:
    """Negative padding crops no more than there is, on either side or on both together."""
    for size, (lo, hi) in zip(sizes, pads, strict=True):
        if (lo < 0 or hi < 0) and min(lo, hi, lo + hi) < -size:
            rule = "negative padding must not crop more than the input has"
            values = {"padding": (lo, hi), "size": size}
            refuse(subject, rule, values, f"Crop at most {size}", constraint)


MOST_CHANNELS = 2**24
"""Of how many channels the divisors are listed."""


def check_divides(subject: str, name: str, channels: int, groups: int, constraint: str) -> None:
    """The channels split into groups of one size."""
    if channels % groups:
        values = {name: channels, "groups": groups}
        cure = "Use groups that divide it"
        if channels <= MOST_CHANNELS:  # a file may declare any number, whose divisors take hours
            cure = f"Use groups in {{{', '.join(map(str, divisors(channels)))}}}"
        refuse(subject, f"{name} must be divisible by groups", values, cure, constraint)


def divisors(number: int) -> list[int]:
    """Return the divisors of a positive number, ascending.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [d for d in range(1, isqrt(number) + 1) if number % d == 0]
    return small + [number // d for d in reversed(small) if d * d != number]
