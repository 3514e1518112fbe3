"""A large image needs little more than its result: columns come in blocks, in reused memory."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from faltung.geometry import ConvWindow, PoolWindow
from faltung.kernels import blocks, memory
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


def first_peak(call: Callable[[], np.ndarray]) -> float:
    """The peak of a call that finds its kernel compiled, but no working memory."""
    call()
    memory.release()
    return peak_in_images(call)


def test_convolution_allocates_its_result_and_a_block() -> None:
    w = np.ones((1, 1, 5, 5), np.float32)
    for stride in (1, 2):
        window = ConvWindow.of(IMAGE.shape, w.shape, padding=2, stride=stride)
        dout = np.ones(window.out_shape, np.float32)
        assert first_peak(lambda: dispatch.conv(window, IMAGE, w)) < 2.5  # noqa: B023
        assert first_peak(lambda: dispatch.conv_dx(window, dout, w)) < 2.5  # noqa: B023
        assert first_peak(lambda: dispatch.conv_dw(window, IMAGE, dout)) < 1.5  # noqa: B023


def test_pooling_allocates_a_few_images() -> None:
    window = PoolWindow.of(IMAGE.shape, 3, stride=1, padding=1)
    assert peak_in_images(lambda: dispatch.max_pool(window, IMAGE)) < 5
    assert peak_in_images(lambda: dispatch.max_pool_dx(window, IMAGE, IMAGE)) < 6
    assert peak_in_images(lambda: dispatch.avg_pool(window, IMAGE)) < 5
    assert peak_in_images(lambda: dispatch.avg_pool_dx(window, IMAGE)) < 5


def test_a_second_call_takes_its_columns_from_the_first() -> None:
    w = np.ones((1, 1, 5, 5), np.float32)
    window = ConvWindow.of(IMAGE.shape, w.shape)
    dispatch.conv(window, IMAGE, w)
    assert peak_in_images(lambda: dispatch.conv(window, IMAGE, w)) < 1.05


def test_scratch_is_reused_by_name_and_never_larger_than_a_block() -> None:
    one = blocks.scratch("test", (2, 3), np.dtype(np.float32))
    again = blocks.scratch("test", (3,), np.dtype(np.float64))
    other = blocks.scratch("test other", (4,), np.dtype(np.float64))
    large = blocks.scratch("test", (blocks.BLOCK_BYTES,), np.dtype(np.float32))
    assert (one.shape, one.dtype) == ((2, 3), np.float32)
    assert np.shares_memory(one, again)
    assert not np.shares_memory(one, other)
    assert not np.shares_memory(one, large)


def test_threads_do_not_share_working_memory() -> None:
    rng = np.random.default_rng(0)
    window = ConvWindow.of((8, 3, 20, 20), (4, 3, 3, 3), padding=1)
    w = rng.integers(-9, 9, window.w_shape).astype(np.float32)
    batches = [rng.integers(-9, 9, window.x_shape).astype(np.float32) for _ in range(24)]
    one_by_one = [dispatch.conv(window, x, w) for x in batches]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda x: dispatch.conv(window, x, w), batches))
    for a, b in zip(one_by_one, together, strict=True):
        np.testing.assert_array_equal(a, b)
