"""Rows R1 and the arithmetic of R6: what layers see, computed by the toolkit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count
from typing import NamedTuple

import numpy as np
import pytest

import faltung
from faltung import layers as L
from faltung import zoo
from faltung.analysis.loose_fields import exact_field, loose_field, stage_ends
from faltung.analysis.scale import Reach, reach


class Step(NamedTuple):
    """One window of a chain."""

    kernel: int
    stride: int = 1
    dilation: int = 1


def layers(chain: Sequence[Step]) -> L.AbstractLayer:
    return L.Chain(*(L.Conv(1, s.kernel, s.stride, dilation=s.dilation, bias=False) for s in chain))


def sees(chain: Sequence[Step], size: int) -> list[int]:
    """What the layers of a chain see of one axis, from its graph."""
    fields = faltung.receptive_fields(L.sketch(layers(chain), (1, size)))
    return [int(field.size) for (field,) in fields.values()]  # type: ignore[call-overload]


# R1: figures ---------------------------------------------------------------------------------


def test_r1_three_by_three_on_seven_by_seven() -> None:
    pixel, net = L.Conv(1, 1), L.Chain(*(L.Conv(1, 3, padding=1) for _ in range(3)))
    fields = faltung.receptive_fields(L.sketch(L.Chain(pixel, net), (1, 7, 7)))
    assert [row.size for row, _ in fields.values()] == [1, 3, 5, 7]
    shares = [100 * row.share * column.share for row, column in fields.values()]
    assert [round(share, 1) for share in shares] == [2.0, 18.4, 51.0, 100.0]


def test_r1_vgg16() -> None:
    assert stage_ends(zoo.sketch("vgg16")) == [5, 14, 40, 92, 196, 212]


def test_r1_alexnet() -> None:
    fields = faltung.receptive_fields(zoo.sketch("alexnet"))
    assert [fields[f"conv{i}"][0].size for i in range(1, 6)] == [11, 51, 99, 131, 163]
    assert exact_field(zoo.sketch("alexnet")) == 195


def test_r1_with_the_layers_own_stride_instead() -> None:
    small = L.sketch(L.Chain(L.Conv(1, 7, stride=2), L.MaxPool(3, 2)), (1, 64, 64))
    graphs = [zoo.sketch("vgg16"), zoo.sketch("alexnet"), small]
    assert [exact_field(graph) for graph in graphs] == [212, 195, 11]
    assert [loose_field(graph) for graph in graphs] == [37, 63, 17]


def test_r1_loose_and_exact_stand_side_by_side() -> None:
    found = {each.name: each for each in faltung.loose_statements().statements}
    told = found["the field by the layer's own stride"]
    assert "vgg16 212 (not 37), alexnet 195 (not 63), 7×7 s2, pool 3 s2 11 (not 17)" in told.exact
    assert list(told.figures.values()) == [212, 195, 11, 37, 63, 17]
    stages = found["what layers see"]
    assert list(stages.figures.values()) == [5, 14, 40, 92, 196, 212]
    assert "see 5, 14, 40, 92, 196; 212 after all" in stages.exact


# R1: the rule, held to what really changes ---------------------------------------------------

Rule = Callable[[Sequence[Step]], int]


def by_rule(chain: Sequence[Step]) -> int:
    """r += (k-1)·d·(product of the earlier strides)."""
    size = jump = 1
    for step in chain:
        size += (step.kernel - 1) * step.dilation * jump
        jump *= step.stride
    return size


def by_change(chain: Sequence[Step]) -> int:
    """From the first to the last input whose change changes output 0: weights all positive."""
    length = 2 * by_rule(chain) + 8
    net = L.build(layers(chain), (1, length)).astype(np.float64)
    net = net.replace(params={name: np.ones(a.shape) for name, a in net.params.items()})
    moved = net(np.eye(length)[:, None])[:, 0, 0]
    seen = np.flatnonzero(moved)
    return int(seen[-1] - seen[0]) + 1


def chains() -> list[list[Step]]:
    rng = np.random.default_rng(0)
    return [
        [Step(*(int(n) for n in rng.integers(1, (5, 3, 4)))) for _ in range(rng.integers(1, 5))]
        for _ in range(50)
    ]


def agree(rule: Rule) -> bool:
    return all(rule(chain) == by_change(chain) for chain in chains())


def test_r1_the_rule_is_what_really_changes() -> None:
    assert agree(by_rule)
    assert agree(lambda chain: sees(chain, 2 * by_rule(chain) + 8)[-1])


def own_stride(chain: Sequence[Step]) -> int:
    return 1 + sum((s.kernel - 1) * s.dilation * s.stride for s in chain)


def stride_first(chain: Sequence[Step]) -> int:
    """The multiplication before the addition."""
    size = jump = 1
    for step in chain:
        jump *= step.stride
        size += (step.kernel - 1) * step.dilation * jump
    return size


@pytest.mark.parametrize(
    "broken",
    [
        own_stride,
        stride_first,
        lambda chain: by_rule(chain) + 1,
        lambda chain: by_rule([s._replace(kernel=s.kernel + 1) for s in chain]),
        lambda chain: by_rule([s._replace(dilation=1) for s in chain]),
        lambda chain: by_rule([s._replace(stride=s.stride + 1) for s in chain]),
    ],
)
def test_r1_planted_errors_are_caught(broken: Rule) -> None:
    assert not agree(broken)


# R6: how many layers it takes ----------------------------------------------------------------


def found_by_trying(pixels: int, kernel: int, dilation: Callable[[int], int]) -> tuple[int, int]:
    """How many layers see so many pixels, and what they see: one more until they do."""
    for number in count(1):
        size = sees([Step(kernel, dilation=dilation(i)) for i in range(number)], 4 * pixels)[-1]
        if size >= pixels:
            return number, size
    raise AssertionError


def tried(reached: Callable[[int, int], Reach | None]) -> bool:
    rng = np.random.default_rng(1)
    for _ in range(50):
        pixels, kernel = int(rng.integers(2, 24)), int(rng.integers(2, 6))
        far = reached(pixels, kernel)
        assert far is not None
        if (far.plain, far.plain_sees) != found_by_trying(pixels, kernel, lambda _: 1):
            return False
        if (far.doubling, far.doubling_sees) != found_by_trying(pixels, kernel, lambda i: 2**i):
            return False
    return True


def test_r6_to_see_224_pixels() -> None:
    far = reach(224)
    assert far is not None
    assert (far.plain, far.doubling, far.doubling_sees) == (112, 7, 255)
    assert sees([Step(3)] * 112, 600)[-2:] == [223, 225]
    assert sees([Step(3, dilation=2**i) for i in range(7)], 600)[-2:] == [127, 255]
    text = "To see 224 positions takes 112 layers with a kernel of 3, or 7 with doubling dilation"
    assert f"{text}, which see 255." in str(faltung.cost())


def test_r6_the_arithmetic_is_what_graphs_see() -> None:
    assert tried(reach)
    assert not tried(lambda pixels, kernel: reach(pixels + 1, kernel))
    assert not tried(lambda pixels, kernel: reach(pixels, kernel + 1))
    assert reach(5, 1) is None
    assert "To see" not in str(faltung.cost((1, 5, 5), kernel=1))
    assert reach(1, 3) == (1, 3, 0, 1, 0, 1)
