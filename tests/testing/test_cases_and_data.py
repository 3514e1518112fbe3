"""The list of cases has what it should have, and data are what they are called."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from faltung.ops import OPERATORS, AveragePool, Conv, ConvTranspose, MaxPool, Relu
from faltung.testing import Case, cases_of, draw, draw_like, laid_out
from faltung.testing.data import KINDS, gap
from faltung.testing.oracles.slide import slide_of

SLIDING = (Conv, ConvTranspose, MaxPool, AveragePool)


def slides(cls: Any) -> list[tuple[Case, Any]]:
    found = []
    for case in cases_of(cls):
        x, *w = case.in_shapes
        kernel = w[0][2:] if w else case.operator.window(x).kernel  # type: ignore[attr-defined]
        found.append((case, slide_of(case.operator, x, kernel)))
    return found


@pytest.mark.parametrize("cls", SLIDING)
def test_the_list_has_every_kind_of_window(cls: Any) -> None:
    found = slides(cls)
    for what, is_there in {
        "an empty batch": lambda c, s: c.in_shapes[0][0] == 0,
        "an empty image": lambda c, s: 0 in s.space,
        "a 1x1 kernel": lambda c, s: set(s.kernel) == {1},
        "a 1x1 image": lambda c, s: set(s.space) == {1},
        "a kernel as large as the input": lambda c, s: s.kernel == s.space,
        "a kernel larger than the input": lambda c, s: any(
            k > n for k, n in zip(s.kernel, s.space, strict=True)
        ),
        "a stride larger than the kernel": lambda c, s: any(
            a > b for a, b in zip(s.stride, s.kernel, strict=True)
        ),
        "strides that differ": lambda c, s: len(set(s.stride)) > 1,
        "asymmetric padding": lambda c, s: any(0 <= lo != hi >= 0 for lo, hi in s.pads),
        "negative padding": lambda c, s: any(min(p) < 0 for p in s.pads),
        "negative and positive padding": lambda c, s: any(min(p) < 0 < max(p) for p in s.pads),
        "dilation": lambda c, s: max(s.dilation) > 1,
        "dilation and stride": lambda c, s: max(s.dilation) > 1 < max(s.stride),
        "an odd size": lambda c, s: max(s.space) in (7, 11, 13),
        "one axis": lambda c, s: len(s.space) == 1,
        "three axes": lambda c, s: len(s.space) == 3,
        "each word": lambda c, s: True,
    }.items():
        assert any(is_there(case, slide) for case, slide in found), what
    words = {getattr(case.operator, "padding", None) for case, _ in found}
    assert {"same", "same_lower", "full"} <= words


@pytest.mark.parametrize("cls", [Conv, ConvTranspose])
def test_the_list_has_groups_and_both_with_and_without_a_bias(cls: Any) -> None:
    cases = cases_of(cls)
    groups = [(c.operator.groups, c.in_shapes[0][1]) for c in cases]  # type: ignore[attr-defined]
    assert any(1 < g < channels for g, channels in groups)
    assert any(1 < g == channels for g, channels in groups)
    assert {len(case.in_shapes) for case in cases} == {2, 3}


@pytest.mark.parametrize("cls", [MaxPool, AveragePool])
def test_the_list_has_ceil_mode_with_an_overhang_and_without(cls: Any) -> None:
    overhangs = set()
    for case, slide in slides(cls):
        if case.operator.ceil_mode:  # type: ignore[attr-defined]
            overhangs.add(slide.outputs(True) != slide.outputs(False))
    assert overhangs == {True, False}


@pytest.mark.parametrize("name", OPERATORS)
def test_case_names_differ_and_are_small(name: str) -> None:
    cases = cases_of(OPERATORS[name])
    assert len({case.name for case in cases}) == len(cases)
    # Local connection has weights of its own for each output.
    most = 5000 if name == "LocallyConnected" else 400
    assert max(sum(int(np.prod(s)) for s in case.in_shapes) for case in cases) <= most


CASE = Case("a case", Relu(), ((3, 4), (2, 3), ()), positive=(1,))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_data_are_the_same_each_time(kind: str, dtype: type) -> None:
    first, second = draw(CASE, kind, dtype), draw(CASE, kind, dtype)
    for a, b, shape in zip(first, second, CASE.in_shapes, strict=True):
        assert isinstance(a, np.ndarray)
        assert (a.shape, a.dtype) == (shape, dtype)
        np.testing.assert_array_equal(a, b)
    assert np.all(first[1] > 0)


def test_distinct_data_are_apart_from_each_other_and_from_0() -> None:
    case = CASE._replace(positive=())
    values = np.sort(np.concatenate([x.ravel() for x in draw(case, "distinct")]))
    least = gap(draw(case, "distinct"))
    assert np.diff(values).min() >= least * (1 - 1e-12)
    assert np.abs(values).min() >= least / 2 * (1 - 1e-12)


def test_the_other_kinds_hold_what_they_are_for() -> None:
    x = draw(CASE, "integers")[0]
    assert np.all(x == np.round(x))
    assert np.unique(x).size < x.size
    assert np.abs(draw(CASE, "extreme")[0]).max() >= 100
    broken = draw(CASE, "non-finite")[0]
    assert np.isnan(broken).sum() == 1
    assert np.isinf(broken).sum() == 2
    assert all(np.all(d != 0) for d in draw_like(CASE, draw(CASE)))


@pytest.mark.parametrize("layout", ["contiguous", "strided", "read-only", "column-major"])
def test_layouts_hold_the_same_values(layout: str) -> None:
    x = np.arange(24.0).reshape(2, 3, 4)
    other = laid_out(x, layout)
    np.testing.assert_array_equal(other, x)
    assert other.flags.c_contiguous == (layout in ("contiguous", "read-only"))
    assert other.flags.writeable == (layout != "read-only")
    assert laid_out(np.float64(3.0), layout).shape == ()
