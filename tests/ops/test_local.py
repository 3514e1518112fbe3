"""Local connection: what it refuses, and what its file must say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import faltung
from faltung.errors import GeometryError, ModelFileError
from faltung.graph import Graph
from faltung.graph.onnx import from_model, to_model
from faltung.ops import Conv, LocallyConnected
from faltung.ops.local import LocallyConnected as Operator
from faltung.ops.pairs import pairs_of
from faltung.testing import Case, draw
from faltung.testing.compare import assert_exact
from faltung.testing.onnx_model import graph_of

X = (2, 1, 4, 5)
OPERATOR = LocallyConnected(3, padding=1)
CASE = Case("file", OPERATOR, (X, OPERATOR.weight_shape(X, 2)))


def test_equal_weights_everywhere_make_a_convolution() -> None:
    x, w = draw(Case("conv", Conv(stride=2, padding=1), (X, (3, 1, 3, 2))))
    local = LocallyConnected((3, 2), stride=2, padding=1)
    everywhere = w.reshape(3, 1, -1)[:, :, pairs_of(local.window(X).axes).taps]
    (y,), _, _ = local.forward([x, everywhere])
    assert_exact(y, faltung.conv(x, w, stride=2, padding=1))


def test_weights_have_to_fit_the_image() -> None:
    with pytest.raises(GeometryError, match=r"must have shape \(out_channels, in_channels, pairs"):
        OPERATOR.out_shapes([X, (2, 1, 3, 3)])
    rule = r"a weight for each channel, output and tap inside the image, got w_shape=\(2, 1, 179\)"
    with pytest.raises(GeometryError, match=rule):
        OPERATOR.out_shapes([X, (2, 1, 179)])
    assert OPERATOR.out_shapes([("N", *X[1:]), (2, 1, 130)]) == (("N", 2, 4, 5),)


def model() -> onnx.ModelProto:
    return to_model(graph_of(CASE, np.float32))


def no_function(m: onnx.ModelProto) -> None:
    m.ClearField("functions")


def other_body(m: onnx.ModelProto) -> None:
    m.functions[0].node[-1].attribute[0].s = b"nc...k,oc...k->no...k"


def standard_domain(m: onnx.ModelProto) -> None:
    m.graph.node[0].domain = ""


def other_domain(m: onnx.ModelProto) -> None:
    m.graph.node[0].domain = "elsewhere"
    m.functions[0].domain = "elsewhere"
    m.opset_import[1].domain = "elsewhere"


def unknown_name(m: onnx.ModelProto) -> None:
    m.graph.node[0].op_type = m.functions[0].name = "Nowhere"


def ours_for_a_standard_one(m: onnx.ModelProto) -> None:
    m.graph.node[0].op_type = m.functions[0].name = "Relu"


def other_positions(m: onnx.ModelProto) -> None:
    table = numpy_helper.to_array(m.graph.initializer[0]).copy()
    table.flat[4], table.flat[5] = table.flat[5], table.flat[4]
    m.graph.initializer[0].CopyFrom(numpy_helper.from_array(table, m.graph.initializer[0].name))


def other_weights(m: onnx.ModelProto) -> None:
    table = numpy_helper.to_array(m.graph.initializer[1])[..., ::-1].copy()
    m.graph.initializer[1].CopyFrom(numpy_helper.from_array(table, m.graph.initializer[1].name))


def other_size(m: onnx.ModelProto) -> None:
    (space,) = (a for a in m.graph.node[0].attribute if a.name == "space")
    space.ints[:] = [5, 4]


def fewer_pads(m: onnx.ModelProto) -> None:
    (pads,) = (a for a in m.graph.node[0].attribute if a.name == "pads")
    pads.ints[:] = [1, 1, 1]


WRONG: list[tuple[str, Callable[[onnx.ModelProto], None]]] = [
    ("its function must be the one that faltung writes", no_function),
    ("got function=faltung.LocallyConnected", other_body),
    ("not supported: LocallyConnected (node 'node')", standard_domain),
    # Functions that are not ours are written into the graph; the body of this one has an Einsum.
    ("not supported: Einsum (node ", other_domain),
    ("not supported: Einsum (node ", unknown_name),
    ("not supported: Einsum (node ", ours_for_a_standard_one),
    ("its taps must be those of its attributes. [local W3]", other_positions),
    ("its places must be those of its attributes. [local W3]", other_weights),
    ("must be those of its attributes", other_size),
    ("its attributes do not have the types and lengths", fewer_pads),
]


@pytest.mark.parametrize(("text", "change"), WRONG, ids=[c.__name__ for _, c in WRONG])
def test_files_that_say_something_else_are_refused(
    text: str, change: Callable[[onnx.ModelProto], None], tmp_path: Path
) -> None:
    changed = model()
    change(changed)
    path = tmp_path / "changed.onnx"
    path.write_bytes(changed.SerializeToString())
    with pytest.raises(ModelFileError, match=re.escape(text)):
        faltung.load(path)


def test_the_body_is_written_in_the_operator_set_of_the_model() -> None:
    """Circular padding needs a newer one, and a model may not mix versions."""
    x = faltung.layers.Input((1, 4, 5))
    padded = faltung.layers.Pad(((1, 1), (1, 1)), "circular")(x)
    operator = LocallyConnected(3)
    shape = operator.weight_shape(padded.shape, 2)
    weight = faltung.layers.Weight("weight", shape, faltung.layers.he_normal(shape, 9))
    graph: Graph = faltung.layers.build(faltung.layers.apply(operator, padded, weight))
    written = to_model(graph)
    versions = {o.domain: o.version for o in written.opset_import}
    assert versions[""] > 17
    assert [o.version for o in written.functions[0].opset_import] == [versions[""]]
    read = from_model(written)
    images = np.random.default_rng(0).standard_normal((2, 1, 4, 5)).astype(np.float32)
    assert np.array_equal(np.asarray(read(images)), np.asarray(graph(images)))
    assert any(isinstance(node.operator, Operator) for node in read.nodes)
