"""The register block, and the way in and out of it, against NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.kernels.compiled import function
from faltung.kernels.interleave import row_from_lanes, row_to_lanes
from faltung.kernels.isa import ISAS, Isa, has
from faltung.kernels.micro import ADDED, START, SUMS, ZEROS, panel, pixels_together

NUMBERS = {"f32": np.float32, "f64": np.float64}
HERE = [isa for isa in ISAS if has(isa)]
CASES = [(isa, number) for isa in HERE for number in NUMBERS]
RNG = np.random.default_rng(0)


def integers(shape: Any, dtype: Any) -> np.ndarray:
    return RNG.integers(-4, 5, shape).astype(dtype)


@pytest.mark.parametrize(("isa", "number"), CASES)
@pytest.mark.parametrize(("pixels", "length", "blocks"), [(1, 1, 3), (5, 3, 2), (6, 8, 4)])
@pytest.mark.parametrize("begin", [ZEROS, START, SUMS, ADDED])
def test_panel_sums_blocks_of_channels_at_offsets(
    isa: Isa, number: str, pixels: int, length: int, blocks: int, begin: str
) -> None:
    dtype, vectors = NUMBERS[number], 2
    lanes = isa.lanes(np.dtype(dtype).itemsize)
    step = length + 1
    offsets = np.array([7 * b for b in range(blocks)][::-1], np.int64)
    a = integers(7 * blocks + pixels * step + length, dtype)
    w = integers((blocks, length, vectors * lanes), dtype)
    start = integers(vectors * lanes, dtype)
    out = integers((pixels, vectors * lanes), dtype)
    wanted = {ZEROS: 0, START: start, SUMS: out.copy(), ADDED: out.copy()}[begin] + np.zeros_like(
        out
    )
    for i in range(pixels):
        for b, offset in enumerate(offsets):
            wanted[i] += a[offset + i * step :][:length] @ w[b]
    constants = {"pixels": pixels, "vectors": vectors, "length": length, "step": step}
    address = panel.address(number, isa, **constants, begin=begin)
    places = (x.ctypes.data for x in (a, w, start, out, offsets))
    function(address, 9)(*places, blocks, vectors * lanes, lanes, w.ctypes.data)
    np.testing.assert_array_equal(out, wanted)


@pytest.mark.parametrize(("isa", "number"), CASES)
@pytest.mark.parametrize("channels", [1, 3, 8, 16])
@pytest.mark.parametrize(("first", "count"), [(0, 21), (-2, 25), (3, 18), (-5, 4), (30, 3)])
def test_rows_go_to_lanes_with_zeros_outside(
    isa: Isa, number: str, channels: int, first: int, count: int
) -> None:
    dtype, size = NUMBERS[number], 21
    lanes = isa.lanes(np.dtype(dtype).itemsize)
    channels = min(channels, lanes)
    planes = integers((channels, size), dtype)
    out = np.full((count + lanes, lanes), 99, dtype)
    address = row_to_lanes.address(number, isa)
    sizes = (size, channels, first, size, count)
    function(address, 7)(planes.ctypes.data, out.ctypes.data, *sizes)
    wanted = np.zeros((count, lanes), dtype)
    for i in range(count):
        if 0 <= first + i < size:
            wanted[i, :channels] = planes[:, first + i]
    np.testing.assert_array_equal(out[:count], wanted)
    assert set(np.unique(out[count:])) <= {0, 99}


@pytest.mark.parametrize(("isa", "number"), CASES)
@pytest.mark.parametrize("channels", [1, 3, 16])
@pytest.mark.parametrize("count", [1, 16, 21])
@pytest.mark.parametrize("adds", [False, True])
def test_rows_come_from_lanes_with_what_follows(
    isa: Isa, number: str, channels: int, count: int, adds: bool
) -> None:
    dtype = NUMBERS[number]
    lanes = isa.lanes(np.dtype(dtype).itemsize)
    channels, step = min(channels, lanes), 2 * lanes
    source = integers((count + lanes, 2, lanes), dtype)
    residual = integers((channels, count + 1), dtype)
    out = np.full((channels, count + 1), 99, dtype)
    constants = {"activation": ("clip", -2.0, 3.0), "adds": adds}
    address = row_from_lanes.address(number, isa, **constants)
    places = (source.ctypes.data, step, out.ctypes.data)
    function(address, 7)(*places, count + 1, channels, count, residual.ctypes.data)
    wanted = source[:count, 0, :channels].T + (residual[:, :count] if adds else 0)
    np.testing.assert_array_equal(out[:, :count], np.clip(wanted, -2, 3))
    assert (out[:, count] == 99).all()


def test_pixels_together_leave_little_over() -> None:
    for isa in HERE:
        for count in range(1, 300):
            together = pixels_together(isa, count, 2)
            assert -(-count // together) * together - count < -(-count // together)
