"""Bugs in the geometry of whatever slides a window: convolution, its transpose, pooling.

Shapes, values, taps, spans, counts and files all read the same geometry: where it is wrong they
agree with each other, and only a definition that has its own can tell.
"""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from faltung.geometry import AxisWindow, Interval
from faltung.ops import AveragePool, Conv, ConvTranspose, LocallyConnected, MaxPool
from faltung.ops.operator import EVERYTHING, Spans, Taps
from faltung.testing.mutants.mutant import Function, Mutant, Operator, answer, replaced

Axes = tuple[Any, ...]
Change = Callable[[Axes], Axes]
SLIDING: Final[tuple[Operator, ...]] = (
    Conv,
    ConvTranspose,
    LocallyConnected,
    MaxPool,
    AveragePool,
)
AIM: Final = "check_values"


def _each(change: Callable[[Any], Any]) -> Change:
    return lambda axes: tuple(change(axis) for axis in axes)


def _exchanged(*names: str) -> Change:
    """Give each axis what the one opposite should have."""

    def change(axes: Axes) -> Axes:
        pairs = zip(axes, axes[::-1], strict=True)
        return tuple(replace(a, **{n: getattr(b, n) for n in names}) for a, b in pairs)

    return change


def _of_first(*names: str) -> Change:
    return _each_with_first(lambda a, first: replace(a, **{n: getattr(first, n) for n in names}))


def _each_with_first(change: Callable[[Any, Any], Any]) -> Change:
    return lambda axes: tuple(change(axis, axes[0]) for axis in axes)


def _padded(change: Callable[[int, int], tuple[int, int]]) -> Change:
    def of(axis: Any) -> Any:
        lo, hi = change(axis.pad_lo, axis.pad_hi)
        return replace(axis, pad_lo=lo, pad_hi=hi)

    return _each(of)


AXES: Final[dict[str, Change]] = {
    "padding + 1": _padded(lambda lo, hi: (lo + 1, hi + 1)),
    "padding - 1": _padded(lambda lo, hi: (lo - 1, hi - 1)),
    "padding one earlier": _padded(lambda lo, hi: (lo + 1, hi - 1)),
    "padding one later": _padded(lambda lo, hi: (lo - 1, hi + 1)),
    "padding ignored": _padded(lambda lo, hi: (0, 0)),
    "padding all at the end": _padded(lambda lo, hi: (0, lo + hi)),
    "padding of the start on both sides": _padded(lambda lo, hi: (lo, lo)),
    "padding lo and hi swapped": _padded(lambda lo, hi: (hi, lo)),
    "padding axes swapped": _exchanged("pad_lo", "pad_hi"),
    "padding of the first axis for all": _of_first("pad_lo", "pad_hi"),
    "negative padding taken for none": _padded(lambda lo, hi: (max(lo, 0), max(hi, 0))),
    "negative padding taken for positive": _padded(lambda lo, hi: (abs(lo), abs(hi))),
    "last position cut off": _padded(lambda lo, hi: (lo, hi - 1)),
    "first position cut off": _padded(lambda lo, hi: (lo - 1, hi)),
    "stride axes swapped": _exchanged("stride"),
    "stride of the first axis for all": _of_first("stride"),
    "stride ignored": _each(lambda a: replace(a, stride=1)),
    "stride + 1": _each(lambda a: replace(a, stride=a.stride + 1)),
    "dilation axes swapped": _exchanged("dilation"),
    "dilation of the first axis for all": _of_first("dilation"),
    "dilation ignored": _each(lambda a: replace(a, dilation=1)),
    "dilation + 1": _each(lambda a: replace(a, dilation=a.dilation + 1)),
    "stride and dilation swapped": _each(
        lambda a: replace(a, stride=a.dilation, dilation=a.stride)
    ),
}
"""What may be wrong with the axes of a window."""


def window_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs of a window's geometry; none where nothing slides."""
    if cls not in SLIDING:
        return
    for name, change in AXES.items():
        wrong = lambda window, *rest, change=change: replace(window, axes=change(window.axes))
        yield answer(f"geometry: {name}", AIM, cls, "window", wrong)
    yield from _words(cls)
    yield from _taps(cls)
    yield from _spans(cls)
    if cls in (MaxPool, AveragePool):
        yield from _ceil(cls)


