"""The cards: their order, their words, that no figure was typed in, their quick checks."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import product
from string import Template
from typing import Any

import numpy as np
import pytest

import faltung
from faltung import reference, tour
from faltung.errors import TourError
from faltung.tour import CARDS, Card, Page, page
from faltung.tour.card import Question, View, page_of
from faltung.tour.scene import somebody

ORDER = [
    "cost",
    "principles",
    "corners",
    "matrices",
    "channels",
    "flip",
    "sobel",
    "shift",
    "field",
    "lost",
    "train",
    "waldo",
]
FEWEST, MOST = 30, 50
"""Words of a card's text."""


@pytest.fixture(params=CARDS, ids=lambda card: card.name)
def card(request: pytest.FixtureRequest) -> Card:
    return request.param


def test_twelve_cards_in_the_order_of_the_argument() -> None:
    assert [card.name for card in CARDS] == ORDER
    assert [page(name).number for name in ORDER] == list(range(1, 13))
    assert page(8) is page("shift")


def test_a_question_some_forty_words_a_view_and_a_check(card: Card) -> None:
    made = page(card.name)
    assert made.question.endswith("?")
    assert FEWEST <= len(made.text.split()) <= MOST
    assert made.view
    assert made.cells
    assert made.check.asked
    assert made.check.reason.endswith(".")
    assert not re.search(r"[{}]", " ".join([made.title, made.question, made.text, *made.command]))


def typed_figures(card: Card) -> list[str]:
    """Digits that stand in a card's texts outside of their fields."""
    return [t for t in card.templates if re.search(r"\d", re.sub(r"\{[^{}]*\}", "", t))]


def test_no_figure_is_typed_in(card: Card) -> None:
    assert typed_figures(card) == []


def test_a_figure_that_is_typed_in_is_seen() -> None:
    made = Card(
        "a", "b", "c?", "It is {n:,}, or 7.", {}, lambda: View({}, []), Question("", "", ""), ()
    )
    assert typed_figures(made) == ["It is {n:,}, or 7."]


def test_inputs_are_used(card: Card) -> None:
    """Each input decides a figure, or what the code shows."""
    in_code = {name for cell in card.cells for name in Template(cell).get_identifiers()}
    assert in_code <= set(page(card.name).figures)
    accepted = card.compute.__code__.co_varnames[: card.compute.__code__.co_argcount]
    assert set(card.given) <= in_code | set(accepted)


def test_words_of_the_field(card: Card) -> None:
    """Equivariance is said of convolution; invariance is a principle, or denied."""
    for found in re.finditer(r"(\w*) ?\binvarian\w*", " ".join(card.templates).lower()):
        assert found[1] in ("translation", "not"), found[0]
    assert "lower-dimensional" not in card.text
    assert "generalis" not in card.text


def test_loose_statements_stand_beside_the_exact_ones() -> None:
    known = {each.name for each in faltung.loose_statements().statements}
    shown = [name for card in CARDS for name in card.loose]
    assert sorted(shown) == sorted(known)
    said = str(page("cost"))
    assert "6,221,801,000" in said
    assert "It takes 6,220,801,000." in said


def test_pages_are_reports(card: Card) -> None:
    made = page(card.name)
    plain = json.loads(json.dumps(made.to_dict(), allow_nan=False))
    assert plain["name"] == card.name
    assert plain["text"] == made.text
    assert plain["check"]["answer"]
    assert made.text in str(made)
    assert str(made).endswith(f"Answer: {made.check.solution}. {made.check.reason}")
    assert "<table>" in made._repr_html_() or "\n" in str(made.view[0])


# What the texts say, counted a second time ------------------------------------------------------


