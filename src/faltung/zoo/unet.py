"""U-Net: a score for every pixel, from what is around it near and far.

Source: Ronneberger, Fischer, Brox, *U-Net: convolutional networks for biomedical image
segmentation* (2015), figure 1. Convolutions are padded here, so that each pixel of the input gets
its scores; ``padding="valid"`` is the paper's network, which crops what it carries across.
"""

from __future__ import annotations

from faltung.errors import GraphError, message
from faltung.graph.layers import (
    AbstractLayer,
    Chain,
    Concat,
    Conv,
    ConvTranspose,
    MaxPool,
    Pad,
    Relu,
    Symbol,
)

WIDTH, DEPTH = 64, 4


def unet(in_shape: tuple[int, int, int], classes: int, *, padding: str = "same") -> AbstractLayer:
    """Four poolings and four ways back up: 31,030,658 parameters for 1 channel and 2 classes.

    Padded, it takes images whose sides are multiples of 16.
    """
    if padding == "same" and any(n % 2**DEPTH for n in in_shape[1:]):
        rule, values = f"sides must be multiples of {2**DEPTH}", {"in_shape": in_shape}
        raise GraphError(message("zoo unet", rule, values, "Pad or crop the images", "zoo Z7"))
    return Chain(_Level(WIDTH, DEPTH, padding), Conv(classes, 1))


class _Level(AbstractLayer):
    """Two convolutions; below them all deeper levels; what these find, beside what is here."""

    def __init__(self, width: int, depth: int, padding: str) -> None:
        self.convs = (_twice(width, padding), _twice(width, padding))
        self.deeper = _Level(2 * width, depth - 1, padding) if depth else None
        self.up = ConvTranspose(width, 2, stride=2)

    def __call__(self, *sources: Symbol) -> Symbol:
        here = self.convs[0](*sources)
        if self.deeper is None:
            return here
        found = self.up(self.deeper(MaxPool(2)(here)))
        return self.convs[1](Concat()(_cropped(here, found), found))


def _twice(width: int, padding: str) -> AbstractLayer:
    pair = (Conv(width, 3, padding=padding), Relu())
    return Chain(*pair, *pair)


def _cropped(x: Symbol, to: Symbol) -> Symbol:
    """The middle of a map, as large as another one."""
    extra = [int(n) - int(m) for n, m in zip(x.shape[2:], to.shape[2:], strict=True)]
    if not any(extra):
        return x
    return Pad([(-(n // 2), -(n - n // 2)) for n in extra])(x)
