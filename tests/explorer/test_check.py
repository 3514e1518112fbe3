"""Check: questions agree with the definitions, near misses are rejected, the page marks alike."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Callable
from typing import Any

import pytest

from faltung.errors import ExplorerError
from faltung.explorer import quiz
from faltung.explorer.ask_check import RECORDED, drawn, prepared
from faltung.explorer.quiz import FAMILIES, draw, mark, marked
from faltung.explorer.quiz.problem import IMPORTS

SEEDS = 1000
FAMILY = pytest.mark.parametrize("family", FAMILIES)


@FAMILY
def test_near_misses_are_rejected_with_their_reason(family: str) -> None:
    """The right answer is right however it is written, and a wrong one says what is wrong."""
    for seed in range(0, SEEDS, 25):
        problem = draw(family, seed)
        assert marked(problem, problem.solution.partition(") ")[2] or problem.solution).is_right
        for near in problem.near:
            text = (
                "abcdefgh"[near.answer[0]] if problem.choices else ", ".join(map(str, near.answer))
            )
            found = marked(problem, text if len(near.answer) > 1 else text.replace(",", ""))
            assert found.is_read
            assert not found.is_right
            assert near.why in found.text
        if not problem.choices:
            other = " ".join(str(n + 12345) for n in problem.answer)
            assert not marked(problem, other).is_right


@FAMILY
def test_the_code_gives_the_answer(family: str) -> None:
    """What can be copied computes the answer with the toolkit."""
    for seed in range(0, SEEDS, 100):
        problem = draw(family, seed)
        if problem.code:
            scope: dict[str, Any] = {}
            exec(IMPORTS, scope)
            found = eval(problem.code, scope)
            assert (tuple(found) if isinstance(found, tuple | list) else (found,)) == problem.answer
        else:
            assert FAMILIES[family].is_idea


@FAMILY
def test_the_working_ends_in_the_answer(family: str) -> None:
    """Of numbers, the working names the answer; every question is a sentence, and fresh."""
    problems = [draw(family, seed) for seed in range(40)]
    assert len({(p.text, p.choices, p.grids) for p in problems}) > 20
    for problem in problems:
        assert problem.working.endswith(".")
        if not problem.choices:
            parts = problem.solution.split(", ")
            assert all(part in problem.working for part in parts)


def test_unknown_families_and_seeds_are_refused() -> None:
    """What comes from a page is not to be trusted."""
    with pytest.raises(ExplorerError, match="there is no such family"):
        draw("nothing", 0)
    for seed in (-1, 2**31, True, "1", 1.5, None):
        with pytest.raises(ExplorerError, match="a seed must be a whole number"):
            draw("size", seed)  # type: ignore[arg-type]
    for given in ({"family": ["size"]}, {}, {"family": "x" * 10_000}, {"seed": "9" * 10_000}):
        with pytest.raises(ExplorerError) as caught:
            drawn(given, None)  # type: ignore[arg-type]
        assert len(str(caught.value)) < 600
    assert mark("size", 3, "what?").text == "Type a whole number."


def test_the_page_has_some_of_each() -> None:
    """Small enough to be part of every page."""
    import json

    data = prepared()
    assert len(json.dumps(data, separators=(",", ":"))) < 150_000
    assert {len(problems) for problems in data["problems"].values()} == {RECORDED}


# In a browser -----------------------------------------------------------------------------------

MARKED = """([drawn, seed, answers]) => answers.map((given) => {
    const { store, figures } = document.querySelector('.ft-view').faltung;
    store.set({ drawn, seed, given });
    return figures();
})"""
TYPED = (
    "7",
    " 1,234 ",
    "1 234",
    "3x3",
    "0 1",
    "0,1",
    "(2, 3)",
    "-5",
    "−5",
    "a",
    "(B)",
    "c.",
    "x",
    "",
)


def answers_to(problem: quiz.Problem, rng: random.Random) -> list[str]:
    """Right, near, odd."""
    near = rng.choice(problem.near).answer
    if problem.choices:
        return [problem.solution, problem.choices[near[0]].upper(), "abc"[rng.randrange(3)], "zz"]
    text = ", ".join(map(str, near))
    return [problem.solution, text, f"[{text}]", rng.choice(TYPED), rng.choice(TYPED)]


def test_the_page_marks_as_python_does(open_view: Callable[..., Any]) -> None:
    """Each family, several seeds: question, verdict and working are Python's."""
    view = open_view("check")
    rng = random.Random(5)
    for family in FAMILIES:
        for seed in rng.sample(range(RECORDED), 3):
            problem = draw(family, seed)
            answers = answers_to(problem, rng)
            shown = view.tab.evaluate(MARKED, [family, seed, answers])
            for given, figures in zip(answers, shown, strict=True):
                assert (figures["text"], figures["choices"]) == (
                    problem.text,
                    list(problem.choices),
                )
                assert figures["grids"] == [
                    [n, [list(r) for r in rows]] for n, rows in problem.grids
                ]
                found = marked(problem, given)
                said = {"isRead": found.is_read, "isRight": found.is_right, "text": found.text}
                assert figures["verdict"] == said
                assert figures["working"] == problem.working
                assert figures["solution"] == problem.solution


