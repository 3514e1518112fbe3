"""Sums over the batch and over space: what the gradient of a bias is.

    y[c] = sum over n and i of x[n, c, i]

Numbers are turned into float64 as they are read, summed in one order whoever does it, and rounded
once.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from faltung.kernels import memory
from faltung.kernels.compiled import kernel
from faltung.kernels.each import Lanes
from faltung.kernels.fold import widened
from faltung.kernels.norm_batch_call import launch_channels
from faltung.kernels.norm_channels import Channel, Channels, Terms
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer, Vector

Array = NDArray[Any]


def channel_sums(x: Array, *, out: Array | None = None) -> Array:
    """Return the sum of each channel, in one launch.

    Parameters
    ----------
    x : array (N, C, *space), float32 or float64
        C-contiguous, and not empty.
    out : array (C,), optional
        Where the result goes.
    """
    y = memory.empty(x.shape[1:2], x.dtype) if out is None else out
    launch_channels(sums_block, {"x": x, "y": y})
    return y


@kernel(arguments=INTS, block=INT, thread=INT)
def sums_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Some channels."""
    channels = Channels(code, arguments, block, thread, ["x"])
    x, nothing = channels.place("x"), widened(code, code.constant(0.0))

    def terms(channel: Channel) -> Terms:
        def read(at: Int, lanes: Lanes) -> list[Vector]:
            return [widened(code, lanes.load(x + at)), nothing]

        return read

    channels.sum(terms)
    channels.each(lambda channel: channel.put("y", channel.sums()[0]))
