"""Cases for the definitions, whole numbers to compare exactly, and a test for slopes."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[Any]


@dataclass(frozen=True)
class ConvCase:
    """One geometry; what is left out is stride 1, no padding, dilation 1, one group."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    stride: tuple[int, ...] | None = None
    pads: tuple[tuple[int, int], ...] | None = None
    dilation: tuple[int, ...] | None = None
    groups: int = 1

    @property
    def axes(self) -> int:
        return len(self.x) - 2

    @property
    def steps(self) -> dict[str, Any]:
        names = ("stride", "pads", "dilation", "groups")
        return {name: getattr(self, name) for name in names}

    @property
    def full_steps(self) -> dict[str, Any]:
        """The same with the defaults filled in."""
        ones, none = (1,) * self.axes, ((0, 0),) * self.axes
        return {
            "stride": self.stride or ones,
            "pads": self.pads or none,
            "dilation": self.dilation or ones,
            "groups": self.groups,
        }


CONV_CASES = {
    "one_pixel": ConvCase((1, 1, 1, 1), (1, 1, 1, 1)),
    "kernel_is_input": ConvCase((1, 2, 3, 4), (3, 2, 3, 4)),
    "kernel_over_input": ConvCase((1, 1, 2, 2), (1, 1, 3, 3)),
    "kernel_over_input_padded": ConvCase((1, 1, 2, 2), (1, 1, 4, 3), pads=((1, 1), (0, 1))),
    "pointwise": ConvCase((2, 3, 3, 2), (4, 3, 1, 1)),
    "same": ConvCase((2, 2, 5, 4), (3, 2, 3, 3), pads=((1, 1), (1, 1))),
    "even_kernel": ConvCase((1, 2, 5, 6), (2, 2, 2, 4), pads=((0, 1), (1, 2))),
    "padding_over_half": ConvCase((1, 1, 3, 3), (2, 1, 3, 3), pads=((3, 2), (2, 4))),
    "stride_drops_columns": ConvCase((2, 1, 6, 7), (2, 1, 3, 3), stride=(2, 3)),
    "stride_over_kernel": ConvCase((1, 2, 7, 8), (1, 2, 1, 2), stride=(3, 4)),
    "stride_asymmetric": ConvCase((1, 1, 6, 5), (2, 1, 3, 2), stride=(2, 1), pads=((0, 1), (2, 0))),
    "dilation": ConvCase((1, 2, 7, 8), (2, 2, 3, 2), dilation=(2, 3), pads=((1, 2), (0, 0))),
    "dilation_stride": ConvCase(
        (2, 1, 8, 7), (1, 1, 2, 3), stride=(3, 2), dilation=(3, 2), pads=((1, 1), (2, 1))
    ),
    "groups": ConvCase((2, 6, 4, 4), (4, 3, 3, 3), groups=2, pads=((1, 0), (0, 1))),
    "depthwise": ConvCase((1, 3, 5, 4), (6, 1, 3, 2), groups=3, stride=(2, 1)),
    "cropped": ConvCase((1, 2, 6, 5), (2, 2, 2, 3), pads=((-1, 0), (1, -2))),
    "cropped_stride": ConvCase((1, 1, 7, 7), (1, 1, 3, 2), stride=(2, 2), pads=((-1, 2), (2, -1))),
    "cropped_away": ConvCase((1, 1, 3, 3), (1, 1, 1, 1), pads=((-2, -2), (0, 0))),
    "signal": ConvCase((2, 3, 9), (4, 3, 4), stride=(2,), pads=((1, 2),), dilation=(2,)),
    "signal_groups": ConvCase((1, 4, 6), (4, 2, 3), groups=2, pads=((2, 0),)),
    "volume": ConvCase((1, 2, 4, 3, 5), (2, 2, 2, 3, 2), pads=((0, 1), (1, 1), (0, 0))),
    "volume_steps": ConvCase(
        (1, 2, 5, 4, 6), (2, 1, 2, 2, 3), stride=(2, 1, 3), dilation=(1, 2, 2), groups=2,
        pads=((0, 0), (1, 0), (-1, 1)),
    ),
    "no_batch": ConvCase((0, 2, 4, 4), (3, 2, 3, 3)),
    "no_width": ConvCase((1, 1, 4, 0), (1, 1, 3, 3), pads=((0, 0), (1, 1))),
}  # fmt: skip


EMPTY = {"kernel_over_input", "cropped_away", "no_batch", "no_width"}
WITH_OUTPUTS = {name: case for name, case in CONV_CASES.items() if name not in EMPTY}


@pytest.fixture(params=CONV_CASES.values(), ids=CONV_CASES.keys())
def case(request: pytest.FixtureRequest) -> ConvCase:
    """Every geometry in turn."""
    chosen: ConvCase = request.param
    return chosen


@pytest.fixture(params=WITH_OUTPUTS.values(), ids=WITH_OUTPUTS.keys())
def peer_case(request: pytest.FixtureRequest) -> ConvCase:
    """Every geometry that has outputs: peers refuse the others."""
    chosen: ConvCase = request.param
    return chosen


@pytest.fixture
def whole(request: pytest.FixtureRequest) -> Callable[..., Array]:
    """Small whole numbers of a shape: sums of their products are exact in any order."""
    rng = np.random.default_rng(zlib.crc32(request.node.name.encode()))
    return lambda *shape: rng.integers(-9, 10, shape).astype(np.float64)


@pytest.fixture
def check_slope(request: pytest.FixtureRequest) -> Callable[..., None]:
    """Hold a gradient to central differences in one random direction.

    ``r(h) = L(x + hv) − L(x − hv) − 2h·<dx, v>`` is of order h³ where dx is the gradient and of
    order h where it is not, so that halving h must divide it by about 8. Asked for is more than
    √32, halfway between the third and the second order, down to what rounding leaves.
    """
    rng = np.random.default_rng(zlib.crc32(request.node.name.encode()))

    def check(loss: Callable[[Array], Any], x: Array, dx: Array) -> None:
        assert dx.shape == x.shape
        v = rng.standard_normal(x.shape)

        def remainder(h: float) -> float:
            return float(abs(loss(x + h * v) - loss(x - h * v) - 2 * h * np.sum(dx * v)))

        scale = abs(float(loss(x))) + float(np.sum(np.abs(dx * v))) + 1.0
        rounding = 64 * x.size * np.finfo(np.float64).eps * scale
        assert remainder(2.0**-7) <= remainder(2.0**-6) / 32**0.5 + rounding

    return check
