"""The one list of cases: every window that has ever gone wrong somewhere, and every example.

The same geometries are laid over convolution, its transpose, local connection and both poolings, as
far as each takes them, on one to three axes. Parity, gradients, spans, counts and files are all
checked on this list.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from faltung.errors import GeometryError
from faltung.geometry.padding import PaddingLike
from faltung.ops import AveragePool, Conv, ConvTranspose, LocallyConnected, LpPool, MaxPool
from faltung.ops.operator import AbstractOperator, Example

Sizes = tuple[int, ...]
LAYOUTS = ("contiguous", "strided", "read-only")


class Case(NamedTuple):
    """One use of an operator, small enough to be enumerated.

    Parameters
    ----------
    name : str
        What is special about it; with the operator's name it seeds the data.
    operator : AbstractOperator
    in_shapes : tuple of shapes
    positive : tuple of int
        The inputs that are drawn positive (variances, divisors).
    dtypes : tuple of str
        What each input holds, "" for the floats under test; left out, all hold these.
    """

    name: str
    operator: AbstractOperator
    in_shapes: tuple[Sizes, ...]
    positive: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ()

    def dtype_of(self, i: int, floats: DTypeLike) -> np.dtype[Any]:
        """Return what input ``i`` holds where the floats under test are these."""
        return np.dtype((self.dtypes[i] if self.dtypes else "") or floats)

    def __str__(self) -> str:
        shapes = ", ".join(str(shape) for shape in self.in_shapes)
        return f"{self.operator!r} on {shapes} ({self.name})"


@dataclass(frozen=True)
class Slide:
    """A window over space, with the channels that a convolution gives it."""

    name: str
    space: Sizes
    kernel: Sizes
    stride: int | Sizes = 1
    padding: PaddingLike = 0
    dilation: int | Sizes = 1
    batch: int = 2
    channels: tuple[int, int] = (2, 3)
    groups: int = 1
    bias: bool = True
    output_padding: int | Sizes = 0
    ceil: bool = False


SLIDES: tuple[Slide, ...] = (
    Slide("plain", (5, 4), (3, 2)),
    Slide("1x1 kernel", (4, 5), (1, 1), channels=(3, 2), bias=False),
    Slide("1x1 kernel, strided", (5, 6), (1, 1), stride=(2, 3)),
    Slide("1x1 image", (1, 1), (1, 1), batch=3),
    Slide("1x1 image, padded", (1, 1), (3, 3), padding=1, bias=False),
    Slide("kernel = input", (4, 3), (4, 3)),
    Slide("kernel > input", (2, 3), (3, 4)),
    Slide("kernel > input, padded", (2, 3), (3, 4), padding=1, bias=False),
    Slide("empty batch", (4, 5), (3, 2), batch=0),
    Slide("empty image", (0, 4), (2, 2)),
    Slide("empty image, padded", (0, 3), (2, 2), padding=1, bias=False),
    Slide("stride > kernel", (9, 8), (2, 1), stride=(3, 4)),
    Slide("columns dropped", (8, 6), (3, 3), stride=(2, 3), padding=(0, 1)),
    Slide("strides differ", (6, 8), (2, 2), stride=(1, 3), padding=1, bias=False),
    Slide("asymmetric padding", (4, 5), (3, 2), padding=((2, 0), (0, 1))),
    Slide("asymmetric padding, strided", (5, 5), (3, 3), stride=2, padding=((0, 1), (2, 1))),
    Slide("negative padding", (6, 7), (2, 3), padding=((-1, 0), (0, -2)), bias=False),
    Slide("negative and positive padding", (5, 6), (2, 2), stride=2, padding=((-1, 1), (1, -2))),
    Slide("padding > kernel", (3, 2), (2, 2), padding=((3, 2), (2, 4))),
    Slide("same", (5, 6), (3, 2), padding="same", bias=False),
    Slide("same, strided", (6, 7), (3, 3), stride=2, padding="same"),
    Slide("same, stride > kernel", (7, 5), (2, 1), stride=(3, 2), padding="same"),
    Slide("same_lower, strided", (6, 7), (3, 4), stride=2, padding="same_lower", bias=False),
    Slide("full", (3, 4), (2, 3), padding="full"),
    Slide("dilated", (7, 6), (3, 2), dilation=(2, 3)),
    Slide("dilated, padded", (5, 4), (2, 3), padding=((1, 2), (2, 0)), dilation=(3, 2), bias=False),
    Slide("dilated, strided", (8, 7), (2, 3), stride=(2, 3), padding=1, dilation=(4, 2)),
    Slide("groups", (4, 3), (2, 2), channels=(4, 6), groups=2, padding=((1, 0), (0, 1))),
    Slide("depthwise", (4, 5), (3, 3), channels=(3, 3), groups=3, padding=1, bias=False),
    Slide("depthwise, two each", (5, 3), (2, 2), stride=2, channels=(2, 4), groups=2),
    Slide("odd sizes", (7, 11), (3, 5), padding=1, batch=3, channels=(1, 5)),
    Slide(
        "output padding",
        (3, 4),
        (3, 2),
        stride=(2, 3),
        padding=1,
        output_padding=(1, 2),
        bias=False,
    ),
    Slide("output padding by dilation", (3, 3), (2, 2), dilation=(3, 2), output_padding=(2, 1)),
    Slide("ceil", (6, 5), (3, 2), stride=2, ceil=True),
    Slide("ceil, padded", (4, 6), (3, 3), stride=2, padding=1, ceil=True, bias=False),
    Slide("ceil, last window past the end", (9, 5), (4, 1), (4, 2), ((2, 2), (0, 0)), ceil=True),
    Slide("ceil, none past the end", (10,), (1,), stride=2, ceil=True),
    Slide("ceil, dilated", (7, 6), (2, 2), stride=(3, 2), dilation=(2, 3), ceil=True),
    Slide(
        "ceil, cropped",
        (7, 8),
        (3, 2),
        stride=(2, 3),
        padding=((1, -1), (-1, 0)),
        ceil=True,
        bias=False,
    ),
    Slide("one axis", (9,), (4,), stride=2, padding=((1, 2),), dilation=2),
    Slide("one axis, odd", (13,), (3,), padding="same", channels=(3, 1)),
    Slide(
        "three axes",
        (3, 4, 2),
        (2, 3, 1),
        stride=(1, 2, 1),
        padding=((1, 0), (1, 1), (0, 2)),
        bias=False,
    ),
    Slide("three axes, dilated", (4, 3, 3), (2, 2, 2), dilation=(3, 1, 2), batch=1),
)
"""The windows. Sizes are small: every output and every tap of them is enumerated."""


def is_open(case: Case) -> bool:
    """Whether the values decide how large an output is: it has a name for a size."""
    shapes = case.operator.out_shapes(case.in_shapes)
    return any(not isinstance(n, int) for shape in shapes for n in shape)


def cases_of(cls: type[AbstractOperator]) -> list[Case]:
    """Return the cases of an operator: its own examples, and for a window the whole list.

    >>> from faltung.ops import Relu
    >>> [case.name for case in cases_of(Relu)]
    ['example 1', 'example 2', 'example 3', 'example 4']
    """
    own = [_example(n, example) for n, example in enumerate(cls.examples(), start=1)]
    return own + list(window_cases(cls))


def _example(number: int, example: Example) -> Case:
    return Case(f"example {number}", *example)


def window_cases(cls: type[AbstractOperator]) -> Iterator[Case]:
    """Lay the list of windows over one of the operators that slide; none over others."""
    for slide in SLIDES:
        yield from cases_from(cls, slide)


def cases_from(cls: type[AbstractOperator], slide: Slide) -> list[Case]:
    """Return the uses of an operator with one window: none where it does not take it."""
    made = _MAKERS.get(cls.onnx_type, _no_cases)(slide)
    return [case for case in made if type(case.operator) is cls and _fits(case)]


def _fits(case: Case) -> bool:
    """Whether the geometry takes it: a pool refuses windows of padding alone."""
    try:
        case.operator.out_shapes(case.in_shapes)
    except GeometryError:
        return False
    return True


def _attributes(slide: Slide) -> dict[str, Any]:
    return {"stride": slide.stride, "padding": slide.padding, "dilation": slide.dilation}


def _no_cases(slide: Slide) -> list[Case]:
    return []


def _conv_cases(slide: Slide) -> list[Case]:
    if slide.ceil or slide.output_padding:
        return []
    channels, out_channels = slide.channels
    x = (slide.batch, channels, *slide.space)
    w = (out_channels, channels // slide.groups, *slide.kernel)
    operator = Conv(**_attributes(slide), groups=slide.groups)
    return [Case(slide.name, operator, (x, w, (out_channels,)) if slide.bias else (x, w))]


def _transposed_cases(slide: Slide) -> list[Case]:
    if slide.ceil:
        return []
    channels, out_channels = slide.channels
    x = (slide.batch, channels, *slide.space)
    w = (channels, out_channels // slide.groups, *slide.kernel)
    operator = ConvTranspose(
        **_attributes(slide), output_padding=slide.output_padding, groups=slide.groups
    )
    return [Case(slide.name, operator, (x, w, (out_channels,)) if slide.bias else (x, w))]


def _local_cases(slide: Slide) -> list[Case]:
    if slide.ceil or slide.output_padding or slide.groups > 1:
        return []
    channels, out_channels = slide.channels
    x = (slide.batch, channels, *slide.space)
    operator = LocallyConnected(slide.kernel, **_attributes(slide))
    return [Case(slide.name, operator, (x, operator.weight_shape(x, out_channels)))]


def _max_pool_cases(slide: Slide) -> list[Case]:
    x = (slide.batch, slide.channels[0], *slide.space)
    return [
        Case(slide.name, MaxPool(slide.kernel, **_attributes(slide), ceil_mode=slide.ceil), (x,))
    ]


def _average_pool_cases(slide: Slide) -> list[Case]:
    x = (slide.batch, slide.channels[0], *slide.space)
    operator = AveragePool(slide.kernel, **_attributes(slide), ceil_mode=slide.ceil)
    own = Case(slide.name, operator, (x,))
    if slide.padding == 0 and not slide.ceil:
        return [own]
    counting = replace(operator, count_include_pad=True)
    return [own, Case(f"{slide.name}, padding counted", counting, (x,))]


def _lp_pool_cases(slide: Slide) -> list[Case]:
    x = (slide.batch, slide.channels[0], *slide.space)
    return [
        Case(slide.name, LpPool(slide.kernel, **_attributes(slide), ceil_mode=slide.ceil), (x,))
    ]


_MAKERS = {
    "LpPool": _lp_pool_cases,
    "Conv": _conv_cases,
    "ConvTranspose": _transposed_cases,
    "LocallyConnected": _local_cases,
    "MaxPool": _max_pool_cases,
    "AveragePool": _average_pool_cases,
}
