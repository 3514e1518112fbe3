"""LeNet-5 with today's activations and pooling.

Source: LeCun, Bottou, Bengio, Haffner, *Gradient-based learning applied to document recognition*
(1998), section II.B. Here every C3 map sees all S2 maps, pooling takes the maximum and has no
weights, and ReLU stands for the scaled tanh. The convolutions and dense layers are the paper's.
"""

from __future__ import annotations

from faltung.graph.layers import AbstractLayer, Chain, Conv, Dense, Flatten, MaxPool, Relu


def lenet(in_shape: tuple[int, int, int], classes: int) -> AbstractLayer:
    """LeNet-5: 61,706 parameters for one channel and 10 classes, on 28x28 as on 32x32.

    The paper puts 28x28 digits into the middle of 32x32; padding the first convolution does that.
    """
    first_padding = "same" if min(in_shape[1:]) < 32 else "valid"
    return Chain(
        Conv(6, 5, padding=first_padding, name="C1"),
        Relu(),
        MaxPool(2, name="S2"),
        Conv(16, 5, name="C3"),
        Relu(),
        MaxPool(2, name="S4"),
        Conv(120, 5, name="C5"),
        Relu(),
        Flatten(),
        Dense(84, name="F6"),
        Relu(),
        Dense(classes),
    )
