from __future__ import annotations

import numpy as np
import pytest

from faltung.imaging.annotate import FRAME, eight_bit_colour, framed, signed_colours


def test_frames_lie_around_their_boxes() -> None:
    scene = np.full((30, 40), 200, np.uint8)
    picture = framed(scene, [(10.2, 20.4)], (5, 6))
    assert (picture[10:15, 20:26] == 200).all()
    assert (picture[9, 19:27] == FRAME).all()
    assert (picture[8, 18:28] == 0).all()
    assert (picture[:7] == 200).all()
    assert (scene == 200).all()


def test_frames_over_the_border_are_cut() -> None:
    scene = np.zeros((10, 10, 3), np.uint8)
    assert (framed(scene, [(-3, 7)], (6, 6))[3, 7:] == FRAME).all()
    assert (framed(scene, [], (6, 6)) == scene).all()


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.array([[0, 65535, 257]], np.uint16), [0, 255, 1]),
        (np.array([[0.0, 1.0, 0.5]]), [0, 255, 128]),
        (np.array([[3, 4, 5]], np.uint8), [3, 4, 5]),
    ],
)
def test_any_depth_becomes_eight_bit_colour(pixels: np.ndarray, expected: list[int]) -> None:
    found = eight_bit_colour(pixels)
    assert (found.shape, found.dtype) == ((1, 3, 3), np.uint8)
    assert found[0, :, 0].tolist() == expected == found[0, :, 2].tolist()


def test_signed_values_are_white_at_zero() -> None:
    found = signed_colours(np.array([[0.0, 2.0, 9.0, -9.0]]), largest=4)
    assert found[0].tolist() == [[255, 255, 255], [234, 174, 128], [213, 94, 0], [0, 114, 178]]
