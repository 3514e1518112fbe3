"""The ten small files that are mutated: between them, whatever the importer has a branch for.

What faltung writes comes from its own layers; what only others write (arithmetic on shapes,
float16, weights in another file, quantised weights, boxes) is written by hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import onnx
from numpy.typing import ArrayLike
from onnx import TensorProto, helper, numpy_helper

from faltung.graph.layers import (
    AvgPool,
    BatchNorm,
    Chain,
    Clip,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    Input,
    LeakyRelu,
    LocallyConnected,
    MaxPool,
    Normalize,
    Operation,
    Pad,
    Relu,
    Residual,
    Softmax,
    build,
)
from faltung.graph.onnx import to_model
from faltung.ops import HardSwish, Resize
from faltung.ops.operator import Array

BESIDE: Final = "weights.bin"
"""The file beside a model that holds weights of it."""

Spec = tuple[str, ArrayLike]
Declared = tuple[str, int, Sequence[int | str | None]]


@dataclass(frozen=True)
class Base:
    """One file that is mutated.

    ``beside`` are the bytes of the file of weights that lies next to it.
    """

    name: str
    model: onnx.ModelProto
    beside: bytes = b""

    @functools.cached_property
    def data(self) -> bytes:
        """The model as a file holds it."""
        data: bytes = self.model.SerializeToString(deterministic=True)
        return data


def lenet() -> Base:
    """A chain with raw pixels in: the sizes of LeNet-5."""
    net = Chain(
        *(Normalize(127.0, 50.0), Conv(6, 5, padding=2), Relu(), MaxPool(2)),
        *(Conv(16, 5), Relu(), MaxPool(2), Flatten(), Dense(120), Relu()),
        *(Dropout(), Dense(84), Relu(), Dense(10), Softmax()),
    )
    return Base("lenet", to_model(build(net, (1, 28, 28))))


def residual() -> Base:
    """Branches that are added, batch normalisation, and a border that is reflected."""
    x = Input((2, 7, 6), batch=2)
    h = Chain(Conv(4, 3, stride=2, padding="same"), BatchNorm(), LeakyRelu())(x)
    inner = Chain(Conv(4, 3, padding=1, padding_mode="reflect"), BatchNorm(), Relu())
    h = Residual(inner)(h)
    last = Chain(Pad(((1, 0), (0, -1))), AvgPool(2, 1, 1), GlobalAvgPool(), Flatten(), Dense(3))
    return Base("residual", to_model(build(last(h))))


def unet() -> Base:
    """Down and up again, by a transposed convolution and by a resize, and joined."""
    x = Input((1, 12, 10))
    left = Chain(Conv(4, 3, padding=1), Relu())(x)
    low = Chain(MaxPool(2, ceil_mode=True), Conv(6, 3, padding=1), Relu())(left)
    up = ConvTranspose(4, 2, stride=2)(low)
    wide = Operation(Resize(scales=(1.0, 1.0, 2.0, 2.0), mode="linear"))(low)
    joined = Concat()(left, up, wide)
    return Base("unet", to_model(build(Conv(2, 1)(joined))))


def mobile() -> Base:
    """Groups, a convolution of each channel by itself, activations that are bounded."""
    net = Chain(
        *(Conv(8, 3, stride=2, padding=1), BatchNorm(), Operation(HardSwish())),
        *(Conv(8, 3, padding=1, groups=8), BatchNorm(), Clip(0, 6)),
        *(Conv(12, 1, groups=4), Conv(12, 3, dilation=2, padding=2, groups=2)),
        *(GlobalAvgPool(), Flatten(), Dense(5)),
    )
    return Base("mobile", to_model(build(net, (3, 13, 11))))


def volume() -> Base:
    """Three axes of space, and one: a volume that becomes a line."""
    net = Chain(
        *(Conv(3, (3, 2, 3), stride=(1, 2, 1), padding=1), Relu(), MaxPool(2)),
        *(Conv(4, 2), AvgPool((2, 1, 1))),
    )
    volume = net(Input((1, 7, 8, 6), name="volume"))
    line = Chain(Conv(4, 5, stride=2), Relu(), ConvTranspose(2, 3))(Input((2, 19), name="line"))
    return Base("volume", to_model(build([volume, line])))


def corners() -> Base:
    """Operators that ONNX does not have: their bodies are functions of the file."""
    net = Chain(
        *(Conv(3, 3, padding=1, padding_mode="circular"), Relu(), LocallyConnected(2, 3)),
        *(Conv(2, 3, padding=2, padding_mode="replicate"), LocallyConnected(2, 2, stride=2)),
    )
    return Base("corners", to_model(build(net, (1, 8, 7))))


def exported() -> Base:
    """What exporters write: arithmetic on shapes, values made on the way, an open batch."""
    make = helper.make_node
    filled = numpy_helper.from_array(np.array([1.5], np.float32))
    nodes = [
        make("ConstantOfShape", ["kernel"], ["w"], "made", value=filled),
        make("Conv", ["x", "w"], ["h"], "conv", pads=[1, 1, 1, 1], strides=[2, 2]),
        make("Shape", ["h"], ["all"], "shape"),
        make("Gather", ["all", "zero"], ["n"], "batch", axis=0),
        make("Unsqueeze", ["n", "axes"], ["n1"], "unsqueeze"),
        make("Gather", ["all", "one"], ["c"], "channels", axis=0),
        make("Constant", [], ["two"], "two", value_ints=[2]),
        make("Div", ["c", "two"], ["half"], "halved"),
        make("Concat", ["n1", "half", "two", "rest"], ["target"], "target", axis=0),
        make("Reshape", ["h", "target"], ["r"], "reshape"),
        make("Transpose", ["r"], ["t"], "transpose", perm=[0, 2, 1, 3]),
        make("Slice", ["t", "start", "end", "axes1", "step"], ["s"], "slice"),
        make("Range", ["zero", "limit", "unit"], ["count"], "range"),
        make("Cast", ["count"], ["floats"], "cast", to=TensorProto.FLOAT),
        make("ReduceMean", ["s"], ["m"], "mean", axes=[1, 2], keepdims=0),
        make("MatMul", ["m", "v"], ["y"], "product"),
        make("Expand", ["floats", "wide"], ["z"], "expand"),
        make("Size", ["w"], ["size"], "size"),
    ]
    arrays = _arrays(
        *(("kernel", [4, 2, 3, 3]), ("zero", 0), ("one", [1]), ("axes", [0]), ("rest", [-1])),
        *(("start", [0]), ("end", [2**62]), ("axes1", [3]), ("step", [2]), ("limit", 5)),
        *(("unit", 1), ("wide", [2, 5]), ("v", _drawn(16, 3))),
    )
    outputs: list[Declared] = [("y", 1, [None, 3]), ("z", 1, [2, 5]), ("size", 7, [])]
    return Base("exported", _model(nodes, [("x", 1, ["batch", 2, 8, 16])], outputs, arrays, 13))


def half() -> Base:
    """float16, some of its weights in the file and some in a file beside it."""
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w1", "b1"], ["c1"], "conv1", auto_pad="SAME_UPPER"),
        make("PRelu", ["c1", "slope"], ["a1"], "prelu"),
        make("MaxPool", ["a1"], ["p1"], "pool", kernel_shape=[2, 2], strides=[2, 2]),
        make("Conv", ["p1", "w2"], ["c2"], "conv2", kernel_shape=[3, 3]),
        make("InstanceNormalization", ["c2", "scale", "shift"], ["n2"], "norm"),
        make("Flatten", ["n2"], ["f"], "flatten"),
        make("Gemm", ["f", "v", "d"], ["y"], "dense", transB=1, alpha=0.5),
    ]
    arrays = {
        name: _drawn(*sizes).astype(np.float16)
        for name, sizes in (
            *(("w1", (4, 1, 3, 3)), ("b1", (4,)), ("slope", (4, 1, 1)), ("w2", (6, 4, 3, 3))),
            *(("scale", (6,)), ("shift", (6,)), ("v", (5, 54)), ("d", (5,))),
        )
    }
    model = _model(nodes, [("x", 10, [1, 1, 10, 10])], [("y", 10, [1, 5])], arrays, 17)
    return Base("half", *_moved_out(model, ("w2", "v", "d")))


def quantised() -> Base:
    """Weights and values as bytes, with their scales and zero points."""
    make = helper.make_node
    nodes = [
        make("QuantizeLinear", ["x", "s", "z"], ["q"], "quantize"),
        make("DequantizeLinear", ["q", "s", "z"], ["x1"], "dequantize"),
        make("DequantizeLinear", ["w", "ws", "wz"], ["w1"], "weights", axis=0),
        make("Conv", ["x1", "w1", "b"], ["h"], "conv", group=2),
        make("Clip", ["h", "low", "high"], ["k"], "clip"),
        make("LRN", ["k"], ["l"], "lrn", size=3),
        make("DepthToSpace", ["l"], ["y"], "depth", blocksize=2, mode="CRD"),
        make("ArgMax", ["y"], ["best"], "best", axis=1),
    ]
    rng = np.random.default_rng(8)
    arrays = _arrays(
        *(
            ("s", np.float32(0.02)),
            ("z", np.uint8(128)),
            ("ws", np.array([0.01, 0.02] * 4, np.float32)),
        ),
        *(("w", rng.integers(-128, 128, (8, 1, 3, 3)).astype(np.int8)), ("b", _drawn(8))),
        *(("wz", np.zeros(8, np.int8)), ("low", np.float32(-1)), ("high", np.float32(1))),
    )
    outputs = [("y", 1, [1, 2, 8, 12]), ("best", 7, [1, 1, 8, 12])]
    return Base("quantised", _model(nodes, [("x", 1, [1, 2, 6, 8])], outputs, arrays, 18))


def detector() -> Base:
    """Boxes and their scores, sorted, thinned out and cut to size."""
    make = helper.make_node
    nodes = [
        make("Conv", ["x", "w"], ["h"], "conv", strides=[2, 2]),
        make("Split", ["h", "parts"], ["b", "c"], "split", axis=1),
        make("Reshape", ["b", "boxes_to"], ["b1"], "boxes"),
        make("Transpose", ["b1"], ["boxes"], "turned", perm=[0, 2, 1]),
        make("Reshape", ["c", "scores_to"], ["c1"], "flat"),
        make("Sigmoid", ["c1"], ["scores"], "scores"),
        make("NonMaxSuppression", ["boxes", "scores", "most", "iou", "least"], ["kept"], "nms"),
        make("TopK", ["scores", "k"], ["best", "which"], "top", axis=2),
        make("Gather", ["kept", "column"], ["index"], "column", axis=1),
        make("Greater", ["scores", "least"], ["high"], "greater"),
        make("Where", ["high", "scores", "none"], ["chosen"], "where"),
        make("ReduceMax", ["chosen"], ["peak"], "peak", keepdims=0),
        make("Pad", ["chosen", "pads"], ["wide"], "pad", mode="edge"),
        make("Squeeze", ["wide", "first"], ["out"], "squeeze"),
    ]
    arrays = _arrays(
        *(("w", _drawn(6, 1, 3, 3)), ("parts", [4, 2]), ("boxes_to", [1, 4, -1])),
        *(
            ("scores_to", [1, 2, -1]),
            ("most", [5]),
            ("iou", np.array([0.5], np.float32)),
            ("k", [3]),
        ),
        *(
            ("least", np.array([0.4], np.float32)),
            ("column", 2),
            ("none", np.float32(0)),
            ("first", [0]),
        ),
        ("pads", [0, 0, 1, 0, 0, 2]),
    )
    outputs: list[Declared] = [
        ("kept", 7, ["found", 3]),
        ("best", 1, [1, 2, 3]),
        ("which", 7, [1, 2, 3]),
        ("index", 7, ["found"]),
        ("peak", 1, []),
        ("out", 1, [2, 19]),
    ]
    return Base("detector", _model(nodes, [("x", 1, [1, 1, 9, 9])], outputs, arrays, 16))


MAKERS: Final[tuple[Callable[[], Base], ...]] = (
    *(lenet, residual, unet, mobile, volume),
    *(corners, exported, half, quantised, detector),
)


@functools.cache
def bases() -> tuple[Base, ...]:
    """Return the files, the same to the bit whenever they are made."""
    return tuple(make() for make in MAKERS)


def _drawn(*sizes: int) -> Array:
    return np.random.default_rng(sizes).standard_normal(sizes).astype(np.float32)


def _arrays(*named: Spec) -> dict[str, Array]:
    return {name: np.asarray(values) for name, values in named}


def _model(
    nodes: list[onnx.NodeProto],
    inputs: Iterable[Declared],
    outputs: Iterable[Declared],
    arrays: Mapping[str, Array],
    opset: int,
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    ids = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=ids, ir_version=8, producer_name="other")
    helper.set_model_props(model, {"classes": '["a", "b"]'})
    return model


def _moved_out(model: onnx.ModelProto, names: Iterable[str]) -> tuple[onnx.ModelProto, bytes]:
    """Move the values of some initializers to a file beside the model."""
    beside = b""
    for tensor in model.graph.initializer:
        if tensor.name in names:
            entries = {"location": BESIDE, "offset": len(beside), "length": len(tensor.raw_data)}
            for key, value in entries.items():
                tensor.external_data.add(key=key, value=str(value))
            beside += tensor.raw_data
            tensor.ClearField("raw_data")
            tensor.data_location = TensorProto.EXTERNAL
    return model, beside
