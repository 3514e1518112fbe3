"""What operators refuse to read from an ONNX node, and in which words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from faltung.errors import FaltungError, GeometryError
from faltung.ops import (
    AveragePool,
    Conv,
    ConvTranspose,
    Dropout,
    MaxPool,
    Pad,
    Reshape,
)
from faltung.ops.operator import ConstantError, OnnxNode


def node(
    op_type: str,
    inputs: tuple[str, ...] = ("x",),
    outputs: tuple[str, ...] = ("y",),
    constants: dict[str, Any] | None = None,
    **attributes: Any,
) -> OnnxNode:
    return OnnxNode(op_type, inputs, outputs, attributes, constants or {})


REFUSED: list[tuple[type[FaltungError], str, Callable[[], object]]] = [
    (
        GeometryError,
        "Dropout: training_mode is not supported. Export the model for inference.",
        lambda: Dropout.from_onnx(node("Dropout", ("x", "", "t"), constants={"t": np.array(True)})),
    ),
    (
        ConstantError,
        "Dropout: its input 'ratio' must be a constant, got input=ratio. Fold it, or store it as "
        "an initializer.",
        lambda: Dropout.from_onnx(node("Dropout", ("x", "ratio"))),
    ),
    (
        GeometryError,
        "Conv: auto_pad must be known, got auto_pad=SAME.",
        lambda: Conv.from_onnx(node("Conv", auto_pad="SAME")),
    ),
    (
        GeometryError,
        "ConvTranspose: output_shape and auto_pad need an image and a kernel of known size, got "
        "image=None. Give the input a shape of numbers, or write pads and output_padding.",
        lambda: ConvTranspose.from_onnx(node("ConvTranspose", auto_pad="SAME_UPPER")),
    ),
    (
        GeometryError,
        "Pad: pads must be given for all axes.",
        lambda: Pad.from_onnx(node("Pad")),
    ),
    (
        GeometryError,
        "Pad: pads must be given for all axes.",
        lambda: Pad.from_onnx(
            node(
                "Pad",
                ("x", "p", "", "axes"),
                constants={"p": np.array([1, 1]), "axes": np.array([0])},
            )
        ),
    ),
    (
        GeometryError,
        "Pad: ONNX does not say whether an axis is cropped or padded first, got pads=((-1, 2),). "
        "Write two Pad nodes.",
        lambda: Pad.from_onnx(
            node("Pad", ("x", "p"), constants={"p": np.array([-1, 2])}, mode="reflect")
        ),
    ),
    (
        GeometryError,
        "MaxPool: kernel_shape must be given.",
        lambda: MaxPool.from_onnx(node("MaxPool")),
    ),
    (
        GeometryError,
        "AveragePool: auto_pad must be known, got auto_pad=SAME.",
        lambda: AveragePool.from_onnx(node("AveragePool", auto_pad="SAME", kernel_shape=(2, 2))),
    ),
    (
        GeometryError,
        "Reshape: shape must be given.",
        lambda: Reshape.from_onnx(node("Reshape")),
    ),
    (
        ConstantError,
        "Reshape: its input 'shape' must be a constant, got input=s. Fold it, or store it as an "
        "initializer.",
        lambda: Reshape.from_onnx(node("Reshape", ("x", "s"))),
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
