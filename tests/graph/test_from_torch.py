"""Modules of PyTorch as graphs: the same values, the same names, and nothing changed."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import faltung
from faltung.errors import GraphError, MissingExtraError
from faltung.graph import Graph
from faltung.graph import from_torch as made
from faltung.ops.operator import Array


def seeded(torch: ModuleType, module: Any) -> Any:
    """Return a module with random weights and running statistics, in float64."""
    torch.manual_seed(0)
    for name, value in module.state_dict().items():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.5 if "var" in name else torch.randn_like(value))
    return module.double().eval()


def convolutions(nn: Any) -> Any:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=2, dilation=2, groups=4, bias=False),
        nn.ReLU6(),
        nn.MaxPool2d(2),
        nn.Dropout(),
        nn.Flatten(),
        nn.Linear(8 * 3 * 3, 5),
        nn.Softmax(dim=1),
    )


def residual(nn: Any) -> Any:
    class Residual(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(3, 6, 3, padding=1, bias=False)
            self.norm = nn.BatchNorm2d(6)
            self.second = nn.Conv2d(6, 6, (1, 3), padding="same")
            self.skip = nn.Conv2d(3, 6, 1)
            self.head = nn.Linear(6, 4)

        def forward(self, image: Any) -> Any:
            h = self.second(self.norm(self.first(image)).relu()) + self.skip(image)
            return self.head(h.mean(dim=(2, 3)))

    return Residual()


def upsampling(nn: Any) -> Any:
    class Upsampling(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.down = nn.Conv2d(3, 4, 3, stride=2, padding=1)
            self.up = nn.ConvTranspose2d(4, 4, 3, stride=2, padding=1, output_padding=1)

        def forward(self, x: Any) -> Any:
            h = nn.functional.interpolate(self.down(x), scale_factor=2, mode="bilinear")
            h = h + self.up(self.down(x))
            return nn.functional.interpolate(h, size=(7, 9), mode="nearest")

    return Upsampling()


def pooling(nn: Any) -> Any:
    return nn.Sequential(
        nn.AvgPool2d(3, 2, 1, count_include_pad=False),
        nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
        nn.InstanceNorm2d(4, affine=True),
        nn.LeakyReLU(0.2),
        nn.AdaptiveAvgPool2d((2, 3)),
        nn.GroupNorm(2, 4),
        nn.Hardswish(),
        nn.AdaptiveMaxPool2d(1),
    )


def volume(nn: Any) -> Any:
    return nn.Sequential(nn.Conv3d(3, 4, 2), nn.BatchNorm3d(4), nn.GELU(), nn.MaxPool3d(2))


def signal(nn: Any) -> Any:
    return nn.Sequential(nn.Conv1d(3, 4, 5, padding=2), nn.PReLU(4), nn.Linear(12, 6))


def several(nn: Any) -> Any:
    class Several(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 3, 3, padding=1)

        def forward(self, left: Any, right: Any) -> Any:
            h = self.conv(left)
            return h * right, (h - right).flatten(1)

    return Several()


MODULES: dict[Callable[[Any], Any], list[tuple[int, ...]]] = {
    convolutions: [(2, 3, 12, 12)],
    residual: [(2, 3, 9, 8)],
    upsampling: [(2, 3, 8, 8)],
    pooling: [(2, 3, 12, 12)],
    volume: [(2, 3, 6, 5, 7)],
    signal: [(2, 3, 12)],
    several: [(2, 3, 6, 6), (2, 3, 6, 6)],
}


def results(y: Any) -> list[Array]:
    return [np.asarray(each) for each in (y if isinstance(y, tuple) else (y,))]


def check_same(torch: ModuleType, module: Any, graph: Graph, batch: int = 3) -> None:
    """Compare in float64: what is wrong differs by far more than rounding of 53 bits.

    The bound is that of a sum of as many terms as the network has weights and values in an image,
    layer after layer, each value at most as large as the largest there is.
    """
    rng = np.random.default_rng(1)
    xs = [rng.standard_normal((batch, *v.shape[1:])) for v in graph.inputs]
    with torch.no_grad():
        want = module(*(torch.from_numpy(x) for x in xs))
    feeds = {v.name: x for v, x in zip(graph.inputs, xs, strict=True)}
    got = graph(feeds)
    terms = sum(a.size for a in graph.params.values()) + sum(x[0].size for x in xs)
    for ours, theirs in zip(results(got), results(want), strict=True):
        assert ours.dtype == theirs.dtype
        assert ours.shape == theirs.shape
        bound = terms * len(graph.nodes) * np.finfo(np.float64).eps * np.abs(theirs).max()
        assert np.abs(ours - theirs).max() <= bound
        assert np.abs(theirs).max() > 0


@pytest.mark.parametrize("kind", MODULES, ids=lambda kind: kind.__name__)
def test_values_and_names_are_the_modules(
    torch: ModuleType, kind: Callable[[Any], Any], request: pytest.FixtureRequest
) -> None:
    if kind is pooling:  # PyTorch's older exporter does not know the size that is pooled
        request.getfixturevalue("onnxscript")
    module = seeded(torch, kind(torch.nn))
    graph = faltung.from_torch(module, tuple(np.zeros(s) for s in MODULES[kind]))
    check_same(torch, module, graph)
    assert {v.shape[0] for v in graph.inputs} == {"N"}
    assert list(graph.params) == [name for name, _ in module.named_parameters()]
    assert all(graph.params[n].size == p.numel() for n, p in module.named_parameters())


@pytest.mark.parametrize("kind", [residual, upsampling, several])
def test_the_newer_exporter(
    torch: ModuleType, onnxscript: ModuleType, kind: Callable[[Any], Any]
) -> None:
    module = seeded(torch, kind(torch.nn))
    given = tuple(torch.zeros(s, dtype=torch.float64) for s in MODULES[kind])
    with made._quiet():
        graph = made._with_names(made._Export(module, given, None).read(True)[0], module)
    check_same(torch, module, graph)
    assert list(graph.params) == [name for name, _ in module.named_parameters()]


def test_one_tensor_and_the_names_of_inputs(torch: ModuleType) -> None:
    module = torch.nn.Conv2d(1, 2, 3)
    for example in (torch.zeros(1, 1, 8, 8), np.zeros((1, 1, 8, 8)), [torch.zeros(1, 1, 8, 8)]):
        graph = faltung.from_torch(module, example)
        assert graph.inputs == (faltung.Value("input", ("N", 1, 8, 8)),)
        assert graph.outputs == ("y",)
    assert {
        v.name for v in faltung.from_torch(several(torch.nn), (np.zeros((1, 3, 4, 4)),) * 2).inputs
    } == {"left", "right"}


@pytest.mark.parametrize("opset", [11, 17])
def test_other_operator_sets(torch: ModuleType, opset: int) -> None:
    module = seeded(torch, convolutions(torch.nn))
    check_same(torch, module, faltung.from_torch(module, np.zeros((2, 3, 12, 12)), opset=opset))


def test_nothing_of_the_module_changes(torch: ModuleType) -> None:
    """Each part keeps its own mode; weights, statistics and their gradients stay as they are."""
    module = convolutions(torch.nn).train()
    module[1].eval()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    graph = faltung.from_torch(module, np.zeros((2, 3, 12, 12), np.float32))
    assert [part.training for part in module] == [i != 1 for i in range(len(module))]
    assert module.training
    assert all(torch.equal(value, before[name]) for name, value in module.state_dict().items())
    assert all(p.requires_grad for p in module.parameters())
    assert "Dropout" not in {n.operator.subject for n in graph.nodes}
    assert set(graph.state) == {"1.running_mean", "1.running_var"}


def test_nothing_is_printed_and_no_logger_stays_quiet(
    torch: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        faltung.from_torch(torch.nn.ReLU(), np.zeros((1, 2)))
    assert capsys.readouterr() == ("", "")
    assert logging.root.manager.disable == 0


def test_a_size_that_the_module_computes_with(torch: ModuleType) -> None:
    """The batch decides a value: the graph is of the example's batch alone."""

    class Counting(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x * torch.ones(x.shape[0], 1) + torch.arange(x.shape[0])[:, None]

    graph = faltung.from_torch(Counting(), np.zeros((4, 3), np.float32))
    assert graph.inputs[0].shape == (4, 3)
    want = np.arange(4, dtype=np.float32)[:, None] + np.zeros(3, np.float32)
    assert np.array_equal(graph(np.zeros((4, 3))), want)


def test_examples_without_a_batch_in_common(torch: ModuleType) -> None:
    class Scaled(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any, scale: Any) -> Any:
            return x * scale

    graph = faltung.from_torch(Scaled(), (np.ones((2, 3), np.float32), np.ones(3, np.float32)))
    assert [v.shape for v in graph.inputs] == [(2, 3), (3,)]


def choosing(torch: ModuleType) -> Any:
    class Choosing(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return x + 1 if x.sum() > 0 else x - 1

    return Choosing()


def test_what_the_values_decide_is_said(torch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    """One run takes one of two ways, and nothing in a graph can choose."""
    match = "from_torch: other inputs might take another way through the module than the example"
    with pytest.warns(UserWarning, match=match):
        graph = faltung.from_torch(choosing(torch), np.ones((2, 3), np.float32))
    assert np.array_equal(graph(np.ones((2, 3))), np.full((2, 3), 2))


def test_what_cannot_be_exported(torch: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    class Odd(torch.nn.Module):  # type: ignore[misc, name-defined]
        def forward(self, x: Any) -> Any:
            return torch.linalg.eigvals(x)

    with pytest.raises(GraphError, match="from_torch: the module cannot be exported: "):
        faltung.from_torch(Odd(), np.ones((2, 3, 3), np.float32))
    monkeypatch.setattr(made, "find_spec", lambda name: None if name == "onnxscript" else 1)
    with pytest.raises(GraphError, match=r"other exporter needs: pip install onnxscript\."):
        faltung.from_torch(Odd(), np.ones((2, 3, 3), np.float32))


def test_what_is_no_module_and_no_example(torch: ModuleType) -> None:
    with pytest.raises(GraphError, match=r"a torch\.nn\.Module must be given, got module=int"):
        faltung.from_torch(3, np.zeros(3))  # type: ignore[arg-type]
    match = r"the example must be a tensor or an array, or a tuple of these, got example=\['str'\]"
    with pytest.raises(GraphError, match=match):
        faltung.from_torch(torch.nn.ReLU(), "x")


def test_pytorch_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(made, "find_spec", lambda name: None)
    match = r"from_torch: PyTorch is needed and not installed\. Install it: pip install torch\."
    with pytest.raises(MissingExtraError, match=match):
        made.from_torch(None, None)  # type: ignore[arg-type]
    assert "torch" not in vars(made)
    assert sys.modules[made.__name__] is made
