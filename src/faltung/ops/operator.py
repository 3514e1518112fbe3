"""What an operator is: one record that answers every question asked of it.

A concrete operator is a frozen dataclass whose fields are its attributes. It declares, in one
place, its shape rule, its values (`forward`) and gradients (`backward`), which inputs one output
uses (`taps`, `input_span`), what it costs, and its name and attributes in ONNX. Values, gradients,
summaries, receptive fields, files and plans are readings of these declarations.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final, NamedTuple, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from faltung.errors import GraphError, message
from faltung.geometry import Interval

Array: TypeAlias = NDArray[Any]
Dim: TypeAlias = int | str
Shape: TypeAlias = tuple[Dim, ...]
Key: TypeAlias = tuple[int, ...]
Attribute: TypeAlias = int | float | str | tuple[int, ...] | tuple[float, ...]


class Everything(enum.Enum):
    """The span of an axis that is used as a whole, however long it is."""

    EVERYTHING = "everything"

    def __repr__(self) -> str:
        return "EVERYTHING"


EVERYTHING: Final = Everything.EVERYTHING
AxisSpan: TypeAlias = Interval | Everything
Spans: TypeAlias = tuple[AxisSpan, ...]
Taps: TypeAlias = tuple[range, ...]
Result: TypeAlias = tuple[tuple[Array, ...], dict[int, Array], Any]


class Cost(NamedTuple):
    """What one evaluation costs, counted from the definition.

    ``connections`` are the pairs (input position, output position) that a weighted or pooled sum
    joins; they include taps on padding, ``connections_inside`` leaves those out. ``macs`` are
    multiply-accumulates, taps on padding included. Element-wise work counts as none.
    """

    macs: int = 0
    connections: int = 0
    connections_inside: int = 0


class ConstantError(GraphError):
    """An input of an ONNX node that decides an attribute, and is computed by the graph.

    Parameters
    ----------
    line
        What is said of it.
    value
        The name of the input.
    """

    def __init__(self, line: str, value: str) -> None:
        super().__init__(line)
        self.value = value


@dataclass(frozen=True)
class OnnxNode:
    """A node as the ONNX format writes it, in plain Python.

    ``constants`` holds the arrays among its inputs whose values are known, by name; ``shapes``
    the shapes of its inputs, as far as they are known.
    """

    op_type: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Attribute] = field(default_factory=dict)
    constants: Mapping[str, Array] = field(default_factory=dict)
    opset: int = 0
    domain: str = ""
    shapes: Mapping[str, Shape] = field(default_factory=dict)

    def ints(self, name: str, default: tuple[int, ...] | None = None) -> tuple[int, ...] | None:
        """Return an attribute that is a list of integers."""
        value = self.attributes.get(name)
        return default if value is None else tuple(int(v) for v in value)  # type: ignore[union-attr]

    def integer(self, name: str, default: int) -> int:
        """Return an attribute that is one integer."""
        return int(self.attributes.get(name, default))  # type: ignore[arg-type]

    def real(self, name: str, default: float) -> float:
        """Return an attribute that is one real number."""
        return float(self.attributes.get(name, default))  # type: ignore[arg-type]

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a string."""
        return str(self.attributes.get(name, default))

    def constant(self, position: int, what: str) -> Array | None:
        """Return an input that must be known before the graph runs; None where it is absent."""
        if position >= len(self.inputs) or not self.inputs[position]:
            return None
        name = self.inputs[position]
        if name not in self.constants:
            rule = f"its input {what!r} must be a constant"
            cure = "Fold it, or store it as an initializer"
            raise ConstantError(message(self.op_type, rule, {"input": name}, cure), name)
        return self.constants[name]

    def shape(self, position: int) -> Shape | None:
        """Return the shape of an input; None where it is absent or not known."""
        name = self.inputs[position] if position < len(self.inputs) else ""
        if name in self.constants:
            return self.constants[name].shape
        return self.shapes.get(name)


@dataclass(frozen=True)
class OnnxFunction:
    """What an operator that ONNX does not have is in standard ones: the body goes with the file.

    ``attributes`` are those that its nodes carry, for the reader alone.
    """

    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: tuple[str, ...]
    nodes: tuple[OnnxNode, ...]


