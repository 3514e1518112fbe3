"""Networks as PyTorch exports them: with a batch of any size, in old and new operator sets."""

from __future__ import annotations

import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from faltung.graph import load


def network(torch: ModuleType) -> Any:
    """Convolution to a dense layer, the sizes between them computed from the image's own."""
    nn = torch.nn

    class Net(nn.Module):  # type: ignore[misc, name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.features = nn.Sequential(
                nn.Conv2d(3, 8, 3, stride=2, padding=1),
                nn.BatchNorm2d(8),
                nn.ReLU6(),
                nn.MaxPool2d(2, ceil_mode=True),
                nn.ConvTranspose2d(8, 4, 2, stride=2),
                nn.Dropout(),
            )
            self.head = nn.Linear(4 * 4 * 4, 5)

        def forward(self, x: Any) -> Any:
            h = self.features(x)
            h = torch.nn.functional.pad(h, (0, 1, 1, 0))[:, :, 1:, :-1]
            return torch.softmax(self.head(h.reshape(h.size(0), -1)), dim=1)

    torch.manual_seed(0)
    return Net().eval()


@pytest.mark.parametrize("opset", [9, 11, 13, 18])
def test_an_export_with_an_open_batch(torch: ModuleType, tmp_path: Path, opset: int) -> None:
    net, path = network(torch), tmp_path / "m.onnx"
    x = torch.randn(2, 3, 8, 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net,
            x,
            path,
            opset_version=opset,
            dynamic_axes={"x": {0: "n"}},
            input_names=["x"],
            dynamo=False,
        )
    graph = load(path)
    assert graph.inputs[0].shape == ("n", 3, 8, 8)
    for batch in (1, 5):
        image = torch.randn(batch, 3, 8, 8)
        with torch.no_grad():
            want = net(image).numpy()
        got = graph(image.numpy())
        assert isinstance(got, np.ndarray)
        assert np.allclose(got, want, rtol=1e-5, atol=1e-6)
