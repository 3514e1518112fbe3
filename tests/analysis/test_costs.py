"""Costs: every closed form against counting one by one, and what planted errors do to it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
import pytest

from faltung import layers as L
from faltung.analysis.costs import cost
from faltung.analysis.layer_cost import LayerCost, Local, convolution, dense, layer_cost
from faltung.analysis.scale import EXACT_BITS, ImageCount, power_of_ten, stack
from faltung.errors import GeometryError, GraphError

Counts = tuple[int, int, int, int]


def shapes(count: int = 50) -> list[tuple[tuple[int, ...], int, int, int]]:
    """Image, kernel, output channels, outputs of a dense layer."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(count):
        axes = int(rng.integers(1, 3))
        image = (int(rng.integers(1, 4)), *(int(n) for n in rng.integers(1, 7, axes)))
        drawn.append((image, *(int(n) for n in rng.integers(1, 6, 3))))
    return drawn  # type: ignore[return-value]


def enumerated_conv(image: tuple[int, ...], kernel: int, channels: int) -> Counts:
    """Weights, biases, connections with padding and without: by going through all of them."""
    c, *space = image
    weights = {
        (o, i, *k) for o, i, *k in product(range(channels), range(c), *[range(kernel)] * len(space))
    }
    pairs = inside = 0
    for _ in product(range(channels), range(c)):
        for at in product(*map(range, space)):
            for k in product(range(kernel), repeat=len(space)):
                tap = [a + b - (kernel - 1) // 2 for a, b in zip(at, k, strict=True)]
                pairs += 1
                inside += all(0 <= t < n for t, n in zip(tap, space, strict=True))
    return len(weights), channels, pairs, inside


def enumerated_dense(image: tuple[int, ...], outputs: int) -> Counts:
    weights = sum(1 for _ in product(range(outputs), *map(range, image)))
    return weights, outputs, weights, weights


def counts(layer: LayerCost) -> Counts:
    return layer.weights, layer.biases, layer.cost.connections, layer.cost.connections_inside


def of_conv(image: tuple[int, ...], kernel: int, channels: int) -> Counts:
    return counts(layer_cost("", convolution(channels, kernel), image))


def agrees(
    closed: Callable[..., Counts], counted: Callable[..., Counts], which: tuple[int, ...]
) -> bool:
    return all(
        closed(s[0], *(s[i] for i in which)) == counted(s[0], *(s[i] for i in which))
        for s in shapes()
    )


def test_convolutions_are_counted_right() -> None:
    assert agrees(of_conv, enumerated_conv, (1, 2))


def test_dense_layers_are_counted_right() -> None:
    assert agrees(
        lambda image, outputs: counts(layer_cost("", dense(outputs), image)), enumerated_dense, (3,)
    )


def test_local_layers_have_a_weight_for_each_connection_and_a_bias_for_each_output() -> None:
    for image, kernel, channels, _ in shapes():
        _, _, pairs, inside = enumerated_conv(image, kernel, channels)
        layer = layer_cost("", Local(channels, kernel), image)
        assert counts(layer) == (inside, channels * np.prod(image[1:]), pairs, inside)


def planted(
    *, of: int = 0, kernel: int = 0, channels: int = 0, size: int = 0
) -> Callable[..., Counts]:
    """The closed form with one number off by one."""

    def closed(image: tuple[int, ...], k: int, out: int) -> Counts:
        moved = (image[0] + of, *(n + size for n in image[1:]))
        return of_conv(moved, k + kernel, out + channels)

    return closed


@pytest.mark.parametrize("off", ["of", "kernel", "channels", "size"])
def test_planted_off_by_ones_are_caught(off: str) -> None:
    assert not agrees(planted(**{off: 1}), enumerated_conv, (1, 2))
    assert not agrees(
        lambda image, outputs: counts(layer_cost("", dense(outputs + 1), image)),
        enumerated_dense,
        (3,),
    )


def test_a_padding_off_by_one_is_caught() -> None:
    def closed(image: tuple[int, ...], kernel: int, channels: int) -> Counts:
        lo, hi = (kernel - 1) // 2, kernel // 2
        return counts(
            layer_cost("", L.Conv(channels, kernel, padding=[(hi, lo)] * len(image[1:])), image)
        )

    even = [s for s in shapes() if s[1] % 2 == 0]
    assert even
    assert not agrees(lambda *s: closed(s[0], s[1] + 1, s[2]), enumerated_conv, (1, 2))


def test_many_layers_cost_as_one_that_holds_them_all() -> None:
    neuron = layer_cost("", dense(1), (2, 3, 4))
    assert neuron.times(24, "all") == layer_cost("all", dense(24), (2, 3, 4))


def test_parameters_are_those_of_the_built_network() -> None:
    for image, kernel, channels, outputs in shapes(10):
        for layer in (convolution(channels, kernel), dense(outputs), Local(channels, kernel)):
            assert layer_cost("", layer, image).params == L.build(layer, image).trainable


def test_a_kernel_in_a_row_sees_as_much_as_the_large_one() -> None:
    for count, kernel in product((1, 2, 3, 4), (1, 2, 3, 5)):
        found = stack(3, count, kernel)
        assert found.sees[0] == found.sees[1] == count * (kernel - 1) + 1
        assert found.per_square == (count * kernel**2, found.sees[1] ** 2)


@pytest.mark.parametrize("base", [2, 3, 10, 255, 256])
def test_powers_of_ten_are_digits(base: int) -> None:
    for exponent in (0, 1, 2, 3, 17, 784, 1000):
        assert power_of_ten(base, exponent) == len(str(base**exponent)) - 1


def test_large_powers_of_ten_are_those_of_whole_numbers() -> None:
    exponent = EXACT_BITS // 8
    value = 256**exponent
    for more in (0, 1):  # counted on the one side, by logarithm on the other
        power = power_of_ten(256, exponent + more)
        assert 10**power <= value << (8 * more) < 10 ** (power + 1)
    assert power_of_ten(10, EXACT_BITS) == EXACT_BITS
    assert power_of_ten(1, 10**9) == 0


def test_the_number_of_images_is_exact() -> None:
    assert ImageCount(2, 3).exact() == len(set(product((0, 1), repeat=3)))


def test_images_larger_than_any_array_are_counted() -> None:
    report = cost((3, 10**6, 10**6))
    assert report.same_size.weights == 3 * 64 * 10**24
    assert report.images.power_of_ten == 7_224_719_895_935
    assert "10^7,224,719,895,935" in str(report)
    with pytest.raises(GraphError, match="more weights than can be addressed"):
        cost((3, 10**7, 10**7), outputs=10**6)


@pytest.mark.parametrize("shape", [(2, 9), (3, 4, 5, 6)])
def test_signals_and_volumes_cost_as_well(shape: tuple[int, ...]) -> None:
    report = cost(shape, outputs=7, kernel=2, channels=4)
    assert report.convolution.weights == 4 * shape[0] * 2 ** (len(shape) - 1)
    assert report.dense.weights == 7 * np.prod(shape)
    assert f"conv {'×'.join('2' * (len(shape) - 1))} to 4" in str(report)


def test_a_report_has_three_faces() -> None:
    report = cost((1, 28, 28))
    assert (
        json.loads(json.dumps(report.to_dict(), allow_nan=False))["layers"]["dense"]["params"]
        == 785_000
    )
    assert "<td>dense to 1000</td>" in report._repr_html_()
    assert "rule of thumb (no law): 5 to 10 examples a parameter" in str(report)
    assert all(each["rule_of_thumb"] for each in report.to_dict()["examples"])


@pytest.mark.parametrize(
    ("shape", "options", "text"),
    [
        ((3,), {}, "an image must have channels and 1 to 3 space axes, all at least 1, got"),
        ((3, 0, 5), {}, "in_shape=(3, 0, 5). Use (channels, height, width). [cost K1]"),
        ((1, 5, 5), {"kernel": 0}, "cost: kernel must be at least 1, got kernel=0. [cost K2]"),
        ((1, 5, 5), {"channels": 0}, "cost: channels must be at least 1"),
        ((1, 5, 5), {"outputs": 0}, "cost: outputs must be at least 1"),
    ],
)
def test_what_is_refused(shape: tuple[int, ...], options: dict[str, Any], text: str) -> None:
    with pytest.raises(GeometryError, match=re.escape(text)):
        cost(shape, **options)
