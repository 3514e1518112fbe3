"""Sums over the numbers of each channel: what normalisation and the gradient of a bias need.

An array is taken as rows, one for each image and channel, and long rows as segments. A block sums
whole segments; what they give is put together in float64, in their order (`faltung.kernels.
norm_call`). So each sum is the same whatever thread computes it, and short enough to round little.

- `SUMS`: the sum of a segment.
- `MOMENTS`: that, and the sum of the squared distances from the segment's *own* mean. The segment
  is in the nearest cache by then, so memory is read once.
- `PRODUCTS`: the sum of g, and that of ``g * (x - mean)``, the mean being the channel's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from faltung.kernels.compiled import kernel
from faltung.kernels.simd import INT, INTS, Code, Int, Pointer, Vector

SUMS, MOMENTS, PRODUCTS = "sums", "moments", "products"
FIELDS: Final = (
    *("x", "g", "mean", "sums", "scratch", "size", "segment", "segments", "channels"),
    *("items", "count", "scratch_size"),
)
"""What a block is told, in this order: `count` of the `items`, the segments, are one block."""
CHAINS: Final = 4
"""Sums that go on side by side, so that none waits for itself."""


@kernel(arguments=INTS, block=INT, thread=INT)
def norm_block(code: Code, arguments: Pointer, block: Int, thread: Int, *, what: str) -> None:
    """Some segments; two numbers are written for each."""

    def of(name: str) -> Int:
        return arguments[FIELDS.index(name)]

    first, segments, sums = block * of("count"), of("segments"), code.address(of("sums"))
    x, g, means = (code.address(of(name)) for name in ("x", "g", "mean"))
    with code.loop((first + of("count")).at_most(of("items")), start=first) as item:
        row, start = item // segments, item % segments * of("segment")
        count = of("segment").at_most(of("size") - start)
        at = row * of("size") + start
        if what == PRODUCTS:
            mean = code.broadcast(means + row % of("channels"))
            totals = _summed(code, [x + at, g + at], count, lambda x, g: [g, g * (x - mean)])
        else:
            totals = _summed(code, [x + at], count, lambda x: [x])
        if what == MOMENTS:
            mean = totals[0] / Vector(code.build, _as_number(code, count))

            def squared(x: Vector) -> list[Vector]:
                return [(x - mean) * (x - mean)]

            totals += _summed(code, [x + at], count, squared)
        for i, total in enumerate(totals):
            number = code.build.extract_element(total.value, code.integer(0).value)
            code.store_number(sums + (item * 2 + i), number)


def _as_number(code: Code, count: Int) -> Any:
    number = code.build.sitofp(count.value, code.element)
    return code._spread(number, code.vector)


def _summed(
    code: Code, places: Sequence[Pointer], count: Int, terms: Callable[..., list[Vector]]
) -> list[Vector]:
    """Sum the terms of so many numbers; every lane of each result is the sum."""
    nothing = terms(*(code.constant(0.0) for _ in places))
    totals = [[code.variable(code.constant(0.0)) for _ in range(CHAINS)] for _ in nothing]
    turn = CHAINS * code.lanes
    whole = count // turn * turn
    with code.loop(whole, step=turn) as i:
        for n in range(CHAINS):
            for total, term in zip(
                totals, terms(*(code.load(p + i + n * code.lanes) for p in places)), strict=True
            ):
                total[n].set(total[n].get() + term)
    with code.loop(count, step=code.lanes, start=whole) as i:
        mask = code.first(count - i)
        for total, term in zip(
            totals, terms(*(code.load_some(mask, p + i) for p in places)), strict=True
        ):
            total[0].set(total[0].get() + code.select(mask, term, code.constant(0.0)))
    return [across(code, [variable.get() for variable in total]) for total in totals]


def across(code: Code, parts: list[Vector]) -> Vector:
    """Add vectors as a tree, and then their lanes."""
    while len(parts) > 1:
        parts = [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]
    (total,), half = parts, code.lanes // 2
    while half:
        turned = [(lane + half) % code.lanes for lane in range(code.lanes)]
        total, half = total + code.shuffle(total, total, turned), half // 2
    # Lanes that were added the other way round may differ in the last bit.
    return code.shuffle(total, total, [0] * code.lanes)
