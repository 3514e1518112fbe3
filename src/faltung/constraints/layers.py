"""Each corner of the square as a layer to train."""

from __future__ import annotations

from dataclasses import dataclass

from faltung import ops
from faltung.constraints.corner import constraints_of
from faltung.constraints.squares import Square
from faltung.constraints.window import WindowLike, explicit_window
from faltung.errors import GraphError, message
from faltung.graph.symbols import AbstractLayer, Symbol, Weight, apply, he_normal, zeros
from faltung.ops.operator import Shape


@dataclass(frozen=True)
class CornerLayer(AbstractLayer):
    """A layer that keeps the size of its images, under none, either or both of two constraints.

    Its weights have the shape `Square.weight_shape`, so that ``square.matrix(corner, weights)`` is
    the matrix of the layer.

    Parameters
    ----------
    corner
        ``"dense"``, ``"shared"``, ``"local"`` or ``"convolution"``.
    out_channels
        Channels of the output.
    window
        Which offsets locality keeps, as of `faltung.square`; the layers that are not local do not
        look at it.
    bias
        Whether to add a bias: one for each channel where weights are shared, else one for each
        output.
    name
        Of the layer in the graph; the corner's by default.
    """

    corner: str
    out_channels: int = 1
    window: WindowLike = 1
    bias: bool = False
    name: str | None = None

    def __call__(self, *sources: Symbol) -> Symbol:
        """Add the layer, with He-normal weights and a zero bias."""
        (x,) = sources
        square = self.square(x.shape)
        rows, _ = square.shape
        shape = square.weight_shape(self.corner)
        # On average: windows at the border meet fewer inputs.
        fan_in = square.nonzeros(self.corner) // rows
        weight = Weight("weight", shape, he_normal(shape, fan_in))
        shared, local = constraints_of(self.corner)
        if not shared:
            return self._local(x, weight, square) if local else self._dense(x, weight, square)
        pads = tuple((-lo, hi) for lo, hi in square.offsets(self.corner))
        return apply(ops.Conv(padding=pads), x, weight, *self._bias(()), name=self._name)

    def square(self, x_shape: Shape) -> Square:
        """Return the square whose corner this layer is.

        Parameters
        ----------
        x_shape
            Of the layer's input, (N, C, *size).

        Raises
        ------
        GraphError
            No channels or no space axes, or one of an open size.
        """
        channels, *size = x_shape[1:] if len(x_shape) > 2 else (0,)
        if not channels or not all(isinstance(n, int) for n in x_shape[1:]):
            rule = "the input must have channels and 1 to 3 space axes of known size"
            raise GraphError(message(f"{self.corner} layer", rule, {"shape": x_shape}))
        sizes = tuple(int(n) for n in size)
        window = explicit_window(self.window, len(sizes))
        return Square(sizes, window, int(channels), self.out_channels)

    @property
    def _name(self) -> str:
        return self.corner if self.name is None else self.name

    def _bias(self, size: tuple[int, ...]) -> tuple[Weight, ...]:
        shape = (self.out_channels, *size)
        return (Weight("bias", shape, zeros(shape)),) if self.bias else ()

    def _dense(self, x: Symbol, weight: Weight, square: Square) -> Symbol:
        flat = apply(ops.Flatten(), x)
        bias = (Weight("bias", square.shape[:1], zeros(square.shape[:1])),) if self.bias else ()
        y = apply(ops.Gemm(trans_b=True), flat, weight, *bias, name=self._name)
        return apply(ops.Reshape((0, self.out_channels, *square.size)), y)

    def _local(self, x: Symbol, weight: Weight, square: Square) -> Symbol:
        kernel = square.layer(self.corner).kernel
        pads = tuple((-lo, hi) for lo, hi in square.offsets(self.corner))
        y = apply(ops.LocallyConnected(kernel, padding=pads), x, weight, name=self._name)
        for bias in self._bias(square.size):
            y = apply(ops.Add(), y, bias, name=f"{self._name}_bias")
        return y
