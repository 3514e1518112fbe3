"""Connect in a browser: counts and tied weights equal `faltung.square`, for the four corners."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np

import faltung
from faltung import layers
from faltung.constraints import CORNERS, CornerLayer, Square
from faltung.errors import GeometryError

L5 = {
    ((2, 2), (-1, 1)): (16, 9, 16, 9),
    ((2, 2), (0, 1)): (16, 9, 9, 4),
    ((2, 3), (-1, 1)): (36, 15, 28, 9),
    ((2, 3), (0, 1)): (36, 15, 15, 4),
    ((3, 3), (-1, 1)): (81, 25, 49, 9),
    ((3, 3), (0, 1)): (81, 25, 25, 4),
}


def settings(seed: int) -> dict[str, Any]:
    """Draw a layer: windows to one side, wider than the input, or of no offset at all."""
    rng = np.random.default_rng(seed)

    def draw(low: int, high: int) -> int:
        return int(rng.integers(low, high + 1))

    is_line = seed % 2 == 0
    top, left = draw(-4, 2), draw(-6, 3)
    return {
        "corner": CORNERS[draw(0, 3)],
        "axes": "1" if is_line else "2",
        "height": draw(1, 5),
        "width": draw(1, 12 if is_line else 5),
        "top": top,
        "bottom": top + draw(0, 4),
        "left": left,
        "right": left + draw(0, 6),
        "same_size": bool(draw(0, 1)),
        "outputs": draw(1, 9),
        "seed": seed,
        "x": {},
        "w": {},
        "pinned": None,
    }


def by_python(state: dict[str, Any]) -> Square | str:
    """Return the square of the same size and window, or what its error says."""
    is_line = state["axes"] == "1"
    size = (state["width"],) if is_line else (state["height"], state["width"])
    rows, cols = (state["top"], state["bottom"]), (state["left"], state["right"])
    try:
        return Square(size, (cols,) if is_line else (rows, cols))
    except GeometryError as error:
        return str(error)


def test_counts_and_ties_are_pythons(open_view: Callable[..., Any]) -> None:
    """Sixty settings: parameters, connections, the weight on each edge, every output."""
    view = open_view("connect")
    seen = dict.fromkeys([*CORNERS, "refused", "other size"], 0)
    for seed in range(60):
        view.set(**settings(seed))
        state, figures = view.state(), view.figures()
        square = by_python(state)
        corner = state["corner"]
        if isinstance(square, str):
            is_local = corner in ("local", "convolution")
            assert figures["refusal"] == (square if is_local else "")
            seen["refused"] += is_local
            continue
        is_other = corner == "dense" and not state["same_size"]
        seen["other size" if is_other else corner] += 1
        compare_counts(figures["counts"], square, state)
        compare_ties(figures, square, corner, state["outputs"] if is_other else None)
        compare_outputs(figures)
    assert min(seen.values()) >= 3, seen


def compare_counts(shown: Any, square: Square, state: dict[str, Any]) -> None:
    """Compare with the square, and with what the layer itself costs."""
    for corner in CORNERS:
        got = (shown[corner]["parameters"], shown[corner]["connections"])
        if corner == "dense" and not state["same_size"]:
            dense = layers.Chain(layers.Flatten(), layers.Dense(state["outputs"], bias=False))
            graph = layers.sketch(dense, (1, *square.size))
            assert got == (graph.params["dense1.weight"].size,) * 2
            continue
        assert got == (square.parameters(corner), square.nonzeros(corner))
        graph = layers.sketch(CornerLayer(corner, window=square.window), (1, *square.size))
        shapes = graph.shapes()
        costs = [n.operator.cost([shapes[name] for name in n.inputs]) for n in graph.nodes]
        assert shown[corner]["padded"] == sum(cost.connections for cost in costs)


def compare_ties(figures: Any, square: Square, corner: str, outputs: int | None) -> None:
    """Compare every edge's weight with the matrix of ties, and what is lit with its neuron."""
    inside = [(o, i, weight) for o, i, weight, *_ in figures["edges"] if i >= 0]
    positions = square.shape[1]
    tied = np.full((outputs or positions, positions), -1)
    for o, i, weight in inside:
        tied[o, i] = weight
    if outputs is None:
        np.testing.assert_array_equal(tied, square.tied(corner))
    else:
        np.testing.assert_array_equal(tied.ravel(), np.arange(tied.size))
    kind, o = figures["active"]
    assert (kind, o) == ("output", len(tied) // 2)
    own = [(i, weight) for _, i, weight in figures["own"] if i >= 0]
    assert own == [(i, int(tied[o, i])) for i in range(positions) if tied[o, i] >= 0]
    mine = {weight for _, _, weight in figures["own"] if weight >= 0}
    others = {(p, i, w) for p, i, w in inside if p != o and w in mine}
    assert {(p, i, w) for p, i, w in map(tuple, figures["tied"]) if i >= 0} == others


def compare_outputs(figures: Any) -> None:
    """Run what Copy copies: it computes what stands in the neurons."""
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(compile(figures["python"], "copied", "exec"), scope)
    np.testing.assert_array_equal(scope["y"], figures["outputs"])
    assert printed.getvalue()


def test_table_of_corners(open_view: Callable[..., Any]) -> None:
    """Row L5: dense, shared, local, convolution."""
    view = open_view("connect", {"axes": "2"})
    for ((height, width), (lo, hi)), params in L5.items():
        view.set(height=height, width=width, top=lo, bottom=hi, left=lo, right=hi)
        counts = view.figures()["counts"]
        assert tuple(counts[corner]["parameters"] for corner in CORNERS) == params
        rows = view.tab.locator(".ft-counts tbody tr").all_inner_texts()
        assert [row.split()[:2] for row in rows] == [
            [corner, str(n)] for corner, n in zip(CORNERS, params, strict=True)
        ]


def test_border_neuron(open_view: Callable[..., Any]) -> None:
    """A border neuron's formula: taps on padding are counted, not summed."""
    view = open_view("connect", {"pinned": ["output", 0]})
    formula = view.text(".ft-formula")
    assert formula.startswith("y[0] = x[0]·w[0] + x[1]·w[1] = ")
    assert "(1 more on padding, 0)" in formula
    figures = view.figures()
    assert f"= {figures['outputs'][0]}" in formula.replace("−", "-")
    assert len(view.tab.locator(".ft-edge-own").all()) == 3
    assert len(view.tab.locator(".ft-edge-own.ft-edge-padding").all()) == 1


def test_hover_pin_keys_edit_undo_link(open_view: Callable[..., Any]) -> None:
    """A neuron is hovered and pinned; an edge's weight edited; steps, undo, the link."""
    view = open_view("connect")
    tab = view.tab
    outputs = tab.locator(".ft-neuron-output")
    outputs.nth(1).hover()
    assert view.figures()["active"] == ["output", 1]
    outputs.nth(1).click()
    assert view.state()["pinned"] == ["output", 1]
    tab.locator(".ft-view h2").click()
    tab.keyboard.press(".")
    assert view.state()["pinned"] == ["output", 2]
    tab.get_by_role("button", name="w[−1] =").click()
    assert view.state()["pinned"] == ["edge", 2, 0, 1]
    assert "weight 0, w[−1] = " in view.text(".ft-formula")
    assert "on 4 more connections, of 4 other outputs" in view.text(".ft-formula")
    box = tab.get_by_label("w[−1]", exact=True)
    box.fill("7")
    box.press("Enter")
    assert view.state()["w"] == {"w[-1]": 7}
    compare_outputs(view.figures())
    tab.get_by_role("button", name="Undo").click()
    assert view.state()["w"] == {}
    tab.wait_for_timeout(300)
    link = tab.url
    tab.locator(".ft-view h2").click()
    tab.keyboard.press("Escape")
    assert view.state()["pinned"] is None
    tab.goto("about:blank")
    tab.goto(link)
    assert view.state()["pinned"] == ["edge", 2, 0, 1]
    tab.locator("svg.ft-connect").focus()
    tab.keyboard.press("PageDown")
    tab.keyboard.press("ArrowRight")
    assert view.figures()["active"] == ["input", 1]
    tab.keyboard.press("Enter")
    assert view.state()["pinned"] == ["input", 1]
    tab.get_by_role("button", name="dense", exact=True).click()
    assert view.state()["corner"] == "dense"


def test_edges_are_found_under_the_pointer(open_view: Callable[..., Any]) -> None:
    """Between the layers the nearest edge is active, and all that share its weight are lit."""
    view = open_view("connect")
    above = view.tab.locator(".ft-neuron-output").nth(0).bounding_box()
    below = view.tab.locator(".ft-neuron-input").nth(1).bounding_box()
    x, y = ((above[n] + below[n] + 35) / 2 for n in ("x", "y"))
    view.tab.mouse.move(x, y)
    assert view.figures()["active"] == ["edge", 0, 0, 1]
    assert len(view.figures()["tied"]) == 4  # one of them on padding


def test_states_from_links_are_cleaned(open_view: Callable[..., Any]) -> None:
    """What does not fit leaves the worked example."""
    view = open_view("connect", {"corner": "round", "width": 99, "height": 9})
    state = view.state()
    assert (state["width"], state["height"], state["corner"]) == (12, 1, "convolution")
    hostile: list[dict[str, Any]] = [
        *({"x": {"__proto__x": 1}}, {"x": []}, {"w": {"w[0]": "1"}}, {"w": {"w": 1}}),
        *({"pinned": ["edge", 1]}, {"pinned": ["toString", 1]}, {"axes": "3"}),
    ]
    for given in hostile:
        view.set(**given)
        assert view.state() == state
    parameters = view.figures()["counts"]["local"]["parameters"]
    assert parameters == faltung.square((12,)).parameters("local")
