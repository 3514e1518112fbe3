"""The views that take a size, a matrix or nothing at all, in a notebook."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from faltung.errors import ExplorerError, message
from faltung.explorer.given_arrays import checked
from faltung.explorer.views import VIEWS, view_of
from faltung.explorer.widgets import AbstractView

LARGEST_SIDE: Final = 7


class Connections(AbstractView):
    """Which weights a neuron has, and whose they are too.

    Parameters
    ----------
    **state
        Fields of the view.
    """

    view = "connect"


class WeightSquare(AbstractView):
    """What sharing and locality each take away from a dense layer.

    Parameters
    ----------
    matrix : array_like (n, n), optional
        A dense layer's weights on an image of n positions, at most 49: a square number, or up to 7
        in a row. Its projections on the four corners are shown; drawn at random if left out.
    window : int or pair of pairs of int, optional
        How far a neuron reaches: ``1``, or ``((-1, 1), (0, 2))`` down and across.
    size : pair of int, optional
        Height and width of the image, at most 7 each.
    **state
        Other fields of the view: ``sharing=1.0``, ``locality=0.5``, ``shown="values"`` ...

    Raises
    ------
    ExplorerError
        The matrix is not square, too large, or of a size that is no image's.

    Examples
    --------
    >>> square = WeightSquare([[1, 2], [2, 1]], window=1)
    >>> square.state["height"], square.state["width"], square.state["left"]
    (1, 2, 1)
    """

    view = "square"

    def __init__(
        self,
        matrix: ArrayLike | None = None,
        window: int | Sequence[Sequence[int]] | None = None,
        *,
        size: Sequence[int] | None = None,
        **state: Any,
    ) -> None:
        given: dict[str, Any] = {}
        if size is not None:
            given |= dict(zip(("height", "width"), map(int, size), strict=True))
        if matrix is not None:
            given |= _of_matrix(matrix, given)
        if window is not None:
            given |= _of_window(window)
        super().__init__(**{**given, **state})

    @property
    def matrix(self) -> NDArray[Any] | None:
        """The matrix that was given; None for one that is drawn at random."""
        given = self.state.get("given")
        return None if given is None else np.array(given, float)

    @matrix.setter
    def matrix(self, given: ArrayLike | None) -> None:
        self.set(**({"given": None} if given is None else _of_matrix(given, self.state)))


class QuickCheck(AbstractView):
    """Questions that are drawn anew, and marked with the working.

    Parameters
    ----------
    **state
        Fields of the view: ``family="conv"``, ``seed=3`` ...
    """

    view = "check"


class CostCounter(AbstractView):
    """What dense, local and convolutional layers cost at a size.

    Parameters
    ----------
    **state
        Fields of the view: ``height=1080``, ``width=1920``, ``kernel=5``, ``channels=64`` ...

    Examples
    --------
    >>> CostCounter(height=1080, width=1920).state
    {'height': 1080, 'width': 1920}
    """

    view = "cost"


class Exercises(AbstractView):
    """Exercises, each with a worked answer.

    Parameters
    ----------
    **state
        Fields of the view.
    """

    view = "exercises"


class Tour(AbstractView):
    """From a dense layer to a convolution, card by card.

    Cards whose view needs a lot of data, a photograph or a recorded training, show their figures.

    Parameters
    ----------
    **state
        Fields of the view: ``card=8`` ...
    """

    view = "tour"

    def __init__(self, **state: Any) -> None:
        own, small = view_of(self.view).prepared(), ("cost", "field", "shift")
        views = {name: view_of(name).prepared() for name in small if name in VIEWS}
        super().__init__(**{"data": {**own, "views": views}, **state})


def _of_matrix(matrix: ArrayLike, known: Any) -> dict[str, Any]:
    """The state that shows a matrix, on an image of a size that is known or follows from it."""
    most = LARGEST_SIDE**2
    weights = checked("WeightSquare: matrix", matrix, (2,), (most, most))
    n, side = len(weights), math.isqrt(len(weights))
    size = known.get("height", 0), known.get("width", 0)
    if size[0] * size[1] != n:
        size = (side, side) if side * side == n else (1, n)
    if weights.shape != (n, n) or max(size) > LARGEST_SIDE:
        rule = "matrix must be square, and its side the positions of an image of at most 7×7"
        values = {"shape": np.shape(matrix)}
        cure = "Give the image's size as size=(height, width)"
        raise ExplorerError(message("WeightSquare", rule, values, cure))
    return {"given": weights.tolist(), "height": size[0], "width": size[1], "shown": "values"}


def _of_window(window: int | Sequence[Sequence[int]]) -> dict[str, int]:
    (top, bottom), (left, right) = ((-window, window),) * 2 if isinstance(window, int) else window
    return {"up": -int(top), "down": int(bottom), "left": -int(left), "right": int(right)}
