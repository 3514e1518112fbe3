"""Normalised cross-correlation of a template with every place of a scene.

With T the template's and S the scene's values on the n numbers that both have there::

    r = (n ΣTS - ΣT ΣS) / √((n ΣTT - ΣT²) (n ΣSS - ΣS²))

the correlation coefficient of the two: 1 for a copy of the template, whatever its gain and offset.
In colour there are two of these, and the lesser one counts. Around one mean of all channels, r
sees colours, but finds a likeness of 0.8 between any two reddish patches. Around the mean of each
channel (the sums below the root and above it added up over channels) it sees the pattern, and
nothing of it in the same pixels in another order, but little of which channel is which.

Where the template hangs over the border the sums run over what is visible of it. A flat template
or a flat place, one colour everywhere, has no direction to agree with: r is 0 there, where the
formula says 0/0.

Integers are summed exactly (ΣTS by a Fourier transform whose error is below one half, then
rounded), as long as ``n² · range²`` fits 62 bits: only the last division rounds. Other values are
centred on their means; a place counts as flat where ``n ΣSS - ΣS²`` is within the error bound of
its own sums, or where ΣTS's error bound is above a thousandth of the denominator.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import log2, prod, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faltung import signal
from faltung.imaging.window_sums import window_sums
from faltung.kernels.registry import gamma

Array = NDArray[Any]
UNIT = 2.0**-53
FLOAT = np.dtype(np.float64)
MOST_UNCERTAIN = 1e-3
"""How much of the denominator the numerator's error bound may be."""


@dataclass(frozen=True)
class Sums:
    """Sums over the n pixels that a template and a scene share at each place.

    ``t`` and ``s`` for each channel, (H, W, C); the others over all of them, (H, W). The slacks
    bound the relative error of the sums and of one difference of two of them.
    """

    n: Array
    t: Array
    tt: Array
    s: Array
    ss: Array
    ts: Array
    ts_error: float
    t_slack: float
    s_slack: float


def correlation(template: Array, scene: Array, min_visible: float) -> tuple[Array, Array]:
    """Return the lesser r and the visible share of the template for every place, (H, W) each.

    Place (y, x) has the template's pixel ``(h // 2, w // 2)`` on the scene's pixel (y, x).

    Parameters
    ----------
    template, scene : array, (h, w, C) and (H, W, C)
        Finite numbers with as many channels.
    min_visible : float
        r is 0 where less of the template is visible.
    """
    if not (template.size and scene.size):
        return np.zeros(scene.shape[:2]), np.zeros(scene.shape[:2])
    is_exact = _fits(template, scene)
    sums = _sums(*_centred(template, scene, is_exact))
    divided = _exact if is_exact and sums.ts_error < 0.5 else _rounded
    # Around one mean, then around each channel's: the same of one, but for the squares of sums.
    r, is_known = divided(_Around(sums, sums.n * template.shape[2], *_squares(sums, joined=True)))
    if template.shape[2] > 1:
        pattern, too = divided(_Around(sums, sums.n, *_squares(sums, joined=False)))
        r, is_known = np.minimum(r, pattern), is_known & too
    r[~is_known] = 0.0
    visible = sums.n / (template.shape[0] * template.shape[1])
    r[visible < min_visible] = 0.0
    return r, visible


@dataclass(frozen=True)
class _Around:
    """Sums, how many numbers a mean is taken of, and the products of sums to take off."""

    sums: Sums
    count: Array
    t_s: Array
    t_t: Array
    s_s: Array


def _squares(sums: Sums, *, joined: bool) -> tuple[Array, Array, Array]:
    """``ΣT ΣS``, ``ΣT²`` and ``ΣS²``: of all channels together, or added up over them."""
    t, s = sums.t, sums.s
    if joined:
        t, s = t.sum(axis=2, keepdims=True), s.sum(axis=2, keepdims=True)
    return (t * s).sum(axis=2), (t * t).sum(axis=2), (s * s).sum(axis=2)


def _fits(template: Array, scene: Array) -> bool:
    """Whether every sum is an integer that 64 bits hold."""
    if {template.dtype.kind, scene.dtype.kind} - set("iu"):
        return False
    ends = [int(end) for x in (template, scene) for end in (x.min(), x.max())]
    spread = max(ends[1] - ends[0], ends[3] - ends[2], 1)
    return (template.size * spread) ** 2 < 2**62 and max(map(abs, ends)) < 2**62


