"""load(save(graph)) is the graph; ONNX Runtime computes what we compute, within a derived bound."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from faltung.errors import GeometryError, GraphError
from faltung.graph import Graph, load
from faltung.graph.evaluate import evaluate
from faltung.graph.layers import (
    AbstractLayer,
    AvgPool,
    BatchNorm,
    Chain,
    Concat,
    Conv,
    ConvTranspose,
    Dense,
    Dropout,
    Flatten,
    GlobalAvgPool,
    GlobalMaxPool,
    Input,
    LeakyRelu,
    MaxPool,
    Mul,
    Normalize,
    Pad,
    Relu,
    Residual,
    Sigmoid,
    Softmax,
    Symbol,
    Tanh,
    build,
)
from faltung.graph.onnx import from_model, to_model
from faltung.ops import OPERATORS
from faltung.testing import Case, assert_same_bits, assert_within, cases_of
from faltung.testing import draw as draw_inputs
from faltung.testing.onnx_model import graph_of
from faltung.testing.rounding import RULES, error_bounds

MODES = ["zeros", "reflect", "replicate", "circular"]
WORDS = ["valid", "same", "same_lower", "full"]


class Network:
    def __init__(self, graph: Graph, x: np.ndarray) -> None:
        self.graph, self.x = graph, x

    def __repr__(self) -> str:  # the arrays would fill pages
        return "\n".join([f"x {self.x.shape}", *map(str, self.graph.nodes)])


# Random networks -----------------------------------------------------------------------------


@st.composite
def pads(draw: st.DrawFn, axes: int, least: int = -1) -> Any:
    pair = st.tuples(st.integers(least, 2), st.integers(least, 2))
    return draw(st.tuples(*[pair] * axes))


@st.composite
def sizes(draw: st.DrawFn, axes: int, most: int = 3) -> tuple[int, ...]:
    return draw(st.tuples(*[st.integers(1, most)] * axes))


@st.composite
def convs(draw: st.DrawFn, axes: int, channels: int) -> AbstractLayer:
    groups = draw(st.sampled_from([1, channels]))
    out = groups * draw(st.integers(1, 3))
    mode = draw(st.sampled_from(MODES))
    padding = draw(st.one_of(st.sampled_from(WORDS), st.integers(0, 2), pads(axes)))
    kernel, stride, dilation = draw(sizes(axes)), draw(sizes(axes)), draw(st.integers(1, 2))
    bias = draw(st.booleans())
    return Conv(out, kernel, stride, padding, dilation, groups, mode, bias)


@st.composite
def transposed(draw: st.DrawFn, axes: int, channels: int) -> AbstractLayer:
    groups = draw(st.sampled_from([1, channels]))
    padding = draw(st.one_of(st.sampled_from(WORDS), pads(axes)))
    kernel, stride = draw(sizes(axes)), draw(st.integers(1, 3))
    extra = draw(st.integers(0, stride - 1))
    return ConvTranspose(groups * 2, kernel, stride, padding, extra, 1, groups)


@st.composite
def pools(draw: st.DrawFn, axes: int) -> AbstractLayer:
    kernel, stride = draw(sizes(axes)), draw(st.one_of(st.none(), sizes(axes)))
    # More padding than this leaves windows without input, which pooling refuses.
    most = draw(st.one_of(st.sampled_from(WORDS[:3]), pads(axes)))
    padding = (
        most
        if isinstance(most, str)
        else tuple(
            (min(lo, k - 1), min(hi, k - 1)) for (lo, hi), k in zip(most, kernel, strict=True)
        )
    )
    ceil, dilation = draw(st.booleans()), draw(st.integers(1, 2))
    if draw(st.booleans()):
        return MaxPool(kernel, stride, padding, dilation=dilation, ceil_mode=ceil)
    count = draw(st.booleans())
    return AvgPool(kernel, stride, padding, ceil_mode=ceil, count_include_pad=count)


def plain(axes: int) -> st.SearchStrategy[AbstractLayer]:
    real = st.floats(0.01, 3, width=64)
    return st.one_of(
        st.sampled_from([Relu(), Sigmoid(), Tanh(), Dropout(0.3), Softmax(1), Softmax()]),
        st.builds(BatchNorm, real),
        st.builds(LeakyRelu, st.floats(0, 1)),
        st.builds(Normalize, real, real),
        st.builds(Pad, pads(axes), st.sampled_from(MODES)),
    )


@st.composite
def steps(draw: st.DrawFn, h: Symbol) -> Symbol:
    """Add one layer, or a branch, to a symbol."""
    axes, channels = len(h.shape) - 2, int(h.shape[1])
    one = {
        "conv": convs(axes, channels),
        "transposed": transposed(axes, channels),
        "pool": pools(axes),
        "plain": plain(axes),
    }
    kind = draw(st.sampled_from([*one, *one, "pool", "plain", "residual", "concat", "gate"]))
    if kind in one:
        return draw(one[kind])(h)
    same = Conv(channels, 3, padding="same", padding_mode=draw(st.sampled_from(MODES)))
    if kind == "residual":
        return Residual(Chain(same, Relu(), same))(h)
    if kind == "gate":
        return Mul()(h, Chain(GlobalAvgPool(), Conv(channels, 1), Sigmoid())(h))
    return Concat()(h, Chain(same, Tanh())(h), h)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A small network with random arrays, and an input for it."""
    axes = draw(st.integers(1, 3))
    x = h = Input((draw(st.integers(1, 3)), *draw(sizes(axes, 9 if axes < 3 else 5))))
    for _ in range(draw(st.integers(1, 4))):
        try:
            after = draw(steps(h))
        except (GeometryError, GraphError):  # it does not fit here
            continue
        if 0 < math.prod(after.shape[1:]) <= 4000:
            h = after
    if draw(st.booleans()):
        head = Flatten() if draw(st.booleans()) else Chain(GlobalMaxPool(), Flatten())
        h = Chain(head, Dense(3), Softmax())(h)
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    graph = randomised(build(h, metadata={"classes": "a,b"}), rng)
    batch = draw(st.integers(1, 3))
    return Network(graph, rng.standard_normal((batch, *x.shape[1:])).astype(np.float32))


