"""Padding: each output position copies one input position, or a constant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Final, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.geometry.border import check_mode, source
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Attribute,
    Dim,
    Everything,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
    Spans,
    Taps,
    integers,
    point,
)

Pads = tuple[tuple[int, int], ...]
ONNX_MODES: Final = {
    "zeros": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


@lru_cache(maxsize=1024)
def _sources(mode: str, size: int, lo: int, hi: int) -> Array:
    """For one axis, which input position each output position copies; ``size`` for a constant."""
    found = (source(mode, o - lo, size) for o in range(size + lo + hi))
    index = np.array([size if s is None else s for s in found], dtype=np.intp)
    index.setflags(write=False)
    return index


def pad(x: Array, pads: Pads, mode: str = "zeros", value: float = 0.0) -> Array:
    """Pad an array, axis by axis; a negative amount crops.

    >>> pad(np.array([1, 2, 3]), ((2, -1),), "reflect").tolist()
    [3, 2, 1, 2]
    """
    inner = tuple(
        slice(max(-lo, 0), n - max(-hi, 0)) for n, (lo, hi) in zip(x.shape, pads, strict=True)
    )
    outer = tuple((max(lo, 0), max(hi, 0)) for lo, hi in pads)
    if mode == "zeros":
        x = x[inner]
        return np.pad(x, outer, constant_values=x.dtype.type(value)) if any(map(any, outer)) else x
    for axis, (lo, hi) in enumerate(pads):
        if lo or hi:
            x = x.take(_sources(mode, x.shape[axis], lo, hi), axis=axis)
    return x


def pad_backward(dout: Array, shape: tuple[int, ...], pads: Pads, mode: str = "zeros") -> Array:
    """Return the gradient of `pad`: each input position sums over its copies."""
    for axis, (size, (lo, hi)) in reversed(list(enumerate(zip(shape, pads, strict=True)))):
        if not (lo or hi):
            continue
        index = _sources(mode, size, lo, hi)
        moved = np.moveaxis(dout, axis, 0)
        grad = np.zeros((size + 1, *moved.shape[1:]), dtype=dout.dtype)
        np.add.at(grad, index, moved)
        dout = np.moveaxis(grad[:size], 0, axis)
    return dout


def crop_nodes(
    pads: Pads, source: str, out: str, in_shapes: Sequence[Shape]
) -> tuple[tuple[OnnxNode, ...], str]:
    """Return the node that crops as negative padding does, if there is any, and what it makes."""
    crop = tuple((min(lo, 0), min(hi, 0)) for lo, hi in pads)
    if not any(map(any, crop)):
        return (), source
    cropped = f"{out}.cropped"
    return Pad(crop).to_onnx((source,), (cropped,), in_shapes), cropped


@dataclass(frozen=True)
class Pad(AbstractOperator):
    """Add ``pads[axis] = (lo, hi)`` positions around each axis; negative amounts crop."""

    onnx_type: ClassVar[str] = "Pad"
    pads: Pads
    mode: str = "zeros"
    value: float = 0.0

    def __post_init__(self) -> None:
        check_mode(self.mode, self.subject)
        object.__setattr__(self, "pads", tuple((int(lo), int(hi)) for lo, hi in self.pads))

    @property
    def padding_mode(self) -> str:  # type: ignore[override]
        """What stands outside the input."""
        return self.mode

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return each size plus its two amounts."""
        shape = in_shapes[0]
        if len(shape) != len(self.pads):
            values = {"pads": len(self.pads), "rank": len(shape)}
            raise GeometryError(message(self.subject, "pads must name every axis", values))
        return (tuple(self._size(n, p) for n, p in zip(shape, self.pads, strict=True)),)

    def _size(self, size: Dim, pads: tuple[int, int]) -> Dim:
        if pads == (0, 0):
            return size
        (known,) = integers((size,), self.subject)
        if known + min(pads[0], 0) + min(pads[1], 0) < 0:
            values = {"size": known, "pads": pads}
            raise GeometryError(message(self.subject, "cannot crop more than there is", values))
        return known + sum(pads)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Copy the input into its frame."""
        self.out_shapes([inputs[0].shape])
        return (pad(inputs[0], self.pads, self.mode, self.value),), {}, inputs[0].shape

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Sum over the copies of each position."""
        return (pad_backward(douts[0], saved, self.pads, self.mode),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return the position, counted from the input's origin."""
        return (tuple(point(i - lo) for i, (lo, _) in zip(index, self.pads, strict=True)),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return the spans, counted from the input's origin."""
        return (
            tuple(
                span if isinstance(span, Everything) else Interval(span.lo - lo, span.hi - lo)
                for span, (lo, _) in zip(spans, self.pads, strict=True)
            ),
        )

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write one Pad for each step that every runtime can take."""
        steps = list(self._steps(in_shapes[0]))
        names = [inputs[0], *(f"{outputs[0]}.step{i}" for i in range(1, len(steps))), outputs[0]]
        return tuple(
            step._one_node(source, out)
            for step, source, out in zip(steps, names[:-1], names[1:], strict=True)
        )

    def _steps(self, shape: Shape) -> Iterator[Pad]:
        """Pad, then crop: a runtime may crop first. No step copies more than an axis has."""
        if self.mode == "zeros" or not any(map(any, self.pads)):
            yield self
            return
        left = tuple((max(lo, 0), max(hi, 0)) for lo, hi in self.pads)
        while any(map(any, left)):
            now = self._first(shape, left)
            yield now
            shape = now.out_shapes([shape])[0]
            done = zip(left, now.pads, strict=True)
            left = tuple((lo - a, hi - b) for (lo, hi), (a, b) in done)
        crop = tuple((min(lo, 0), min(hi, 0)) for lo, hi in self.pads)
        if any(map(any, crop)):
            yield Pad(crop)

    def _first(self, shape: Shape, pads: Pads) -> Pad:
        """Return as much of this padding as one node can do."""
        sizes = [n if isinstance(n, int) else 0 for n in shape]
        single = [n == 1 and any(p) for n, p in zip(sizes, pads, strict=True)]
        if self.mode == "reflect" and any(single):
            chosen = (p if one else (0, 0) for p, one in zip(pads, single, strict=True))
            return Pad(tuple(chosen), "replicate")
        once = tuple(_at_once(self.mode, n, *p) for n, p in zip(sizes, pads, strict=True))
        return Pad(once if any(map(any, once)) else pads, self.mode)

    def _one_node(self, source: str, out: str) -> OnnxNode:
        """Write the amounts as a constant input, all starts before all ends."""
        amounts = [lo for lo, _ in self.pads] + [hi for _, hi in self.pads]
        constants: dict[str, Array] = {f"{out}.pads": np.array(amounts, dtype=np.int64)}
        if self.mode == "zeros":
            # Never +0: ONNX Runtime moves such a Pad into a max pooling behind it, which pads -inf.
            constants[f"{out}.value"] = np.array(self.value or -0.0, dtype=np.float64)
        attributes: Mapping[str, Attribute] = {"mode": ONNX_MODES[self.mode]}
        opset = 19 if self.mode == "circular" else 0
        return OnnxNode("Pad", (source, *constants), (out,), attributes, constants, opset)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read the amounts, the constant and the mode: attributes before opset 11."""
        if node.opset and node.opset < 11:
            pads, value = _pairs(node.ints("pads")), node.real("value", 0.0)
        else:
            given = node.constant(2, "constant_value")
            pads = _of_axes(_pairs(node.constant(1, "pads")), node)
            value = 0.0 if given is None else float(given.item())
        modes = {theirs: ours for ours, theirs in ONNX_MODES.items()}
        mode = modes.get(node.text("mode", "constant"), node.text("mode", "constant"))
        if mode in ("reflect", "circular") and any(min(p) < 0 < max(p) for p in pads):
            rule = "ONNX does not say whether an axis is cropped or padded first"
            cure = "Write two Pad nodes"
            raise GeometryError(message("Pad", rule, {"pads": pads}, cure))
        zero_is_positive = value + 0.0
        return cls(pads, mode, zero_is_positive), node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return the four modes, cropping, and a constant that is not zero."""
        shape = ((2, 3, 5, 4),)
        amounts = ((0, 0), (0, 0), (1, 2), (3, 0))
        return [
            *(Example(cls(amounts, mode), shape) for mode in ONNX_MODES),
            Example(cls(((1, 0), (0, 0), (-1, 2), (-2, -1)), value=1.5), shape),
            Example(cls(((0, 0), (0, 0), (-1, 2), (2, -1)), "reflect"), shape),
        ]


def _pairs(amounts: Sequence[int] | Array | None) -> Pads:
    """Pair all starts with all ends, as ONNX lists them."""
    if amounts is None:
        raise GeometryError(message("Pad", "pads must be given for all axes"))
    half = len(amounts) // 2
    pairs = zip(amounts[:half], amounts[half:], strict=True)
    return tuple((int(lo), int(hi)) for lo, hi in pairs)


def _of_axes(pads: Pads, node: OnnxNode) -> Pads:
    """Return the amounts of all axes where ONNX names some."""
    axes, shape = node.constant(3, "axes"), node.shape(0)
    if axes is None:
        return pads
    if shape is None:
        raise GeometryError(message("Pad", "pads must be given for all axes"))
    rank = len(shape)
    found = [(0, 0)] * rank
    for axis, pair in zip(axes, pads, strict=True):
        if not -rank <= axis < rank:
            values = {"axis": int(axis), "rank": rank}
            raise GeometryError(message("Pad", "axes must be the input's", values))
        found[int(axis)] = pair
    return tuple(found)


def _at_once(mode: str, size: int, lo: int, hi: int) -> tuple[int, int]:
    """Return how much of the padding of an axis copies each position at most once on each side."""
    if mode == "reflect":
        return min(lo, max(size - 1, 0)), min(hi, max(size - 1, 0))
    if mode == "circular" and max(lo, hi) > size:
        # Whole turns come first: what is copied next has to start where a turn does.
        return (size if lo > size else 0), (size if hi > size else 0)
    return lo, hi
