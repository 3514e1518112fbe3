from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from faltung import ops, zoo
from faltung.errors import GeometryError, GraphError
from faltung.graph.graph import Graph, Node, Value
from faltung.graph.layers import (
    Add,
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
    MaxPool,
    Normalize,
    Operation,
    Pad,
    Relu,
    Sigmoid,
    Softmax,
    Tanh,
    build,
)
from faltung.imaging import detector, scan
from faltung.imaging.exact import evaluate_exact

UNPADDED = {
    "lenet": (
        Chain(
            Normalize(33.0, 78.0),
            *(Conv(6, 5), Relu(), MaxPool(2), Conv(16, 5), Relu(), MaxPool(2), Flatten()),
            *(Dropout(), Dense(30), Relu(), Dense(20), Relu(), Dense(10)),
        ),
        (1, 28, 28),
        (4, 4),
    ),
    "strides": (
        Chain(Conv(4, 3, stride=(2, 1)), Tanh(), Conv(6, 2, groups=2), Flatten(), Dense(9)),
        (2, 9, 8),
        (2, 1),
    ),
    "norms": (
        Chain(
            *(Conv(4, 3), BatchNorm(), Sigmoid(), Conv(8, 3, stride=2), AvgPool(2), Flatten()),
            *(Dense(12), BatchNorm(), Relu(), Dense(11), Softmax()),
        ),
        (3, 20, 21),
        (4, 4),
    ),
    "global mean": (
        Chain(Conv(4, 3), Relu(), Conv(9, 3, stride=2), GlobalAvgPool(), Flatten(), Dense(3)),
        (3, 20, 21),
        (2, 2),
    ),
    "global maximum": (
        Chain(Conv(4, 3, dilation=2), GlobalMaxPool(), Flatten(), Dense(3), Softmax(1)),
        (1, 9, 9),
        (1, 1),
    ),
    "no convolution": (Chain(Flatten(), Dense(5), Relu(), Dense(4)), (2, 4, 3), (1, 1)),
    "scores without dense": (Chain(Conv(5, 4), GlobalMaxPool(), Flatten()), (1, 7, 6), (1, 1)),
}


def made(name: str) -> tuple[Graph, tuple[int, int, int], tuple[int, int]]:
    network, patch, stride = UNPADDED[name]
    graph = build(network, patch, seed=3)
    random = np.random.default_rng(5)
    state = {
        n: np.abs(random.normal(size=a.shape)).astype(a.dtype) + 0.5
        if n.endswith(("mean", "var")) and a.ndim == 1
        else a
        for n, a in graph.state.items()
    }
    return graph.replace(state=state), patch, stride


def windows_of(scene: np.ndarray, patch, stride, rows: int, columns: int) -> np.ndarray:
    tops = [(i * stride[0], j * stride[1]) for i in range(rows) for j in range(columns)]
    return np.stack([scene[:, y : y + patch[1], x : x + patch[2]] for y, x in tops])


@pytest.mark.parametrize("name", UNPADDED)
def test_every_window_bit_for_bit_in_exact_mode(name: str) -> None:
    graph, patch, stride = made(name)
    scene = np.random.default_rng(1).integers(
        0, 256, (patch[0], 3 * patch[1] + 1, 2 * patch[2] + 2)
    )
    scene = scene.astype(np.float32) + np.float32(0.1)
    found = detector(graph)
    assert (found.patch, found.stride, found.padded) == (patch, stride, ())
    together = found.scores(scene, exact=True)
    classes, rows, columns = together.shape
    assert rows == (scene.shape[1] - patch[1]) // stride[0] + 1
    assert columns == (scene.shape[2] - patch[2]) // stride[1] + 1
    alone = evaluate_exact(graph, windows_of(scene, patch, stride, rows, columns))
    assert (alone == together.reshape(classes, -1).T).all()
    assert np.unique(together).size > 1
    comparison = found.compare(scene, most=40)
    assert (comparison.equal, comparison.largest, comparison.changed) == (comparison.windows, 0, 0)


