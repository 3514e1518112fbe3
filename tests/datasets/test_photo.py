from __future__ import annotations

import numpy as np
import pytest

from faltung.datasets import PHOTOS, photo
from faltung.datasets.photo import FOLDER
from faltung.errors import DatasetError


@pytest.mark.parametrize(
    ("name", "shape"), [("cat", (300, 451, 3)), ("coffee", (400, 600, 3)), ("camera", (512, 512))]
)
def test_photographs_ship_with_the_package(name: str, shape: tuple[int, ...]) -> None:
    found = photo(name)
    assert (found.shape, found.dtype) == (shape, np.uint8)
    assert found.std() > 30


def test_together_they_take_less_than_300_kilobytes() -> None:
    files = list(FOLDER.iterdir())
    assert {f.name for f in files} == {f"{name}.jpg" for name in PHOTOS}
    assert sum(f.stat().st_size for f in files) < 300_000


def test_neighbours_in_photographs_are_alike() -> None:
    # R5: 0.7 to 0.99.
    for name in PHOTOS:
        grey = photo(name).reshape(*photo(name).shape[:2], -1).mean(axis=2)
        r = np.corrcoef(grey[:, 1:].ravel(), grey[:, :-1].ravel())[0, 1]
        assert 0.7 < r < 0.999


def test_unknown_names_are_told_the_known_ones() -> None:
    with pytest.raises(
        DatasetError, match=r"there is no such photograph, got name='dog'\. Use one"
    ):
        photo("dog")
