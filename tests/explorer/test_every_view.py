"""What holds for every view: accessible, usable by keyboard, nothing sideways, quick."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from faltung.explorer.views import VIEWS

from .conftest import missing

SIZES = {"wide": (1440, 900), "tablet": (820, 1180), "phone": (390, 844)}

WITHOUT_LABEL = """() => [
    ...document.querySelectorAll('button, input, select, textarea, canvas, a'),
  ]
  .filter((e) => e.getClientRects().length)
  .filter((e) => !(e.getAttribute('aria-label') || e.textContent.trim() || e.labels?.length))
  .map((e) => e.outerHTML.slice(0, 120))"""

SIDEWAYS = """() => document.documentElement.scrollWidth - document.documentElement.clientWidth"""

FOCUS = """() => {
  const e = document.activeElement;
  if (!e || e === document.body) return null;
  const { outlineWidth, outlineStyle } = getComputedStyle(e);
  return { name: e.outerHTML.slice(0, 100), width: parseFloat(outlineWidth), style: outlineStyle };
}"""


@pytest.fixture(scope="session")
def axe() -> Any:
    """The checker of accessibility, or a skip that names it."""

    try:
        from axe_playwright_python.sync_playwright import Axe
    except ImportError:
        missing("the peer axe-playwright-python is not installed")
    return Axe()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", VIEWS)
def test_no_serious_finding(
    open_view: Callable[..., Any], axe: Any, name: str, scheme: str
) -> None:
    """axe-core finds nothing serious or critical (WCAG 2 AA)."""
    view = open_view(name, scheme=scheme, bypass_csp=True)
    found = axe.run(view.tab, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21aa"]})
    serious = [
        (v["id"], [node["html"][:120] for node in v["nodes"]][:3])
        for v in found.response["violations"]
        if v["impact"] in ("serious", "critical")
    ]
    assert not serious


def test_a_finding_would_be_found(open_view: Callable[..., Any], axe: Any) -> None:
    """The control: grey words on white and a nameless button are found."""
    view = open_view("cost", bypass_csp=True)
    view.tab.evaluate(
        "() => { const b = document.createElement('button');"
        " document.querySelector('.ft-stage').append(b);"
        " document.querySelector('.ft-question').style.color = '#ddd'; }"
    )
    found = axe.run(view.tab, options={"runOnly": ["wcag2a", "wcag2aa"]})
    assert {"button-name", "color-contrast"} <= {v["id"] for v in found.response["violations"]}


@pytest.mark.parametrize("name", VIEWS)
def test_nothing_sideways(open_view: Callable[..., Any], name: str) -> None:
    """At every width the page scrolls down alone, and every control has a name."""
    for size in SIZES.values():
        view = open_view(name, size=size)
        assert view.tab.evaluate(SIDEWAYS) <= 0, (name, size)
        assert view.tab.evaluate(WITHOUT_LABEL) == []


@pytest.mark.parametrize("name", VIEWS)
def test_focus_is_seen(open_view: Callable[..., Any], name: str) -> None:
    """Tab goes through the page, and what has the focus has an outline."""
    view = open_view(name)
    seen = set()
    for _ in range(25):
        view.tab.keyboard.press("Tab")
        focus = view.tab.evaluate(FOCUS)
        if focus is None:
            break
        assert focus["style"] != "none", focus
        assert focus["width"] >= 2, focus
        seen.add(focus["name"])
    assert len(seen) >= 5


@pytest.mark.parametrize("name", VIEWS)
def test_links_carry_the_state(open_view: Callable[..., Any], name: str) -> None:
    """A link opens where its author was; a damaged one opens the worked example and says so."""
    view = open_view(name)
    before = view.state()
    view.tab.goto(view.tab.url.partition("#")[0] + f"#{name}=%%%")
    view.tab.reload()
    assert view.state() == before
    note = view.tab.locator(".ft-note").first  # a card of the tour has a view within it
    assert note.inner_text() == "The link is damaged; this is the worked example."


def test_slide_state_in_the_link(open_view: Callable[..., Any]) -> None:
    """What is set goes into the fragment, and comes back from it."""
    view = open_view("slide")
    view.set(stride=[2, 3], flip=True, pinned=["output", 0, 1, 0])
    view.tab.wait_for_timeout(400)
    url = view.tab.url
    assert "#slide=" in url
    view.tab.goto("about:blank")
    view.tab.goto(url)
    state = view.state()
    assert (state["stride"], state["flip"], state["pinned"]) == ([2, 3], True, ["output", 0, 1, 0])


MOVES = """async () => {
  const view = document.querySelector('.ft-view').faltung;
  const canvas = document.querySelector('canvas');
  const box = canvas.getBoundingClientRect();
  const [work, frames] = [[], []];
  let last = await new Promise(requestAnimationFrame);
  for (let i = 0; i < 300; i += 1) {
    const start = performance.now();
    const at = { clientX: box.x + (i * 37) % box.width, clientY: box.y + (i * 53) % box.height };
    if (i % 3 === 0) {
      const x = structuredClone(view.store.state.x);
      x[0][i % 32][(i * 7) % 32] = i % 10;
      view.store.set({ x });
    }
    canvas.dispatchEvent(new PointerEvent('pointermove', { ...at, bubbles: true }));
    work.push(performance.now() - start);
    const frame = await new Promise(requestAnimationFrame);
    frames.push(frame - last);
    last = frame;
  }
  const p95 = (times) => times.sort((a, b) => a - b)[Math.floor(0.95 * times.length)];
  return { work: p95(work), frames: p95(frames) };
}"""


@pytest.mark.alone
def test_slide_is_quick(open_view: Callable[..., Any]) -> None:
    """300 moves over 32 by 32 cells, values changing: 95 of 100 frames within 20 ms."""
    view = open_view("slide", {"height": 32, "width": 32, "padding": "same"})
    times = view.tab.evaluate(MOVES)
    print(f"Slide, 300 moves at 32x32, 95th percentile in ms: {times}")
    assert times["work"] < 20
    assert times["frames"] < 20
