"""Large weights are read by themselves: with the values, the order and the refusals of the rest."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

import faltung
from faltung.errors import ModelFileError
from faltung.graph.onnx import from_model, to_model
from faltung.graph.onnx_apart import LEAST, split

RNG = np.random.default_rng(5)
LARGE = LEAST // 4


def model(*tensors: onnx.TensorProto, ir: int = 8) -> onnx.ModelProto:
    """Return a chain of additions, each of one tensor as long as all others."""
    x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None])
    y = helper.make_tensor_value_info(f"y{len(tensors)}", onnx.TensorProto.FLOAT, [None])
    nodes = [
        helper.make_node("Add", [f"y{at}" if at else "x", tensor.name], [f"y{at + 1}"])
        for at, tensor in enumerate(tensors)
    ]
    graph = helper.make_graph(nodes, "g", [x], [y], list(tensors))
    return helper.make_model(graph, ir_version=ir, opset_imports=[helper.make_opsetid("", 13)])


def tensor(name: str, size: int, dtype: str = "float32") -> onnx.TensorProto:
    return numpy_helper.from_array(RNG.normal(size=size).astype(dtype), name)


def test_arrays_come_in_the_order_of_the_file_with_their_values() -> None:
    made = model(tensor("b", LARGE), tensor("z", 1), tensor("a", LARGE), tensor("c", 1))
    apart = split(io.BytesIO(made.SerializeToString()))
    assert list(apart.weights) == ["b", "a"]
    assert apart.names == ("b", "z", "a", "c")
    assert len(apart.content) < LEAST
    left = onnx.ModelProto.FromString(apart.content)
    assert [t.name for t in left.graph.initializer] == ["z", "c"]
    assert left.graph.node == made.graph.node
    for name, array in apart.weights.items():
        stored = next(t for t in made.graph.initializer if t.name == name)
        np.testing.assert_array_equal(array, numpy_helper.to_array(stored))
        assert not array.flags.writeable
        with pytest.raises(ValueError, match="WRITEABLE"):
            array.setflags(write=True)


@pytest.mark.parametrize("ir", [3, 8])
def test_a_file_gives_what_its_model_gives(tmp_path: Path, ir: int) -> None:
    made = model(tensor("b", LARGE), tensor("z", 1), tensor("a", LARGE), ir=ir)
    if ir < 4:
        made.graph.input.extend(
            helper.make_tensor_value_info(t.name, t.data_type, t.dims)
            for t in made.graph.initializer
        )
    onnx.save(made, tmp_path / "model.onnx")
    read, known = faltung.load(tmp_path / "model.onnx"), from_model(made)
    assert [*read.params] == [*known.params]
    assert [*read.inputs] == [*known.inputs]
    x = RNG.normal(size=LARGE).astype(np.float32)
    np.testing.assert_array_equal(read(x), known(x))


def test_what_was_saved_is_saved_again_to_the_byte(tmp_path: Path) -> None:
    layers = faltung.layers
    chain = layers.Chain(layers.Conv(64, 3), layers.BatchNorm(), layers.Conv(64, 3))
    graph = layers.build(chain, (32, 8, 8))
    first = graph.save(tmp_path / "first.onnx").read_bytes()
    again = faltung.load(tmp_path / "first.onnx").save(tmp_path / "second.onnx").read_bytes()
    assert first == again


def test_reading_takes_the_weights_memory_once(tmp_path: Path) -> None:
    onnx.save(model(*(tensor(f"w{at}", 64 * LARGE) for at in range(4))), tmp_path / "model.onnx")
    faltung.load(tmp_path / "model.onnx")
    tracemalloc.start()
    try:
        graph = faltung.load(tmp_path / "model.onnx")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert sum(a.nbytes for a in graph.params.values()) == 256 * LEAST
    assert peak < 16 * LEAST  # the arrays themselves lie in pages, which are not traced


def _twice(made: onnx.ModelProto) -> None:
    made.graph.initializer.append(made.graph.initializer[0])


def _short(made: onnx.ModelProto) -> None:
    made.graph.initializer[0].dims[0] += 1


def _negative(made: onnx.ModelProto) -> None:
    made.graph.initializer[0].dims[0] = -1


def _typed_too(made: onnx.ModelProto) -> None:
    made.graph.initializer[0].float_data.append(1)


def _half(made: onnx.ModelProto) -> None:
    made.graph.initializer[0].CopyFrom(tensor("b", 2 * LARGE, "float16"))


def _nameless(made: onnx.ModelProto) -> None:
    made.graph.initializer[0].name = ""


@pytest.mark.parametrize("change", [_twice, _short, _negative, _typed_too, _half, _nameless])
def test_what_is_not_plain_stays_in_the_message(change: Callable[[onnx.ModelProto], None]) -> None:
    made = model(tensor("b", LARGE))
    change(made)
    data = made.SerializeToString()
    apart = split(io.BytesIO(data))
    assert not apart.weights
    assert apart.content == data


@pytest.mark.parametrize("damage", [b"\x80" * 12, b"\x3a\xff\xff\xff\x7f", b"\x0b", b""])
def test_what_is_no_model_is_handed_on(damage: bytes) -> None:
    assert split(io.BytesIO(damage)).content == damage


def test_a_file_that_was_cut_is_refused_as_damaged(tmp_path: Path) -> None:
    data = model(tensor("b", LARGE)).SerializeToString()
    for size in (len(data) - 1, len(data) // 2, 40):
        (tmp_path / "cut.onnx").write_bytes(data[:size])
        with pytest.raises(ModelFileError, match="the file is damaged"):
            faltung.load(tmp_path / "cut.onnx")


def test_pickled_graphs_come_back() -> None:
    graph = faltung.layers.build(faltung.layers.Conv(64, 3), (64, 8, 8))
    rebuild, given = graph.__reduce__()
    again = rebuild(*given)
    for name, array in graph.params.items():
        np.testing.assert_array_equal(again.params[name], array)
    assert to_model(again).SerializeToString() == to_model(graph).SerializeToString()
