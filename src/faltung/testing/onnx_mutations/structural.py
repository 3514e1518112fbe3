"""Which structural mutations there are, and one or a few of them on a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from faltung.testing.onnx_mutations import headers, nodes, tensors

Mutation = Callable[[Random, ModelProto], None]

MUTATIONS: Final[Sequence[Mutation]] = (
    *(nodes.wiring, nodes.wiring, nodes.cycle, nodes.exchange, nodes.kind, nodes.kind),
    *(nodes.attribute, nodes.attribute, nodes.attribute, nodes.new_attribute, nodes.set_of_nodes),
    *(nodes.known_attribute, nodes.known_attribute, nodes.alike, nodes.alike, nodes.alike),
    *(tensors.resized_initializer, tensors.resized_initializer, tensors.small_size),
    *(tensors.small_size, tensors.values_of_initializer, nodes.attribute),
    *(tensors.dims_of_initializer, tensors.dims_of_initializer, tensors.type_of_initializer),
    *(tensors.values_of_initializer, tensors.values_of_initializer, tensors.form_of_initializer),
    *(tensors.set_of_initializers, tensors.sparse_initializer, tensors.external_data),
    *(tensors.declared_value, tensors.declared_value, tensors.set_of_values),
    *(headers.opset, headers.header, headers.metadata, headers.subgraph, headers.function),
)

TRIES: Final = 20


def mutated(rng: Random, model: ModelProto) -> tuple[str, ModelProto]:
    """Return what was done, and another model to which it was done.

    Parameters
    ----------
    rng : random.Random
        Draws what is done: one mutation mostly, up to four.
    model : onnx.ModelProto
        Is not changed.
    """
    changed = ModelProto()
    changed.CopyFrom(model)
    wanted, done = rng.choice((1, 1, 1, 2, 2, 4)), list[str]()
    for _ in range(TRIES):
        mutation = rng.choice(MUTATIONS)
        try:
            mutation(rng, changed)
        except (IndexError, ValueError, DecodeError):  # nothing there, or graphs too deep
            continue
        done.append(mutation.__name__)
        if len(done) == wanted:
            break
    return " ".join(done), changed
