from __future__ import annotations

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.imaging import kernels
from faltung.imaging.filter import slide

RAMP_X = np.tile(np.arange(12), (12, 1))


def inside(y: np.ndarray, reach: int = 4) -> np.ndarray:
    return y[reach:-reach, reach:-reach]


@pytest.mark.parametrize(("name", "scale"), [("sobel", 8), ("prewitt", 6), ("scharr", 32)])
def test_edges_answer_to_a_slope_with_their_sign_and_scale(name: str, scale: int) -> None:
    x, y = getattr(kernels, f"{name}_x")(), getattr(kernels, f"{name}_y")()
    assert (inside(slide(RAMP_X, x)) == scale).all()
    assert (inside(slide(RAMP_X.T, y)) == scale).all()
    assert (inside(slide(RAMP_X, y)) == 0).all()
    assert (inside(slide(RAMP_X, x, mode="convolve")) == -scale).all()


def test_scipy_ndimage_has_the_same_slopes(scipy: object) -> None:
    from scipy import ndimage

    image = np.random.default_rng(0).integers(0, 256, (9, 8))
    for name in ("sobel", "prewitt"):
        for axis, suffix in enumerate("yx"):
            theirs = getattr(ndimage, name)(image, axis=axis, mode="reflect")
            ours = slide(image, getattr(kernels, f"{name}_{suffix}")(), border="symmetric")
            assert (ours == theirs).all()


@pytest.mark.parametrize("sigma", [0.5, 1.0, 2.3])
def test_the_gaussian_is_scipys(scipy: object, sigma: float) -> None:
    from scipy import ndimage

    image = np.random.default_rng(0).normal(size=(30, 30))
    theirs = ndimage.gaussian_filter(image, sigma, mode="mirror")
    ours = slide(image, kernels.gaussian(sigma), border="reflect")
    assert np.abs(ours - theirs).max() < 100 * 2.0**-53 * np.abs(image).max()


@pytest.mark.parametrize("axes", [1, 2, 3])
def test_sums(axes: int) -> None:
    ones = [
        kernels.box(4, axes=axes),
        kernels.gaussian(1.2, axes=axes),
        kernels.sharpen(axes=axes),
        kernels.unsharp(1.5, 0.7, axes=axes),
    ]
    noughts = [
        kernels.laplacian(axes=axes),
        kernels.laplacian_of_gaussian(1.2, axes=axes),
        kernels.difference_of_gaussians(1.2, axes=axes),
    ]
    for kernel in ones:
        assert abs(kernel.sum() - 1) < 1e-14
    for kernel in noughts:
        assert abs(kernel.sum()) < 1e-14
    assert all(kernel.ndim == axes for kernel in ones + noughts)


def test_variances_of_gaussians_add() -> None:
    twice = slide(np.pad(kernels.gaussian(1.5), 20), kernels.gaussian(2.0))
    once = np.pad(kernels.gaussian(2.5), (twice.shape[0] - 21) // 2)
    # Cut off at 4 sigma: what lies beyond, 2 (1 - Φ(4)) on each of two axes, three times over.
    assert np.abs(twice - once).sum() < 6 * 6.4e-5
    assert np.abs(twice - np.pad(kernels.gaussian(2.4), (twice.shape[0] - 21) // 2)).sum() > 0.01


def test_the_laplacian_of_a_bowl() -> None:
    y, x = np.mgrid[-9:10, -9:10]
    bowl = 3 * x**2 + 2 * y**2
    assert (inside(slide(bowl, kernels.laplacian())) == 10).all()
    found = slide(bowl, kernels.laplacian_of_gaussian(1.0))[9, 9]
    assert abs(found - 10) < 0.02  # the sampled Gaussian is cut off at 4 sigma
    assert slide(-bowl, kernels.laplacian())[9, 9] < 0


def test_bright_spots() -> None:
    y, x = np.mgrid[-20:21, -20:21]
    spot = (x**2 + y**2 <= 6**2).astype(float)
    answers = [slide(spot, s**2 * kernels.laplacian_of_gaussian(s))[20, 20] for s in (3, 4.24, 6)]
    assert answers[1] < min(answers[0], answers[2]) < 0
    assert slide(spot, kernels.difference_of_gaussians(3))[20, 20] > 0


def test_the_difference_of_gaussians_is_near_the_laplacian() -> None:
    dog = kernels.difference_of_gaussians(4.0, 1.01)
    log = kernels.laplacian_of_gaussian(4.0)
    reach = len(log) // 2
    middle = dog[tuple(slice(n // 2 - reach, n // 2 + reach + 1) for n in dog.shape)]
    assert np.abs(middle + 0.01 * 16 * log).max() < 0.02 * np.abs(dog).max()


def test_sharpening_is_the_image_less_its_laplacian() -> None:
    image = np.random.default_rng(0).integers(0, 256, (7, 7))
    expected = image - slide(image, kernels.laplacian())
    assert (slide(image, kernels.sharpen()) == expected).all()


def test_unsharp_masking() -> None:
    image = np.random.default_rng(0).normal(size=(20, 20))
    expected = image + 0.7 * (image - slide(image, kernels.gaussian(1.5)))
    assert np.abs(slide(image, kernels.unsharp(1.5, 0.7)) - expected).max() < 1e-13


def test_embossing_lights_from_the_upper_left() -> None:
    step = np.zeros((9, 9), int)
    step[4:, :] = step[:, 4:] = 1
    assert slide(step, kernels.emboss())[3, 3] > 0
    assert kernels.emboss().sum() == 1


@pytest.mark.parametrize(
    ("length", "angle", "ends"),
    [
        (3, 0, ((1, 0), (1, 2))),
        (3, 90, ((0, 1), (2, 1))),
        (3, 45, ((0, 2), (2, 0))),
        (3, 135, ((0, 0), (2, 2))),
        (1, 30, ((0, 0), (0, 0))),
    ],
)
def test_motion_runs_along_its_line(length: int, angle: int, ends) -> None:
    kernel = kernels.motion(length, angle)
    assert abs(kernel.sum() - 1) < 1e-14
    assert np.abs(kernel - kernel[::-1, ::-1]).max() < 1e-14
    assert all(kernel[end] > 0 for end in ends)
    assert kernel.shape[0] % 2 == 1


def test_a_long_motion() -> None:
    row = kernels.motion(15, 0)
    assert row.shape == (15, 15)
    assert (row[7] == 1 / 15).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: kernels.box(0), r"box: the size must be a whole number from 1 .*\[kernel L1\]"),
        (lambda: kernels.box(2.5), "the size must be a whole number"),
        (lambda: kernels.box(10**9), "the size must be a whole number from 1 to 4000"),
        (lambda: kernels.gaussian(0), r"sigma must be above 0 and at most 500, got sigma=0.*L2"),
        (lambda: kernels.gaussian(1e9), "sigma must be above 0 and at most 500"),
        (lambda: kernels.gaussian(float("nan")), "sigma must be above 0 and at most 500"),
        (lambda: kernels.motion(-1), "length must be above 0"),
        (lambda: kernels.difference_of_gaussians(1, 1), "ratio - 1 must be above 0"),
    ],
)
def test_what_makes_no_kernel(make, text: str) -> None:
    with pytest.raises(GeometryError, match=text):
        make()
