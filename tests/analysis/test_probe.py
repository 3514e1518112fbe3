"""Functions whose reach is known, through `probe`."""

from __future__ import annotations

import json
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import count
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import faltung
from faltung import layers as L
from faltung import ops
from faltung.analysis.black_box import BlackBox, differs, moved, random_input
from faltung.analysis.probe import AxisProbe, Probe, probe
from faltung.analysis.reach import reach_of
from faltung.errors import DTypeError, GeometryError, GraphError

Array = np.ndarray[Any, Any]


def only(found: Probe) -> AxisProbe:
    """The one axis that was probed."""
    assert found.deterministic
    (axis,) = found.axes
    return axis


def seen(found: Probe) -> tuple[object, ...]:
    """Where its output looks, how it moves, and by what it may be shifted."""
    axis = only(found)
    return axis.lo, axis.hi, axis.stride, axis.period


def box_filter(x: Array) -> Array:
    """The mean of five, with zeros outside."""
    return np.convolve(x, np.full(5, 0.2), mode="same")


def test_a_box_filter_reaches_two_to_each_side() -> None:
    found = probe(box_filter, (24,))
    assert seen(found) == (-2, 2, 1, 1)
    assert only(found).compared == 19  # of 24 less two at each border, one moves out
    assert found.is_local
    assert found.is_equivariant
    assert {shift.error is not None and shift.error < 1e-14 for shift in only(found).shifts} == {
        True
    }


@pytest.mark.parametrize(
    ("weights", "lo", "hi"),
    [((1, 2, 3, 4), -3, 0), ((0, 0, 5, 0), -2, -2), ((1, 0, 0, 0, 0, 2), -5, 0)],
)
def test_asymmetric_kernels(weights: tuple[float, ...], lo: int, hi: int) -> None:
    found = probe(lambda x: np.convolve(x, weights)[: len(x)], (40,))
    assert seen(found) == (lo, hi, 1, 1)


def test_every_axis_has_its_own_reach() -> None:
    def f(x: Array) -> Array:
        y: Array = x[:-2, :, 1:] + 2 * x[2:, :, 1:] - x[1:-1, :, :-1]
        return y

    found = probe(f, (9, 7, 8))
    assert [(axis.lo, axis.hi) for axis in found.axes] == [(0, 2), (0, 0), (0, 1)]
    assert [axis.period for axis in found.axes] == [1, 1, 1]
    assert found.out_shape == (7, 7, 7)


@pytest.mark.parametrize("step", [2, 3, 5])
def test_subsampling(step: int) -> None:
    found = probe(lambda x: x[::step], (61,))
    assert seen(found) == (0, 0, step, step)
    assert [shift.shift for shift in only(found).shifts] == [step * m for m in range(1, 9)]


def test_max_pooling() -> None:
    found = probe(lambda x: faltung.max_pool(x[None, None], 3, stride=2)[0, 0], (25, 17))
    for axis in found.axes:
        assert [axis.lo, axis.hi, axis.stride, axis.period] == [0, 2, 2, 2]


def test_what_repeats_each_value_has_half_a_stride() -> None:
    assert seen(probe(lambda x: np.repeat(x, 2), (16,))) == (0, 0, Fraction(1, 2), 1)


def test_cumulative_sums_see_everything_on_one_side() -> None:
    for f, kind in ((np.cumsum, "all before"), (lambda x: np.cumsum(x[::-1])[::-1], "all after")):
        found = probe(f, (20,))
        assert only(found).kind == kind
        assert only(found).period is None
        assert not found.is_local
        assert only(found).turned  # no output lies away from the border
    assert (only(probe(np.cumsum, (20,))).hi, only(probe(np.cumsum, (20,))).lo) == (0, None)


@pytest.mark.parametrize(("f", "period"), [(lambda x: x - x.mean(), 1), (np.sort, None)])
def test_global_functions(f: Callable[[Array], Array], period: int | None) -> None:
    found = probe(f, (16,))
    assert only(found).kind == "the whole axis"
    assert (found.is_local, only(found).turned, only(found).compared) == (False, True, 16)
    assert only(found).period == period
    assert found.is_equivariant == (period is not None)


