"""What stands in a graph for a node that faltung cannot compute: its name, and why.

It is no operator of ONNX's and not among `faltung.ops.OPERATORS`: nothing reads or writes it, and
whatever is asked of it beyond its shapes is refused.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import numpy as np

from faltung.errors import GraphError, message
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Cost,
    Example,
    Key,
    Result,
    Shape,
    Spans,
    Taps,
)


@dataclass(frozen=True)
class Unknown(AbstractOperator):
    """A node of a model that was loaded although faltung lacks what it needs.

    Parameters
    ----------
    op_type, domain
        What the model calls it.
    reason
        Why it is not known, in a few words.
    shapes, dtypes
        Of each output what the model tells: None, or "", where that is nothing.
    given
        The shapes of its inputs that the model's words are about; None where nobody knew.
    """

    onnx_type: ClassVar[str] = "Unknown"
    arity: ClassVar[tuple[int, int]] = (0, sys.maxsize)
    op_type: str
    domain: str = ""
    reason: str = ""
    shapes: tuple[Shape | None, ...] = ()
    dtypes: tuple[str, ...] = ()
    given: tuple[Shape | None, ...] = ()

    @property
    def subject(self) -> str:
        """What the model calls it, with its domain where that is not ONNX's own."""
        return f"{self.domain}.{self.op_type}" if self.domain else self.op_type

    def told_shapes(self, in_shapes: Sequence[Shape | None]) -> tuple[Shape | None, ...]:
        """Return what is known of each output's shape, of inputs of these shapes.

        The model speaks of the sizes that it was read for; names in them take the numbers that
        the inputs now have there, and of other sizes it says nothing.
        """
        names: dict[int | str, int | str] = {}
        for known, shape in zip(self.given, in_shapes, strict=False):
            if known is None:
                continue
            if (
                shape is None
                or len(known) != len(shape)
                or not all(
                    names.setdefault(k, n) == n if isinstance(k, str) else k == n
                    for k, n in zip(known, shape, strict=True)
                )
            ):
                return (None,) * len(self.shapes)
        return tuple(
            None if shape is None else tuple(names.get(n, n) for n in shape)
            for shape in self.shapes
        )

    def out_shapes(self, in_shapes: Sequence[Shape]) -> tuple[Shape, ...]:
        """Return the shapes that the model tells.

        Raises
        ------
        GraphError
            It does not tell all of them, or of inputs of other sizes.
        """
        told = self.told_shapes(in_shapes)
        shapes = tuple(shape for shape in told if shape is not None)
        if len(shapes) < len(told):
            self._refuse("the shape of its outputs is not known")
        return shapes

    def out_dtypes(self, in_dtypes: Sequence[np.dtype[Any]]) -> tuple[np.dtype[Any], ...]:
        """Return the dtypes that the model tells; else that of the first input, or float32."""
        first = in_dtypes[0] if in_dtypes else np.dtype(np.float32)
        told = self.dtypes or ("",) * len(self.shapes)
        return tuple(np.dtype(name) if name else first for name in told)

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        """Refuse: nobody knows the values."""
        self._refuse()

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        """Refuse: nobody knows the gradients."""
        self._refuse()

    def taps(
        self, in_shapes: Sequence[Shape], index: tuple[int, ...], output: int = 0
    ) -> tuple[Taps, ...]:
        """Refuse: nobody knows what an output uses."""
        self._refuse()

    def input_span(
        self, in_shapes: Sequence[Shape], spans: Spans, output: int = 0
    ) -> tuple[Spans, ...]:
        """Refuse: nobody knows what outputs use."""
        self._refuse()

    def cost(self, in_shapes: Sequence[Shape]) -> Cost:
        """Refuse: nobody knows the work."""
        self._refuse()

    def _refuse(self, rule: str = "this operator is not supported") -> NoReturn:
        values = {"reason": self.reason} if self.reason else {}
        raise GraphError(message(self.subject, rule, values))

    @classmethod
    def examples(cls) -> list[Example]:
        """Return none: there is nothing to check."""
        return []
