"""The checks on operators that are not ours: a right one passes, each wrong one is named."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.ops import OPERATORS, Concat
from faltung.ops.elementwise import AbstractElementwise
from faltung.ops.operator import (
    AbstractOperator,
    Array,
    Example,
    Key,
    OnnxNode,
    Result,
    Shape,
)
from faltung.testing import CHECKS, Case, cases_of, check_operator, check_values, linear_inputs
from faltung.testing.mutants import mutants_of


@dataclass(frozen=True)
class Squared(AbstractElementwise):
    """A user's operator: ``y = x**2``, which ONNX writes as a product."""

    onnx_type: ClassVar[str] = "Squared"

    def forward(
        self, inputs: Sequence[Array], *, training: bool = False, key: Key | None = None
    ) -> Result:
        x = inputs[0]
        return (np.asarray(x * x),), {}, x

    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        return (np.asarray(2 * saved * douts[0]),)

    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        return (OnnxNode("Mul", (inputs[0], inputs[0]), outputs),)


def without_onnx() -> list[Callable[..., None]]:
    # The reader knows it as the product that it is.
    return [check for check in CHECKS if check.__name__ != "check_onnx"]


def test_a_right_operator_passes() -> None:
    check_operator(Squared, checks=without_onnx())


@dataclass(frozen=True)
class WrongSlope(Squared):
    def backward(self, saved: Any, douts: Sequence[Array]) -> tuple[Array | None, ...]:
        return (np.asarray(saved * douts[0]),)


@dataclass(frozen=True)
class WrongValue(Squared):
    def to_onnx(
        self, inputs: tuple[str, ...], outputs: tuple[str, ...], in_shapes: Sequence[Shape]
    ) -> tuple[OnnxNode, ...]:
        return (OnnxNode("Add", (inputs[0], inputs[0]), outputs),)


@dataclass(frozen=True)
class WithoutExamples(Squared):
    @classmethod
    def examples(cls) -> list[Example]:
        return []


class NotDecorated(AbstractElementwise):
    onnx_type: ClassVar[str] = "NotDecorated"
    slope: float = 1.0
    forward = Squared.forward
    backward = Squared.backward


@pytest.mark.parametrize(
    ("operator", "text"),
    [
        (WrongSlope, r"check_gradients: WrongSlope\(\) on \(2, 3, 4, 5\).*central difference"),
        (WrongValue, r"check_values: WrongValue\(\) on .*outputs on integers, number 0: "),
        (WithoutExamples, "WithoutExamples has no examples"),
        (NotDecorated, r"check_record: .*\['slope'\] must be fields"),
    ],
)
def test_a_wrong_operator_is_named(operator: type[AbstractOperator], text: str) -> None:
    with pytest.raises(AssertionError, match=text):
        check_operator(operator, checks=without_onnx())


LINEAR = {
    "Add": {(0, 1)},
    "AveragePool": {(0,)},
    "BatchNormalization": {(0, 1, 2)},
    "Concat": {(0, 1), (0, 1, 2)},
    "Conv": {(0, 1), (0, 1, 2)},
    "ConvTranspose": {(0, 1), (0, 1, 2)},
    "Div": {(0,)},
    "Flatten": {(0,)},
    "Gemm": {(0, 1), (0, 1, 2)},
    "GlobalAveragePool": {(0,)},
    "GlobalMaxPool": {()},
    "LeakyRelu": {()},
    "LocallyConnected": {(0, 1)},
    "MatMul": {(0, 1)},
    "MaxPool": {()},
    "Mul": {(0, 1)},
    "Pad": {(0,)},
    "Relu": {()},
    "Sigmoid": {()},
    "Softmax": {()},
    "Sub": {(0, 1)},
    "Tanh": {()},
}


@pytest.mark.parametrize("name", LINEAR)
def test_the_adjoint_identity_is_asked_where_an_operator_is_linear(name: str) -> None:
    examples = [case for case in cases_of(OPERATORS[name]) if case.name.startswith("example")]
    sizes = [case for case in examples if all(0 not in shape for shape in case.in_shapes)]
    assert {tuple(linear_inputs(case)) for case in sizes} == LINEAR[name]


def test_the_adjoint_identity_alone_finds_wrong_gradients() -> None:
    cases = cases_of(OPERATORS["Conv"])
    (adjoint,) = (check for check in CHECKS if check.__name__ == "check_adjoint")
    for mutant in mutants_of(OPERATORS["Conv"]):
        if mutant.name.startswith(("dx:", "dw:")) and "padding_mode" not in mutant.name:
            with mutant.plant(), pytest.raises(AssertionError, match="check_adjoint"):
                check_operator(OPERATORS["Conv"], cases, [adjoint])


def test_failures_that_are_no_assertions_say_where_they_were() -> None:
    with pytest.raises(GeometryError, match="axis must be one of the input's") as caught:
        check_values(Case("no such axis", Concat(axis=7), ((2, 3), (2, 3))))
    assert any("in check_values of Concat(axis=7)" in note for note in caught.value.__notes__)
