"""What the docstrings show is so."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import faltung.geometry

NAMES = sorted(module.name for module in pkgutil.iter_modules(faltung.geometry.__path__))


@pytest.mark.parametrize("name", NAMES)
def test_examples(name: str) -> None:
    module = importlib.import_module(f"faltung.geometry.{name}")
    found = doctest.testmod(module)
    assert found.attempted > 0
    assert found.failed == 0


def test_example_of_the_package() -> None:
    found = doctest.testmod(faltung.geometry)
    assert found.attempted > 0
    assert found.failed == 0


def test_geometry_computes_with_integers_alone() -> None:
    """Neither NumPy nor a file is needed to say what a layer connects."""
    for name in NAMES:
        module = importlib.import_module(f"faltung.geometry.{name}")
        assert not {"np", "numpy", "open", "Path"} & set(vars(module))


def test_public_names_are_sorted_and_there() -> None:
    assert faltung.geometry.__all__ == sorted(faltung.geometry.__all__)
    assert all(hasattr(faltung.geometry, name) for name in faltung.geometry.__all__)