def randomised(graph: Graph, rng: np.random.Generator) -> Graph:
    def drawn(name: str, array: np.ndarray) -> np.ndarray:
        fan_in = max(math.prod(array.shape[1:]), 1)
        values = rng.standard_normal(array.shape) / math.sqrt(fan_in)
        if name.endswith((".var", ".std")):
            values = values**2 + 0.1
        return values.astype(np.float32)

    return graph.replace(
        params={n: drawn(n, a) for n, a in graph.params.items()},
        state={n: drawn(n, a) for n, a in graph.state.items()},
    )


# The laws ------------------------------------------------------------------------------------

PROPERTY = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@PROPERTY
@given(networks())
def test_a_saved_graph_loads_as_it_was(tmp_path: Path, case: Network) -> None:
    graph, x = case.graph, case.x
    again = load(graph.save(tmp_path / "m.onnx"))
    assert again.inputs == graph.inputs
    assert again.outputs == graph.outputs
    assert again.metadata == graph.metadata
    for kind in ("params", "state"):
        before, after = getattr(graph, kind), getattr(again, kind)
        assert list(before) == list(after)
        for name, array in before.items():
            assert_same_bits(after[name], array, name)
    assert {node.name for node in graph.nodes} <= {node.name for node in again.nodes}
    # A written Pad holds -0 (see `Pad.to_onnx`), which reads back as 0.
    assert_same_bits(again(x), graph(x))
    assert to_model(from_model(to_model(again))) == to_model(again)


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize(
    ("padding", "added"), [(((0, -1),), 0), (((-2, 1),), 0), (((1, 0),), 2), (((3, 2),), 2)]
)
def test_what_onnx_writes_in_several_nodes_keeps_its_bits(
    tmp_path: Path, kernel: int, padding: Any, added: int
) -> None:
    """A kernel that starts its sums at the bias would round otherwise than an Add behind it."""
    layer = ConvTranspose(2, kernel, 2, padding, added, 3)
    graph = randomised(build(layer, (3, 20)), rng := np.random.default_rng(0))
    again = load(graph.save(tmp_path / "m.onnx"))
    assert len(again.nodes) > len(graph.nodes)
    x = rng.standard_normal((2, 3, 20)).astype(np.float32)
    assert_same_bits(again(x), graph(x))


