"""Rows D1 to D9: the definitions. Every figure is computed by the toolkit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest

import faltung
from faltung import layers as L
from faltung.definitions import gaussian_sums, merged_kernel, triangle
from faltung.geometry import AxisWindow
from faltung.geometry.border import PADDING_MODES
from faltung.imaging import corners
from faltung.imaging.harris import harris

F = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]
PATCH = [[1, 2, 0], [0, 1, 2], [2, 0, 1]]
SOBEL = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]


# D1: a window slides over a signal -----------------------------------------------------------


def test_d1_box_of_three() -> None:
    report = faltung.signal_report(F, 3)
    assert [round(v, 2) for v in report.valid.tolist()] == [
        9.67,
        9.33,
        9.67,
        6.67,
        7,
        6.67,
        9.67,
        9,
    ]
    assert report.scaled.tolist() == [10, 19, 29, 28, 29, 20, 21, 20, 29, 27, 18, 8]
    assert report.scaled.sum() == 258 == sum(F) * 3 == 86 * 3
    text = str(report)
    assert "10 19 29 28 29 20 21 20 29 27 18 8. Their sum is 258 = 86 · 3." in text
    for value in ("9.67", "9.33", "6.67", "7", "9"):
        assert f" {value} " in text
    assert faltung.signal_report().to_dict() == report.to_dict()


def test_d1_the_mean_smears_the_glitch_and_the_median_removes_it() -> None:
    report = faltung.signal_report(F, 3)
    assert report.glitch == 5
    assert list(report.means_moved) == [4, 5, 6]
    low = [x for x, mean in enumerate(report.valid.tolist(), 1) if mean < 8]
    assert low == [4, 5, 6]
    assert report.median.min() == 9
    assert report.medians_outside == 0


def test_d1_a_median_is_no_convolution() -> None:
    """It is not linear: the median of a sum is not the sum of the medians."""
    a, b = np.array([0, 0, 1, 0]), np.array([0, 1, 0, 0])
    median = [faltung.signal_report(x, 3).median for x in (a, b, a + b)]
    assert median[2].tolist() != (median[0] + median[1]).tolist()
    mean = [faltung.signal_report(x, 3).scaled for x in (a, b, a + b)]
    assert mean[2].tolist() == (mean[0] + mean[1]).tolist()


# D2: the past, weighted by age ---------------------------------------------------------------


def test_d2_halving_at_the_start() -> None:
    report = faltung.past_report([4, 8, 6, 7])
    assert report.used[:3].tolist() == [0.5, 0.75, 0.875]
    assert report.weights.sum() == 1
    assert report.averages[0] == 4
    assert report.averages[2] == (4 / 8 + 8 / 4 + 6 / 2) / 0.875
    ages = report.weights
    assert (np.diff(ages) < 0).all()


def test_d2_is_the_convolution_and_knows_no_future() -> None:
    x, w = np.arange(9) % 4, np.array([0.5, 0.25, 0.25])
    report = faltung.past_report(x, w)
    assert np.array_equal(report.sums, faltung.convolve(x, w)[:9])
    later = x.copy()
    later[6:] += 5
    assert np.array_equal(faltung.past_report(later, w).sums[:6], report.sums[:6])


def test_d2_answers_its_questions() -> None:
    told = faltung.past_report().to_dict()["questions"]
    assert len(told) == 5
    assert told["What is the age?"].startswith("t-a")
    assert told["What is the time index?"].startswith("a:")


# D3: two axes, term by term ------------------------------------------------------------------


def test_d3_full_convolution_and_correlation_at_the_corner() -> None:
    assert faltung.expand(mode="convolve", padding="full").symbols == "I(0,0)K(0,0)"
    assert faltung.expand(mode="correlate", padding="full").symbols == "I(0,0)K(2,2)"
    assert faltung.convolve(PATCH, SOBEL)[0, 0] == PATCH[0][0] * SOBEL[0][0]
    assert faltung.correlate(PATCH, SOBEL)[0, 0] == PATCH[0][0] * SOBEL[2][2]


def test_d3_same_correlation_at_the_corner_has_four_terms() -> None:
    spelt = faltung.expand(padding="same")
    assert spelt.symbols == "I(0,0)K(1,1) + I(0,1)K(1,2) + I(1,0)K(2,1) + I(1,1)K(2,2)"
    assert len(spelt.present) == 4
    assert spelt.padding_taps == 5


def test_d3_the_formula_as_written_pads_top_and_left() -> None:
    for k in (1, 2, 3, 5):
        spelt = faltung.expand(np.ones((7, 8)), np.ones((k, k)), mode="convolve", padding="formula")
        assert spelt.placement.pads == ((k - 1, 0), (k - 1, 0))
        assert spelt.placement.out_shape == (7, 8)
        assert spelt.placement.formula() == "S(i,j) = Σ I(i-m, j-n) K(m,n)"


def test_d3_two_and_minus_two() -> None:
    plain, flipped = (faltung.expand(PATCH, SOBEL, mode=mode) for mode in ("correlate", "convolve"))
    assert (plain.value, flipped.value) == (2, -2)
    assert [faltung.conv([[PATCH]], [[SOBEL]], flip=flip).item() for flip in (False, True)] == [
        2,
        -2,
    ]


def test_d3_the_flipped_kernel_turns_one_into_the_other() -> None:
    rng = np.random.default_rng(0)
    image, kernel = rng.integers(-9, 10, (6, 7)), rng.integers(-9, 10, (3, 2))
    turned = kernel[::-1, ::-1]
    for mode in ("full", "same", "valid"):
        assert np.array_equal(
            faltung.convolve(image, kernel, mode), faltung.correlate(image, turned, mode)
        )
    delta = np.zeros((5, 5), int)
    delta[2, 2] = 1
    assert np.array_equal(faltung.convolve(delta, SOBEL, "same")[1:4, 1:4], SOBEL)
    mirror = np.array(SOBEL)[::-1, ::-1]
    assert np.array_equal(faltung.correlate(delta, SOBEL, "same")[1:4, 1:4], mirror)


# D4: commutativity, and where it fails -------------------------------------------------------


@pytest.mark.parametrize("shapes", [((7,), (3,)), ((4, 5), (3, 2)), ((2, 3, 4), (3, 1, 2))])
def test_d4_commutes_and_where_it_does_not(shapes: Any) -> None:
    rng = np.random.default_rng(1)
    f, g = (rng.integers(-9, 10, shape) for shape in shapes)
    assert np.array_equal(faltung.convolve(f, g), faltung.convolve(g, f))
    one, other = faltung.correlate(f, g), faltung.correlate(g, f)
    assert not np.array_equal(one, other)
    assert np.array_equal(one, np.flip(other))
    same = [faltung.convolve(*pair, "same").shape for pair in ((f, g), (g, f))]
    assert same == [f.shape, g.shape]


# D5: boundaries ------------------------------------------------------------------------------


def axes(count: int = 50) -> list[AxisWindow]:
    rng = np.random.default_rng(2)
    return [
        AxisWindow(
            *(int(n) for n in rng.integers((0, 1, 1, 1, 0, 0), (12, 5, 4, 3, 4, 4))), ceil=ceil
        )
        for ceil in (False, True)
        for _ in range(count)
    ]


def walked(axis: AxisWindow) -> tuple[int, int, int]:
    """Windows, taps, taps inside: by sliding along the padded axis, one step at a time.

    Ceil mode makes a window that hangs over if the one before it leaves positions over, and if it
    starts on the image or on the padding before it.
    """
    inside = [False] * axis.pad_lo + [True] * axis.size + [False] * axis.pad_hi
    extent = axis.dilation * (axis.kernel - 1) + 1
    windows = taps = on_image = start = 0
    while True:
        fits = start + extent <= len(inside)
        left_over = start - axis.stride + extent < len(inside)
        begins = start < axis.pad_lo + axis.size
        if not (fits or (axis.ceil and left_over and begins)):
            return windows, taps, on_image
        for at in range(start, start + extent, axis.dilation):
            taps += 1
            on_image += at < len(inside) and inside[at]
        windows += 1
        start += axis.stride


Counting = Callable[[AxisWindow], tuple[int, int, int]]


def closed(axis: AxisWindow) -> tuple[int, int, int]:
    return axis.out_size, axis.connections(True), axis.connections(False)


def agree(form: Counting) -> bool:
    return all(form(axis) == walked(axis) for axis in axes())


def test_d5_sizes_and_connections_are_those_of_sliding() -> None:
    assert len(axes()) == 100
    assert agree(closed)


@pytest.mark.parametrize("field", ["size", "kernel", "stride", "dilation", "pad_lo", "pad_hi"])
def test_d5_a_planted_off_by_one_is_caught(field: str) -> None:
    assert not agree(lambda axis: closed(replace(axis, **{field: getattr(axis, field) + 1})))


def test_d5_rounding_the_wrong_way_is_caught() -> None:
    assert not agree(lambda axis: closed(replace(axis, ceil=not axis.ceil)))


@pytest.mark.parametrize("mode", PADDING_MODES)
def test_d5_four_borders(mode: str) -> None:
    names = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}
    x, w = np.random.default_rng(3).integers(-9, 10, (5, 6)), np.arange(6).reshape(2, 3)
    pads = ((2, 1), (0, 3))
    padded = np.pad(x, pads, mode=names[mode])  # type: ignore[call-overload]
    y = faltung.conv(x[None, None], w[None, None], padding=pads, padding_mode=mode)
    assert np.array_equal(y[0, 0], faltung.correlate(padded, w, "valid"))


def test_d5_both_splits_of_an_odd_total() -> None:
    x, w = np.arange(6.0)[None, None], np.ones((1, 1, 2))
    assert faltung.conv(x, w, padding="same").ravel().tolist() == [1, 3, 5, 7, 9, 5]
    assert faltung.conv(x, w, padding="same_lower").ravel().tolist() == [0, 1, 3, 5, 7, 9]


# D6: channels --------------------------------------------------------------------------------


def by_formula(x: Any, v: Any, delta: int) -> Any:
    """h[i,j,d] = Σ_a Σ_b Σ_c V[a,b,c,d] x[i+a, j+b, c]; x (H, W, C), V (a, b, c, d) from -Δ on."""
    height, width, _ = x.shape
    h = np.zeros((height, width, v.shape[3]), x.dtype)
    offsets = range(-delta, delta + 1)
    for i, j, a, b in product(range(height), range(width), offsets, offsets):
        if 0 <= i + a < height and 0 <= j + b < width:
            h[i, j] += x[i + a, j + b] @ v[a + delta, b + delta]
    return h


@pytest.mark.parametrize("delta", [0, 1, 2])
def test_d6_is_the_formula(delta: int) -> None:
    rng = np.random.default_rng(delta)
    x, k = rng.integers(-4, 5, (5, 4, 3)), 2 * delta + 1
    v = rng.integers(-4, 5, (k, k, 3, 2))
    y = faltung.conv(x.transpose(2, 0, 1)[None], v.transpose(3, 2, 0, 1), padding=delta)
    assert np.array_equal(y[0].transpose(1, 2, 0), by_formula(x, v, delta))


def test_d6_without_a_neighbourhood_it_is_a_dense_layer_at_every_pixel() -> None:
    rng = np.random.default_rng(4)
    x, w = rng.integers(-4, 5, (2, 3, 4, 5)), rng.integers(-4, 5, (6, 3))
    dense = np.einsum("ncyx,oc->noyx", x, w)
    assert np.array_equal(faltung.conv(x, w[:, :, None, None]), dense)


def test_d6_groups_do_not_see_each_other() -> None:
    rng = np.random.default_rng(5)
    x, w = rng.integers(-4, 5, (1, 4, 5, 5)), rng.integers(-4, 5, (6, 2, 3, 3))
    halves = [faltung.conv(x[:, 2 * g : 2 * g + 2], w[3 * g : 3 * g + 3]) for g in (0, 1)]
    assert np.array_equal(faltung.conv(x, w, groups=2), np.concatenate(halves, axis=1))
    depthwise = faltung.conv(x, w[:4, :1], groups=4)
    each = [faltung.correlate(x[0, c], w[c, 0], "valid") for c in range(4)]
    assert np.array_equal(depthwise[0], each)


# D7: pooling ---------------------------------------------------------------------------------


def test_d7_maximum_mean_and_global() -> None:
    x = np.arange(16.0).reshape(1, 1, 4, 4)
    assert faltung.max_pool(x, 2).ravel().tolist() == [5, 7, 13, 15]
    assert faltung.avg_pool(x, 2).ravel().tolist() == [2.5, 4.5, 10.5, 12.5]
    nets = [L.build(layer, (1, 4, 4)) for layer in (L.GlobalMaxPool(), L.GlobalAvgPool())]
    assert [net(x).item() for net in nets] == [15, 7.5]


def test_d7_pooling_is_invariant_locally_and_global_pooling_everywhere() -> None:
    x = np.zeros((1, 1, 8, 8))
    x[..., 2, 2] = 1
    one, two = np.roll(x, 1, axis=-1), np.roll(x, 2, axis=-1)
    assert np.array_equal(faltung.max_pool(one, 2), faltung.max_pool(x, 2))
    assert not np.array_equal(faltung.max_pool(two, 2), faltung.max_pool(x, 2))
    net = L.build(L.GlobalMaxPool(), (1, 8, 8))
    assert np.array_equal(net(two), net(x))


def test_d7_blur_pooling_changes_less_when_the_image_moves() -> None:
    rng = np.random.default_rng(6)
    x = rng.standard_normal((1, 1, 32, 32)).astype(np.float32)
    plain = L.build(L.MaxPool(2), (1, 32, 32))
    blurred = L.build(L.Chain(L.MaxPool(2, 1), L.BlurPool(5, 2)), (1, 32, 32))
    moved = np.roll(x, 1, axis=-1)
    inner = (..., slice(3, -3), slice(3, -3))
    change = [abs(net(moved) - net(x))[inner].mean() for net in (plain, blurred)]
    assert change[1] < 0.5 * change[0]


# D8: one, two and three axes alike -----------------------------------------------------------


@pytest.mark.parametrize("axes", [1, 2])
def test_d8_an_axis_more_of_one_position_changes_nothing(axes: int) -> None:
    rng = np.random.default_rng(axes)
    x, w = rng.integers(-4, 5, (2, 3, *(7,) * axes)), rng.integers(-4, 5, (4, 3, *(3,) * axes))
    y = faltung.conv(x, w, padding=1, stride=2)
    pads, strides = ((1, 1),) * axes + ((0, 0),), (2,) * axes + (1,)
    assert np.array_equal(
        faltung.conv(x[..., None], w[..., None], padding=pads, stride=strides)[..., 0], y
    )


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_d8_layers_and_signals_agree_on_every_number_of_axes(axes: int) -> None:
    rng = np.random.default_rng(axes)
    x, w = rng.integers(-9, 10, (5,) * axes), rng.integers(-9, 10, (3,) * axes)
    y = faltung.conv(x[None, None], w[None, None], flip=True, padding="full")[0, 0]
    assert np.array_equal(y, faltung.convolve(x, w))
    assert (
        faltung.expand(x, w, (1,) * axes, mode="convolve", padding="full").value == y[(1,) * axes]
    )


# D9: composition -----------------------------------------------------------------------------


def test_d9_laws_are_exact_on_integers() -> None:
    report = faltung.compose()
    assert {law.claim for law in report.laws} >= {"(f*g)*h = f*(g*h)", "(2f-3e)*g = 2(f*g)-3(e*g)"}
    assert all(law.holds and law.bound == 0 for law in report.laws)


@pytest.mark.parametrize(("k1", "k2"), [(3, 3), (3, 5), (2, 4)])
def test_d9_two_layers_are_one_of_k1_plus_k2_minus_1(k1: int, k2: int) -> None:
    rng = np.random.default_rng(k1)
    x = rng.integers(-3, 4, (1, 2, 12, 12))
    w1, w2 = rng.integers(-3, 4, (3, 2, k1, k1)), rng.integers(-3, 4, (2, 3, k2, k2))
    merged = merged_kernel(w1, w2)
    assert merged.shape == (2, 2, k1 + k2 - 1, k1 + k2 - 1)
    assert np.array_equal(faltung.conv(faltung.conv(x, w1), w2), faltung.conv(x, merged))


def test_d9_at_the_border_and_with_a_relu_they_are_not() -> None:
    report = faltung.compose()
    assert report.merged.shape == (5, 5)
    assert report.border.equal < report.border.positions
    assert report.laws[-1].holds  # inside they are
    assert report.relu.equal < report.relu.positions
    assert report.odd > 0


def test_d9_two_boxes_are_a_triangle() -> None:
    assert triangle(4).tolist() == [1, 2, 3, 4, 3, 2, 1]


def test_d9_variances_of_gaussians_add() -> None:
    for each in gaussian_sums(1, 2):
        assert each.sigma**2 == pytest.approx(1 + 4, rel=1e-15)
        assert each.largest <= each.bound
    finest = gaussian_sums(1, 2)[-1]
    assert finest.variances == pytest.approx((1, 4, 5), rel=1e-12)


def test_d9_corners_from_products_of_edge_maps() -> None:
    image = np.zeros((40, 40))
    image[10:30, 10:30] = 1
    response = harris(image)
    assert response[10, 10] > 0 > response[10, 20]
    assert abs(response[2, 2]) < 1e-12
    found = sorted((peak.row, peak.column) for peak in corners(image))
    assert np.abs(np.subtract(found, list(product((9.5, 29.5), repeat=2)))).max() < 2
    assert not np.allclose(harris(2 * image), 2 * response)  # it multiplies: no convolution does
