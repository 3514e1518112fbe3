"""Placement: nothing that is needed at one time overlaps, and little room is wasted."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from faltung.plan.arena import LINE, Need, least, placed


@st.composite
def needs(draw: st.DrawFn) -> dict[str, Need]:
    found = {}
    for number in range(draw(st.integers(0, 12))):
        first = draw(st.integers(0, 20))
        size, more = draw(st.integers(0, 5000)), draw(st.integers(0, 8))
        found[str(number)] = Need(size, first, first + more)
    return found


@given(needs())
def test_values_needed_at_one_time_do_not_overlap(wanted: dict[str, Need]) -> None:
    offsets, nbytes = placed(wanted)
    assert set(offsets) == set(wanted)
    for a, one in wanted.items():
        assert offsets[a] % LINE == 0
        assert offsets[a] + one.nbytes <= nbytes
        for b, other in wanted.items():
            meet = one.first <= other.last and other.first <= one.last
            if a < b and meet and one.nbytes and other.nbytes:
                apart = offsets[a] + one.nbytes <= offsets[b]
                assert apart or offsets[b] + other.nbytes <= offsets[a]


@given(needs())
def test_no_placement_is_smaller_than_what_is_needed_at_one_time(wanted: dict[str, Need]) -> None:
    assert least(wanted) <= placed(wanted).nbytes


def test_a_chain_takes_two_values_room() -> None:
    chain = {str(i): Need(1024, i, i + 1) for i in range(50)}
    assert placed(chain).nbytes == least(chain) == 2048