@PROPERTY
@given(networks())
def test_onnx_runtime_computes_the_same(onnxruntime: ModuleType, case: Network) -> None:
    graph, x = case.graph, case.x
    value, error = error_bounds(graph, {"x": x})[graph.outputs[0]][:2]
    assert_within(graph(x), value, error, "faltung")
    (got,) = run(onnxruntime, to_model(graph), {"x": x})
    assert got.dtype == np.float32
    assert_within(got, value, error, "ONNX Runtime")


def run(onnxruntime: ModuleType, model: Any, feeds: Mapping[str, np.ndarray]) -> list[np.ndarray]:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    return list(session.run(None, dict(feeds)))


# Every operator ------------------------------------------------------------------------------


def not_run(case: Case) -> str:
    """Why ONNX Runtime does not run a case; nothing where it does."""
    operator: Any = case.operator
    outs = operator.out_shapes(case.in_shapes)
    if any(0 in shape for shape in (*case.in_shapes, *outs)):
        return "it refuses windows on empty arrays"
    if operator.onnx_type == "LRN" and operator.size % 2 == 0:
        return "it takes odd windows alone"
    if operator.onnx_type == "AveragePool" and not operator.count_include_pad:
        axes = operator.window(case.in_shapes[0]).axes
        if any(max(axis.pad_lo, axis.pad_hi) >= axis.kernel for axis in axes):
            return "it wants less padding than the kernel is long, dilated or not"
    return ""


def test_only_described_operators_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(RULES, "Relu")
    with pytest.raises(GraphError, match="it has no rule for this operator, got operator=Relu"):
        error_bounds(build(Relu(), (2,)), {"x": np.ones((1, 2), np.float32)})


@pytest.mark.parametrize("name", sorted({*OPERATORS} & {*RULES}))
def test_onnx_runtime_runs_every_operator(onnxruntime: ModuleType, name: str) -> None:
    ran = 0
    for case in cases_of(OPERATORS[name]):
        if not_run(case):
            continue
        graph = graph_of(case, np.float32)
        for kind in ("integers", "reals"):
            feeds = {f"x{i}": x for i, x in enumerate(draw_inputs(case, kind, np.float32))}
            value, error = error_bounds(graph, feeds)["y0"][:2]
            assert_within(evaluate(graph, feeds).values["y0"], value, error, f"faltung, {case}")
            got, *_ = run(onnxruntime, to_model(graph), feeds)
            assert_within(got, value, error, f"ONNX Runtime, {case}")
        ran += 1
    assert ran


@pytest.mark.parametrize("broken", ["flipped", "shifted", "scaled", "zeros"])
def test_the_bound_tells_a_wrong_convolution(broken: str) -> None:
    graph, x = Chain(Conv(4, 3, padding=1), Relu()), np.ones((1, 2, 6, 6), np.float32)
    net = randomised(build(graph, (2, 6, 6)), np.random.default_rng(0))
    value, error = error_bounds(net, {"x": x})[net.outputs[0]][:2]
    w = net.params["conv1.weight"]
    wrong = {
        "flipped": w[:, :, ::-1],
        "shifted": np.roll(w, 1, axis=3),
        "scaled": w * np.float32(1 + 1e-4),
        "zeros": w * 0,
    }
    other = net.replace(params={**net.params, "conv1.weight": wrong[broken]})
    with pytest.raises(AssertionError, match="values differ"):
        assert_within(other(x), value, error)


def test_a_classifier_predicts_the_same(onnxruntime: ModuleType) -> None:
    net = Chain(
        Normalize(127.0, 60.0),
        *(Conv(8, 3, padding="same"), BatchNorm(), Relu(), MaxPool(2)),
        Residual(Chain(Conv(8, 3, padding=1), BatchNorm(), Relu())),
        *(Flatten(), Dropout(), Dense(10)),
    )
    rng = np.random.default_rng(0)
    graph = build(net, (1, 28, 28))
    x = rng.integers(0, 256, (200, 1, 28, 28)).astype(np.float32)
    (got,) = run(onnxruntime, to_model(graph), {"x": x})
    assert len(set(got.argmax(axis=1))) > 2
    assert np.array_equal(got.argmax(axis=1), graph(x).argmax(axis=1))
