"""Cook and Toom's matrices exactly, and Winograd's convolution within the bound they give."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.geometry.window import ConvWindow
from faltung.kernels import winograd_call
from faltung.kernels.cook_toom import CookToom, cook_toom
from faltung.kernels.isa import ISAS, VARIABLE, has
from faltung.kernels.linear import times
from faltung.kernels.numpy_conv import conv as numpy_conv
from faltung.kernels.registry import gamma

FORMS = [(1, 1), (2, 3), (4, 3), (3, 3), (6, 3), (2, 5), (4, 2), (2, 2), (4, 4), (3, 1), (1, 3)]
BY_OUTPUTS: dict[int, Callable[..., Any]] = {2: winograd_call.conv_f2, 4: winograd_call.conv_f4}
HERE = [isa.name for isa in ISAS if has(isa)]


def product(matrix: Any, column: Any) -> list[Fraction]:
    """Multiply exactly."""
    return [sum((a * b for a, b in zip(row, column, strict=True)), Fraction(0)) for row in matrix]


@pytest.mark.parametrize(("outputs", "taps"), FORMS)
def test_matrices_correlate_exactly(outputs: int, taps: int) -> None:
    """In fractions the three matrices give the correlation itself."""
    form = cook_toom(outputs, taps)
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = [Fraction(int(v)) for v in rng.integers(-9, 10, form.size)]
        w = [Fraction(int(v)) for v in rng.integers(-9, 10, taps)]
        u, v = product(form.from_weights, w), product(form.from_input, x)
        y = product(form.to_output, [a * b for a, b in zip(u, v, strict=True)])
        assert y == [sum(x[i + k] * w[k] for k in range(taps)) for i in range(outputs)]


@pytest.mark.parametrize("form", [cook_toom(2, 3), cook_toom(4, 3)])
def test_constants_are_not_rounded(form: CookToom) -> None:
    """What is compiled into the transforms is exact in float32."""
    entries = {v for matrix in (form.from_input, form.to_output) for row in matrix for v in row}
    halves = {v / 2 for v in entries}
    assert all(Fraction(float(np.float32(float(v)))) == v for v in entries | halves)


class Numbers:
    """Stands for `Code`: vectors are plain fractions, instructions are counted."""

    def constant(self, value: float) -> Fraction:
        return Fraction(value)

    def fma(self, a: Fraction, b: Fraction, c: Fraction) -> Fraction:
        return a * b + c


@pytest.mark.parametrize(("outputs", "taps"), [(2, 3), (4, 3)])
def test_shared_work_is_the_same_product(outputs: int, taps: int) -> None:
    """`times` gives the matrix product, by whatever it shares."""
    form = cook_toom(outputs, taps)
    column = [Fraction(int(v)) for v in np.random.default_rng(1).integers(-99, 99, form.size)]
    for matrix in (form.from_input, form.to_output):
        assert times(Numbers(), matrix, column) == product(matrix, column)  # type: ignore[arg-type]


def bound(window: ConvWindow, x: Any, w: Any, b: Any, outputs: int) -> Any:
    """Return how far rounding may move each output.

    Along a path from an input to an output every transform rounds at most ``n`` times for each of
    two axes, weights once, products and the sum over channels once each, the bias once. So
    ``|error| <= γ · |Aᵀ| [Σ |G||w||Gᵀ| ⊙ |Bᵀ||x||B|] |A|``.
    """
    form = cook_toom(outputs, 3)
    a, g, bt = (
        np.abs(np.array([[float(v) for v in row] for row in matrix]))
        for matrix in (form.to_output, form.from_weights, form.from_input)
    )
    rows, columns = window.axes
    tiles = [-(-axis.out_size // outputs) for axis in (rows, columns)]
    padded = np.zeros((*x.shape[:2], *(outputs * t + form.size for t in tiles)))
    y0, x0 = (max(0, -axis.pad_lo) for axis in (rows, columns))
    part = np.abs(x)[:, :, y0:, x0:]
    lead = [max(0, axis.pad_lo) for axis in (rows, columns)]
    part = part[:, :, : padded.shape[2] - lead[0], : padded.shape[3] - lead[1]]
    padded[:, :, lead[0] : lead[0] + part.shape[2], lead[1] : lead[1] + part.shape[3]] = part
    views = np.lib.stride_tricks.sliding_window_view(padded, (form.size, form.size), (2, 3))
    cut = views[:, :, ::outputs, ::outputs][:, :, : tiles[0], : tiles[1]]
    v = np.einsum("ij,nctsjk,lk->nctsil", bt, cut, bt)
    u = np.einsum("ij,ocjk,lk->ocil", g, np.abs(w), g)
    v = v.reshape(v.shape[0], window.groups, -1, *v.shape[2:])
    u = u.reshape(window.groups, -1, *u.shape[1:])
    m = np.einsum("gocil,ngctsil->ngotsil", u, v)
    y = np.einsum("pi,ngotsil,ql->ngotpsq", a, m, a)
    whole = y.reshape(x.shape[0], w.shape[0], tiles[0] * outputs, tiles[1] * outputs)
    steps = 4 * form.size + window.group_in + 4
    sums = whole[:, :, : rows.out_size, : columns.out_size] + np.abs(b)[:, None, None]
    return gamma(steps, np.dtype(np.float32)) * sums


def drawn(seed: int) -> tuple[ConvWindow, Any, Any, Any] | None:
    """Return a random geometry with floats for it."""
    rng = np.random.default_rng(seed)
    groups = int(rng.choice([1, 1, 2]))
    channels, out = groups * int(rng.integers(1, 9)), groups * int(rng.integers(1, 20))
    x_shape = (int(rng.integers(0, 3)), channels, *(int(n) for n in rng.integers(1, 50, 2)))
    padding = [(int(a), int(b)) for a, b in rng.integers(-1, 4, (2, 2))]
    try:
        w_shape = (out, channels // groups, 3, 3)
        window = ConvWindow.of(x_shape, w_shape, padding=padding, groups=groups)
    except GeometryError:
        return None
    return window, *(rng.standard_normal(s).astype(np.float32) for s in (x_shape, w_shape, (out,)))


@pytest.mark.parametrize("isa", HERE)
@pytest.mark.parametrize("outputs", [2, 4])
def test_within_the_bound(outputs: int, isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Random geometries in float32, against float64."""
    monkeypatch.setenv(VARIABLE, isa)
    cases = [
        case for case in map(drawn, range(30)) if case is not None and 0 not in case[0].out_shape
    ]
    assert len(cases) >= 15
    for window, x, w, b in cases:
        y = BY_OUTPUTS[outputs](window, x, w, b)
        wanted = numpy_conv(window, *(array.astype(np.float64) for array in (x, w, b)))
        assert y.shape == wanted.shape
        assert (np.abs(y - wanted) <= bound(window, x, w, b, outputs)).all(), window


def test_the_bound_can_fail() -> None:
    """The control: a swapped kernel is far outside it."""
    case = drawn(1)
    assert case is not None
    window, x, w, b = case
    wanted = numpy_conv(window, *(array.astype(np.float64) for array in (x, w, b)))
    y = winograd_call.conv_f4(window, x, np.ascontiguousarray(w[:, :, ::-1]), b)
    assert not (np.abs(y - wanted) <= bound(window, x, w, b, 4)).all()


@pytest.mark.parametrize("outputs", [2, 4])
def test_threads_and_batches_change_no_bit(outputs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """1 to 3 threads, and images one by one."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((3, 17, 33, 30)).astype(np.float32)
    w = rng.standard_normal((40, 17, 3, 3)).astype(np.float32)
    window, one = (ConvWindow.of((n, *x.shape[1:]), w.shape, padding=1) for n in (3, 1))
    found = []
    for threads in "123":
        monkeypatch.setenv("FALTUNG_NUM_THREADS", threads)
        found.append(BY_OUTPUTS[outputs](window, x, w))
        singly = [BY_OUTPUTS[outputs](one, x[i : i + 1], w) for i in range(3)]
        found.append(np.concatenate(singly))
    assert all((y == found[0]).all() for y in found)
