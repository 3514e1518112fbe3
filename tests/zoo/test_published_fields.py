"""Receptive fields, paddings and work of google-research/receptive_field, end-point by end-point.

Its table (RECEPTIVE_FIELD_TABLE.md, 2019) was computed on the TF-Slim models. VGG-16, Inception v3
and MobileNet v1 there are those of the zoo. AlexNet v2 has fewer channels, and no groups. ResNet-50
v1 has its stride in the 3x3 kernel of the last unit of each stage (the table's own FAQ). It sees as
much as the paper's, whose stride is in the 1x1 kernel of the first unit of the next stage: on both,
as many 3x3 kernels come before and after it. But it costs less. "SAME" padding with a stride
depends on the size of the image, so that 224 and 321 do not agree on MobileNet and ResNet.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import pytest

from faltung import Graph, zoo
from faltung import layers as L
from faltung.analysis import receptive_fields
from faltung.analysis.locality import locality
from faltung.ops import Add, AveragePool, Concat, Conv, MaxPool
from faltung.zoo.resnet_published import BOTTLENECKS

# Billions of operations, size, total stride, padding; an end-point a line.
TABLE = {
    ("alexnet_v2", 224): """
        0.136 11 4 0,  0.136 19 8 0,  0.552 51 8 16,  0.743 99 16 32,
        1.125 131 16 48,  1.380 163 16 64,  1.380 195 32 64""",
    ("alexnet_v2", 321): """
        0.283 11 4 0,  0.284 19 8 0,  1.171 51 8 16,  1.602 99 16 32,
        2.462 131 16 48,  3.036 163 16 64,  3.036 195 32 64""",
    ("vgg_16", 224): """
        3.882 6 2 2,  9.436 16 4 6,  18.688 44 8 18,  27.938 100 16 42,  30.713 212 32 90""",
    ("vgg_16", 321): """
        7.973 6 2 2,  19.307 16 4 6,  38.188 44 8 18,  57.066 100 16 42,  62.729 212 32 90""",
    ("inception_v3", 224): """
        0.681 15 4 2,  1.461 31 8 2,  1.781 63 8 18,  2.128 95 8 34,  2.485 127 8 50,
        2.889 159 16 58,  3.263 351 16 154,  3.750 543 16 250,  4.237 735 16 346,
        4.854 927 16 442,  5.132 1055 32 490,  5.385 1183 32 554,  5.689 1311 32 618""",
    ("inception_v3", 321): """
        1.431 15 4 2,  3.095 31 8 2,  3.796 63 8 18,  4.557 95 8 34,  5.339 127 8 50,
        6.241 159 16 58,  7.082 351 16 154,  8.178 543 16 250,  9.275 735 16 346,
        10.663 927 16 442,  11.303 1055 32 490,  11.948 1183 32 554,  12.727 1311 32 618""",
    ("mobilenet_v1", 224): """
        0.022 3 2 0,  0.082 7 2 2,  0.137 11 4 2,  0.248 19 4 6,  0.302 27 8 6,  0.409 43 8 14,
        0.461 59 16 14,  0.566 91 16 30,  0.671 123 16 46,  0.775 155 16 62,  0.880 187 16 78,
        0.985 219 16 94,  1.037 251 32 94,  1.140 315 32 126""",
    ("mobilenet_v1", 321): """
        0.046 3 2 1,  0.169 7 2 3,  0.286 11 4 5,  0.517 19 4 9,  0.632 27 8 13,  0.861 43 8 21,
        0.979 59 16 29,  1.215 91 16 45,  1.450 123 16 61,  1.686 155 16 77,  1.922 187 16 93,
        2.158 219 16 109,  2.286 251 32 125,  2.542 315 32 157""",
    ("resnet_v1_50", 224): """
        1.323 35 8 15,  2.974 99 16 47,  5.498 291 32 143,  6.963 483 32 239""",
    ("resnet_v1_50", 321): """
        2.767 35 8 17,  6.315 99 16 49,  12.013 291 32 145,  15.629 483 32 241""",
}  # fmt: skip

SHIFTED = ("inception_v3", "mobilenet_v1")
"""Normalised without a scale there, which adds a shift to each value as a bias would."""


def slim_alexnet() -> L.AbstractLayer:
    convs = (L.Conv(n, 3, padding=1) for n in (384, 384, 256))
    pool = L.MaxPool(3, 2)
    return L.Chain(L.Conv(64, 11, 4), pool, L.Conv(192, 5, padding=2), pool, *convs, pool)


def norm_conv(channels: int, kernel: int, stride: int = 1) -> L.AbstractLayer:
    """TF-Slim's conv2d_same: with a stride, too, the padding of a kernel without one."""
    conv = L.Conv(channels, kernel, stride, (kernel - 1) // 2, bias=False)
    return L.Chain(conv, L.BatchNorm())


def unit(narrow: int, stride: int, *, first: bool) -> L.AbstractLayer:
    """Three convolutions, the stride in the 3x3 kernel."""
    body = L.Chain(norm_conv(narrow, 1), norm_conv(narrow, 3, stride), norm_conv(4 * narrow, 1))
    kept = L.MaxPool(1, stride) if stride > 1 else None
    return L.Residual(body, norm_conv(4 * narrow, 1, stride) if first else kept)


def slim_resnet50() -> L.AbstractLayer:
    units = (
        unit(narrow, 2 if i == count - 1 and narrow < 512 else 1, first=i == 0)
        for narrow, count in BOTTLENECKS
        for i in range(count)
    )
    return L.Chain(norm_conv(64, 7, 2), L.MaxPool(3, 2, "same"), *units)


def kinds(graph: Graph, *wanted: type) -> list[str]:
    return [node.outputs[0] for node in graph.nodes if isinstance(node.operator, wanted)]


def inception_ends(graph: Graph) -> list[str]:
    """The first two poolings and the eleven blocks: what joins two branches is inside of these."""
    blocks = [n for n in graph.nodes if isinstance(n.operator, Concat) and len(n.inputs) > 2]
    return kinds(graph, MaxPool)[:2] + [node.outputs[0] for node in blocks]


def alexnet_ends(graph: Graph) -> list[str]:
    ends = kinds(graph, Conv, MaxPool)
    return [*ends[:3], *ends[4:]]


def stage_ends(graph: Graph) -> list[str]:
    adds, counts = kinds(graph, Add), [count for _, count in BOTTLENECKS]
    return [adds[sum(counts[: stage + 1]) - 1] for stage in range(4)]


def mobilenet_ends(graph: Graph) -> list[str]:
    return kinds(graph, Conv)[::2]


ENDS: dict[str, Callable[[Graph], list[str]]] = {
    "alexnet_v2": alexnet_ends,
    "vgg_16": lambda graph: kinds(graph, MaxPool),
    "inception_v3": inception_ends,
    "mobilenet_v1": mobilenet_ends,
    "resnet_v1_50": stage_ends,
}
OF_THE_ZOO = {"vgg_16": "vgg16", "inception_v3": "inception-v3", "mobilenet_v1": "mobilenet-v1"}


def drawn(name: str, size: int) -> Graph:
    if name in OF_THE_ZOO:
        return zoo.sketch(OF_THE_ZOO[name], (3, size, size))
    return L.sketch(slim_alexnet() if name == "alexnet_v2" else slim_resnet50(), (3, size, size))


def field(graph: Graph, end: str) -> tuple[int, int, int]:
    rows, columns = receptive_fields(graph)[end]
    assert rows == columns
    return int(str(rows.size)), int(rows.jump), -rows.start


def operations(graph: Graph, end: str, *, shifted: bool) -> int:
    """As tensorflow.profiler counts: two for a multiply-accumulate, one for a bias or pooled value.

    The work of the whole graph up to an end-point.
    """
    shapes, reached, total = graph.shapes(), {end}, 0
    for node in reversed(graph.nodes):
        if not reached & set(node.outputs):
            continue
        reached |= set(node.inputs)
        cost = node.operator.cost([shapes[name] for name in node.inputs])
        if isinstance(node.operator, Conv):
            biased = shifted or len(node.inputs) > 2
            values = prod(int(n) for n in shapes[node.outputs[0]][1:])
            total += 2 * cost.macs + (values if biased else 0)
        if isinstance(node.operator, (MaxPool, AveragePool)):
            total += cost.connections
    return total


@pytest.mark.parametrize(("name", "size"), TABLE)
def test_every_end_point_has_the_field_and_the_work_of_the_table(name: str, size: int) -> None:
    graph = drawn(name, size).with_input_shape((1, 3, size, size))
    rows = [row.split() for row in TABLE[name, size].split(",")]
    ends = ENDS[name](graph)
    assert [field(graph, end) for end in ends] == [tuple(map(int, row[1:])) for row in rows]
    work = [operations(graph, end, shifted=name in SHIFTED) / 1e9 for end in ends]
    for found, (wanted, *_) in zip(work, rows, strict=True):
        assert abs(found - float(wanted)) <= 0.00051, f"{found} is not {wanted}"


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("vgg16", (212, 32, 90)),
        ("resnet50", (483, 32, 239)),
        ("mobilenet-v1", (315, 32, 126)),
        ("alexnet", (195, 32, 64)),
        ("inception-v3", (1311, 32, 618)),
    ],
)
def test_the_networks_of_the_zoo_see_what_the_table_says(
    name: str, found: tuple[int, int, int]
) -> None:
    """Also the papers' AlexNet with groups, and ResNet-50 with its stride in the 1x1 kernels."""
    graph = zoo.sketch(name)
    (last,) = locality(graph).local_outputs
    assert field(graph, last) == found
    size, stride, padding = found
    for axis in locality(graph).axes:
        assert (axis.halo_lo, axis.halo_hi) == (padding, size - 1 - padding)
        assert int(axis.stride) == axis.grid == stride


