"""From arrays and sizes to a compiled kernel that runs block by block on the shared pool."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import Kernel
from faltung.kernels.isa import Isa
from faltung.kernels.pool import shared_pool
from faltung.kernels.replay import Launch

Array = NDArray[Any]


def launch(
    block: Kernel,
    isa: Isa,
    names: Sequence[str],
    sizes: Mapping[str, int],
    arrays: Mapping[str, Array],
    blocks: int,
    number: np.dtype[Any] | None = None,
    **constants: Any,
) -> None:
    """Run a kernel for each of so many blocks.

    Parameters
    ----------
    block
        Called with the address of its arguments, a block's number and a thread's.
    isa
        The instruction set.
    names
        What the arguments are, in order: each a size or an array.
    sizes
        Integers by name; ``scratch_size`` numbers of working memory go to each thread, as the
        argument ``scratch``; ``shared_size`` more, if there are, to all, as ``shared``.
    arrays
        By name, contiguous. Those that depend on the geometry alone should be read-only: such a
        call can be repeated for other arrays (see `faltung.kernels.replay`).
    blocks
        How many.
    number
        What the kernel computes with; the dtype of ``x`` by default.
    **constants
        What the kernel is compiled with.
    """
    dtype, pool, now = number or arrays["x"].dtype, shared_pool(), memory.kept
    own, shared = (sizes.get(name, 0) * dtype.itemsize for name in ("scratch_size", "shared_size"))
    before = memory.line(shared)
    address = block.address("f32" if dtype == np.float32 else "f64", isa, **constants)
    if now.recorder is not None:
        given = {name: arrays[name] for name in names if name in arrays}
        call = Launch(address, names, dict(sizes), given, blocks, own, before)
        now.recorder.launches.append(call)
        if now.recorder.is_dry:
            return
    area = memory.working(before + (1 if now.is_serial else pool.threads) * own)
    values = {**sizes, **{name: array.ctypes.data for name, array in arrays.items()}}
    values["shared"] = area.ctypes.data
    values["scratch"] = values["shared"] + before
    arguments = np.array([values[name] for name in names], np.int64)
    pool.run(address, arguments.ctypes.data, blocks, is_serial=now.is_serial)
