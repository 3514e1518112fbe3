"""Mutations of initializers and of what the file declares of its inputs and outputs."""

from __future__ import annotations

import math
from random import Random
from typing import Any, Final

from onnx import ModelProto, TensorProto, ValueInfoProto

from faltung.testing.onnx_mutations.bases import BESIDE
from faltung.testing.onnx_mutations.folder import PLACES
from faltung.testing.onnx_mutations.names import any_name, odd_name

INTS: Final = (
    *(-(2**63), -(2**40), -(2**31), -7, -2, -1, 0, 0, 1, 1, 2, 3, 5, 8, 64, 1000, 65537),
    *(2**20, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1),
)
"""Sizes and counts: negative, nothing, small, huge."""

LARGEST_DATA: Final = 2**20
"""Bytes that an initializer is given."""


def change_list(rng: Random, values: Any, choices: tuple[Any, ...] = INTS) -> None:
    """Change, add or drop an entry of a list of numbers."""
    what = rng.choice(("set", "set", "set", "append", "drop", "clear", "reverse", "long"))
    if what == "append" or not values:
        values.append(rng.choice(choices))
    elif what == "set":
        values[rng.randrange(len(values))] = rng.choice(choices)
    elif what == "drop":
        del values[rng.randrange(len(values))]
    elif what == "long":
        values.extend([rng.choice(choices)] * rng.choice((1, 2, 8, 70)))
    else:
        turned = list(reversed(values))
        del values[:]
        values.extend(turned if what == "reverse" else [])


def dims_of_initializer(rng: Random, model: ModelProto) -> None:
    """Let an initializer claim other sizes than its values have."""
    change_list(rng, rng.choice(model.graph.initializer).dims)


def type_of_initializer(rng: Random, model: ModelProto) -> None:
    """Let an initializer claim another element type, known or not."""
    rng.choice(model.graph.initializer).data_type = rng.choice((*range(30), -1, 2**31 - 1))


