"""Two arrays that should be equal: how many values are, and what rounding may do to the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from numpy.typing import NDArray

from faltung.report import Table

Array = NDArray[Any]

UNIT_ROUNDOFF: Final = 2.0**-53


@dataclass(frozen=True)
class Agreement:
    """Two arrays that should hold the same numbers.

    Parameters
    ----------
    claim
        What is compared.
    positions, equal
        How many values there are, and how many agree but for rounding.
    largest
        The largest difference.
    bound
        What rounding may do: 0 for integers.
    """

    claim: str
    positions: int
    equal: int
    largest: float
    bound: float

    @property
    def holds(self) -> bool:
        """Whether no difference passes what rounding may do."""
        return self.largest <= self.bound

    def to_dict(self) -> dict[str, Any]:
        """Return every figure, and whether the claim holds."""
        return {**asdict(self), "holds": self.holds}


def agreement(claim: str, one: Array, other: Array, bound: float) -> Agreement:
    """Compare two arrays of one shape."""
    apart = abs(one - other)
    equal = int((apart == 0).sum()) if bound == 0 else int((apart <= bound).sum())
    return Agreement(claim, one.size, equal, float(apart.max(initial=0)), bound)


def rounding(size: Array, products: int) -> float:
    """Return what rounding may do to a difference of two sums; integers are not rounded.

    ``size`` is the sum of the absolute products. Each side is off by at most γ_n of it (Higham,
    *Accuracy and Stability of Numerical Algorithms*, 2nd edition, section 3.1).
    """
    if size.dtype.kind in "iu":
        return 0.0
    gamma = products * UNIT_ROUNDOFF / (1 - products * UNIT_ROUNDOFF)
    return 2 * gamma * float(size.max())


def table_of(laws: Sequence[Agreement]) -> Table:
    """Return one row for each claim."""
    rows = [
        (
            law.claim,
            "holds" if law.holds else "FAILS",
            f"{law.equal} of {law.positions}",
            f"{law.largest:.3g}",
            f"{law.bound:.3g}",
        )
        for law in laws
    ]
    header = ("law", "", "agree", "largest difference", "rounding may do")
    return Table(header, rows, left=(0, 1))