class Example(NamedTuple):
    """One small use of an operator, which the checks in `faltung.testing` run.

    ``positive`` lists the inputs that must be drawn positive (variances, divisors); ``dtypes``
    names what each input holds, "" for the floats under test; left out, all hold these.
    """

    operator: AbstractOperator
    in_shapes: tuple[tuple[int, ...], ...]
    positive: tuple[int, ...] = ()
    dtypes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AbstractOperator(ABC):
    """An operator: frozen attributes, and an answer to each question a graph asks.

    It is a frozen dataclass, and so is what inherits it: only an operator that adds attributes of
    its own needs the decorator again.
    """

    onnx_type: ClassVar[str]
    onnx_domain: ClassVar[str] = ""
    """Where ONNX finds the name: its own operators are in ""; ours need `onnx_function`."""
    arity: ClassVar[tuple[int, int]] = (1, 1)
    """The least and the greatest number of inputs."""
    state_inputs: ClassVar[tuple[int, ...]] = ()
    """Inputs that hold state (running statistics), not parameters."""
    onnx_kinds: ClassVar[str] = "f"
    """NumPy's letters for the kinds of numbers that its ONNX form takes: ``"fiub"`` for all."""
    padding_mode = "zeros"
    """What stands at the positions outside an input that `taps` and `input_span` may name."""

    @property
    def subject(self) -> str:
        """The operator's name in messages."""
        return type(self).__name__

    @abstractmethod
    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shapes of the outputs; names of dimensions are handed on unchanged."""

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the dtypes of the outputs; all are that of the first input, unless it says so."""
        return (in_dtypes[0],)

    @abstractmethod
    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Compute ``outputs, new_state, saved``.

        ``new_state`` maps positions in ``state_inputs`` to their next values; ``saved`` is what
        `backward` needs. ``key`` seeds whatever is drawn at random.
        """

    @abstractmethod
    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Return the gradient of each input; None where there is none.

        Where an operator has several outputs, ``dout`` is None of those that nothing depends on.
        """

    def backward_to(
        self, wanted: Sequence[bool], saved: Any, douts: Sequence[Array]
    ) -> tuple[Array | None, ...]:
        """Return at least the gradients of the inputs that are wanted.

        An operator for which the others are dear leaves them out; by default all are computed.
        """
        return self.backward(saved, douts)

    @abstractmethod
    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Return, per input and axis, the positions that the output at ``index`` uses.

        The positions used are the product of the ranges. Positions outside an input are padding.
        """

    @abstractmethod
    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Return, per input and axis, the smallest interval holding the taps of ``spans``.

        Like `taps`, not clipped to the input. EVERYTHING where the whole axis is used.
        """

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Count what one evaluation costs."""
        return Cost()

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        """Write this operator as standard ONNX nodes."""
        return (OnnxNode(self.onnx_type, inputs, outputs, self.onnx_attributes(in_shapes)),)

    def onnx_attributes(self, in_shapes: Sequence[Shape]) -> Mapping[str, Attribute]:
        """Return the attributes of the ONNX node."""
        return {}

    @classmethod
    def onnx_function(cls) -> OnnxFunction | None:
        """Return the standard body of an operator that ONNX does not have; None for all others."""
        return None

    @classmethod
    def from_onnx(cls, node: OnnxNode) -> tuple[Self, tuple[str, ...]]:
        """Read an ONNX node: the operator, and the inputs that it takes."""
        return cls(), node.inputs

    @classmethod
    @abstractmethod
    def examples(cls) -> list[Example]:
        """Return small uses of the operator for the checks to run."""


def integers(shape: Shape, subject: str) -> tuple[int, ...]:
    """Return a shape whose sizes are all known, or say which one is not."""
    for axis, size in enumerate(shape):
        if not isinstance(size, int):
            rule = "this size must be a number here"
            cure = "Give the input a shape of numbers"
            raise GraphError(message(subject, rule, {f"shape[{axis}]": size}, cure))
    return shape  # type: ignore[return-value]


def point(position: int) -> range:
    """Return the range that holds one position."""
    return range(position, position + 1)


def whole(size: Dim) -> range:
    """Return the range of a whole axis, whose size must be a number."""
    return range(size if isinstance(size, int) else integers((size,), "axis")[0])
