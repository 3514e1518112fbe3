"""What a training step does, written down before anything is placed: work on named values.

Every value is written once: what adds to a gradient gives a new one. So from the order of the work
alone follows when each value is needed, those that the way back reads again among them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import numpy as np

from faltung import ops
from faltung.graph.gradients import leading_to
from faltung.graph.graph import Graph
from faltung.kernels.chain_call import axes_of, chain
from faltung.kernels.choose import compiled_for
from faltung.kernels.registry import Row, Window
from faltung.kernels.settings import settings
from faltung.ops import dispatch
from faltung.ops.operator import Array, Key
from faltung.plan.stages import Stage
from faltung.plan.values import Value

Arrays = Mapping[str, Array]
"""Every value of a tape by name, once they are placed."""
Call = Callable[[Arrays], Array | None]
"""Computes what some work writes; what it returns is the first of it, in its place or not."""
FLOATS: Final = (np.float32, np.float64)
MOVED: Final = (("load", 0),)
ADDED: Final = (("load", 0), ("load", 1), ("add", 0, 1))
MASKED: Final = (("load", 0), ("load", 1), ("positive", 1), ("mul", 0, 2))
"""A gradient where the output of a ReLU is above 0."""
LARGE: Final = 1 << 18
"""Bytes read and written from which a second thread helps: some 10 us of one."""


class Work(NamedTuple):
    """Something that is done in each step.

    Parameters
    ----------
    stage
        Whose it is; None for what belongs to the whole network.
    kernel
        What does it; "interpreter" for an operator itself, of which nothing is recorded.
    reads, writes
        Names of values.
    call
        Does it.
    is_parallel
        Whether there is enough to do for several threads.
    is_launched
        Whether all that is done is to launch kernels, whatever the numbers are.
    over
        Pairs of a value that is written and one that is read, in whose place it may be: each
        number is read before it is written over.
    """

    stage: Stage | None
    kernel: str
    reads: tuple[str, ...]
    writes: tuple[str, ...]
    call: Call
    is_parallel: bool = True
    is_launched: bool = True
    over: tuple[tuple[str, str], ...] = ()


class Reader(NamedTuple):
    """What reads a value gives to its gradient.

    Parameters
    ----------
    call
        Called with all arrays, where the gradient goes, and what is added to it, or None.
    reads
        Names of the values that it reads.
    adds
        Whether it can add; else what was there is added afterwards.
    """

    call: Callable[[Arrays, Array, Array | None], Array | None]
    reads: tuple[str, ...]
    adds: bool = False


@dataclass(slots=True)
class Turn:
    """What belongs to one step of a plan.

    Parameters
    ----------
    key
        Seeds chance.
    saved
        What operators that ran by themselves need on the way back, by position of the node.
    """

    key: Key | None = None
    saved: dict[int, Any] = field(default_factory=dict)


class Tape:
    """The work of a step.

    Parameters
    ----------
    graph
        Whose input sizes are all numbers.
    values
        What every value of the graph is; those of the tape are added.
    exact
        Whether only rows are taken whose error is that of direct summation.

    Attributes
    ----------
    forward, backward, settling : list of Work
        In their order; the last is done when a step counts.
    inside : dict
        Values that are others under a new shape.
    gradients : dict
        For each value of the graph, the value that is its gradient so far.
    needed : set of str
        Values whose gradients lead to those of parameters.
    handed : list of str
        Gradients of the outputs, which are given when the way back begins.
    """

    def __init__(self, graph: Graph, values: Mapping[str, Value], *, exact: bool = False) -> None:
        self.graph, self.values, self.exact = graph, dict(values), exact
        self.forward: list[Work] = []
        self.backward: list[Work] = []
        self.settling: list[Work] = []
        self.inside: dict[str, str] = {}
        self.gradients: dict[str, str] = {}
        self.handed: list[str] = []
        self.state = frozenset(graph.state)
        self.turn = Turn()
        self.needed = leading_to(graph, set(graph.params))
        self.readers = Counter(name for node in graph.nodes for name in node.inputs)
        self.positions = {node.name: at for at, node in enumerate(graph.nodes)}

    def value(self, name: str, shape: Sequence[int], dtype: Any) -> str:
        """Make a value of another name, and return that."""
        at, found = 1, name
        while found in self.values:
            at, found = at + 1, f"{name}.{at}"
        self.values[found] = Value(tuple(shape), np.dtype(dtype))
        return found

    def like(self, name: str, other: str) -> str:
        """Make a value of the shape and dtype of another one."""
        return self.value(name, *self.values[other])

    def view(self, name: str, other: str, shape: Sequence[int]) -> str:
        """Make a value that is another one under a new shape."""
        found = self.value(name, shape, self.values[other].dtype)
        self.inside[found] = other
        return found

    def gradient(self, name: str) -> str:
        """Make a value for what one reader gives to the gradient of a value.

        A parameter with one reader has a place for it.
        """
        if name in self.graph.params and self.readers[name] == 1:
            return gradient_of(name)
        return self.like(gradient_of(name), name)

    # What is done ----------------------------------------------------------------------------

    def run(
        self,
        stage: Stage | None,
        kernel: str,
        reads: Sequence[str],
        writes: Sequence[str],
        call: Call,
        **how: Any,
    ) -> None:
        """Add work to the way forward; parameters are those of `Work`."""
        self.forward.append(Work(stage, kernel, tuple(reads), tuple(writes), call, **how))

    def run_back(
        self,
        stage: Stage | None,
        kernel: str,
        reads: Sequence[str],
        writes: Sequence[str],
        call: Call,
        **how: Any,
    ) -> None:
        """Add work to the way back; parameters are those of `Work`."""
        self.backward.append(Work(stage, kernel, tuple(reads), tuple(writes), call, **how))

    def settle(self, stage: Stage, old: str, new: str) -> None:
        """Let a value of the state become another one when the step counts."""
        self.settling.append(Work(stage, "copy", (new,), (old,), _copy(new, old)))

    def give(self, stage: Stage, kernel: str, name: str, reader: Reader, **how: Any) -> None:
        """Let one reader of a value give to its gradient.

        Parameters
        ----------
        stage, kernel
            Who reads it, and what computes the gradient.
        name
            The value; nothing is done if its gradient leads nowhere.
        reader
            What it gives.
        **how
            More of `Work`.
        """
        if name not in self.needed:
            return
        before, made = self.gradients.get(name, ""), self.gradient(name)
        adds = bool(before) and reader.adds

        def call(at: Arrays) -> Array | None:
            return reader.call(at, at[made], at[before] if adds else None)

        reads = (*reader.reads, before) if adds else reader.reads
        self.run_back(stage, kernel, reads, (made,), call, **how)
        self.gradients[name] = made
        if before and not adds:
            self._add(stage, name, before, made)

    def pass_on(self, stage: Stage, name: str, gradient: str) -> None:
        """Let a value's gradient be another value, or have that added to it."""
        if name not in self.needed:
            return
        before = self.gradients.get(name, "")
        self.gradients[name] = gradient
        if before:
            self._add(stage, name, before, gradient)

    def _add(self, stage: Stage, name: str, before: str, more: str) -> None:
        total = self.like(gradient_of(name), name)

        def call(at: Arrays) -> Array:
            if axes_of((at[before], at[more]), at[total]) is not None and compiled_for():
                return chain(ADDED, (at[before], at[more]), at[total])
            return np.add(at[before], at[more], out=at[total])

        self.run_back(stage, "add", (before, more), (total,), call, over=((total, more),))
        self.gradients[name] = total

    def masked(self, stage: Stage, dout: str) -> str:
        """Return the gradient before a stage's ReLU, if it has one."""
        return self.through_relu(stage, dout) if stage.activation[0] else dout

    def through_relu(self, stage: Stage, dout: str) -> str:
        """Return the gradient before a ReLU whose output is the stage's."""
        y = stage.output
        made = self.like(f"{dout} masked", y)

        def call(at: Arrays) -> Array:
            return chain(MASKED, (at[dout], at[y]), at[made])

        self.run_back(stage, "mask", (dout, y), (made,), call, over=((made, dout),))
        return made

    def finish(self) -> None:
        """Bring the gradients of parameters to their places that are elsewhere."""
        for name in self.graph.params:
            found, place = self.gradients.get(name, ""), gradient_of(name)
            if found and found != place:
                self.run_back(None, "copy", (found,), (place,), _copy(found, place))
                self.gradients[name] = place

    # What lowerings ask ----------------------------------------------------------------------

    def row(
        self,
        operation: str,
        window: Window,
        dtype: np.dtype[Any],
        *,
        exact: bool = False,
        prepared: bool = False,
    ) -> Row | None:
        """Return the row that the interpreter takes; None where it takes a definition."""
        exact = exact or self.exact
        return dispatch.row_of(operation, window, dtype, exact=exact, prepared=prepared)

    def is_compiled(self, *names: str) -> bool:
        """Whether there are kernels for values: floats of one dtype, and not empty."""
        dtypes = {self.values[name].dtype for name in names}
        return (
            len(dtypes) == 1
            and dtypes <= {np.dtype(kind) for kind in FLOATS}
            and all(self.values[name].nbytes for name in names)
            and settings().kernel != "reference"
            and bool(compiled_for())
        )

    def has_chain(self, y: str, *names: str) -> bool:
        """Whether a chain can compute a value from others, as they lie in memory."""
        if not self.is_compiled(y, *names):
            return False
        empty = [np.empty(*self.values[name]) for name in (y, *names)]
        return axes_of(empty[1:], empty[0]) is not None

    def is_centred(self, name: str) -> bool:
        """Whether all that is done with a value is to normalise it by the batch."""
        if self.readers[name] != 1 or name in self.graph.outputs:
            return False
        (node,) = (node for node in self.graph.nodes if name in node.inputs)
        return isinstance(node.operator, ops.BatchNormalization) and node.inputs[0] == name


def gradient_of(name: str) -> str:
    """Return the name of a value's gradient."""
    return f"d {name}"


def _copy(source: str, target: str) -> Call:
    def call(at: Arrays) -> Array:
        if axes_of((at[source],), at[target]) is not None and compiled_for():
            return chain(MOVED, (at[source],), at[target])
        return at[source]

    return call
