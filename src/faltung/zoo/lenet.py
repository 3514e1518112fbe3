"""LeNet-5: with today's activations and pooling, and with those of 1998.

Source: LeCun, Bottou, Bengio, Haffner, *Gradient-based learning applied to document recognition*
(1998), section II.B. In both, every C3 map sees all S2 maps and pooling has no weights, which the
paper's has. The convolutions and dense layers are the paper's.
"""

from __future__ import annotations

from faltung.graph.layers import (
    AbstractLayer,
    AvgPool,
    Chain,
    Conv,
    Dense,
    Flatten,
    MaxPool,
    Operation,
    Relu,
    Tanh,
)


def lenet(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """LeNet-5 with ReLU and max pooling: 61,706 parameters for one channel and 10 classes."""
    return _lenet(in_shape, classes, Relu(), MaxPool(2, name="S2"), MaxPool(2, name="S4"))


def lenet5(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """LeNet-5 with tanh and average pooling: as many parameters."""
    return _lenet(in_shape, classes, Tanh(), AvgPool(2, name="S2"), AvgPool(2, name="S4"))


def _lenet(
    in_shape: tuple[int, int, int],
    classes: int,
    active: Operation,
    s2: Operation,
    s4: Operation,
) -> AbstractLayer:
    """The layers, on 28x28 as on 32x32.

    The paper puts 28x28 digits into the middle of 32x32; padding the first convolution does that.
    """
    first_padding = "same" if min(in_shape[1:]) < 32 else "valid"
    return Chain(
        Conv(6, 5, padding=first_padding, name="C1"),
        active,
        s2,
        Conv(16, 5, name="C3"),
        active,
        s4,
        Conv(120, 5, name="C5"),
        active,
        Flatten(),
        Dense(84, name="F6"),
        active,
        Dense(classes),
    )
