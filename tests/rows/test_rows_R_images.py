"""Rows R7 to R10, figure by figure, from the toolkit's own functions."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import filter_image, find
from faltung.datasets import photo
from faltung.graph.layers import Chain, Conv, Dense, Flatten, MaxPool, Relu, build
from faltung.imaging import detector
from faltung.imaging.gabor import gabor_pair, gains
from faltung.imaging.hiding import hide
from faltung.imaging.library import named_filter


def checkerboard(square: int, size: int = 24) -> np.ndarray:
    """Squares of 0 and 1."""
    y, x = np.mgrid[:size, :size] // square
    return (y + x) % 2


def border_of(response: np.ndarray) -> np.ndarray:
    framed = response.copy()
    framed[1:-1, 1:-1] = 0
    return framed


# R7: as the kernels are written, without a factor, on squares of 0 and 1.


@pytest.mark.parametrize("name", ["sobel-x", "sobel-y"])
def test_r7_squares_of_one_pixel_are_invisible_but_for_the_padded_border(name: str) -> None:
    response = filter_image(checkerboard(1), name)
    assert not response[1:-1, 1:-1].any()
    assert border_of(response).any()
    for border in ("reflect", "circular"):  # what goes on as it was leaves nothing at all
        assert not filter_image(checkerboard(1), name, border=border).any()


@pytest.mark.parametrize("name", ["sobel-x", "sobel-y"])
def test_r7_squares_of_two_pixels_answer_with_2_at_most(name: str) -> None:
    response = filter_image(checkerboard(2), name)[1:-1, 1:-1]
    assert np.abs(response).max() == 2
    assert (np.abs(response) == 2).all()  # everywhere, in fact
    # The strength of both slopes together is √2 as large.
    strength = filter_image(checkerboard(2), "sobel")[1:-1, 1:-1]
    assert strength.max() == np.sqrt(8)


def test_r7_negative_control() -> None:
    """A forward difference sees single pixels; a kernel off by one row does not give 2."""
    assert np.abs(filter_image(checkerboard(1), [[0, -1, 1]])[1:-1, 1:-1]).max() == 1
    wrong = np.outer([1, 2, 2], [-1, 0, 1])
    assert np.abs(filter_image(checkerboard(2), wrong)[1:-1, 1:-1]).max() != 2


def test_r7_edges_on_photographs() -> None:
    """The strongest tenth of all edges holds most of what varies."""
    for name in ("camera", "cat", "coffee"):
        pixels = photo(name)
        strength = filter_image(pixels, "sobel", border="replicate")
        assert strength.shape == pixels.shape
        assert np.quantile(strength, 0.5) < 0.5 * np.quantile(strength, 0.9)
        for other in ("prewitt", "scharr"):
            same = filter_image(pixels, other, border="replicate")
            assert np.corrcoef(strength.ravel(), same.ravel())[0, 1] > 0.98


# R8


def test_r8_waldo_on_a_photograph() -> None:
    template = photo("cat")[88:136, 118:178]
    hidden = hide(template, photo("coffee"))
    report = find(template, hidden.scene)
    assert report.heat.shape == (400, 600)
    assert len(report.matches) == len(hidden.places)
    for y, x in hidden.places:
        assert min(max(abs(m.top - y), abs(m.left - x)) for m in report.matches) <= 1
    assert find(template, photo("coffee")).matches == ()


# R9


def test_r9_a_page_of_280_in_one_pass() -> None:
    network = Chain(Conv(4, 5), Relu(), MaxPool(2), Conv(6, 5), Relu(), MaxPool(2), Flatten())
    graph = build(Chain(network, Dense(12), Relu(), Dense(10)), (1, 28, 28))
    page = np.random.default_rng(0).integers(0, 256, (1, 280, 280)).astype(np.float32)
    found = detector(graph)
    assert found.stride == (4, 4)
    rows, columns = found.scores(page).shape[1:]
    assert rows * columns == 4096
    comparison = found.compare(page, most=200)
    assert (comparison.windows, comparison.equal) == (200, 200)


def test_r9_padded_patches_differ_and_it_is_measured() -> None:
    network = Chain(Conv(4, 5, padding="same"), Relu(), MaxPool(4), Flatten(), Dense(10))
    found = detector(build(network, (1, 28, 28)))
    page = np.random.default_rng(0).integers(0, 256, (1, 280, 280)).astype(np.float32)
    assert found.scores(page).shape[1:] == (64, 64)
    comparison = found.compare(page, most=100)
    assert comparison.equal == 0
    assert comparison.largest > 0


# R10


@pytest.mark.parametrize(("wavelength", "theta"), [(8.0, 0.0), (6.0, 30.0), (11.0, 135.0)])
def test_r10_a_complex_cell_sees_no_shift(wavelength: float, theta: float) -> None:
    """Within the stated bound: between the two gains, and their own rounding."""
    y, x = np.mgrid[-40:41, -40:41]
    angle = np.deg2rad(theta)
    along = x * np.cos(angle) - y * np.sin(angle)
    pair = gabor_pair(wavelength, theta)
    cell = named_filter(f"complex:{wavelength},{theta}")
    for seen in (wavelength, 1.3 * wavelength):
        low, high = sorted(gains(pair, seen, theta))
        slack = 2.0**-53 * 4 * pair.even.size * np.abs(pair.even).sum()
        answers = []
        for shift in np.linspace(0, seen, 9):
            response = cell.apply(np.cos(2 * np.pi / seen * (along - shift)))
            answers.append(response[40, 40])
        assert low - slack <= min(answers)
        assert max(answers) <= high + slack
        if seen == wavelength:
            assert max(answers) - min(answers) < 2 * slack + (high - low)
            assert high - low < 1e-12
    simple = [
        filter_image(np.cos(2 * np.pi / wavelength * (along - s)), pair.even)[40, 40]
        for s in (0, wavelength / 4)
    ]
    assert simple[0] == pytest.approx(1)
    assert simple[1] == pytest.approx(0, abs=1e-9)
