"""Larger images made of numbers that are there: each repeated, or four images woven into one.

    repeated   y[c, s h + i, s w + j] = x[c, h, w]
    woven      y[c, s h + i, s w + j] = x[c s s + i s + j, h, w]

A row of inputs becomes s rows of outputs, each vector of which is put together in registers.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.isa import Isa, required_isa
from faltung.kernels.launch import launch
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer, Vector

Array = NDArray[Any]

FIELDS: Final = ("x", "y", "scratch", "rows", "height", "width", "count", "scratch_size")
BLOCK: Final = 1 << 13
"""Outputs of a block of work, at least."""


def can_repeat(times: int, isa: Isa, itemsize: int) -> bool:
    """Whether there is a kernel that repeats so often.

    >>> from faltung.kernels.isa import AVX2
    >>> [can_repeat(times, AVX2, 4) for times in (2, 3, 8, 16)]
    [True, False, True, False]
    """
    return times > 1 and isa.lanes(itemsize) % times == 0


def repeat(x: Array, times: int, *, out: Array | None = None) -> Array:
    """Repeat each number of the last two axes.

    Parameters
    ----------
    x : array (N, C, H, W), float32 or float64
        C-contiguous.
    times
        How often, on both axes; `can_repeat` says what there is.
    out : array (N, C, times H, times W), optional
        Where the result goes.
    """
    n, c, h, w = x.shape
    return _woven(x, (n, c, times * h, times * w), times, out, is_repeated=True)


def weave(x: Array, *, out: Array | None = None) -> Array:
    """Put four channels into one, of twice the size: ONNX's DepthToSpace, columns before rows.

    Parameters
    ----------
    x : array (N, 4 C, H, W), float32 or float64
        C-contiguous.
    out : array (N, C, 2 H, 2 W), optional
        Where the result goes.
    """
    n, c, h, w = x.shape
    return _woven(x, (n, c // 4, 2 * h, 2 * w), 2, out, is_repeated=False)


def _woven(
    x: Array, shape: tuple[int, ...], times: int, out: Array | None, *, is_repeated: bool
) -> Array:
    y = memory.empty(shape, x.dtype) if out is None else out
    if not y.size:
        return y
    height, width = x.shape[2:]
    rows = shape[0] * shape[1] * height
    count = min(rows, max(1, BLOCK // (width * times * times)))
    sizes = {"rows": rows, "height": height, "width": width, "count": count, "scratch_size": 0}
    constants: dict[str, Any] = {"times": times, "is_repeated": is_repeated}
    arrays = {"x": np.ascontiguousarray(x), "y": y}
    launch(
        weave_block, required_isa("weave"), FIELDS, sizes, arrays, -(-rows // count), **constants
    )
    return y


@kernel(arguments=INTS, block=INT, thread=INT)
def weave_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    times: int,
    is_repeated: bool,
) -> None:
    """Some rows of inputs."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    width, height, first = of("width"), of("height"), block * of("count")
    x, y = code.address(of("x")), code.address(of("y"))
    lanes = code.lanes
    with code.loop((first + of("count")).at_most(of("rows")), start=first) as row:
        plane, line = row // height, row % height
        with code.loop(width, step=lanes) as at:
            mask, left = code.first(width - at), (width - at) * times
            for i in range(times):
                to = y + ((row * times + i) * width + at) * times
                if is_repeated:
                    parts = [code.load_some(mask, x + (row * width + at))]
                else:
                    channel = (plane * times + i) * times
                    own = [((channel + j) * height + line) * width + at for j in range(times)]
                    parts = [code.load_some(mask, x + place) for place in own]
                for k in range(times):
                    vector = _put_together(code, parts, times, k)
                    code.store_some(code.first(left - k * lanes), to + k * lanes, vector)


def _put_together(code: Code, parts: list[Vector], times: int, k: int) -> Vector:
    """Return the k-th vector of a row whose numbers are those of the parts in turn."""
    places = [divmod(k * code.lanes + lane, times) for lane in range(code.lanes)]
    if len(parts) == 1:
        return code.shuffle(parts[0], parts[0], [at for at, _ in places])
    return code.shuffle(parts[0], parts[1], [at + part * code.lanes for at, part in places])
