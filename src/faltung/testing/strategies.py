"""Hypothesis strategies: random windows, and uses of the operators that slide them.

Hypothesis is imported when a strategy is asked for: the checks themselves run without it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from faltung.errors import MissingExtraError, message
from faltung.geometry.padding import WORDS, PaddingLike
from faltung.ops.operator import AbstractOperator
from faltung.testing.cases import Case, Sizes, Slide, cases_from

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy


def windows() -> SearchStrategy[Slide]:
    """Return a strategy of small windows on one to three axes, with all that they can have.

    Raises
    ------
    MissingExtraError
        Hypothesis is not installed.
    """
    strategy: SearchStrategy[Slide] = _strategies().composite(_window)()
    return strategy


def window_uses(cls: type[AbstractOperator]) -> SearchStrategy[Case]:
    """Return a strategy of uses of Conv, ConvTranspose, MaxPool or AveragePool.

    Raises
    ------
    MissingExtraError
        Hypothesis is not installed.
    """
    own: dict[str, Any] = {} if cls.onnx_type.endswith("Pool") else {"ceil": False}
    if cls.onnx_type == "Conv":
        own["output_padding"] = 0
    made = windows().map(lambda slide: cases_from(cls, replace(slide, **own)))
    return made.filter(bool).map(lambda cases: cases[-1])


def _strategies() -> Any:
    try:
        from hypothesis import strategies
    except ImportError as error:
        cure = "Install it with: pip install 'faltung[test]'"
        rule = "random cases need Hypothesis, which is not installed"
        raise MissingExtraError(message("faltung.testing", rule, {}, cure)) from error
    return strategies


def _window(draw: DrawFn) -> Slide:
    st = _strategies()
    axes = draw(st.integers(1, 3))
    largest = (9, 6, 4)[axes - 1]

    def each(least: int, most: int) -> Sizes:
        return tuple(draw(st.tuples(*(st.integers(least, most) for _ in range(axes)))))

    groups = draw(st.integers(1, 2))
    return Slide(
        name="drawn",
        space=each(0, largest),
        kernel=each(1, 4),
        stride=each(1, 3),
        padding=_padding(draw, axes),
        dilation=each(1, 3),
        batch=draw(st.integers(0, 2)),
        channels=(groups * draw(st.integers(1, 2)), groups * draw(st.integers(1, 2))),
        groups=groups,
        bias=draw(st.booleans()),
        output_padding=each(0, 2) if draw(st.booleans()) else 0,
        ceil=draw(st.booleans()),
    )


def _padding(draw: DrawFn, axes: int) -> PaddingLike:
    """A word, one number for all sides, or a pair for each axis; some of them crop."""
    st = _strategies()
    pairs = st.tuples(*(st.tuples(st.integers(-2, 3), st.integers(-2, 3)) for _ in range(axes)))
    drawn: PaddingLike = draw(st.one_of(st.sampled_from(WORDS), st.integers(-1, 2), pairs))
    return drawn
