"""Tour in a browser: the cards are Python's, checks are judged alike, each view is set up."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from faltung import tour
from faltung.explorer.ask_tour import prepared, record
from faltung.tour import CARDS, check, page

NAMES = [card.name for card in CARDS]
MEASURED = ("train",)
"""Cards whose figures may differ from machine to machine."""
LIVE = {
    "cost": "cost",
    "principles": "connect",
    "corners": "square",
    "matrices": "square",
    "channels": "slide",
    "flip": "slide",
    "sobel": "slide",
    "shift": "shift",
    "field": "field",
    "lost": "square",
    "train": "network",
    "waldo": "lab",
}
JUDGED = """([name, answers]) => answers.map((given) => {
    const { store, figures } = document.querySelector('.ft-view').faltung;
    store.set({ answers: { [name]: given } });
    return [figures().verdict, figures().done];
})"""
VIEW = "document.querySelector('.ft-view').faltung"
TYPED = ("7", "1,2", "1 234", "a", "B", "(c)", "none of them", "-1", "−1", "1.5", "0x3", "9e9")


@pytest.mark.parametrize("name", NAMES)
def test_the_recorded_cards_are_those_of_the_tour(name: str) -> None:
    """Nothing is out of date; ``scripts/make_explorer_tour.py`` writes them anew."""
    recorded = prepared()["cards"][NAMES.index(name)]
    computed = json.loads(json.dumps(record(page(name))))
    kept = ("name", "title", "question", "check", "cells", "command", "often_said")
    for part in kept if name in MEASURED else recorded:
        assert recorded[part] == computed[part]


def answers_to(name: str) -> list[str]:
    """Right in several ways, wrong, odd."""
    asked = page(name).check
    if isinstance(asked.answer, str):
        return [asked.answer, asked.answer.upper(), *asked.choices, "(a)", "b.", *TYPED]
    numbers = [str(n) for n in asked.answer]
    written = [asked.solution, ", ".join(numbers), "; ".join(numbers), f"[{' '.join(numbers)}]"]
    return [*written, " ".join(reversed(numbers)), " ".join([*numbers, "7"]), *TYPED]


def test_checks_are_judged_as_python_judges(open_view: Callable[..., Any]) -> None:
    """Each card, right and wrong: the verdict is Python's, and what is right is done."""
    view = open_view("tour")
    for number, name in enumerate(NAMES, 1):
        view.set(card=number)
        answers = answers_to(name)
        said = view.tab.evaluate(JUDGED, [name, answers])
        for given, (text, done) in zip(answers, said, strict=True):
            verdict = check(name, given)
            assert text == f"{'✓' if verdict else '✗'} {verdict.text}"
            assert done == ([name] if verdict else [])


def test_cards_say_what_the_tour_says(open_view: Callable[..., Any]) -> None:
    """Question, text, figures; a live view that is set up, and shows its own figures."""
    view = open_view("tour")
    for number, name in enumerate(NAMES, 1):
        view.set(card=number)
        figures, made = view.figures(), page(name)
        assert (figures["number"], figures["name"]) == (number, name)
        assert figures["question"] == made.question == view.text(".ft-card h3")
        assert figures["check"] == made.check.question
        if name not in MEASURED:
            assert made.text == view.text(".ft-card-text")
        assert figures["view"] == LIVE[name]
        assert figures["live"]


def test_views_are_set_up_for_their_card(open_view: Callable[..., Any]) -> None:
    """What the cards claim can be seen in their views."""
    view = open_view("tour")

    def live(name: str) -> Any:
        view.set(card=NAMES.index(name) + 1)
        return view.figures()["live"]

    assert live("cost")["layers"][0]["params"] == page("cost").figures["dense"]
    assert live("flip")["value"] == page("flip").figures["convolved"] == -2
    inside = [v for row in live("sobel")["output"][0] for v in row]
    assert set(inside) == {page("sobel").figures["first"]} == {0}
    assert len(live("channels")["terms"]) == 3 * 9
    view.set(card=NAMES.index("shift") + 1)
    view.tab.wait_for_function(f"() => {VIEW}.figures().live.columns")
    columns = ", ".join(map(str, live("shift")["columns"]))
    assert columns == page("shift").figures["with_zeros"] == "0, 4, 5, 31"


