"""Transposed convolution: the transposed matrix, PyTorch, ONNX, and its two gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from faltung.errors import GeometryError
from faltung.reference import (
    conv_db,
    conv_loops,
    conv_transpose,
    conv_transpose_dw,
    conv_transpose_dx,
    conv_transpose_loops,
)
from faltung.reference.arrays import padded

BOTH = pytest.mark.parametrize("definition", [conv_transpose, conv_transpose_loops])


@dataclass(frozen=True)
class Case:
    """One geometry: x is (N, C, *space), w is (C, O/groups, *kernel)."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    stride: tuple[int, ...]
    pads: tuple[tuple[int, int], ...]
    output_padding: tuple[int, ...]
    dilation: tuple[int, ...]
    groups: int = 1

    @property
    def steps(self) -> dict[str, Any]:
        """What the gradients take as well."""
        return {name: getattr(self, name) for name in ("stride", "pads", "dilation", "groups")}

    @property
    def all_steps(self) -> dict[str, Any]:
        return {**self.steps, "output_padding": self.output_padding}


CASES = {
    "plain": Case((2, 2, 3, 4), (2, 3, 2, 3), (1, 1), ((0, 0), (0, 0)), (0, 0), (1, 1)),
    "stride": Case((1, 2, 3, 2), (2, 1, 3, 2), (2, 3), ((0, 0), (0, 0)), (0, 0), (1, 1)),
    "stride_over": Case((1, 1, 3, 3), (1, 2, 1, 2), (3, 4), ((0, 0), (1, 0)), (2, 3), (1, 1)),
    "output_padding": Case((2, 1, 3, 4), (1, 2, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 0), (1, 1)),
    "asymmetric": Case((1, 2, 4, 3), (2, 2, 3, 4), (2, 1), ((0, 2), (3, 0)), (1, 0), (1, 1)),
    "dilation": Case((1, 2, 3, 4), (2, 2, 3, 2), (2, 1), ((1, 2), (0, 1)), (0, 0), (2, 3)),
    "output_padding_past_stride": Case(
        (1, 1, 3, 3), (1, 1, 2, 2), (1, 2), ((0, 0), (1, 1)), (2, 2), (3, 3)
    ),
    "groups": Case((1, 4, 3, 3), (4, 3, 2, 2), (2, 2), ((1, 0), (0, 0)), (0, 1), (1, 1), 2),
    "depthwise": Case((2, 3, 3, 2), (3, 1, 3, 3), (2, 2), ((1, 1), (1, 1)), (1, 1), (1, 1), 3),
    "grown": Case((1, 1, 3, 2), (1, 1, 2, 2), (2, 1), ((-1, 0), (0, -2)), (0, 0), (1, 1)),
    "cropped_away": Case((1, 1, 1, 2), (1, 1, 2, 2), (1, 1), ((2, 1), (0, 0)), (0, 0), (1, 1)),
    "no_width": Case((1, 1, 2, 0), (1, 1, 2, 2), (1, 1), ((0, 0), (0, 0)), (0, 0), (1, 1)),
    "no_batch": Case((0, 1, 2, 2), (1, 1, 2, 2), (1, 1), ((0, 0), (0, 0)), (0, 0), (1, 1)),
    "signal": Case((2, 3, 4), (3, 2, 3), (3,), ((1, 0),), (2,), (2,)),
    "volume": Case(
        (1, 2, 2, 3, 2), (2, 1, 2, 2, 3), (2, 1, 2), ((0, 1), (0, 0), (1, 1)), (1, 0, 1), (1, 2, 1),
        groups=2,
    ),
}  # fmt: skip
EMPTY = {"cropped_away", "no_width", "no_batch"}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def transposed(request: pytest.FixtureRequest) -> Case:
    chosen: Case = request.param
    return chosen


