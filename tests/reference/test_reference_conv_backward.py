"""Gradients of conv: by adjoint, by central differences, and as the field describes them."""

from __future__ import annotations

import numpy as np
import pytest

from faltung.errors import GeometryError
from faltung.reference import (
    conv,
    conv_db,
    conv_dw,
    conv_dw_loops,
    conv_dx,
    conv_dx_loops,
    conv_loops,
)

BOTH_DX = pytest.mark.parametrize("dx_of", [conv_dx, conv_dx_loops])
BOTH_DW = pytest.mark.parametrize("dw_of", [conv_dw, conv_dw_loops])


def test_the_two_definitions_of_each_gradient_agree(case, whole):
    x, w = whole(*case.x), whole(*case.w)
    dout = whole(*conv(x, w, **case.steps).shape)
    dx, dw = conv_dx(dout, w, x.shape, **case.steps), conv_dw(x, dout, w.shape, **case.steps)
    dx_loops = conv_dx_loops(dout, w, x.shape, **case.steps)
    dw_loops = conv_dw_loops(x, dout, w.shape, **case.steps)
    np.testing.assert_array_equal(dx, dx_loops, strict=True)
    np.testing.assert_array_equal(dw, dw_loops, strict=True)
    assert dx.shape == x.shape
    assert dw.shape == w.shape


def test_dx_is_the_adjoint(case, whole):
    """``<conv(x), y> = <x, conv_dx(y)>``, exactly, since all numbers are whole."""
    x, w = whole(*case.x), whole(*case.w)
    out = conv_loops(x, w, **case.steps)
    y = whole(*out.shape)
    assert np.vdot(out, y) == np.vdot(x, conv_dx(y, w, x.shape, **case.steps))


def test_each_gradient_equals_central_differences(case, whole):
    """conv is linear in x, in w and in b: a difference over a whole step is exact."""
    x, w, b = whole(*case.x), whole(*case.w), whole(case.w[0])
    dout = whole(*conv_loops(x, w, b, **case.steps).shape)

    def slope(vx, vw, vb):
        ahead = conv_loops(x + vx, w + vw, b + vb, **case.steps)
        behind = conv_loops(x - vx, w - vw, b - vb, **case.steps)
        return np.vdot(ahead - behind, dout) / 2

    vx, vw, vb = whole(*x.shape), whole(*w.shape), whole(*b.shape)
    assert slope(vx, 0, 0) == np.vdot(conv_dx(dout, w, x.shape, **case.steps), vx)
    assert slope(0, vw, 0) == np.vdot(conv_dw(x, dout, w.shape, **case.steps), vw)
    assert slope(0, 0, vb) == np.vdot(conv_db(dout), vb)


def test_gradients_equal_pytorch(peer_case, whole, torch):
    case, steps = peer_case, peer_case.full_steps
    x = torch.from_numpy(whole(*case.x)).requires_grad_()
    w = torch.from_numpy(whole(*case.w)).requires_grad_()
    flat = [pad for lo_hi in reversed(steps["pads"]) for pad in lo_hi]
    wider = torch.nn.functional.pad(x, flat)
    torch_conv = getattr(torch.nn.functional, f"conv{case.axes}d")
    options = {name: steps[name] for name in ("stride", "dilation", "groups")}
    y = torch_conv(wider, w, **options)
    dout = whole(*y.shape)
    y.backward(torch.from_numpy(dout))
    x_in, w_in = x.detach().numpy(), w.detach().numpy()
    dx, dw = conv_dx(dout, w_in, case.x, **steps), conv_dw(x_in, dout, case.w, **steps)
    np.testing.assert_array_equal(dx, x.grad.numpy(), strict=True)
    np.testing.assert_array_equal(dw, w.grad.numpy(), strict=True)


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("dilation", [1, 2])
def test_dx_is_a_full_correlation_of_spread_dout_with_the_flipped_kernel(stride, dilation, whole):
    """Trap 38: stride − 1 zeros between the entries of dout, then pad by the extent − 1."""
    x_shape, w = (1, 2, 9, 8), whole(3, 2, 3, 2)
    steps = {"stride": (stride, stride), "dilation": (dilation, dilation)}
    dout = whole(*conv(np.zeros(x_shape), w, **steps).shape)
    spread = np.zeros((1, 3, *((size - 1) * stride + 1 for size in dout.shape[2:])))
    spread[..., ::stride, ::stride] = dout
    extents = [dilation * (k - 1) + 1 for k in (3, 2)]
    reached = [extent - 1 + size for extent, size in zip(extents, spread.shape[2:], strict=True)]
    pads = [
        (extent - 1, extent - 1 + size - reach)
        for extent, size, reach in zip(extents, x_shape[2:], reached, strict=True)
    ]
    flipped = np.flip(w, (2, 3)).swapaxes(0, 1)
    expected = conv_loops(spread, flipped, pads=pads, dilation=steps["dilation"])
    np.testing.assert_array_equal(conv_dx(dout, w, x_shape, **steps), expected, strict=True)


