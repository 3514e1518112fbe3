"""Rows L1 to L7: every figure of the way from a dense layer to a convolution, computed.

Closed forms are compared with an enumeration that knows nothing of them, on 50 random shapes; each
comparison is shown to catch a form that is off by one.
"""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import product
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import faltung
from faltung.constraints import (
    CORNERS,
    ConvMatrix,
    Square,
    by_offset,
    by_position,
    chance,
    conv_matrix,
    corner_of,
    explained,
    project,
    square,
)
from faltung.constraints.corner import constraints_of
from faltung.ops import Conv, ConvTranspose
from faltung.testing import Case, cases_of, draw
from faltung.testing.compare import assert_exact, assert_same_bits

Figures = dict[str, tuple[int, int]]
SHAPES = 50
SIZES = [(1,), (2, 3), (4, 3), (2, 3, 2), (5,)]


# L1: re-indexing -----------------------------------------------------------------------------


def by_loops(w: np.ndarray, v: np.ndarray, shift: int = 0) -> bool:
    """Whether V[i, a] = W[i, i + a] wherever i + a is a position, seen one by one."""
    size = w.shape[: w.ndim // 2]
    for i in np.ndindex(*size):
        for k in np.ndindex(*size):
            at = tuple(b - a + n - 1 + shift for a, b, n in zip(i, k, size, strict=True))
            if any(not 0 <= a < 2 * n - 1 for a, n in zip(at, size, strict=True)):
                return False
            if w[i + k] != v[i + at]:
                return False
    return True


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_l1_loses_nothing_and_changes_no_bit(size: tuple[int, ...]) -> None:
    rng = np.random.default_rng(1)
    bits = rng.integers(0, 2**63, size + size, dtype=np.int64)  # among them NaNs of all kinds
    w = bits.view(np.float64)
    assert_same_bits(by_position(by_offset(w)), w)
    v = by_offset(w)
    assert_same_bits(by_offset(by_position(v)), v)
    whole = bits.astype(np.int64)
    assert by_loops(whole, by_offset(whole))
    assert by_offset(whole).dtype == np.int64


def test_l1_sees_offsets_that_are_off_by_one() -> None:
    w = np.arange(36).reshape(2, 3, 2, 3)
    assert not by_loops(w, by_offset(w), shift=1)
    assert not by_loops(w, np.roll(by_offset(w), 1, axis=-1))


# L2, L3, L5: how many parameters, how many non-zeros -----------------------------------------


def test_l2_at_a_thousand_by_a_thousand() -> None:
    large = square((1000, 1000), 10)
    assert large.parameters("dense") == 10**12
    assert large.parameters("shared") == 3_996_001
    assert large.parameters("dense") // large.parameters("shared") == 250_250
    assert "3,996,001" in str(large)
    assert "250,250" in str(large)
    assert large.to_dict()["corners"]["shared"]["parameters"] == 3_996_001


@pytest.mark.parametrize("delta", [0, 1, 2, 10])
def test_l3_is_two_delta_plus_one_squared(delta: int) -> None:
    assert square((1000, 1000), delta).parameters("convolution") == (2 * delta + 1) ** 2


L5 = [
    ((2, 2), (-1, 1), (16, 9, 16, 9)),
    ((2, 2), (0, 1), (16, 9, 9, 4)),
    ((2, 3), (-1, 1), (36, 15, 28, 9)),
    ((2, 3), (0, 1), (36, 15, 15, 4)),
    ((3, 3), (-1, 1), (81, 25, 49, 9)),
    ((3, 3), (0, 1), (81, 25, 25, 4)),
]


@pytest.mark.parametrize(("size", "window", "parameters"), L5, ids=str)
def test_l5_parameters_and_nonzeros(
    size: tuple[int, ...], window: tuple[int, int], parameters: tuple[int, ...]
) -> None:
    found = square(size, window)
    assert tuple(found.parameters(corner) for corner in CORNERS) == parameters
    dense, _, local, _ = parameters
    assert [found.nonzeros(corner) for corner in CORNERS] == [dense, dense, local, local]
    for corner, count in zip(CORNERS, parameters, strict=True):
        tied = found.tied(corner)
        assert set(tied[tied >= 0].tolist()) == set(range(count))
        assert np.count_nonzero(tied >= 0) == found.nonzeros(corner)


def enumerated(square: Square) -> Figures:
    """Count by looking at every pair of positions of every pair of channels."""
    positions = list(product(*map(range, square.size)))
    offsets = [
        tuple(b - a for a, b in zip(here, there, strict=True))
        for here in positions
        for there in positions
    ]
    near = [
        offset
        for offset in offsets
        if all(lo <= a <= hi for a, (lo, hi) in zip(offset, square.window, strict=True))
    ]
    channels = square.in_channels * square.out_channels
    counts = {
        "dense": (len(offsets), len(offsets)),
        "shared": (len(set(offsets)), len(offsets)),
        "local": (len(near), len(near)),
        "convolution": (len(set(near)), len(near)),
    }
    return {name: (a * channels, b * channels) for name, (a, b) in counts.items()}


def closed(square: Square) -> Figures:
    return {c: (square.parameters(c), square.nonzeros(c)) for c in CORNERS}


def random_squares() -> list[Square]:
    rng = np.random.default_rng(5)
    found = []
    while len(found) < SHAPES:
        size = tuple(int(n) for n in rng.integers(1, 6, rng.integers(1, 4)))
        lows = [int(rng.integers(-n, n)) for n in size]
        window = [
            (lo, int(rng.integers(max(lo, 1 - n), n + 2))) for lo, n in zip(lows, size, strict=True)
        ]
        channels = [int(n) for n in rng.integers(1, 4, 2)]
        found.append(square(size, window, in_channels=channels[0], out_channels=channels[1]))
    return found


def test_l5_closed_forms_are_what_enumeration_counts() -> None:
    squares = random_squares()
    assert {len(s.size) for s in squares} == {1, 2, 3}
    assert any(s.reach != s.window for s in squares)
    for each in squares:
        assert closed(each) == enumerated(each)


class WindowOneShort(Square):
    @property
    def reach(self) -> Any:
        return tuple((lo, max(lo, hi - 1)) for lo, hi in super().reach)


class WindowUnclipped(Square):
    @property
    def reach(self) -> Any:
        return self.window


class OffsetsOneShort(Square):
    def offsets(self, corner: str) -> Any:
        found = super().offsets(corner)
        if constraints_of(corner).local:
            return found
        return tuple((min(lo + 1, hi), hi) for lo, hi in found)


class ChannelMissing(Square):
    def parameters(self, corner: str) -> int:
        return super().parameters(corner) // self.in_channels


@pytest.mark.parametrize(
    "broken", [WindowOneShort, WindowUnclipped, OffsetsOneShort, ChannelMissing]
)
def test_l5_forms_that_are_off_by_one_are_caught(broken: type[Square]) -> None:
    made = [broken(s.size, s.window, s.in_channels, s.out_channels) for s in random_squares()]
    assert any(closed(each) != enumerated(each) for each in made)


# L4: two constraints, in either order --------------------------------------------------------


def tie(w: np.ndarray, size: tuple[int, ...]) -> np.ndarray:
    """Translation invariance, spelt out: entries of one offset become their mean."""
    v = by_offset(w.reshape(size + size), fill=math.nan).reshape(math.prod(size), -1)
    mean = np.broadcast_to(np.nanmean(v, axis=0), v.shape)
    return by_position(mean.reshape(by_offset(w.reshape(size + size)).shape)).reshape(w.shape)


def cut(w: np.ndarray, each: Square) -> np.ndarray:
    """Locality, spelt out: entries of offsets outside the window become zero."""
    out = w.copy()
    for i, here in enumerate(product(*map(range, each.size))):
        for k, there in enumerate(product(*map(range, each.size))):
            axes = zip(here, there, each.window, strict=True)
            if not all(lo <= b - a <= hi for a, b, (lo, hi) in axes):
                out[i, k] = 0
    return out


@pytest.mark.parametrize(("size", "window", "_parameters"), L5, ids=str)
def test_l4_either_order_of_the_constraints_gives_the_convolution(
    size: tuple[int, ...], window: tuple[int, int], _parameters: object
) -> None:
    each = square(size, window)
    w = 36.0 * np.random.default_rng(4).integers(-9, 10, each.shape)  # so that means are whole
    shared, local = tie(w, each.size), cut(w, each)
    assert_exact(project(each, w, "shared"), shared)
    assert_exact(project(each, w, "local"), local)
    both = project(each, w, "convolution")
    assert_exact(tie(local, each.size), both)
    assert_exact(cut(shared, each), both)
    assert_exact(project(each, shared, "local"), both)
    assert_exact(project(each, local, "shared"), both)
    assert (corner_of(True, False), corner_of(True, True)) == ("shared", "convolution")


# L6: a convolution as a matrix ---------------------------------------------------------------


def test_l6_six_by_six_valid() -> None:
    found = ConvMatrix.of((6, 6), (1, 1, 3, 3))
    assert found.shape == (16, 36)
    assert found.row_nonzeros == (9, 9)
    tied = found.tied()
    assert set((tied >= 0).sum(axis=1).tolist()) == {9}
    assert all(row[row >= 0].tolist() == list(range(9)) for row in tied)


def test_l6_four_by_four_same() -> None:
    found = ConvMatrix.of((4, 4), (1, 1, 3, 3), padding="same")
    assert found.shape == (16, 16)
    assert (found.nonzeros, found.parameters, found.row_nonzeros) == (100, 9, (4, 9))
    tied = found.tied()
    assert np.count_nonzero(tied >= 0) == 100
    assert tied.size == 256
    assert len(np.unique(tied[tied >= 0])) == 9


def test_a_dense_layer_that_is_a_convolution() -> None:
    w = np.arange(1.0, 10).reshape(1, 1, 3, 3)
    x = np.random.default_rng(6).integers(-4, 5, (5, 1, 6, 6)).astype(float)
    dense = faltung.layers.build(
        faltung.layers.Chain(faltung.layers.Flatten(), faltung.layers.Dense(16, bias=False)),
        (1, 6, 6),
    )
    made = dense.replace(params={"dense1.weight": conv_matrix(w, (6, 6))}).astype(np.float64)
    assert made.params["dense1.weight"].shape == (16, 36)
    assert_exact(np.asarray(made(x)).reshape(5, 1, 4, 4), faltung.conv(x, w))


def arguments(case: Case) -> dict[str, Any]:
    op = case.operator
    names = ("stride", "padding", "dilation", "groups")
    return {name: getattr(op, name) for name in names}


CONVS = [c for c in cases_of(Conv) if c.operator.padding_mode == "zeros"]


@pytest.mark.parametrize("case", CONVS, ids=lambda c: c.name)
def test_l6_the_matrix_does_what_conv_does(case: Case) -> None:
    x, w = draw(case)[:2]
    matrix = conv_matrix(w, x.shape[2:], **arguments(case))
    y = faltung.conv(x, w, **arguments(case))
    assert_exact(x.reshape(len(x), matrix.shape[1]) @ matrix.T, y.reshape(len(x), len(matrix)))
    if x.size and y.size and case.operator.groups == 1:
        moved = np.roll(matrix, 1, axis=1)
        assert not np.array_equal(x.reshape(len(x), -1) @ moved.T, y.reshape(len(x), -1))


@pytest.mark.parametrize("case", cases_of(ConvTranspose), ids=lambda c: c.name)
def test_l6_its_transpose_is_the_transposed_convolution(case: Case) -> None:
    y, w = draw(case)[:2]
    op: Any = case.operator
    window = op.window(y.shape, w.shape).adjoint
    matrix = ConvMatrix(window).matrix(w)
    x = faltung.conv_transpose(y, w, output_padding=op.output_padding, **arguments(case))
    assert_exact(y.reshape(len(y), len(matrix)) @ matrix, x.reshape(len(x), matrix.shape[1]))


@pytest.mark.parametrize("case", CONVS, ids=lambda c: c.name)
def test_l6_blocks_are_toeplitz(case: Case) -> None:
    """One output further along an axis is one stride further in the input."""
    op: Any = case.operator
    found = ConvMatrix(op.window(*case.in_shapes[:2]))
    w = found.window
    tied = found.tied().reshape(*w.out_shape[1:], *w.x_shape[1:])
    for axis, stride in enumerate(w.stride):
        out, into = axis + 1, len(w.out_shape) + axis
        further = np.take(tied, range(1, w.out_space[axis]), axis=out)
        here = np.take(tied, range(max(w.out_space[axis] - 1, 0)), axis=out)
        size = w.space[axis]
        if w.out_space[axis] > 1 and size > stride:
            a = np.take(further, range(stride, size), axis=into)
            b = np.take(here, range(size - stride), axis=into)
            # What is cropped has no weights, wherever it lies.
            lo, hi = max(-w.pads[axis][0], 0), size - stride - max(-w.pads[axis][1], 0)
            kept = range(lo, max(hi, lo))
            assert_exact(np.take(a, kept, axis=into), np.take(b, kept, axis=into))


def counted(window: Any) -> tuple[int, int]:
    """Connections by looking at every output and every tap: on padding too, and inside alone."""
    pairs = inside = 0
    slide = [window.stride, window.dilation, window.pads, window.space]
    for out in product(*map(range, window.out_space)):
        for tap in product(*map(range, window.kernel)):
            axes = zip(out, tap, *slide, strict=True)
            at = [(o * s - lo + k * d, n) for o, k, s, d, (lo, _), n in axes]
            pairs += 1
            inside += all(0 <= i < n for i, n in at)
    return tuple(n * window.out_channels * window.group_in for n in (pairs, inside))  # type: ignore[return-value]


def random_matrices() -> list[ConvMatrix]:
    rng = np.random.default_rng(6)
    found = []
    for _ in range(SHAPES):
        axes = int(rng.integers(1, 4))
        pads = [(int(a), int(b)) for a, b in rng.integers(0, 3, (axes, 2))]
        size, kernel, stride, dilation = (
            tuple(int(n) for n in rng.integers(1, top, axes)) for top in (6, 4, 3, 3)
        )
        groups = int(rng.integers(1, 3))
        w_shape = (groups * int(rng.integers(1, 3)), int(rng.integers(1, 3)), *kernel)
        options = {"stride": stride, "dilation": dilation, "padding": pads, "groups": groups}
        found.append(ConvMatrix.of(size, w_shape, **options))  # type: ignore[arg-type]
    return found


def test_l6_closed_forms_are_what_enumeration_counts() -> None:
    made = random_matrices()
    assert sum(m.nonzeros > 0 for m in made) > SHAPES // 2
    for each in made:
        assert (each.window.connections(), each.nonzeros) == counted(each.window)
        rows = (each.tied() >= 0).sum(axis=1)
        assert each.row_nonzeros == (int(rows.min(initial=99)) % 99, int(rows.max(initial=0)))
        assert np.count_nonzero(each.tied() >= 0) == each.nonzeros


@pytest.mark.parametrize("wrong", ["size", "kernel", "stride", "dilation", "pad_lo"])
def test_l6_forms_that_are_off_by_one_are_caught(wrong: str) -> None:
    made = random_matrices()
    seen = 0
    for each in made:
        axes = [replace(axis, **{wrong: getattr(axis, wrong) + 1}) for axis in each.window.axes]
        off = ConvMatrix(replace(each.window, axes=tuple(axes)))
        seen += off.nonzeros != counted(each.window)[1]
    assert seen > SHAPES // 3


# L7: projections -----------------------------------------------------------------------------

PER_CENT = {"dense": "100 %", "shared": "0.492 %", "local": "1.09 %", "convolution": "0.00146 %"}


def test_l7_chance_at_28_by_28() -> None:
    digits = square((28, 28), 1)
    shares = {corner: 100 * chance(digits, corner)[0] for corner in CORNERS}
    assert round(shares["shared"], 3) == 0.492
    assert round(shares["local"], 3) == 1.094
    assert round(shares["convolution"], 5) == 0.00146
    off = square((28, 28), (-1, 2))
    assert round(100 * chance(off, "local")[0], 3) != 1.094
    assert round(100 * chance(off, "convolution")[0], 5) != 0.00146
    text = str(explained(digits, np.eye(784)))
    assert all(share in text for share in PER_CENT.values())


def test_l7_chance_is_the_trace_of_the_projection() -> None:
    """Enumerated: how much of each single entry its own projection keeps."""
    for each in random_squares()[:12]:
        kept = dict.fromkeys(CORNERS, 0.0)
        for at in np.ndindex(*each.shape) if math.prod(each.shape) < 400 else ():
            one = np.zeros(each.shape)
            one[at] = 1
            for corner in CORNERS:
                kept[corner] += project(each, one, corner)[at]
        if kept["dense"]:
            for corner, total in kept.items():
                assert round(total, 6) == each.parameters(corner)


def gaussian_shares(each: Square, count: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(7)
    found = [explained(each, rng.standard_normal(each.shape)) for _ in range(count)]
    return {corner: np.array([f[corner].share for f in found]) for corner in CORNERS}


def test_l7_fifty_gaussian_matrices_match_chance() -> None:
    digits, wider = square((28, 28), 1), square((28, 28), (-1, 2))
    for corner, shares in gaussian_shares(digits, 50).items():
        mean, spread = chance(digits, corner)
        error = shares.std(ddof=1) / math.sqrt(len(shares))
        assert abs(shares.mean() - mean) <= 3 * error
        if corner != "dense":
            assert 0.6 < shares.std(ddof=1) / spread < 1.5
        if constraints_of(corner).local:
            assert abs(shares.mean() - chance(wider, corner)[0]) > 3 * error


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_l7_projections_are_idempotent_and_commute_to_the_bit(dtype: Any) -> None:
    rng = np.random.default_rng(8)
    for each in random_squares()[:20]:
        w = rng.standard_normal(each.shape).astype(dtype)
        once = {corner: project(each, w, corner) for corner in CORNERS}
        for corner, p in once.items():
            assert_same_bits(project(each, p, corner), p, corner)
        for a, b in product(CORNERS, CORNERS):
            (sa, la), (sb, lb) = constraints_of(a), constraints_of(b)
            both = once[corner_of(sa or sb, la or lb)]
            assert_exact(project(each, once[a], b), both, f"{a}, then {b}")


def test_l7_pythagoras_is_exact_on_whole_means() -> None:
    rng = np.random.default_rng(9)
    for size in [(3, 3), (2, 3), (4,)]:
        each = square(size, (-1, 1))
        w = 36.0 * rng.integers(-9, 10, each.shape)
        for corner in CORNERS:
            p = project(each, w, corner)
            assert np.all(p == p.round())
            assert np.sum(w * w) == np.sum(p * p) + np.sum((w - p) ** 2)
            if p.any():
                off = p.copy()
                off[tuple(np.argwhere(p)[0])] += 1
                assert np.sum(w * w) != np.sum(off * off) + np.sum((w - off) ** 2)


def test_l7_a_true_convolution_is_explained_whole() -> None:
    rng = np.random.default_rng(10)
    for each in (*random_squares()[:10], square((28, 28), 1)):
        w = rng.standard_normal(each.weight_shape("convolution"))
        found = explained(each, each.matrix("convolution", w))
        assert [found[corner].share for corner in CORNERS] == [1.0] * 4


def test_l7_no_other_matrix_of_the_corner_is_nearer() -> None:
    rng = np.random.default_rng(11)
    for each in random_squares()[:10]:
        w = rng.standard_normal(each.shape)
        for corner in CORNERS:
            p = project(each, w, corner)
            move = each.matrix(corner, rng.standard_normal(each.weight_shape(corner)))
            assert np.sum((w - p) ** 2) <= np.sum((w - p - 1e-3 * move) ** 2)


def test_l6_sparse_is_the_same_matrix(scipy: ModuleType) -> None:
    w = np.arange(1.0, 19).reshape(2, 1, 3, 3)
    made = conv_matrix(w, (5, 6), stride=(1, 2), padding=1, sparse=True)
    assert isinstance(made, scipy.sparse.csr_array)
    assert_exact(made.toarray(), conv_matrix(w, (5, 6), stride=(1, 2), padding=1))
