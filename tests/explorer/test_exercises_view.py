"""Exercises in a browser: texts and figures are Python's, code is checked, nothing is a trap."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable
from typing import Any

import pytest

from faltung.exercises import EXERCISES, exercise
from faltung.explorer.ask_exercises import prepared

FLIPPED = """import numpy as np

def conv2d(image, kernel):
    print("called")
    kh, kw = kernel.shape
    y = np.zeros((image.shape[0] - kh + 1, image.shape[1] - kw + 1))
    for i in range(y.shape[0]):
        for j in range(y.shape[1]):
            y[i, j] = (image[i : i + kh, j : j + kw] * kernel[::-1, ::-1]).sum()
    return y
"""


def plain(value: Any) -> Any:
    return json.loads(json.dumps(value))


def test_every_exercise_shows_what_python_computed(open_view: Callable[..., Any]) -> None:
    """Question, hints one by one, answer when asked for, a solution where there is code."""
    view = open_view("exercises")
    for each in plain(prepared()["exercises"]):
        name = each["name"]
        view.set(open=name)
        assert view.figures()["figures"] == each["figures"]
        assert view.text(".ft-asked") == each["question"]
        assert view.tab.locator(".ft-answer *").count() == 0
        assert view.tab.locator(".ft-hints li").count() == 0
        for number, hint in enumerate(each["hints"]):
            view.tab.locator("button", has_text="Show hint").click()
            assert view.tab.locator(".ft-hints li").nth(number).text_content() == hint
        assert view.tab.locator("button", has_text="No more hints").is_disabled()
        view.set(answers=[name])
        shown = view.tab.locator(".ft-answer").text_content()
        texts = [b["text"] for b in each["answer"] if b["kind"] == "text"]
        cells = [c for b in each["answer"] if b["kind"] == "table" for r in b["rows"] for c in r]
        assert all(text in shown for text in [*texts, *cells])
        if each["task"]:
            assert each["task"]["solution"].strip() in shown
            assert view.tab.locator("textarea").input_value() == each["task"]["starter"]


def test_saved_page_says_how_to_check(open_view: Callable[..., Any]) -> None:
    """There is no Python: no button that would ask for it, and the command instead."""
    view = open_view("exercises", {"open": "receptive-field"})
    assert view.tab.get_by_role("button", name="Check", exact=True).count() == 0
    assert view.text(".ft-how").endswith("run: faltung exercise check receptive_field.py")


def test_state_is_cleaned_kept_in_the_link_and_undone(open_view: Callable[..., Any]) -> None:
    """Progress is state: a link has it, Ctrl+Z takes it back, nonsense is left out."""
    given = {"open": "age", "done": ["age", 3, "age"], "hints": {"age": 99, "cat": 1}, "code": 5}
    view = open_view("exercises", given)
    state = view.state()
    assert (state["done"], state["hints"], state["code"]) == (["age"], {"cat": 1}, {})
    assert view.text(".ft-formula") == f"1 of {len(EXERCISES)} done."
    view.tab.get_by_role("button", name="The shift experiment, code").click()
    assert view.state()["open"] == "shift"
    view.tab.keyboard.press(".")
    assert view.state()["open"] == list(EXERCISES)[list(EXERCISES).index("shift") + 1]
    view.tab.keyboard.press("Control+z")
    view.tab.keyboard.press("Control+z")
    assert view.state()["open"] == "age"
    view.tab.get_by_label("I have it").click()
    assert view.state()["done"] == []
    view.tab.wait_for_timeout(300)  # the link is written when nothing changes any more
    before = view.tab.evaluate("location.hash")
    view.set(open="nothing of this name")
    assert view.figures()["name"] == next(iter(EXERCISES))
    view.tab.wait_for_function("(before) => location.hash !== before", arg=before)
    view.tab.reload()
    assert view.state()["open"] == "nothing of this name"


def test_the_editor_indents_and_lets_go(open_view: Callable[..., Any]) -> None:
    """Tab indents, Enter keeps the indentation, Escape and Tab leave; what is written is state."""
    view = open_view("exercises", {"open": "parameters"})
    area, keys = view.tab.locator("textarea"), view.tab.keyboard
    area.fill("")
    area.focus()
    keys.type("def f(x):")
    keys.press("Enter")
    keys.type("if x:")
    keys.press("Enter")
    keys.type("return 1")
    keys.press("Enter")
    keys.press("Tab")
    keys.type("#")
    wanted = "def f(x):\n    if x:\n        return 1\n            #"
    assert area.input_value() == wanted == view.state()["code"]["parameters"]
    keys.press("Control+z")
    assert area.input_value() != wanted
    keys.press("Escape")
    assert view.text(".ft-keys") == "Tab leaves the code now."
    keys.press("Tab")
    assert view.tab.evaluate("document.activeElement.tagName") == "BUTTON"
    area.focus()
    keys.press("Shift+Tab")
    assert view.tab.evaluate("document.activeElement.tagName") != "TEXTAREA"
    view.tab.get_by_role("button", name="Back to the beginning").click()
    assert area.input_value() == exercise("parameters").task.starter("parameters")


def test_code_is_checked_in_python(served_view: Callable[..., Any]) -> None:
    """A mistake is named, what is printed is told, a right answer is done."""
    pytest.importorskip("uvicorn")
    view = served_view("exercises")
    area = view.tab.locator("textarea")
    area.fill(FLIPPED)
    view.tab.get_by_role("button", name="Check", exact=True).click()
    view.tab.locator(".ft-outcome.ft-wrong").wait_for(timeout=60_000)
    assert "The kernel is flipped on both axes" in view.text(".ft-outcome")
    assert "called" in view.text(".ft-outcome pre")
    assert view.state()["done"] == []
    area.fill(FLIPPED.replace("[::-1, ::-1]", ""))
    assert view.text(".ft-outcome") == ""
    area.press("Control+Enter")
    view.tab.locator(".ft-outcome.ft-right").wait_for(timeout=60_000)
    assert view.state()["done"] == ["conv2d"]
    assert view.figures()["outcome"]["state"] == "right"
    area.fill("import os\nos._exit(0)")
    area.press("Control+Enter")
    view.tab.locator(".ft-outcome.ft-stopped").wait_for(timeout=60_000)
    assert "ended its own process" in view.text(".ft-outcome")


def test_copied_python_runs(open_view: Callable[..., Any]) -> None:
    """It gives the exercise that is shown."""
    view = open_view("exercises", {"open": "matrix"})
    code = view.tab.evaluate("document.querySelector('.ft-view').faltung.frame.full")
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(code, scope)
    assert plain(scope["worked"].to_dict()["figures"]) == view.figures()["figures"]


@pytest.mark.parametrize("size", [(1440, 900), (820, 1180), (390, 844)])
def test_nothing_is_cut_off_and_axe_finds_nothing(
    open_view: Callable[..., Any], size: tuple[int, int]
) -> None:
    """No scrolling sideways with code, tables and answers open, in both themes."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    view = open_view("exercises", size=size)
    for scheme, name in (("light", "conv2d"), ("dark", "shift"), ("light", "matrix")):
        view.tab.emulate_media(color_scheme=scheme)
        view.set(open=name, answers=[name], hints={name: 2}, done=[name])
        assert view.tab.evaluate("document.documentElement.scrollWidth") <= size[0]
        found = axe.run(view.tab).response["violations"]
        serious = [v for v in found if v["impact"] in ("serious", "critical")]
        assert serious == [], [node["html"] for v in serious for node in v["nodes"]]
