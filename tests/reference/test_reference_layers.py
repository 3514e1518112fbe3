"""Dense, batch normalisation, activations and losses: values, slopes and PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

from faltung import reference as ref
from faltung.errors import GeometryError

EPS64 = np.finfo(np.float64).eps

POINTWISE = {
    "relu": (ref.relu, ref.relu_dx),
    "leaky_relu": (ref.leaky_relu, ref.leaky_relu_dx),
    "sigmoid": (ref.sigmoid, ref.sigmoid_dx),
    "tanh": (ref.tanh, ref.tanh_dx),
    "softmax": (ref.softmax, ref.softmax_dx),
    "log_softmax": (ref.log_softmax, ref.log_softmax_dx),
}


@pytest.fixture
def real(whole):
    """Real numbers away from 0, where relu has its corner."""
    return lambda *shape: whole(*shape) / 4 + 1 / 8


def within(actual, expected, roundings, largest=1.0):
    """Hold two float64 results to ``γ_k·largest``: k roundings of values no larger than that.

    k counts the operations on the way to both results together, a sum of n being n of them.
    """
    k = roundings * EPS64 / 2
    np.testing.assert_array_less(np.abs(actual - expected), k / (1 - k) * largest + 5e-324)


# Dense


def test_dense_is_a_matrix_product_plus_bias(whole):
    x, w, b = whole(3, 5), whole(4, 5), whole(4)
    np.testing.assert_array_equal(ref.dense(x, w, b), x @ w.T + b, strict=True)


def test_dense_is_a_convolution_with_a_kernel_of_the_inputs_size(whole):
    x, w, b = whole(2, 3, 4, 5), whole(6, 3, 4, 5), whole(6)
    expected = ref.conv_loops(x, w, b).reshape(2, 6)
    y = ref.dense(x.reshape(2, -1), w.reshape(6, -1), b)
    np.testing.assert_array_equal(y, expected, strict=True)


def test_dense_gradients_equal_central_differences(whole):
    """Linear in x, in w and in b: a difference over a whole step is exact."""
    x, w, b, dout = whole(3, 5), whole(4, 5), whole(4), whole(3, 4)
    vx, vw, vb = whole(3, 5), whole(4, 5), whole(4)

    def slope(vx, vw, vb):
        ahead, behind = ref.dense(x + vx, w + vw, b + vb), ref.dense(x - vx, w - vw, b - vb)
        return np.vdot(ahead - behind, dout) / 2

    assert slope(vx, 0, 0) == np.vdot(ref.dense_dx(dout, w), vx)
    assert slope(0, vw, 0) == np.vdot(ref.dense_dw(x, dout), vw)
    assert slope(0, 0, vb) == np.vdot(ref.dense_db(dout), vb)


def test_dense_of_no_rows_and_of_no_features():
    np.testing.assert_array_equal(ref.dense(np.zeros((0, 3)), np.zeros((2, 3))), np.zeros((0, 2)))
    np.testing.assert_array_equal(ref.dense(np.zeros((1, 0)), np.zeros((2, 0)), [3, 4]), [[3, 4]])


def test_dense_refuses_another_number_of_features():
    text = (
        r"dense: x needs as many features as w has columns, got x.shape=\(1, 3\), w.shape=\(2, 2\)"
    )
    with pytest.raises(GeometryError, match=text):
        ref.dense(np.zeros((1, 3)), np.zeros((2, 2)))


# Batch normalisation


@pytest.fixture(
    params=[(4, 3), (2, 3, 5), (2, 2, 3, 4), (2, 2, 2, 3, 2)], ids=lambda s: f"{len(s)}d"
)
def bn(request, real):
    """x, dout, scale, bias, mean, var for one shape."""
    shape = request.param
    channels = shape[1]
    some = [real(channels) for _ in range(3)]
    return real(*shape), real(*shape), *some, np.abs(real(channels)) + 0.5


def reach(x, eps=1e-5):
    """Bound of (|x| + |mean|)/√(var + eps): what the rounding of x̂ is relative to."""
    return 2 * np.abs(x).max() / np.sqrt(x.var((0, *range(2, x.ndim))).min() + eps)


def test_training_makes_each_channel_mean_0_and_variance_1(bn):
    x, _, scale, bias, _, _ = bn
    ones, zeros = np.ones_like(scale), np.zeros_like(bias)
    x_hat, mean, var = ref.batch_norm_training(x, ones, zeros, eps=0)
    others = (0, *range(2, x.ndim))
    within(x_hat.mean(others), 0, 3 * x.size, reach(x, 0))
    within((x_hat**2).mean(others), 1, 4 * x.size, reach(x, 0) ** 2)
    within(mean, x.mean(others), x.size, np.abs(x).max())
    within(var, (x**2).mean(others) - mean**2, 4 * x.size, 4 * (x**2).max())


def test_inference_with_the_batchs_statistics_is_training(bn):
    x, _, scale, bias, _, _ = bn
    y, mean, var = ref.batch_norm_training(x, scale, bias, 1e-3)
    np.testing.assert_array_equal(ref.batch_norm(x, scale, bias, mean, var, 1e-3), y)


def test_inference_is_a_pointwise_depthwise_convolution(bn):
    x, _, scale, bias, mean, var = bn
    slope = scale / np.sqrt(var + 1e-5)
    w = slope.reshape(-1, *[1] * (x.ndim - 1))
    if x.ndim == 2:
        expected = x * slope + (bias - mean * slope)
    else:
        expected = ref.conv(x, w, bias - mean * slope, groups=len(slope))
    largest = (np.abs(slope) * (np.abs(x).max() + np.abs(mean)) + np.abs(bias)).max()
    within(ref.batch_norm(x, scale, bias, mean, var), expected, 16, largest)


def test_inference_gradients_equal_central_differences(bn, check_slope):
    x, dout, scale, bias, mean, var = bn

    def loss(x=x, scale=scale, bias=bias):
        return np.vdot(ref.batch_norm(x, scale, bias, mean, var), dout)

    check_slope(lambda x: loss(x=x), x, ref.batch_norm_dx(dout, scale, var))
    dscale = ref.batch_norm_dscale(x, dout, mean, var)
    check_slope(lambda scale: loss(scale=scale), scale, dscale)
    check_slope(lambda bias: loss(bias=bias), bias, ref.batch_norm_dbias(dout))


def test_training_gradients_equal_central_differences(bn, check_slope):
    x, dout, scale, bias, _, _ = bn
    eps = 0.1

    def loss(x=x, scale=scale, bias=bias):
        return np.vdot(ref.batch_norm_training(x, scale, bias, eps)[0], dout)

    check_slope(lambda x: loss(x=x), x, ref.batch_norm_training_dx(x, dout, scale, eps))
    dscale = ref.batch_norm_dscale(x, dout, *ref.batch_statistics(x), eps)
    check_slope(lambda scale: loss(scale=scale), scale, dscale)
    check_slope(lambda bias: loss(bias=bias), bias, ref.batch_norm_dbias(dout))


def test_batch_norm_equals_pytorch(bn, torch):
    x, dout, scale, bias, _, _ = bn
    tensors = [torch.from_numpy(a).requires_grad_() for a in (x, scale, bias)]
    running = [torch.zeros(len(scale), dtype=torch.float64) for _ in range(2)]
    y = torch.nn.functional.batch_norm(
        tensors[0], *running, *tensors[1:], training=True, momentum=1.0, eps=1e-5
    )
    dx, dscale, dbias = torch.autograd.grad(y, tensors, torch.from_numpy(dout))
    ours, mean, var = ref.batch_norm_training(x, scale, bias)
    n, most, size = x.size, reach(x), np.abs(x).max()
    handed_back = np.abs(dout).sum() * most * most  # dscale; times |scale|/√var it is dx
    within(ours, y.detach().numpy(), 4 * n, np.abs(scale).max() * most + np.abs(bias).max())
    within(mean, running[0].numpy(), 2 * n, size)
    within(ref.batch_norm_dscale(x, dout, mean, var), dscale.numpy(), 6 * n, handed_back)
    within(ref.batch_norm_dbias(dout), dbias.numpy(), 2 * n, handed_back)
    per_unit = np.abs(scale).max() * most / size
    dx_ours = ref.batch_norm_training_dx(x, dout, scale)
    within(dx_ours, dx.numpy(), 8 * n, handed_back * per_unit)
    count = n / len(scale)  # PyTorch keeps the unbiased variance, ONNX and we do not
    within(var * count / (count - 1), running[1].numpy(), 4 * n, 4 * size * size)


def test_running_statistics_keep_momentum_of_the_old():
    np.testing.assert_array_equal(ref.running_statistics([8, 0], [0, 8], 0.75), [6, 2])


def test_statistics_of_nothing_are_refused():
    text = r"batch_norm: statistics need at least one value a channel, got x.shape=\(0, 2, 3\)"
    with pytest.raises(GeometryError, match=text):
        ref.batch_norm_training(np.zeros((0, 2, 3)), [1, 1], [0, 0])


# Activations


@pytest.mark.parametrize("name", POINTWISE)
def test_activation_gradients_equal_central_differences(name, real, check_slope):
    op, op_dx = POINTWISE[name]
    x, dout = real(3, 4, 5), real(3, 4, 5)
    check_slope(lambda x: np.vdot(op(x), dout), x, op_dx(x, dout))


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_softmax_goes_along_the_axis_asked_for(name, axis, real, check_slope):
    op, op_dx = POINTWISE[name]
    x, dout = real(2, 3, 4), real(2, 3, 4)
    moved = np.moveaxis(op(np.moveaxis(x, axis, -1)), -1, axis)
    np.testing.assert_array_equal(op(x, axis), moved)
    check_slope(lambda x: np.vdot(op(x, axis), dout), x, op_dx(x, dout, axis))


@pytest.mark.parametrize("name", POINTWISE)
def test_activations_equal_pytorch(name, real, torch):
    op, op_dx = POINTWISE[name]
    x, dout = real(3, 5), real(3, 5)
    options = {"dim": -1} if "softmax" in name else {}
    their = torch.from_numpy(x).requires_grad_()
    y = getattr(torch.nn.functional, name)(their, **options)
    (dx,) = torch.autograd.grad(y, their, torch.from_numpy(dout))
    k = 2 * (x.shape[-1] + 8)  # a sum over the axis and some eight operations, twice
    within(op(x), y.detach().numpy(), k, 1 + 2 * np.abs(x).max())
    within(op_dx(x, dout), dx.numpy(), 2 * k, np.abs(dout).sum())


def test_at_its_corner_relu_has_slope_0_and_leaky_relu_alpha():
    """The choice of PyTorch and of ONNX Runtime."""
    np.testing.assert_array_equal(ref.relu_dx([0.0, -0.0], [3, 3]), [0, 0])
    np.testing.assert_array_equal(ref.leaky_relu_dx([0.0, -0.0], [4, 4], 0.25), [1, 1])


@pytest.mark.parametrize(
    ("name", "at_inf", "at_minus_inf"),
    [
        ("relu", np.inf, 0),
        ("leaky_relu", np.inf, -np.inf),
        ("sigmoid", 1, 0),
        ("tanh", 1, -1),
    ],
)
def test_activations_at_infinity_and_nan(name, at_inf, at_minus_inf):
    y = POINTWISE[name][0]([np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(y, [at_inf, at_minus_inf, np.nan])


def test_softmax_stays_finite_where_exponentials_do_not():
    x = np.array([[1000.0, 999, -1000], [-2000, -2000, -np.inf]])
    y = ref.softmax(x)
    within(y[0, :2], [1 / (1 + np.exp(-1)), 1 / (1 + np.e)], 4)
    np.testing.assert_array_equal(y[0, 2], 0)
    np.testing.assert_array_equal(y[1], [0.5, 0.5, 0])
    np.testing.assert_array_equal(ref.log_softmax([[0, 1000]]), [[-1000, 0]])


def test_sigmoid_keeps_its_small_values():
    """Far on the left it is eˣ, to the last bits."""
    within(ref.sigmoid([-40.0]) / np.exp(-40.0), 1, 4)


# Losses


def test_cross_entropy_of_equal_logits_is_log_of_the_classes():
    within(ref.softmax_cross_entropy(np.zeros((4, 10)), [0, 3, 9, 3]), np.log(10), 20, np.log(10))


def test_cross_entropy_equals_pytorch(real, torch):
    x, labels = real(6, 4), np.array([0, 3, 1, 1, 2, 0])
    their = torch.from_numpy(x).requires_grad_()
    loss = torch.nn.functional.cross_entropy(their, torch.from_numpy(labels))
    loss.backward()
    within(ref.softmax_cross_entropy(x, labels), loss.item(), 2 * (x.size + 8), np.abs(x).sum())
    within(ref.softmax_cross_entropy_dx(x, labels), their.grad.numpy(), 2 * (4 + 8))


def test_cross_entropy_gradient_equals_central_differences(real, check_slope):
    x, labels = real(6, 4), [0, 3, 1, 1, 2, 0]
    dx = ref.softmax_cross_entropy_dx(x, labels)
    check_slope(lambda x: ref.softmax_cross_entropy(x, labels), x, dx)


def test_cross_entropy_gradient_is_that_of_log_softmax(real):
    x, labels = real(3, 4), [1, 0, 3]
    picks = -np.eye(4)[labels] / 3
    within(ref.softmax_cross_entropy_dx(x, labels), ref.log_softmax_dx(x, picks), 2 * (4 + 8))


def test_mean_squared_error_gradient_equals_central_differences(real, check_slope):
    y, target = real(3, 4), real(3, 4)
    dy = ref.mean_squared_error_dx(y, target)
    check_slope(lambda y: ref.mean_squared_error(y, target), y, dy)
    assert ref.mean_squared_error(y, y) == 0


@pytest.mark.parametrize("loss", [ref.softmax_cross_entropy, ref.softmax_cross_entropy_dx])
def test_labels_that_name_no_class_are_refused(loss):
    text = r"labels must be in 0\.\.2, got smallest=0, largest=3\."
    with pytest.raises(GeometryError, match=text):
        loss(np.zeros((2, 3)), [0, 3])
    with pytest.raises(GeometryError, match=r"got smallest=-1, largest=2\."):
        loss(np.zeros((2, 3)), [-1, 2])
    with pytest.raises(GeometryError, match=r"one label for each .* labels.shape=\(1,\)"):
        loss(np.zeros((2, 3)), [0])
    with pytest.raises(GeometryError, match=r"at least one row of logits, got .*\(0, 3\)"):
        loss(np.zeros((0, 3)), np.zeros(0, int))


@pytest.mark.parametrize("loss", [ref.mean_squared_error, ref.mean_squared_error_dx])
def test_targets_are_never_broadcast(loss):
    text = (
        r"mean_squared_error: y and target need one shape, .* got y.shape=\(3, 1\), target.*\(3,\)"
    )
    with pytest.raises(GeometryError, match=text):
        loss(np.zeros((3, 1)), np.zeros(3))
    with pytest.raises(GeometryError, match="at least one entry"):
        loss(np.zeros((0, 1)), np.zeros((0, 1)))


def test_a_wrong_gradient_fails_the_check_of_slopes(real, check_slope):
    """The negative control: a sign, a missing factor, one entry of many, another's slope."""
    x, dout = real(4, 5), real(4, 5)
    right = ref.tanh_dx(x, dout)
    one_off = right.copy()
    one_off[2, 3] += 1e-3
    for wrong in (-right, 2 * right, np.zeros_like(right), one_off, ref.sigmoid_dx(x, dout)):
        with pytest.raises(AssertionError):
            check_slope(lambda x: np.vdot(ref.tanh(x), dout), x, wrong)
