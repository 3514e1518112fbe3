"""Blur pooling: binomial weights, one set for each channel, that training leaves alone."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import layers as L


@pytest.mark.parametrize("axes", [1, 2, 3])
@pytest.mark.parametrize("kernel_size", [1, 2, 3, 5])
def test_weights_are_binomial_and_keep_the_mean(axes: int, kernel_size: int) -> None:
    graph = L.build(L.BlurPool(kernel_size), (3, *(8,) * axes))
    (blur,) = graph.state.values()
    assert graph.trainable == 0
    rows = {1: [1], 2: [1, 1], 3: [1, 2, 1], 5: [1, 4, 6, 4, 1]}
    assert blur.shape == (3, 1, *(kernel_size,) * axes)
    ones = blur[0, 0].sum(axis=tuple(range(axes - 1)))
    assert (ones * 2 ** (kernel_size - 1)).tolist() == rows[kernel_size]
    y = graph(np.full((1, 3, *(8,) * axes), 7, np.float32))
    assert y.shape == (1, 3, *(4,) * axes)
    assert (y == 7).all()


def test_a_shift_by_one_disturbs_less_than_it_does_max_pooling() -> None:
    x = np.zeros((1, 1, 1, 24), np.float32)
    x[..., ::4] = x[..., 1::4] = 1  # 1 1 0 0, what Zhang shows the failure of pooling with
    pooled = L.build(L.MaxPool((1, 2), 2), (1, 1, 24))
    blurred = L.build(L.Chain(L.MaxPool((1, 2), 1), L.BlurPool(3, 2)), (1, 1, 24))
    moved = np.roll(x, 1, axis=-1)
    changes = [np.abs(net(moved) - net(x))[..., 1:-1].max() for net in (pooled, blurred)]
    assert changes[1] < changes[0] == 1
