"""The example keeps its promises: NumPy alone, 150 lines, 99.5 %, the graph's gradients."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from faltung import datasets
from faltung import layers as L

EXAMPLE = Path(__file__).parents[2] / "examples" / "cnn_from_scratch.py"


@pytest.fixture(scope="module")
def scratch() -> ModuleType:
    spec = importlib.util.spec_from_file_location("cnn_from_scratch", EXAMPLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_short_and_imports_numpy_alone() -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 150
    roots = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            roots |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            roots.add(str(node.module).split(".")[0])
    assert roots - sys.stdlib_module_names == {"numpy"}


def test_it_learns_zeros_and_ones(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, str(EXAMPLE)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert run.stderr == ""
    accuracies = [float(a) for a in re.findall(r"test accuracy ([\d.]+)%", run.stdout)]
    assert len(accuracies) == 5
    assert accuracies[-1] >= 99.5


def as_graph(params: dict[str, np.ndarray]) -> object:
    """The same network through the toolkit; its dense weights are (classes, features)."""
    chain = L.Chain(L.Conv(8, 3), L.Relu(), L.Conv(8, 3), L.Relu(), L.Flatten(), L.Dense(2))
    net = L.build(chain, (1, 14, 14)).astype(np.float64)
    names = {"w1": "conv1.weight", "b1": "conv1.bias", "w2": "conv2.weight", "b2": "conv2.bias"}
    mine = {graph: params[scratch] for scratch, graph in names.items()}
    mine |= {"dense1.weight": params["w3"].T, "dense1.bias": params["b3"]}
    return net.replace(params=mine)


def test_its_gradients_are_the_graphs(scratch: ModuleType) -> None:
    rng = np.random.default_rng(1)
    params = {
        name: value + 0.1 * rng.standard_normal(value.shape)
        for name, value in scratch.initial(rng).items()
    }
    x, labels = rng.random((5, 1, 14, 14)), np.array([0, 1, 1, 0, 1])
    scores, hidden = scratch.forward(x, params)
    net = as_graph(params)
    np.testing.assert_allclose(net(x), scores, rtol=0, atol=1e-10)  # type: ignore[operator]
    _, probability = scratch.loss_forward(scores, labels)
    dscores = scratch.loss_backward(probability, labels)
    mine = scratch.backward(dscores, x, params, hidden)
    theirs = net.gradients(x, dscores)  # type: ignore[attr-defined]
    pairs = {
        "w1": theirs["conv1.weight"],
        "b1": theirs["conv1.bias"],
        "w2": theirs["conv2.weight"],
        "b2": theirs["conv2.bias"],
        "w3": theirs["dense1.weight"].T,
        "b3": theirs["dense1.bias"],
    }
    for name, grad in pairs.items():
        assert np.abs(grad).max() > 1e-3, name
        np.testing.assert_allclose(mine[name], grad, rtol=0, atol=1e-10, err_msg=name)


def test_its_loss_gradient_is_a_central_difference(scratch: ModuleType) -> None:
    rng = np.random.default_rng(2)
    scores, labels = rng.standard_normal((4, 2)), np.array([0, 1, 1, 0])
    step = 1e-6 * rng.standard_normal(scores.shape)
    slope = scratch.loss_forward(scores + step, labels)[0]
    slope -= scratch.loss_forward(scores - step, labels)[0]
    grad = scratch.loss_backward(scratch.loss_forward(scores, labels)[1], labels)
    np.testing.assert_allclose(slope / 2, np.vdot(grad, step), rtol=1e-6)


def test_it_reads_the_digits_that_the_toolkit_reads(scratch: ModuleType) -> None:
    path = Path(datasets.__file__).with_name("sample.npz")
    images, labels = scratch.load(path, "test")
    pair = datasets.zero_one(datasets.load("sample", split="test"))
    np.testing.assert_array_equal(labels, pair.labels)
    np.testing.assert_allclose(images * 255, pair.images, rtol=0, atol=1e-10)