def test_by_keyboard(open_view: Callable[..., Any]) -> None:
    """Arrows go from card to card; an answer, Enter, and on; undo."""
    view = open_view("tour")
    view.tab.keyboard.press("ArrowLeft")
    assert view.state()["card"] == 1
    box = view.tab.get_by_label("Answer", exact=True)
    box.fill("1")
    box.press("Enter")
    assert view.text(".ft-quiz-verdict") == "✗ Not 1. Try again."
    box.fill(str(page("cost").check.answer[0]))
    box.press("Enter")
    assert view.text(".ft-quiz-verdict").startswith("✓ Right: 786,433,000.")
    assert view.text(".ft-quiz-total") == "1 of 12 checks right"
    view.tab.keyboard.press("ArrowRight")
    assert view.state()["card"] == 2
    view.tab.keyboard.press("a")
    assert "a" in view.state()["answers"]["principles"]
    view.tab.keyboard.press("s")
    asked = page("principles").check
    assert view.text(".ft-quiz-verdict") == f"It is {asked.solution}. {asked.reason}"
    assert view.figures()["done"] == ["cost"]
    view.tab.keyboard.press("Control+z")
    assert view.state()["answers"]["principles"] == "a"
    view.tab.get_by_role("button", name="Card 12: Waldo").click()
    view.tab.keyboard.press("n")
    assert view.state()["card"] == 12


def test_the_live_view_has_its_own_keys_and_history(open_view: Callable[..., Any]) -> None:
    """What goes into the card's view does not turn the card."""
    view = open_view("tour", {"card": NAMES.index("flip") + 1})
    before = view.figures()["live"]["active"]
    view.tab.locator(".ft-live .ft-output canvas").focus()
    view.tab.keyboard.press("ArrowRight")
    figures = view.figures()
    assert figures["name"] == "flip"
    assert figures["live"]["active"] != before or figures["live"]["active"] == [0, 0, 0]
    view.tab.get_by_label("Flip the kernel").uncheck()
    assert view.figures()["live"]["value"] != figures["live"]["value"]
    view.tab.locator(".ft-live .ft-output canvas").focus()
    view.tab.keyboard.press("Control+z")
    assert view.figures()["live"]["value"] == figures["live"]["value"]
    assert view.figures()["name"] == "flip"
    view.tab.get_by_label("Flip the kernel").uncheck()
    view.set(card=1)
    view.set(card=NAMES.index("flip") + 1)
    assert view.tab.get_by_label("Flip the kernel").is_checked() is False


def test_links(open_view: Callable[..., Any]) -> None:
    """To a card, and from a card to its view, as it stands there."""
    view = open_view("tour", {"card": NAMES.index("flip") + 1})
    live = view.figures()["live"]
    view.tab.get_by_role("link", name="Open Slide by itself").click()
    view.tab.wait_for_function(
        "document.querySelector('nav a[aria-current]').textContent === 'Slide'"
    )
    assert view.figures() == live
    view.tab.go_back()
    view.tab.wait_for_selector(".ft-tour")
    view.set(card=9, answers={"field": "9"})
    view.tab.wait_for_timeout(300)
    link = view.tab.evaluate("location.href")
    view.tab.goto("about:blank")
    view.tab.goto(link)
    assert view.figures()["name"] == "field"
    assert view.figures()["verdict"].startswith("✓ Right: 9.")


def test_states_from_links_are_cleaned(open_view: Callable[..., Any]) -> None:
    """Cards that there are not, answers that are none."""
    view = open_view("tour", {"card": 99, "answers": {"cost": 7}})
    assert view.state() == {"card": 12, "answers": {}}


def test_without_the_other_views_data_figures_stand_in(open_view: Callable[..., Any]) -> None:
    """In a notebook there is no page: what needs much data shows the card's figures."""
    view = open_view("tour")
    found = view.tab.evaluate(
        """([data]) => ["waldo", "flip"].map((name) => {
            const root = document.createElement("div");
            document.body.append(root);
            const host = { place: "widget", data, canAsk: false };
            const card = data.cards.findIndex((each) => each.name === name) + 1;
            const { figures } = faltung_view.mount(root, faltung_tour.tour, host, { card });
            const isOpen = root.querySelector("details").open;
            return [figures().view, isOpen, root.querySelector("details").textContent.length > 100];
        })""",
        [prepared()],
    )
    assert found == [[None, True, True], ["slide", False, True]]


def test_served(served_view: Callable[..., Any]) -> None:
    """The served page loads the cards' views with the tour."""
    view = served_view("tour")
    view.set(card=NAMES.index("flip") + 1)
    assert view.figures()["live"]["value"] == -2


@pytest.mark.parametrize("name", ["flip", "corners", "sobel"])
def test_copied_python_runs(open_view: Callable[..., Any], name: str) -> None:
    """Setup and cells, as one script."""
    pytest.importorskip("matplotlib")
    view = open_view("tour", {"card": NAMES.index(name) + 1})
    exec(compile(view.figures()["python"], "copied", "exec"), {})


def test_narrow(open_view: Callable[..., Any]) -> None:
    """No card makes the page scroll sideways at 390 pixels."""
    view = open_view("tour", size=(390, 844))
    for number in range(1, len(tour.CARDS) + 1):
        view.set(card=number)
        assert view.tab.evaluate("document.documentElement.scrollWidth") <= 390
