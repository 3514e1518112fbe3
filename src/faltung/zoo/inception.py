"""Inception v3: branches with kernels of different sizes, side by side, on 299x299 images.

Source: Szegedy, Vanhoucke, Ioffe, Shlens, Wojna, *Rethinking the Inception architecture for
computer vision* (2015), table 1, figures 5 to 7 and 10; what the paper leaves open, such as the
channels of each branch, is as in the model that its authors published. Left out: the auxiliary
classifier, which only training uses.
"""

from __future__ import annotations

from faltung.graph.layers import (
    AbstractLayer,
    AvgPool,
    BatchNorm,
    Chain,
    Concat,
    Conv,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    MaxPool,
    Relu,
    Symbol,
)

WIDE = (1, 7)
TALL = (7, 1)


def inception_v3(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """Eleven blocks of branches: 23,834,568 parameters for 3 channels and 1000 classes."""
    return Chain(
        _conv(32, 3, stride=2, padding="valid"),
        _conv(32, 3, padding="valid"),
        _conv(64, 3),
        MaxPool(3, 2),
        _conv(80, 1),
        _conv(192, 3, padding="valid"),
        MaxPool(3, 2),
        *(_five(pooled) for pooled in (32, 64, 64)),
        _halve(_conv(384, 3, 2, "valid"), Chain(_conv(64, 1), _conv(96, 3), _last(96))),
        *(_seven(narrow) for narrow in (128, 160, 160, 192)),
        _halve(
            Chain(_conv(192, 1), _last(320)),
            Chain(_conv(192, 1), _conv(192, WIDE), _conv(192, TALL), _last(192)),
        ),
        *(_crossed() for _ in range(2)),
        GlobalAvgPool(),
        Dropout(0.5),
        Flatten(),
        Dense(classes),
    )


class _Branches(AbstractLayer):
    """Several layers on one input, what they put out side by side."""

    def __init__(self, *branches: AbstractLayer) -> None:
        self.branches = branches

    def __call__(self, *sources: Symbol) -> Symbol:
        return Concat()(*(branch(*sources) for branch in self.branches))


def _conv(
    channels: int, kernel: int | tuple[int, int], stride: int = 1, padding: str = "same"
) -> AbstractLayer:
    conv = Conv(channels, kernel, stride, padding, bias=False)
    return Chain(conv, BatchNorm(epsilon=0.001), Relu())


def _last(channels: int) -> AbstractLayer:
    return _conv(channels, 3, 2, "valid")


def _pooled(channels: int) -> AbstractLayer:
    return Chain(AvgPool(3, 1, 1), _conv(channels, 1))


def _five(pooled: int) -> AbstractLayer:
    """Figure 5, its first branch still with a 5x5 kernel."""
    return _Branches(
        _conv(64, 1),
        Chain(_conv(48, 1), _conv(64, 5)),
        Chain(_conv(64, 1), _conv(96, 3), _conv(96, 3)),
        _pooled(pooled),
    )


def _halve(*branches: AbstractLayer) -> AbstractLayer:
    """Figure 10: convolutions beside a pooling, all with a stride of 2."""
    return _Branches(*branches, MaxPool(3, 2))


def _seven(narrow: int) -> AbstractLayer:
    """Figure 6 with n = 7: square kernels as a row of columns."""
    return _Branches(
        _conv(192, 1),
        Chain(_conv(narrow, 1), _conv(narrow, WIDE), _conv(192, TALL)),
        Chain(
            _conv(narrow, 1),
            _conv(narrow, TALL),
            _conv(narrow, WIDE),
            _conv(narrow, TALL),
            _conv(192, WIDE),
        ),
        _pooled(192),
    )


def _crossed() -> AbstractLayer:
    """Figure 7: a row and a column beside each other."""
    return _Branches(
        _conv(320, 1),
        Chain(_conv(384, 1), _cross()),
        Chain(_conv(448, 1), _conv(384, 3), _cross()),
        _pooled(192),
    )


def _cross() -> AbstractLayer:
    return _Branches(_conv(384, (1, 3)), _conv(384, (3, 1)))
