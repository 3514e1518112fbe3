"""The two definitions of conv against each other, SciPy and ONNX's own reference."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from onnx.reference import ReferenceEvaluator

from faltung.errors import GeometryError
from faltung.reference import conv, conv_loops, conv_strided
from faltung.reference.arrays import as_float, padded, unpadded
from faltung.reference.window import Window


def test_conv_is_one_of_the_two_definitions():
    assert conv is conv_strided


def test_the_two_definitions_agree(case, whole):
    x, w, b = whole(*case.x), whole(*case.w), whole(case.w[0])
    by_loops = conv_loops(x, w, b, **case.steps)
    assert by_loops.dtype == np.float64
    np.testing.assert_array_equal(conv_strided(x, w, b, **case.steps), by_loops, strict=True)


def test_the_cases_kept_from_peers_have_no_outputs(case, whole, request):
    outputs = conv_loops(whole(*case.x), whole(*case.w), **case.steps).size
    empty = {"kernel_over_input", "cropped_away", "no_batch", "no_width"}
    assert (outputs == 0) == (request.node.callspec.id in empty)


@given(data=st.data())
def test_the_two_definitions_agree_on_random_geometries(data):
    axes, groups = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 2))
    per_axis = st.lists(st.integers(1, 3), min_size=axes, max_size=axes)
    space = data.draw(st.lists(st.integers(0, 4), min_size=axes, max_size=axes))
    pad = st.tuples(st.integers(-1, 2), st.integers(-2, 2))
    steps = {
        "stride": data.draw(per_axis),
        "dilation": data.draw(per_axis),
        "pads": data.draw(st.lists(pad, min_size=axes, max_size=axes)),
        "groups": groups,
    }
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    x = rng.integers(-9, 10, (1, 2 * groups, *space))
    w = rng.integers(-9, 10, (groups, 2, *data.draw(per_axis)))
    expected = conv_loops(x, w, **steps)
    np.testing.assert_array_equal(conv_strided(x, w, **steps), expected, strict=True)


def test_conv_equals_scipy(peer_case, whole, scipy):
    """Each group's channels are correlated by SciPy at stride 1, then every stride-th is kept."""
    case, steps = peer_case, peer_case.full_steps
    x, w = whole(*case.x), whole(*case.w)
    y = conv_loops(x, w, **case.steps)
    wider = padded(x, steps["pads"])
    extent = Window.of(w.shape[2:], None, None, steps["dilation"]).extent
    spread = np.zeros((*w.shape[:2], *extent))
    spread[(..., *(slice(None, None, d) for d in steps["dilation"]))] = w
    every = tuple(slice(None, None, s) for s in steps["stride"])
    group_in, group_out = w.shape[1], w.shape[0] // case.groups
    for n, co in np.ndindex(*y.shape[:2]):
        first = co // group_out * group_in
        maps = wider[n, first : first + group_in]
        expected = sum(
            scipy.signal.correlate(channel, kernel, "valid", "direct")
            for channel, kernel in zip(maps, spread[co], strict=True)
        )
        np.testing.assert_array_equal(y[n, co], expected[every], strict=True)


def test_conv_equals_the_reference_evaluator_of_onnx(peer_case, whole):
    """With explicit pads: its own 'same' is wrong where stride > kernel. It is given x cropped."""
    case, steps = peer_case, peer_case.full_steps
    x, w, b = whole(*case.x), whole(*case.w), whole(case.w[0])
    y = conv_loops(x, w, b, **case.steps)
    x = padded(x, [(min(0, lo), min(0, hi)) for lo, hi in steps["pads"]])
    pads = [max(0, lo) for lo, _ in steps["pads"]] + [max(0, hi) for _, hi in steps["pads"]]
    attributes = {"strides": steps["stride"], "dilations": steps["dilation"]}
    node = helper.make_node(
        "Conv", ["x", "w", "b"], ["y"], group=case.groups, pads=pads, **attributes
    )
    np.testing.assert_array_equal(_run_onnx(node, x=x, w=w, b=b), y, strict=True)