def test_figures_of_the_texts() -> None:
    figures = {name: page(name).figures for name in ORDER}
    assert "150,529,000 parameters, 1.088 times all of VGG-16" in page("cost").text
    assert figures["cost"]["conv"] == 27 * 64 + 64
    assert [figures["corners"][c] for c in ("dense", "shared", "local", "convolution")] == [
        28**4,
        55**2,
        (3 * 28 - 2) ** 2,
        9,
    ]
    assert figures["corners"]["orders_differ"] == 0
    assert (figures["matrices"]["entries"], figures["matrices"]["nonzero"]) == (81, 49)
    assert (figures["channels"]["params"], figures["channels"]["dense"]) == (4864, 6291968)
    assert figures["channels"]["difference"] == 0
    assert (figures["flip"]["correlated"], figures["flip"]["convolved"]) == (2, -2)
    assert figures["flip"]["order_convolved"] == 0
    assert figures["flip"]["order_correlated"] > 0
    assert [figures["sobel"][n] for n in ("flat", "first", "second")] == [0, 0, 2]
    assert figures["sobel"]["border"] > 0
    assert figures["shift"]["with_zeros"] == "0, 4, 5, 31"
    assert (figures["shift"]["circular"], figures["shift"]["odd"], figures["shift"]["even"]) == (
        0,
        16,
        0,
    )
    assert figures["field"]["sees"] == "1 → 3 → 5 → 7"
    assert figures["field"]["network_sees"] == 212
    assert (figures["lost"]["plain"], figures["lost"]["doubling"]) == (112, 7)
    assert figures["lost"]["without"] == 0
    assert figures["lost"]["coordinate"] > 0


def test_correlations_of_the_photograph() -> None:
    """The mean over its channels, each by NumPy's own function."""
    image = faltung.datasets.photo("cat").astype(float)
    near, far = (
        np.mean(
            [np.corrcoef(c[:-by].ravel(), c[by:].ravel())[0, 1] for c in image.T.swapaxes(1, 2)]
        )
        for by in (1, 100)
    )
    assert f"correlate by {near:.2f}, pixels 100 apart by {far:.2f}" in page("principles").text


def test_the_nearest_convolution_to_a_mirror() -> None:
    """For each offset of the window, the mean over the pairs that have it."""
    size, held = 8, 0.0
    for down, across in product((-1, 0, 1), repeat=2):
        rows = [r for r in range(size) if 0 <= r + down < size]
        columns = [c for c in range(size) if 0 <= c + across < size]
        ones = [size - 1 - c == c + across and down == 0 for _ in rows for c in columns]
        held += sum(ones) ** 2 / len(ones)
    assert page("lost").figures["share"] == f"{100 * held / size**2:.2f} %"


def test_training_learns_from_more_examples_than_it_has_parameters() -> None:
    figures = page("train").figures
    assert figures["params"] < figures["examples"]
    assert figures["steps"] == 2 * math.ceil(figures["examples"] / 32)
    assert figures["accuracy"] >= 0.95


def test_everybody_is_found_and_no_decoy() -> None:
    figures = page("waldo").figures
    assert figures["found"] == figures["copies"]
    assert figures["error"] <= 1


# Quick checks: each against another count of the answer, and a near miss ------------------------


def distinct_offsets(size: int) -> int:
    along = len({k - i for i in range(size) for k in (0, size - 1)} | set(range(1 - size, size)))
    return along**2


def enumerated(size: int, lo: int, hi: int) -> tuple[int, ...]:
    places = list(product(range(size), repeat=2))
    pairs = [(i, k, (k[0] - i[0], k[1] - i[1])) for i in places for k in places]
    near = [(i, k, v) for i, k, v in pairs if all(lo <= n <= hi for n in v)]
    return (len(pairs), len({v for *_, v in pairs}), len(near), len({v for *_, v in near}))


def correlated(kernel: list[int]) -> tuple[int, ...]:
    y = reference.correlate(np.array([0.0, 0, 1, 0, 0]), np.array(kernel, float), "same")
    return tuple(y[1:4].astype(int).tolist())


def step_edge() -> int:
    image = np.zeros((1, 1, 5, 6))
    image[..., 3:] = 1
    kernel = np.array([[[[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]]]])
    return int(np.abs(reference.conv_loops(image, kernel)).max())


def shifted(width: int, by: int) -> tuple[int, ...]:
    rng = np.random.RandomState(5)
    x, w = rng.randint(-9, 10, (1, 1, 6, width)), rng.randint(1, 10, (1, 1, 3, 3))
    pads = ((1, 1), (1, 1))
    first = reference.conv_loops(np.roll(x, by, axis=-1), w, pads=pads)
    second = np.roll(reference.conv_loops(x, w, pads=pads), by, axis=-1)
    return tuple(np.flatnonzero((first != second).any(axis=(0, 1, 2))).tolist())


