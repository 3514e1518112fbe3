"""One operator of a graph: what it makes, holds, costs and sees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from faltung.analysis.inspect.border import skipped, windows
from faltung.analysis.inspect.known import Known
from faltung.analysis.inspect.sights import Fields, Intervals, Sights
from faltung.analysis.receptive_field import Field
from faltung.errors import FaltungError
from faltung.geometry import Interval
from faltung.graph import Node
from faltung.ops.operator import Cost, Everything, Shape
from faltung.ops.unknown import Unknown


@dataclass(frozen=True)
class InspectedLayer:
    """One operator, for inputs of one size.

    Parameters
    ----------
    name, operator
        The node's, and the type that ONNX calls it.
    inputs, outputs
        The names of the values that it reads and writes.
    in_shapes, out_shapes
        Their shapes; None where nobody can tell.
    params, state
        How many trained numbers it has, and how many that are kept but not trained. What several
        layers share counts for the first one.
    weight_bytes
        What these take.
    cost
        Multiply-accumulates and connections; None where that is not known.
    activation_bytes
        What its outputs take; None where that is not known.
    moved_bytes
        What it reads and writes, each value once: its inputs, parameters and state among them,
        and its outputs.
    fields
        By input of the graph: what its first output sees of each space axis.
    intervals
        By input of the graph: exactly what position 0 of that output sees of each space axis;
        beyond the input is padding.
    dense_params
        The parameters, biases included, of the dense layer between the same input and output;
        None for layers that are no weighted sum of their input.
    dropped
        Of a convolution or pooling, for each space axis: how many trailing positions of its padded
        input no window reaches, as its stride does not divide.
    skipped
        For each space axis: how many positions of its input itself no window reads.
    unknown
        Why some of this is not known; empty where all of it is.
    """

    name: str
    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    in_shapes: tuple[Shape | None, ...]
    out_shapes: tuple[Shape | None, ...]
    params: int
    state: int
    weight_bytes: int
    cost: Cost | None
    activation_bytes: int | None
    moved_bytes: int | None
    fields: Mapping[str, Fields]
    intervals: Mapping[str, Intervals]
    dense_params: int | None = None
    dropped: tuple[int, ...] = ()
    skipped: tuple[int, ...] = ()
    unknown: str = ""

    @property
    def out_shape(self) -> Shape | None:
        """The shape of its first output."""
        return self.out_shapes[0] if self.out_shapes else None

    @property
    def intensity(self) -> float | None:
        """Arithmetic intensity: multiply-accumulates for each byte that it moves.

        The bytes are those of its inputs, weights and outputs, each counted once, as if nothing of
        them were in a cache before and everything were after the first touch.
        """
        if self.cost is None or not self.moved_bytes:
            return None
        return self.cost.macs / self.moved_bytes

    def to_dict(self) -> dict[str, Any]:
        """Return every figure as a number, string, list or mapping; None where it is not known."""
        counts = dict.fromkeys(Cost._fields) if self.cost is None else self.cost._asdict()
        return {
            "name": self.name,
            "operator": self.operator,
            "inputs": list(self.inputs),
            "outputs": list(self.outputs),
            "in_shapes": [_listed(shape) for shape in self.in_shapes],
            "out_shape": _listed(self.out_shape),
            "out_shapes": [_listed(shape) for shape in self.out_shapes],
            "params": self.params,
            "state": self.state,
            "weight_bytes": self.weight_bytes,
            **counts,
            "activation_bytes": self.activation_bytes,
            "moved_bytes": self.moved_bytes,
            "macs_per_byte": self.intensity,
            "fields": {
                name: [field_dict(f, i) for f, i in zip(axes, self.intervals[name], strict=True)]
                for name, axes in self.fields.items()
            },
            "dense_params": self.dense_params,
            "dropped": list(self.dropped),
            "skipped": list(self.skipped),
            "unknown": self.unknown or None,
        }


def field_dict(field: Field, first: Interval) -> dict[str, Any]:
    """Return a field as numbers; its size is None where it is the whole axis.

    Parameters
    ----------
    field
        Of one axis.
    first
        What position 0 sees.
    """
    return {
        "size": None if isinstance(field.size, Everything) else field.size,
        "jump": float(field.jump),
        "start": field.start,
        "share": field.share,
        "interval": list(first),
    }


def _listed(shape: Shape | None) -> list[int | str] | None:
    return None if shape is None else list(shape)


def inspected(known: Known, node: Node, counted: set[str], sights: Sights) -> InspectedLayer:
    """Return what is known of one node.

    Parameters
    ----------
    known
        The graph and what is known of its values.
    node
        One of its nodes.
    counted
        Parameters and state that a node before it had; its own are added.
    sights
        What values see.
    """
    own = [name for name in dict.fromkeys(node.inputs) if name not in counted]
    counted.update(own)
    arrays = {**known.graph.params, **known.graph.state}
    in_shapes = tuple(known.shapes.get(name) for name in node.inputs)
    cost, reason = _cost(known, node)
    first = node.outputs[0] if node.outputs else ""
    axes = _windows(known, node)
    return InspectedLayer(
        name=node.name,
        operator=_type(node),
        inputs=node.inputs,
        outputs=node.outputs,
        in_shapes=in_shapes,
        out_shapes=tuple(known.shapes.get(name) for name in node.outputs),
        params=sum(known.graph.params[name].size for name in own if name in known.graph.params),
        state=sum(known.graph.state[name].size for name in own if name in known.graph.state),
        weight_bytes=sum(arrays[name].nbytes for name in own if name in arrays),
        cost=cost,
        activation_bytes=_sum(known, node.outputs),
        moved_bytes=_sum(known, dict.fromkeys((*node.inputs, *node.outputs))),
        fields={s: values[first] for s, values in sights.fields.items() if first in values},
        intervals={s: values[first] for s, values in sights.first.items() if first in values},
        dense_params=_dense(known, node) if cost is not None and cost.macs else None,
        dropped=tuple(axis.dropped for axis in axes),
        skipped=tuple(skipped(axis, node.operator.padding_mode) for axis in axes),
        unknown=known.reasons.get(node.name, "") or reason,
    )


def _type(node: Node) -> str:
    operator = node.operator
    return operator.subject if isinstance(operator, Unknown) else operator.onnx_type


def _cost(known: Known, node: Node) -> tuple[Cost | None, str]:
    """What a node costs, or why that is not known."""
    if node.name in known.reasons:
        return None, ""
    try:
        return node.operator.cost([known.shapes[name] for name in node.inputs]), ""
    except FaltungError as error:
        return None, " ".join(str(error).split())


def _windows(known: Known, node: Node) -> tuple[Any, ...]:
    if node.name in known.reasons or any(known.sizes(name) is None for name in node.inputs):
        return ()
    return windows(node.operator, [known.shapes[name] for name in node.inputs])


def _sum(known: Known, names: Any) -> int | None:
    sizes = [known.bytes(name) for name in names]
    return None if any(size is None for size in sizes) else sum(size or 0 for size in sizes)


def _dense(known: Known, node: Node) -> int | None:
    """Weights between all numbers of an input and all of an output, for one example, and biases."""
    ends = [known.shapes[name][1:] for name in (node.inputs[0], node.outputs[0])]
    if any(isinstance(n, str) for shape in ends for n in shape):
        return None
    inputs, outputs = (prod(int(n) for n in shape) for shape in ends)
    return inputs * outputs + outputs
