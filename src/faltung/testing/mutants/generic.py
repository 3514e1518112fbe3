"""Bugs that any operator could have, whatever it computes.

Not every one is a bug in every operator: what would change nothing (the order of the terms of a
sum, clipped infinities where there are none) is left out, with the reason beside it.
"""

# ruff: noqa: E731 - a bug is one line, named where it is planted
from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np

from faltung.geometry import Interval
from faltung.ops.operator import EVERYTHING, Array, Cost, Spans, Taps
from faltung.testing.cases import cases_of, is_open
from faltung.testing.data import draw, draw_like
from faltung.testing.mutants.mutant import Mutant, Operator, answer, gradient, output, replaced
from faltung.testing.running import run

Change = Callable[..., Any]


def generic_mutants(cls: Operator) -> Iterator[Mutant]:
    """Return the bugs that an operator of this kind could have."""
    yield from _outputs(cls)
    graded = _graded(cls)
    for i in graded:
        yield from _gradients(cls, i)
    if graded:
        yield from _whole_backward(cls)
    yield from _shapes(cls)
    if not any(is_open(case) for case in cases_of(cls)):
        yield from _taps(cls)
        yield from _spans(cls)
        yield from _costs(cls)
    yield from _modes(cls)
    yield from _record(cls)


# Values.


def _changed_last(y: Array) -> Array:
    out = y.copy()
    if y.size:
        out[(-1,) * y.ndim] += 1
    return out


def _reversed(y: Array) -> Array:
    return np.flip(y).copy()


def _outputs(cls: Operator) -> Iterator[Mutant]:
    simple: dict[str, Callable[[Array], Array]] = {
        "sign": lambda y: np.asarray(-y),
        "doubled": lambda y: np.asarray(2 * y),
        "all zeros": np.zeros_like,
        "one too large": lambda y: np.asarray(y + y.dtype.type(1)),
        "a single value wrong": _changed_last,
        "reversed": _reversed,
        "first image for all": lambda y: np.repeat(y[:1], len(y), axis=0) if y.ndim else y,
        "last axis rolled": lambda y: np.roll(y, 1, axis=-1) if y.ndim else y,
        "rounded to float16": lambda y: y.astype(np.float16).astype(y.dtype),
        "NaN becomes 0": lambda y: np.where(np.isnan(y), y.dtype.type(0), y),
    }
    infinite = _broken_outputs(cls)
    if infinite is None:
        simple = _EXACT
    elif np.isinf(infinite).any():
        simple["infinities clipped"] = lambda y: np.where(
            np.isinf(y), np.copysign(np.finfo(y.dtype).max, y), y
        )
    if infinite is not None and not np.isnan(infinite).any():
        del simple["NaN becomes 0"]
    if infinite is not None and _is_whole(cls):
        del simple["rounded to float16"]
    if all(shapes[0][-1:] in ((), (1,)) for shapes in _out_shapes(cls)):
        simple = {name: change for name, change in simple.items() if name != "last axis rolled"}
    for name, change in simple.items():
        yield output(cls, name, lambda y, operator, inputs, change=change: _quiet(change, y))
    wide, narrow = (_of_dtype(dtype) for dtype in (np.float64, np.float32))
    yield output(cls, "always float64", wide, "check_shapes")
    if not _is_single(cls):
        yield output(cls, "always float32", narrow, "check_shapes")
    yield output(cls, "in memory that the next call takes back", _Reused(), "check_inputs")
    yield output(cls, "different at every other call", _EveryOther(), "check_inputs")
    yield output(cls, "writes to its input", _overwrites, "check_inputs")


def _broken_outputs(cls: Operator) -> Array | None:
    """Return what comes out where NaN and infinities go in; None if it is no float.

    Where nothing is infinite (a logistic function), clipping infinities changes nothing.
    """
    found = [np.zeros(0)]
    for case in cases_of(cls):
        for i in range(len(case.in_shapes)):
            with np.errstate(all="ignore"):
                y = run(case, draw(case, "non-finite", broken=i)).outputs[0]
            if y.dtype.kind != "f":
                return None
            found.append(y.ravel())
    return np.concatenate(found)


def _is_single(cls: Operator) -> bool:
    """Whether float32 comes out whatever floats are under test."""
    outputs = [run(case, draw(case, dtype=np.float64)).outputs[0] for case in cases_of(cls)]
    return all(y.dtype == np.float32 for y in outputs)


def _is_whole(cls: Operator) -> bool:
    """Whether whole numbers come out of any."""
    outputs = [run(case, draw(case, "reals")).outputs[0] for case in cases_of(cls)]
    return all(bool(np.all(y % 1 == 0)) for y in outputs)


def _other_last(y: Array) -> Array:
    out = y.copy()
    if y.size:
        last = (-1,) * y.ndim
        out[last] = not out[last] if y.dtype.kind == "b" else out[last] + 1
    return out


