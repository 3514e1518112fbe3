"""The graph: structure that is checked, arrays that are read-only, layers that read well."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import Graph, Node, Value, ops
from faltung import layers as L
from faltung.errors import DTypeError, GeometryError, GraphError

X = Value("x", ("N", 1, 6, 6))


def small(**options: object) -> Graph:
    chain = L.Chain(L.Conv(2, 3, padding=1), L.BatchNorm(), L.Relu(), L.Flatten(), L.Dense(3))
    return L.build(chain, (1, 6, 6), **options)  # type: ignore[arg-type]


def unet() -> Graph:
    x = L.Input((1, 8, 8))
    fine = L.Chain(L.Conv(2, 3, padding=1), L.Relu())(x)
    coarse = L.Chain(L.MaxPool(2), L.Conv(4, 3, padding=1), L.Relu())(fine)
    up = L.ConvTranspose(2, 2, stride=2)(coarse)
    return L.build(L.Conv(1, 1)(L.Concat()(fine, up)))


def test_a_graph_shows_itself_in_one_line() -> None:
    assert repr(small()) == "<Graph x ('N', 1, 6, 6) -> dense1: 5 nodes, 243 params>"


def test_names_count_per_kind() -> None:
    net = small()
    assert [n.name for n in net.nodes] == ["conv1", "norm1", "relu1", "flatten1", "dense1"]
    assert list(net.state) == ["norm1.mean", "norm1.var"]


def test_the_same_seed_gives_the_same_bits_and_another_does_not() -> None:
    a, b, c = small(seed=1), small(seed=1), small(seed=2)
    assert all(np.array_equal(a.params[n], b.params[n]) for n in a.params)
    assert not np.array_equal(a.params["conv1.weight"], c.params["conv1.weight"])


def test_arrays_are_read_only_and_their_own() -> None:
    weights = np.ones((1, 1, 3, 3), np.float32)
    node = Node("conv", ops.Conv(), ("x", "w"), ("y",))
    net = Graph((X,), (node,), ("y",), {"w": weights})
    weights[:] = 7
    assert net.params["w"][0, 0, 0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        net.params["w"][:] = 0
    with pytest.raises(TypeError):
        net.params["w"] = weights  # type: ignore[index]


def test_replace_shares_structure_and_checks_names_and_shapes() -> None:
    net = small()
    zero = net.replace(params={n: np.zeros_like(a) for n, a in net.params.items()})
    assert zero.nodes is net.nodes
    assert not zero(np.ones((1, 1, 6, 6))).any()
    with pytest.raises(GraphError, match="must have the graph's names"):
        net.replace(params={})
    wrong = {**net.params, "dense1.bias": np.zeros(4)}
    with pytest.raises(GraphError, match="must keep their shapes"):
        net.replace(params=wrong)


def test_branches_run_and_have_the_shapes_they_say() -> None:
    net = unet()
    x = np.random.default_rng(0).standard_normal((2, 1, 8, 8))
    y = net(x)
    assert isinstance(y, np.ndarray)
    assert y.shape == (2, 1, 8, 8)
    assert net.shapes()[net.outputs[0]] == ("N", 1, 8, 8)


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("make", [small, unet])
def test_gradients_of_whole_graphs_agree_with_central_differences(
    make: object, training: bool
) -> None:
    net = make().astype(np.float64)  # type: ignore[operator]
    rng = np.random.default_rng(3)
    x = rng.standard_normal((2, *net.inputs[0].shape[1:]))
    y = net(x)
    dout = rng.standard_normal(y.shape)
    grads = net.gradients(x, dout, training=training)
    assert set(grads) == {"x", *net.params}

    def loss(x: np.ndarray, params: dict[str, np.ndarray]) -> float:
        from faltung.graph.evaluate import evaluate

        done = evaluate(net, {"x": x}, params=params, training=training)
        return float(np.vdot(done.values[net.outputs[0]], dout))

    for name, grad in grads.items():
        step = rng.standard_normal(grad.shape) * 1e-6
        here = {**net.params, "x": x}
        sides = []
        for sign in (1, -1):
            moved = {**here, name: here[name] + sign * step}
            sides.append(loss(moved.pop("x"), moved))
        slope = (sides[0] - sides[1]) / 2
        np.testing.assert_allclose(slope, np.vdot(grad, step), rtol=1e-5, atol=1e-11)


def test_several_inputs_and_outputs() -> None:
    a, b = L.Input((1, 4), name="a"), L.Input((1, 4), name="b")
    net = L.build([a + b, a * b])
    total, product = net({"a": np.full((1, 1, 4), 2.0), "b": np.full((1, 1, 4), 3.0)})
    assert total[0, 0, 0] == 5
    assert product[0, 0, 0] == 6
    with pytest.raises(GraphError, match="x must be a mapping where there are several inputs"):
        net(np.ones((1, 1, 4)))
    with pytest.raises(GraphError, match="x must name every input"):
        net({"a": np.ones((1, 1, 4))})
    with pytest.raises(GraphError, match="dout must be a mapping"):
        net.gradients({"a": np.ones((1, 1, 4)), "b": np.ones((1, 1, 4))}, np.ones((1, 1, 4)))
    one = np.ones((1, 1, 4))
    grads = net.gradients({"a": 2 * one, "b": 3 * one}, {net.outputs[1]: one})
    assert grads["a"][0, 0, 0] == 3
    assert grads["b"][0, 0, 0] == 2


def test_inputs_are_converted_or_refused() -> None:
    net = small()
    pixels = np.zeros((2, 1, 6, 6), np.uint8)
    assert net(pixels).dtype == np.float32
    with pytest.raises(GraphError, match=r"input 'x': its shape must be the declared one.*x\[None"):
        net(pixels[0])
    with pytest.raises(DTypeError, match="must be real numbers"):
        net(pixels.astype(complex))


def test_other_sizes_on_request() -> None:
    net = L.build(L.Conv(2, 3), (1, 6, 6))
    assert net.with_input_shape((1, 1, 9, 8))(np.zeros((1, 1, 9, 8))).shape == (1, 2, 7, 6)


def test_dout_must_fit() -> None:
    with pytest.raises(GraphError, match="dout must be shaped like its output"):
        small().gradients(np.zeros((2, 1, 6, 6)), np.zeros((2, 4)))


def test_errors_name_the_layer() -> None:
    with pytest.raises(GeometryError) as caught:
        L.build(L.Conv(2, 3, groups=2, name="first"), (3, 6))
    assert "layer 'first'" in " ".join(caught.value.__notes__)
    net = L.build(L.Chain(L.Conv(2, 3), L.Flatten(), L.Dense(4)), (1, 6, 6))
    with pytest.raises(GeometryError, match="inner sizes") as caught:
        net.with_input_shape((1, 1, 8, 8)).shapes()
    assert "layer 'dense1'" in " ".join(caught.value.__notes__)
    with pytest.raises(GraphError, match="needs an input shape"):
        L.build(L.Conv(2, 3))
    with pytest.raises(GraphError, match="channel axis of known size"):
        L.build(L.Dense(3)(L.Input(("features",))))


@pytest.mark.parametrize(
    ("nodes", "text"),
    [
        ([Node("a", ops.Relu(), ("y",), ("z",))], "reads a value nobody made"),
        ([Node("a", ops.Relu(), ("x",), ("x",))], "writes a name that is taken"),
        ([Node("a", ops.Add(), ("x",), ("z",))], "takes 2 inputs"),
        ([Node("a", ops.Conv(), ("x",), ("z",))], "takes 2 to 3 inputs"),
        (
            [Node("a", ops.Relu(), ("x",), ("y",)), Node("a", ops.Relu(), ("y",), ("z",))],
            "names must be unique",
        ),
        ([Node("a", ops.Relu(), ("x",), ("y",))], "every output must be computed"),
    ],
)
def test_structures_that_cannot_be_computed(nodes: list[Node], text: str) -> None:
    with pytest.raises(GraphError, match=text):
        Graph((X,), tuple(nodes), ("z",), {})


def test_names_of_inputs_and_params_clash() -> None:
    node = Node("a", ops.Relu(), ("x",), ("y",))
    with pytest.raises(GraphError, match="names must be unique"):
        Graph((X,), (node,), ("y",), {"x": np.zeros(1)})
    with pytest.raises(GraphError, match="there must be an output"):
        Graph((X,), (node,), (), {})


def test_long_chains_do_not_recurse() -> None:
    net = L.build(L.Chain(*(L.Relu() for _ in range(3000))), (1, 4))
    assert net(np.ones((1, 1, 4))).shape == (1, 1, 4)


def test_what_nobody_wants_is_not_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    from faltung.graph.evaluate import evaluate
    from faltung.graph.gradients import gradients
    from faltung.ops import dispatch

    net = L.build(L.Chain(L.Conv(2, 3), L.Relu(), L.Conv(2, 3)), (1, 6, 6))
    x = np.ones((2, 1, 6, 6), np.float32)
    done = evaluate(net, {"x": x}, record=True)
    douts = {net.outputs[0]: np.ones((2, 2, 2, 2), np.float32)}
    calls = []
    whole = dispatch.conv_dx
    monkeypatch.setattr(dispatch, "conv_dx", lambda *a, **k: calls.append(a) or whole(*a, **k))
    everything = gradients(net, done, douts)
    assert len(calls) == 2
    params = gradients(net, done, douts, wanted=net.params)
    assert len(calls) == 3
    assert set(params) == set(net.params)
    assert all(np.array_equal(params[name], everything[name]) for name in params)


def test_integers_stay_integers_in_another_dtype() -> None:
    """Positions and masks are no floats, in whatever dtype a network computes."""
    inputs = (Value("x", (2, 3)), Value("i", (1,), "int64"))
    node = Node("pick", ops.Gather(1), ("x", "i"), ("y",))
    net = Graph(inputs, (node,), ("y",), {}).astype(np.float64)
    assert [v.dtype for v in net.inputs] == ["float64", "int64"]
    y = net({"x": np.arange(6).reshape(2, 3), "i": [2]})
    assert isinstance(y, np.ndarray)
    assert (y.dtype, y.tolist()) == (np.float64, [[2.0], [5.0]])
