"""Resize: images made larger or smaller, axis by axis, by exact small matrices of weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import numpy as np

from faltung.errors import GeometryError, message
from faltung.geometry import Interval
from faltung.ops.moved import known_axes
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Attribute,
    AxisSpan,
    Cost,
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
from faltung.ops.resize_axis import COORDINATES, MODES, NEAREST, AxisResize, ends, weights

POLICIES = ("stretch", "not_larger", "not_smaller")
Floats = tuple[float, ...]


def _single(values: Floats | None) -> Floats | None:
    """Return numbers as float32 has them, which ONNX writes."""
    return None if values is None else tuple(float(np.float32(v)) for v in values)


@dataclass(frozen=True)
class Resize(AbstractOperator):
    """Resize ``axes`` (all of them if None) by ``scales``, or to ``sizes``.

    The size of an axis is ``floor(size * scale)``, computed in float32 as ONNX's shape inference
    and ONNX Runtime do. An output whose place lies outside of ``roi``'s part of the input
    ("tf_crop_and_resize") is ``extrapolation_value``.
    """

    onnx_type: ClassVar[str] = "Resize"
    onnx_kinds: ClassVar[str] = "fiu"
    scales: Floats | None = None
    sizes: tuple[int, ...] | None = None
    axes: tuple[int, ...] | None = None
    mode: str = "nearest"
    coordinate: str = "half_pixel"
    nearest_mode: str = "round_prefer_floor"
    cubic_coeff_a: float = -0.75
    exclude_outside: bool = False
    antialias: bool = False
    keep_aspect_ratio: str = "stretch"
    roi: Floats | None = None
    extrapolation_value: float = 0.0

    def __post_init__(self) -> None:
        for name in ("sizes", "axes"):
            value = getattr(self, name)
            object.__setattr__(self, name, None if value is None else tuple(map(int, value)))
        for name in ("scales", "roi"):
            object.__setattr__(self, name, _single(getattr(self, name)))
        if (self.scales is None) == (self.sizes is None):
            values = {"scales": self.scales, "sizes": self.sizes}
            raise GeometryError(message(self.subject, "give scales or sizes, not both", values))
        known = {
            "mode": MODES,
            "coordinate": COORDINATES,
            "nearest_mode": NEAREST,
            "keep_aspect_ratio": POLICIES,
        }
        for name, choices in known.items():
            if getattr(self, name) not in choices:
                values = {name: getattr(self, name)}
                cure = f"Use one of {', '.join(choices)}"
                raise GeometryError(message(self.subject, f"{name} must be known", values, cure))
        if any(not 0 < s < math.inf for s in self.scales or ()):
            rule = "scales must be positive"
            raise GeometryError(message(self.subject, rule, {"scales": self.scales}))

    def _axis(self, size: int, out: int, scale: float, roi: tuple[float, float]) -> AxisResize:
        if out > 0 and size == 0:
            values = {"size": size, "out": out}
            raise GeometryError(message(self.subject, "an empty axis cannot grow", values))
        antialias = self.antialias and self.mode != "nearest"
        return AxisResize(
            *(size, out, scale, self.mode, self.coordinate, self.nearest_mode),
            *(self.cubic_coeff_a, self.exclude_outside, antialias, roi),
        )

    def resized_axes(self, shape: Shape) -> dict[int, AxisResize]:
        """Return the axes that change, by number, for inputs of this shape."""
        every = tuple(range(len(shape))) if self.axes is None else self.axes
        axes = known_axes(every, len(shape), self.subject)
        given: Sequence[float] = self.scales or self.sizes or ()
        if len(given) != len(axes) or len(self.roi or given) not in (len(axes), 2 * len(axes)):
            values = {"given": len(given), "axes": len(axes)}
            rule = "there must be a scale or size for each axis, and two numbers of roi"
            raise GeometryError(message(self.subject, rule, values))
        found = {}
        for i, (axis, size, out, scale) in enumerate(self._targets(shape, axes)):
            roi = (0.0, 1.0) if self.roi is None else (self.roi[i], self.roi[len(axes) + i])
            plain = self.coordinate != "tf_crop_and_resize" or roi == (0.0, 1.0)
            if size is None and scale == 1 and plain:
                continue  # a named size that stays
            (known,) = integers((shape[axis],), self.subject)
            resized = self._axis(known, out, scale, roi)
            if not resized.is_kept:
                found[axis] = resized
        return found

    def _targets(
        self, shape: Shape, axes: Sequence[int]
    ) -> list[tuple[int, int | None, int, float]]:
        """Return, for each axis, its size (None for a name), its size after, and the scale."""
        known = [n if isinstance(n, int) else None for n in (shape[axis] for axis in axes)]
        if self.scales is not None:
            outs = [
                0 if n is None else int(np.floor(np.float32(n) * np.float32(s)))
                for n, s in zip(known, self.scales, strict=True)
            ]
            return list(zip(axes, known, outs, self.scales, strict=True))
        sizes = list(self.sizes or ())
        whole = [integers((shape[axis],), self.subject)[0] for axis in axes]
        ratios = [out / max(n, 1) for n, out in zip(whole, sizes, strict=True)]
        if self.keep_aspect_ratio != "stretch":
            scale = min(ratios) if self.keep_aspect_ratio == "not_larger" else max(ratios)
            ratios = [scale] * len(axes)
            sizes = [int(scale * n + 0.5) for n in whole]
        return list(zip(axes, whole, sizes, ratios, strict=True))

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the sizes after resizing."""
        out = list(in_shapes[0])
        for axis, resized in self.resized_axes(in_shapes[0]).items():
            out[axis] = resized.out
        return (tuple(out),)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Resize one axis after the other."""
        x = inputs[0]
        axes = self.resized_axes(x.shape)
        exact = x.dtype.kind == "f" or self.mode == "nearest"
        y = x if exact else x.astype(np.float64)
        for axis, resized in axes.items():
            y = _along(y, axis, resized)
        for axis, resized in axes.items():
            outside = weights(resized).outside
            if outside.any():
                np.moveaxis(y, axis, 0)[outside] = y.dtype.type(self.extrapolation_value)
        if not exact:
            limits = np.iinfo(x.dtype)
            y = np.clip(np.rint(y), limits.min, limits.max).astype(x.dtype)
        return (np.array(y, order="C"),), {}, axes

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Multiply with the transposed weights, axis by axis."""
        dx = np.array(douts[0])
        for axis, resized in saved.items():
            np.moveaxis(dx, axis, 0)[weights(resized).outside] = 0
        for axis, resized in reversed(saved.items()):
            dx = _back_along(dx, axis, resized)
        return (np.array(dx, order="C"),)

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return, on each axis, the inputs with a weight."""
        taps = [point(i) for i in index]
        for axis, resized in self.resized_axes(in_shapes[0]).items():
            low, high = weights(resized).ends()
            taps[axis] = range(int(low[index[axis]]), int(high[index[axis]]))
        return (tuple(taps),)

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return, on each axis, from the first input with a weight to the last."""
        found = list(spans)
        for axis, resized in self.resized_axes(in_shapes[0]).items():
            found[axis] = _span(resized, spans[axis])
        return (tuple(found),)

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count the pairs of an output and an input that has a weight in it."""
        shape = [n if isinstance(n, int) else 1 for n in in_shapes[0]]
        for axis, resized in self.resized_axes(in_shapes[0]).items():
            shape[axis] = int(weights(resized).counts.sum())
        return Cost(connections=math.prod(shape), connections_inside=math.prod(shape))

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write scales or sizes, and roi, as constant inputs."""
        given: dict[str, Any] = {"roi": self.roi, "scales": self.scales, "sizes": self.sizes}
        constants: dict[str, Array] = {}
        names = []
        for name, value in given.items():
            named = "" if value is None else f"{outputs[0]}.{name}"
            names.append(named)
            if named:
                constants[named] = np.array(value, np.int64 if name == "sizes" else np.float32)
        if not names[-1]:
            names.pop()
        attributes, opset = self._attributes()
        node = OnnxNode(
            "Resize", (inputs[0], *names), outputs, attributes, constants, max(opset, 0)
        )
        return (node,)

    def _attributes(self) -> tuple[dict[str, Attribute], int]:
        """Return the attributes, and the operator set that brought them."""
        attributes: dict[str, Attribute] = {
            "mode": self.mode,
            "coordinate_transformation_mode": self.coordinate,
            "nearest_mode": self.nearest_mode,
            "cubic_coeff_a": float(self.cubic_coeff_a),
            "exclude_outside": int(self.exclude_outside),
            "extrapolation_value": float(self.extrapolation_value),
        }
        opset = 19 if self.coordinate == "half_pixel_symmetric" else 0
        newer: dict[str, Attribute] = {}
        if self.axes is not None:
            newer["axes"] = self.axes
        if self.antialias:
            newer["antialias"] = 1
        if self.keep_aspect_ratio != "stretch":
            newer["keep_aspect_ratio_policy"] = self.keep_aspect_ratio
        return attributes | newer, max(opset, 18 if newer else 0)

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read it; Upsample, and Resize in operator set 10, are asymmetric and round down."""
        if node.op_type == "Upsample" or 0 < node.opset < 11:
            given = node.attributes.get("scales", node.constant(1, "scales"))
            scales = tuple(float(s) for s in np.ravel(np.asarray(given, np.float64)))
            mode = node.text("mode", "nearest")
            mode = "linear" if mode == "bilinear" else mode
            operator = cls(scales, mode=mode, coordinate="asymmetric", nearest_mode="floor")
            return operator, node.inputs[:1]
        numbers = [node.constant(i, what) for i, what in enumerate(("roi", "scales", "sizes"), 1)]
        roi, scales_, sizes = (
            None if a is None or not a.size else tuple(a.ravel().tolist()) for a in numbers
        )
        coordinate = node.text("coordinate_transformation_mode", "half_pixel")
        # Operator sets 11 and 12 had a second name for the same.
        coordinate = {"tf_half_pixel_for_nn": "half_pixel"}.get(coordinate, coordinate)
        operator = cls(
            scales_,
            None if scales_ is not None else sizes,
            node.ints("axes"),
            node.text("mode", "nearest"),
            coordinate,
            node.text("nearest_mode", "round_prefer_floor"),
            node.real("cubic_coeff_a", -0.75),
            bool(node.integer("exclude_outside", 0)),
            node.integer("antialias", 0) == 1,
            node.text("keep_aspect_ratio_policy", "stretch"),
            roi if coordinate == "tf_crop_and_resize" else None,
            node.real("extrapolation_value", 0.0),
        )
        return operator, node.inputs[:1]

    @classmethod
    def examples(cls) -> list[Example]:
        """Return every mode and coordinate, larger and smaller, at least once."""
        image, small = (1, 2, 3, 4), (1, 1, 5, 6)
        by = (1.0, 1.0, 2.0, 1.5)
        down = (1.0, 1.0, 0.6, 0.5)
        crop = (0.0, 0.0, 0.25, -0.25, 1.0, 1.0, 0.75, 0.75)
        uses: list[tuple[Resize, tuple[int, ...]]] = [
            *((cls(by, nearest_mode=n, coordinate="asymmetric"), image) for n in NEAREST),
            (cls(down, nearest_mode="ceil"), small),
            (cls(sizes=(2, 7)), (2, 3)),
            *((cls(by, mode="linear", coordinate=c), image) for c in COORDINATES[:5]),
            (cls(down, mode="linear", coordinate="half_pixel_symmetric"), (1, 1, 4, 5)),
            (cls(sizes=(1, 1, 1, 3), mode="linear", coordinate="pytorch_half_pixel"), small),
            (cls(sizes=(1, 1, 4, 1), mode="linear", coordinate="align_corners"), small),
            (cls(down, mode="linear", antialias=True), small),
            (cls(by, mode="cubic"), image),
            (cls(by, mode="cubic", cubic_coeff_a=-0.5, exclude_outside=True), image),
            (cls(down, mode="cubic", antialias=True), small),
            (cls((2.0, 0.5), axes=(3, 2), mode="linear"), (2, 1, 4, 3)),
            (cls(sizes=(3, 9), axes=(2, 3), keep_aspect_ratio="not_larger"), (1, 1, 2, 3)),
            (cls(sizes=(3, 9), axes=(2, 3), keep_aspect_ratio="not_smaller"), (1, 1, 2, 3)),
            (
                cls(
                    sizes=(1, 1, 3, 4),
                    mode="linear",
                    coordinate="tf_crop_and_resize",
                    roi=crop,
                    extrapolation_value=10.0,
                ),
                small,
            ),
        ]
        return [Example(op, (shape,)) for op, shape in uses]


def _column(values: Array, ndim: int, axis: int, dtype: np.dtype[Any]) -> Array:
    return values.astype(dtype).reshape(-1, *(1,) * (ndim - axis - 1))


def _along(x: Array, axis: int, resized: AxisResize) -> Array:
    """Sum, for each output, its inputs times their weights; weights of 0 meet nothing."""
    table = weights(resized)
    if np.all(table.values[:, :1] == 1) and table.values.shape[1] == 1:
        return np.take(x, table.positions[:, 0], axis=axis)
    total = np.zeros((*x.shape[:axis], resized.out, *x.shape[axis + 1 :]), x.dtype)
    for k in range(table.values.shape[1]):
        weight = _column(table.values[:, k], x.ndim, axis, x.dtype)
        with np.errstate(invalid="ignore"):
            part = np.take(x, table.positions[:, k], axis=axis) * weight
        total += np.where(weight != 0, part, x.dtype.type(0))
    return total


def _back_along(dout: Array, axis: int, resized: AxisResize) -> Array:
    table = weights(resized)
    moved = np.moveaxis(dout, axis, 0)
    dx = np.zeros((resized.size, *moved.shape[1:]), dout.dtype)
    for k in range(table.values.shape[1]):
        weight = _column(table.values[:, k], moved.ndim, 0, dout.dtype)
        np.add.at(dx, table.positions[:, k], moved * weight)
    return np.moveaxis(dx, 0, axis)


def _span(resized: AxisResize, span: AxisSpan) -> AxisSpan:
    if isinstance(span, Everything):
        return span
    low, high = (a[max(span.lo, 0) : max(span.hi, 0)] for a in ends(resized))
    some = low < high
    if not some.any():
        return Interval(0, 0)
    return Interval(int(low[some].min()), int(high[some].max()))
