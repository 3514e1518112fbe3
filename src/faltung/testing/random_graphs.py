"""Networks drawn at random: branches, strides, dilation, groups, upsampling, on 1 to 3 axes.

They are small enough for everything about them to be recounted by brute force, and odd on purpose:
sizes that no stride divides, padding that differs on the two sides, kernels of even size.
"""

from __future__ import annotations

from math import prod
from typing import Final

import numpy as np

from faltung import ops
from faltung.graph import Graph
from faltung.graph import layers as L
from faltung.graph.symbols import Symbol
from faltung.ops.operator import Array
from faltung.testing.random_layers import Drawing, Layer, space_of

MOST_PLACES: Final = 400
"""Past so many, each place does not look at all others."""


def random_graph(
    seed: int, axes: int | None = None, *, training: bool = False, blocks: bool = False
) -> Graph:
    """Return a random network, always the same for one seed.

    Every network has a branch that ends in an Add and one that ends in a Concat, a dilated
    convolution, a transposed one and a Resize; the rest is drawn. Biases, scales and statistics
    are no zeros and ones, which would hide what is done with them.

    Parameters
    ----------
    seed
        Decides everything.
    axes
        How many space axes, 1 to 3; drawn if None.
    training
        With what is there for training, too: normalisation by the batch behind convolutions, also
        in a branch that ends in an Add, dropout, two dense layers.
    blocks
        With what networks in use are made of, too, and with layers of more channels: residual,
        dense and split blocks, separable convolutions, skips from before a pooling to behind a
        transposed convolution, attention, shuffled channels, padding below 0.

    Examples
    --------
    >>> sorted({node.operator.onnx_type for node in random_graph(0).nodes} & {"Add", "Concat"})
    ['Add', 'Concat']
    """
    drawing = _Blocks(seed, axes, blocks)
    must: list[Layer] = [
        *(drawing.add, drawing.concat, drawing.dilated, drawing.transposed, drawing.resize)
    ]
    may: list[Layer] = [
        *(drawing.conv, drawing.grouped, drawing.pool, drawing.blur),
        *(drawing.act, drawing.pad, drawing.gate),
    ]
    if training:
        must += [drawing.normalised, drawing.block]
        may += [drawing.drop, drawing.normalised, drawing.block]
    if blocks:
        may += [
            *(drawing.large, drawing.cropped, drawing.groups, drawing.function, drawing.standard),
            *(drawing.separable, drawing.growing, drawing.split, drawing.shuffled),
            *(drawing.skip, drawing.attention),
        ]
    chosen = must + [may[i] for i in drawing.rng.integers(0, len(may), 5 if blocks else 4)]
    x = drawing.start()
    for i in drawing.rng.permutation(len(chosen)):
        x = chosen[i](x)
    x = drawing.classifier(x) if training else drawing.head(x)
    graph = L.build(x, seed=seed, metadata={"network": f"random {seed}"})
    return _with_drawn_vectors(graph, drawing.rng)


def _with_drawn_vectors(graph: Graph, rng: np.random.Generator) -> Graph:
    """Draw what a network starts with as zeros or ones: biases, scales and statistics."""

    def drawn(array: Array) -> Array:
        if array.ndim != 1:
            return array
        if array.any():  # scales and variances
            return rng.uniform(0.5, 1.5, array.shape).astype(array.dtype)
        return rng.normal(0, 0.25, array.shape).astype(array.dtype)

    params = {name: drawn(array) for name, array in graph.params.items()}
    return graph.replace(params=params, state={n: drawn(a) for n, a in graph.state.items()})


