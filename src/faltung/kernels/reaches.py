"""What the outputs of a convolution read on each axis, forward and for the input's gradient.

Both are the same thing to a kernel: for each phase of the output positions, taps at distances from
where the position's input begins.
"""

from __future__ import annotations

from typing import NamedTuple

from faltung.geometry.adjoint import data_gradient_phases
from faltung.geometry.axis import AxisWindow
from faltung.geometry.window import ConvWindow


class Reach(NamedTuple):
    """One axis.

    Position ``m * len(phases) + p`` of the result sums, for each ``(k, distance)`` of phase p, the
    source at ``m * step - lead + distance`` times the weight k.
    """

    source: int
    result: int
    grid: int
    step: int
    lead: int
    phases: tuple[tuple[tuple[int, int], ...], ...]

    @property
    def distances(self) -> tuple[int, ...]:
        """All distances, in order."""
        return tuple(sorted({distance for phase in self.phases for _, distance in phase})) or (0,)

    @property
    def span(self) -> int:
        """Positions from the first distance, 0, to the last."""
        return self.distances[-1] + 1


def forward_reach(axis: AxisWindow) -> Reach:
    """Return what outputs read: one phase.

    >>> forward_reach(AxisWindow(size=9, kernel=2, stride=3, dilation=2, pad_lo=1)).phases
    (((0, 0), (1, 2)),)
    """
    taps = tuple((k, k * axis.dilation) for k in range(axis.kernel))
    outputs = axis.out_size
    return Reach(axis.size, outputs, outputs, axis.stride, axis.pad_lo, (taps,))


def backward_reach(axis: AxisWindow) -> Reach:
    """Return what the input's gradient reads of the output's: a phase for each remainder.

    >>> backward_reach(AxisWindow(size=6, kernel=3, stride=2)).phases
    (((2, 0), (0, 1)), ((1, 1),))
    """
    phases = data_gradient_phases(axis)
    lead = max((p.window.pad_lo for p in phases if p.taps), default=0)
    taps = tuple(
        tuple((k, lead - p.window.pad_lo + i * p.window.dilation) for i, k in enumerate(p.taps))
        for p in phases
    )
    grid = -(-axis.size // len(phases)) if phases else 0
    return Reach(axis.out_size, axis.size, grid, 1, lead, taps)


def three_axes(axes: tuple[AxisWindow, ...]) -> tuple[AxisWindow, ...]:
    """Return axes with those of one position before them that make three."""
    return (AxisWindow(1, 1),) * (3 - len(axes)) + axes


def is_pointwise(axes: tuple[AxisWindow, ...]) -> bool:
    """Whether each pixel is by itself, and none is left out by negative padding."""
    return all((a.kernel, a.stride, a.pad_lo, a.out_size) == (1, 1, 0, a.size) for a in axes)


def reaches(window: ConvWindow, *, is_backward: bool) -> tuple[Reach, ...]:
    """Return three axes; where each pixel is by itself, they are one long row."""
    axes = three_axes(window.axes)
    if is_pointwise(axes):
        pixels = axes[0].size * axes[1].size * axes[2].size
        axes = (AxisWindow(1, 1), AxisWindow(1, 1), AxisWindow(pixels, 1))
    return tuple(backward_reach(a) if is_backward else forward_reach(a) for a in axes)
