"""Questions about sizes: outputs, padding, what is dropped."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from faltung.explorer.quiz.problem import Family, Problem, misses
from faltung.geometry import AxisTransposed, AxisWindow, explicit_padding


def _shown(axis: AxisWindow) -> str:
    """The call that builds an axis."""
    names = ("size", "kernel", "stride", "dilation", "pad_lo", "pad_hi", "ceil")
    plain: dict[str, Any] = {"stride": 1, "dilation": 1, "pad_lo": 0, "pad_hi": 0, "ceil": False}
    given = {name: getattr(axis, name) for name in names}
    told = (f"{n}={v}" for n, v in given.items() if plain.get(n) != v)
    return f"geometry.AxisWindow({', '.join(told)})"


def _window(rng: Random, **more: Any) -> AxisWindow:
    pad = rng.choice((0, 0, 1, 2, 3))
    dilation, kernel, stride = rng.choice((1, 1, 1, 2, 3)), rng.randint(2, 7), rng.randint(2, 5)
    least = dilation * (kernel - 1) + 2
    size = rng.randint(max(8, least), least + 30)
    return AxisWindow(size, kernel, stride, dilation, pad, pad, **more)


def _told(axis: AxisWindow) -> str:
    dilated = f", dilation {axis.dilation}" if axis.dilation > 1 else ""
    pads = f", padding {axis.pad_lo} at each side" if axis.pad_lo else ""
    return f"{axis.size} wide, kernel {axis.kernel}, stride {axis.stride}{dilated}{pads}"


def _room(axis: AxisWindow) -> str:
    """How far the window can go, step by step."""
    spread = ""
    if axis.dilation > 1:
        spread = f"The kernel spans {axis.dilation}·({axis.kernel} − 1) + 1 = {axis.extent}. "
    padded = f"{axis.size} + 2·{axis.pad_lo}" if axis.pad_lo else f"{axis.size}"
    return f"{spread}{padded} − {axis.extent} = {axis.padded - axis.extent}"


def out_size(rng: Random) -> Problem:
    """How wide a convolution's output is."""
    axis = _window(rng)
    room, rest = divmod(axis.padded - axis.extent, axis.stride)
    bare = axis.padded - axis.kernel
    floor = f", {rest} left over" if rest else ""
    return Problem(
        f"An input {_told(axis)}: how wide is the output?",
        (axis.out_size,),
        f"{_room(axis)}; {axis.padded - axis.extent} : {axis.stride} = {room}{floor}; the first "
        f"window counts too: {room} + 1 = {axis.out_size}.",
        misses(
            axis.out_size,
            (room, "The first window counts too: + 1."),
            (room + 1 + bool(rest), "What is left over makes no window: round down."),
            (bare // axis.stride + 1, "The dilation makes the kernel span more."),
            ((axis.size - axis.extent) // axis.stride + 1, "The padding is missing."),
            (
                (axis.size + axis.pad_lo - axis.extent) // axis.stride + 1,
                "The padding is at both sides.",
            ),
            (axis.padded - axis.extent + 1, "The stride is missing."),
            (axis.padded // axis.stride, "The last window has to fit: take the kernel off first."),
        ),
        code=f"{_shown(axis)}.out_size",
    )


def ceil_size(rng: Random) -> Problem:
    """How wide a pooling's output is in ceil mode."""
    pad = rng.choice((0, 0, 1))
    kernel = rng.randint(2 * pad + 1 or 2, 5) if pad else rng.randint(2, 5)
    axis = AxisWindow(
        rng.randint(7, 30), kernel, rng.randint(2, 5), pad_lo=pad, pad_hi=pad, ceil=True
    )
    room, rest = divmod(axis.padded - axis.extent, axis.stride)
    start = (room + 1) * axis.stride - axis.pad_lo
    if not rest:
        more = "nothing is left over"
    elif axis.out_size == room + 2:
        more = f"{rest} left over; one window more starts at {start}, inside: {room} + 2"
    else:
        more = f"{rest} left over, but a window more would start at {start}, past the input"
    return Problem(
        f"Max pooling over an input {_told(axis)}, in ceil mode (what is left over gets a window "
        "if that starts inside the input): how wide is the output?",
        (axis.out_size,),
        f"{_room(axis)}; {axis.padded - axis.extent} : {axis.stride} = {room}, {more}: "
        f"{axis.out_size}.",
        misses(
            axis.out_size,
            (room + 1, "That rounds down; ceil mode keeps a window that hangs over."),
            (room + 2, "One more would start past the input." if rest else "Nothing is left over."),
            (room, "The first window counts too: + 1."),
            (axis.size // axis.stride, "The last window has to be looked at."),
            (axis.padded - axis.extent + 1, "The stride is missing."),
        ),
        code=f"{_shown(axis)}.out_size",
    )


def dropped(rng: Random) -> Problem:
    """How many columns no window reaches."""
    axis = _window(rng)
    return Problem(
        f"An input {_told(axis)}: how many columns at the end of the padded input does no window "
        "reach?",
        (axis.dropped,),
        f"{_room(axis)}, of which the stride takes {axis.out_size - 1} steps: "
        f"{axis.padded - axis.extent} − {axis.out_size - 1}·{axis.stride} = {axis.dropped}.",
        misses(
            axis.dropped,
            (axis.padded % axis.stride, "Take the kernel off before you divide."),
            ((axis.size - axis.extent) % axis.stride, "The padding is missing."),
            ((axis.padded - axis.kernel) % axis.stride, "The dilation makes the kernel span more."),
            (axis.stride - 1, "That is the most that can be dropped."),
            (0, "The stride does not divide: something is left over."),
            (axis.stride - axis.dropped, "So many are missing for one window more."),
        ),
        code=f"{_shown(axis)}.dropped",
    )


def same_split(rng: Random) -> Problem:
    """How 'same' splits its padding."""
    size, kernel = rng.randint(5, 40), rng.randint(2, 9)
    stride, dilation = rng.choice((1, 1, 2, 3)), rng.choice((1, 1, 1, 2))
    word = rng.choice(("same", "same_lower"))
    ((lo, hi),) = explicit_padding(word, (size,), (kernel,), (stride,), (dilation,))
    out, extent = -(-size // stride), dilation * (kernel - 1) + 1
    total, end = lo + hi, "end" if word == "same" else "beginning"
    half = (extent - 1) // 2
    need = (out - 1) * stride + extent
    whole = extent - 1
    clamped = "" if need >= size else ", so none"
    return Problem(
        f"An input {size} wide, kernel {kernel}, stride {stride}"
        f"{f', dilation {dilation}' if dilation > 1 else ''}, padding {word!r}: how much is padded "
        "at the beginning and at the end (two numbers)?",
        (lo, hi),
        f"{size} : {stride} rounded up: {out} outputs, which span ({out} − 1)·{stride} + {extent} "
        f"= {need}; {need} − {size} = {need - size}{clamped}, "
        f"{'the odd one at the ' + end if total % 2 else 'half on each side'}: {lo}, {hi}.",
        misses(
            (lo, hi),
            ((hi, lo), f"{word!r} puts the odd one at the {end}."),
            ((whole // 2, whole - whole // 2), "With a stride, 'same' needs less than k − 1."),
            ((half, half), "The split follows from the total, which depends on size and stride."),
            ((kernel // 2, kernel // 2), "Half the kernel on both sides is not always right."),
            ((total, total), "That is the total: it is split over both sides."),
            ((total, 0), "It is split over both sides."),
            ((0, total), "It is split over both sides."),
        ),
        code=f"geometry.explicit_padding({word!r}, ({size},), ({kernel},), ({stride},), "
        f"({dilation},))[0]",
    )


def transposed_size(rng: Random) -> Problem:
    """How wide a transposed convolution's output is."""
    kernel, stride = rng.randint(2, 6), rng.randint(2, 4)
    pad, extra = rng.randint(0, kernel // 2), rng.choice((0, 0, 1))
    axis = AxisTransposed(rng.randint(3, 20), kernel, stride, 1, pad, pad, extra)
    more, crop = (
        f" + {extra}" if extra else "",
        f" − 2·{pad}" if pad else "",
    )
    there = AxisWindow(axis.size, kernel, stride, 1, pad, pad).out_size
    return Problem(
        f"A transposed convolution: input {axis.size} wide, kernel {kernel}, stride {stride}, "
        f"padding {pad} at each side, output padding {extra}: how wide is the output?",
        (axis.out_size,),
        f"({axis.size} − 1)·{stride} + {kernel}{more}{crop} = {axis.out_size}.",
        misses(
            axis.out_size,
            (axis.size * stride, "Just the stride times the input is the case of 'same' only."),
            (axis.out_size + 2 * pad, "Its padding crops the output."),
            (axis.out_size + 4 * pad, "Its padding crops the output; it does not enlarge it."),
            (axis.out_size - extra, "The output padding is missing."),
            (axis.out_size + pad, "The padding crops both sides."),
            (axis.size * stride + kernel + extra - 2 * pad, "From n inputs there are n − 1 steps."),
            (there, "That is the convolution, not its transpose."),
        ),
        code=f"geometry.AxisTransposed(size={axis.size}, kernel={kernel}, stride={stride}, "
        f"pad_lo={pad}, pad_hi={pad}, output_padding={extra}).out_size",
    )


def extent(rng: Random) -> Problem:
    """How far a dilated kernel spans."""
    axis = AxisWindow(99, rng.randint(2, 9), 1, rng.randint(2, 8))
    kernel, dilation = axis.kernel, axis.dilation
    return Problem(
        f"A kernel of {kernel} taps with dilation {dilation}: how many positions does it span, "
        "from its first tap to its last, both counted?",
        (axis.extent,),
        f"{kernel} taps have {kernel - 1} gaps; {dilation}·{kernel - 1} + 1 = {axis.extent}.",
        misses(
            axis.extent,
            (kernel * dilation, "There are gaps between taps only: one fewer than taps."),
            (dilation * (kernel - 1), "Both ends count: + 1."),
            (
                kernel + dilation * (kernel - 1),
                "Dilation d puts d − 1 positions between two taps, not d.",
            ),
            ((dilation + 1) * (kernel - 1) + 1, "Dilation d puts taps d apart, not d + 1."),
            (kernel, "So many without dilation."),
        ),
        code=f"geometry.AxisWindow(size=99, kernel={kernel}, dilation={dilation}).extent",
    )


SIZES: Final = (
    Family("size", "Output size", out_size),
    Family("ceil", "Output size in ceil mode", ceil_size),
    Family("dropped", "Dropped columns", dropped),
    Family("same", "How 'same' is split", same_split),
    Family("transposed", "Size of a transposed convolution", transposed_size),
    Family("extent", "What a dilated kernel spans", extent),
)