def whole_numbers(graph: Graph, seed: int = 0) -> Graph:
    """Small whole weights, so that every sum is exact in whatever order."""
    random = np.random.default_rng(seed)
    return graph.replace(
        params={n: random.integers(-2, 3, a.shape).astype(a.dtype) for n, a in graph.params.items()}
    )


def test_the_fast_kernels_agree_exactly_on_whole_numbers() -> None:
    network = Chain(
        Conv(4, 3), Relu(), MaxPool(2), Conv(5, 3), Flatten(), Dense(6), Relu(), Dense(3)
    )
    graph = whole_numbers(build(network, (1, 14, 14)))
    scene = np.random.default_rng(1).integers(0, 4, (1, 40, 32)).astype(np.float32)
    together = detector(graph).scores(scene)
    alone = graph(windows_of(scene, (1, 14, 14), (2, 2), *together.shape[1:]))
    assert (alone == together.reshape(3, -1).T).all()


def test_a_wrong_order_of_the_flattened_axes_is_seen() -> None:
    """The negative control: a patch read column by column must give other scores."""
    graph, patch, _ = made("no convolution")
    found = detector(graph)
    name = next(
        n for n, a in found.graph.params.items() if a.ndim == 4 and a.shape[2:] == patch[1:]
    )
    turned = found.graph.params[name].transpose(0, 1, 3, 2).reshape(found.graph.params[name].shape)
    wrong = dataclasses.replace(
        found, graph=found.graph.replace(params={**found.graph.params, name: turned})
    )
    comparison = wrong.compare(np.random.default_rng(0).normal(size=(2, 9, 9)).astype(np.float32))
    assert comparison.equal == 0


def test_padding_is_measured() -> None:
    graph = zoo.build("small", (1, 28, 28), mean=33.0, std=78.0)
    found = detector(graph)
    assert found.padded == ("conv1", "conv2")
    scene = np.random.default_rng(0).integers(0, 256, (1, 60, 60)).astype(np.float32)
    comparison = found.compare(scene)
    assert comparison.windows == 81
    assert comparison.equal == 0
    assert comparison.largest > 0.01
    # A scene of one patch has the same padding as the patch.
    alone = found.compare(scene[:, :28, :28])
    assert (alone.windows, alone.equal) == (1, 1)
    report = scan(found, scene[0])
    assert "the classifier pads its patches (conv1, conv2): inside a scene" in str(report)
    assert "Of 64 windows compared with the classifier's own word 64 have other scores" in str(
        report
    )