@BOTH_DX
def test_columns_that_the_floor_drops_get_zero(dx_of):
    dx = dx_of(np.ones((1, 1, 2, 1)), np.ones((1, 1, 2, 3)), (1, 1, 6, 5), stride=(3, 3))
    row = [1, 1, 1, 0, 0]
    none = [0] * 5
    np.testing.assert_array_equal(dx, [[[row, row, none, row, row, none]]])


@BOTH_DX
def test_cropped_inputs_get_zero(dx_of):
    dx = dx_of([[[1, 1]]], [[[2]]], (1, 1, 5), pads=[(-1, -2)])
    np.testing.assert_array_equal(dx, [[[0, 2, 2, 0, 0]]])


@BOTH_DW
def test_dw_is_summed_over_the_batch_once(dw_of, whole):
    x, dout = whole(1, 2, 4, 4), whole(1, 3, 3, 3)
    one = dw_of(x, dout, (3, 2, 2, 2))
    three = dw_of(np.repeat(x, 3, 0), np.repeat(dout, 3, 0), (3, 2, 2, 2))
    np.testing.assert_array_equal(three, 3 * one)


def test_db_sums_over_batch_and_space_of_any_number_of_axes(whole):
    for shape in [(2, 3, 4), (2, 3, 4, 5), (2, 3, 4, 5, 2), (0, 3, 4)]:
        dout = whole(*shape)
        expected = [dout[:, co].sum() for co in range(3)]
        np.testing.assert_array_equal(conv_db(dout), expected, strict=True)


@BOTH_DX
def test_infinity_times_zero_is_nan_where_it_meets_an_input_alone(dx_of):
    """The first tap of the first output is on padding, which hands nothing on."""
    dx = dx_of([[[0, 1]]], [[[np.inf, 0]]], (1, 1, 3), pads=[(1, 0)], stride=[2])
    np.testing.assert_array_equal(dx, [[[0, np.inf, 0]]])
    dx = dx_of([[[0, 1]]], [[[np.inf, 0]]], (1, 1, 3))
    np.testing.assert_array_equal(dx, [[[np.nan, np.inf, 0]]])


@BOTH_DW
def test_infinity_on_dout_times_padding_is_nan(dw_of):
    dw = dw_of([[[1, 2]]], [[[np.inf, 1]]], (1, 1, 2), pads=[(1, 0)])
    np.testing.assert_array_equal(dw, [[[np.nan, np.inf]]])


def test_more_outputs_than_windows_are_refused():
    text = r"conv: there are more outputs than windows, got outputs=\(4,\), windows=\(3,\)\."
    with pytest.raises(GeometryError, match=text):
        conv_dx(np.zeros((1, 1, 4)), np.zeros((1, 1, 2)), (1, 1, 4))
    with pytest.raises(GeometryError, match=text):
        conv_dw(np.zeros((1, 1, 4)), np.zeros((1, 1, 4)), (1, 1, 2))


@pytest.mark.parametrize(
    ("x", "dout", "w"),
    [
        ((1, 3, 4), (1, 2, 3), (2, 2, 2)),  # input channels
        ((1, 2, 4), (1, 3, 3), (2, 2, 2)),  # output channels
        ((1, 2, 4), (1, 1, 3), (2, 2, 2)),  # which einsum would broadcast
        ((1, 2, 4), (2, 2, 3), (2, 2, 2)),  # batch
    ],
)
def test_shapes_that_do_not_fit_are_refused(x, dout, w):
    for dx_of in (conv_dx, conv_dx_loops):
        with pytest.raises(GeometryError, match=r"conv: x \(N, C\), y \(N, O\) and w .* must fit"):
            dx_of(np.zeros(dout), np.zeros(w), x)
    for dw_of in (conv_dw, conv_dw_loops):
        with pytest.raises(GeometryError, match=r"conv: x \(N, C\), y \(N, O\) and w .* must fit"):
            dw_of(np.zeros(x), np.zeros(dout), w)