@pytest.mark.parametrize("shift", [3, -3, 8])
def test_roll_reaches_round_the_ends(shift: int) -> None:
    found = probe(lambda x: np.roll(x, shift), (16,))
    assert abs(only(found).lo or 0) == abs(shift)
    assert only(found).lo == only(found).hi
    if shift != 8:
        assert only(found).lo == -shift
    reach = only(found).reach
    assert reach is not None
    assert reach.wraps
    assert only(found).turned
    assert only(found).period == 1
    assert only(found).compared == 16


def test_fourier_filters_are_seen_through_their_rounding() -> None:
    kernel = np.fft.rfft([1.0, 2.0, 3.0], 32)
    local = probe(lambda x: np.fft.irfft(np.fft.rfft(x) * kernel), (32,))
    assert seen(local) == (-2, 0, 1, 1)
    low = probe(lambda x: np.fft.irfft(np.fft.rfft(x) * (np.arange(17) < 4)), (32,))
    assert (only(low).kind, only(low).period) == ("the whole axis", 1)
    bits = probe(lambda x: np.fft.irfft(np.fft.rfft(x) * kernel), (32,), tolerance=0)
    assert not bits.is_local


@pytest.mark.parametrize(
    "f", [lambda x: x * np.arange(1, 17), lambda x: x + np.arange(16)], ids=["times", "plus"]
)
def test_a_ramp_of_positions_is_local_and_not_equivariant(f: Callable[[Array], Array]) -> None:
    found = probe(f, (16,))
    assert seen(found) == (0, 0, 1, None)
    assert (found.is_local, found.is_equivariant, only(found).compared) == (True, False, 15)


def test_the_identity_and_a_constant() -> None:
    assert seen(probe(lambda x: x, (16,))) == (0, 0, 1, 1)
    found = probe(lambda _: np.ones(5), (16,))
    assert (only(found).kind, only(found).used, found.is_equivariant) == ("nothing", 0, None)
    assert "it does not depend on its input" in str(found)


def test_a_reversed_axis_moves_backwards() -> None:
    assert seen(probe(lambda x: x[::-1], (16,))) == (15, 15, -1, 1)


def everywhere(place: int, x: Array) -> Array:
    """One value in all places."""
    return np.full_like(x, x[place])


def test_one_fixed_position() -> None:
    for place in (0, 5):
        found = probe(partial(everywhere, place), (16,))
        assert (only(found).kind, only(found).lo, only(found).hi) == ("a fixed part", place, place)
        assert (found.is_local, found.is_equivariant) == (False, None)
        assert "was not compared under shifts: it has no stride" in str(found)


def test_reach_that_depends_on_the_position() -> None:
    places = np.arange(24) ** 2 // 24
    found = probe(lambda x: x[places], (24,))
    offsets = places - np.arange(24)
    assert seen(found) == (offsets.min(), offsets.max(), None, None)
    assert only(found).kind == "a part, without pattern"


def test_filters_of_scipy(scipy: Any) -> None:
    from scipy import ndimage

    for name in ("uniform_filter", "maximum_filter", "median_filter"):
        for mode in ("constant", "reflect", "nearest"):
            found = probe(partial(getattr(ndimage, name), size=5, mode=mode), (24,))
            assert seen(found) == (-2, 2, 1, 1), (name, mode)
    round_the_ends = probe(lambda x: ndimage.uniform_filter(x, 5, mode="wrap"), (24, 20))
    assert [axis.reach and axis.reach.wraps for axis in round_the_ends.axes] == [True, True]
    assert [(axis.lo, axis.hi) for axis in round_the_ends.axes] == [(-2, 2), (-2, 2)]
    gauss = probe(lambda x: ndimage.gaussian_filter(x, 1.0, truncate=2), (12, 13, 14))
    assert [(axis.lo, axis.hi, axis.period) for axis in gauss.axes] == [(-2, 2, 1)] * 3


