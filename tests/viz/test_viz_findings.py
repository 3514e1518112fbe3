"""Pictures of what experiments found: legible, and of what was measured."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.figure import Figure

from faltung.experiments import Curve, Findings, Panel, seers
from faltung.viz import findings
from faltung.viz.legible import complaints, texts

RANDOM = np.random.default_rng(0)
SEERS = tuple(seers.SEERS)
TASKS = ("a far pixel", "the place", "everything")


def curve(label: str, x: tuple[float, ...], seeds: int = 3) -> Curve:
    return Curve(label, x, tuple(tuple(RANDOM.random(seeds).tolist()) for _ in x))


def report(*panels: Panel) -> Findings:
    return Findings("name", "Does it matter?", "So.", (0, 1, 2), 5, panels, (), ())


def placed(*labels: str, count: int = 3, seeds: int = 3) -> tuple[Curve, ...]:
    return tuple(curve(label, tuple(map(float, range(count))), seeds) for label in labels)


CASES = {
    "tasks": report(Panel("", "known", "right", placed(*SEERS), TASKS, is_apart=True)),
    "one seed": report(
        Panel("", "pixels", "accuracy", placed("a", count=2, seeds=1), ("as", "so"))
    ),
    "two panels": report(
        Panel("", "λ", "accuracy", placed("c"), ("0", "1", "1000"), levels={"itself": 0.5}),
        Panel("", "λ", "share", placed("explained by a convolution"), ("0", "1", "1000")),
    ),
    "parameters": report(
        Panel(
            "",
            "parameters",
            "accuracy on test digits",
            (curve("dense", (10360.0, 82810.0)), curve("convolution", (270.0, 530.0, 8330.0))),
            is_log=True,
        )
    ),
    "numbers": report(Panel("", "shift in pixels", "accuracy", placed("a", "b", count=7))),
}


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", CASES)
def test_texts_can_be_read(name: str, theme: str) -> None:
    assert complaints(findings.draw(CASES[name], theme)) == []


def shown(drawn: Figure) -> list[str]:
    return [each.text for each in texts(drawn)]


def test_places_curves_and_levels_are_named() -> None:
    found = shown(findings.draw(CASES["two panels"]))
    for text in ("Does it matter?", "λ", "c", "itself", "explained by a convolution", "1000"):
        assert text in found
    found = shown(findings.draw(CASES["tasks"]))
    assert {*SEERS, *TASKS} <= set(found)
    found = shown(findings.draw(CASES["parameters"]))
    assert "10,000" in found


def test_lines_go_through_the_means() -> None:
    drawn = findings.draw(CASES["parameters"])
    (axes,) = drawn.axes
    for line, each in zip(axes.lines, CASES["parameters"].curves, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), each.x)
        np.testing.assert_array_equal(line.get_ydata(), each.means)
