"""Windows that Hypothesis draws are as various as the list, and Hypothesis stays optional."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from hypothesis import Phase, find, settings

from faltung.errors import MissingExtraError
from faltung.ops import AveragePool, Conv, ConvTranspose, MaxPool
from faltung.testing.strategies import window_uses, windows

QUIETLY = settings(max_examples=2000, database=None, phases=[Phase.generate])


@pytest.mark.parametrize(
    "is_there",
    [
        lambda s: len(s.space) == 3,
        lambda s: 0 in s.space,
        lambda s: s.batch == 0,
        lambda s: s.groups > 1,
        lambda s: s.padding == "same_lower",
        lambda s: isinstance(s.padding, tuple) and min(s.padding[0]) < 0 < max(s.padding[0]),
        lambda s: s.output_padding != 0,
    ],
)
def test_windows_are_various(is_there: Any) -> None:
    find(windows(), is_there, settings=QUIETLY)


@pytest.mark.parametrize("operator", [Conv, ConvTranspose, MaxPool, AveragePool])
def test_uses_have_outputs(operator: Any) -> None:
    def large(case: Any) -> bool:
        return min(case.operator.out_shapes(case.in_shapes)[0]) > 1

    found = find(window_uses(operator), large, settings=QUIETLY)
    assert type(found.operator) is operator


def test_without_hypothesis_the_error_says_what_to_install(monkeypatch: Any) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name == "hypothesis":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError) as caught:
        windows()
    assert str(caught.value) == (
        "faltung.testing: random cases need Hypothesis, which is not installed. "
        "Install it with: pip install 'faltung[test]'."
    )
