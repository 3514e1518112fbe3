"""What a caller may write for padding, and the explicit ``((lo, hi), ...)`` that it means."""

from __future__ import annotations

from collections.abc import Sequence
from operator import index

from faltung.geometry.checks import refuse

PaddingLike = str | int | Sequence[int] | Sequence[tuple[int, int]]
Pads = tuple[tuple[int, int], ...]

WORDS = ("valid", "same", "same_lower", "full")


def per_axis(value: int | Sequence[int], axes: int, name: str) -> tuple[int, ...]:
    """Return one int for each axis.

    Parameters
    ----------
    value
        An int for all axes, or one for each.
    axes
        Number of axes.
    name
        What the value is called in errors.

    Raises
    ------
    GeometryError
        axis A2: neither an int nor `axes` ints.

    Examples
    --------
    >>> per_axis(2, 3, "stride")
    (2, 2, 2)
    >>> per_axis([2, 1], 2, "stride")
    (2, 1)
    """
    if type(value) is int:
        return (value,) * axes
    values = _ints(value)
    if isinstance(values, int):
        return (values,) * axes
    if values is None or len(values) != axes:
        rule = f"must be an int or one int for each of the {axes} axes"
        cure = f"Use {name}=1 or {name}={(1,) * axes}"
        refuse(name, rule, {name: repr(value)}, cure, "axis A2")
    return values


def explicit_padding(
    padding: PaddingLike,
    sizes: Sequence[int],
    kernels: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
) -> Pads:
    """Return the positions added before and after each axis of a convolution or pooling.

    Parameters
    ----------
    padding
        ``"valid"``: none. ``"same"``: as few as give ``ceil(size / stride)`` outputs, an odd one
        at the end; ``"same_lower"``: at the start. ``"full"``: extent - 1 on both sides. An int
        for all sides, one int for each axis, or one pair ``(lo, hi)`` for each axis; negative ones
        crop.
    sizes, kernels, strides, dilations
        One int for each axis.

    Raises
    ------
    GeometryError
        padding B1: a word that is not known. padding B2: not one entry for each axis. padding B3:
        an entry that is neither an int nor a pair of ints.

    Examples
    --------
    >>> explicit_padding("same", [224], [7], [2], [1])
    ((2, 3),)
    >>> explicit_padding("same_lower", [6], [3], [2], [1])
    ((1, 0),)
    >>> explicit_padding([(0, 1), (2, -1)], [5, 5], [3, 3], [1, 1], [1, 1])
    ((0, 1), (2, -1))
    """
    if type(padding) is int:
        return ((padding, padding),) * len(sizes)
    if not isinstance(padding, str):
        return _pairs(padding, len(sizes))
    _check_word(padding)
    return tuple(
        _pad_for_word(padding, *axis)
        for axis in zip(sizes, kernels, strides, dilations, strict=True)
    )


def transposed_padding(
    padding: PaddingLike,
    kernels: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    output_padding: Sequence[int],
) -> Pads:
    """Return the outputs that a transposed convolution crops before and after each axis.

    The words mean: ``"valid"`` none; ``"same"`` and ``"same_lower"`` as many as leave
    ``size * stride`` outputs, as ONNX has it (kernels shorter than the stride leave outputs to be
    added at the end: a negative `hi`); ``"full"`` extent - 1 on both sides, the adjoint of a full
    convolution. All else as in `explicit_padding`, with the same errors.

    >>> transposed_padding("same", [3], [2], [1], [0])
    ((0, 1),)
    >>> transposed_padding("same", [1], [2], [1], [0])
    ((0, -1),)
    """
    if not isinstance(padding, str):
        return _pairs(padding, len(kernels))
    _check_word(padding)
    if not padding.startswith("same"):
        # Neither of the other words looks at the size.
        return explicit_padding(padding, kernels, kernels, strides, dilations)
    totals = (
        d * (k - 1) + 1 - s + extra
        for k, s, d, extra in zip(kernels, strides, dilations, output_padding, strict=True)
    )
    return tuple(_split(total, padding) for total in totals)


def _pad_for_word(word: str, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    reach = dilation * (kernel - 1)
    if word == "valid":
        return (0, 0)
    if word == "full":
        return (reach, reach)
    outputs = -(-size // stride)
    # Below 0 where the stride is larger than the kernel: same never crops.
    return _split(max((outputs - 1) * stride + reach + 1 - size, 0), word)


def _split(total: int, word: str) -> tuple[int, int]:
    """Both sides get half; the odd one goes to the end, or to the start for same_lower."""
    less = max(total, 0) // 2
    more = total - less
    return (less, more) if word == "same" or total < 0 else (more, less)


def _check_word(word: str) -> None:
    if word not in WORDS:
        known = ", ".join(repr(known) for known in WORDS)
        refuse(
            "padding",
            f"the word must be one of {known}",
            {"padding": repr(word)},
            "Use one of them, an int, or a pair (lo, hi) for each axis",
            "padding B1",
        )


def _pairs(padding: object, axes: int) -> Pads:
    entries = _entries(padding)
    if isinstance(entries, int):
        return ((entries, entries),) * axes
    if len(entries) != axes:
        refuse(
            "padding",
            f"must have one entry for each of the {axes} axes",
            {"padding": repr(padding)},
            f"Use an int, or {axes} ints, or {axes} pairs such as {((0, 1),) * axes}",
            "padding B2",
        )
    return tuple(_pair(entry, padding) for entry in entries)


def _entries(padding: object) -> int | tuple[object, ...]:
    try:
        return int(index(padding))  # type: ignore[arg-type]
    except TypeError:
        pass
    try:
        return tuple(padding)  # type: ignore[arg-type]
    except TypeError:
        return (padding,)


def _pair(entry: object, padding: object) -> tuple[int, int]:
    values = _ints(entry)
    if isinstance(values, int):
        return (values, values)
    if values is None or len(values) != 2:
        refuse(
            "padding",
            "each entry must be an int or a pair of ints (lo, hi)",
            {"padding": repr(padding)},
            "Use pairs such as (0, 1)",
            "padding B3",
        )
    return (values[0], values[1])


def _ints(value: object) -> int | tuple[int, ...] | None:
    """Return an int, a tuple of ints, or None for anything else (floats, words)."""
    try:
        return int(index(value))  # type: ignore[arg-type]
    except TypeError:
        pass
    try:
        return tuple(int(index(v)) for v in value)  # type: ignore[attr-defined]
    except TypeError:
        return None