@pytest.fixture(params=[name for name in CASES if name not in EMPTY])
def peer_transposed(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


def test_the_two_definitions_agree(transposed, whole):
    x, w = whole(*transposed.x), whole(*transposed.w)
    b = whole(transposed.w[1] * transposed.groups)
    by_loops = conv_transpose_loops(x, w, b, **transposed.all_steps)
    by_adjoint = conv_transpose(x, w, b, **transposed.all_steps)
    np.testing.assert_array_equal(by_adjoint, by_loops, strict=True)


def test_it_is_the_transposed_matrix_of_the_convolution(peer_case, whole):
    """A batch of all unit images gives the matrix, one column each."""
    case, w = peer_case, whole(*peer_case.w)
    size = int(np.prod(case.x[1:]))
    units = np.eye(size).reshape(size, *case.x[1:])
    columns = conv_loops(units, w, **case.steps)
    matrix = columns.reshape(size, -1).T
    y = whole(1, *columns.shape[1:])
    expected = matrix.T @ y.ravel()
    steps = case.full_steps
    reached = conv_transpose(y, w, **steps).shape[2:]
    missing = [n - r for n, r in zip(case.x[2:], reached, strict=True)]
    assert all(0 <= m < s for m, s in zip(missing, steps["stride"], strict=True))
    x = conv_transpose(y, w, **steps, output_padding=missing)
    assert x.shape == (1, *case.x[1:])
    np.testing.assert_array_equal(x.ravel(), expected, strict=True)


def test_it_equals_pytorch(peer_transposed, whole, torch):
    """PyTorch pads both ends alike: it is asked for all of the sum, which is cropped here."""
    case = peer_transposed
    x, w = whole(*case.x), whole(*case.w)
    torch_of = getattr(torch.nn.functional, f"conv_transpose{len(case.x) - 2}d")
    options = {name: getattr(case, name) for name in ("stride", "dilation", "groups")}
    tensors = torch.from_numpy(x), torch.from_numpy(w)
    whole_sum = torch_of(*tensors, output_padding=case.output_padding, **options).numpy()
    expected = padded(whole_sum, [(-lo, -hi) for lo, hi in case.pads])
    y = conv_transpose_loops(x, w, **case.all_steps)
    np.testing.assert_array_equal(y, expected, strict=True)


def test_padding_means_what_it_means_in_pytorch(whole, torch):
    x, w, b = whole(1, 2, 4, 3), whole(2, 3, 3, 3), whole(3)
    tensors = [torch.from_numpy(a) for a in (x, w, b)]
    options = {"stride": (2, 3), "output_padding": (1, 2)}
    expected = torch.nn.functional.conv_transpose2d(*tensors, padding=(1, 2), **options).numpy()
    y = conv_transpose(x, w, b, pads=[(1, 1), (2, 2)], **options)
    np.testing.assert_array_equal(y, expected, strict=True)


@pytest.mark.parametrize("name", ["plain", "stride", "asymmetric", "dilation", "signal"])
def test_it_equals_the_reference_evaluator_of_onnx(name, whole):
    case = CASES[name]
    x, w = whole(*case.x), whole(*case.w)
    b = whole(case.w[1])
    pads = [lo for lo, _ in case.pads] + [hi for _, hi in case.pads]
    steps = {"strides": case.stride, "dilations": case.dilation, "pads": pads}
    node = helper.make_node(
        "ConvTranspose", ["x", "w", "b"], ["y"], output_padding=case.output_padding, **steps
    )
    double = onnx.TensorProto.DOUBLE
    values = [
        helper.make_tensor_value_info(n, double, a.shape)
        for n, a in zip("xwb", (x, w, b), strict=True)
    ]
    y = helper.make_tensor_value_info("y", double, None)
    graph = helper.make_graph([node], "one", values, [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    expected = ReferenceEvaluator(model).run(None, {"x": x, "w": w, "b": b})[0]
    np.testing.assert_array_equal(conv_transpose(x, w, b, **case.all_steps), expected, strict=True)


@BOTH
def test_output_padding_is_more_of_the_sum_and_not_a_border_of_zeros(definition):
    """Trap 15."""
    x, w = [[[1, 10]]], [[[1, 2, 3]]]
    np.testing.assert_array_equal(definition(x, w, stride=[2], pads=[(1, 1)]), [[[2, 13, 20]]])
    y = definition(x, w, stride=[2], pads=[(1, 1)], output_padding=[1])
    np.testing.assert_array_equal(y, [[[2, 13, 20, 30]]])


@BOTH
def test_weights_are_laid_out_in_then_out_by_groups(definition):
    """Trap 17: (C, O/groups, *kernel); channel ci feeds the outputs of its own group."""
    w = np.arange(1, 13).reshape(4, 3, 1)
    y = definition(np.array([1, 10, 100, 1000]).reshape(1, 4, 1), w, groups=2)
    np.testing.assert_array_equal(y.ravel(), [41, 52, 63, 10700, 11800, 12900])


@BOTH
def test_a_bias_reaches_every_output(definition):
    y = definition([[[1]]], [[[2], [3]]], [10, 20], pads=[(-1, 0)])
    np.testing.assert_array_equal(y, [[[10, 12], [20, 23]]])


def test_dx_is_the_adjoint(transposed, whole):
    x, w = whole(*transposed.x), whole(*transposed.w)
    y = conv_transpose_loops(x, w, **transposed.all_steps)
    dout = whole(*y.shape)
    dx = conv_transpose_dx(dout, w, x.shape, **transposed.steps)
    assert dx.shape == x.shape
    assert np.vdot(y, dout) == np.vdot(x, dx)


def test_each_gradient_equals_central_differences(transposed, whole):
    """The map is linear in x, in w and in b: a difference over a whole step is exact."""
    x, w = whole(*transposed.x), whole(*transposed.w)
    b = whole(transposed.w[1] * transposed.groups)
    dout = whole(*conv_transpose_loops(x, w, **transposed.all_steps).shape)

    def slope(vx, vw, vb):
        ahead = conv_transpose_loops(x + vx, w + vw, b + vb, **transposed.all_steps)
        behind = conv_transpose_loops(x - vx, w - vw, b - vb, **transposed.all_steps)
        return np.vdot(ahead - behind, dout) / 2

    vx, vw, vb = whole(*x.shape), whole(*w.shape), whole(*b.shape)
    dx = conv_transpose_dx(dout, w, x.shape, **transposed.steps)
    dw = conv_transpose_dw(x, dout, w.shape, **transposed.steps)
    assert slope(vx, 0, 0) == np.vdot(dx, vx)
    assert slope(0, vw, 0) == np.vdot(dw, vw)
    assert slope(0, 0, vb) == np.vdot(conv_db(dout), vb)


def test_no_input_gives_no_output_even_with_output_padding():
    y = conv_transpose(np.zeros((1, 1, 0)), np.zeros((1, 1, 3)), stride=[2], output_padding=[1])
    assert y.shape == (1, 1, 0)


@BOTH
def test_complex_numbers_are_multiplied_without_conjugation(definition):
    np.testing.assert_array_equal(definition([[[1j]]], [[[1j, 1]]]), [[[-1, 1j]]])


@BOTH
def test_channels_that_do_not_fit_are_refused(definition):
    with pytest.raises(GeometryError, match="must fit together"):
        definition(np.zeros((1, 3, 2)), np.zeros((3, 1, 2)), groups=2)
    with pytest.raises(GeometryError, match="must fit together"):
        definition(np.zeros((1, 2, 2)), np.zeros((3, 1, 2)))


def test_a_gradient_of_the_wrong_width_is_refused():
    with pytest.raises(GeometryError, match="must fit together"):
        conv_transpose_dx(np.zeros((1, 3, 4)), np.zeros((1, 2, 2)), (1, 1, 3))
    with pytest.raises(GeometryError, match="more outputs than windows"):
        conv_transpose_dx(np.zeros((1, 2, 3)), np.zeros((1, 2, 2)), (1, 1, 3))