def test_the_stride_in_the_first_3x3_kernel_sees_less() -> None:
    """ResNet-50 as torchvision has it (v1.5): not the table's 483, though as many parameters."""
    units = (
        unit(narrow, 2 if i == 0 and narrow > 64 else 1, first=i == 0)
        for narrow, count in BOTTLENECKS
        for i in range(count)
    )
    graph = L.sketch(L.Chain(norm_conv(64, 7, 2), L.MaxPool(3, 2, 1), *units), (3, 224, 224))
    assert field(graph, graph.outputs[0]) == (427, 32, 213)
    shapes = graph.shapes()
    macs = sum(n.operator.cost([shapes[i] for i in n.inputs]).macs for n in graph.nodes)
    assert macs + 2048 * 1000 == 4_089_184_256  # torchvision says 4.089 billion
    assert graph.trainable + 2049 * 1000 == 25_557_032


def test_padding_words_that_depend_on_the_size_are_named() -> None:
    """The table has no padding for these networks where it does not know the size of the image."""
    dependent = {name: [s.node for s in locality(drawn(name, 224)).size_dependent] for name in ENDS}
    assert dependent == {
        "alexnet_v2": [],
        "vgg_16": [],
        "inception_v3": [],
        "mobilenet_v1": ["conv1", "conv4", "conv8", "conv12", "conv24"],
        "resnet_v1_50": ["maxpool1"],
    }
