"""Bugs in the arithmetic of convolution and of its transpose, where all shapes still fit."""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np

from faltung.geometry import ConvWindow
from faltung.ops import Conv, ConvTranspose, conv, conv_transpose, dispatch
from faltung.ops.operator import Array
from faltung.testing.mutants.mutant import Mutant, Operator, answer, arguments, output

FORWARD: Final = "check_values"
BACKWARD: Final = "check_gradients"
ADJOINT: Final = "check_adjoint"


def convolution_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of Conv or of ConvTranspose; none for others."""
    if cls is Conv:
        yield from _weights("output", FORWARD, "conv")
        yield from _conv_forward()
        yield from _weights("dx", BACKWARD, "conv_dx")
        yield from _data_gradient("dx", ADJOINT, "conv_dx")
        yield from _weight_gradient()
        yield from _bias_gradient(conv)
        yield from _modes()
    if cls is ConvTranspose:
        yield from _weights("output", FORWARD, "conv_dx")
        yield from _data_gradient("output", FORWARD, "conv_dx")
        yield from _output_padding()
        yield from _transposed_bias()
        yield from _weights("dx", BACKWARD, "conv")
        yield from _weight_gradient()
        yield from _bias_gradient(conv_transpose)


def _flip(w: Array, *axes: int) -> Array:
    """Turn the kernel round on some of its axes, all of them where none is named."""
    return np.flip(w, axes or tuple(range(2, w.ndim)))


def _square(w: Array) -> Array:
    """Exchange the first and the last axis of a square kernel."""
    return w.swapaxes(2, -1) if w.shape[2] == w.shape[-1] else w


def _without(w: Array, place: int) -> Array:
    out = w.copy()
    where: Any = (..., *(place,) * (w.ndim - 2))
    out[where] = 0
    return out


def _weights(what: str, aim: str, operation: str) -> Iterator[Mutant]:
    """Bugs in how a kernel reads its second array of weights."""
    changes: dict[str, Callable[[Array], Array]] = {
        "kernel flipped": _flip,
        "kernel flipped along the last axis": lambda w: _flip(w, -1),
        "kernel axes swapped": _square,
        "first tap left out": lambda w: _without(w, 0),
        "last tap left out": lambda w: _without(w, -1),
        "filters in reverse": lambda w: w[::-1].copy(),
        "channels of the filters in reverse": lambda w: w[:, ::-1].copy(),
        "one filter for all": lambda w: np.repeat(w[:1], len(w), axis=0),
        "weights without their sign": np.abs,
    }
    for name, change in changes.items():
        wrong = lambda window, x, w, *b, change=change: (window, x, change(w), *b)
        yield arguments(f"{what}: {name}", aim, dispatch, operation, wrong)


def _next_group(window: ConvWindow, x: Array) -> Array:
    return np.roll(x, window.group_in, axis=1)


def _dealt(window: ConvWindow, x: Array) -> Array:
    """Deal the channels out to the groups in turn."""
    shape = (x.shape[0], window.group_in, window.groups, *x.shape[2:])
    return x.reshape(shape).swapaxes(1, 2).reshape(x.shape)


def _framed(mode: Any) -> Callable[[ConvWindow, Array], tuple[ConvWindow, Array]]:
    """Put something else than zeros where the padding is, as far as there is padding."""

    def change(window: ConvWindow, x: Array) -> tuple[ConvWindow, Array]:
        if x.size == 0 or any(min(pad) < 0 for pad in window.pads):
            return window, x
        options = {"constant_values": 1} if mode == "constant" else {}
        padded = np.pad(x, ((0, 0), (0, 0), *window.pads), mode=mode, **options)
        sizes = padded.shape[2:]
        axes = tuple(
            replace(a, size=n, pad_lo=0, pad_hi=0) for a, n in zip(window.axes, sizes, strict=True)
        )
        return replace(window, axes=axes), padded

    return change


def _conv_forward() -> Iterator[Mutant]:
    inputs: dict[str, Callable[[ConvWindow, Array], Array]] = {
        "channels in reverse": lambda window, x: x[:, ::-1].copy(),
        "channels of the next group": _next_group,
        "channels dealt out to the groups in turn": _dealt,
        "images in reverse": lambda window, x: x[::-1].copy(),
        "last position read as 0": lambda window, x: _without_last(x),
    }
    for name, change in inputs.items():
        wrong = lambda window, x, *rest, change=change: (window, change(window, x), *rest)
        yield arguments(f"output: {name}", FORWARD, dispatch, "conv", wrong)
    for mode in ("edge", "wrap", "constant"):
        frame = _framed(mode)
        around = lambda window, x, *rest, frame=frame: (*frame(window, x), *rest)
        name = {"edge": "its border", "wrap": "its other end", "constant": "ones"}[mode]
        yield arguments(f"output: padded with {name}", FORWARD, dispatch, "conv", around)
    biases: dict[str, Callable[[Array], Array | None]] = {
        "bias left out": lambda b: None,
        "bias added twice": lambda b: 2 * b,
        "bias taken away": lambda b: -b,
        "bias of the next channel": lambda b: np.roll(b, 1),
        "bias of the first channel for all": lambda b: np.full_like(b, b[0]),
    }
    for name, of in biases.items():
        biased = lambda window, x, w, b=None, of=of: (
            window,
            x,
            w,
            None if b is None else of(b),
        )
        yield arguments(f"output: {name}", FORWARD, dispatch, "conv", biased)


def _without_last(x: Array) -> Array:
    out = x.copy()
    out[..., -1:] = 0
    return out


def _data_gradient(what: str, aim: str, operation: str) -> Iterator[Mutant]:
    """Bugs in what is scattered back, which is also how a transposed convolution computes."""
    douts: dict[str, Callable[[ConvWindow, Array], Array]] = {
        "channels in reverse": lambda window, dout: dout[:, ::-1].copy(),
        "images in reverse": lambda window, dout: dout[::-1].copy(),
        "last position left out": lambda window, dout: _without_last(dout),
        "one position late": lambda window, dout: np.roll(dout, 1, axis=-1),
    }
    for name, change in douts.items():
        wrong = lambda window, dout, *rest, change=change: (window, change(window, dout), *rest)
        yield arguments(f"{what}: {name}, scattered", aim, dispatch, operation, wrong)
    results: dict[str, Callable[[ConvWindow, Array], Array]] = {
        "shifted by one": lambda window, dx: np.roll(dx, 1, axis=-1),
        "rows shifted by one": lambda window, dx: np.roll(dx, 1, axis=2),
        "channels of the next group": _next_group,
        "divided by the batch": lambda window, dx: dx / max(window.batch, 1),
        "summed over the batch": lambda window, dx: dx * 0 + dx.sum(axis=0, keepdims=True),
        "dropped columns take their neighbour's": _dropped_kept,
        "overlaps counted twice": _overlaps_twice,
    }
    for name, result in results.items():
        after = lambda dx, window, *rest, result=result: result(window, dx).astype(dx.dtype)
        yield answer(f"{what}: {name}", aim, dispatch, operation, after)


def _dropped_kept(window: ConvWindow, dx: Array) -> Array:
    axis = window.axes[-1]
    end = dx.shape[-1] - max(0, axis.dropped - max(axis.pad_hi, 0))
    out = dx.copy()
    if 0 < end < dx.shape[-1]:
        out[..., end:] = out[..., end - 1 : end]
    return out


def _overlaps_twice(window: ConvWindow, dx: Array) -> Array:
    overlap = any(a.extent > a.stride for a in window.axes)
    return 2 * dx if overlap else dx


def _weight_gradient() -> Iterator[Mutant]:
    def of_images(keep: slice) -> Callable[..., Any]:
        def wrong(window: ConvWindow, x: Array, dout: Array) -> Any:
            fewer = replace(window, batch=len(x[keep]))
            return (fewer, x[keep], dout[keep]) if len(x) > 1 else (window, x, dout)

        return wrong

    for name, keep in (("first image alone", slice(0, 1)), ("last image left out", slice(-1))):
        yield arguments(f"dw: {name}", ADJOINT, dispatch, "conv_dw", of_images(keep))
    given: dict[str, Callable[[ConvWindow, Array, Array], Any]] = {
        "last outputs left out": lambda window, x, dout: (window, x, _without_last(dout)),
        "one position late": lambda window, x, dout: (window, x, np.roll(dout, 1, axis=-1)),
        "channels of the next group": lambda window, x, dout: (
            window,
            _next_group(window, x),
            dout,
        ),
        "images mixed up": lambda window, x, dout: (window, x[::-1].copy(), dout),
    }
    for name, change in given.items():
        yield arguments(f"dw: {name}", ADJOINT, dispatch, "conv_dw", change)
    results: dict[str, Callable[[Array, ConvWindow], Array]] = {
        "mean over the batch": lambda dw, window: dw / max(window.batch, 1),
        "mean over space": lambda dw, window: dw / max(int(np.prod(window.out_space)), 1),
        "flipped": lambda dw, window: _flip(dw).copy(),
        "kernel axes swapped": lambda dw, window: _square(dw).copy(),
        "filters in reverse": lambda dw, window: dw[::-1].copy(),
        "channels in reverse": lambda dw, window: dw[:, ::-1].copy(),
    }
    for name, result in results.items():
        after = lambda dw, window, *rest, result=result: result(dw, window).astype(dw.dtype)
        yield answer(f"dw: {name}", ADJOINT, dispatch, "conv_dw", after)


def _bias_gradient(module: Any) -> Iterator[Mutant]:
    changes: dict[str, Callable[[Array], Array]] = {
        "first image alone": lambda d: d[:1].sum(axis=(0, *range(2, d.ndim))),
        "last positions left out": lambda d: d[..., :-1].sum(axis=(0, *range(2, d.ndim))),
        "mean over the batch": lambda d: d.sum(axis=(0, *range(2, d.ndim))) / max(len(d), 1),
        "of all channels together": lambda d: np.full(d.shape[1], d.sum()),
        "channels in reverse": lambda d: d.sum(axis=(0, *range(2, d.ndim)))[::-1].copy(),
    }
    for name, change in changes.items():
        wrong = lambda db, dout, change=change: change(dout).astype(dout.dtype)
        yield answer(f"db: {name}", BACKWARD, module, "bias_gradient", wrong)


def _modes() -> Iterator[Mutant]:
    """Bugs in padding that is laid out before the kernel runs."""
    for mode, other in (
        ("reflect", "replicate"),
        ("reflect", "circular"),
        ("replicate", "zeros"),
        ("circular", "reflect"),
    ):
        wrong = lambda x, pads, to, mode=mode, other=other: (
            x,
            pads,
            other if to == mode else to,
        )
        yield arguments(f"padding_mode: {mode} as {other}", FORWARD, conv, "pad", wrong)
        back = lambda dx, shape, pads, to, mode=mode, other=other: (
            dx,
            shape,
            pads,
            other if to == mode else to,
        )
        name = f"dx: padding_mode {mode} as {other}"
        yield arguments(name, BACKWARD, conv, "pad_backward", back)


def _output_padding() -> Iterator[Mutant]:
    def extra(window: Any, change: Callable[[int, Any], int]) -> Any:
        sizes = [change(i, window.axes) for i in range(len(window.axes))]
        pairs = zip(window.axes, sizes, strict=True)
        return replace(window, axes=tuple(replace(a, output_padding=n) for a, n in pairs))

    changes: dict[str, Callable[[int, Any], int]] = {
        "ignored": lambda i, axes: 0,
        "doubled": lambda i, axes: 2 * axes[i].output_padding,
        "axes swapped": lambda i, axes: int(axes[-1 - i].output_padding),
    }
    for name, change in changes.items():
        wrong = lambda window, *rest, change=change: extra(window, change)
        yield answer(f"output_padding: {name}", FORWARD, ConvTranspose, "window", wrong)

    def at_start(window: Any, *rest: Any) -> Any:
        moved = (
            replace(a, pad_lo=a.pad_lo - a.output_padding, output_padding=0) for a in window.axes
        )
        return replace(window, axes=tuple(moved))

    yield answer("output_padding: at the start", FORWARD, ConvTranspose, "window", at_start)

    def zeros(y: Array, operator: Any, inputs: Any) -> Array:
        out = y.copy()
        for axis, window in enumerate(operator.window(*(x.shape for x in inputs[:2])).axes):
            end = out.shape[2 + axis] - window.output_padding
            out[(slice(None),) * (2 + axis) + (slice(end, None),)] = 0
        return out

    yield output(ConvTranspose, "output_padding as a border of zeros", zeros)


def _transposed_bias() -> Iterator[Mutant]:
    changes: dict[str, Callable[[Array], Array]] = {
        "bias left out": lambda b: -b,
        "bias added twice": lambda b: b,
        "bias of the next channel": lambda b: np.roll(b, 1) - b,
    }
    for name, change in changes.items():

        def wrong(y: Array, operator: Any, inputs: Any, change: Any = change) -> Array:
            if len(inputs) < 3:
                return y
            return np.asarray(y + change(inputs[2]).reshape(-1, *(1 for _ in y.shape[2:])))

        yield output(ConvTranspose, name, wrong)
