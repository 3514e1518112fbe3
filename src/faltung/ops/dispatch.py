"""The one place that calls a kernel, or the reference.

``FALTUNG_KERNEL`` decides, and is read at each call: empty, the registry chooses; ``reference``,
the float64 definitions run, their result cast to the inputs' dtype; a row's name imposes that row
on its operation.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from faltung.geometry.window import ConvWindow, PoolWindow
from faltung.kernels import matrices, tuned
from faltung.kernels.choose import choose, compiled_for
from faltung.kernels.schedule import alone, is_small, recorded
from faltung.kernels.settings import settings, token

if TYPE_CHECKING:
    from faltung.kernels.registry import Row
    from faltung.kernels.replay import Replay

Array = NDArray[Any]

_replays: dict[Hashable, Replay] = {}
REPLAYS: Final = 4096
"""Calls that are remembered, at most."""


def row_of(
    operation: str,
    window: ConvWindow | PoolWindow,
    dtype: np.dtype[Any],
    *,
    exact: bool = False,
    prepared: bool = False,
    imposed: str = "",
) -> Row | None:
    """The row that is taken now; None for the reference.

    What ``FALTUNG_KERNEL`` imposes goes before `imposed`, and that before the choice.
    """
    now = settings()
    if now.kernel == "reference":
        return None
    how: dict[str, Any] = {"exact": exact or now.is_exact, "prepared": prepared}
    name = now.kernel or imposed
    return choose(operation, window, dtype, name, now.isa, **how, table=tuned.current())


def conv(
    window: ConvWindow,
    x: Array,
    w: Array,
    b: Array | None = None,
    *,
    exact: bool = False,
    prepared: bool = False,
) -> Array:
    """Cross-correlation: `x` (N, C, *space), `w` (O, C/groups, *kernel), `b` (O,).

    With `exact`, as with ``FALTUNG_EXACT=1``, only by rows with the error of direct summation. With
    `prepared` the choice does not count what is done once with the weights: of a network they stay,
    and images come in batches.
    """
    arrays = (x, w) if b is None else (x, w, b)
    return _repeated("conv", window, *arrays, exact=exact, prepared=prepared)


def conv_dx(
    window: ConvWindow,
    dout: Array,
    w: Array,
    b: Array | None = None,
    *,
    exact: bool = False,
    prepared: bool = True,
) -> Array:
    """Gradient of `conv` with respect to `x`, in its shape; `b` (C,) is added to each channel."""
    how: dict[str, Any] = {"exact": exact, "prepared": prepared}
    row = row_of("conv_dx", window, dout.dtype, **how)
    if b is None or (row is not None and row.takes("b")):
        return _repeated("conv_dx", window, *(a for a in (dout, w, b) if a is not None), **how)
    y = _repeated("conv_dx", window, dout, w, **how)
    y += b.reshape(-1, *(1 for _ in window.axes))
    return y


def conv_dw(window: ConvWindow, x: Array, dout: Array, *, exact: bool = False) -> Array:
    """Gradient of `conv` with respect to `w`, summed over the batch."""
    return _repeated("conv_dw", window, x, dout, exact=exact)


def max_pool(window: PoolWindow, x: Array) -> Array:
    """Largest value under each window; NaN wins."""
    if not _has_outputs(window):
        return np.empty(window.out_shape, x.dtype)
    return _run("max_pool", window, x)


def max_pool_dx(window: PoolWindow, x: Array, dout: Array) -> Array:
    """Gradient of `max_pool`: all to the first winner in row-major order."""
    return _run("max_pool_dx", window, x, dout)


def avg_pool(window: PoolWindow, x: Array, count_include_pad: bool = False) -> Array:
    """Mean under each window."""
    if not _has_outputs(window):
        return np.empty(window.out_shape, x.dtype)
    return _run("avg_pool", window, x, count_include_pad)


def avg_pool_dx(window: PoolWindow, dout: Array, count_include_pad: bool = False) -> Array:
    """Gradient of `avg_pool`."""
    return _run("avg_pool_dx", window, dout, count_include_pad)


def matmul(a: Array, b: Array) -> Array:
    """Matrix product over the last two axes; the reference is the same product in float64."""
    if settings().kernel == "reference":
        return np.asarray(np.matmul(a.astype(np.float64), b.astype(np.float64)), a.dtype)
    with np.errstate(all="ignore"):
        return matrices.matmul(a, b)


def lrn(x: Array, before: int, size: int, alpha: float, bias: float, beta: float) -> Array | None:
    """Local response normalisation; None where there is no kernel for the power or the dtype."""
    is_defined = settings().kernel == "reference"
    if is_defined or x.dtype not in (np.float32, np.float64) or not compiled_for():
        return None
    from faltung.kernels import lrn

    if not lrn.applies(beta):
        return None
    return lrn.lrn(x, before, size - 1 - before, alpha / size, bias, beta)


LARGE: Final = 1 << 15
"""Numbers from which a compiled pass over memory is worth its call; NumPy does smaller arrays."""


LONG: Final = 32
"""Numbers of a row from which a kernel sums it."""


IMAGE: Final = 1 << 12
"""Numbers of an image from which a kernel computes functions that NumPy rounds otherwise."""


def chained(
    steps: Sequence[tuple[Any, ...]], *arrays: Array, as_numpy: bool = True
) -> Array | None:
    """Steps of `faltung.kernels.chain` in one pass; None where NumPy should take them itself.

    The result has the first array's shape and dtype; the others are broadcast to it. Unless the
    steps round `as_numpy` does, the size of an image decides, never the batch.
    """
    x = arrays[0]
    if as_numpy:
        is_taken = is_compiled(*arrays)
    else:
        is_taken = x.size >= IMAGE * max(len(x), 1) if x.ndim > 1 else False
        is_taken = is_taken and _can_be_compiled(*arrays)
    if not is_taken or not x.size:
        return None
    from faltung.kernels import memory
    from faltung.kernels.chain_call import axes_of, chain

    y = memory.empty(x.shape, x.dtype)
    return chain(steps, arrays, y) if axes_of(arrays, y) is not None else None


def softmax(x: Array) -> Array | None:
    """The softmax of each row; None for short ones, which NumPy takes."""
    if not is_long(x, x.shape[1]):
        return None
    from faltung.kernels import softmax_rows

    with np.errstate(all="ignore"):
        return softmax_rows.softmax(x)


def softmax_dx(y: Array, dout: Array) -> Array | None:
    """The gradient of `softmax`; None for short rows, which NumPy takes."""
    if not is_long(y, y.shape[1]) or dout.dtype != y.dtype:
        return None
    from faltung.kernels import softmax_rows

    return softmax_rows.softmax_dx(y, dout)


def row_means(x: Array) -> Array | None:
    """The mean over all of space, with axes of size 1 left; None where NumPy should take it.

    The size of an image decides, never the batch: an image has the same bits in any batch.
    """
    if not is_long(x, math.prod(x.shape[2:])):
        return None
    from faltung.kernels.means import means

    y = means(np.ascontiguousarray(x).reshape(x.shape[0] * x.shape[1], -1))
    return y.reshape(*x.shape[:2], *(1 for _ in x.shape[2:]))


def row_largest(x: Array) -> Array | None:
    """The largest value of all of space, with axes of size 1 left; None where NumPy takes it."""
    if not _has_rows(x):
        return None
    from faltung.kernels.largest import largest

    y = largest(np.ascontiguousarray(x).reshape(x.shape[0] * x.shape[1], -1))
    return y.reshape(*x.shape[:2], *(1 for _ in x.shape[2:]))


def standardised(x: Array, eps: float) -> tuple[Array, Array, Array] | None:
    """Rows with mean 0 and variance 1, their means and ``1 / sqrt(variance + eps)`` in float64.

    None for short ones, which NumPy takes.
    """
    if not is_long(x, x.shape[1]):
        return None
    from faltung.kernels import norm_batch_call

    return norm_batch_call.standardised(np.ascontiguousarray(x), eps)


def standardised_dx(y: Array, dy: Array, rstd: Array) -> Array | None:
    """The gradient of `standardised` to its input; None for short rows, which NumPy takes."""
    if not is_long(y, y.shape[1]) or dy.dtype != y.dtype:
        return None
    from faltung.kernels import norm_batch_call

    return norm_batch_call.standardised_dx(*map(np.ascontiguousarray, (y, dy, rstd)))


def is_long(x: Array, row: int) -> bool:
    """Whether a kernel sums rows of so many numbers, whatever their number."""
    return row >= LONG and x.size > 0 and _can_be_compiled(x)


def channel_sums(x: Array) -> Array | None:
    """The sum of each channel of (N, C, *space), added in float64; None where NumPy should sum."""
    if not _has_rows(x):
        return None
    from faltung.kernels import channel_sums

    return channel_sums.channel_sums(np.ascontiguousarray(x))


def normalised(
    x: Array, scale: Array, bias: Array, eps: float
) -> tuple[Array, Array, Array, Array] | None:
    """Channels normalised by their own statistics; None where NumPy should take them.

    With the result come the means, variances and ``1 / sqrt(variance + eps)``, in float64.
    """
    if not _has_rows(x, scale, bias):
        return None
    from faltung.kernels import norm_batch_call

    x, scale, bias = (np.ascontiguousarray(array) for array in (x, scale, bias))
    return norm_batch_call.norm_forward(x, scale, bias, eps)


def normalised_dx(
    x: Array, dy: Array, scale: Array, mean: Array, rstd: Array, *, through: bool
) -> tuple[Array, Array, Array] | None:
    """dx, dscale and dbias of channels normalised; None where NumPy should take them.

    They go `through` the statistics where these are x's own.
    """
    if not _has_rows(x, dy, scale):
        return None
    from faltung.kernels import norm_batch_call

    x, dy, scale = (np.ascontiguousarray(array) for array in (x, dy, scale))
    return norm_batch_call.norm_backward(x, x, dy, scale, mean, rstd, through=through)


def _has_rows(x: Array, *others: Array) -> bool:
    return is_compiled(x, *others) and x.ndim > 2 and x.size >= 8 * x.shape[0] * x.shape[1]


def is_compiled(x: Array, *others: Array) -> bool:
    """Whether a kernel takes these arrays, and is worth it."""
    return x.size >= LARGE and _can_be_compiled(x, *others)


def _can_be_compiled(x: Array, *others: Array) -> bool:
    return (
        x.dtype in (np.float32, np.float64)
        and all(other.dtype == x.dtype for other in others)
        and settings().kernel != "reference"
        and bool(compiled_for())
    )


def _has_outputs(window: PoolWindow) -> bool:
    """Whether there is anything to compute: kernels walk through taps, of any number, even so."""
    return 0 not in window.out_shape


def once(
    operation: str, window: ConvWindow, *arrays: Array, exact: bool, prepared: bool = False
) -> tuple[Array, Replay | None]:
    """One of the convolutions, and the same call for other arrays; None if it cannot be repeated.

    All arrays are C-contiguous and of one dtype, float32 or float64. `is_repeatable` says for which
    others the call is the same.
    """
    dtype = arrays[0].dtype
    row = row_of(operation, window, dtype, exact=exact, prepared=prepared)
    if row is None or not row.replays or 0 in (*window.x_shape, *window.out_shape):
        return _run(operation, window, *arrays, exact=exact, prepared=prepared), None
    from faltung.kernels.replay import Recorder

    small = is_small(row, window, dtype)
    with np.errstate(all="ignore"), alone(small), recorded(Recorder(arrays)) as recorder:
        y = row.load()(window, *arrays)
    return y, recorder.replay(y, small)


def is_repeatable(operation: str, arrays: Sequence[Array]) -> bool:
    """Whether for these arrays the same is launched as for others of their shapes.

    What `conv_dx` launches depends on whether all weights are finite.
    """
    if operation != "conv_dx":
        return True
    from faltung.kernels.finite import is_finite

    return is_finite(arrays[1])


def _repeated(
    operation: str, window: ConvWindow, *arrays: Array, exact: bool, prepared: bool = False
) -> Array:
    """`once`, or the call that it returned for these shapes."""
    dtype = arrays[0].dtype
    if not all(a.flags.c_contiguous and a.dtype == dtype for a in arrays):
        return _run(operation, window, *arrays, exact=exact, prepared=prepared)
    key = (operation, window, dtype, len(arrays), exact, prepared, token())
    replay = _replays.get(key)
    if replay is not None and is_repeatable(operation, arrays):
        return replay(*arrays)
    y, replay = once(operation, window, *arrays, exact=exact, prepared=prepared)
    if replay is not None:
        if len(_replays) >= REPLAYS:
            _replays.clear()
        _replays[key] = replay
    return y


def _run(
    operation: str,
    window: ConvWindow | PoolWindow,
    x: Array,
    *rest: Any,
    exact: bool = False,
    prepared: bool = False,
) -> Array:
    row = row_of(operation, window, x.dtype, exact=exact, prepared=prepared)
    if row is None:
        return np.asarray(_run_reference(operation, window, x, *rest), x.dtype)
    # Compiled kernels read every array as one of x's dtype, whatever is there.
    rest = tuple(r.astype(x.dtype, copy=False) if isinstance(r, np.ndarray) else r for r in rest)
    # Infinities and NaN are results here, and BLAS raises flags for them as it pleases.
    with np.errstate(all="ignore"), alone(is_small(row, window, x.dtype)):
        return row.load()(window, x, *rest)


def _run_reference(operation: str, window: Any, *arrays: Any) -> Any:
    """The definition of `operation`, in float64."""
    from faltung import reference

    slide: dict[str, Any] = {
        "stride": tuple(axis.stride for axis in window.axes),
        "pads": tuple((axis.pad_lo, axis.pad_hi) for axis in window.axes),
        "dilation": tuple(axis.dilation for axis in window.axes),
    }
    if isinstance(window, ConvWindow):
        shape = {"conv_dx": [window.x_shape], "conv_dw": [window.w_shape]}.get(operation, [])
        return getattr(reference, operation)(*arrays, *shape, **slide, groups=window.groups)
    slide["out_space"] = tuple(axis.out_size for axis in window.axes)
    kernel = tuple(axis.kernel for axis in window.axes)
    match operation, arrays:
        case "avg_pool", (x, include):
            return reference.avg_pool(x, kernel, **slide, count_include_pad=include)
        case "avg_pool_dx", (dout, include):
            shape = window.x_shape
            return reference.avg_pool_dx(dout, shape, kernel, **slide, count_include_pad=include)
    return getattr(reference, operation)(*arrays, kernel, **slide)