def _centred(template: Array, scene: Array, is_exact: bool) -> tuple[Array, Array]:
    """Both less a constant, which changes nothing but the size of the sums."""
    if not is_exact:
        t, s = template.astype(np.float64), scene.astype(np.float64)
        return t - t.mean(), s - s.mean()
    t, s = template.astype(np.int64), scene.astype(np.int64)
    return t - int(np.rint(t.mean())), s - int(np.rint(s.mean()))


def _sums(t: Array, s: Array) -> Sums:
    sizes = t.shape[:2]
    pads = [(k // 2, k - 1 - k // 2) for k in sizes]
    padded = np.pad(s, [*pads, (0, 0)])
    ts, error = _products(t, padded)
    rows, columns = (_visible(n, k) for n, k in zip(s.shape[:2], sizes, strict=True))
    return Sums(
        n=np.multiply.outer(rows[1] - rows[0], columns[1] - columns[0]),
        t=_visible_sums(t, rows, columns),
        tt=_visible_sums((t * t).sum(axis=2), rows, columns),
        s=window_sums(padded, sizes),
        ss=window_sums((padded * padded).sum(axis=2), sizes),
        ts=np.rint(ts).astype(np.int64) if t.dtype.kind == "i" and error < 0.5 else ts,
        ts_error=error,
        t_slack=4 * gamma(t.size + 4, FLOAT),
        s_slack=4 * gamma(sum(t.shape) + 4, FLOAT),
    )


def _products(t: Array, padded: Array) -> tuple[Array, float]:
    """ΣTS in float64, channel by channel, and the bound of its error (see `faltung.convolve`)."""
    total, error = np.zeros(1), 0.0
    steps = log2(4 * prod(a + b for a, b in zip(t.shape[:2], padded.shape[:2], strict=True)))
    for channel in range(t.shape[2]):
        one, all_of_it = t[..., channel].astype(float), padded[..., channel].astype(float)
        total = total + signal.correlate(all_of_it, one, "valid", method="fft")
        norms = float(np.linalg.norm(one) * np.linalg.norm(all_of_it))
        error += 8 * UNIT * steps * (2 + sqrt(one.size)) * norms
    return total, error


def _visible(size: int, template: int) -> tuple[Array, Array]:
    """First and last row, or column, of the template that is inside, for each place."""
    first = np.arange(size) - template // 2
    return np.maximum(-first, 0), np.minimum(size - first, template)


def _visible_sums(values: Array, rows: tuple[Array, Array], columns: tuple[Array, Array]) -> Array:
    """Sum of the visible part of the template at each place, from sums up to each corner."""
    height, width, *channels = values.shape
    corner = np.zeros((height + 1, width + 1, *channels), values.dtype)
    corner[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    (top, bottom), (left, right) = rows, columns
    sums: Array = (
        corner[np.ix_(bottom, right)]
        - corner[np.ix_(top, right)]
        - corner[np.ix_(bottom, left)]
        + corner[np.ix_(top, left)]
    )
    return sums


def _exact(given: _Around) -> tuple[Array, Array]:
    sums, n = given.sums, given.count
    above = n * sums.ts - given.t_s
    template, place = n * sums.tt - given.t_t, n * sums.ss - given.s_s
    below = np.sqrt(template.astype(float)) * np.sqrt(place.astype(float))
    return _divided(above.astype(float), below, below > 0)


def _rounded(given: _Around) -> tuple[Array, Array]:
    sums, n = given.sums, given.count.astype(float)
    above = n * sums.ts - given.t_s
    template = np.maximum(n * sums.tt - given.t_t, 0)
    place = np.maximum(n * sums.ss - given.s_s, 0)
    below = np.sqrt(template) * np.sqrt(place)
    is_flat = (place <= sums.s_slack * n * sums.ss) | (
        template <= sums.t_slack * n * float(sums.tt.max())
    )
    is_sure = n * sums.ts_error <= MOST_UNCERTAIN * below
    return _divided(above, below, ~is_flat & is_sure & (below > 0))


def _divided(above: Array, below: Array, where: Array) -> tuple[Array, Array]:
    """The quotient, and where there is one."""
    r = np.zeros(above.shape)
    np.divide(above, below, out=r, where=where)
    return np.clip(r, -1.0, 1.0, out=r), where
