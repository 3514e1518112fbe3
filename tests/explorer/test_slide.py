"""Slide in a browser: every figure equals Python's, whatever the setting."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import faltung
from faltung.errors import GeometryError


def settings(seed: int) -> dict[str, Any]:
    """Draw a state: strides that do not divide, even kernels, large padding, empty outputs."""
    rng = np.random.default_rng(seed)

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    groups = draw(1, 2)
    return {
        "axes": "1" if seed % 5 == 0 else "2",
        "height": draw(1, 9),
        "width": draw(1, 12),
        "kernel_height": draw(1, 5),
        "kernel_width": draw(1, 5),
        "stride": [draw(1, 4), draw(1, 4)],
        "dilation": [draw(1, 3), draw(1, 3)],
        "padding": ["valid", "same", "same_lower", "full", "each", "each"][draw(0, 5)],
        **{side: draw(0, 7) for side in ("top", "bottom", "left", "right")},
        "in_channels": groups * draw(1, 2),
        "out_channels": groups * draw(1, 2),
        "groups": groups,
        "flip": bool(draw(0, 1)),
        "transposed": seed % 3 == 0,
        "at": draw(0, 40),
    }


def by_python(state: dict[str, Any]) -> tuple[Any, str]:
    """Compute what Slide shows with faltung itself, in float64; or what its error says."""
    x, w = np.array([state["x"]], dtype=float), np.array(state["w"], dtype=float)
    if state["flip"]:
        w = w[:, :, ::-1, ::-1]
    settings = {
        "stride": state["stride"],
        "padding": ((state["top"], state["bottom"]), (state["left"], state["right"])),
        "dilation": state["dilation"],
        "groups": state["groups"],
    }
    conv = faltung.conv_transpose if state["transposed"] else faltung.conv
    try:
        return conv(x, w, **settings)[0], ""
    except GeometryError as error:
        return None, str(error)


def test_figures_are_pythons(open_view: Callable[..., Any]) -> None:
    """Sixty settings: output, padding, dropped columns, the sum of the cell in view."""
    view = open_view("slide")
    empty = dropped = 0
    for seed in range(60):
        view.set(**settings(seed))
        state, figures = view.state(), view.figures()
        y, refusal = by_python(state)
        assert figures["violation"] == refusal
        if refusal:
            continue
        assert figures["shape"] == list(y.shape)
        np.testing.assert_array_equal(np.array(figures["output"]).reshape(y.shape), y)
        empty += y.size == 0
        dropped += sum(figures["dropped"]) > 0 and y.size > 0
        if y.size:
            assert figures["value"] == y[tuple(figures["active"])]
            assert sum(a * b for a, b in figures["terms"]) == figures["value"]
    assert empty >= 3
    assert dropped >= 10


def test_groups_that_do_not_divide(open_view: Callable[..., Any]) -> None:
    """The page says what Python's error says."""
    view = open_view("slide", {"in_channels": 3, "groups": 2, "out_channels": 2})
    with pytest.raises(GeometryError) as caught:
        faltung.conv(np.zeros((1, 3, 6, 6)), np.zeros((2, 1, 3, 3)), groups=2)
    assert view.text(".ft-note") == str(caught.value)


@pytest.mark.parametrize("seed", [0, 1, 3, 6])
def test_copied_python_runs(open_view: Callable[..., Any], seed: int) -> None:
    """What Copy copies prints the page's own figures."""
    view = open_view("slide", settings(seed))
    figures = view.figures()
    printed = io.StringIO()
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(printed):
        exec(compile(figures["python"], "copied", "exec"), scope)
    np.testing.assert_array_equal(scope["y"][0].reshape(figures["shape"]), figures["output"])
    assert printed.getvalue()


def test_worked_example(open_view: Callable[..., Any]) -> None:
    """(0, 0) reads 2; flipped -2; step advances."""
    view = open_view("slide")
    assert view.figures()["value"] == 2
    assert view.text(".ft-formula").endswith("= 2")
    view.tab.get_by_label("Flip the kernel").check()
    assert view.figures()["value"] == -2
    view.tab.get_by_role("button", name="Step forward").click()
    assert view.figures()["active"] == [0, 0, 1]


def test_served(served_view: Callable[..., Any]) -> None:
    """The served page loads its components one by one and shows the same."""
    assert served_view("slide").figures()["value"] == 2
