"""Every operator through every check. A new operator takes part by being in `OPERATORS`."""

from __future__ import annotations

import pytest

from faltung.ops import OPERATORS
from faltung.testing import CHECKS, cases_of


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", OPERATORS)
def test_operator(name: str, check: object) -> None:
    cases = cases_of(OPERATORS[name])
    assert cases
    assert callable(check)
    for case in cases:
        check(case)
