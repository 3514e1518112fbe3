from __future__ import annotations

from math import cos, pi, radians, sin

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.imaging.filter import slide
from faltung.imaging.gabor import gabor, gabor_bank, gabor_pair, gains
from faltung.imaging.library import named_filter
from faltung.kernels.registry import gamma


def grating(wavelength: float, theta: float, phase: float, size: int = 60) -> np.ndarray:
    """Stripes around the middle pixel, from their formula; y counts downwards."""
    y, x = np.mgrid[:size, :size] - size // 2
    along = x * cos(radians(theta)) - y * sin(radians(theta))
    return np.cos(2 * pi / wavelength * along + phase)


CELLS = [
    (8.0, 0.0, None, 1.0),
    (6.0, 30.0, 3.5, 0.5),
    (10.0, 112.5, 3.0, 1.5),
    (4.5, 90.0, 2.0, 1.0),
]


@pytest.mark.parametrize("cell", CELLS)
def test_symmetry_and_blindness_to_the_mean(cell) -> None:
    even, odd = gabor_pair(*cell)
    assert (even == even[::-1, ::-1]).all()
    assert (odd == -odd[::-1, ::-1]).all()
    assert abs(even.sum()) < gamma(2 * even.size, even.dtype) * np.abs(even).sum()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("mean", [0.0, 50.0])
def test_a_complex_cell_answers_alike_to_every_phase(cell, mean: float) -> None:
    """Within the stated bound: both gains are 1, so only rounding is left, for which k bounds."""
    wavelength, theta, *_ = cell
    pair = gabor_pair(*cell)
    cell_filter = named_filter(
        "complex:" + ",".join(str(v) for v in cell if v is not None)
        if None not in cell
        else f"complex:{wavelength},{theta}"
    )
    size = 2 * (len(pair.even) // 2) + 21
    unit = 2.0**-53
    weights = max(np.abs(k).sum() for k in pair)
    # The grating's own rounding (a few units of its phase, of its value and mean), the sums', and
    # those in making the kernels, each relative to the largest sum of absolute products.
    bound = (gamma(4 * pair.even.size, np.dtype(float)) + 64 * unit) * weights * (1 + mean) * 2
    for phase in np.linspace(0, 2 * pi, 13):
        image = mean + grating(wavelength, theta, phase, size)
        answer = cell_filter.apply(image)
        reach = len(pair.even) // 2
        inner = answer[reach:-reach, reach:-reach]
        assert np.abs(inner - 1).max() < bound
    assert bound < 1e-8


@pytest.mark.parametrize("cell", CELLS)
def test_other_gratings_stay_between_the_two_gains(cell) -> None:
    pair = gabor_pair(*cell)
    reach, middle = len(pair.even) // 2, 40
    for wavelength, theta in ((5.0, 0.0), (8.0, 20.0), (12.0, 100.0), (3.0, 45.0)):
        low, high = sorted(gains(pair, wavelength, theta))
        slack = 1e-12 * np.abs(pair.even).sum()
        answers = []
        for phase in np.linspace(0, pi, 17):
            image = grating(wavelength, theta, phase, 2 * middle)
            part = image[middle - reach : middle + reach + 1, middle - reach : middle + reach + 1]
            answers.append(np.hypot((part * pair.even).sum(), (part * pair.odd).sum()))
        assert low - slack <= min(answers)
        assert max(answers) <= high + slack
        # The bound is met: phases 0 and 90 degrees are among the ones above.
        assert max(answers) > high * (1 - 1e-9)


def test_a_simple_cell_sees_the_phase() -> None:
    answers = [slide(grating(8, 0, phase), gabor(8, 0))[30, 30] for phase in np.linspace(0, pi, 9)]
    assert np.abs(np.array(answers) - np.cos(np.linspace(0, pi, 9))).max() < 1e-12


def test_orientation_is_counterclockwise_as_seen() -> None:
    rising = grating(8, 45, 0.3)  # across the stripes lies up and to the right
    falling = grating(8, 135, 0.3)
    cell = named_filter("complex:8,45")
    assert cell.apply(rising)[30, 30] > 0.99
    assert cell.apply(falling)[30, 30] < 0.05
    assert rising[20, 40] == pytest.approx(np.cos(2 * pi / 8 * 10 * 2**0.5 + 0.3))


def test_phases() -> None:
    even, odd = gabor_pair(8, 30)
    assert (gabor(8, 30) == even).all()
    assert np.abs(gabor(8, 30, phase=90) - odd).max() < 1e-15
    brighter_to_the_right = np.tile(np.arange(-12.0, 13), (25, 1))
    assert (gabor(8, 0, phase=90) * brighter_to_the_right).sum() > 0


def test_a_bank_answers_in_every_direction() -> None:
    assert len(gabor_bank(6)) == 6
    bank = named_filter("gabor-bank:4,8")
    for theta in (0, 45, 90, 135):
        assert abs(bank.apply(grating(8, theta, 1.0))[30, 30] - 1) < 1e-9


def test_two_pixels_a_wave_have_no_odd_cell() -> None:
    pair = gabor_pair(2, 0)
    assert np.isfinite(pair.even).all()
    assert np.isfinite(pair.odd).all()


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: gabor_pair(1.9), r"the wavelength must be at least 2 pixels.*\[kernel L3\]"),
        (lambda: gabor_pair(8, 0, -1), "sigma must be above 0"),
        (lambda: gabor_pair(8, 0, 3, 0), "gamma must be above 0"),
        (lambda: gabor_pair(8, 0, 3, 1e-3), "sigma / gamma must be above 0 and at most 500"),
        (lambda: gabor_bank(0), r"there must be an orientation.*\[kernel L4\]"),
    ],
)
def test_what_makes_no_cell(make, text: str) -> None:
    with pytest.raises(GeometryError, match=text):
        make()
