"""What the operators of imported networks refuse, and in which words."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from faltung import ops
from faltung.errors import FaltungError
from faltung.ops.operator import OnnxNode

ones = np.ones

REFUSED: list[tuple[str, Callable[[], object]]] = [
    ("Gelu: approximate must be 'none' or 'tanh', got approximate=erf.", lambda: ops.Gelu("erf")),
    ("Celu: alpha must be positive, got alpha=0.0.", lambda: ops.Celu(0.0)),
    (
        "PRelu: slope must fit x, got x=(2, 1), slope=(2, 3).",
        lambda: ops.PRelu().out_shapes([(2, 1), (2, 3)]),
    ),
    (
        "Cast: to must be a dtype that faltung holds, got to=complex64.",
        lambda: ops.Cast("complex64"),
    ),
    (
        "Cast: to must be a dtype that faltung holds, got to=8.",
        lambda: ops.Cast.from_onnx(OnnxNode("Cast", ("x",), ("y",), {"to": 8})),
    ),
    (
        "Slice: starts, ends, axes and steps must be of one length, got starts=(1,), ends=(2, 3)",
        lambda: ops.Slice((1,), (2, 3)),
    ),
    ("Slice: steps must not be 0, got steps=(0,).", lambda: ops.Slice((1,), (2,), (0,), (0,))),
    (
        "Slice: axes must be those of the array, each once, got axes=(0, -2), rank=2.",
        lambda: ops.Slice((1, 1), (2, 2), (0, -2)).out_shapes([(2, 3)]),
    ),
    (
        "Slice: starts and ends must be given.",
        lambda: ops.Slice.from_onnx(OnnxNode("Slice", ("x",), ("y",))),
    ),
    (
        "Split: either sizes or a number of parts must be given, got split=None, parts=0.",
        lambda: ops.Split(),
    ),
    (
        "Split: the pieces must fill the axis, got sizes=(1, 3), size=5.",
        lambda: ops.Split(0, (1, 3)).out_shapes([(5, 2)]),
    ),
    (
        "Split: the pieces must fill the axis, got sizes=(1, 1, 1, -1), size=2.",
        lambda: ops.Split(0, None, 4).out_shapes([(2, 2)]),
    ),
    (
        "Tile: repeats must be a number of copies for each axis, got repeats=(2,), rank=2.",
        lambda: ops.Tile((2,)).out_shapes([(2, 3)]),
    ),
    (
        "Gather: indices must be on the axis, got least=-3, greatest=2, size=2.",
        lambda: ops.Gather(0, (-3, 2), (2,)).out_shapes([(2, 3)]),
    ),
    (
        "Gather: indices must be on the axis, got least=3, greatest=3, size=3.",
        lambda: ops.Gather(1).forward([ones((2, 3)), np.array(3)]),
    ),
    (
        "Squeeze: axes must be of size 1, got axes=(1,), shape=(2, 3).",
        lambda: ops.Squeeze((1,)).out_shapes([(2, 3)]),
    ),
    (
        "DepthToSpace: blocksize must be positive, mode 'DCR' or 'CRD', got blocksize=0, mode=DCR.",
        lambda: ops.DepthToSpace(0),
    ),
    (
        "DepthToSpace: the input must have a batch, channels and two axes of space, got shape=(2,",
        lambda: ops.DepthToSpace(2).out_shapes([(2, 4)]),
    ),
    (
        "DepthToSpace: channels must be divisible, got channels=6, by=4.",
        lambda: ops.DepthToSpace(2).out_shapes([(2, 6, 1, 1)]),
    ),
    (
        "SpaceToDepth: width must be divisible, got width=3, by=2.",
        lambda: ops.SpaceToDepth(2).out_shapes([(2, 6, 2, 3)]),
    ),
    (
        "ArgMax: the axis must not be empty, got shape=(2, 0), axis=1.",
        lambda: ops.ArgMax(1).out_shapes([(2, 0)]),
    ),
    (
        "TopK: k must be at most the axis's size, got k=4, size=3.",
        lambda: ops.TopK(4).out_shapes([(2, 3)]),
    ),
    ("Resize: give scales or sizes, not both, got scales=None, sizes=None.", lambda: ops.Resize()),
    (
        "Resize: mode must be known, got mode=area. Use one of nearest, linear, cubic.",
        lambda: ops.Resize((1.0,), mode="area"),
    ),
    ("Resize: scales must be positive, got scales=(0.0,).", lambda: ops.Resize((0.0,))),
    (
        "Resize: an empty axis cannot grow, got size=0, out=2.",
        lambda: ops.Resize(sizes=(2,)).out_shapes([(0,)]),
    ),
    (
        "Resize: there must be a scale or size for each axis, and two numbers of roi, got given=1, "
        "axes=2.",
        lambda: ops.Resize((2.0,)).out_shapes([(2, 3)]),
    ),
    (
        "InstanceNormalization: the input must have a channel axis, got shape=(3,).",
        lambda: ops.InstanceNormalization().out_shapes([(3,), (3,), (3,)]),
    ),
    (
        "InstanceNormalization: bias must be (channels,), got bias=(2,), channels=3.",
        lambda: ops.InstanceNormalization().out_shapes([(2, 3, 4), (3,), (2,)]),
    ),
    (
        "GroupNormalization: channels must be divisible by num_groups, got channels=3, "
        "num_groups=2.",
        lambda: ops.GroupNormalization(2).out_shapes([(2, 3, 4), (3,), (3,)]),
    ),
    (
        "GroupNormalization: scale and bias of groups, as operator set 18 had them, must be "
        "constants, got scale=(2,). Give the input's sizes, or convert the model to operator set "
        "21.",
        lambda: ops.GroupNormalization.from_onnx(
            OnnxNode(
                "GroupNormalization",
                ("x", "s", "b"),
                ("y",),
                {"num_groups": 2},
                opset=18,
                shapes={"x": (1, 4, 3), "s": (2,)},
            )
        ),
    ),
    (
        "LayerNormalization: scale must fit x, got x=(2, 1), scale=(3,).",
        lambda: ops.LayerNormalization().out_shapes([(2, 1), (3,)]),
    ),
    ("LRN: size must be at least 1, got size=0.", lambda: ops.LRN(0)),
    (
        "LRN: the input must have a channel axis, got shape=(3,).",
        lambda: ops.LRN(3).out_shapes([(3,)]),
    ),
    (
        "QuantizeLinear: to must be an integer of 2 to 16 bits, got to=int32.",
        lambda: ops.QuantizeLinear(to="int32"),
    ),
    (
        "DequantizeLinear: scale must fit x, got x=(2, 3), scale=(2,), wanted=(3,).",
        lambda: ops.DequantizeLinear().out_shapes([(2, 3), (2,)]),
    ),
    (
        "QuantizeLinear: zero point must be shaped like scale, got scale=(3,), zero_point=().",
        lambda: ops.QuantizeLinear().out_shapes([(2, 3), (3,), ()]),
    ),
    (
        "NonMaxSuppression: boxes must be (N, boxes, 4), scores (N, classes, boxes), got "
        "boxes=(1, 6, 4), scores=(1, 2, 5).",
        lambda: ops.NonMaxSuppression(3).out_shapes([(1, 6, 4), (1, 2, 5)]),
    ),
    ("LpPool: p must be at least 1, got p=0.", lambda: ops.LpPool(2, p=0)),
    (
        "LpPool: kernel_shape must be given.",
        lambda: ops.LpPool.from_onnx(OnnxNode("LpPool", ("x",), ("y",))),
    ),
]


@pytest.mark.parametrize(("text", "act"), REFUSED, ids=[text[:60] for text, _ in REFUSED])
def test_refused(text: str, act: Callable[[], object]) -> None:
    with pytest.raises(FaltungError, match=re.escape(text)):
        act()
