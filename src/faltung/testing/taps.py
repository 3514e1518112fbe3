"""Taps: exactly the inputs that matter, and what they are counted as."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Final

import numpy as np

from faltung.geometry.border import source
from faltung.ops.operator import Array, Cost, Taps
from faltung.testing.cases import Case, is_open
from faltung.testing.compare import require
from faltung.testing.data import draw
from faltung.testing.running import naming, run

FAR: Final = 1000.0
"""Larger than everything drawn, so that a maximum goes to it."""

COUNTED: Final = {
    "Conv": "macs",
    "LocallyConnected": "macs",
    "ConvTranspose": "inputs",
    "Gemm": "macs",
    "MatMul": "macs",
    "MaxPool": "connections",
    "AveragePool": "connections",
    "GlobalMaxPool": "connections",
    "GlobalAveragePool": "connections",
    "LpPool": "connections",
    "Resize": "connections",
    **{f"Reduce{kind}": "connections" for kind in ("Sum", "Mean", "Max", "Min", "Prod")},
}
"""What our operators count: connections, macs that equal them, or macs by input position."""


def check_dependencies(case: Case) -> None:
    """Find out by trial which outputs depend on which inputs, and compare with the taps.

    Each input value in turn is replaced by numbers far above and below all others: the outputs
    that change must have it among their taps. It is also replaced by NaN: the outputs that have
    it among their taps must feel that, or the numbers (a weight that meets padding is multiplied
    by 0), or feel them where all inputs have the other sign (what is chosen by a sign). Taps
    outside an input stand for what `padding_mode` puts there.
    """
    if is_open(case):
        return  # the values decide how large the output is
    with naming("check_dependencies", case):
        out = tuple(int(n) for n in case.operator.out_shapes(case.in_shapes)[0])
        if 0 in out:
            return
        wanted = _wanted(case, out)
        inputs = draw(case, "distinct")
        base = run(case, inputs).outputs[0]
        for i, shape in enumerate(case.in_shapes):
            for at in np.ndindex(*shape):
                moved = _changed(case, inputs, i, at, _far(case, inputs, i, at), base)
                taps = wanted[i][*at]
                _require_none(moved & ~taps, f"changes with input {i} at {at}, which is no tap")
                if np.any(taps & ~moved):
                    broken = _changed(case, inputs, i, at, _near(inputs, i), base)
                    broken |= _mirrored(case, inputs, i, at)
                    text = f"has a tap on input {i} at {at}, which changes nothing"
                    _require_none(taps & ~moved & ~broken, text)


def _far(case: Case, inputs: Sequence[Array], i: int, at: tuple[int, ...]) -> tuple[float, ...]:
    """Return values unlike all that were drawn: far above and below, or the other truth."""
    if inputs[i].dtype.kind == "b":
        return (not inputs[i][at],)
    if inputs[i].dtype.itemsize == 1:
        return (100.0,)
    return (FAR,) if i in case.positive else (FAR, -FAR)


def _near(inputs: Sequence[Array], i: int) -> tuple[float, ...]:
    """Return NaN, and what stands in the other inputs: equality alone feels that."""
    others = tuple(value for j, x in enumerate(inputs) if j != i for value in x.flat)
    return (np.nan, 0.0, *others) if inputs[i].dtype.kind == "f" else (0.0, *others)


def _wanted(case: Case, out: tuple[int, ...]) -> list[Array]:
    """For each input, of which outputs each of its values is a tap: (*input, *out)."""
    wanted = [np.zeros((*shape, *out), np.bool_) for shape in case.in_shapes]
    for index in np.ndindex(*out):
        for i, taps in enumerate(case.operator.taps(case.in_shapes, index)):
            axes = f"taps on {len(taps)} axes of input {i}, which is {case.in_shapes[i]}"
            require(len(taps) == len(case.in_shapes[i]), axes)
            for at in _positions(case, taps, case.in_shapes[i]):
                wanted[i][*at, *index] = True
    return wanted


def _positions(case: Case, taps: Taps, shape: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Positions of an input that taps stand for."""
    mode = case.operator.padding_mode
    places = [
        [s for s in (source(mode, t, n) for t in axis) if s is not None]
        for axis, n in zip(taps, shape, strict=True)
    ]
    return product(*places)


def _changed(
    case: Case,
    inputs: Sequence[Array],
    i: int,
    at: tuple[int, ...],
    values: Sequence[float],
    base: Array,
) -> Array:
    """Which outputs change with one value of one input."""
    changed = np.zeros(base.shape, np.bool_)
    for value in values:
        moved = [x.copy() if j == i else x for j, x in enumerate(inputs)]
        moved[i][at] = value
        changed |= run(case, moved).outputs[0] != base
    return changed


def _mirrored(case: Case, inputs: Sequence[Array], i: int, at: tuple[int, ...]) -> Array:
    """Which outputs change with one value where all inputs have the other sign, or truth."""
    other = [
        x if j in case.positive else np.asarray(~x if x.dtype.kind == "b" else -x)
        for j, x in enumerate(inputs)
    ]
    base = run(case, other).outputs[0]
    return _changed(case, other, i, at, _far(case, other, i, at), base)


def _require_none(wrong: Array, what: str) -> None:
    if np.any(wrong):
        index = tuple(int(n) for n in np.argwhere(wrong)[0])
        raise AssertionError(f"output {index} {what}")


def check_cost(case: Case) -> None:
    """Compare the counts with an enumeration of the taps of every output on the first input.

    An operator that is not one of ours may count nothing, or connections, or macs as many.
    """
    if is_open(case):
        return
    with naming("check_cost", case):
        cost = case.operator.cost(case.in_shapes)
        kind = COUNTED.get(case.operator.onnx_type, "")
        if not kind and cost == Cost():
            return
        connections, inside = _enumerated(case)
        require(cost.connections == connections, f"{cost.connections=}, enumerated {connections}")
        text = f"{cost.connections_inside=}, enumerated {inside}"
        require(cost.connections_inside == inside, text)
        wanted = [0, connections] if not kind else [_macs(kind, case, connections)]
        require(cost.macs in wanted, f"{cost.macs=}, enumerated {wanted[-1]}")


def _macs(kind: str, case: Case, connections: int) -> int:
    if kind == "connections":
        return 0
    # A transposed convolution lays the whole kernel down for each input value.
    x, w = case.in_shapes[:2] if kind == "inputs" else ((), ())
    return math.prod(x) * math.prod(w[1:]) if kind == "inputs" else connections


def _enumerated(case: Case) -> tuple[int, int]:
    """Pairs of an output and a tap on input 0: all of them, and those that are values of it."""
    out = case.operator.out_shapes(case.in_shapes)[0]
    connections = inside = 0
    for index in np.ndindex(*map(int, out)):
        taps = case.operator.taps(case.in_shapes, index)[0]
        connections += math.prod(len(axis) for axis in taps)
        inside += sum(1 for _ in _positions(case, taps, case.in_shapes[0]))
    return connections, inside
