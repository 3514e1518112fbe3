"""How reports write numbers."""

from __future__ import annotations

from math import isfinite

Number = int | float


def finite(value: Number) -> Number | None:
    """Return the number, or None where JSON has no word for it.

    >>> finite(2.5), finite(float("nan"))
    (2.5, None)
    """
    return value if isfinite(value) else None


def number(value: Number) -> str:
    """Return a number with up to six digits; integers whole.

    >>> number(3), number(9.0), number(9.6666667), number(-0.0)
    ('3', '9', '9.66667', '0')
    """
    return str(value) if isinstance(value, int) else f"{value + 0:.6g}"


def short(value: Number) -> str:
    """Return a number with up to two decimals; large and small ones with six digits.

    >>> short(9.6666667), short(7.0), short(0.001), short(12)
    ('9.67', '7', '0.001', '12')
    """
    if isinstance(value, int) or not 0.01 <= abs(value) < 1e6:
        return number(value)
    return f"{value:.2f}".rstrip("0").rstrip(".")


def factor(value: Number) -> str:
    """Return a number as a factor: in brackets if it has a sign.

    >>> factor(2), factor(-2)
    ('2', '(-2)')
    """
    text = number(value)
    return f"({text})" if text.startswith("-") else text
