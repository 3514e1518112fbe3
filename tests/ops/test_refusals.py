"""What operators refuse, and in which words."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from faltung.errors import FaltungError, GeometryError, GraphError
from faltung.ops import (
    Add,
    BatchNormalization,
    Concat,
    Conv,
    ConvTranspose,
    Dropout,
    Flatten,
    Gemm,
    GlobalAveragePool,
    GlobalMaxPool,
    LogSoftmax,
    MatMul,
    Pad,
    Reshape,
    Softmax,
    Sub,
    Transpose,
)

ones = np.ones

REFUSED: list[tuple[type[FaltungError], str, Callable[[], object]]] = [
    (
        GeometryError,
        "Transpose: perm must name every axis once, got perm=(0, 0, 1), rank=3.",
        lambda: Transpose((0, 0, 1)).out_shapes([(2, 3, 4)]),
    ),
    (
        GeometryError,
        "Transpose: perm must name every axis once, got perm=(0, 1), rank=3.",
        lambda: Transpose((0, 1)).forward([ones((2, 3, 4))]),
    ),
    (
        GeometryError,
        "Concat: axis must be one of the input's, got axis=2, rank=2.",
        lambda: Concat(axis=2).out_shapes([(2, 3), (2, 3)]),
    ),
    (
        GeometryError,
        "Concat: axis must be one of the input's, got axis=-3, rank=2.",
        lambda: Concat(axis=-3).out_shapes([(2, 3), (2, 3)]),
    ),
    (
        GeometryError,
        "Concat: shapes must be equal but along the axis, got axis=1, a=(2, 3, 4), b=(2, 3, 5).",
        lambda: Concat().out_shapes([(2, 3, 4), (2, 3, 5)]),
    ),
    (
        GeometryError,
        "Concat: shapes must be equal but along the axis, got axis=1, a=(2, 3), b=(2, 3, 1).",
        lambda: Concat().forward([ones((2, 3)), ones((2, 3, 1))]),
    ),
    (
        GeometryError,
        "Concat: sizes along the axis must be numbers, got sizes=['N', 2].",
        lambda: Concat(axis=0).out_shapes([("N", 3), (2, 3)]),
    ),
    (
        GeometryError,
        "Gemm: both factors must be matrices, got a=(2, 3, 4), b=(4, 5). Flatten the input first.",
        lambda: Gemm().out_shapes([(2, 3, 4), (4, 5)]),
    ),
    (
        GeometryError,
        "Gemm: the inner sizes must be equal, got a=(2, 3), b=(4, 5).",
        lambda: Gemm().out_shapes([(2, 3), (4, 5)]),
    ),
    (
        GeometryError,
        "Gemm: the inner sizes must be equal, got a=(2, 3), b=(3, 5).",
        lambda: Gemm(trans_b=True).forward([ones((2, 3)), ones((3, 5))]),
    ),
    (
        GeometryError,
        "Gemm: the shapes must be equal, or 1, axis by axis from the last, got a=(2, 5), b=(3, 1).",
        lambda: Gemm().out_shapes([(2, 3), (3, 5), (3, 1)]),
    ),
    (
        GeometryError,
        "Gemm: c must fit the output, got c=(4, 2, 5), out=(2, 5).",
        lambda: Gemm().out_shapes([(2, 3), (3, 5), (4, 2, 5)]),
    ),
    (
        GeometryError,
        "Gemm: c must fit the output, got c=(2, 5), out=(1, 5).",
        lambda: Gemm().out_shapes([(1, 3), (3, 5), (2, 5)]),
    ),
    (
        GeometryError,
        "MatMul: both factors need an axis, got a=(), b=(3, 4).",
        lambda: MatMul().out_shapes([(), (3, 4)]),
    ),
    (
        GeometryError,
        "MatMul: the inner sizes must be equal, got a=(2, 3), b=(4, 5).",
        lambda: MatMul().out_shapes([(2, 3), (4, 5)]),
    ),
    (
        GeometryError,
        "MatMul: the shapes must be equal, or 1, axis by axis from the last, got a=(2,), b=(3,).",
        lambda: MatMul().forward([ones((2, 2, 3)), ones((3, 3, 4))]),
    ),
    (
        GeometryError,
        "Dropout: ratio must be at least 0 and below 1, got ratio=1.0.",
        lambda: Dropout(ratio=1.0),
    ),
    (
        GeometryError,
        "Dropout: ratio must be at least 0 and below 1, got ratio=-0.5.",
        lambda: Dropout(ratio=-0.5),
    ),
    (
        GraphError,
        "Dropout: training needs a key. Pass key=(seed,).",
        lambda: Dropout().forward([ones(3)], training=True),
    ),
    (
        GeometryError,
        "Add: the shapes must be equal, or 1, axis by axis from the last, got a=(2, 3), b=(2, 4).",
        lambda: Add().out_shapes([(2, 3), (2, 4)]),
    ),
    (
        GeometryError,
        "Sub: the shapes must be equal, or 1, axis by axis from the last, got a=(2, 3), b=(2, 4).",
        lambda: Sub().forward([ones((2, 3)), ones((2, 4))]),
    ),
    (
        GeometryError,
        "BatchNormalization: the input must have a channel axis, got shape=(3,).",
        lambda: BatchNormalization().out_shapes([(3,), (3,), (3,), (3,), (3,)]),
    ),
    (
        GeometryError,
        "BatchNormalization: scale must be (channels,), got scale=(2,), channels=3.",
        lambda: BatchNormalization().out_shapes([(2, 3), (2,), (3,), (3,), (3,)]),
    ),
    (
        GeometryError,
        "BatchNormalization: bias must be (channels,), got bias=(2,), channels=3.",
        lambda: BatchNormalization().out_shapes([(2, 3), (3,), (2,), (3,), (3,)]),
    ),
    (
        GeometryError,
        "BatchNormalization: mean must be (channels,), got mean=(3, 1), channels=3.",
        lambda: BatchNormalization().out_shapes([(2, 3), (3,), (3,), (3, 1), (3,)]),
    ),
    (
        GeometryError,
        "BatchNormalization: var must be (channels,), got var=(1,), channels=3.",
        lambda: BatchNormalization().forward([ones((2, 3)), ones(3), ones(3), ones(3), ones(1)]),
    ),
    (
        GraphError,
        "Conv: this size must be a number here, got shape[1]=H. Give the input a shape of numbers.",
        lambda: Conv().out_shapes([(1, 2, "H", 5), (3, 2, 3, 3)]),
    ),
    (
        GeometryError,
        "Conv: bias must be (out_channels,), got bias=(2,), out_channels=3.",
        lambda: Conv().out_shapes([(1, 2, 5), (3, 2, 3), (2,)]),
    ),
    (
        GeometryError,
        "Conv: bias must be (out_channels,), got bias=(3, 1), out_channels=3.",
        lambda: Conv().forward([ones((1, 2, 5)), ones((3, 2, 3)), ones((3, 1))]),
    ),
    (
        GeometryError,
        "Conv: padding_mode must be known, got padding_mode='mirror'. Use one of zeros, reflect, "
        "replicate, circular.",
        lambda: Conv(padding_mode="mirror"),
    ),
    (
        GeometryError,
        "ConvTranspose: bias must be (out_channels,), got bias=(1,), out_channels=3.",
        lambda: ConvTranspose().out_shapes([(1, 2, 5), (2, 3, 3), (1,)]),
    ),
    (
        GeometryError,
        "ConvTranspose: bias must be (out_channels,), got bias=(1,), out_channels=3.",
        lambda: ConvTranspose().forward([ones((1, 2, 5)), ones((2, 3, 3)), ones((1,))]),
    ),
    (
        GeometryError,
        "Pad: pads must name every axis, got pads=1, rank=2.",
        lambda: Pad(((0, 1),)).out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "Pad: cannot crop more than there is, got size=3, pads=(-2, -2).",
        lambda: Pad(((0, 0), (-2, -2))).out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "Pad: cannot crop more than there is, got size=3, pads=(-2, -2).",
        lambda: Pad(((0, 0), (-2, -2))).forward([ones((2, 3))]),
    ),
    (
        GraphError,
        "Pad: this size must be a number here, got shape[0]=N. Give the input a shape of numbers.",
        lambda: Pad(((1, 0), (0, 0))).out_shapes([("N", 3)]),
    ),
    (
        GeometryError,
        "Pad: padding_mode must be known, got padding_mode='symmetric'. Use one of zeros, "
        "reflect, replicate, circular.",
        lambda: Pad(((0, 0),), "symmetric"),
    ),
    (
        GeometryError,
        "GlobalAveragePool: the input must have space axes, got shape=(2, 3).",
        lambda: GlobalAveragePool().out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "GlobalMaxPool: the input must have space axes, got shape=(2, 3).",
        lambda: GlobalMaxPool().forward([ones((2, 3))]),
    ),
    (
        GraphError,
        "GlobalMaxPool: this size must be a number here, got shape[0]=H. Give the input a shape "
        "of numbers.",
        lambda: GlobalMaxPool().taps([(2, 3, "H")], (0, 0, 0)),
    ),
    (
        GeometryError,
        "Flatten: axis must be one of the input's, got axis=3, rank=2.",
        lambda: Flatten(axis=3).out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "Flatten: axis must be one of the input's, got axis=-3, rank=2.",
        lambda: Flatten(axis=-3).forward([ones((2, 3))]),
    ),
    (
        GeometryError,
        "Flatten: a named size cannot be merged with others, got sizes=('N', 3).",
        lambda: Flatten(axis=2).out_shapes([("N", 3, 4)]),
    ),
    (
        GeometryError,
        "Flatten: a named size cannot be merged with others, got sizes=('N', 'M').",
        lambda: Flatten(axis=0).out_shapes([("N", "M")]),
    ),
    (
        GeometryError,
        "Reshape: sizes must be at least -1, and one of them -1 at most, got shape=(-1, -1), "
        "input=(2, 3).",
        lambda: Reshape((-1, -1)).out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "Reshape: sizes must be at least -1, and one of them -1 at most, got shape=(-2, 3), "
        "input=(2, 3).",
        lambda: Reshape((-2, 3)).out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "Reshape: 0 keeps a size that is not there, got shape=(2, 3, 0), input=(2, 3).",
        lambda: Reshape((2, 3, 0)).out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "Reshape: named sizes must be kept, got shape=(-1, 3), input=('N', 3). Keep a named size "
        "by 0 at its place.",
        lambda: Reshape((-1, 3)).out_shapes([("N", 3)]),
    ),
    (
        GeometryError,
        "Reshape: the values do not fit, got shape=(4, -1), input=(2, 3).",
        lambda: Reshape((4, -1)).out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "Reshape: the values do not fit, got shape=(2, 2), input=(2, 3).",
        lambda: Reshape((2, 2)).forward([ones((2, 3))]),
    ),
    (
        GeometryError,
        "Softmax: axis must be one of the input's, got axis=2, rank=2.",
        lambda: Softmax(axis=2).out_shapes([(2, 3)]),
    ),
    (
        GeometryError,
        "Softmax: axis must be one of the input's, got axis=-3, rank=2.",
        lambda: Softmax(axis=-3).forward([ones((2, 3))]),
    ),
    (
        GeometryError,
        "LogSoftmax: axis must be one of the input's, got axis=2, rank=2.",
        lambda: LogSoftmax(axis=2).forward([ones((2, 3))]),
    ),
]


@pytest.mark.parametrize(
    ("kind", "text", "act"), REFUSED, ids=[text[:50] for _, text, _ in REFUSED]
)
def test_refused(kind: type[FaltungError], text: str, act: Callable[[], object]) -> None:
    with pytest.raises(FaltungError) as caught:
        act()
    assert type(caught.value) is kind
    assert str(caught.value) == text


def test_an_empty_batch_keeps_its_shape() -> None:
    (y,), _, saved = Reshape((0, -1)).forward([ones((0, 2, 3))])
    assert y.shape == (0, 6)
    (dx,) = Reshape((0, -1)).backward(saved, [y])
    assert dx is not None
    assert dx.shape == (0, 2, 3)
    assert Reshape((0, 2, -1)).out_shapes([("N", 6, 4)]) == (("N", 2, 12),)
