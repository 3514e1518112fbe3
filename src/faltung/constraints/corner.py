"""The four corners, by name: which of the two constraints hold."""

from __future__ import annotations

from typing import Final, NamedTuple

from faltung.geometry.checks import refuse


class Constraints(NamedTuple):
    """Translation invariance (``shared``) and locality (``local``), each put on or not."""

    shared: bool
    local: bool


_BY_NAME: Final = {
    "dense": Constraints(shared=False, local=False),
    "shared": Constraints(shared=True, local=False),
    "local": Constraints(shared=False, local=True),
    "convolution": Constraints(shared=True, local=True),
}
CORNERS: Final = tuple(_BY_NAME)


def constraints_of(corner: str) -> Constraints:
    """Return which constraints hold at a corner.

    >>> constraints_of("shared")
    Constraints(shared=True, local=False)
    """
    if corner not in _BY_NAME:
        cure = f"Use one of {', '.join(CORNERS)}"
        refuse("square", "the corner must be known", {"corner": repr(corner)}, cure, "square S8")
    return _BY_NAME[corner]


def corner_of(shared: bool, local: bool) -> str:
    """Return the corner where these constraints hold; in which order they came does not matter.

    Parameters
    ----------
    shared
        Translation invariance: the same weights at every position.
    local
        Locality: no weights outside a window.

    Examples
    --------
    >>> corner_of(shared=False, local=True)
    'local'
    """
    return next(name for name, held in _BY_NAME.items() if held == (shared, local))
