"""Every public definition has an example."""

from __future__ import annotations

import inspect

import pytest

from faltung import reference


@pytest.mark.parametrize("name", reference.__all__)
def test_each_public_function_has_an_example(name):
    assert ">>> " in (inspect.getdoc(getattr(reference, name)) or "")


def test_all_is_sorted_and_complete():
    public = [name for name, value in vars(reference).items() if inspect.isfunction(value)]
    assert reference.__all__ == sorted(public)
