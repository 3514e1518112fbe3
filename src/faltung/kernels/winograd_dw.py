"""The gradient of the weights in Winograd's form: channels in the lanes, sums at points.

A weight's gradient is a correlation too, of a tile of x with a tile of dout in the place of the
weights: its outputs are the taps. With `cook_toom`'s matrices for ``taps`` outputs of ``m`` taps::

    dw = Aᵀ [Σ over images and tiles  (Bᵀ x B) ⊙ (G dout Gᵀ)] A

The sum over tiles is taken at each point by itself, for every pair of channels: an outer product
of the channels of x and those of dout (`outer`), and only its result is transformed back.

A block is a run of strips (some rows of tiles of an image, or some whole images) for some channels
of x and some of dout. It sums in working memory; its result goes to its place among the runs. Who
finishes the last of the runs for those channels adds them up (`fold`).
"""

from __future__ import annotations

from typing import Final

from faltung.kernels.ahead import Ahead
from faltung.kernels.compiled import kernel
from faltung.kernels.fold import fold, is_last
from faltung.kernels.outer import outer
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer
from faltung.kernels.squares import both_ways, plane_to_points
from faltung.kernels.strips import zeros

FIELDS: Final = (
    *("x", "dout", "dw", "scratch", "shared", "counts", "nowhere"),
    *("height", "width", "out_height", "out_width", "pad_y", "pad_x"),
    *("groups", "group_in", "group_out", "tile_rows", "tile_columns"),
    *("strips", "strip_rows", "steps", "together", "tiles", "runs"),
    *("chunk_in", "chunk_out", "chunks_in", "chunks_out"),
    *("in_distance", "out_distance", "in_offset", "out_offset", "halves_offset"),
    *("pixels_offset", "nothing_offset", "scratch_size", "shared_size"),
)
"""What a block is told, in this order: addresses, sizes, and how working memory lies."""