@pytest.mark.parametrize("size", [28, 29, 30, 35])
def test_padding_words_keep_the_amounts_of_a_patch(size: int) -> None:
    """Trap 10: 'same' with a stride samples another grid on another size."""
    network = Chain(Conv(3, 3, stride=2, padding="same"), Conv(3, 3, stride=2, padding="same"))
    graph = build(Chain(network, Flatten(), Dense(2)), (1, size, size))
    found = detector(graph)
    scene = np.zeros((1, 3 * size, 3 * size), np.float32)
    scene[:, size : 2 * size, size : 2 * size] = np.random.default_rng(0).random((size, size))
    if size % 4 == 0:
        # Alone in black, inside a scene: the neighbours are the zeros that were padded.
        place = size // 4
        alone = evaluate_exact(graph, scene[None, :, size : 2 * size, size : 2 * size])
        assert (found.scores(scene, exact=True)[:, place, place] == alone[0]).all()
    pads = [n.operator.padding for n in found.graph.nodes if isinstance(n.operator, ops.Conv)]
    total = [
        tuple(n.operator.window(s, (3, c, 3, 3)).pads)
        for n, s, c in zip(
            graph.nodes,
            ((1, 1, size, size), (1, 3, -(-size // 2), -(-size // 2))),
            (1, 3),
            strict=False,
        )
    ]
    assert pads[:2] == total


def test_a_page_of_4096_windows() -> None:
    graph, _, _ = made("lenet")
    page = np.random.default_rng(0).integers(0, 256, (1, 280, 280)).astype(np.float32)
    found = detector(graph)
    assert found.scores(page).shape == (10, 64, 64)
    assert found.compare(page, most=50).equal == 50


def test_the_global_maximum_says_whether_there_is_one() -> None:
    graph, _, _ = made("lenet")
    found = detector(graph)
    scene = np.random.default_rng(0).integers(0, 256, (1, 40, 44)).astype(np.float32)
    scores, best = found.graph(scene[None])
    assert best.shape == (1, 10, 1, 1)
    assert (best[0, :, 0, 0] == scores[0].max(axis=(1, 2))).all()


def test_the_detector_can_be_saved(tmp_path, onnxruntime) -> None:
    graph, _, _ = made("norms")
    found = detector(graph).graph.with_input_shape(("N", 3, 30, 33))
    path = found.save(tmp_path / "detector.onnx")
    scene = np.random.default_rng(0).random((1, 3, 30, 33)).astype(np.float32)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    theirs = session.run(None, {session.get_inputs()[0].name: scene})
    for ours, other in zip(found(scene), theirs, strict=True):
        assert np.abs(ours - other).max() < 1e-5


def test_dense_layers_in_every_spelling() -> None:
    """Gemm with either side turned and with factors, MatMul with Add and Mul, a shared weight."""
    random = np.random.default_rng(0)
    params = {
        "w": random.normal(size=(8, 4)),
        "c": random.normal(size=(1, 4)),
        "v": random.normal(size=(4, 4)),
        "b": random.normal(size=4),
        "s": np.array(0.5),
        "u": random.normal(size=(4, 3)),
    }
    params = {n: a.astype(np.float32) for n, a in params.items()}
    nodes = (
        Node("flat", ops.Reshape((0, -1)), ("x",), ("flat",)),
        Node("g", ops.Gemm(alpha=0.3, beta=2.0), ("flat", "w", "c"), ("g",)),
        Node("m1", ops.MatMul(), ("g", "v"), ("m1",)),
        Node("a1", ops.Add(), ("m1", "b"), ("a1",)),
        Node("s1", ops.Sub(), ("b", "a1"), ("s1",)),
        Node("m2", ops.MatMul(), ("s1", "v"), ("m2",)),
        Node("x2", ops.Mul(), ("m2", "s"), ("x2",)),
        Node("sum", ops.Add(), ("x2", "a1"), ("sum",)),
        Node("end", ops.Gemm(), ("sum", "u"), ("end",)),
    )
    graph = Graph((Value("x", ("N", 2, 2, 2)),), nodes, ("end",), params)
    scene = random.normal(size=(2, 5, 6)).astype(np.float32)
    comparison = detector(graph).compare(scene)
    assert comparison.windows == 20 == comparison.equal


def branches() -> Graph:
    x = Input((2, 9, 9))
    a = Conv(3, 3, stride=2)(x)
    b = Conv(3, 3, stride=2)(x)
    joined = Concat()(Add()(a, b), a)
    return build(Dense(4)(Flatten()(Relu()(joined))))


def test_branches_and_concatenation() -> None:
    scene = np.random.default_rng(0).random((2, 20, 21)).astype(np.float32)
    comparison = detector(branches()).compare(scene)
    assert comparison.equal == comparison.windows == 42


def chain_graph(*layers, patch=(1, 8, 8)) -> Graph:
    return build(Chain(*layers), patch)


def operation(operator) -> Operation:
    return Operation(operator)


REFUSED = [
    (lambda: chain_graph(ConvTranspose(2, 2), Flatten(), Dense(2)), "cannot run over a scene"),
    (lambda: chain_graph(operation(ops.Transpose((0, 1, 3, 2))), Flatten()), "cannot run over a"),
    (lambda: chain_graph(operation(ops.Reshape((0, 2, 4, 8))), Flatten()), "rearranges the patch"),
    (lambda: chain_graph(Softmax(), Flatten(), Dense(2)), "compares other than the classes"),
    (lambda: chain_graph(Flatten(), Softmax(), Dense(2)), "compares other than the classes"),
    (
        lambda: chain_graph(Flatten(), BatchNorm(), Dense(2)),
        "has other constants than one for each",
    ),
]


def two_node_graph(operator, shape, second="c", patch=(1, 2, 2), flat=True) -> Graph:
    nodes = [Node("flat", ops.Flatten(), ("x",), ("flat",))] if flat else []
    source = "flat" if flat else "x"
    nodes.append(Node("odd", operator, (source, second), ("odd",)))
    if not flat:
        nodes.append(Node("flat", ops.Flatten(), ("odd",), ("flat",)))
    end = "odd" if flat else "flat"
    w = np.ones((2, 4), np.float32)
    nodes.append(Node("end", ops.Gemm(trans_b=True), (end, "w"), ("end",)))
    params = {"w": w, "c": np.ones(shape, np.float32)}
    return Graph((Value("x", ("N", *patch)),), tuple(nodes), ("end",), params)


@pytest.mark.parametrize(
    ("make", "text"),
    [
        *REFUSED,
        (lambda: two_node_graph(ops.Add(), (4,)), "has other constants than one for each channel"),
        (lambda: two_node_graph(ops.Add(), (2, 2), flat=False), "has other constants than one for"),
        (lambda: two_node_graph(ops.Mul(), (1, 2, 2), flat=False), "has other constants than one"),
        (lambda: two_node_graph(ops.MatMul(), (2, 2), flat=False), "multiplies what is no flatt"),
        (lambda: two_node_graph(ops.Add(), (4,), second="w2"), "reads a value nobody made"),
        (lambda: branches_of_strides(), r"joins branches of different strides.*\[detector D4\]"),
        (lambda: weights_from_the_patch(), "has weights that depend on the patch"),
        (lambda: constant_first(), "has a constant where the patch should be"),
        (lambda: biased_by_rows(), "adds other than one number to each output"),
        (lambda: pooled_flat(), "pools values that were flattened"),
        (lambda: joined_rows(), "joins other than channels"),
        (lambda: padded_flat(), "pads values that were flattened"),
        (lambda: broadcast_parts(), "broadcasts one part of the patch over another"),
        (lambda: chain_graph(Flatten()), r"the output must be one score for each.*\[detector D3\]"),
    ],
)
def test_what_cannot_run_over_scenes_is_named(make, text: str) -> None:
    with pytest.raises((GraphError, GeometryError), match=text):
        detector(make())


def graph_of(nodes, params=None, patch=(2, 4, 4), outputs=("end",)) -> Graph:
    arrays = {n: np.ones(s, np.float32) for n, s in (params or {}).items()}
    made_nodes = tuple(Node(n, o, i, (n,)) for n, o, i in nodes)
    return Graph((Value("x", ("N", *patch)),), made_nodes, outputs, arrays)


def branches_of_strides() -> Graph:
    # Both branches have 2x2 positions on a patch of 4, one 2 pixels apart, one 1 apart.
    nodes = [
        ("a", ops.MaxPool(2), ("x",)),
        ("b", ops.MaxPool(3, 1), ("x",)),
        ("c", ops.Add(), ("a", "b")),
        ("f", ops.Flatten(), ("c",)),
        ("end", ops.Gemm(), ("f", "w")),
    ]
    return graph_of(nodes, {"w": (8, 2)})


def weights_from_the_patch() -> Graph:
    return graph_of([("f", ops.Flatten(), ("x",)), ("end", ops.Gemm(trans_b=True), ("f", "f"))])


def constant_first() -> Graph:
    return graph_of(
        [("f", ops.Flatten(), ("x",)), ("end", ops.MatMul(), ("w", "f"))], {"w": (2, 1)}
    )


def biased_by_rows() -> Graph:
    nodes = [("f", ops.Flatten(), ("x",)), ("end", ops.Gemm(), ("f", "w", "c"))]
    return graph_of(nodes, {"w": (32, 3), "c": (2, 3)})


def pooled_flat() -> Graph:
    nodes = [("f", ops.Flatten(), ("x",)), ("end", ops.GlobalAveragePool(), ("f",))]
    return graph_of(nodes)


def joined_rows() -> Graph:
    nodes = [("a", ops.Concat(2), ("x", "x")), ("f", ops.Flatten(), ("a",))]
    return graph_of([*nodes, ("end", ops.Gemm(), ("f", "w"))], {"w": (64, 2)})


def padded_flat() -> Graph:
    nodes = [("f", ops.Flatten(), ("x",)), ("p", ops.Pad(((0, 0), (1, 0))), ("f",))]
    return graph_of([*nodes, ("end", ops.Gemm(), ("p", "w"))], {"w": (33, 2)})


def broadcast_parts() -> Graph:
    nodes = [("p", ops.GlobalMaxPool(), ("x",)), ("m", ops.Mul(), ("x", "p"))]
    nodes += [("f", ops.Flatten(), ("m",)), ("end", ops.Gemm(), ("f", "w"))]
    return graph_of(nodes, {"w": (32, 2)})


def test_windows_over_flattened_values_are_refused() -> None:
    nodes = [
        ("f", ops.Flatten(), ("x",)),
        ("r", ops.Reshape((0, 1, 4, 8)), ("f",)),
        ("end", ops.Conv(), ("r", "w")),
    ]
    with pytest.raises(GraphError, match="rearranges the patch"):
        detector(graph_of(nodes, {"w": (1, 1, 4, 8)}))


def test_padding_by_a_layer_of_its_own_is_told() -> None:
    graph = chain_graph(Pad(((1, 1), (1, 1))), Conv(2, 3), Flatten(), Dense(2))
    assert detector(graph).padded == ("pad1",)


def test_one_input_and_one_output() -> None:
    graph = graph_of([("end", ops.Relu(), ("x",))], outputs=("end", "x"))
    with pytest.raises(GraphError, match=r"must have one input and one output, got inputs=1.*D1\]"):
        detector(graph)


def test_the_size_of_a_patch() -> None:
    graph = chain_graph(Conv(2, 3), GlobalMaxPool(), Flatten(), Dense(2))
    opened = dataclasses.replace(graph, inputs=(Value("x", ("N", 1, "H", "W")),))
    with pytest.raises(GraphError, match=r"the size of a patch must be known.*\[detector D6\]"):
        detector(opened)
    assert detector(opened, (1, 8, 8)).patch == (1, 8, 8)


@pytest.mark.parametrize("shape", [(1, 7, 9), (1, 9, 7), (2, 9, 9), (9, 9)])
def test_scenes_that_do_not_fit(shape: tuple[int, ...]) -> None:
    found = detector(chain_graph(Flatten(), Dense(2)))
    with pytest.raises(GraphError, match=r"a scene must be \(C, H, W\) with the patch's channels"):
        found.scores(np.zeros(shape))


def spotter(classes: int = 2) -> Graph:
    """Scores by hand: class 1 where a patch has a bright middle, class 0 elsewhere."""
    kernel = np.full((1, 1, 5, 5), -0.05, np.float32)
    kernel[0, 0, 1:4, 1:4] = 0.1
    weights = np.array([[-1.0], [1.0]], np.float32)[-classes:]
    least = np.array([50.0, -50.0], np.float32)[-classes:]
    nodes = (
        Node("conv", ops.Conv(), ("x", "k"), ("conv",)),
        Node("flat", ops.Flatten(), ("conv",), ("flat",)),
        Node("dense", ops.Gemm(trans_b=True), ("flat", "w", "b"), ("dense",)),
    )
    params = {"k": kernel, "w": weights, "b": least}
    metadata = {"classes": json.dumps(["nothing", "spot"][-classes:])}
    return Graph((Value("x", ("N", 1, 5, 5)),), nodes, ("dense",), params, {}, metadata)


def spots() -> np.ndarray:
    scene = np.random.default_rng(0).integers(0, 30, (40, 50)).astype(np.uint8)
    for y, x in ((6, 7), (30, 40)):
        scene[y : y + 3, x : x + 3] = 250
    scene[15:30, :20] = 9
    return scene


def test_a_scan_says_whether_there_is_one_and_where() -> None:
    report = scan(spotter(), spots())
    _, spot = report.classes
    assert (spot.name, spot.is_there) == ("spot", True)
    places = {(d.top, d.left) for d in report.detections if d.name == "spot"}
    assert {(5, 6), (29, 39)} <= places
    assert (report.probabilities[:, 15:26, :16] == 0).all()  # flat: nothing to see
    text = str(report)
    assert "1,656 windows of 5x5, 36 rows of 46, 1 and 1 pixels apart, in one pass" in text
    assert json.loads(json.dumps(report.to_dict()))["classes"][1]["is_there"] is True
    none = scan(spotter(), spots()[10:28])
    assert not none.classes[1].is_there


def test_one_score_and_probabilities() -> None:
    alone = scan(spotter(1), spots())
    assert alone.classes[0].is_there
    both = scan(spotter(), spots())
    network = spotter()
    soft = dataclasses.replace(
        network,
        nodes=(*network.nodes, Node("soft", ops.Softmax(), ("dense",), ("soft",))),
        outputs=("soft",),
    )
    again = scan(soft, spots())
    assert np.abs(both.probabilities - again.probabilities).max() < 1e-6


def test_scenes_of_other_channels_and_depths() -> None:
    grey = spots()
    deep = scan(spotter(), grey.astype(np.uint16) * 257)
    colour = scan(spotter(), np.stack([grey] * 3, axis=2))
    plain = scan(spotter(), grey)
    for other in (deep, colour):
        assert np.abs(other.probabilities - plain.probabilities).max() < 1e-3
    network = chain_graph(Conv(2, 3), Flatten(), Dense(2), patch=(3, 8, 8))
    assert scan(network, grey).scene_shape == (3, 40, 50)
    with pytest.raises(GeometryError, match=r"the classifier's channels, or one.*\[scan N2\]"):
        scan(network, np.zeros((9, 9, 2)))
    with pytest.raises(GeometryError, match=r"the scene must be \(H, W\) or .*\[scan N2\]"):
        scan(network, np.zeros(9))
    with pytest.raises(GeometryError, match=r"threshold must be above 0 and up to 1.*\[scan N1\]"):
        scan(network, grey, threshold=0)


def test_names_that_do_not_fit_are_numbers() -> None:
    graph = chain_graph(Flatten(), Dense(2))
    for text in ('["a"]', "no json", '{"a": 1}'):
        assert detector(graph.replace(metadata={"classes": text})).classes == ("0", "1")


@pytest.mark.parametrize("name", ["zero-one", "lenet", "small", "resnet"])
def test_networks_of_the_zoo(name: str) -> None:
    graph = zoo.build(name, (1, 28, 28))
    found = detector(graph)
    scene = np.random.default_rng(0).integers(0, 256, (1, 48, 44)).astype(np.float32)
    assert found.scores(scene).shape[0] == len(found.classes)
    comparison = found.compare(scene)
    assert bool(found.padded) == (comparison.equal < comparison.windows)