def values_of_initializer(rng: Random, model: ModelProto) -> None:
    """Change a value to an extreme one, or have too many or too few of them."""
    tensor = rng.choice(model.graph.initializer)
    size = 8 if tensor.data_type == TensorProto.INT64 else 4
    data = bytearray(tensor.raw_data)
    if rng.random() < 0.7 and len(data) >= size:
        at = rng.randrange(len(data) // size) * size
        number = rng.choice(INTS) % 2 ** (8 * size)
        odd = (number.to_bytes(size, "little"), b"\xff" * size, b"\x00\x00\x80\x7f" * (size // 4))
        data[at : at + size] = rng.choice(odd)
    else:
        data = rng.choice((data[:-1], data[:size], bytearray(), data + data, data + b"\x00"))
    tensor.raw_data = bytes(data)


def resized_initializer(rng: Random, model: ModelProto) -> None:
    """Give an initializer other sizes, and as many values as they ask for."""
    tensor = rng.choice([t for t in model.graph.initializer if t.raw_data])
    change_list(rng, tensor.dims, (0, 1, 1, 2, 3, 4, 5, 8, 17))
    numbers, count = math.prod(tensor.dims), len(tensor.raw_data)
    width = {TensorProto.INT64: 8, TensorProto.FLOAT16: 2, TensorProto.FLOAT: 4}
    wanted = numbers * width.get(tensor.data_type, 1)
    if wanted > LARGEST_DATA:
        raise ValueError(wanted)
    tensor.raw_data = (tensor.raw_data * (wanted // count + 1))[:wanted]


def small_size(rng: Random, model: ModelProto) -> None:
    """Let an input have another size that images do have."""
    value = rng.choice(model.graph.input)
    rng.choice(value.type.tensor_type.shape.dim).dim_value = rng.choice((0, 1, 2, 3, 5, 8, 17, 40))


def form_of_initializer(rng: Random, model: ModelProto) -> None:
    """Hold the values in another field, or in several."""
    tensor = rng.choice(model.graph.initializer)
    if rng.random() < 0.5:
        tensor.ClearField("raw_data")
    field = rng.choice(("float_data", "int32_data", "int64_data", "double_data", "uint64_data"))
    getattr(tensor, field).extend([rng.choice((0, 1, 2, 3))] * rng.choice((1, 2, 3, 100)))


def sparse_initializer(rng: Random, model: ModelProto) -> None:
    """Put an initializer among the sparse ones, with sizes that no memory holds."""
    sparse = model.graph.sparse_initializer.add()
    sparse.values.CopyFrom(rng.choice(model.graph.initializer))
    sparse.dims.extend([rng.choice(INTS) for _ in range(rng.choice((1, 2, 4)))])


def set_of_initializers(rng: Random, model: ModelProto) -> None:
    """Drop an initializer, have it twice, or under another name."""
    tensors = model.graph.initializer
    tensor = rng.choice(tensors)
    what = rng.choice(("drop", "twice", "name"))
    if what == "drop":
        tensors.remove(tensor)
    elif what == "twice":
        tensors.append(tensor)
    else:
        tensor.name = any_name(rng, model)


def external_data(rng: Random, model: ModelProto) -> None:
    """Let values lie elsewhere: outside the folder, nowhere, past an end, in one another."""
    outside = [t for t in model.graph.initializer if t.external_data]
    tensor = rng.choice(outside or model.graph.initializer)
    entries = {"location": BESIDE, "offset": "0", "length": str(len(tensor.raw_data))}
    entries |= {entry.key: entry.value for entry in tensor.external_data}
    what = rng.choice(("location", "location", "offset", "length", "checksum", "key", "drop"))
    value = str(rng.choice(INTS)) if rng.random() < 0.8 else rng.choice(("", "x", "1e3", "٣", " 1"))
    if what == "drop":
        del entries[rng.choice(list(entries))]
    else:
        name = odd_name(rng) if what == "key" else what
        entries[name] = rng.choice(PLACES) if what == "location" else value
    if rng.random() < 0.8:
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, text in entries.items():
        tensor.external_data.add(key=key, value=text)
    if rng.random() < 0.1:
        tensor.external_data.extend(list(tensor.external_data))


def declared_value(rng: Random, model: ModelProto) -> None:
    """Change what is declared of an input, an output or a value between."""
    graph = model.graph
    pools = [pool for pool in (graph.input, graph.input, graph.output, graph.value_info) if pool]
    value: ValueInfoProto = rng.choice(rng.choice(pools))
    tensor = value.type.tensor_type
    what = rng.choice(("size", "size", "size", "open", "rank", "none", "type", "kind", "name"))
    if what in ("size", "open") and tensor.shape.dim:
        dim = rng.choice(tensor.shape.dim)
        if what == "size":
            dim.dim_value = rng.choice(INTS)
        else:
            dim.dim_param = rng.choice(("", "N", "batch", "x_0", odd_name(rng)))
    elif what == "rank":
        _change_rank(rng, tensor.shape.dim)
    elif what == "none":
        _clear(rng, value)
    elif what == "type":
        tensor.elem_type = rng.choice((*range(30), -1))
    elif what == "kind":
        _other_kind(rng, value)
    else:
        value.name = any_name(rng, model)


def _change_rank(rng: Random, dims: Any) -> None:
    if dims and rng.random() < 0.5:
        del dims[rng.randrange(len(dims))]
    else:
        for _ in range(rng.choice((1, 1, 2, 70))):
            dims.add(dim_value=rng.choice(INTS))


def _clear(rng: Random, value: ValueInfoProto) -> None:
    part, field = rng.choice(
        ((value.type.tensor_type, "shape"), (value.type.tensor_type, "elem_type"), (value, "type"))
    )
    part.ClearField(field)


def _other_kind(rng: Random, value: ValueInfoProto) -> None:
    kind = rng.choice(("sequence_type", "optional_type", "sparse_tensor_type", "map_type"))
    if kind == "sparse_tensor_type":
        value.type.sparse_tensor_type.elem_type = TensorProto.FLOAT
    elif kind == "map_type":
        value.type.map_type.key_type = TensorProto.INT64
    else:
        getattr(value.type, kind).elem_type.tensor_type.elem_type = TensorProto.FLOAT


def set_of_values(rng: Random, model: ModelProto) -> None:
    """Have no inputs or outputs, one twice, one more, or in another order."""
    values = rng.choice((model.graph.input, model.graph.output))
    what = rng.choice(("none", "twice", "drop", "more", "inside", "exchange"))
    if what == "none":
        del values[:]
    elif what == "twice":
        values.append(rng.choice(values))
    elif what == "drop":
        del values[rng.randrange(len(values))]
    elif what == "more":
        values.add().CopyFrom(rng.choice(values))
        values[-1].name = odd_name(rng)
    elif what == "inside":
        values.add(name=any_name(rng, model)).type.CopyFrom(rng.choice(values).type)
    else:
        given, made = list(model.graph.input), list(model.graph.output)
        del model.graph.input[:]
        del model.graph.output[:]
        model.graph.input.extend(made)
        model.graph.output.extend(given)
