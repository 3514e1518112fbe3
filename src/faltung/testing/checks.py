"""All checks of an operator, and the call that runs them.

>>> from faltung.ops import Relu
>>> check_operator(Relu)
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from typing import Final

from faltung.ops.operator import AbstractOperator
from faltung.testing.adjoint import check_adjoint
from faltung.testing.cases import Case, cases_of
from faltung.testing.compare import require
from faltung.testing.files import check_onnx
from faltung.testing.inputs import check_inputs
from faltung.testing.running import naming
from faltung.testing.shapes import check_shapes
from faltung.testing.spans import check_spans
from faltung.testing.taps import check_cost, check_dependencies
from faltung.testing.training import check_training
from faltung.testing.values import check_gradients, check_values

Check = Callable[[Case], None]


def check_record(case: Case) -> None:
    """Check the record itself: all attributes in it, equal to its copy, a key, enough inputs.

    That it is frozen Python sees to: `AbstractOperator` is a frozen dataclass.
    """
    with naming("check_record", case):
        operator = case.operator
        fields = {field.name for field in dataclasses.fields(operator)}
        missing = [name for name in _attributes(type(operator)) if name not in fields]
        require(not missing, f"{missing} must be fields: decorate it with @dataclass(frozen=True)")
        copy = dataclasses.replace(operator)
        require(copy == operator and hash(copy) == hash(operator), "it must equal its copy")
        least, most = operator.arity
        count = len(case.in_shapes)
        require(least <= count <= most, f"{count} inputs, where {least} to {most} are taken")
        inside = all(0 <= i < most for i in operator.state_inputs)
        require(inside, f"state inputs {operator.state_inputs} of at most {most}")


def _attributes(cls: type) -> list[str]:
    """Names that the class and those it inherits annotate, but for what belongs to the class."""
    written = (vars(base).get("__annotations__", {}) for base in cls.__mro__)
    return [
        name for kinds in written for name, kind in kinds.items() if "ClassVar" not in str(kind)
    ]


CHECKS: Final[tuple[Check, ...]] = (
    check_record,
    check_shapes,
    check_values,
    check_gradients,
    check_adjoint,
    check_training,
    check_inputs,
    check_spans,
    check_cost,
    check_onnx,
    check_dependencies,
)
"""Every check, the quick ones first."""


def check_operator(
    operator: type[AbstractOperator],
    cases: Iterable[Case] | None = None,
    checks: Iterable[Check] = CHECKS,
) -> None:
    """Run every check on every case of an operator.

    Parameters
    ----------
    operator : class
        A concrete operator, ours or a user's.
    cases : iterable of Case, optional
        Where left out, what `cases_of` gives: its own examples, and the windows where it slides.
    checks : iterable of callables, optional
        Each takes one case.

    Raises
    ------
    AssertionError
        The first thing that is wrong; the message names check, case and values.
    """
    given = cases_of(operator) if cases is None else list(cases)
    require(bool(given), f"{operator.__name__} has no examples")
    for check in checks:
        for case in given:
            check(case)