CHAINS = {
    "conv": L.Chain(L.Conv(2, 3, padding="same"), L.Relu(), L.Conv(2, 5, padding="same")),
    "stride": L.Chain(L.Conv(2, 3, stride=2, padding=1), L.Relu(), L.Conv(1, 3)),
    "dilated": L.Chain(L.Conv(2, 3, dilation=3), L.MaxPool(2)),
}


@pytest.mark.parametrize("name", CHAINS)
def test_it_agrees_with_the_receptive_field_of_a_network(name: str) -> None:
    graph = L.build(CHAINS[name], (1, 40, 36), seed=3)
    found = probe(graph, (1, 1, 40, 36), axes=(2, 3), samples=8)
    fields = faltung.receptive_fields(graph)[graph.outputs[0]]
    for axis, expected in zip(found.axes, fields, strict=True):
        assert isinstance(expected.size, int)
        assert (axis.lo, axis.hi) == (expected.start, expected.start + expected.size - 1)
        assert axis.stride == expected.jump == axis.period


@pytest.mark.parametrize("seed", range(6))
def test_dead_zones_leave_the_pattern(seed: int) -> None:
    """Behind a ReLU of one channel many outputs are 0 whatever happens to a single position."""
    chain = L.Chain(L.Conv(2, 3, padding=1), L.Relu(), L.MaxPool(2), L.Conv(1, 3), L.Relu())
    graph = L.build(chain, (1, 96), seed=seed)
    if not np.any(graph(np.random.default_rng(0).standard_normal((9, 1, 96)))):
        pytest.skip("these weights make a constant")
    axis = only(probe(graph, (1, 1, 96)))
    (expected,) = faltung.locality(graph).axes
    assert [-(axis.lo or 0), axis.hi] == [expected.halo_lo, expected.halo_hi]
    assert axis.stride == axis.period == expected.stride


def test_outputs_that_see_less_are_counted() -> None:
    table = np.zeros((40, 40), bool)
    for output in range(40):
        table[output, max(output - 2, 0) : output + 4] = True
    table[[15, 16, 22, 25], :18] = False
    found = reach_of(table, 0, 40)
    assert [found.lo, found.hi, found.stride, found.gaps] == [-2, 3, 1, 2]


def test_outputs_that_see_nothing_have_their_period() -> None:
    def gated(x: Array) -> Array:
        return np.where(np.arange(60) % 7 == 3, 0.0, np.convolve(x, np.ones(5), mode="same"))

    found = probe(gated, (60,))
    assert seen(found) == (-2, 2, 1, 7)
    reach = only(found).reach
    assert reach is not None
    assert (reach.phases, reach.gaps) == (7, 0)


def test_a_long_period_is_tried_as_well() -> None:
    def striped(x: Array) -> Array:
        return np.where(np.arange(120) % 20 < 3, 0.0, x)

    assert seen(probe(striped, (120,))) == (0, 0, 1, 20)
    ramp = probe(lambda x: x * np.arange(1, 17), (16,))
    assert "does not shift with its input (tried on axis 0 by 1, 2, 3, 4, 5, 6, 7, 8)" in str(ramp)


