from __future__ import annotations

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.imaging import corners
from faltung.imaging.harris import harris
from faltung.imaging.median import median
from faltung.imaging.peaks import peaks

SQUARE = np.zeros((40, 50), np.uint8)
SQUARE[10:25, 15:35] = 200


def test_the_corners_of_a_square() -> None:
    found = corners(SQUARE)
    assert len(found) == 4
    # Between the last bright and the first dark pixel lies the corner: within a pixel and a half.
    for y, x in ((9.5, 14.5), (9.5, 34.5), (24.5, 14.5), (24.5, 34.5)):
        assert min(max(abs(p.y - y), abs(p.x - x)) for p in found) <= 1.5


def test_flat_ground_edges_and_corners() -> None:
    response = harris(SQUARE)
    assert not response[33:].any()  # past the slope's and the Gaussian's reach
    assert response[17, 15] < 0  # the middle of the left edge
    assert response[10, 15] > 0
    assert corners(np.full((9, 9), 7)) == []
    assert corners(np.zeros((0, 5))) == []


def test_the_response_is_the_determinant_less_the_trace() -> None:
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (12, 12))
    padded = np.pad(image.astype(float), 20, "edge")
    iy, ix = (
        (np.roll(s, -1, axis) - np.roll(s, 1, axis)) / 8
        for axis, s in (
            (0, np.roll(padded, 1, 1) + 2 * padded + np.roll(padded, -1, 1)),
            (1, np.roll(padded, 1, 0) + 2 * padded + np.roll(padded, -1, 0)),
        )
    )
    offsets = np.arange(-6, 7)
    line = np.exp(-0.5 * (offsets / 1.5) ** 2)
    weights = np.outer(line, line) / line.sum() ** 2
    at = 25, 26
    box = tuple(slice(i - 6, i + 7) for i in at)
    xx, yy, xy = ((weights * p[box]).sum() for p in (ix * ix, iy * iy, ix * iy))
    # Slopes beyond the border differ (the image is padded once, its products again): stay inside.
    big = harris(padded)
    expected = xx * yy - xy**2 - 0.05 * (xx + yy) ** 2
    assert big[at] == pytest.approx(expected, rel=1e-9)


def test_colours_add_up() -> None:
    colour = np.stack([SQUARE, SQUARE * 0, SQUARE], axis=2)
    assert np.allclose(harris(colour), 4 * harris(SQUARE), rtol=1e-12, atol=0)


def test_corners_need_an_image() -> None:
    with pytest.raises(
        GeometryError, match=r"the image must be \(H, W\) or \(H, W, C\), got shape"
    ):
        harris(np.zeros(5))


@pytest.mark.parametrize("border", ["zeros", "reflect", "replicate", "circular", "symmetric"])
@pytest.mark.parametrize("dtype", ["uint8", "float32", "bool"])
def test_the_median_is_scipys(scipy: object, border: str, dtype: str) -> None:
    from scipy import ndimage

    from faltung.imaging.filter import NDIMAGE_MODES

    image = (np.random.default_rng(0).random((9, 11)) * 2).astype(dtype)
    if dtype == "uint8":
        image = np.random.default_rng(0).integers(0, 256, (9, 11)).astype(dtype)
    theirs = ndimage.median_filter(image.astype(float), 3, mode=NDIMAGE_MODES[border])
    found = median(image, 3, border=border)
    assert found.dtype == image.dtype
    assert (found == theirs.astype(dtype)).all()


def test_the_median_of_channels_volumes_and_nan() -> None:
    image = np.random.default_rng(0).integers(0, 9, (6, 7, 3))
    assert (median(image)[..., 1] == median(image[..., 1])).all()
    assert median(np.arange(27).reshape(3, 3, 3), 3, axes=3)[1, 1, 1] == 13
    signal = median([1.0, 2.0, np.nan, 4.0, 5.0, 6.0], axes=1, border="replicate")
    assert np.isnan(signal[1:4]).all()
    assert np.isnan(signal).sum() == 3
    assert median(np.zeros((0, 4))).shape == (0, 4)


def test_a_glitch_is_gone_and_a_mean_smears_it() -> None:
    f = [10, 9, 10, 9, 10, 1, 10, 9, 10, 8]  # D1
    assert median(f, axes=1)[1:-1].tolist() == [10, 9, 10, 9, 10, 9, 10, 9]


@pytest.mark.parametrize("size", [2, 4])
def test_an_even_median_is_refused(size: int) -> None:
    with pytest.raises(GeometryError, match=rf"the size must be odd, got size={size}\. Use"):
        median(SQUARE, size)


def bump(y: float, x: float, shape: tuple[int, int] = (20, 24)) -> np.ndarray:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    return 1 - 0.02 * ((rows - y) ** 2 + (columns - x) ** 2)


def test_a_parabola_is_found_exactly() -> None:
    (found,) = peaks(bump(7.3, 11.6), threshold=0.9, separation=(3, 3))
    assert (found.row, found.column) == (7, 12)
    assert found.y == pytest.approx(7.3, abs=1e-12)
    assert found.x == pytest.approx(11.6, abs=1e-12)


def test_of_near_summits_the_highest_stays() -> None:
    heat = np.zeros((20, 20))
    heat[5, 5], heat[5, 8], heat[5, 15], heat[12, 5], heat[2, 2] = 0.9, 0.8, 0.7, 0.6, 0.2
    found = peaks(heat, threshold=0.5, separation=(4, 4))
    assert [(p.row, p.column) for p in found] == [(5, 5), (5, 15), (12, 5)]
    assert [p.height for p in found] == [0.9, 0.7, 0.6]
    assert len(peaks(heat, threshold=0.5, separation=(4, 3))) == 4
    assert len(peaks(heat, threshold=0.5, separation=(4, 4), most=2)) == 2


def test_a_plateau_is_one_summit() -> None:
    heat = np.zeros((9, 9))
    heat[3:5, 3:6] = 1
    assert [(p.row, p.column) for p in peaks(heat, threshold=0.5, separation=(3, 3))] == [(3, 3)]


def test_summits_on_the_border_and_beside_what_is_left_out() -> None:
    heat = np.full((3, 3), -np.inf)
    assert peaks(heat, threshold=-5, separation=(1, 1)) == []
    heat[0, 0] = 0.7
    (found,) = peaks(heat, threshold=0.5, separation=(1, 1))
    assert (found.y, found.x) == (0, 0)
    assert peaks(np.zeros((0, 3)), threshold=0, separation=(1, 1)) == []
