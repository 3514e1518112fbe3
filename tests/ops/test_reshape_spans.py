"""Where the values of a reshape come from, when axes of size 1 come and go."""

from __future__ import annotations

from faltung.geometry import Interval
from faltung.ops import Flatten, Reshape
from faltung.ops.operator import EVERYTHING


def test_an_axis_of_size_1_that_is_added_needs_no_axis_before_it() -> None:
    box = (Interval(7, 13), Interval(0, 1))
    assert Flatten(axis=2).input_span(((3, 4),), box) == ((Interval(1, 3), Interval(0, 4)),)
    assert Flatten(axis=2).input_span(((3, 4),), (Interval(0, 1), EVERYTHING)) == (
        (Interval(0, 1), Interval(0, 1)),
    )


def test_an_axis_of_size_1_that_goes_is_wholly_used() -> None:
    spans = Reshape((3,)).input_span(((3, 1),), (Interval(1, 3),))
    assert spans == ((Interval(1, 3), Interval(0, 1)),)
