"""Bugs in operators that move values: padding, concatenation, and changes of shape."""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from faltung.ops import Concat, Flatten, Identity, Pad, Reshape, Transpose, pad
from faltung.ops.operator import Array
from faltung.testing.mutants.mutant import Mutant, Operator, answer, arguments, gradient, output

FORWARD: Final = "check_values"
BACKWARD: Final = "check_gradients"


def moving_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of an operator that moves values; none for others."""
    makers: dict[Operator, Callable[[], Iterator[Mutant]]] = {
        Pad: _pad,
        Concat: _concat,
        Transpose: _transpose,
        Flatten: lambda: _reshape(Flatten),
        Reshape: lambda: _reshape(Reshape),
        Identity: _identity,
    }
    if cls in makers:
        yield from makers[cls]()


Pads = tuple[tuple[int, int], ...]


def _pad() -> Iterator[Mutant]:
    for mode, other in (
        ("reflect", "replicate"),
        ("reflect", "circular"),
        ("reflect", "zeros"),
        ("replicate", "reflect"),
        ("replicate", "zeros"),
        ("circular", "reflect"),
        ("circular", "zeros"),
    ):
        wrong = lambda x, pads, to="zeros", *v, mode=mode, other=other: (
            x,
            pads,
            other if to == mode else to,
            *v,
        )
        yield arguments(f"output: {mode} as {other}", FORWARD, pad, "pad", wrong)
        back = lambda d, shape, pads, to="zeros", mode=mode, other=other: (
            d,
            shape,
            pads,
            other if to == mode else to,
        )
        yield arguments(f"dx: {mode} as {other}", BACKWARD, pad, "pad_backward", back)
    amounts: dict[str, Callable[[Pads], Pads]] = {
        "lo and hi swapped": lambda pads: tuple((hi, lo) for lo, hi in pads),
        "axes in reverse": lambda pads: pads[::-1],
        "one earlier": lambda pads: tuple(
            (lo + 1, hi - 1) if lo or hi else (lo, hi) for lo, hi in pads
        ),
        "crops left out": lambda pads: tuple((max(lo, 0), max(hi, 0)) for lo, hi in pads),
        "crops as padding": lambda pads: tuple((abs(lo), abs(hi)) for lo, hi in pads),
    }
    for name, change in amounts.items():
        wrong = lambda x, pads, *rest, change=change: (x, change(pads), *rest)
        yield arguments(f"output: {name}", FORWARD, pad, "pad", wrong)
        back = lambda d, shape, pads, *rest, change=change: (d, shape, change(pads), *rest)
        yield arguments(f"dx: {name}", BACKWARD, pad, "pad_backward", back)
    for name, of in (
        ("left out", lambda v: 0.0),
        ("doubled", lambda v: 2 * v),
        ("sign", lambda v: -v),
    ):
        constant = lambda x, pads, mode="zeros", value=0.0, of=of: (x, pads, mode, of(value))
        yield arguments(f"output: constant, {name}", FORWARD, pad, "pad", constant)
    results: dict[str, Callable[[Array, Any, Any, Array], Array]] = {
        "copies overwritten, not summed": lambda dx, op, shape, dout: _shared(dx, op, shape),
        "shifted by one": lambda dx, op, shape, dout: np.roll(dx, 1, axis=-1),
        "of the inner part alone": lambda dx, op, shape, dout: dx * (_copies(op, shape) == 1),
    }
    for name, result in results.items():
        yield gradient(Pad, 0, name, result)
    mode_of = lambda mode, op: "reflect" if mode == "circular" else mode
    yield answer("taps: circular as reflect", "check_dependencies", Pad, "padding_mode", mode_of)
    ends = lambda taps, op, *rest: (
        tuple(
            range(t.start + lo - hi, t.stop + lo - hi)
            for t, (lo, hi) in zip(taps[0], op.pads, strict=True)
        ),
    )
    yield answer("taps: counted from the other end", "check_dependencies", Pad, "taps", ends)


def _copies(op: Any, shape: Any) -> Array:
    """How often each value was copied."""
    once = np.ones(op.out_shapes([shape])[0])
    return pad.pad_backward(once, shape, op.pads, op.mode)


def _shared(dx: Array, op: Any, shape: Any) -> Array:
    return (dx / np.maximum(_copies(op, shape), 1)).astype(dx.dtype)


def _concat() -> Iterator[Mutant]:
    reverse = lambda op, inputs: (op, list(inputs)[::-1])
    yield arguments("output: in reverse", FORWARD, Concat, "forward", reverse)
    outputs: dict[str, Callable[[Array, Any, Any], Array]] = {
        "first array again for the last": lambda y, op, inputs: _first_again(y, op, inputs),
        "shifted along the axis": lambda y, op, inputs: np.roll(y, 1, axis=op.axis),
        "along another axis": lambda y, op, inputs: np.sort(y, axis=op.axis),
    }
    for name, change in outputs.items():
        yield output(Concat, name, change)
    cuts: dict[str, Callable[[Any], Any]] = {
        "cut in reverse": lambda saved: list(saved)[::-1],
        "cut one late": lambda saved: [saved[0] + 1, saved[1] - 1, *saved[2:]],
    }
    for name, cut in cuts.items():
        wrong = lambda op, saved, douts, cut=cut: (op, cut(saved), douts)
        yield arguments(f"gradients: {name}", BACKWARD, Concat, "backward", wrong)
    turned = lambda grads, op, *rest: tuple(np.flip(g, op.axis) for g in grads)
    yield answer("gradients: turned round", BACKWARD, Concat, "backward", turned)
    starts = lambda found, *rest: [0 for _ in found]
    yield answer("taps: all from the start", "check_dependencies", Concat, "_starts", starts)
    late = lambda found, *rest: [n + 1 for n in found]
    yield answer("taps: one late", "check_dependencies", Concat, "_starts", late)


def _first_again(y: Array, op: Any, inputs: Any) -> Array:
    out = np.moveaxis(y.copy(), op.axis, 0)
    out[-1] = out[0]
    return np.moveaxis(out, 0, op.axis)


def _transpose() -> Iterator[Mutant]:
    def forward_with(order: Callable[[tuple[int, ...]], Any]) -> Callable[..., Array]:
        def wrong(y: Array, op: Any, inputs: Any) -> Array:
            moved = inputs[0].transpose(order(op._order(inputs[0].ndim)))
            return np.ascontiguousarray(moved).reshape(y.shape)

        return wrong

    yield output(Transpose, "by the inverse order", forward_with(np.argsort))
    yield output(Transpose, "not at all", forward_with(lambda order: range(len(order))))
    yield output(Transpose, "always reversed", forward_with(lambda order: range(len(order))[::-1]))
    yield output(Transpose, "last two axes swapped", forward_with(_last_swapped))

    def backward_with(order: Callable[[Any], Any]) -> Callable[..., Array]:
        def wrong(dx: Array, op: Any, saved: Any, dout: Array) -> Array:
            return np.ascontiguousarray(dout.transpose(order(saved))).reshape(dx.shape)

        return wrong

    yield gradient(Transpose, 0, "by the same order", backward_with(lambda order: order))
    yield gradient(Transpose, 0, "not moved back", backward_with(lambda order: range(len(order))))
    yield gradient(Transpose, 0, "turned round", lambda dx, *rest: np.flip(dx, 0))
    for method, aim in (("taps", "check_dependencies"), ("input_span", "check_spans")):
        same = lambda found, op, shapes, given, *rest: (_placed(op, given, found[0]),)
        yield answer(f"{method}: by the inverse order", aim, Transpose, method, same)
        turned = lambda found, *rest: (found[0][::-1],)
        yield answer(f"{method}: axes in reverse", aim, Transpose, method, turned)


def _last_swapped(order: tuple[int, ...]) -> list[int]:
    return [*order[:-2], order[-1], order[-2]]


def _placed(op: Any, given: Any, found: Any) -> Any:
    """Put what belongs to each output axis at its number, as if the order were its own inverse."""
    order = op._order(len(found))
    back = [found[axis] for axis in order]
    return tuple(back[axis] for axis in order)


def _reshape(cls: Operator) -> Iterator[Mutant]:
    outputs: dict[str, Callable[[Array, Any], Array]] = {
        "columns first": lambda x, shape: x.reshape(shape, order="F"),
        "of the transpose": lambda x, shape: np.ascontiguousarray(x.T).reshape(shape),
        "last axes swapped": lambda x, shape: np.ascontiguousarray(x.swapaxes(-1, -2)).reshape(
            shape
        ),
        "first value moved to the end": lambda x, shape: np.roll(x, -1).reshape(shape),
        "sorted": lambda x, shape: np.sort(x, axis=None).reshape(shape),
    }
    for name, change in outputs.items():
        yield output(cls, name, lambda y, op, ins, of=change: of(ins[0], y.shape))
        yield gradient(cls, 0, name, lambda dx, op, saved, dout, of=change: of(dout, dx.shape))
    first = lambda found, *rest: (tuple(range(1) for _ in found[0]),)
    yield answer("taps: always the first", "check_dependencies", cls, "taps", first)
    turned = lambda found, *rest: (found[0][::-1],)
    yield answer("taps: axes in reverse", "check_dependencies", cls, "taps", turned)


def _identity() -> Iterator[Mutant]:
    for name, change in (
        ("sorted", lambda x: np.sort(x, axis=-1) if x.ndim else x),
        ("transposed", lambda x: x.T.reshape(x.shape)),
        ("at least 0", lambda x: np.maximum(x, 0)),
        ("at most 6", lambda x: np.minimum(x, 6)),
    ):
        yield output(Identity, name, lambda y, op, inputs, change=change: change(y))
        yield gradient(Identity, 0, name, lambda dx, op, saved, dout, change=change: change(3 * dx))
