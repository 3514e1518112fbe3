"""Square in a browser: matrices, counts, projections and shares equal those of the corners."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from faltung.constraints import CORNERS, explained, project, square

# Row L5: dense / shared / local / convolution.
L5 = [
    ((2, 2), 1, 1, (16, 9, 16, 9)),
    ((2, 2), 0, 1, (16, 9, 9, 4)),
    ((2, 3), 1, 1, (36, 15, 28, 9)),
    ((2, 3), 0, 1, (36, 15, 15, 4)),
    ((3, 3), 1, 1, (81, 25, 49, 9)),
    ((3, 3), 0, 1, (81, 25, 25, 4)),
]


def state_of(size: tuple[int, int], lo: int, hi: int) -> dict[str, int]:
    """Return a size, and a window from -lo to hi on both axes."""
    both = {"up": lo, "left": lo, "down": hi, "right": hi}
    return {"height": size[0], "width": size[1], **both}


def by_python(state: dict[str, Any]) -> Any:
    """Return the square of a state."""
    window = ((-state["up"], state["down"]), (-state["left"], state["right"]))
    return square((state["height"], state["width"]), window=window)


@pytest.mark.parametrize(("size", "lo", "hi", "params"), L5)
def test_row_l5(
    open_view: Callable[..., Any], size: tuple[int, int], lo: int, hi: int, params: tuple[int, ...]
) -> None:
    """The counts of the four layers."""
    view = open_view("square", state_of(size, lo, hi))
    assert tuple(c["params"] for c in view.figures()["corners"]) == params


def test_counts_and_projections(open_view: Callable[..., Any]) -> None:
    """Forty settings: parameters, entries, shares against chance, the mixture of the sliders."""
    view = open_view("square")
    rng = np.random.default_rng(0)
    for _ in range(40):
        sides = dict(
            zip(("up", "down", "left", "right"), map(int, rng.integers(0, 4, 4)), strict=True)
        )
        sizes = {"height": int(rng.integers(1, 6)), "width": int(rng.integers(1, 6))}
        share = {n: float(rng.choice([0, 0.25, 1])) for n in ("sharing", "locality")}
        n = sizes["height"] * sizes["width"]
        given = rng.integers(-9, 10, (n, n)).tolist() if rng.random() < 0.5 else None
        view.set(**sides, **sizes, **share, given=given)
        state, figures = view.state(), view.figures()
        ours, w = by_python(state), np.array(figures["weights"], dtype=float)
        assert given is None or figures["weights"] == given
        shares = explained(ours, w) if w.any() else None
        for corner in figures["corners"]:
            name = corner["corner"]
            assert corner["params"] == ours.parameters(name)
            assert corner["entries"] == len(ours.entries(name).rows)
            if shares is not None:
                assert corner["share"] == pytest.approx(shares[name].share, abs=1e-12)
                assert corner["chance"] == pytest.approx(shares[name].chance, rel=1e-12)
        shared = w + state["sharing"] * (project(ours, w, "shared") - w)
        mixed = shared + state["locality"] * (project(ours, shared, "local") - shared)
        np.testing.assert_allclose(figures["matrix"], mixed, atol=1e-12)


def test_corner_buttons_and_pins(open_view: Callable[..., Any]) -> None:
    """To the convolution, an entry pinned: whose weight it is."""
    view = open_view("square")
    view.tab.get_by_role("button", name="convolution").click()
    state, figures = view.state(), view.figures()
    assert (state["sharing"], state["locality"]) == (1, 1)
    w = np.array(figures["weights"], dtype=float)
    wanted = project(by_python(state), w, "convolution")
    np.testing.assert_allclose(figures["matrix"], wanted, atol=1e-12)
    view.tab.locator("canvas").first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowRight", "Enter"):
        view.tab.keyboard.press(key)
    assert view.state()["pinned"] == [1, 1]
    assert "output (0, 1), input (0, 1), offset (0, 0)" in view.figures()["said"]
    assert view.figures()["said"].endswith("one for 9 entries")
    view.tab.keyboard.press("Escape")
    assert view.state()["pinned"] is None


def test_a_convolution_is_explained_whole(open_view: Callable[..., Any]) -> None:
    """A pasted matrix that is a convolution: 100 % at every corner."""
    ours = square((3, 3), window=((-1, 1), (-1, 1)))
    w = ours.matrix("convolution", np.arange(1.0, 10.0).reshape(ours.weight_shape("convolution")))
    view = open_view("square")
    view.tab.get_by_label("Paste your own").fill("\n".join(" ".join(map(str, row)) for row in w))
    view.tab.get_by_role("button", name="Use it").click()
    assert [round(c["share"], 12) for c in view.figures()["corners"]] == [1, 1, 1, 1]
    assert tuple(c["corner"] for c in view.figures()["corners"]) == CORNERS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "There is no number in it."),
        ("1 2\n3 x", "Line 2 has something that is no finite number."),
        ("1 2\n3", "The matrix must be square: 2 lines, but line 2 has 1 numbers."),
        (
            "\n".join([" ".join(["1"] * 50)] * 50),
            "The matrix is 50×50; the view takes up to 49×49.",
        ),
        ("\n".join([" ".join(["1"] * 10)] * 10), "10 positions are no image"),
    ],
)
def test_bad_matrices(open_view: Callable[..., Any], text: str, said: str) -> None:
    """What is no matrix is refused in one line, and what was shown stays."""
    view = open_view("square")
    view.tab.get_by_label("Paste your own").fill(text)
    view.tab.get_by_role("button", name="Use it").click()
    assert view.text(".ft-note").startswith(said)
    assert view.state()["given"] is None


def test_copied_python_runs(open_view: Callable[..., Any]) -> None:
    """The pasted code prints the same counts."""
    view = open_view("square", state_of((2, 3), 0, 1))
    code = view.tab.evaluate("document.querySelector('.ft-view').faltung.frame.full")
    scope: dict[str, Any] = {}
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(code, "copied", "exec"), scope)
    shown = [c["params"] for c in view.figures()["corners"]]
    assert [scope["square"].parameters(corner) for corner in CORNERS] == shown
