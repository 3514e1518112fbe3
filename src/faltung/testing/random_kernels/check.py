"""Run one case between guards, and say what is wrong with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

import faltung
from faltung.geometry.window import ConvWindow
from faltung.kernels.registry import gamma
from faltung.testing.random_kernels import oracle
from faltung.testing.random_kernels.broken import broken
from faltung.testing.random_kernels.drawn import Case, plain_epilogue
from faltung.testing.random_kernels.guarded import Guards

Array = NDArray[Any]
F64 = np.dtype(np.float64)

ARGUMENTS = {
    "conv": ("x", "w"),
    "conv_dx": ("dout", "w"),
    "conv_dw": ("x", "dout"),
    "max_pool": ("x",),
    "max_pool_dx": ("x", "dout"),
    "avg_pool": ("x",),
    "avg_pool_dx": ("dout",),
}
"""Operations that are drawn, and what each is called with."""


class Findings(Exception):  # noqa: N818 - findings, not an error of this program
    """What is wrong with a case."""


def check(case: Case, guards: Guards, how: str = "") -> None:
    """Compare with float64: exactly on integers, else within the row's bound.

    Parameters
    ----------
    case : Case
    guards : Guards
    how : str
        A mistake of `broken.MISTAKES`, for the control.

    Raises
    ------
    Findings
        A value is wrong, or a byte beside a buffer has changed.
    """
    numbers = case.numbers()
    with guards.installed(), np.errstate(all="ignore"):
        y = run(case, numbers, guards, how)
        compare(case, y, numbers)
    if not guards.check():
        raise Findings("a byte before a buffer was written")


def run(
    case: Case, numbers: dict[str, Array], guards: Guards | None = None, how: str = ""
) -> Array:
    """Call the row on these numbers, or on guarded copies of them."""
    names = ARGUMENTS[case.row.operation]
    given = {n: guards.copy(a) if guards else a for n, a in numbers.items()}
    arrays: list[Any] = [given[name] for name in names]
    more: dict[str, Any] = {}
    if case.row.operation in ("conv", "conv_dx"):
        if case.row.takes("b"):
            arrays.append(given["b"] if "bias" in case.extras else None)
        more = _more(case, given, guards)
    elif case.row.operation.startswith("avg"):
        arrays.append("include pad" in case.extras)
    return broken(how, case.row.load())(case.window, *arrays, **more)


def _more(case: Case, given: dict[str, Array], guards: Guards | None) -> dict[str, Any]:
    """Return what a row of a convolution takes by name."""
    row = case.row
    more: dict[str, Any] = {}
    if row.takes("epilogue"):
        more["epilogue"] = plain_epilogue(case, given.get("residual"))
    if "out" in case.extras and row.takes("out"):
        shape = case.shape
        more["out"] = (
            guards.array(shape, case.dtype) if guards else np.full(shape, np.nan, case.dtype)
        )
    if "packed" in case.extras and row.takes("packed"):
        more["packed"] = row.pack(_other_image(case), given["w"])
    return more


def _other_image(case: Case) -> ConvWindow:
    """Return the geometry of the same weights on a larger image: packing must not depend on it.

    But for gradients that are smaller than a stride: they lack some of its phases.
    """
    window = case.window
    assert isinstance(window, ConvWindow)
    is_small = any(axis.size < axis.stride for axis in window.axes)
    if case.row.operation == "conv_dx" and is_small:
        return window
    space = tuple(n + 7 for n in window.space)
    return ConvWindow.of(
        (1, window.in_channels, *space),
        window.w_shape,
        stride=window.stride,
        padding=window.pads,
        dilation=window.dilation,
        groups=window.groups,
    )


def compare(case: Case, y: Array, numbers: dict[str, Array]) -> None:
    """Compare a result with the float64 one.

    Raises
    ------
    Findings
        Its shape, its dtype or a value is wrong.
    """
    wanted = expected(case, numbers)
    if y.shape != wanted.shape or y.dtype != case.dtype:
        raise Findings(f"{y.dtype} {y.shape} instead of {case.dtype} {wanted.shape}")
    if case.is_whole and not case.row.operation.startswith("avg"):
        is_wrong = y != wanted
        bound = np.zeros(())
    else:
        bound = bounds(case, numbers)
        is_wrong = ~(np.abs(y - wanted) <= bound)
    if is_wrong.any():
        at = tuple(int(i) for i in np.argwhere(is_wrong)[0])
        limit = np.broadcast_to(bound, y.shape)[at]
        raise Findings(
            f"{int(is_wrong.sum())} of {y.size} are wrong, the first at {at}: {y[at]!r} "
            f"instead of {wanted[at]!r}, the bound is {limit:.1e}"
        )


def expected(case: Case, numbers: dict[str, Array]) -> Array:
    """Return the result in float64."""
    row, window = case.row, case.window
    arrays = [numbers[name] for name in ARGUMENTS[row.operation]]
    if row.operation.startswith("avg"):
        arrays.append("include pad" in case.extras)  # type: ignore[arg-type]
    y: Array = getattr(oracle, row.operation)(window, *arrays)
    if row.operation not in ("conv", "conv_dx"):
        return y
    if "bias" in case.extras:
        y = y + _across(numbers["b"], y)
    if "residual" in numbers:
        y = y + numbers["residual"]
    name, low, high = case.epilogue
    if name == "relu":
        return np.maximum(y, 0.0)
    if name == "leaky_relu":
        return np.where(y < 0, y * low, y)
    return np.clip(y, low, high) if name == "clip" else y


def bounds(case: Case, numbers: dict[str, Array]) -> Array:
    """Return how far each output may be from the float64 one."""
    row, window, dtype = case.row, case.window, case.dtype
    sizes = {name: np.abs(a) for name, a in numbers.items()}
    limit = row.error_bound(window, dtype) + gamma(row.terms(window), F64)
    if row.block == 1 and row.is_exact:
        kept = {"x": numbers["x"]} if row.operation == "max_pool_dx" else {}
        arrays = {**sizes, **kept}
        plain = Case(row, case.seed, window, dtype, False, _sums_alone(case))
        total = expected(plain, {n: a for n, a in arrays.items() if n != "residual"})
    else:
        assert isinstance(window, ConvWindow)
        total = oracle.block_sums(row.operation, row.block, window, numbers)
        total = total + _across(sizes["b"], total) if "bias" in case.extras else total
    if "residual" in numbers or case.epilogue[0]:
        # Adding and multiplying once more each; no activation here enlarges a difference.
        total = total + sizes.get("residual", 0.0)
        limit += 2 * gamma(2, dtype)
    found: Array = limit * total
    return found


def _sums_alone(case: Case) -> tuple[str, ...]:
    return tuple(extra for extra in case.extras if extra in ("bias", "include pad"))


def _across(b: Array, y: Array) -> Array:
    return b.reshape(1, -1, *(1,) * (y.ndim - 2))


def check_bits(case: Case) -> None:
    """Compare 1, 2 and 3 threads, repeated runs and parts of the batch: the same bits each.

    Raises
    ------
    Findings
        A bit differs.
    """
    numbers = case.numbers()
    try:
        faltung.set_num_threads(1)
        wanted = run(case, numbers).tobytes()
        for threads in (1, 2, 3):
            faltung.set_num_threads(threads)
            for turn in range(10 if threads == 2 else 3):
                if run(case, numbers).tobytes() != wanted:
                    raise Findings(f"other bits by {threads} threads, run {turn}")
        if case.row.operation != "conv_dw":
            _check_parts(case, numbers, wanted)
    finally:
        faltung.set_num_threads(None)


def _check_parts(case: Case, numbers: dict[str, Array], wanted: bytes) -> None:
    """Any image alone, and the rest, give what the whole batch gives."""
    found = []
    for part in (slice(0, 1), slice(1, None)):
        batch = len(numbers["x"][part])
        window = replace(case.window, batch=batch)
        own = {n: a if n in ("w", "b") else a[part] for n, a in numbers.items()}
        one = Case(case.row, case.seed, window, case.dtype, case.is_whole, case.extras)
        found.append(run(one, own).tobytes())
    if b"".join(found) != wanted:
        raise Findings("other bits where the batch is split")
