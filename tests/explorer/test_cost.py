"""Cost in a browser: every count equals `faltung.cost`, and the sums are spelt out."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import faltung
from faltung.explorer.data_cost import prepared


def settings(seed: int) -> dict[str, int]:
    """Draw a size, small or as large as HD."""
    rng = np.random.default_rng(seed)
    most = (40, 50) if seed % 2 else (1080, 1920)
    names = ("height", "width", "in_channels", "kernel", "channels", "units")
    ends = (*most, 4, 31 if seed % 3 else 4, 512 if seed % 2 else 64, 4096)
    return {n: int(rng.integers(1, end + 1)) for n, end in zip(names, ends, strict=True)}


def by_python(state: dict[str, int]) -> Any:
    """Count with faltung itself."""
    shape = (state["in_channels"], state["height"], state["width"])
    kept = {"outputs": state["units"], "kernel": state["kernel"], "channels": state["channels"]}
    return faltung.cost(shape, **kept)


def test_counts_are_pythons(open_view: Callable[..., Any]) -> None:
    """Forty sizes: parameters, connections with and without padding, ratios, examples wanted."""
    view = open_view("cost")
    for seed in range(40):
        view.set(**settings(seed))
        figures, report = view.figures(), by_python(view.state())
        for shown, layer in zip(figures["layers"], report.layers, strict=True):
            got = [shown[n] for n in ("weights", "biases", "perNeuron", "macs")]
            assert got == [layer.weights, layer.biases, layer.per_neuron, layer.cost.macs]
            assert shown["params"] == layer.params
            assert shown["connections"] == layer.cost.connections
            assert shown["inside"] == layer.cost.connections_inside
        for name, ratio in figures["ratios"].items():
            assert ratio == pytest.approx(report.ratios[name], rel=1e-14)
        wanted = report.examples[0]
        shown = figures["examples"]
        assert (shown["params"], shown["least"], shown["most"]) == (wanted.params, *wanted.wanted)


def test_hd_says_what_it_would_cost(open_view: Callable[..., Any]) -> None:
    """A button sets HD; the bars and the sums say row P1's figure."""
    view = open_view("cost")
    view.tab.get_by_role("button", name="HD").click()
    bar = view.tab.get_by_role("button", name="dense to 1,000: 6,220,801,000")
    bar.hover()
    assert view.text(".ft-formula") == (
        "dense to 1,000: 1080·1920·3·1,000 + 1,000 = 6,220,801,000 parameters"
    )
    assert str(prepared()["vgg16"]) == "138357544"
    assert "138,357,544" in view.text(".ft-words")


def test_pin_by_keyboard_and_undo(open_view: Callable[..., Any]) -> None:
    """Enter pins a bar, Escape unpins, Ctrl+Z goes back."""
    view = open_view("cost", {"height": 10, "width": 10})
    view.tab.locator(".ft-bar-row").nth(3).focus()
    view.tab.keyboard.press("Enter")
    assert view.state()["pinned"] == 3
    assert view.text(".ft-formula").startswith("convolution 3×3: 3·3·3·64 + 64 = 1,792")
    view.tab.keyboard.press("Escape")
    assert view.state()["pinned"] is None
    view.tab.keyboard.press("Control+z")
    assert view.state()["pinned"] == 3


def test_copied_python_runs(open_view: Callable[..., Any]) -> None:
    """The call gives the same report."""
    view = open_view("cost", settings(1))
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(
            compile(
                view.tab.evaluate("document.querySelector('.ft-view').faltung.frame.full"),
                "copied",
                "exec",
            ),
            scope,
        )
    assert scope["report"].dense.params == view.figures()["layers"][0]["params"]


def test_states_from_links_are_cleaned(open_view: Callable[..., Any]) -> None:
    """What a link brings stays within the ranges, so that counts stay exact."""
    state = open_view("cost", {"height": 10**9, "width": -3, "units": "x", "pinned": 9}).state()
    assert (state["height"], state["width"], state["units"]) == (1080, 1, 1000)
    assert state["pinned"] is None