@kernel(
    *(plane_to_points, outer, both_ways, fold),
    arguments=INTS,
    block=INT,
    thread=INT,
)
def winograd_gradient_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    taps: int,
    outputs: int,
    numbers: int,
) -> None:
    """One block: for each few strips transform both, add products at every point; transform back.

    ``numbers`` channels of x are broadcast together for two vectors of dout, twice as many for one.
    """

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    size, lanes = taps + outputs - 1, code.lanes
    points = size * size
    run, pair = block % of("runs"), block // of("runs")
    part_out, rest = pair % of("chunks_out"), pair // of("chunks_out")
    part_in, group = rest % of("chunks_in"), rest // of("chunks_in")
    chunk_in, chunk_out = of("chunk_in"), of("chunk_out")
    first_in, first_out = part_in * chunk_in, part_out * chunk_out
    in_count = (of("group_in") - first_in).at_most(chunk_in)
    out_count = (of("group_out") - first_out).at_most(chunk_out)
    in_plane, out_plane = of("height") * of("width"), of("out_height") * of("out_width")
    scratch = code.address(of("scratch")) + thread * of("scratch_size")
    inputs, gradients = scratch + of("in_offset"), scratch + of("out_offset")
    halves, pixels = scratch + of("halves_offset"), scratch + of("pixels_offset")
    nothing = scratch + of("nothing_offset")
    zeros(code, scratch, chunk_in * chunk_out * points)
    zeros(code, nothing, of("width").at_least(of("out_width")) * lanes)
    first, last = of("steps") * run // of("runs"), of("steps") * (run + 1) // of("runs")
    of_input, of_out = of("group_in"), of("group_out")
    across = (out_count + (2 * lanes - 1)) // (2 * lanes)
    turns = (in_count + (numbers - 1)) // numbers * across * points

    def transformed(step: Int, tile: Int, *, is_input: bool) -> None:
        """Transform one strip of x or of dout: all channels of the chunk."""
        image, row = step // of("strips"), step % of("strips") * of("strip_rows")
        rows = (of("tile_rows") - row).at_most(of("strip_rows"))
        if is_input:
            sizes = (in_plane, row * outputs - of("pad_y"), of("pad_x"))
            channel = (image * of("groups") + group) * of("group_in") + first_in
            space, which = (of("height"), of("width")), ("from_input", taps, outputs)
            base, to, count, distance = "x", inputs, in_count, of("in_distance")
        else:
            sizes = (out_plane, row * outputs, code.integer(0))
            channel = (image * of("groups") + group) * of("group_out") + first_out
            space, which = (of("out_height"), of("out_width")), ("from_weights", taps, outputs)
            base, to, count, distance = "dout", gradients, out_count, of("out_distance")
        plane, *corner = sizes
        source = code.address(of(base)) + channel * plane
        with code.loop(count, step=lanes) as c:
            out = to + (c * of("tiles") + tile * lanes)
            given = (source + c * plane, pixels, halves, nothing, out, plane, count - c, *corner)
            tiles = (rows, of("tile_columns"), distance)
            plane_to_points.call_apart(code, *given, *space, *tiles, which=which, step=outputs)

    def ahead(step: Int, count: Int, *, is_input: bool) -> Ahead:
        """Return what so many strips of x or of dout will be read from."""
        image, row = step // of("strips"), step % of("strips") * of("strip_rows") * outputs
        if is_input:
            source, plane, channels, whole = code.address(of("x")), in_plane, in_count, of_input
            first, row, more, sides = first_in, row - of("pad_y"), taps - 1, ("height", "width")
        else:
            source, plane, channels, whole = code.address(of("dout")), out_plane, out_count, of_out
            first, more, sides = first_out, 0, ("out_height", "out_width")
        height, width = (of(side) for side in sides)
        top = row.at_least(0).at_most(height)
        bottom = (row + of("strip_rows") * outputs + more).at_most(height).at_least(top)
        channel = (image * of("groups") + group) * whole + first
        # The channels of whole images lie side by side.
        is_whole = of("strips").equals(1)
        size = code.choose(is_whole, channels * plane, (bottom - top) * width)
        stride = code.choose(is_whole, of("groups") * whole * plane, plane)
        pieces = count * code.choose(is_whole, code.integer(1), channels)
        return Ahead(code, source + (channel * plane + top * width), size, stride, pieces, turns)

    def multiplied(tiles: Int, soon: list[Ahead]) -> None:
        """Add all tiles' products, point by point; meanwhile fetch what comes next."""
        spread = of("tiles") * lanes
        with code.loop(points) as p:
            v, d = inputs + p * of("in_distance"), gradients + p * of("out_distance")
            to = scratch + p * chunk_in * chunk_out
            whole = out_count // (2 * lanes) * (2 * lanes)
            # Where one vector is left, that one; lanes past the last channel hold zeros.
            with code.loop(whole, step=2 * lanes) as co:
                added(v, d + co * of("tiles"), to + co, tiles, spread, soon, 2)
            with code.when(out_count > whole):
                rest = out_count - whole
                with code.when(rest <= lanes):
                    added(v, d + whole * of("tiles"), to + whole, tiles, spread, soon, 1)
                with code.when(rest > lanes):
                    added(v, d + whole * of("tiles"), to + whole, tiles, spread, soon, 2)

    def added(
        v: Pointer,
        d: Pointer,
        to: Pointer,
        tiles: Int,
        spread: Int,
        soon: list[Ahead],
        vectors: int,
    ) -> None:
        several = min(lanes, numbers * 2 // vectors)
        offsets = code.ints(code.address(of("nowhere")))
        one = code.integer(0)
        with code.loop(in_count, step=several) as c:
            at = v + (c // lanes * spread + c % lanes)
            given = (at, d, to + c * chunk_out, offsets, code.integer(1), tiles, one, one)
            block_of = {"bases": 1, "inside": tuple(range(several)), "vectors": vectors}
            for one_of in soon:
                one_of.fetch()
            outer.call_apart(code, *given, spread, chunk_out, **block_of, step=lanes)

    units = (last - first + of("together") - 1) // of("together")
    with code.loop(units) as u:
        unit = first + u * of("together")
        count = (last - unit).at_most(of("together"))
        with code.loop(count) as s:
            tile = s * of("strip_rows") * of("tile_columns")
            transformed(unit + s, tile, is_input=True)
            transformed(unit + s, tile, is_input=False)
        row = (unit + count - 1) % of("strips") * of("strip_rows")
        rows = (of("tile_rows") - row).at_most(of("strip_rows"))
        after = (last - unit - count).at_most(of("together"))
        soon = [ahead(unit + count, after, is_input=is_input) for is_input in (True, False)]
        multiplied(((count - 1) * of("strip_rows") + rows) * of("tile_columns"), soon)
    squares = taps * taps
    one_run = chunk_in * chunk_out * squares
    sums = code.address(of("shared")) + pair * of("runs") * one_run
    mine, apart = sums + run * one_run, chunk_in * chunk_out
    with code.loop(in_count) as c, code.loop(out_count, step=lanes) as co:
        to = mine + (c * squares * chunk_out + co)
        places = (to, chunk_out * taps, chunk_out)
        given = (scratch + (c * chunk_out + co), apart * size, apart, *places)
        both_ways.call_apart(code, *given, which=("to_output", taps, outputs))
    finished = code.ints(code.address(of("counts"))) + pair
    with code.when(is_last(code, finished, of("runs"))):
        plane = of("group_in") * squares
        channel = group * of("group_out") + first_out
        dw = code.address(of("dw")) + (channel * plane + first_in * squares)
        counts = (in_count, out_count, code.integer(squares), chunk_out, plane)
        fold.call_apart(code, sums, halves, dw, of("runs"), one_run, *counts)
