"""Normalisation by a channel's own statistics, and its gradient, each one launch.

    y = relu((x - mean) (scale rstd) + bias + residual),      rstd = 1 / sqrt(variance + eps)

    g = dy where y > 0,  dbias = Σ g,  dscale = rstd Σ g (x - mean)
    dx = (g - (x - mean) rstd dscale / n - dbias / n) (scale rstd)

All sums are of float64, those over squares are of distances from one of the channel's own numbers;
`docs/derivations/batch_statistics.md` says what this leaves of rounding.
"""

from __future__ import annotations

from faltung.kernels.compiled import kernel
from faltung.kernels.each import Lanes
from faltung.kernels.epilogue import activated
from faltung.kernels.fold import widened
from faltung.kernels.norm_channels import (
    Channel,
    Channels,
    Terms,
    root,
    rounded,
    spread_wide,
    wide_constant,
)
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer, Vector


@kernel(arguments=INTS, block=INT, thread=INT)
def forward_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    eps: float,
    momentum: float | None,
    scales: bool,
    adds: bool,
    relu: bool,
) -> None:
    """Some channels; without ``scales`` the scale is 1, and there is no bias.

    Running statistics are moved unless ``momentum`` is None.
    """
    channels = Channels(code, arguments, block, thread, ["x", "residual"] if adds else ["x"])
    x, residual = channels.place("x"), channels.place("residual")

    def distances(channel: Channel) -> Terms:
        first = spread_wide(code, channel.first())

        def terms(at: Int, lanes: Lanes) -> list[Vector]:
            away = widened(code, lanes.load(x + at)) - first
            return [away, away * away]

        return terms

    def finish(channel: Channel) -> None:
        away, squares = channel.sums()
        mean = away / channel.length
        variance = _at_least_zero(code, (squares - away * mean) / channel.length)
        mean = channel.first() + mean
        rstd = wide_constant(code, 1.0) / root(code, variance + wide_constant(code, eps))
        for name, number in (("mean", mean), ("variance", variance), ("rstd", rstd)):
            channel.put_wide(name, number)
            if momentum is not None and name != "rstd":
                old = wide_constant(code, momentum) * channel.get(f"running_{name}")
                channel.put(f"moved_{name}", old + wide_constant(code, 1 - momentum) * number)
        channel.keep([rounded(code, mean), rounded(code, rstd)])
        if scales:
            slope = code.build.fmul(rounded(code, channel.get("scale")), rounded(code, rstd))
            channel.keep([rounded(code, mean), slope, rounded(code, channel.get("bias"))])

    def normalised(channel: Channel) -> Terms:
        mean, slope, bias = (channel.kept(i) for i in range(3))

        def compute(at: Int, lanes: Lanes) -> list[Vector]:
            y = (lanes.load(x + at) - mean) * slope
            y = y + bias if scales else y
            y = y + lanes.load(residual + at) if adds else y
            return [activated(code, y, ("relu" if relu else "", 0.0, 0.0))]

        return compute

    channels.sum(distances)
    channels.each(finish)
    channels.write(["y"], normalised)


@kernel(arguments=INTS, block=INT, thread=INT)
def backward_block(
    code: Code,
    arguments: Pointer,
    block: Int,
    thread: Int,
    *,
    relu: bool,
    keeps: bool,
    through: bool,
) -> None:
    """Some channels; with ``keeps`` what comes through the ReLU is written down too.

    Unless it goes ``through`` the statistics, the gradient is scaled alone.
    """
    channels = Channels(code, arguments, block, thread, ["x", "dy", "y"] if relu else ["x", "dy"])
    x, y, dy = (channels.place(name) for name in ("x", "y", "dy"))

    def masked(at: Int, lanes: Lanes) -> Vector:
        if not relu:
            return lanes.load(dy + at)
        nothing = code.constant(0.0)
        is_on = code.build.fcmp_ordered(">", lanes.load(y + at).value, nothing.value)
        return code.select(is_on, lanes.load(dy + at), nothing)

    def products(channel: Channel) -> Terms:
        mean = spread_wide(code, channel.get_wide("mean"))

        def terms(at: Int, lanes: Lanes) -> list[Vector]:
            g = widened(code, masked(at, lanes))
            return [g, g * (widened(code, lanes.load(x + at)) - mean)]

        return terms

    def finish(channel: Channel) -> None:
        sums, products = channel.sums()
        mean, rstd = channel.get_wide("mean"), channel.get_wide("rstd")
        channel.put("dbias", sums)
        channel.put("dscale", products * rstd)
        outer = code.build.fmul(rounded(code, channel.get("scale")), rounded(code, rstd))
        own = products / channel.length * (rstd * rstd)
        numbers = [rounded(code, number) for number in (mean, own, sums / channel.length)]
        channel.keep([*numbers, outer])

    def moved(channel: Channel) -> Terms:
        mean, own, sums, outer = (channel.kept(i) for i in range(4))

        def compute(at: Int, lanes: Lanes) -> list[Vector]:
            g = masked(at, lanes)
            centred = g - (lanes.load(x + at) - mean) * own - sums if through else g
            dx = centred * outer
            return [dx, g] if keeps else [dx]

        return compute

    channels.sum(products)
    channels.each(finish)
    channels.write(["dx", "masked"] if keeps else ["dx"], moved)


@kernel(arguments=INTS, block=INT, thread=INT)
def standard_block(code: Code, arguments: Pointer, block: Int, thread: Int) -> None:
    """Some channels: ``dx = (g - y Σ g y / n - Σ g / n) rstd``, y being the normalised values."""
    channels = Channels(code, arguments, block, thread, ["x", "dy"])
    y, dy = channels.place("x"), channels.place("dy")

    def products(channel: Channel) -> Terms:
        def terms(at: Int, lanes: Lanes) -> list[Vector]:
            g = widened(code, lanes.load(dy + at))
            return [g, g * widened(code, lanes.load(y + at))]

        return terms

    def finish(channel: Channel) -> None:
        numbers = [total / channel.length for total in channel.sums()]
        channel.keep([rounded(code, n) for n in (*numbers, channel.get_wide("rstd"))])

    def moved(channel: Channel) -> Terms:
        mean, own, rstd = (channel.kept(i) for i in range(3))

        def compute(at: Int, lanes: Lanes) -> list[Vector]:
            return [(lanes.load(dy + at) - lanes.load(y + at) * own - mean) * rstd]

        return compute

    channels.sum(products)
    channels.each(finish)
    channels.write(["dx"], moved)


def _at_least_zero(code: Code, number: Vector) -> Vector:
    """Return a number, 0 for one below it; NaN stays."""
    nothing = wide_constant(code, 0.0)
    is_low = code.build.fcmp_ordered("<", number.value, nothing.value)
    return code.select(is_low, nothing, number)