def test_phases_differ_behind_pooling_and_upsampling() -> None:
    def up(x: Array) -> Array:
        return x.repeat(2, axis=0)

    def f(x: Array) -> Array:
        pooled = box3(x).reshape(-1, 2).max(axis=1)
        return box3(up(box3(pooled)))

    def box3(x: Array) -> Array:
        return np.convolve(x, [1.0, 1.5, 0.75], mode="same")

    found = probe(f, (48,))
    assert seen(found) == (-5, 5, 1, 2)  # (5, 4) for even outputs, (4, 5) for odd ones
    assert only(found).reach is not None
    assert only(found).reach.phases == 2  # type: ignore[union-attr]
    assert [shift.is_equal for shift in only(found).shifts] == [False, True] * 4


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.integers(0, 3))
def test_any_convolution(kernel: int, stride: int, dilation: int, padding: int) -> None:
    conv = ops.Conv(stride=stride, dilation=dilation, padding=padding)
    weights = np.arange(1.0, kernel + 1)[None, None]

    def f(x: Array) -> object:
        return conv.forward([x[None, None], weights])[0][0][0, 0]

    found = probe(f, (60,))
    assert seen(found) == (-padding, dilation * (kernel - 1) - padding, stride, stride)


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_reach_is_read_off_a_table(data: st.DataObject) -> None:
    """A table made from offsets, with a border that sees otherwise, gives the offsets back."""
    lo = data.draw(st.integers(-5, 5))
    hi = data.draw(st.integers(lo, 5))
    stride, size = data.draw(st.integers(1, 3)), 40
    table = np.zeros((size, size * stride), bool)
    for output in range(size):
        at = output * stride
        table[output, max(at + lo, 0) : max(at + hi + 1, 0)] = True
    table[:2, : data.draw(st.integers(0, 12))] = True
    found = reach_of(table, 0, size * stride)
    assert [found.lo, found.hi, found.stride, found.phases] == [lo, hi, stride, 1]


def test_a_long_axis_is_probed_in_its_middle() -> None:
    found = probe(lambda x: np.convolve(x, [1.0, 2.0, 3.0]), (1000,), most=64)
    assert seen(found) == (-2, 0, 1, 1)
    assert only(found).probed == 64
    assert found.evaluations <= 4 + 6 * (1 + 64) + 11
    assert "64 of 1000 positions of axis 0 were probed, in its middle" in str(found)


def test_too_large_a_field_leaves_no_figure() -> None:
    found = probe(lambda x: np.convolve(x, np.ones(19))[9:21], (12,))
    assert only(found).kind == "the whole axis"
    found = probe(lambda x: np.convolve(x, np.ones(9), mode="same"), (9,))
    assert (only(found).lo, only(found).hi) == (-4, 4)
    assert (only(found).compared, only(found).period, found.is_equivariant) == (0, None, None)
    assert "was not compared under shifts: no output lies away from the border" in str(found)


@pytest.mark.parametrize("f", [lambda x: x + np.random.default_rng().random(), None])
def test_what_does_not_repeat_itself_is_said(f: Callable[[Array], Array] | None) -> None:
    numbers = count()
    found = probe(f or (lambda x: x + next(numbers)), (8,))
    assert not found.deterministic
    assert (found.axes, found.is_local, found.is_equivariant) == ((), None, None)
    assert "it returned other values for the same input" in str(found)


def test_state_that_shows_late_is_seen_at_the_end() -> None:
    numbers = count()
    found = probe(lambda x: x + (next(numbers) > 20), (8,))
    assert (found.deterministic, found.axes) == (False, ())


def test_outputs_of_changing_shape_do_not_repeat_themselves() -> None:
    numbers = count(3)
    assert not probe(lambda _: np.ones(next(numbers)), (8,)).deterministic


def test_functions_get_copies() -> None:
    buffer = np.zeros(16)

    def f(x: Array) -> Array:
        x *= 2
        buffer[:] = x
        return buffer

    found = probe(f, (16,))
    assert seen(found) == (0, 0, 1, 1)
    assert found.mutates
    assert "it writes into the array that it is given" in str(found)
    assert not probe(np.sin, (16,)).mutates


def test_other_ranks_and_dtypes() -> None:
    total = probe(np.sum, (6, 7))
    assert total.out_shape == ()
    assert [axis.used for axis in total.axes] == [6, 7]
    assert total.is_local is None
    assert "on 6 of 6 on axis 0, 7 of 7 on axis 1" in str(total)
    rows = probe(lambda x: x.sum(axis=1), (16, 7), axes=(0,), out_axes=(0,))
    assert seen(rows) == (0, 0, 1, 1)
    turned = probe(np.transpose, (16, 12), axes=(0, 1), out_axes=(1, 0))
    assert [(axis.lo, axis.hi, axis.period) for axis in turned.axes] == [(0, 0, 1)] * 2
    signs = probe(lambda x: x[1:] > x[:-1], (16,))
    assert (signs.out_dtype, signs.rounding, seen(signs)) == ("bool", 0, (0, 1, 1, 1))
    pixels = probe(lambda x: np.invert(x), (16,), dtype="uint8")
    assert seen(pixels) == (0, 0, 1, 1)
    assert seen(probe(lambda x: ~x[2:], (16,), dtype=bool)) == (2, 2, 1, 1)
    waves = probe(lambda x: np.exp(1j * x), (16,))
    assert (waves.out_dtype, seen(waves)) == ("complex128", (0, 0, 1, 1))


