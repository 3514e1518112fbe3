"""The picture of a profile has a bar for each of the longest steps."""

from __future__ import annotations

import pytest

from faltung.plan.profile import Profile, StepTime
from faltung.viz import profile


def report() -> Profile:
    steps = tuple(
        StepTime(f"conv{i} + relu{i}", "Conv", "conv_direct_any_nchw", 1e-3 * i, 10**6, 10**5, part)
        for i, part in ((1, 0.5), (3, 1.25), (2, None))
    )
    return Profile(steps, 6e-3, 10**6, 2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_longest_step_is_on_top(theme: str) -> None:
    drawn = profile.draw(report(), steps=2, theme=theme)
    (axes,) = drawn.axes
    assert [bar.get_width() for bar in axes.patches] == [3.0, 2.0]
    names = [label.get_text() for label in axes.get_yticklabels()]
    assert names == ["conv3 + relu3 (conv_direct)", "conv2 + relu2 (conv_direct)"]
    assert "6 ms in 3 steps" in drawn.get_suptitle()
    (beside,) = axes.child_axes
    assert [label.get_text().strip() for label in beside.get_yticklabels()] == ["125 %", ""]


def test_tables_name_kernels_and_shares() -> None:
    said = str(report())
    assert "conv_direct_any_nchw" in said
    assert "125 %" in said
    assert "3 steps, 6 ms a call" in said
    assert report().to_dict()["steps"][1]["roofline"] == 1.25
