"""A large image needs little more than its result: columns come in blocks."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable

import numpy as np

from faltung.geometry import ConvWindow, PoolWindow
from faltung.ops import dispatch

SIDE = 1024
IMAGE = np.ones((1, 1, SIDE, SIDE), np.float32)  # 4 MiB, as a block; its 5x5 columns take 100


def peak_in_images(call: Callable[[], np.ndarray]) -> float:
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1] / IMAGE.nbytes
    finally:
        tracemalloc.stop()


def test_convolution_allocates_its_result_and_a_block() -> None:
    w = np.ones((1, 1, 5, 5), np.float32)
    for stride in (1, 2):
        window = ConvWindow.of(IMAGE.shape, w.shape, padding=2, stride=stride)
        dout = np.ones(window.out_shape, np.float32)
        assert peak_in_images(lambda: dispatch.conv(window, IMAGE, w)) < 2.5  # noqa: B023
        assert peak_in_images(lambda: dispatch.conv_dx(window, dout, w)) < 2.5  # noqa: B023
        assert peak_in_images(lambda: dispatch.conv_dw(window, IMAGE, dout)) < 1.5  # noqa: B023


def test_pooling_allocates_a_few_images() -> None:
    window = PoolWindow.of(IMAGE.shape, 3, stride=1, padding=1)
    assert peak_in_images(lambda: dispatch.max_pool(window, IMAGE)) < 5
    assert peak_in_images(lambda: dispatch.max_pool_dx(window, IMAGE, IMAGE)) < 6
    assert peak_in_images(lambda: dispatch.avg_pool(window, IMAGE)) < 5
    assert peak_in_images(lambda: dispatch.avg_pool_dx(window, IMAGE)) < 5
