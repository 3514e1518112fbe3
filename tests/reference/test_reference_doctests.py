"""Every public definition has an example, and every example is run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

from faltung import reference

MODULES = [module.name for module in pkgutil.iter_modules(reference.__path__)]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_give_what_they_say(name):
    module = importlib.import_module(f"faltung.reference.{name}")
    assert doctest.testmod(module).failed == 0


@pytest.mark.parametrize("name", reference.__all__)
def test_each_public_function_has_an_example(name):
    assert ">>> " in (inspect.getdoc(getattr(reference, name)) or "")


def test_all_is_sorted_and_complete():
    public = [name for name, value in vars(reference).items() if inspect.isfunction(value)]
    assert reference.__all__ == sorted(public)
