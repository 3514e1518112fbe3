"""Canvases follow the theme: the system's choice, the page's switch, a notebook's mark."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest


@pytest.mark.parametrize("name", ["slide", "field", "square", "network"])
def test_canvases_follow_the_theme(open_view: Callable[..., Any], name: str) -> None:
    """What was drawn by day is drawn anew by night, and the other way round."""
    view = open_view(name, {"padding": "full"} if name == "slide" else {})
    view.tab.wait_for_timeout(500)

    def pictures() -> list[str]:
        view.tab.wait_for_timeout(150)
        canvases = "[...document.querySelectorAll('canvas')]"
        found: list[str] = view.tab.evaluate(f"() => {canvases}.map((c) => c.toDataURL())")
        return found

    light = pictures()
    view.tab.emulate_media(color_scheme="dark")
    dark = pictures()
    assert any(a != b for a, b in zip(light, dark, strict=True))
    switch = view.tab.get_by_role("button", name="Theme")
    switch.click()  # light, whatever the system says
    assert pictures() == light
    switch.click()
    assert pictures() == dark
    switch.click()
    view.tab.emulate_media(color_scheme="light")
    assert pictures() == light