def _words(cls: Operator) -> Iterator[Mutant]:
    """Words for padding that are taken for another one."""
    pads: dict[str, tuple[str, Callable[[Any], tuple[int, int]]]] = {
        "same with the odd one at the start": ("same", lambda a: (a.pad_hi, a.pad_lo)),
        "same_lower with the odd one at the end": ("same_lower", lambda a: (a.pad_hi, a.pad_lo)),
        "same as if the stride were 1": (
            "same",
            lambda a: ((a.extent - 1) // 2, a.extent - 1 - (a.extent - 1) // 2),
        ),
        "same as half the kernel": ("same", lambda a: (a.kernel // 2, a.kernel // 2)),
        "full as valid": ("full", lambda a: (0, 0)),
        "full without the dilation's last step": ("full", lambda a: (a.kernel - 2, a.kernel - 2)),
    }
    for name, (word, change) in pads.items():

        def wrong(
            window: Any, operator: Any, *rest: Any, word: str = word, of: Any = change
        ) -> Any:
            if operator.padding != word:
                return window
            return replace(window, axes=_padded_by(window.axes, of))

        yield answer(f"geometry: {name}", AIM, cls, "window", wrong)


def _padded_by(axes: Axes, of: Callable[[Any], tuple[int, int]]) -> Axes:
    return tuple(replace(a, pad_lo=of(a)[0], pad_hi=of(a)[1]) for a in axes)


def _taps(cls: Operator) -> Iterator[Mutant]:
    changes: dict[str, tuple[str, Callable[[range, int], range]]] = {
        "dilation ignored": (
            "check_dependencies",
            lambda r, n: range(r.start, r.start + len(r)) if r else r,
        ),
        "the first alone": ("check_dependencies", lambda r, n: r[:1]),
        "in between as well": (
            "check_dependencies",
            lambda r, n: range(r.start, r.stop) if r else r,
        ),
    }
    if cls is not ConvTranspose:  # which has no taps outside its input
        changes["clipped to the input"] = (
            "check_spans",
            lambda r, n: range(max(r.start, 0), min(r.stop, n), r.step) if r.step == 1 else r,
        )
    for name, (aim, change) in changes.items():

        def wrong(
            taps: tuple[Taps, ...], operator: Any, shapes: Any, *rest: Any, change: Any = change
        ) -> tuple[Taps, ...]:
            space = zip(taps[0][2:], shapes[0][2:], strict=True)
            return ((*taps[0][:2], *(change(r, n) for r, n in space)), *taps[1:])

        yield answer(f"taps: {name}", aim, cls, "taps", wrong)
    if cls in (Conv, ConvTranspose):
        every = lambda taps, operator, shapes, *rest: (
            (taps[0][0], range(shapes[0][1]), *taps[0][2:]),
            *taps[1:],
        )
        yield answer("taps: groups ignored", "check_dependencies", cls, "taps", every)


def _spans(cls: Operator) -> Iterator[Mutant]:
    def on_space(change: Callable[[Interval, int], Interval]) -> Callable[..., Any]:
        def wrong(spans: tuple[Spans, ...], operator: Any, shapes: Any, *rest: Any) -> Any:
            pairs = zip(spans[0][2:], shapes[0][2:], strict=True)
            space = (s if s is EVERYTHING else change(s, n) for s, n in pairs)
            return ((*spans[0][:2], *space), *spans[1:])

        return wrong

    aim = "check_spans"
    if cls is not ConvTranspose:
        clipped = on_space(lambda span, n: span.clip(0, n))
        yield answer("span: clipped to the input", aim, cls, "input_span", clipped)
    first = on_space(lambda span, n: Interval(span.lo, span.lo + 1))
    yield answer("span: of the first tap alone", aim, cls, "input_span", first)
    if cls in (Conv, ConvTranspose):
        every = lambda spans, operator, shapes, *rest: (
            (spans[0][0], Interval(0, shapes[0][1]), *spans[0][2:]),
            *spans[1:],
        )
        yield answer("span: groups ignored", aim, cls, "input_span", every)


def _ceil(cls: Operator) -> Iterator[Mutant]:
    for name, on in (("ceil mode ignored", False), ("ceil mode always", True)):
        wrong = lambda window, *rest, on=on: replace(
            window, axes=tuple(replace(a, ceil=on) for a in window.axes)
        )
        yield answer(f"geometry: {name}", AIM, cls, "window", wrong)

    def keeps_last(function: Function) -> Function:
        def out_size(axis: AxisWindow) -> int:
            room = axis.padded - axis.extent
            return max(0, -(-room // axis.stride) + 1) if axis.ceil else int(function(axis))

        return out_size

    name = "geometry: ceil keeps a window that starts past the input"
    yield Mutant(name, AIM, lambda: replaced(AxisWindow, "out_size", keeps_last))
