"""Multiply-accumulates of published networks: against print, and windows laid one by one."""

from __future__ import annotations

import itertools

import pytest

from faltung import Graph, Node, zoo
from faltung.geometry import explicit_padding
from faltung.graph.shapes import Shapes
from faltung.ops import Conv, Gemm
from faltung.ops.operator import Cost

# What is printed, and where; the last digit is rounded, or cut off.
PRINTED = [
    ("vgg16", "15.470e9", "torchvision 0.21, `_ops` of its weights"),
    ("vgg16", "15.5e9", "Sze, Chen, Yang, Emer (2017), table II"),
    ("alexnet", "724e6", "Sze, Chen, Yang, Emer (2017), table II"),
    ("resnet50", "3.9e9", "Sze, Chen, Yang, Emer (2017), table II"),
    ("mobilenet-v1", "569e6", "Howard et al. (2017), table 4"),
    ("mobilenet-v2", "0.301e9", "torchvision; 300 million in Sandler et al. (2018), table 4"),
    ("densenet121", "2.834e9", "torchvision"),
    ("inception-v3", "5.713e9", "torchvision; 5 billion in Szegedy et al. (2015), section 1"),
]

MACS = {
    "vgg16": 15_470_264_320,
    "alexnet": 724_406_816,
    "resnet50": 3_857_973_248,
    "mobilenet-v1": 568_740_352,
    "mobilenet-v2": 300_774_272,
    "densenet121": 2_834_161_664,
    "inception-v3": 5_713_216_096,
}


def costs(graph: Graph, *kinds: type) -> list[Cost]:
    shapes = graph.shapes()
    nodes = [node for node in graph.nodes if isinstance(node.operator, kinds or object)]
    return [node.operator.cost([shapes[name] for name in node.inputs]) for node in nodes]


def macs(graph: Graph, *kinds: type) -> int:
    return sum(cost.macs for cost in costs(graph, *kinds))


@pytest.mark.parametrize("name", MACS)
def test_the_whole_work(name: str) -> None:
    assert macs(zoo.sketch(name)) == MACS[name]


@pytest.mark.parametrize(("name", "printed", "where"), PRINTED)
def test_work_is_what_is_printed_to_its_last_digit(name: str, printed: str, where: str) -> None:
    digits, power = printed.split("e")
    last = 10 ** (int(power) - len(digits.partition(".")[2]))
    assert abs(MACS[name] - float(printed)) <= last / 2, where


def test_resnet50_costs_what_its_paper_cuts_to_two_digits() -> None:
    """3.8e9 in table 1 of He et al. (2016): 3.858e9, with the stride in the 1x1 kernels."""
    assert MACS["resnet50"] // 10**8 == 38


def test_convolutions_of_alexnet_and_vgg16() -> None:
    """666 million and 15.3 billion in Chen, Krishna, Emer, Sze, Eyeriss (2016), section 1."""
    assert macs(zoo.sketch("alexnet"), Conv) == 665_784_864
    assert macs(zoo.sketch("vgg16"), Conv) == 15_346_630_656


def laid(size: int, kernel: int, stride: int, pads: tuple[int, int]) -> list[list[bool]]:
    """Lay windows along an axis for as long as they fit; which taps of each are on the input."""
    ground = [False] * pads[0] + [True] * size + [False] * pads[1]
    windows = []
    for start in range(0, len(ground), stride):
        if start + kernel <= len(ground):
            windows.append([ground[start + k] for k in range(kernel)])
    return windows


def counted(node: Node, shapes: Shapes) -> Cost:
    """Go through outputs, taps and the channels of a group one by one."""
    x, w = (tuple(int(n) for n in shapes[name]) for name in node.inputs[:2])
    if isinstance(node.operator, Gemm):
        pairs = sum(1 for _ in itertools.product(range(w[0]), range(w[1])))
        return Cost(pairs, pairs, pairs)
    operator = node.operator
    assert isinstance(operator, Conv)
    strides = operator.stride if isinstance(operator.stride, tuple) else (operator.stride,) * 2
    pads = explicit_padding(operator.padding, x[2:], w[2:], strides, (1, 1))
    rows, columns = (laid(x[a + 2], w[a + 2], strides[a], pads[a]) for a in range(2))
    every, inside = 0, 0
    for row, column in itertools.product(rows, columns):
        for is_row, is_column in itertools.product(row, column):
            every += 1
            inside += is_row and is_column
    joined = sum(w[1] for _ in range(w[0]))
    return Cost(joined * every, joined * every, joined * inside)


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("vgg16", 32),
        ("alexnet", 67),
        ("resnet50", 37),
        ("mobilenet-v1", 45),
        ("mobilenet-v2", 39),
        ("densenet121", 41),
        ("inception-v3", 79),
    ],
)
def test_work_on_small_images_is_what_windows_laid_one_by_one_have(name: str, size: int) -> None:
    """Odd sizes, so that strides leave something over and padding is not the same on both sides."""
    graph = zoo.sketch(name, (3, size, size + 3)).with_input_shape((1, 3, size, size + 3))
    shapes = graph.shapes()
    weighted = [node for node in graph.nodes if isinstance(node.operator, (Conv, Gemm))]
    assert len(weighted) >= 8
    assert [counted(node, shapes) for node in weighted] == costs(graph, Conv, Gemm)
