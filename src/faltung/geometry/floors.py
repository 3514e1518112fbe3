"""Sums of floors, as quick as Euclid's algorithm: what counting pairs on a line comes down to."""

from __future__ import annotations


def floor_sum(count: int, step: int, start: int, divisor: int) -> int:
    """Return the sum of ``floor((start + step * i) / divisor)`` for ``i`` in ``[0, count)``.

    The sum counts lattice points under a line; exchanging the axes makes a smaller sum of the same
    kind, as Euclid's algorithm does with its two numbers.

    Source: Graham, Knuth, Patashnik, *Concrete Mathematics*, section 3.5.

    Parameters
    ----------
    count
        At least 0.
    step
        At least 0.
    start
        Any integer.
    divisor
        At least 1.

    Examples
    --------
    >>> floor_sum(4, 3, 1, 2), sum((1 + 3 * i) // 2 for i in range(4))
    (10, 10)
    >>> floor_sum(10**9, 1, 0, 1) == 10**9 * (10**9 - 1) // 2
    True
    """
    total = 0
    while count > 0:
        quotient, start = divmod(start, divisor)
        total += quotient * count
        quotient, step = divmod(step, divisor)
        total += quotient * (count * (count - 1) // 2)
        points, rest = divmod(start + step * count, divisor)
        count, start, step, divisor = points, rest, divisor, step
    return total