_EXACT: Final[dict[str, Callable[[Array], Array]]] = {
    "all others": lambda y: ~y if y.dtype.kind == "b" else np.asarray(y + y.dtype.type(1)),
    "all zeros": np.zeros_like,
    "a single value wrong": _other_last,
    "reversed": _reversed,
    "last axis rolled": lambda y: np.roll(y, 1, axis=-1) if y.ndim else y,
}
"""What may happen to integers and truth values."""


def _quiet(change: Callable[[Array], Array], y: Array) -> Array:
    with np.errstate(all="ignore"):
        return change(y)


def _of_dtype(dtype: Any) -> Change:
    return lambda y, operator, inputs: _quiet(lambda a: a.astype(dtype), y)


class _Reused:
    """Hands out one buffer again and again."""

    def __init__(self) -> None:
        self.buffers: dict[Any, Array] = {}

    def __call__(self, y: Array, operator: Any, inputs: Any) -> Array:
        buffer = self.buffers.setdefault((y.shape, y.dtype), np.empty_like(y))
        buffer[...] = y
        return buffer


class _EveryOther:
    """Adds 1 to the results of every other call."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, y: Array, operator: Any, inputs: Any) -> Array:
        self.calls += 1
        return np.asarray(y + y.dtype.type(self.calls % 2))


def _overwrites(y: Array, operator: Any, inputs: Sequence[Array]) -> Array:
    y = y.copy()  # of an operator that hands its input on
    if inputs[0].flags.writeable:
        inputs[0][...] = 0
    return y


# Gradients.


def _differentiable(cls: Operator) -> list[int]:
    most = max(len(case.in_shapes) for case in cases_of(cls))
    return [i for i in range(most) if i not in cls.state_inputs]


@lru_cache(maxsize=256)
def _graded(cls: Operator) -> tuple[int, ...]:
    """Return the inputs that have a gradient."""
    found: set[int] = set()
    for case in cases_of(cls):
        done = run(case, draw(case))
        grads = done.gradients(draw_like(case, done.outputs))
        found.update(i for i, dx in enumerate(grads) if dx is not None)
    return tuple(sorted(found))


def _gradients(cls: Operator, i: int) -> Iterator[Mutant]:
    simple: dict[str, Callable[[Array], Any]] = {
        "sign": lambda dx: np.asarray(-dx),
        "doubled": lambda dx: np.asarray(2 * dx),
        "all zeros": np.zeros_like,
        "missing": lambda dx: None,
        "a single value wrong": _changed_last,
        "reversed": _reversed,
        "first row for all": lambda dx: np.repeat(dx[:1], len(dx), axis=0) if dx.ndim else dx,
    }
    for name, change in simple.items():
        yield gradient(cls, i, name, lambda dx, *rest, change=change: change(dx))
    for dtype in (np.float64,) if _is_single(cls) else (np.float64, np.float32):
        name = f"always {np.dtype(dtype)}"
        to = lambda dx, *rest, dtype=dtype: dx.astype(dtype)
        yield gradient(cls, i, name, to, "check_shapes")
    flat = lambda dx, *rest: dx.reshape(-1, 1)
    yield gradient(cls, i, "another shape", flat, "check_shapes")


def _whole_backward(cls: Operator) -> Iterator[Mutant]:
    def overwrites(grads: Any, operator: Any, saved: Any, douts: Sequence[Array]) -> Any:
        grads = tuple(None if dx is None else dx.copy() for dx in grads)
        if douts[0].flags.writeable:
            douts[0][...] = 0
        return grads

    yield answer("backward: writes to dout", "check_inputs", cls, "backward", overwrites)
    if cls.state_inputs:
        zeros = lambda grads, *rest: tuple(np.zeros(1) if dx is None else dx for dx in grads)
        yield answer("backward: of the state too", "check_gradients", cls, "backward", zeros)


# Shapes, taps, spans, costs.


def _shapes(cls: Operator) -> Iterator[Mutant]:
    def longer(shapes: Any, *rest: Any) -> Any:
        last = shapes[0][-1:]
        return ((*shapes[0][:-1], *(n + 1 if isinstance(n, int) else n for n in last)),)

    def nameless(shapes: Any, *rest: Any) -> Any:
        return tuple(tuple(1 if isinstance(n, str) else n for n in shape) for shape in shapes)

    aim = "check_shapes"
    yield answer("shape: last axis one longer", aim, cls, "out_shapes", longer)
    if any(len(shapes[0]) > 1 for shapes in _out_shapes(cls)):
        swapped = lambda shapes, *rest: (
            (*shapes[0][1::-1], *shapes[0][2:]) if len(shapes[0]) > 1 else shapes[0],
        )
        yield answer("shape: first axes swapped", aim, cls, "out_shapes", swapped)
    yield answer("shape: a named batch becomes 1", aim, cls, "out_shapes", nameless)


def _out_shapes(cls: Operator) -> list[Any]:
    return [case.operator.out_shapes(case.in_shapes) for case in cases_of(cls)]


def _taps(cls: Operator) -> Iterator[Mutant]:
    def on_last_axis(change: Callable[[range], range]) -> Change:
        def wrong(taps: tuple[Taps, ...], *rest: Any) -> tuple[Taps, ...]:
            first = taps[0]
            return ((*first[:-1], *(change(r) for r in first[-1:])), *taps[1:])

        return wrong

    changes: dict[str, Callable[[range], range]] = {
        "shifted by one": lambda r: range(r.start + r.step, r.stop + r.step, r.step),
        "last one missing": lambda r: r[:-1],
        "one too many": lambda r: range(r.start, r.stop + r.step, r.step),
    }
    aim = "check_dependencies"
    for name, change in changes.items():
        yield answer(f"taps: {name}", aim, cls, "taps", on_last_axis(change))
    none = lambda taps, *rest: ((range(0),) * len(taps[0]), *taps[1:])
    yield answer("taps: none", aim, cls, "taps", none)
    if len(_differentiable(cls)) > 1:
        swapped = lambda taps, *rest: taps[::-1]
        yield answer("taps: of the inputs in reverse", aim, cls, "taps", swapped)


def _spans(cls: Operator) -> Iterator[Mutant]:
    def moved(lo: int, hi: int) -> Change:
        def change(span: Any) -> Any:
            return span if span is EVERYTHING else Interval(span.lo + lo, span.hi + hi)

        def wrong(spans: tuple[Spans, ...], *rest: Any) -> tuple[Spans, ...]:
            return (tuple(change(span) for span in spans[0]), *spans[1:])

        return wrong

    aim = "check_spans"
    for name, lo, hi in (
        ("shifted by one", 1, 1),
        ("one longer at the end", 0, 1),
        ("one longer at the start", -1, 0),
        ("one shorter", 0, -1),
    ):
        yield answer(f"span: {name}", aim, cls, "input_span", moved(lo, hi))
    every = lambda spans, *rest: tuple(tuple(EVERYTHING for _ in s) for s in spans)
    yield answer("span: always EVERYTHING", aim, cls, "input_span", every)
    never = lambda spans, *rest: tuple(
        tuple(Interval(0, 1) if a is EVERYTHING else a for a in s) for s in spans
    )
    yield answer("span: never EVERYTHING", aim, cls, "input_span", never)


def _costs(cls: Operator) -> Iterator[Mutant]:
    costs = [case.operator.cost(case.in_shapes) for case in cases_of(cls)]
    counted = any(cost != Cost() for cost in costs)
    aim = "check_cost"
    if not counted:
        more = lambda cost, *rest: Cost(1, 1, 1)
        yield answer("cost: counts what is not one", aim, cls, "cost", more)
        return
    none = lambda cost, *rest: Cost()
    yield answer("cost: nothing", aim, cls, "cost", none)
    for field in Cost._fields:
        if any(getattr(cost, field) for cost in costs):
            twice = lambda cost, *rest, field=field: cost._replace(
                **{field: 2 * getattr(cost, field)}
            )
            yield answer(f"cost: {field} doubled", aim, cls, "cost", twice)
    if any(cost.connections != cost.connections_inside for cost in costs):
        within = lambda cost, *rest: cost._replace(connections=cost.connections_inside)
        yield answer("cost: padding left out", aim, cls, "cost", within)
        outside = lambda cost, *rest: cost._replace(connections_inside=cost.connections)
        yield answer("cost: padding counted as inside", aim, cls, "cost", outside)
    one = lambda cost, operator, shapes: Cost(*(n // max(shapes[0][0], 1) for n in cost))
    yield answer("cost: of one image", aim, cls, "cost", one)


# Training, and the record itself.


def _modes(cls: Operator) -> Iterator[Mutant]:
    aim = "check_training"

    def moves(result: Any, operator: Any, inputs: Sequence[Array]) -> Any:
        return result[0], {**result[1], 0: inputs[0] + 1}, result[2]

    yield answer("state: moves an input that is none", aim, cls, "forward", moves)
    if not cls.state_inputs and cls.onnx_type != "Dropout":
        yield Mutant("training: doubles the output", aim, lambda: _doubling(cls, "training"))
        yield Mutant("key: decides in inference", aim, lambda: _doubling(cls, "key"))


def _doubling(cls: Operator, option: str) -> Any:
    def wrap(forward: Any) -> Any:
        def wrong(self: Any, inputs: Any, *, training: bool = False, key: Any = None) -> Any:
            outputs, state, saved = forward(self, inputs, training=training, key=key)
            on = training if option == "training" else key is not None
            return ((2 * outputs[0],) if on else outputs), state, saved

        return wrong

    return replaced(cls, "forward", wrap)


def _record(cls: Operator) -> Iterator[Mutant]:
    aim = "check_record"
    yield answer("record: equal to none", aim, cls, "__eq__", lambda equal, *rest: False)
    unequal = lambda value, operator: id(operator)
    yield answer("record: hashed by identity", aim, cls, "__hash__", unequal)