def test_not_a_number_is_like_itself() -> None:
    with np.errstate(all="raise"):
        assert seen(probe(np.sqrt, (16,))) == (0, 0, 1, 1)


def test_the_report_has_three_faces() -> None:
    found = probe(box_filter, (24,))
    assert "sees" in str(found)
    assert "<table>" in found._repr_html_()
    plain = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert (plain["local"], plain["axes"][0]["lo"], plain["axes"][0]["stride"]) == (True, -2, "1")
    assert faltung.probe is probe


def test_the_same_seed_finds_the_same() -> None:
    assert probe(box_filter, (24,), seed=5) == probe(box_filter, (24,), seed=5)


def broken(x: Array) -> Array:
    raise ValueError("no such\naxis")


def test_what_a_function_raises_is_one_line() -> None:
    with pytest.raises(GraphError, match=r"f failed on an array of shape \(8,\) and dtype float64"):
        probe(broken, (8,))
    with pytest.raises(GraphError, match="got error=ValueError: no such axis"):
        probe(broken, (8,))


def test_interrupts_pass() -> None:
    def stopped(x: Array) -> Array:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        probe(stopped, (8,))


def test_shapes_that_depend_on_values_are_refused() -> None:
    with pytest.raises(GraphError, match="f must return arrays of one shape for arrays of one"):
        probe(lambda x: x[x > 0], (8,))


@pytest.mark.parametrize("result", [None, "text", [object()]])
def test_what_is_no_array_is_refused(result: object) -> None:
    with pytest.raises(DTypeError, match="f must return an array of numbers"):
        probe(lambda _: result, (8,))


def test_wrong_arguments() -> None:
    for shape in ((), (0, 3), (4, -1)):
        with pytest.raises(GeometryError, match="shape must have axes, all sizes and counts must"):
            probe(np.sin, shape)
    with pytest.raises(GeometryError, match="all sizes and counts must be at least 1"):
        probe(np.sin, (4,), samples=0)
    for axes in ((1,), (0, 0)):
        with pytest.raises(GeometryError, match="axes must be different axes of the input"):
            probe(np.sin, (4,), axes=axes)
    with pytest.raises(GeometryError, match="out_axes must name an axis of the output for each"):
        probe(np.sin, (4,), out_axes=(0,))
    with pytest.raises(GeometryError, match="out_axes must be axes of the output"):
        probe(np.sin, (4,), axes=(0,), out_axes=(3,))
    with pytest.raises(DTypeError, match="dtype must be that of real numbers"):
        probe(np.sin, (4,), dtype=complex)


def test_integers_move_to_others_within_their_range() -> None:
    rng = np.random.default_rng(0)
    for dtype in ("uint8", "int8", "int64", "bool"):
        values = random_input(np.dtype(dtype), (50,), rng)
        for kind in range(4):
            other = moved(values, kind, rng)
            assert other.dtype == values.dtype
            assert other.min() >= 0
            assert (other != values).mean() > 0.5


def test_a_change_within_rounding_is_none() -> None:
    a = np.array([1.0, 100.0, np.inf, np.nan])
    assert differs(a, a + 1e-10, 1e-11).tolist() == [False] * 4
    assert differs(a, a + 1e-10, 0.0).tolist() == [True, True, False, False]
    assert BlackBox(np.sin, (1,), "f8", None).rounding == 64 * np.finfo("f8").eps
