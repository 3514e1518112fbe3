"""The mission's figures for the definitions, each worked out by hand or printed in a book."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from faltung.reference import (
    avg_pool,
    conv,
    conv_loops,
    conv_strided,
    convolve,
    correlate,
    dense,
    max_pool,
    relu,
)

GLITCH = np.array([10, 9, 10, 9, 10, 1, 10, 9, 10, 8])
SOBEL_X = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
SOBEL = np.array([[SOBEL_X], [np.transpose(SOBEL_X)]])


# D1: sliding a window over ten measurements


def test_a_box_of_three_smears_the_glitch_over_three_samples():
    times_three = convolve(GLITCH, [1, 1, 1], "valid")
    np.testing.assert_array_equal(times_three, [29, 28, 29, 20, 21, 20, 29, 27])
    smooth = convolve(GLITCH, np.ones(3) / 3, "valid")
    np.testing.assert_array_equal(smooth.round(2), [9.67, 9.33, 9.67, 6.67, 7, 6.67, 9.67, 9])


def test_a_median_removes_the_glitch_and_is_no_convolution():
    windows = np.lib.stride_tricks.sliding_window_view(GLITCH, 3)
    np.testing.assert_array_equal(np.median(windows, 1), [10, 9, 10, 9, 10, 9, 10, 9])
    first, second = np.array([9, 1, 9]), np.array([1, 9, 9])
    assert np.median(first) + np.median(second) != np.median(first + second)


def test_a_full_box_of_three():
    full = convolve(GLITCH, [1, 1, 1])
    np.testing.assert_array_equal(full, [10, 19, 29, 28, 29, 20, 21, 20, 29, 27, 18, 8])
    assert GLITCH.sum() == 86
    assert full.sum() == 258 == 86 * 3


# D2: the youngest of past measurements counts most


def test_weights_of_the_past_do_not_sum_to_one_at_the_start():
    halving = 0.5 ** np.arange(1, 11)
    sums = convolve(np.ones(10), halving)[:10]
    np.testing.assert_array_equal(sums[:3], [0.5, 0.75, 0.875])
    np.testing.assert_array_equal(sums, 1 - halving)
    np.testing.assert_array_equal(convolve(np.full(10, 7), halving)[:10] / sums, np.full(10, 7))


# D3: which entries meet, and the flip


def meetings(operation, at):
    """All (I position, K position) whose product goes into one output, by unit arrays."""
    met = set()
    for i in np.ndindex(4, 4):
        for k in np.ndindex(3, 3):
            image, kernel = np.zeros((4, 4)), np.zeros((3, 3))
            image[i] = kernel[k] = 1
            if operation(image, kernel)[at]:
                met.add((i, k))
    return met


def test_full_convolution_starts_with_the_two_first_entries():
    assert meetings(convolve, (0, 0)) == {((0, 0), (0, 0))}


def test_full_correlation_starts_with_the_kernels_last_entry():
    assert meetings(correlate, (0, 0)) == {((0, 0), (2, 2))}


def test_same_correlation_starts_with_four_terms():
    met = meetings(lambda f, g: correlate(f, g, "same"), (0, 0))
    assert met == {((m, n), (m + 1, n + 1)) for m in (0, 1) for n in (0, 1)}


@pytest.mark.parametrize("at", [(0, 0), (1, 2), (3, 3), (5, 4)])
def test_the_sum_term_by_term(at):
    """``S(i, j) = ΣΣ I(i − m, j − n) K(m, n)``, for every term that exists."""
    terms = {
        ((at[0] - m, at[1] - n), (m, n))
        for m, n in np.ndindex(3, 3)
        if 0 <= at[0] - m < 4 and 0 <= at[1] - n < 4
    }
    assert meetings(convolve, at) == terms


def test_the_formula_as_written_pads_at_top_and_left_alone(whole):
    image, kernel = whole(5, 6), whole(3, 3)
    padded = conv(image[None, None], kernel[None, None, ::-1, ::-1], pads=[(2, 0), (2, 0)])
    np.testing.assert_array_equal(padded[0, 0], convolve(image, kernel)[:5, :6])


def test_a_mirrored_kernel_turns_one_into_the_other(whole):
    image, kernel = whole(5, 6), whole(2, 3)
    for mode in ("full", "same", "valid"):
        mirrored = correlate(image, kernel[::-1, ::-1], mode)
        np.testing.assert_array_equal(convolve(image, kernel, mode), mirrored)


# I1: the arithmetic of one position


@pytest.mark.parametrize("definition", [conv_loops, conv_strided])
def test_the_patch_under_sobel_gives_2_and_flipped_minus_2(definition):
    patch = np.array([[[[1, 2, 0], [0, 1, 2], [2, 0, 1]]]])
    kernel = np.array([[SOBEL_X]])
    assert definition(patch, kernel).item() == 2
    assert definition(patch, kernel[..., ::-1, ::-1]).item() == -2
    assert convolve(patch[0, 0], SOBEL_X, "valid").item() == -2


# D6, D7: channels; pooling is invariant to small shifts


def test_a_kernel_of_one_pixel_is_a_dense_layer_at_every_pixel(whole):
    x, w, b = whole(2, 3, 4, 5), whole(6, 3), whole(6)
    pixels = np.moveaxis(x, 1, -1).reshape(-1, 3)
    expected = np.moveaxis(dense(pixels, w, b).reshape(2, 4, 5, 6), -1, 1)
    np.testing.assert_array_equal(conv_loops(x, w[..., None, None], b), expected)


def test_a_shift_inside_a_window_changes_a_maximum_not_at_all_and_a_mean_neither():
    here, there = np.zeros((1, 1, 4)), np.zeros((1, 1, 4))
    here[..., 2], there[..., 3] = 1, 1
    for pool in (max_pool, avg_pool):
        np.testing.assert_array_equal(pool(here, [2]), pool(there, [2]))
    assert (max_pool(here, [2], stride=[1]) != max_pool(there, [2], stride=[1])).any()


# D8: one to three axes alike


@pytest.mark.parametrize("definition", [conv_loops, conv_strided])
def test_axes_of_size_one_change_nothing(definition, whole):
    x, w = whole(2, 3, 6), whole(4, 3, 2)
    signal = definition(x, w, stride=[2], pads=[(1, 0)])
    image = definition(x[..., None, :], w[..., None, :], stride=[1, 2], pads=[(0, 0), (1, 0)])
    volume = definition(
        x[:, :, None, :, None], w[:, :, None, :, None], stride=[1, 2, 1],
        pads=[(0, 0), (1, 0), (0, 0)],
    )  # fmt: skip
    np.testing.assert_array_equal(image[..., 0, :], signal)
    np.testing.assert_array_equal(volume[:, :, 0, :, 0], signal)


# D9: composition


def test_two_layers_without_an_activation_are_one(whole):
    """Its kernel is K1*K2, of size k1 + k2 − 1."""
    image, first, second = whole(8, 9), whole(3, 2), whole(2, 4)
    one_by_one = convolve(convolve(image, first, "valid"), second, "valid")
    both = convolve(first, second)
    assert both.shape == (3 + 2 - 1, 2 + 4 - 1)
    np.testing.assert_array_equal(convolve(image, both, "valid"), one_by_one)


def test_two_layers_of_channels_without_an_activation_are_one(whole):
    """As layers correlate: w[co, ci] = Σ over the channels between of w1[c, ci]*w2[co, c]."""
    x, first, second = whole(1, 2, 7), whole(3, 2, 3), whole(2, 3, 2)
    both = np.array(
        [[sum(convolve(first[c, ci], second[co, c]) for c in range(3)) for ci in range(2)]
         for co in range(2)]
    )  # fmt: skip
    np.testing.assert_array_equal(conv(x, both), conv(conv(x, first), second))
    assert (conv(x, both) != conv(relu(conv(x, first)), second)).any()


def test_two_boxes_give_a_triangle():
    np.testing.assert_array_equal(convolve(np.ones(4), np.ones(4)), [1, 2, 3, 4, 3, 2, 1])


def test_variances_add():
    """Exact for any weights that sum to 1, Gaussians among them; binomials are their like."""

    def moments(weights):
        total = int(sum(weights))
        mean = Fraction(int(sum(i * w for i, w in enumerate(weights))), total)
        return sum((i - mean) ** 2 * int(w) for i, w in enumerate(weights)) / total

    f, g = [1, 4, 6, 4, 1], [1, 7, 2]
    assert moments([1, 4, 6, 4, 1]) == 1
    assert moments(convolve(f, g)) == moments(f) + moments(g)


def test_products_of_edge_maps_answer_to_corners_alone():
    """Harris: the product of two convolutions sees what no single one does."""
    y, x = np.mgrid[:16, :16]
    image = ((y >= 8) & (x >= 8)).astype(float)
    dx, dy = conv(image[None, None], SOBEL)[0]
    sums = [conv((a * b)[None, None], np.ones((1, 1, 3, 3)))[0, 0] for a, b in
            [(dx, dx), (dy, dy), (dx, dy)]]  # fmt: skip
    determinant = sums[0] * sums[1] - sums[2] ** 2
    strongest = np.argwhere(determinant == determinant.max()) + 2  # two layers lost 2 pixels
    assert all(np.abs(at - 7.5).max() < 2 for at in strongest)
    on_the_edge = (13 - 2, 8 - 2)
    assert sums[0][on_the_edge] > 0
    assert determinant[on_the_edge] == 0


# Traps 46 and R7: checkerboards


@pytest.mark.parametrize(("square", "largest"), [(1, 0), (2, 2)])
def test_sobel_on_a_checkerboard(square, largest):
    """Its central difference skips the neighbour: squares of one pixel are invisible inside."""
    y, x = np.mgrid[:12, :12] // square
    board = ((x + y) % 2).astype(float)[None, None]
    assert np.abs(conv(board, SOBEL)).max() == largest
    border = conv(board, SOBEL, pads=[(1, 1), (1, 1)])
    assert np.abs(border[..., 0, :]).max() > 0


# Trap 39: what is commonly missing, once more in numbers


def test_even_kernel_dilation_groups_stride_and_padding_over_half_by_hand():
    """Output 0 has its first tap on padding; output 1 reads 2 and 4; column 5 is dropped."""
    x = np.array([[[1, 2, 3, 4, 5], [10, 20, 30, 40, 50]]])
    w = np.array([[[1, 1]], [[1, -1]]])
    y = conv_loops(x, w, stride=[2], dilation=[2], pads=[(1, 0)], groups=2)
    np.testing.assert_array_equal(y, [[[2, 6], [-20, -20]]])
