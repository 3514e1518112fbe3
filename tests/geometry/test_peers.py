"""Output sizes against PyTorch's, on tensors that have a shape and no values."""

from __future__ import annotations

from itertools import product
from types import ModuleType

from faltung.geometry import ConvWindow, PoolWindow, TransposedWindow

SIZES = (1, 2, 5, 8)
KERNELS = STRIDES = (1, 2, 3)
DILATIONS = PADS = (1, 2)


def test_conv_sizes_equal_pytorchs(torch: ModuleType) -> None:
    compared = 0
    for n, k, s, d, p in product(SIZES, KERNELS, STRIDES, DILATIONS, (0, *PADS)):
        window = ConvWindow.of((1, 2, n), (3, 2, k), stride=s, dilation=d, padding=p)
        if not window.out_space[0]:
            continue  # PyTorch refuses a kernel larger than its input.
        x, w = torch.empty(1, 2, n, device="meta"), torch.empty(3, 2, k, device="meta")
        y = torch.nn.functional.conv1d(x, w, stride=s, dilation=d, padding=p)
        assert window.out_shape == tuple(y.shape)
        compared += 1
    assert compared > 150


def test_transposed_sizes_equal_pytorchs(torch: ModuleType) -> None:
    compared = 0
    for n, k, s, d, p in product(SIZES, KERNELS, STRIDES, DILATIONS, (0, *PADS)):
        more = max(s, d) - 1
        if (n - 1) * s + d * (k - 1) + 1 + more <= 2 * p:
            continue  # PyTorch refuses an empty output.
        window = TransposedWindow.of(
            (1, 2, n), (2, 3, k), stride=s, dilation=d, padding=p, output_padding=more
        )
        x, w = torch.empty(1, 2, n, device="meta"), torch.empty(2, 3, k, device="meta")
        y = torch.nn.functional.conv_transpose1d(
            x, w, stride=s, dilation=d, padding=p, output_padding=more
        )
        assert window.out_shape == tuple(y.shape)
        compared += 1
    assert compared > 150


def test_pool_sizes_equal_pytorchs(torch: ModuleType) -> None:
    """Trap 11: in ceil mode too."""
    compared = 0
    for n, k, s, p, ceil in product(
        (3, 4, 7, 9, 10), (1, 2, 3, 4), (1, 2, 3, 4), (0, 1, 2), (0, 1)
    ):
        if p > k // 2:
            continue  # PyTorch refuses it.
        window = PoolWindow.of((1, 2, n), k, stride=s, padding=p, ceil=bool(ceil))
        if not window.out_space[0]:
            continue
        x = torch.empty(1, 2, n, device="meta")
        y = torch.nn.functional.max_pool1d(x, k, stride=s, padding=p, ceil_mode=bool(ceil))
        assert window.out_shape == tuple(y.shape)
        compared += 1
    assert compared > 200