def reached() -> int:
    """Inputs of one output: windows of 5 that stand 2 apart under one of 3."""
    return len({2 * window + tap for window in range(3) for tap in range(5)})


def stacked(pixels: int) -> int:
    layers, sees = 0, {0}
    while len(sees) < pixels:
        layers, sees = layers + 1, {place + tap for place in sees for tap in (-1, 0, 1)}
    return layers


def negative() -> int:
    values = somebody().ravel().astype(float)
    return round(float(np.corrcoef(values, 255 - values)[0, 1]))


REFERENCE: dict[str, tuple[Callable[[], Any], list[Any]]] = {
    "cost": (lambda: 512 * 512 * 3 * 1000 + 1000, [786_432_000, 787_433_000]),
    "corners": (lambda: distinct_offsets(224), [224**2, 448**2, 447**2 - 1]),
    "matrices": (lambda: enumerated(3, 0, 1), [(81, 25, 49, 9), (81, 25, 25, 9), (25, 81, 25, 4)]),
    "channels": (lambda: sum(64 * 5 * 5 + 1 for _ in range(32)), [51_200, 51_264]),
    "flip": (lambda: correlated([1, 2, 3]), [(1, 2, 3), (3, 2)]),
    "sobel": (step_edge, [2, -4, 8]),
    "shift": (lambda: shifted(20, 3), [(0, 3, 4, 19), (0, 2, 3, 18), (0, 2, 3)]),
    "field": (reached, [13, 7, 11]),
    "lost": (lambda: stacked(100), [49, 51]),
    "train": (lambda: 4 * 9 + 4 + 8 * 36 + 8 + sum(200 + 1 for _ in range(10)), [2338, 3690, 738]),
    "waldo": (negative, [0, 1]),
}


@pytest.mark.parametrize("name", REFERENCE)
def test_answers_are_right_and_near_misses_are_not(name: str) -> None:
    answer, misses = REFERENCE[name]
    right = answer()
    assert tour.check(name, right)
    assert tour.check(name, str(right))
    assert "Right" in repr(tour.check(name, right))
    for wrong in misses:
        assert not tour.check(name, wrong), wrong
        assert not tour.check(name, str(wrong)), wrong
        assert "Try again" in repr(tour.check(name, wrong))


def test_which_principle_it_is() -> None:
    solution = page("principles").check.answer
    for said in ("translation invariance", "Translation Invariance.", "a", "(a)"):
        assert tour.check("principles", said), said
    for wrong in ("locality", "b", "both", "c", "invariance", "", 0, ["a"]):
        assert not tour.check("principles", wrong), wrong
    assert solution == "translation invariance"


@pytest.mark.parametrize("name", ORDER)
def test_the_answer_is_not_given_away(name: str) -> None:
    made = page(name)
    before = "\n".join(str(block) for block in made.shown())
    if isinstance(made.check.answer, tuple) and max(made.check.answer) > 9:
        assert not re.search(rf"(?<![\d,]){re.escape(made.check.solution)}(?![\d,])", before)


def test_every_check_has_a_reference() -> None:
    assert {*REFERENCE, "principles"} == set(ORDER)


def test_without_an_answer_the_question_is_asked_again() -> None:
    verdict = tour.check("waldo")
    assert not verdict
    assert repr(verdict) == page("waldo").check.question


@pytest.mark.parametrize("card", [0, 13, -1, "nobody", True, 1.5])
def test_other_cards_do_not_exist(card: Any) -> None:
    with pytest.raises(TourError, match=r"tour: there is no such card, got card=.* \[tour T1\]"):
        page(card)


def test_a_page_is_made_of_the_cards_own_figures() -> None:
    """Other inputs give another text: nothing stands there on its own."""
    cost = CARDS[0]
    given = {**cost.given, "outputs": 10, "asked": (1, 2, 2)}
    said = dict.fromkeys(cost.loose, ("", "", ""))
    changed: Page = page_of(
        Card(**{**{n: getattr(cost, n) for n in cost.__dataclass_fields__}, "given": given}),
        1,
        said,
    )
    assert "1,505,290 parameters" in changed.text
    assert changed.check.answer == (50,)
    assert "outputs=10" in changed.cells[0]
