"""Convolution with a kernel of one position: a matrix product on the input as it lies.

Where windows have one tap, no stride and no padding, an output pixel needs the input pixel at its
own place alone. An image is then one long row of pixels, each tap is the distance of a plane, and
nothing is copied: `tile` reads x and writes y in place. A block takes a few vectors of pixels to
all output channels; its input stays in the first-level cache meanwhile.
"""

from __future__ import annotations

from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer
from faltung.kernels.tile import tile

FIELDS: Final = (
    *("x", "w", "bias", "y", "residual", "scratch", "offsets"),
    *("pixels", "groups", "group_in", "group_out", "segment", "segments", "scratch_size"),
)


@kernel(tile, arguments=INTS, block=INT, thread=INT)
def multiply_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    channels: int,
    vectors: int,
    **store: Any,
) -> None:
    """Compute one segment of one image's pixels, for all output channels of a group."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    pixels, group_out = of("pixels"), of("group_out")
    segment, rest = block % of("segments"), block // of("segments")
    group = rest % of("groups")
    source = code.address(of("x")) + rest * of("group_in") * pixels
    out = rest * group_out * pixels
    to, residual = code.address(of("y")) + out, code.address(of("residual")) + out
    partial = code.address(of("scratch")) + thread * of("scratch_size")
    panels = (group_out + (channels - 1)) // channels
    offsets = code.ints(code.address(of("offsets")))
    first = segment * of("segment")
    end, step = (first + of("segment")).at_most(pixels), vectors * code.lanes
    with code.loop(end, step=step, start=first) as q, code.loop(panels) as panel:
        channel = group * group_out + panel * channels
        w = code.address(of("w")) + channel * of("group_in")
        bias = code.address(of("bias")) + channel
        at = panel * channels * pixels + q
        given: tuple[Any, ...] = (source + q, w, bias, offsets, of("group_in"), partial, to + at)
        given = (*given, pixels, group_out - panel * channels, end - q, residual + at)
        with code.either(end - q >= step) as (whole, border):
            for branch, masked in ((whole, False), (border, True)):
                with branch:
                    tile.call(
                        code, *given, channels=channels, vectors=vectors, masked=masked, **store
                    )
