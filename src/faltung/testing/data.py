"""Numbers to compute with: small integers, reals, distinct values, the extreme and the broken.

Every draw is seeded by its case, so that a failure is the same one each time.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from faltung.ops.operator import Array
from faltung.testing.cases import Case

KINDS = ("integers", "reals", "distinct", "extreme", "non-finite")
EXTREMES = (1000.0, -1000.0, 0.0, 100.0, -100.0, 20.0, -20.0)
"""Where exp overflows, vanishes, or is all that counts."""
Arrays = tuple[Array, ...]


def draw(
    case: Case, kind: str = "integers", dtype: DTypeLike = np.float64, broken: int = 0
) -> Arrays:
    """Return arrays for the inputs of a case.

    Parameters
    ----------
    case : Case
    kind : str
        ``"integers"``: -4 to 4, with ties and zeros; sums of their products are exact.
        ``"reals"``: normally distributed.
        ``"distinct"``: values `gap` apart, the first ones half of it from 0: no maximum changes
        hands, and nothing passes a kink at 0, while each moves by less than half of it.
        ``"extreme"``: reals, and as many of `EXTREMES`.
        ``"non-finite"``: integers, in one input also NaN and both infinities.
        Inputs that the case lists as positive are so in every kind.
    dtype : dtype
    broken : int
        Which input has what is not finite, in that kind.

    Returns
    -------
    tuple of arrays

    Examples
    --------
    >>> from faltung.ops import Relu
    >>> (x,) = draw(Case("small", Relu(), ((2, 3),)))
    >>> x.shape, bool((x == x.round()).all()), float(abs(x).max()) <= 4
    ((2, 3), True, True)
    """
    rng = rng_of(case, kind)
    if kind == "distinct":
        arrays = _distinct(rng, case.in_shapes)
    else:
        arrays = [_DRAWS[kind](rng, shape) for shape in case.in_shapes]
    if kind == "non-finite":
        _break(rng, arrays[broken])
    for i in case.positive:
        arrays[i] = np.abs(arrays[i]) + (1.0 if kind == "integers" else 0.5)
    return tuple(_held(array, case.dtype_of(i, dtype)) for i, array in enumerate(arrays))


def _held(array: Array, dtype: np.dtype[Any]) -> Array:
    """Return numbers as a dtype holds them: what is positive is true, integers are rounded."""
    if dtype.kind == "f":
        return np.asarray(array, dtype)
    if dtype.kind == "b":
        return np.asarray(array > 0)
    limits = np.iinfo(dtype)
    whole = np.rint(np.nan_to_num(array, nan=0.0, posinf=100.0, neginf=-100.0))
    return np.asarray(np.clip(whole, max(limits.min, -1000), min(limits.max, 1000)), dtype)


def draw_like(case: Case, arrays: Sequence[Array], kind: str = "integers") -> Arrays:
    """Return an array for each given one, in its shape and dtype; 0 is not among integers."""
    rng = rng_of(case, f"{kind} gradients")
    drawn = [_DRAWS[kind](rng, array.shape) for array in arrays]
    if kind == "integers":
        drawn = [x + (x == 0) for x in drawn]
    return tuple(np.asarray(x, array.dtype) for x, array in zip(drawn, arrays, strict=True))


def rng_of(case: Case, purpose: str) -> np.random.Generator:
    """Return a generator that this case and purpose alone have seeded."""
    text = f"{case.operator!r} {case.in_shapes} {purpose}"
    return np.random.default_rng(zlib.crc32(text.encode()))


def gap(arrays: Sequence[Array]) -> float:
    """Return how far apart distinct values of these inputs are."""
    return 4.0 / max(1, sum(array.size for array in arrays))


def laid_out(array: Array, layout: str) -> Array:
    """Return the same values in another layout.

    >>> x = np.arange(6.0).reshape(2, 3)
    >>> laid_out(x, "strided").strides, laid_out(x, "read-only").flags.writeable
    ((112, -16), False)
    """
    if layout == "strided":
        return _strided(array)
    copy = np.array(array, order="F" if layout == "column-major" else "C")
    copy.setflags(write=layout != "read-only")
    return copy


def _strided(array: Array) -> Array:
    """Return every other value of a larger array, the last axis backwards."""
    if not array.ndim:
        return array.copy()
    filling = np.nan if array.dtype.kind == "f" else 1
    wider = np.full([2 * n + 1 for n in array.shape], filling, array.dtype)
    view = wider[tuple(slice(1, None, 2) for _ in array.shape)][..., ::-1]
    view[...] = array
    return view


def _integers(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.integers(-4, 5, shape).astype(np.float64)


def _reals(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    return rng.standard_normal(shape)


def _extreme(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    x = _reals(rng, shape)
    places = rng.permutation(x.size)[: x.size // 2]
    x.flat[places] = np.resize(EXTREMES, len(places))
    return x


_DRAWS: dict[str, Any] = {
    "integers": _integers,
    "reals": _reals,
    "extreme": _extreme,
    "non-finite": _integers,
}


def _distinct(rng: np.random.Generator, shapes: Sequence[tuple[int, ...]]) -> list[Array]:
    sizes = [int(np.prod(shape)) for shape in shapes]
    count = max(1, sum(sizes))
    values = rng.permutation((np.arange(count) + 0.5 - count // 2) * (4.0 / count))
    cuts = np.cumsum(sizes)[:-1]
    parts = np.split(values[: sum(sizes)], cuts)
    return [part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)]


def _break(rng: np.random.Generator, array: Array) -> None:
    """Put NaN, infinity and minus infinity somewhere, as far as there is room."""
    places = rng.permutation(array.size)[:3]
    array.flat[places] = [np.nan, np.inf, -np.inf][: len(places)]
