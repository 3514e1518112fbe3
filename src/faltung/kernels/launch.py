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

Array = NDArray[Any]


def launch(
    block: Kernel,
    isa: Isa,
    names: Sequence[str],
    sizes: Mapping[str, int],
    arrays: Mapping[str, Array],
    blocks: int,
    **constants: int,
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
        argument ``scratch``.
    arrays
        By name, contiguous; ``x`` says what numbers the kernel computes with.
    blocks
        How many.
    **constants
        What the kernel is compiled with.
    """
    dtype, pool = arrays["x"].dtype, shared_pool()
    scratch = memory.working(pool.threads * sizes["scratch_size"] * dtype.itemsize)
    given = {name: array.ctypes.data for name, array in {**arrays, "scratch": scratch}.items()}
    values = {**sizes, **given}
    arguments = np.array([values[name] for name in names], np.int64)
    address = block.address("f32" if dtype == np.float32 else "f64", isa, **constants)
    pool.run(address, arguments.ctypes.data, blocks)
