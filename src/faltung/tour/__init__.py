"""The tour: from a dense layer to a convolution, and what follows, card by card.

>>> print(page("shift").question)
What moves when the image moves?
>>> check("shift", [0, 2, 3, 18])
Not [0, 2, 3, 18]. Try again.
>>> bool(check("shift", "0, 2, 3, 19"))
True
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final

from faltung.analysis.loose import loose_statements
from faltung.errors import TourError, message
from faltung.tour.card import Card as Card
from faltung.tour.card import Page as Page
from faltung.tour.card import page_of
from faltung.tour.dense import BY_HAND, COST, FOUR_CORNERS, PRINCIPLES
from faltung.tour.layer import CHANNELS, FLIP, SHIFT, SOBEL
from faltung.tour.network import FIELD, LOST, TRAIN, WALDO
from faltung.tour.quick_check import Check as Check
from faltung.tour.quick_check import Verdict as Verdict

CARDS: Final[Sequence[Card]] = (
    COST,
    PRINCIPLES,
    FOUR_CORNERS,
    BY_HAND,
    CHANNELS,
    FLIP,
    SOBEL,
    SHIFT,
    FIELD,
    LOST,
    TRAIN,
    WALDO,
)
"""The argument in its order."""


def page(card: int | str) -> Page:
    """Return a card with its figures computed.

    Parameters
    ----------
    card : int or str
        Its number, from 1, or its name.

    Returns
    -------
    Page
        A report: text when printed, HTML in notebooks, ``to_dict()`` for JSON.

    Raises
    ------
    TourError
        There is no such card [tour T1].

    Examples
    --------
    >>> page("cost").figures["dense"]
    150529000
    """
    names = [each.name for each in CARDS]
    if card in names:
        return _page(names.index(str(card)))
    if isinstance(card, int) and not isinstance(card, bool) and 1 <= card <= len(CARDS):
        return _page(card - 1)
    rule = "there is no such card"
    cure = f"Use 1 to {len(CARDS)}, or one of {', '.join(names)}"
    raise TourError(message("tour", rule, {"card": repr(card)}, cure, "tour T1"))


def check(card: int | str, answer: Any = None) -> Verdict:
    """Say whether an answer to a card's quick check is right.

    Parameters
    ----------
    card : int or str
        The card's number or name.
    answer
        Whole numbers, one or several, as numbers or as text; or a choice. None asks again.

    Returns
    -------
    Verdict
        Prints as a sentence; true if the answer is right.

    Raises
    ------
    TourError
        There is no such card [tour T1].

    Examples
    --------
    >>> check("sobel", 4)
    Right: 4. The right column of the kernel lies on ones, the left one on zeros: its sum.
    """
    asked = page(card).check
    return Verdict(False, asked.asked) if answer is None else asked.judge(answer)


@cache
def _page(index: int) -> Page:
    """Compute a page once; a page does not change."""
    return page_of(CARDS[index], index + 1, _said())


@cache
def _said() -> dict[str, tuple[str, str, str]]:
    return {each.name: (each.said, each.exact, each.why) for each in loose_statements().statements}