def _run_onnx(node, **feeds):
    values = {
        name: helper.make_tensor_value_info(name, onnx.TensorProto.DOUBLE, array.shape)
        for name, array in feeds.items()
    }
    y = helper.make_tensor_value_info("y", onnx.TensorProto.DOUBLE, None)
    graph = helper.make_graph([node], "one", list(values.values()), [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    return ReferenceEvaluator(model).run(None, feeds)[0]


def test_conv_equals_pytorch(peer_case, whole, torch):
    case, steps = peer_case, peer_case.full_steps
    x, w, b = whole(*case.x), whole(*case.w), whole(case.w[0])
    y = conv_loops(x, w, b, **case.steps)
    torch_conv = getattr(torch.nn.functional, f"conv{case.axes}d")
    options = {name: steps[name] for name in ("stride", "dilation", "groups")}
    arrays = (torch.from_numpy(a) for a in (padded(x, steps["pads"]), w, b))
    np.testing.assert_array_equal(y, torch_conv(*arrays, **options).numpy(), strict=True)


def test_a_bias_is_added_once_to_each_output_channel():
    y = conv([[[0, 0]], [[0, 0]]], [[[1]], [[1]]], [3, 4])
    np.testing.assert_array_equal(y, [[[3, 3], [4, 4]]] * 2)


@pytest.mark.parametrize("definition", [conv_loops, conv_strided])
def test_a_negative_pad_crops(definition, whole):
    x, w = whole(1, 1, 6), whole(1, 1, 2)
    cropped = definition(x[..., 1:-2], w)
    np.testing.assert_array_equal(definition(x, w, pads=[(-1, -2)]), cropped, strict=True)


@pytest.mark.parametrize("definition", [conv_loops, conv_strided])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.bool_, np.float32])
def test_real_numbers_become_float64(definition, dtype):
    x = np.full((1, 1, 3), 200).astype(dtype)
    y = definition(x, x)
    assert y.dtype == np.float64
    assert y.item() == 3 * float(x[0, 0, 0]) ** 2


@pytest.mark.parametrize("definition", [conv_loops, conv_strided])
def test_complex_numbers_are_multiplied_without_conjugation(definition):
    y = definition(np.array([[[1j, 2]]], np.complex64), [[[1j, 1]]])
    assert y.dtype == np.complex128
    assert y.item() == 1j * 1j + 2


@pytest.mark.parametrize("definition", [conv_loops, conv_strided])
def test_infinity_and_nan_spread_as_in_the_formula(definition):
    x = [[[1, np.inf, 2, np.nan, 3, 4]]]
    np.testing.assert_array_equal(
        definition(x, [[[1, 0]]]), [[[np.nan, np.inf, np.nan, np.nan, 3]]]
    )
    on_padding = definition([[[1, 2]]], [[[np.inf, 1]]], pads=[(1, 0)])
    np.testing.assert_array_equal(on_padding, [[[np.nan, np.inf]]])


def test_read_only_and_strided_inputs_are_taken_and_left_alone(whole):
    x, w = whole(1, 2, 8, 6)[..., ::2, ::-1], whole(3, 2, 2, 2).T.copy().T
    x.flags.writeable = w.flags.writeable = False
    before = x.copy()
    np.testing.assert_array_equal(conv_strided(x, w), conv_loops(x.copy(), w.copy()))
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("definition", [conv_loops, conv_strided])
@pytest.mark.parametrize(
    ("x", "w", "groups"),
    [((1, 3, 4), (1, 2, 2), 1), ((1, 4, 4), (3, 2, 2), 2), ((1, 2, 4), (2, 2, 2), 2)],
)
def test_channels_that_do_not_fit_are_refused(definition, x, w, groups):
    text = rf"x \(N, C\), y \(N, O\) and w \(O, C/groups\) must fit together, got .*={groups}\."
    with pytest.raises(GeometryError, match=text):
        definition(np.zeros(x), np.zeros(w), groups=groups)


@pytest.mark.parametrize("definition", [conv_loops, conv_strided])
def test_a_missing_entry_for_an_axis_is_refused(definition):
    with pytest.raises(GeometryError, match="window: kernel, stride, pads and dilation need one"):
        definition(np.zeros((1, 1, 3, 3)), np.zeros((1, 1, 2, 2)), stride=[2])


@given(
    size=st.integers(0, 6), kernel=st.integers(1, 4), stride=st.integers(1, 4),
    dilation=st.integers(1, 3), lo=st.integers(-3, 4), hi=st.integers(-3, 4),
)  # fmt: skip
def test_out_space_counts_the_windows_that_fit(size, kernel, stride, dilation, lo, hi):
    window = Window.of([kernel], [stride], [(lo, hi)], [dilation])
    reach = dilation * (kernel - 1)
    starts = [start for start in range(-lo, size + hi) if start + reach < size + hi]
    assert window.out_space([size]) == (len(starts[::stride]),)
    assert [list(window.taps([o])) for o in range(len(starts[::stride]))] == [
        [(start + dilation * k,) for k in range(kernel)] for start in starts[::stride]
    ]


@given(size=st.integers(0, 5), lo=st.integers(-6, 4), hi=st.integers(-6, 4))
def test_unpadded_is_the_adjoint_of_padded(size, lo, hi):
    x = np.arange(1.0, size + 1)
    wider = padded(x, [(lo, hi)])
    at = range(-lo, size + hi)
    np.testing.assert_array_equal(wider, [x[i] if 0 <= i < size else 0 for i in at])
    y = np.arange(10.0, 10 + len(wider))
    back = unpadded(y, [(lo, hi)], [size])
    assert back.shape == x.shape
    assert np.vdot(wider, y) == np.vdot(x, back)


def test_as_float_never_gives_back_the_array_it_was_given():
    x = np.ones(2)
    assert not np.shares_memory(as_float(x), x)