class _Blocks(Drawing):
    """Draws what several layers make together."""

    def gate(self, x: Symbol) -> Symbol:
        """Squeeze and excite: each channel times a number that all of space decides."""
        weights = L.Chain(L.GlobalAvgPool(), L.Conv(int(x.shape[1]), 1), L.Sigmoid())
        return L.Mul()(x, weights(x))

    def add(self, x: Symbol) -> Symbol:
        channels = int(x.shape[1])
        body = L.Chain(
            L.Conv(channels, self.each(1, 3), padding="same", dilation=self.number(1, 2)),
            L.Relu(),
            L.Conv(channels, self.each(1, 3), padding="same_lower"),
        )
        return L.Residual(body)(x)

    def normalised(self, x: Symbol) -> Symbol:
        """By the batch, before a ReLU, behind one, or without."""
        conv = L.Conv(self.width(), self.each(1, 3), padding="same", bias=self.is_so())
        behind: tuple[L.AbstractLayer, ...] = (L.BatchNorm(),)
        if self.is_so():
            behind = (L.BatchNorm(), L.Relu()) if self.is_so() else (L.Relu(), L.BatchNorm())
        return L.Chain(conv, *behind)(x)

    def block(self, x: Symbol) -> Symbol:
        """Add the input, as it is or convolved, to what is normalised; and cut off, perhaps."""
        inner = L.Chain(
            *(L.Conv(self.number(1, 4), 3, padding="same"), L.BatchNorm(), L.Relu()),
            *(L.Conv(int(x.shape[1]), 3, padding="same"), L.BatchNorm()),
        )
        other = L.Conv(int(x.shape[1]), 1)(x) if self.is_so() else x
        total = L.Add()(inner(x), other) if self.is_so() else L.Add()(other, inner(x))
        return L.Relu()(total) if self.is_so() else total

    def concat(self, x: Symbol) -> Symbol:
        near = L.Conv(self.number(1, 2), 1)(x)
        far = L.Conv(self.number(1, 2), 3, padding="same", dilation=self.number(1, 3))(x)
        pooled = L.MaxPool(3, stride=1, padding=1)(x)
        return L.Conv(self.number(2, 4), 1)(L.Concat()(near, far, pooled))

    def separable(self, x: Symbol) -> Symbol:
        """An inverted residual block: more channels, each by itself, fewer again."""
        channels = int(x.shape[1])
        many = channels * self.number(1, 3)
        body = L.Chain(
            *(L.Conv(many, 1, bias=False), L.BatchNorm(), L.Clip(0.0, 6.0)),
            *(L.Conv(many, 3, padding=1, groups=many, bias=False), L.BatchNorm(), L.Relu()),
            *(L.Conv(channels, 1, bias=False), L.BatchNorm()),
        )
        return L.Residual(body)(x) if self.is_so() else body(x)

    def growing(self, x: Symbol) -> Symbol:
        """A dense block: each convolution reads all that came before."""
        for _ in range(2):
            layer = L.Chain(L.BatchNorm(), L.Relu(), L.Conv(self.number(1, 3), 3, padding=1))
            x = L.Concat()(x, layer(x))
        return x

    def split(self, x: Symbol) -> Symbol:
        """Cut channels in two; one part goes through a convolution."""
        inner = L.Conv(2 * self.number(1, 2), 1)(x)
        half = int(inner.shape[1]) // 2
        one, other = (L.Operation(ops.Slice((at,), (at + half,), (1,)))(inner) for at in (0, half))
        body = L.Chain(L.Conv(half, 3, padding=1), L.Sigmoid())
        return L.Concat()(one, L.Mul()(other, body(other)) if self.is_so() else body(other))

    def shuffled(self, x: Symbol) -> Symbol:
        """Take turns between the channels of two groups."""
        inner = L.Conv(2 * self.number(1, 3), 1)(x)
        half, space = int(inner.shape[1]) // 2, space_of(inner)
        turned = (0, 2, 1, *range(3, 3 + len(space)))
        return L.Chain(
            L.Operation(ops.Reshape((0, 2, half, *space))),
            L.Operation(ops.Transpose(turned)),
            L.Operation(ops.Reshape((0, 2 * half, *space))),
        )(inner)

    def skip(self, x: Symbol) -> Symbol:
        """Down by a pooling, up again by a transposed convolution, beside what was there before."""
        odd = tuple(n % 2 for n in space_of(x))
        body = L.Chain(
            *(L.MaxPool(2), L.Conv(self.width(), 3, padding=1), L.Relu()),
            L.ConvTranspose(self.number(1, 3), 2, stride=2, output_padding=odd),
        )
        return L.Conv(self.width(), 3, padding=1)(L.Concat()(x, body(x)))

    def attention(self, x: Symbol) -> Symbol:
        """Add to each place a mean of all, weighed by a softmax over what they have in common."""
        channels, space = int(x.shape[1]), space_of(x)
        if prod(space) > MOST_PLACES:
            return x
        asked, there, worth = (
            L.Operation(ops.Reshape((0, channels, prod(space))))(L.Conv(channels, 1)(x))
            for _ in range(3)
        )
        turned = L.Operation(ops.Transpose((0, 2, 1)))
        shares = L.Operation(ops.Softmax(-1))(L.Operation(ops.MatMul())(turned(asked), there))
        mean = L.Operation(ops.MatMul())(worth, turned(shares))
        return L.Add()(L.Operation(ops.Reshape((0, channels, *space)))(mean), x)

    def head(self, x: Symbol) -> Symbol:
        """Nothing, a mean over space, or a dense layer."""
        match self.number(0, 3):
            case 0:
                return L.Chain(L.GlobalAvgPool(), L.Flatten(), L.Dense(3))(x)
            case 1:
                return L.Chain(L.Conv(1, 1), L.Flatten(), L.Dense(2))(x)
        return x

    def classifier(self, x: Symbol) -> Symbol:
        """Two dense layers, on all of space or on its mean."""
        first = L.GlobalAvgPool() if self.is_so() else L.Conv(1, 1)
        return L.Chain(first, L.Flatten(), L.Dense(4), L.Relu(), L.Dense(3))(x)
