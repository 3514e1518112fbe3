"""Every numbered constraint: in the text, in the code, and refused with its message."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest

import faltung.geometry
from faltung.errors import GeometryError
from faltung.geometry import (
    AxisTransposed,
    AxisWindow,
    ConvWindow,
    PoolWindow,
    TransposedWindow,
    explicit_padding,
    per_axis,
    transposed_padding,
    weight_gradient,
)

SPEC = Path(__file__).parents[2] / "docs" / "spec" / "conv.md"
ID = r"(?:axis A|padding B|conv C|conv_transpose T|pool P)\d+"
X, W = (1, 4, 8, 8), (6, 4, 3, 3)
WT = (4, 6, 3, 3)


def conv(**changes: object) -> object:
    return ConvWindow.of(**{"x_shape": X, "w_shape": W, **changes})  # type: ignore[arg-type]


def conv_transpose(**changes: object) -> object:
    return TransposedWindow.of(**{"x_shape": X, "w_shape": WT, **changes})  # type: ignore[arg-type]


def pool(**changes: object) -> object:
    return PoolWindow.of(**{"x_shape": X, "kernel_size": 2, **changes})  # type: ignore[arg-type]


def pad(padding: object) -> object:
    return explicit_padding(padding, [8, 8], [3, 3], [1, 1], [1, 1])  # type: ignore[arg-type]


REFUSED: list[tuple[str, Callable[[], object]]] = [
    (
        "axis: size must be at least 0; kernel, stride and dilation at least 1, "
        "got size=5, kernel=3, stride=0, dilation=1. [axis A1]",
        lambda: AxisWindow(5, 3, 0),
    ),
    (
        "axis: size must be at least 0; kernel, stride and dilation at least 1, "
        "got size=-1, kernel=3, stride=1, dilation=1. [axis A1]",
        lambda: AxisTransposed(-1, 3),
    ),
    (
        "stride: must be an int or one int for each of the 2 axes, got stride=(1, 2, 3). "
        "Use stride=1 or stride=(1, 1). [axis A2]",
        lambda: per_axis((1, 2, 3), 2, "stride"),
    ),
    (
        "dilation: must be an int or one int for each of the 2 axes, got dilation=1.5. "
        "Use dilation=1 or dilation=(1, 1). [axis A2]",
        lambda: conv(dilation=1.5),
    ),
    (
        "weight_gradient: the window must have outputs, got size=2, extent=3, out_size=0. "
        "Without outputs dw is zero. [axis A3]",
        lambda: weight_gradient(AxisWindow(2, 3)),
    ),
    (
        "x_shape: all of it must be ints, got x_shape=('N', 4, 8, 8). "
        "Give each a number, without a decimal point. [axis A4]",
        lambda: conv(x_shape=("N", 4, 8, 8)),
    ),
    (
        "groups: all of it must be ints, got groups=(2.0,). "
        "Give each a number, without a decimal point. [axis A4]",
        lambda: conv_transpose(groups=2.0),
    ),
    (
        "padding: the word must be one of 'valid', 'same', 'same_lower', 'full', "
        "got padding='SAME'. Use one of them, an int, or a pair (lo, hi) for each axis. "
        "[padding B1]",
        lambda: pad("SAME"),
    ),
    (
        "padding: must have one entry for each of the 2 axes, got padding=(1, 1, 1, 1). "
        "Use an int, or 2 ints, or 2 pairs such as ((0, 1), (0, 1)). [padding B2]",
        lambda: pad((1, 1, 1, 1)),
    ),
    (
        "padding: each entry must be an int or a pair of ints (lo, hi), "
        "got padding=((1, 2, 3), 1). Use pairs such as (0, 1). [padding B3]",
        lambda: pad(((1, 2, 3), 1)),
    ),
    (
        "padding: must have one entry for each of the 2 axes, got padding=0.5. "
        "Use an int, or 2 ints, or 2 pairs such as ((0, 1), (0, 1)). [padding B2]",
        lambda: transposed_padding(0.5, [3, 3], [1, 1], [1, 1], [0, 0]),  # type: ignore[arg-type]
    ),
    (
        "conv: x must have a batch, channels and 1 to 3 space axes, got x_shape=(8, 8). "
        "Use x[None, None], or faltung.correlate for a bare array. [conv C1]",
        lambda: conv(x_shape=(8, 8)),
    ),
    (
        "conv: x must have a batch, channels and 1 to 3 space axes, "
        "got x_shape=(1, 1, 2, 2, 2, 2). Use shape (N, C, *space). [conv C1]",
        lambda: conv(x_shape=(1, 1, 2, 2, 2, 2)),
    ),
    (
        "conv: w must have as many axes as x, got x_shape=(1, 4, 8, 8), w_shape=(6, 4, 3). "
        "Use w of shape (out_channels, in_channels / groups, *kernel_size). [conv C2]",
        lambda: conv(w_shape=(6, 4, 3)),
    ),
    (
        "conv: every size of x must be at least 0, got x_shape=(1, 4, -8, 8). "
        "Use 0 or more. [conv C3]",
        lambda: conv(x_shape=(1, 4, -8, 8)),
    ),
    (
        "conv: in_channels must be at least 1, got in_channels=0. "
        "Use in_channels=1 or more. [conv C4]",
        lambda: conv(x_shape=(1, 0, 8, 8), w_shape=(6, 0, 3, 3)),
    ),
    (
        "conv: out_channels must be at least 1, got out_channels=0. "
        "Use out_channels=1 or more. [conv C5]",
        lambda: conv(w_shape=(0, 4, 3, 3)),
    ),
    (
        "conv: kernel_size must be at least 1, got kernel_size=(3, 0). "
        "Use kernel_size=1 or more. [conv C6]",
        lambda: conv(w_shape=(6, 4, 3, 0)),
    ),
    (
        "conv: stride must be at least 1, got stride=(0, 1). Use stride=1 or more. [conv C7]",
        lambda: conv(stride=(0, 1), padding="same"),
    ),
    (
        "conv: dilation must be at least 1, got dilation=(1, -1). "
        "Use dilation=1 or more. [conv C8]",
        lambda: conv(dilation=(1, -1)),
    ),
    (
        "conv: negative padding must not crop more than the input has, "
        "got padding=(-4, -5), size=8. Crop at most 8. [conv C9]",
        lambda: conv(padding=((0, 0), (-4, -5))),
    ),
    (
        "conv: negative padding must not crop more than the input has, "
        "got padding=(9, -9), size=8. Crop at most 8. [conv C9]",
        lambda: conv(padding=((9, -9), (0, 0))),
    ),
    (
        "conv: groups must be at least 1, got groups=0. Use groups=1 or more. [conv C10]",
        lambda: conv(groups=0),
    ),
    (
        "conv: in_channels must be divisible by groups, got in_channels=6, groups=4. "
        "Use groups in {1, 2, 3, 6}. [conv C11]",
        lambda: conv(x_shape=(1, 6, 8, 8), groups=4),
    ),
    (
        "conv: out_channels must be divisible by groups, got out_channels=6, groups=4. "
        "Use groups in {1, 2, 3, 6}. [conv C12]",
        lambda: conv(w_shape=(6, 1, 3, 3), groups=4),
    ),
    (
        "conv: w.shape[1] must be in_channels / groups, got w.shape[1]=4, in_channels=4, groups=2. "
        "Use w.shape[1]=2. [conv C13]",
        lambda: conv(groups=2),
    ),
    (
        "conv_transpose: x must have a batch, channels and 1 to 3 space axes, got x_shape=(1, 4). "
        "Use x[None, None], or faltung.correlate for a bare array. [conv_transpose T1]",
        lambda: conv_transpose(x_shape=(1, 4)),
    ),
    (
        "conv_transpose: w must have as many axes as x, "
        "got x_shape=(1, 4, 8, 8), w_shape=(4, 6, 3). "
        "Use w of shape (in_channels, out_channels / groups, *kernel_size). [conv_transpose T2]",
        lambda: conv_transpose(w_shape=(4, 6, 3)),
    ),
    (
        "conv_transpose: every size of x must be at least 0, got x_shape=(-1, 4, 8, 8). "
        "Use 0 or more. [conv_transpose T3]",
        lambda: conv_transpose(x_shape=(-1, 4, 8, 8)),
    ),
    (
        "conv_transpose: in_channels must be at least 1, got in_channels=0. "
        "Use in_channels=1 or more. [conv_transpose T4]",
        lambda: conv_transpose(x_shape=(1, 0, 8, 8)),
    ),
    (
        "conv_transpose: w.shape[1] must be at least 1, got w.shape[1]=0. "
        "Use w.shape[1]=1 or more. [conv_transpose T5]",
        lambda: conv_transpose(w_shape=(4, 0, 3, 3)),
    ),
    (
        "conv_transpose: kernel_size must be at least 1, got kernel_size=(0, 3). "
        "Use kernel_size=1 or more. [conv_transpose T6]",
        lambda: conv_transpose(w_shape=(4, 6, 0, 3)),
    ),
    (
        "conv_transpose: stride must be at least 1, got stride=(-2, -2). "
        "Use stride=1 or more. [conv_transpose T7]",
        lambda: conv_transpose(stride=-2),
    ),
    (
        "conv_transpose: dilation must be at least 1, got dilation=(0, 0). "
        "Use dilation=1 or more. [conv_transpose T8]",
        lambda: conv_transpose(dilation=0),
    ),
    (
        "conv_transpose: output_padding must be at least 0 and less than stride or dilation, "
        "got output_padding=2, stride=2, dilation=1. Use output_padding of 0 to 1. "
        "[conv_transpose T9]",
        lambda: conv_transpose(stride=2, output_padding=(0, 2)),
    ),
    (
        "conv_transpose: output_padding must be at least 0 and less than stride or dilation, "
        "got output_padding=-1, stride=1, dilation=3. Use output_padding of 0 to 2. "
        "[conv_transpose T9]",
        lambda: conv_transpose(dilation=3, output_padding=-1),
    ),
    (
        "conv_transpose: padding must not crop more outputs than there are, "
        "got padding=(5, 6), uncropped=10. Crop at most 10. [conv_transpose T10]",
        lambda: conv_transpose(padding=((0, 0), (5, 6))),
    ),
    (
        "conv_transpose: padding must not crop more outputs than there are, "
        "got padding=(-1, 11), uncropped=10. Crop at most 10. [conv_transpose T10]",
        lambda: conv_transpose(padding=((0, 0), (-1, 11))),
    ),
    (
        "conv_transpose: groups must be at least 1, got groups=-1. "
        "Use groups=1 or more. [conv_transpose T11]",
        lambda: conv_transpose(groups=-1),
    ),
    (
        "conv_transpose: in_channels must be divisible by groups, got in_channels=4, groups=3. "
        "Use groups in {1, 2, 4}. [conv_transpose T12]",
        lambda: conv_transpose(groups=3),
    ),
    (
        "conv_transpose: w.shape[0] must be in_channels, got w.shape[0]=6, in_channels=4. "
        "Use w of shape (in_channels, out_channels / groups, *kernel_size). [conv_transpose T13]",
        lambda: conv_transpose(w_shape=W),
    ),
    (
        "pool: x must have a batch, channels and 1 to 3 space axes, got x_shape=(8,). "
        "Use shape (N, C, *space). [pool P1]",
        lambda: pool(x_shape=(8,)),
    ),
    (
        "pool: every size of x must be at least 0, got x_shape=(1, -4, 8, 8). "
        "Use 0 or more. [pool P2]",
        lambda: pool(x_shape=(1, -4, 8, 8)),
    ),
    (
        "pool: kernel_size must be at least 1, got kernel_size=(0, 0). "
        "Use kernel_size=1 or more. [pool P3]",
        lambda: pool(kernel_size=0),
    ),
    (
        "pool: stride must be at least 1, got stride=(0, 0). Use stride=1 or more. [pool P4]",
        lambda: pool(stride=0),
    ),
    (
        "pool: dilation must be at least 1, got dilation=(0, 0). "
        "Use dilation=1 or more. [pool P5]",
        lambda: pool(dilation=0),
    ),
    (
        "pool: negative padding must not crop more than the input has, "
        "got padding=(-5, -5), size=8. Crop at most 8. [pool P6]",
        lambda: pool(padding=-5),
    ),
    (
        "pool: every window must hold at least one input, got padding=(2, 2), size=8, extent=2. "
        "Use less padding, or a larger kernel_size. [pool P7]",
        lambda: pool(padding=2),
    ),
    (
        "pool: every window must hold at least one input, got padding=(1, 1), size=1, extent=3. "
        "Use less padding, or a larger kernel_size. [pool P7]",
        lambda: pool(x_shape=(1, 1, 1), stride=1, padding=1, dilation=2),
    ),
    (
        "pool: a last window must not hang over what negative padding crops, "
        "got padding=(0, -1), overhang=1. Use ceil_mode=False, or crop the input before. [pool P8]",
        lambda: pool(padding=((0, -1), (0, 0)), ceil=True),
    ),
]  # fmt: skip


def id_of(text: str) -> str:
    return re.findall(rf"\[({ID})\]$", text)[0]


@pytest.mark.parametrize(("text", "act"), REFUSED, ids=[id_of(text) for text, _ in REFUSED])
def test_refused(text: str, act: Callable[[], object]) -> None:
    with pytest.raises(GeometryError) as caught:
        act()
    assert str(caught.value) == text


@pytest.mark.parametrize("axis", [AxisWindow, AxisTransposed])
@pytest.mark.parametrize("numbers", [(-1, 1, 1, 1), (0, 0, 1, 1), (0, 1, 0, 1), (0, 1, 1, 0)])
def test_an_axis_refuses_each_of_its_numbers(
    axis: type[AxisWindow | AxisTransposed], numbers: tuple[int, int, int, int]
) -> None:
    axis(0, 1, 1, 1)
    with pytest.raises(GeometryError, match=r"^axis: size must be .* \[axis A1\]$"):
        axis(*numbers)


@pytest.mark.parametrize(
    ("pads", "accepted"),
    [((3, 8), True), ((3, 9), False), ((10, 1), True), ((11, 0), False), ((0, 11), False)],
)
def test_a_transposed_window_crops_all_its_outputs_but_no_more(
    pads: tuple[int, int], accepted: bool
) -> None:
    """On 8 inputs two taps, one apart, cover 10 outputs; output padding adds the eleventh."""
    case = {
        "x_shape": (1, 4, 8),
        "w_shape": (4, 6, 2),
        "dilation": 2,
        "padding": (pads,),
        "output_padding": 1,
    }
    if accepted:
        assert TransposedWindow.of(**case).out_space == (0,)  # type: ignore[arg-type]
    else:
        with pytest.raises(GeometryError, match=r"\[conv_transpose T10\]$"):
            TransposedWindow.of(**case)  # type: ignore[arg-type]


@pytest.mark.parametrize("act", [conv, conv_transpose, pool], ids=lambda act: act.__name__)
def test_what_the_changes_start_from_is_accepted(act: Callable[[], object]) -> None:
    act()


def ids_in_code() -> set[str]:
    folder = Path(faltung.geometry.__file__).parent
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in folder.glob("*.py")]
    constants = (
        node.value for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)
    )
    return {text for text in constants if isinstance(text, str) and re.fullmatch(ID, text)}


def test_the_text_the_code_and_the_tests_know_the_same_constraints() -> None:
    listed = re.findall(rf"^- \*\*({ID})\*\* \S", SPEC.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(listed) == len(set(listed))
    assert ids_in_code() == set(listed)
    assert {id_of(text) for text, _ in REFUSED} == set(listed)