def test_right_wrong_and_near(open_view: Callable[..., Any]) -> None:
    """By keyboard: type, Enter, read, go on; the score counts; undo takes an answer back."""
    view = open_view("check", {"drawn": "size", "seed": 2})
    problem = draw("size", 2)
    box = view.tab.get_by_label("Answer", exact=True)
    box.fill("many")
    box.press("Enter")
    assert view.text(".ft-quiz-verdict") == "Type a whole number."
    assert view.state()["score"] == {}
    box.fill(str(problem.near[0].answer[0]))
    box.press("Enter")
    assert problem.near[0].why in view.text(".ft-quiz-verdict")
    assert problem.working in view.text(".ft-formula")
    assert view.state()["score"] == {"size": [0, 1, 0]}
    view.tab.keyboard.press("m")
    again = draw("size", 3)
    assert view.text(".ft-quiz-asked") == again.text
    box.fill(str(again.answer[0]))
    box.press("Enter")
    assert view.text(".ft-quiz-verdict") == f"✓ Right: {again.solution}."
    assert view.state()["score"] == {"size": [1, 2, 1]}
    assert "1 of 2 right · 1 in a row" in view.text(".ft-quiz-total")
    view.tab.keyboard.press("Control+z")
    assert view.state()["score"] == {"size": [0, 1, 0]}
    assert view.figures()["verdict"] is None
    assert box.is_editable()
    view.tab.locator(".ft-quiz-asked").focus()
    view.tab.keyboard.press("s")
    assert view.text(".ft-quiz-verdict") == f"✗ It is {again.solution}."
    view.tab.keyboard.press("n")
    assert view.state()["drawn"] != "size"


def test_choices_by_letter_and_by_pointer(open_view: Callable[..., Any]) -> None:
    """A letter chooses; a wrong choice has its reason, the right one is marked."""
    problem = draw("breaks", 1)
    wrong, right = problem.near[0], problem.answer[0]
    view = open_view("check", {"drawn": "breaks", "seed": 1, "family": "breaks"})
    view.tab.locator(".ft-choice").nth(wrong.answer[0]).click()
    assert wrong.why in view.text(".ft-quiz-verdict")
    assert view.tab.locator(".ft-choice").nth(right).get_attribute("data-kind") == "right"
    view.tab.keyboard.press("Control+z")
    view.tab.locator(".ft-quiz-asked").focus()
    view.tab.keyboard.press("abcd"[right])
    assert view.figures()["verdict"]["isRight"]


def test_a_family_can_be_chosen(open_view: Callable[..., Any]) -> None:
    """All questions are then of it, and none comes again before all were asked."""
    view = open_view("check")
    view.tab.get_by_label("Ask about").select_option("halo")
    texts = set()
    for _ in range(RECORDED):
        figures = view.figures()
        assert figures["family"] == "halo"
        texts.add(figures["text"])
        view.tab.get_by_role("button", name="Next question").click()
    assert len(texts) == len({draw("halo", seed).text for seed in range(RECORDED)})


def test_a_link_brings_the_question_back(open_view: Callable[..., Any]) -> None:
    """The fragment holds family, number and answer; one that the page lacks says so."""
    view = open_view("check", {"drawn": "field", "seed": 4})
    view.set(given="1")
    view.tab.wait_for_timeout(300)
    link = view.tab.evaluate("location.href")
    view.tab.goto("about:blank")
    view.tab.goto(link)
    assert view.figures()["text"] == draw("field", 4).text
    assert view.figures()["verdict"]["text"].startswith("Not 1.")
    view.set(drawn="field", seed=RECORDED + 1, given=None)
    assert view.figures()["text"] == draw("field", 1).text
    assert "no Python here" in view.text(".ft-note")


def test_links_are_not_trusted(open_view: Callable[..., Any]) -> None:
    """A state that somebody made up is cleaned."""
    given = {
        "drawn": "__proto__",
        "seed": -3,
        "score": {"size": [9, 1, 0]},
        "given": 7,
        "family": 1,
    }
    view = open_view("check", given)
    assert view.state()["score"] == {}
    assert view.figures()["family"] == "conv"
    view.set(drawn="nothing")
    assert view.figures()["family"] == next(iter(FAMILIES))


def test_copied_python_runs(open_view: Callable[..., Any]) -> None:
    """It prints the answer."""
    view = open_view("check", {"drawn": "field", "seed": 2, "given": "3"})
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(view.figures()["python"], "copied", "exec"), {})
    assert printed.getvalue().split() == [str(n) for n in draw("field", 2).answer]


def test_served_questions_are_fresh(served_view: Callable[..., Any]) -> None:
    """With Python, any seed has its question."""
    view = served_view("check")
    view.set(drawn="matrix", seed=123_456, given=None)
    problem = draw("matrix", 123_456)
    view.tab.wait_for_function(
        "(text) => document.querySelector('.ft-quiz-asked').textContent === text", arg=problem.text
    )
    view.set(given=problem.solution)
    assert view.figures()["verdict"]["isRight"]
    view.tab.get_by_role("button", name="Another like it").click()
    assert view.state()["seed"] != 123_456
